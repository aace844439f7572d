//! `cofferdam launch --id`: runs the program of a container that is prepared, and waits for it.

use cofferdam::checkpoint;
use cofferdam::error::CallError;
use cofferdam::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel, Pid};
use cofferdam::launch::{exit_status, supervise};
use cofferdam::layout::Layout;
use cofferdam::locks::{ContainerLock, RunningLock};
use cofferdam::messages::{CommandInfo, ContainerId, ContainerLaunchInfo};
use cofferdam::record::{self, RecordError};

use super::{LifeCycleError, Session, Sharing};
use crate::agent::Agent;
use crate::arguments::{LaunchArguments, LaunchContainer};
use crate::host::Host;
use crate::launcher::Launcher;
use crate::run::{self, Failure};

/// What is to be launched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launching<'a> {
    pub(crate) id: &'a ContainerId,
    /// Where else to write the number of the container's process.
    pub(crate) pid_file: Option<&'a Bytes>,
    pub(crate) trace: bool,
    /// The command, if it is not that of the configuration.
    pub(crate) command: &'a [Bytes],
}

impl<'a> Launching<'a> {
    pub(super) fn of(arguments: &'a LaunchContainer) -> Self {
        let LaunchContainer { container, pid_file, trace, command } = arguments;
        Self { id: &container.id, pid_file: pid_file.as_ref(), trace: *trace, command }
    }
}

/// Runs the program. Gives its exit status.
pub(crate) fn launch_container(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    launching: Launching<'_>,
) -> Result<i32, Failure> {
    let Launching { id, pid_file, trace, .. } = launching;
    let session = Session::begin(kernel, host, agent, Sharing::WithOthers)?;
    let layout = session.isolator.config().layout.clone();
    let lock = ContainerLock::take(kernel, &layout, id)?;
    let info = launch_info(kernel, &layout, launching)?;
    let parent = match id.parent() {
        Some(parent) => Some(process_of_parent(kernel, &layout, id, parent)?),
        None => None,
    };
    let runs_already = || LifeCycleError::RunsAlready(id.clone());
    if RunningLock::is_taken(kernel, &layout, id)? {
        return Err(runs_already().into());
    }
    let pid_files: Vec<_> = [Bytes::from(layout.container_pid(id))].into_iter().chain(pid_file.cloned()).collect();
    remove_stale(kernel, &pid_files)?;
    let running = RunningLock::take(kernel, &layout, id)?.ok_or_else(runs_already)?;
    let launcher = LaunchArguments {
        launch_info: layout.container_launching(id).into(),
        die_with_parent: None,
        parent: parent.map(|Pid(pid)| pid),
        pid_file: pid_files.clone(),
        trace,
        timings: None,
        begin: None,
        hold: None,
    };
    let (child, _) = Launcher::new(kernel, host, launcher, None)?.begin(&info)?;
    // From here on others may act on the container, and on the agent's directories.
    drop((lock, session));
    let status = supervise(kernel, child)?;
    remove_pid_files(kernel, &pid_files)?;
    drop(running);
    Ok(exit_status(status))
}

/// Removes what a launch that was killed has left: once this one is seen to run, a process that is read there is its own.
fn remove_stale(kernel: &dyn Kernel, pid_files: &[Bytes]) -> Result<(), CallError> {
    for file in pid_files {
        match kernel.statx(Fd::CWD, file.as_path(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            // A fifo keeps nothing, and somebody may be waiting for it.
            Ok(stat) if stat.file_type == FileType::Regular => remove_pid_files(kernel, std::slice::from_ref(file))?,
            _ => {}
        }
    }
    Ok(())
}

fn remove_pid_files(kernel: &dyn Kernel, files: &[Bytes]) -> Result<(), CallError> {
    for file in files {
        match kernel.unlinkat(Fd::CWD, file.as_path(), AtFlags::empty()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(CallError::new("remove the pid file", file.as_path(), errno)),
        }
    }
    Ok(())
}

/// What was prepared, with the command of the command line, if it has one.
fn launch_info(
    kernel: &dyn Kernel,
    layout: &Layout,
    Launching { id, command, .. }: Launching<'_>,
) -> Result<ContainerLaunchInfo, Failure> {
    let path = layout.container_launch_info(id);
    let mut info: ContainerLaunchInfo = match record::read(kernel, layout, &path) {
        Err(RecordError::Call(error)) if error.errno == Errno::ENOENT => {
            return Err(LifeCycleError::NotPrepared(id.clone()).into());
        }
        info => info?,
    };
    if !command.is_empty() {
        info.command = Some(CommandInfo::program(command.to_vec()));
    }
    if info.command.as_ref().is_none_or(|command| command.value.is_none()) {
        return Err(LifeCycleError::NoCommand(id.clone()).into());
    }
    let own = info.environment.take().map_or_else(Vec::new, |environment| environment.variables);
    info.environment = Some(run::environment(info.working_directory.as_ref(), own));
    Ok(info)
}

/// The process of the container that one is nested in, whose namespaces it joins, if it joins any.
fn process_of_parent(
    kernel: &dyn Kernel,
    layout: &Layout,
    id: &ContainerId,
    parent: &ContainerId,
) -> Result<Pid, Failure> {
    let runs = RunningLock::is_taken(kernel, layout, parent)?;
    match read_pid(kernel, layout, parent)? {
        Some(pid) if runs => Ok(Pid(pid)),
        _ => Err(LifeCycleError::ParentDoesNotRun { id: id.clone(), parent: parent.clone() }.into()),
    }
}

/// The process of a container, if it has got so far.
pub(crate) fn read_pid(kernel: &dyn Kernel, layout: &Layout, id: &ContainerId) -> Result<Option<i32>, Failure> {
    match checkpoint::read(kernel, &layout.container_pid(id)) {
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        text => Ok(std::str::from_utf8(&text?).ok().and_then(|text| text.trim().parse().ok())),
    }
}
