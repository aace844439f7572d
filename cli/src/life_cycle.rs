//! The life of a container in several commands, for agents in any language: what one command knows, the next one finds in
//! the runtime directory.
//!
//! Each takes the locks that it needs (`cofferdam::locks`), so that commands may be given at the same time.

mod check;
mod cleanup;
pub(crate) mod input;
mod launch;
mod list;
mod metrics;
mod prepare;
mod recover;
mod report;
mod update;

use std::process::ExitCode;

use cofferdam::isolator::{CreateError, Isolator, IsolatorError, check_agent};
use cofferdam::kernel::{Kernel, Mode};
use cofferdam::launch::block_signals;
use cofferdam::locks::{AgentLock, CommandLock};
use cofferdam::messages::ContainerId;
use cofferdam::root::create_directories;
use cofferdam::{UnixPath, error::CallError};

use crate::FAILED;
use crate::agent::Agent;
use crate::arguments::LifeCycleCommand;
use crate::host::{self, Host};
use crate::run::Failure;

/// A command can't be carried out in the state that the container is in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LifeCycleError {
    #[error(
        "container {0} is not prepared; `cofferdam prepare --id {0}` comes first, and before that `cofferdam cleanup --id {0}` \
         if it is listed"
    )]
    NotPrepared(ContainerId),
    #[error("container {0} runs already")]
    RunsAlready(ContainerId),
    #[error("container {0} runs; stop it first: its process is in the file {1}")]
    Runs(ContainerId, cofferdam::kernel::Bytes),
    #[error("container {id} can't be launched: container {parent}, in which it is nested, does not run")]
    ParentDoesNotRun { id: ContainerId, parent: ContainerId },
    #[error("container {0} has no command: give one after --, or in command_info of its configuration")]
    NoCommand(ContainerId),
    #[error("there is no container {0}")]
    Unknown(ContainerId),
    #[error(
        "what is recorded of container {id} can't be used: {error}; once it has ended, `cofferdam cleanup --id {id}` takes \
         its mounts and its records away"
    )]
    Unreadable { id: ContainerId, error: IsolatorError },
    #[error("container {id} is cleaned up, but its sandbox is still there: nobody knows where, because {error}")]
    SandboxUnknown { id: ContainerId, error: IsolatorError },
    #[error("some containers were not recovered: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotRecovered(Vec<Failure>),
    #[error("standard input is no {what}: {error}")]
    Input { what: &'static str, error: String },
}

pub(crate) use cleanup::clean_up_container;
pub(crate) use launch::{Launching, launch_container, read_pid};
pub(crate) use prepare::prepare_container;

/// Whether other commands may be at work at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    WithOthers,
    Alone,
}

/// A command at work.
struct Session<'k> {
    isolator: Isolator<&'k dyn Kernel>,
    _agent: AgentLock<'k>,
    _commands: CommandLock<'k>,
}

impl<'k> Session<'k> {
    /// Prepares the host, if that was not done yet.
    fn begin(kernel: &'k dyn Kernel, host: &dyn Host, agent: &Agent, sharing: Sharing) -> Result<Self, Failure> {
        // A command is done or not done; a signal that comes in between waits.
        block_signals(kernel)?;
        kernel
            .umask(Mode(0o022))
            .map_err(|errno| CallError::new("set the umask of", UnixPath::new("cofferdam"), errno))?;
        let layout = &agent.config.layout;
        match check_agent(kernel, &agent.config) {
            // Only the default one is made: another one that is missing is more likely a mistake.
            Err(CreateError::MissingWorkDir(_)) if agent.has_default_work_dir => {
                create_directories(kernel, &layout.work_dir, Mode(0o755))?;
            }
            checked => drop(checked?),
        }
        create_directories(kernel, &layout.runtime_dir, Mode(0o755))?;
        let agent_lock = AgentLock::shared(kernel, layout)?;
        let commands = match sharing {
            Sharing::WithOthers => CommandLock::shared(kernel, layout)?,
            Sharing::Alone => CommandLock::exclusive(kernel, layout)?,
        };
        let isolator = Isolator::create(kernel, agent.config.clone(), host.users())?;
        isolator.prepare_launches()?;
        Ok(Self { isolator, _agent: agent_lock, _commands: commands })
    }

    /// Remembers a container and those around it. Those that can't be used are not known: that they are there is found out
    /// when they are to be made. But of those that can't be looked at nobody knows what would become.
    fn resume_family(&mut self, id: &ContainerId) -> Result<(), Failure> {
        let unreadable = self.isolator.resume_family(id)?;
        match unreadable.into_iter().find(|container| container.error.is_refusal()) {
            Some(container) => Err(container.error.into()),
            None => Ok(()),
        }
    }
}

/// Carries out a command. What has failed is told on standard error.
pub(crate) fn run(command: &LifeCycleCommand) -> ExitCode {
    match host::life_cycle(command) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(FAILED)),
        Err(error) => {
            report::print(command, &*error);
            ExitCode::from(FAILED)
        }
    }
}

impl Drop for Session<'_> {
    /// What was counted is for `cofferdam metrics`.
    fn drop(&mut self) {
        if let Err(error) = self.isolator.counters().record(*self.isolator.kernel(), &self.isolator.config().layout) {
            tracing::warn!(%error, "the metrics of this command are lost");
        }
    }
}

/// Carries out a command on a host. Gives the exit status.
pub(crate) fn run_on(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    command: &LifeCycleCommand,
) -> Result<i32, Failure> {
    let json = command.common().json;
    let result = match command {
        LifeCycleCommand::Create(arguments) if arguments.check => check::check(kernel, agent, json),
        LifeCycleCommand::Create(_) => Session::begin(kernel, host, agent, Sharing::Alone).map(drop),
        LifeCycleCommand::Prepare(arguments) => prepare::prepare(kernel, host, agent, &arguments.id),
        LifeCycleCommand::Launch(arguments) => return launch_container(kernel, host, agent, Launching::of(arguments)),
        LifeCycleCommand::Update(arguments) => update::update(kernel, host, agent, &arguments.id),
        LifeCycleCommand::Cleanup(arguments) => cleanup::cleanup(kernel, host, agent, arguments),
        LifeCycleCommand::Recover(_) => recover::recover(kernel, host, agent),
        LifeCycleCommand::List(_) => list::list(kernel, host, agent, json),
        LifeCycleCommand::State(arguments) => list::state(kernel, host, agent, &arguments.id, json),
        LifeCycleCommand::Metrics(_) => metrics::metrics(kernel, host, agent),
    };
    result.map(|()| 0)
}
