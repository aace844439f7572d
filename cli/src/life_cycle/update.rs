//! `cofferdam update`

use cofferdam::kernel::Kernel;
use cofferdam::locks::ContainerLock;
use cofferdam::messages::{ContainerId, Resource};

use super::{Session, Sharing, input};
use crate::agent::Agent;
use crate::host::Host;
use crate::run::Failure;

/// Gives a container the volumes that are among the resources on standard input, and takes the others away.
pub(super) fn update(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent, id: &ContainerId) -> Result<(), Failure> {
    let resources: Vec<Resource> = input::read("list of resources (see `cofferdam schema resources`)")?;
    let mut session = Session::begin(kernel, host, agent, Sharing::WithOthers)?;
    let layout = session.isolator.config().layout.clone();
    let _lock = ContainerLock::take(kernel, &layout, id)?;
    session.resume_family(id)?;
    Ok(session.isolator.update(id, &resources)?)
}
