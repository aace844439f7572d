//! `cofferdam prepare`

use cofferdam::kernel::Kernel;
use cofferdam::locks::ContainerLock;
use cofferdam::messages::{ContainerConfig, ContainerId};

use super::{Session, Sharing, input};
use crate::agent::Agent;
use crate::host::Host;
use crate::run::Failure;

/// Prepares a container as standard input says, and tells what is to be launched.
pub(super) fn prepare(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent, id: &ContainerId) -> Result<(), Failure> {
    let config: ContainerConfig = input::read("container configuration (see `cofferdam schema container-config`)")?;
    let mut session = Session::begin(kernel, host, agent, Sharing::WithOthers)?;
    let layout = session.isolator.config().layout.clone();
    let _lock = ContainerLock::take(kernel, &layout, id)?;
    session.resume_family(id)?;
    let isolator = &mut session.isolator;
    let info = isolator.prepare(id, &config)?;
    let told = input::write(&info);
    if told.is_err() {
        // Nobody has learnt that it is prepared.
        isolator.undo_prepare(id);
    }
    told
}
