//! The arguments of the commands that make up a container's life.

use clap::{Args, Subcommand};
use cofferdam::kernel::Bytes;
use cofferdam::messages::{ContainerId, InvalidContainerId};

use super::{AgentArguments, bytes};

/// The life of a container, a command at a time.
#[derive(Debug, Subcommand)]
pub(crate) enum LifeCycleCommand {
    /// Check that this host can have containers, and prepare it
    Create(CreateArguments),
    /// Prepare a container as the configuration on standard input says; prints its launch info
    Prepare(ContainerArguments),
    /// Run the program of a prepared container, and wait for it
    Launch(LaunchContainer),
    /// Give a container the volumes among the resources on standard input, and take others away; it may be running
    Update(ContainerArguments),
    /// Take a container's mounts off the host, and forget it
    Cleanup(CleanupArguments),
    /// Clean up after commands that have died; remember the containers that standard input, if there is any, names
    Recover(LifeCycleArguments),
    /// List the containers
    List(LifeCycleArguments),
    /// Tell of one container
    State(ContainerArguments),
    /// Print metrics in the text format of Prometheus
    Metrics(LifeCycleArguments),
}

/// What every command of the life cycle takes.
#[derive(Debug, Args)]
pub(crate) struct LifeCycleArguments {
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// Print JSON, errors included (see `cofferdam schema error`)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `cofferdam create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) common: LifeCycleArguments,
    /// Change nothing: tell what would be done, and what this kernel lacks; fails if creating would
    #[arg(long)]
    pub(crate) check: bool,
}

/// Arguments of a command for one container.
#[derive(Debug, Args)]
pub(crate) struct ContainerArguments {
    #[command(flatten)]
    pub(crate) common: LifeCycleArguments,
    /// Id of the container; a dot before that of one that is nested
    #[arg(long, value_name = "ID[.CHILD...]", value_parser = container_id)]
    pub(crate) id: ContainerId,
}

/// Arguments of `cofferdam cleanup`.
#[derive(Debug, Args)]
pub(crate) struct CleanupArguments {
    #[command(flatten)]
    pub(crate) container: ContainerArguments,
    /// Remove the sandbox, too
    #[arg(long)]
    pub(crate) remove_sandbox: bool,
}

/// Arguments of `cofferdam launch`.
#[derive(Debug, Args)]
pub(crate) struct LaunchContainer {
    #[command(flatten)]
    pub(crate) container: ContainerArguments,
    /// Write the number of the container's process, on the host, to this file once its filesystem is complete; removed when
    /// it ends
    #[arg(long, value_name = "FILE", value_parser = bytes())]
    pub(crate) pid_file: Option<Bytes>,
    /// Print every system call to standard error, as strace does
    #[arg(long)]
    pub(crate) trace: bool,
    /// Program and its arguments, instead of those of the configuration
    #[arg(last = true, value_name = "CMD", value_parser = bytes())]
    pub(crate) command: Vec<Bytes>,
}

impl LifeCycleCommand {
    /// What every command takes.
    pub(crate) fn common(&self) -> &LifeCycleArguments {
        match self {
            Self::Create(arguments) => &arguments.common,
            Self::Recover(common) | Self::List(common) | Self::Metrics(common) => common,
            Self::Prepare(container) | Self::Update(container) | Self::State(container) => &container.common,
            Self::Launch(arguments) => &arguments.container.common,
            Self::Cleanup(arguments) => &arguments.container.common,
        }
    }

    /// Its name, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Prepare(_) => "prepare",
            Self::Launch(_) => "launch",
            Self::Update(_) => "update",
            Self::Cleanup(_) => "cleanup",
            Self::Recover(_) => "recover",
            Self::List(_) => "list",
            Self::State(_) => "state",
            Self::Metrics(_) => "metrics",
        }
    }
}

/// `ID[.CHILD...]`
pub(super) fn container_id(text: &str) -> Result<ContainerId, InvalidContainerId> {
    let mut names = text.split('.');
    let first = ContainerId::new(names.next().unwrap_or_default())?;
    names.try_fold(first, |id, name| id.child(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_before_a_nested_container() {
        let id = container_id("a.b.c").unwrap();
        assert_eq!((id.to_string().as_str(), id.depth()), ("a.b.c", 2));
        for wrong in ["", ".", "a.", ".a", "a..b", "a/b"] {
            assert!(container_id(wrong).is_err(), "{wrong}");
        }
    }
}
