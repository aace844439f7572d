//! The launcher: carries a [`ContainerLaunchInfo`] out in a process of its own, and becomes the program.
//!
//! [`launch`] reads from top to bottom as what happens, in this order:
//!
//! 1. `namespaces`: join and make the namespaces; with a pid namespace, our child is in it, and does the rest: as its init
//!    process, if it is a new one.
//! 2. `filesystem`: copy what is to stay shared (`shared`), mount, mask, perform the file operations, switch the root. A
//!    container with a root filesystem gets copies of what it is to see of the host (`outside`) in a mount namespace that was
//!    prepared for that (`namespace`); any other one, a copy of all, in which the mounts are slaves of the host's.
//! 3. `privileges` and `program`: limits, groups, user, capabilities; no descriptor but stdio; execve(2).
//!
//! `supervise` is what a process of ours does while the program runs: it passes signals on and reaps.

mod error;
mod executable;
mod filesystem;
mod join;
mod masks;
mod mounts;
pub(crate) mod namespace;
mod operations;
mod outside;
mod pid_file;
mod privileges;
mod program;
mod shared;
mod supervise;

use typed_path::{UnixPath, UnixPathBuf};

use join::Joined;
use namespace::LaunchNamespace;
use pid_file::PidFiles;

pub use error::LaunchError;
pub use executable::execute_again;
pub use namespace::prepare_launches;
pub use supervise::{block_signals, supervise, unblock_signals};

use crate::error::{CallError, Doing};
use crate::kernel::{
    Bytes, CloneFlags, Errno, Fd, Kernel, Mode, OpenFlags, Pid, Prctl, Signal, WaitOptions, WaitStatus,
};
use crate::messages::ContainerLaunchInfo;
use crate::user::Credentials;

/// What the launcher is to do, with what only its caller can know.
#[derive(Clone, Debug, Default)]
pub struct LaunchRequest {
    /// The decision of the isolator.
    pub info: ContainerLaunchInfo,
    /// What `info.user` stands for; without it the program keeps our user.
    pub credentials: Option<Credentials>,
    /// The process that made this one, if the container is to be killed when that dies.
    pub die_with_parent: Option<Pid>,
    /// The process, on the host, of the container that this one is nested in: its namespaces are those that
    /// `info.enter_namespaces` names.
    pub parent: Option<Pid>,
    /// Where to write the number, on the host, of the process that others can join the namespaces of, once they are
    /// complete.
    pub pid_files: Vec<UnixPathBuf>,
    /// Where to wait, once the numbers are written, for a byte before the program is executed: the reading end of a pipe. If
    /// it is closed instead, the program is not.
    pub hold: Option<Fd>,
}

/// Carries out the request: becomes the program, or waits for it where it runs in a pid namespace of its own.
///
/// The process must be single-threaded, and is of no other use afterwards: its namespaces, root and credentials have
/// changed. Errors are written to standard error.
///
/// Returns the exit status for the process: the program's, 128+n if signal n killed it, 125 if the launcher failed, 126
/// if the program can't be executed, 127 if there is none.
pub fn launch(kernel: &dyn Kernel, request: &LaunchRequest) -> i32 {
    reported(kernel, namespaces(kernel, request))
}

/// The exit status of the result of a process; an error is written to standard error.
fn reported(kernel: &dyn Kernel, result: Result<i32, LaunchError>) -> i32 {
    result.unwrap_or_else(|error| {
        let message = format!("cofferdam: {error}\n");
        // There is nowhere left to report that standard error is closed.
        let _ = kernel.write(Fd::STDERR, message.as_bytes());
        error.exit_status()
    })
}

/// The exit status by which a process tells how its child ended, as shells do.
pub fn exit_status(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(status) => status,
        WaitStatus::Signaled(Signal(signal)) | WaitStatus::Stopped(Signal(signal)) => 128 + signal,
        WaitStatus::Continued => 0,
    }
}

/// Makes the namespaces, and does the rest in them.
fn namespaces(kernel: &dyn Kernel, request: &LaunchRequest) -> Result<i32, LaunchError> {
    let info = &request.info;
    let mut flags = info.clone_flags();
    if !flags.contains(CloneFlags::CLONE_NEWNS) && needs_mount_namespace(info) {
        return Err(LaunchError::Refused(
            "mounts, masks, file operations and a rootfs need a mount namespace of the container's own, but \
             clone_namespaces has none (131072)",
        ));
    }
    // Mount points have the permissions that we say, and the program starts with what is usual.
    kernel.umask(Mode(0o022)).doing("set the umask of", UnixPath::new("the container"))?;
    // Our memory, descriptors and root are not for the container to see: it has our uid, and /proc.
    kernel.prctl(Prctl::SetDumpable(false)).doing("protect process", UnixPath::new("/proc/self"))?;
    if let Some(parent) = request.die_with_parent {
        die_with_parent(kernel, parent)?;
    }
    let namespace = launch_namespace(kernel, info)?;
    if namespace.is_some() {
        flags -= CloneFlags::CLONE_NEWNS;
    }
    let container = Container {
        request,
        joined: Joined::open(kernel, request)?,
        namespace,
        pid_files: PidFiles::create(kernel, &request.pid_files)?,
    };
    container.joined.enter_others(kernel)?;
    let has_own_pids = flags.contains(CloneFlags::CLONE_NEWPID);
    if !has_own_pids && !container.joined.has_pid_namespace() {
        let number = container.pid_files.own_number(kernel)?;
        kernel.unshare(flags).map_err(no_namespaces)?;
        container.complete(kernel, &number)?;
        return program::become_program(kernel, request, request.die_with_parent.is_some());
    }
    block_signals(kernel)?;
    if !container.joined.has_pid_namespace() {
        return container.init_and_wait(kernel, flags);
    }
    let alive = Alive::new(kernel)?;
    let made = if has_own_pids { CloneFlags::empty() } else { flags };
    let child = kernel
        .clone3(made, &mut |kernel| {
            let result = if has_own_pids {
                container.launcher_inside(kernel, &alive, flags)
            } else {
                container.member(kernel, &alive)
            };
            reported(kernel, result)
        })
        .map_err(no_namespaces)?;
    Ok(exit_status(supervise(kernel, child)?))
}

/// What the process that is to be the container's needs.
struct Container<'r> {
    request: &'r LaunchRequest,
    joined: Joined,
    namespace: Option<LaunchNamespace>,
    pid_files: PidFiles,
}

impl Container<'_> {
    /// Makes the namespaces with their init process, and waits for that.
    fn init_and_wait(&self, kernel: &dyn Kernel, flags: CloneFlags) -> Result<i32, LaunchError> {
        let alive = Alive::new(kernel)?;
        let child =
            kernel.clone3(flags, &mut |kernel| reported(kernel, self.init(kernel, &alive))).map_err(no_namespaces)?;
        Ok(exit_status(supervise(kernel, child)?))
    }

    /// The launcher once more, in the pid namespace of the parent container: only who is in it can make one inside of it
    /// (kernel/pid_namespace.c, copy_pid_ns()).
    fn launcher_inside(&self, kernel: &dyn Kernel, launcher: &Alive, flags: CloneFlags) -> Result<i32, LaunchError> {
        set_parent_death_signal(kernel)?;
        launcher.check(kernel)?;
        self.init_and_wait(kernel, flags)
    }

    /// The init process of the container's pid namespace. When it exits, the kernel kills all that is left in there.
    ///
    /// pid 1 of a pid namespace ignores signals that it has no handler for. The program shall not, so it is pid 2.
    fn init(&self, kernel: &dyn Kernel, launcher: &Alive) -> Result<i32, LaunchError> {
        self.begin(kernel, launcher)?;
        let program = kernel
            .clone3(program_flags(self.request), &mut |kernel| {
                reported(kernel, program::become_program(kernel, self.request, self.request.die_with_parent.is_some()))
            })
            .doing("make process for", UnixPath::new("the program"))?;
        program::close_descriptors(kernel)?;
        let status = supervise(kernel, program)?;
        // What the program left behind is killed by the kernel; what has ended already is reaped.
        while let Ok(Some(_)) = kernel.wait4(Pid(-1), WaitOptions::WNOHANG) {}
        Ok(exit_status(status))
    }

    /// The program in the pid namespace of the parent container, which has an init process.
    fn member(&self, kernel: &dyn Kernel, launcher: &Alive) -> Result<i32, LaunchError> {
        self.begin(kernel, launcher)?;
        program::become_program(kernel, self.request, true)
    }

    /// In the child: sets up all that is to be seen.
    fn begin(&self, kernel: &dyn Kernel, launcher: &Alive) -> Result<(), LaunchError> {
        // The namespace without the launcher would be one that nobody waits for.
        set_parent_death_signal(kernel)?;
        launcher.check(kernel)?;
        let number = self.pid_files.own_number(kernel)?;
        self.complete(kernel, &number)
    }

    fn complete(&self, kernel: &dyn Kernel, number: &Bytes) -> Result<(), LaunchError> {
        self.joined.enter_mount_namespace(kernel)?;
        filesystem::set_up(kernel, &self.request.info, self.namespace.as_ref())?;
        self.pid_files.write(kernel, number)?;
        match self.request.hold {
            Some(pipe) => wait_until_released(kernel, pipe),
            None => Ok(()),
        }
    }
}

fn wait_until_released(kernel: &dyn Kernel, pipe: Fd) -> Result<(), LaunchError> {
    loop {
        match kernel.read(pipe, 1) {
            Err(Errno::EINTR) => {}
            read => {
                let Bytes(read) = read.doing("wait at a pipe before", UnixPath::new("the program"))?;
                return if read.is_empty() { Err(LaunchError::NotReleased) } else { Ok(()) };
            }
        }
    }
}

/// How the program's process is made: without a copy of our memory, which is thrown away at execve(2), unless the process
/// becomes another user's before. That user's processes must not get at ours through it (vfork(2), "Caveats").
fn program_flags(request: &LaunchRequest) -> CloneFlags {
    match request.credentials {
        None => CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK,
        Some(_) => CloneFlags::empty(),
    }
}

fn no_namespaces(errno: Errno) -> CallError {
    let error = CallError::new("make the namespaces of", UnixPath::new("the container"), errno);
    match errno {
        Errno::EPERM => error.with_hint("this needs root, with CAP_SYS_ADMIN"),
        Errno::ENOSPC => error.with_hint("the limits in /proc/sys/user/max_*_namespaces are used up"),
        _ => error,
    }
}

/// The mount namespace in a copy of which the container is to begin, rather than in one of ours.
fn launch_namespace(kernel: &dyn Kernel, info: &ContainerLaunchInfo) -> Result<Option<LaunchNamespace>, CallError> {
    match &info.launch_directory {
        Some(directory) if info.clone_flags().contains(CloneFlags::CLONE_NEWNS) && outside::is_enough(info) => {
            LaunchNamespace::open(kernel, directory.as_path())
        }
        _ => Ok(None),
    }
}

fn needs_mount_namespace(info: &ContainerLaunchInfo) -> bool {
    info.rootfs.is_some()
        || !info.mounts.is_empty()
        || !info.masked_paths.is_empty()
        || !info.file_operations.is_empty()
}

/// Dies when the parent does, or at once if it has died before it could be said.
fn die_with_parent(kernel: &dyn Kernel, parent: Pid) -> Result<(), LaunchError> {
    set_parent_death_signal(kernel)?;
    match kernel.getppid().doing("find out the parent of", UnixPath::new("/proc/self"))? {
        found if found == parent => Ok(()),
        _ => Err(LaunchError::ParentDied),
    }
}

fn set_parent_death_signal(kernel: &dyn Kernel) -> Result<(), LaunchError> {
    kernel
        .prctl(Prctl::SetParentDeathSignal(Some(Signal::KILL)))
        .doing("tie to its parent the process", UnixPath::new("/proc/self"))?;
    Ok(())
}

/// Tells the init process whether the launcher lives, whose pid it can't see: a pipe that the launcher alone holds open.
struct Alive {
    read: Fd,
    write: Fd,
}

impl Alive {
    fn new(kernel: &dyn Kernel) -> Result<Self, LaunchError> {
        let (read, write) = kernel
            .pipe2(OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK)
            .doing("make a pipe for", UnixPath::new("the launcher"))?;
        Ok(Self { read, write })
    }

    /// In the child.
    fn check(&self, kernel: &dyn Kernel) -> Result<(), LaunchError> {
        kernel.close(self.write).doing("close a pipe of", UnixPath::new("the launcher"))?;
        match kernel.read(self.read, 1) {
            Err(Errno::EAGAIN) => Ok(()),
            _ => Err(LaunchError::ParentDied),
        }
    }
}
