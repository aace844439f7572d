//! The life of the container, on the simulated host.

use std::cell::RefCell;

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{Errno, Kernel, UmountFlags};
use cofferdam::launch::prepare_launches;
use cofferdam::layout::Layout;
use cofferdam::messages::{ContainerConfig, ContainerId};
use cofferdam::mountinfo::Table;
use cofferdam::record::{self, RecordError};
use cofferdam::root::real_path;
use cofferdam::volumes::PersistentVolume;
use cofferdam_shell::Machine;
use cofferdam_vfs_sim::Process;

use super::wanted::Wanted;
use crate::agent::Agent;
use crate::host::Host as _;
use crate::life_cycle::{self, Launching};
use crate::run::Failure;
use crate::simulated::{Programs, Session};

/// A program that does nothing, or none.
pub(super) struct Program {
    pub(super) is_there: bool,
}

impl Programs for Program {
    fn run(&self, _: &Machine, _: &Process) -> Option<i32> {
        None
    }

    fn has_program(&self) -> bool {
        self.is_there
    }
}

/// Runs the container from its beginning to its end.
pub(super) fn live(session: &Session, directory: &UnixPath, wanted: &Wanted, agent: &Agent) -> Result<i32, Failure> {
    let program = Program { is_there: wanted.has_program() };
    let act = |command: &dyn Fn(&dyn Kernel) -> Result<i32, Failure>| {
        session.act(&program, false, |kernel| {
            kernel.chdir(directory).map_err(|errno| CallError::new("change to directory", directory, errno))?;
            command(kernel)
        })
    };
    match wanted {
        Wanted::Run { arguments, .. } => act(&|kernel| crate::run::run_on(kernel, session, arguments, agent)),
        Wanted::Container { id, config } => container(&act, session, wanted, agent, id, config),
        Wanted::Again { id } => {
            let (config, nested) = (RefCell::default(), RefCell::default());
            act(&|kernel| {
                config.replace(recorded(kernel, session, agent, id)?);
                nested.replace(nested_in(kernel, session, agent, id)?);
                Ok(0)
            })?;
            // The innermost first: a container with others in it is not cleaned up.
            for id in nested.into_inner().iter().rev().chain([id]) {
                act(&|kernel| life_cycle::clean_up_container(kernel, session, agent, id).map(|()| 0))?;
            }
            container(&act, session, wanted, agent, id, &config.into_inner())
        }
    }
}

/// A command in a process of its own.
type Act<'a> = dyn Fn(&dyn Fn(&dyn Kernel) -> Result<i32, Failure>) -> Result<i32, Failure> + 'a;

fn container(
    act: &Act<'_>,
    session: &Session,
    wanted: &Wanted,
    agent: &Agent,
    id: &ContainerId,
    config: &ContainerConfig,
) -> Result<i32, Failure> {
    act(&|kernel| life_cycle::prepare_container(kernel, session, agent, id, config).map(|()| 0))?;
    let command = wanted.command();
    let status = act(&|kernel| {
        let launching = Launching { id, pid_file: None, trace: false, command: &command };
        life_cycle::launch_container(kernel, session, agent, launching)
    })?;
    act(&|kernel| life_cycle::clean_up_container(kernel, session, agent, id).map(|()| 0))?;
    Ok(status)
}

/// How a container is configured, with the volumes that it was given last, whether they are still mounted or not.
fn recorded(
    kernel: &dyn Kernel,
    session: &Session,
    agent: &Agent,
    id: &ContainerId,
) -> Result<ContainerConfig, Failure> {
    let isolator = Isolator::open(kernel, agent.config.clone(), session.users())?;
    let mut config = isolator.recorded_config(id)?;
    let layout = &isolator.config().layout;
    let volumes: Vec<PersistentVolume> = match record::read(kernel, layout, &layout.container_volumes(id)) {
        Err(RecordError::Call(error)) if error.errno == Errno::ENOENT => return Ok(config),
        volumes => volumes?,
    };
    config.resources.retain(|resource| !matches!(PersistentVolume::from_resource(resource, layout), Ok(Some(_))));
    config.resources.extend(volumes.iter().map(PersistentVolume::to_resource));
    Ok(config)
}

/// The containers that are nested in one, parents before those in them.
fn nested_in(
    kernel: &dyn Kernel,
    session: &Session,
    agent: &Agent,
    id: &ContainerId,
) -> Result<Vec<ContainerId>, Failure> {
    let isolator = Isolator::open(kernel, agent.config.clone(), session.users())?;
    let all = isolator.recorded_containers()?;
    Ok(all.into_iter().filter(|other| other.is_nested_in(id)).collect())
}

/// What an agent keeps in a mount namespace of its own no table tells: it makes that anew.
pub(super) fn renew_launch_namespace(session: &Session, agent: &Agent) -> Result<(), Failure> {
    let kernel = session.init();
    let layout = &agent.config.layout;
    let Ok(runtime_dir) = real_path(kernel, &layout.runtime_dir) else { return Ok(()) };
    let text = session.mountinfo();
    let table = Table::parse(&text)?;
    let within = table.at_or_below(&runtime_dir);
    let kept: Vec<_> = within.filter(|entry| entry.filesystem_type_raw() == b"nsfs").collect();
    for entry in &kept {
        let path = entry.mountpoint();
        kernel
            .umount2(&path, UmountFlags::MNT_DETACH)
            .map_err(|errno| CallError::new("detach the namespace on", &path, errno))?;
    }
    if kept.is_empty() {
        return Ok(());
    }
    let program = Program { is_there: false };
    session.act(&program, false, |kernel| {
        prepare_launches(kernel, &Layout { runtime_dir: runtime_dir.clone(), ..layout.clone() })?;
        Ok(0)
    })?;
    Ok(())
}
