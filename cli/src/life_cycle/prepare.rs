//! `cofferdam prepare`

use cofferdam::kernel::Kernel;
use cofferdam::locks::ContainerLock;
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo};

use super::{Session, Sharing, input};
use crate::agent::Agent;
use crate::host::Host;
use crate::run::Failure;

/// Prepares a container as standard input says, and tells what is to be launched.
pub(super) fn prepare(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent, id: &ContainerId) -> Result<(), Failure> {
    let config: ContainerConfig = input::read("container configuration (see `cofferdam schema container-config`)")?;
    prepare_and_tell(kernel, host, agent, id, &config, &|info| input::write(info))
}

/// Prepares a container.
pub(crate) fn prepare_container(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    id: &ContainerId,
    config: &ContainerConfig,
) -> Result<(), Failure> {
    prepare_and_tell(kernel, host, agent, id, config, &|_| Ok(()))
}

fn prepare_and_tell(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    id: &ContainerId,
    config: &ContainerConfig,
    tell: &dyn Fn(&ContainerLaunchInfo) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut session = Session::begin(kernel, host, agent, Sharing::WithOthers)?;
    let layout = session.isolator.config().layout.clone();
    let _lock = ContainerLock::take(kernel, &layout, id)?;
    session.resume_family(id)?;
    let isolator = &mut session.isolator;
    let info = isolator.prepare(id, config)?;
    let told = tell(&info);
    if told.is_err() {
        // Nobody has learnt that it is prepared.
        isolator.undo_prepare(id);
    }
    told
}
