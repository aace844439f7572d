//! The life of the container, on the simulated host.

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{Kernel, UmountFlags};
use cofferdam::launch::prepare_launches;
use cofferdam::layout::Layout;
use cofferdam::mountinfo::Table;
use cofferdam::root::real_path;
use cofferdam_shell::Machine;
use cofferdam_vfs_sim::Process;

use super::wanted::Wanted;
use crate::agent::Agent;
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
        Wanted::Container { id, config } => {
            act(&|kernel| life_cycle::prepare_container(kernel, session, agent, id, config).map(|_| 0))?;
            let command = wanted.command();
            let status = act(&|kernel| {
                let launching = Launching { id, pid_file: None, trace: false, command: &command };
                life_cycle::launch_container(kernel, session, agent, launching)
            })?;
            act(&|kernel| life_cycle::clean_up_container(kernel, session, agent, id).map(|()| 0))?;
            Ok(status)
        }
    }
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
