//! The place in which sequences run on the real kernel: namespaces that nothing leads out of.

use std::os::fd::OwnedFd;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    CloneFlags, CloseRangeFlags, Errno, Fd, Kernel, OpenFlags, OpenHow, Pid, Rlimit, RlimitResource,
};
use cofferdam_linux::LinuxKernel;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{getegid, geteuid};

use super::run::Running;
use super::session::session;
use crate::control;
use crate::observation::Observation;
use crate::sequence::Plan;
use crate::universe::{self, CapabilitiesAtStart, PreparationError, Privileges, User};

/// Sequences can't be run on this machine, by this user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    /// Neither root nor a user namespace.
    #[error(
        "this needs root (CAP_SYS_ADMIN), or the right to make user namespaces (see user_namespaces(7)): \
         unshare(2) failed: {0}"
    )]
    NoNamespaces(Errno),
    /// A step on the way failed.
    #[error("{what} failed: {errno}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        errno: Errno,
    },
    /// The maps of the user namespace could not be written.
    #[error("cannot write the id maps of a user namespace: {0}")]
    Maps(#[from] std::io::Error),
    /// The namespace could not be emptied.
    #[error("cannot make an empty mount namespace: {0}")]
    Preparation(#[from] PreparationError),
    /// The universe could not be made.
    #[error("cannot make the directories that sequences start with: {0}")]
    Universe(PreparationError),
    /// What a session wrote makes no sense.
    #[error("a session broke off: {0}")]
    Broken(String),
}

pub(super) fn doing(what: &'static str) -> impl FnOnce(Errno) -> SandboxError {
    move |errno| SandboxError::Call { what, errno }
}

/// A process that has left the machine's mounts behind, and from which sessions are born.
#[derive(Debug)]
pub(crate) struct Sandbox {
    privileges: Privileges,
    user: User,
    capabilities: CapabilitiesAtStart,
}

impl Sandbox {
    /// Makes this process one. It must have no other thread.
    pub(crate) fn enter(wanted: Option<Privileges>) -> Result<Self, SandboxError> {
        let kernel = LinuxKernel;
        // The numbers of the machinery must be available, and a simulated process has this limit.
        let limit = Rlimit { soft: Some(1024), hard: Some(1024) };
        kernel.setrlimit(RlimitResource::RLIMIT_NOFILE, limit).map_err(doing("setrlimit"))?;
        // No message queue is simulated.
        setrlimit(Resource::RLIMIT_MSGQUEUE, 0, 0)
            .map_err(|errno| SandboxError::Call { what: "setrlimit", errno: Errno::from_raw(errno as i32) })?;
        let user = User { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        let privileges = unshare(wanted, user)?;
        universe::give_up_limits(&kernel).map_err(doing("giving up CAP_SYS_RESOURCE"))?;
        let how = OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_DIRECTORY, ..OpenHow::default() };
        let proc = kernel.openat2(Fd::CWD, UnixPath::new("/proc"), how).map_err(doing("opening /proc"))?;
        kernel.dup3(proc, control::PROC, OpenFlags::O_CLOEXEC).map_err(doing("dup3"))?;
        kernel.close(proc).map_err(doing("close"))?;
        universe::make(|call| call.apply(&kernel), &universe::empty_namespace(privileges))?;
        let capabilities = CapabilitiesAtStart::read(&kernel).map_err(doing("capget"))?;
        Ok(Self { privileges, user, capabilities })
    }

    /// Who has started it.
    pub(crate) fn user(&self) -> User {
        self.user
    }

    pub(crate) fn capabilities(&self) -> CapabilitiesAtStart {
        self.capabilities
    }

    pub(crate) fn privileges(&self) -> Privileges {
        self.privileges
    }

    /// Lets a session carry out a plan, in namespaces of its own.
    ///
    /// `reference` is what the other side saw, if it was first.
    pub(crate) fn start(&self, plan: &Plan, reference: &[Observation]) -> Result<Running, SandboxError> {
        let kernel = LinuxKernel;
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| SandboxError::Call { what: "pipe2", errno: Errno::from_raw(errno.raw_os_error()) })?;
        let pid = kernel
            .clone3(CloneFlags::CLONE_NEWPID, &mut |_| session(plan, self.privileges, reference, &write))
            .map_err(doing("clone3"))?;
        drop::<OwnedFd>(write);
        Ok(Running::new(pid, read))
    }
}

/// Namespaces of our own, in which we may do everything.
fn unshare(wanted: Option<Privileges>, user: User) -> Result<Privileges, SandboxError> {
    let kernel = LinuxKernel;
    if wanted != Some(Privileges::UserNamespace) {
        match kernel.unshare(CloneFlags::CLONE_NEWNS) {
            Ok(()) => return Ok(Privileges::Root),
            Err(errno) if wanted == Some(Privileges::Root) => return Err(SandboxError::NoNamespaces(errno)),
            Err(_) => {}
        }
    }
    let User { uid, gid } = user;
    kernel.unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(SandboxError::NoNamespaces)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(Privileges::UserNamespace)
}

/// Closes what a session is not to inherit.
pub(super) fn close_others(kernel: &dyn Kernel) -> Result<(), Errno> {
    let last = u32::try_from(control::FIRST - 1).map_err(|_| Errno::EINVAL)?;
    kernel.close_range(0, last, CloseRangeFlags::empty())
}

/// Kills a session with all its processes: it is the first process of its pid namespace.
pub(super) fn kill(pid: Pid) {
    // It may have ended by itself.
    let _ = LinuxKernel.kill(pid, cofferdam::kernel::Signal::KILL);
}
