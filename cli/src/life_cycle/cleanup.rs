//! `cofferdam cleanup`

use cofferdam::isolator::{Isolator, IsolatorError};
use cofferdam::kernel::Kernel;
use cofferdam::locks::{ContainerLock, RunningLock};
use cofferdam::messages::ContainerId;

use super::{LifeCycleError, Session, Sharing};
use crate::agent::Agent;
use crate::arguments::CleanupArguments;
use crate::host::Host;
use crate::run::Failure;

/// Takes a container's mounts off the host, and removes what was kept of it. There is nothing to do for one that is not there.
pub(super) fn cleanup(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    arguments: &CleanupArguments,
) -> Result<(), Failure> {
    take_down(kernel, host, agent, &arguments.container.id, arguments.remove_sandbox)
}

/// The same, and the sandbox stays.
pub(crate) fn clean_up_container(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    id: &ContainerId,
) -> Result<(), Failure> {
    take_down(kernel, host, agent, id, false)
}

fn take_down(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    id: &ContainerId,
    remove_sandbox: bool,
) -> Result<(), Failure> {
    let mut session = Session::begin(kernel, host, agent, Sharing::WithOthers)?;
    let layout = session.isolator.config().layout.clone();
    let _lock = ContainerLock::take(kernel, &layout, id)?;
    session.resume_family(id)?;
    if RunningLock::is_taken(kernel, &layout, id)? {
        return Err(LifeCycleError::Runs(id.clone(), layout.container_pid(id).into()).into());
    }
    clean_up(&mut session.isolator, id, remove_sandbox)
}

/// The same, of a container that nobody else acts on. What is kept of it goes last: until then all can be repeated.
pub(super) fn clean_up(
    isolator: &mut Isolator<&dyn Kernel>,
    id: &ContainerId,
    remove_sandbox: bool,
) -> Result<(), Failure> {
    let (sandbox, damage) = match (isolator.container(id), isolator.recorded_config(id)) {
        (Some(container), _) => (Some(container.sandbox().to_path_buf()), None),
        (None, Ok(config)) => (Some(config.directory.as_path().to_path_buf()), None),
        (None, Err(error)) if error.is_refusal() => return Err(error.into()),
        (None, Err(error @ IsolatorError::Record { .. })) => (None, Some(error)),
        (None, Err(_)) => (None, None),
    };
    if isolator.container(id).is_some() {
        isolator.cleanup(id)?;
    } else {
        isolator.clean_up_unknown(id)?;
    }
    let was_unfinished = isolator.clean_up_unfinished(id)?;
    if let (true, Some(sandbox)) = (remove_sandbox, &sandbox) {
        isolator.deallocate_gids(sandbox)?;
        isolator.remove_sandbox(id, sandbox)?;
    }
    if !was_unfinished {
        isolator.remove_runtime(id)?;
    }
    match damage {
        Some(error) if remove_sandbox => Err(LifeCycleError::SandboxUnknown { id: id.clone(), error }.into()),
        _ => Ok(()),
    }
}
