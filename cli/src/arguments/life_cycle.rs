//! The arguments of the commands that make up a container's life.

use clap::{Args, Subcommand};
use cofferdam::kernel::Bytes;
use cofferdam::messages::{ContainerId, InvalidContainerId};

use super::{AgentArguments, bytes};

const CREATE_EXAMPLES: &str = "\
Examples:
  cofferdam create
  cofferdam create --check
  cofferdam create --check --json | jq -r '.steps[].path'
  cofferdam create --agent-config agent.toml

The other commands prepare the host as well, if that was not done yet.";

const PREPARE_EXAMPLES: &str = "\
Examples:
  cofferdam prepare --id c1 < c1.json
  cofferdam prepare --id c1.side < side.json > side.launch-info
  jq '.rootfs = \"/srv/image\"' c1.json | cofferdam prepare --id c1 > /dev/null

Standard input has a container-config (`cofferdam schema container-config`); the directory in it, the sandbox, must exist. \
`cofferdam launch` finds the launch info by itself. What fails leaves nothing behind.";

const LAUNCH_EXAMPLES: &str = "\
Examples:
  cofferdam launch --id c1
  cofferdam launch --id c1 --pid-file /run/c1.pid &
  cofferdam launch --id c1.side -- sh -c 'cat shared/log'

Exit status: that of the program; 128+n if signal n killed it; 125 if cofferdam failed, 126 if the program can't be executed, \
127 if it is not found.";

const UPDATE_EXAMPLES: &str = "\
Examples:
  cofferdam update --id c1 < resources.json
  echo '[]' | cofferdam update --id c1
  jq .resources c1.json | cofferdam update --id c1

Standard input has a list of resources (`cofferdam schema resources`): all that the container is to have from now on.";

const CLEANUP_EXAMPLES: &str = "\
Examples:
  cofferdam cleanup --id c1.side
  cofferdam cleanup --id c1 --remove-sandbox

Its program must have ended, and what is nested in it must be cleaned up. The data of persistent volumes stays. For a container \
that is not there, there is nothing to do.";

const RECOVER_EXAMPLES: &str = "\
Examples:
  cofferdam recover < /dev/null
  cofferdam recover < states.json
  cofferdam recover < /dev/null | jq -r '.cleaned[].value'

Standard input may have the containers that the agent knows (`cofferdam schema states`). It prints which are known now, and \
which were cleaned up.";

const LIST_EXAMPLES: &str = "\
Examples:
  cofferdam list
  cofferdam list --json | jq -r '.[] | select(.status == \"running\") | .id'";

const STATE_EXAMPLES: &str = "\
Examples:
  cofferdam state --id c1
  cofferdam state --id c1 --json | jq .pid";

const METRICS_EXAMPLES: &str = "\
Examples:
  cofferdam metrics
  cofferdam metrics > /var/lib/node-exporter/cofferdam.prom";

/// The life of a container, a command at a time.
#[derive(Debug, Subcommand)]
pub(crate) enum LifeCycleCommand {
    /// Check that this host can have containers, and prepare it
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArguments),
    /// Prepare a container as the configuration on standard input says; prints its launch info
    #[command(after_help = PREPARE_EXAMPLES)]
    Prepare(ContainerArguments),
    /// Run the program of a prepared container, and wait for it
    #[command(after_help = LAUNCH_EXAMPLES)]
    Launch(LaunchContainer),
    /// Give a container the volumes among the resources on standard input, and take others away; it may be running
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(ContainerArguments),
    /// Take a container's mounts off the host, and forget it
    #[command(after_help = CLEANUP_EXAMPLES)]
    Cleanup(CleanupArguments),
    /// Clean up after commands that have died; remember the containers that standard input, if there is any, names
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(LifeCycleArguments),
    /// List the containers
    #[command(after_help = LIST_EXAMPLES)]
    List(LifeCycleArguments),
    /// Tell of one container
    #[command(after_help = STATE_EXAMPLES)]
    State(ContainerArguments),
    /// Print metrics in the text format of Prometheus
    #[command(after_help = METRICS_EXAMPLES)]
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
