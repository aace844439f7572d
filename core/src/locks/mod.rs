//! Locks between the processes that act on the directories of an agent.
//!
//! All are flock(2): a process that dies lets go of them. They are on files that root alone can open: who can open one can
//! lock it. Directories, which others may open, are locked only while they are made an agent's. In this order:
//!
//! 1. [`AgentLock`]: who is the agent of work_dir and runtime_dir. An agent that embeds the isolator has it alone, as long as it
//!    runs; commands share it among themselves.
//! 2. [`CommandLock`]: recovery goes on while no other command does.
//! 3. [`ContainerLock`]: one command at a time for a container and all that are nested in it.
//!
//! [`RunningLock`] is none of these: who has it runs a container.

mod agent;

use typed_path::UnixPath;

pub use agent::AgentLock;

use crate::checkpoint;
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, Errno, Fd, FlockOperation, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags,
};
use crate::layout::Layout;
use crate::messages::ContainerId;
use crate::root::{create_directories, stat};

/// How often a lock file is made anew whose directory others remove meanwhile.
const ATTEMPTS: usize = 128;

/// A lock could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Another agent has the directories.
    #[error("another agent is using {0}; stop it first, or use other directories")]
    AgentRunning(Bytes),
    /// A directory belongs to an agent with another one.
    #[error(
        "{directory} belongs to an agent whose {other} is {theirs}, and which has containers; use both directories of that \
         agent, or clean its containers up first"
    )]
    OtherAgent {
        /// The directory.
        directory: Bytes,
        /// The name of the other directory.
        other: &'static str,
        /// The one of that agent.
        theirs: Bytes,
    },
}

/// Keeps recovery and other commands apart.
#[derive(Debug)]
pub struct CommandLock<'k> {
    _locked: Descriptor<'k>,
}

impl<'k> CommandLock<'k> {
    /// For a command that acts on containers whose lock it takes. Waits for a recovery to end.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and flock(2).
    pub fn shared(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Self, LockError> {
        Self::take(kernel, layout, FlockOperation::LOCK_SH)
    }

    /// For recovery. Waits for all other commands to end.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and flock(2).
    pub fn exclusive(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Self, LockError> {
        Self::take(kernel, layout, FlockOperation::LOCK_EX)
    }

    fn take(kernel: &'k dyn Kernel, layout: &Layout, operation: FlockOperation) -> Result<Self, LockError> {
        create_directories(kernel, &layout.runtime_dir, Mode(0o755))?;
        Ok(Self { _locked: lock_file(kernel, &layout.command_lock(), operation)? })
    }
}

/// One command at a time for a container and all that are nested in it.
///
/// Dropped, it is let go of. Of a container that is not there, or not any more, no lock file is left.
///
/// ```
/// use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel, Mode};
/// use cofferdam::layout::Layout;
/// use cofferdam::locks::ContainerLock;
/// use cofferdam::messages::ContainerId;
/// use cofferdam::root::create_directories;
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
/// let id = ContainerId::new("c1")?;
/// let look = || kernel.statx(Fd::CWD, &layout.container_lock(&id), AtFlags::empty()).map(|stat| stat.mode);
///
/// let lock = ContainerLock::take(&kernel, &layout, &id.child("nested")?)?;
/// assert_eq!(look(), Ok(Mode(0o600)));
/// drop(lock);
/// assert_eq!(look(), Err(Errno::ENOENT), "there is no container c1");
///
/// create_directories(&kernel, &layout.container_runtime(&id), Mode(0o755))?;
/// drop(ContainerLock::take(&kernel, &layout, &id)?);
/// assert_eq!(look(), Ok(Mode(0o600)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ContainerLock<'k> {
    kernel: &'k dyn Kernel,
    layout: Layout,
    top_level: ContainerId,
    _locked: Descriptor<'k>,
}

impl<'k> ContainerLock<'k> {
    /// Waits for the lock of the top-level container that this one is, or is nested in.
    ///
    /// # Errors
    ///
    /// Those of mkdirat(2), openat2(2) and flock(2).
    pub fn take(kernel: &'k dyn Kernel, layout: &Layout, id: &ContainerId) -> Result<Self, LockError> {
        let file = layout.container_lock(id);
        let mut attempts = 0;
        loop {
            attempts += 1;
            create_directories(kernel, &layout.locks(), Mode(0o755))?;
            let opened = match open(kernel, &file, OpenFlags::O_CREAT) {
                // Whoever had the last lock has removed the directory.
                Err(Errno::ENOENT) if attempts < ATTEMPTS => continue,
                opened => opened.doing("open lock file", &file)?,
            };
            flock(kernel, opened.fd(), FlockOperation::LOCK_EX).doing("lock", &file)?;
            // Whoever had it may have removed the file, as the container is gone.
            if is_still(kernel, opened.fd(), &file)? {
                let (layout, top_level) = (layout.clone(), id.top_level().clone());
                return Ok(Self { kernel, layout, top_level, _locked: opened });
            }
        }
    }

    /// The top-level containers that there are lock files of.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and getdents64(2).
    pub fn names(kernel: &dyn Kernel, layout: &Layout) -> Result<Vec<ContainerId>, LockError> {
        let entries = match checkpoint::list(kernel, &layout.locks()) {
            Err(error) if error.errno == Errno::ENOENT => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.into_iter().filter_map(|entry| String::from_utf8(entry.name.0).ok());
        Ok(names.filter_map(|name| ContainerId::new(name).ok()).collect())
    }

    /// Removes the lock file if the container is not there, and the directory if that was the last one.
    fn remove_unused(&self) -> Result<(), CallError> {
        let runtime = self.layout.container_runtime(&self.top_level);
        match self.kernel.statx(Fd::CWD, &runtime, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => {}
            there => return there.doing("look at", &runtime).map(drop),
        }
        let (file, directory) = (self.layout.container_lock(&self.top_level), self.layout.locks());
        match self.kernel.unlinkat(Fd::CWD, &file, AtFlags::empty()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(CallError::new("remove lock file", &file, errno)),
        }
        match self.kernel.unlinkat(Fd::CWD, &directory, AtFlags::AT_REMOVEDIR) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
            Err(errno) => Err(CallError::new("remove directory", &directory, errno)),
        }
    }
}

impl Drop for ContainerLock<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove_unused() {
            // It does no harm, and recovery removes it.
            tracing::warn!(%error, "a lock file is left");
        }
    }
}

fn is_still(kernel: &dyn Kernel, opened: Fd, file: &UnixPath) -> Result<bool, LockError> {
    let ours = stat(kernel, opened).doing("look at", file)?;
    match kernel.statx(Fd::CWD, file, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(there) => Ok((there.device, there.inode) == (ours.device, ours.inode)),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(CallError::new("look at", file, errno).into()),
    }
}

/// Held by the process that runs a container, as long as that runs.
///
/// ```
/// # use cofferdam::kernel::Mode;
/// # use cofferdam::layout::Layout;
/// # use cofferdam::locks::{ContainerLock, RunningLock};
/// # use cofferdam::messages::ContainerId;
/// # use cofferdam::root::create_directories;
/// # use cofferdam_vfs_sim::{Process, sample};
/// # let kernel = Process::init(sample::host());
/// # let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
/// # let id = ContainerId::new("c1")?;
/// # create_directories(&kernel, &layout.container_runtime(&id), Mode(0o755))?;
/// let _lock = ContainerLock::take(&kernel, &layout, &id)?;
/// let running = RunningLock::take(&kernel, &layout, &id)?;
/// assert!(running.is_some() && RunningLock::is_taken(&kernel, &layout, &id)?);
/// assert!(RunningLock::take(&kernel, &layout, &id)?.is_none(), "it runs already");
/// drop(running);
/// assert!(!RunningLock::is_taken(&kernel, &layout, &id)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunningLock<'k> {
    _locked: Descriptor<'k>,
}

impl<'k> RunningLock<'k> {
    /// Takes the lock in the runtime directory of a container; `None` if it runs already. The caller has its
    /// [`ContainerLock`], so that nobody else can take this one meanwhile.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and flock(2).
    pub fn take(kernel: &'k dyn Kernel, layout: &Layout, id: &ContainerId) -> Result<Option<Self>, LockError> {
        let file = layout.running_lock(id);
        let opened = open(kernel, &file, OpenFlags::O_CREAT).doing("open lock file", &file)?;
        let try_to = |operation| match flock(kernel, opened.fd(), operation | FlockOperation::LOCK_NB) {
            Err(Errno::EAGAIN) => Ok(false),
            locked => locked.doing("lock", &file).map(|()| true),
        };
        if !try_to(FlockOperation::LOCK_EX)? {
            if !try_to(FlockOperation::LOCK_SH)? {
                return Ok(None);
            }
            // Who looks whether the container runs shares the lock for a moment. That is waited for.
            flock(kernel, opened.fd(), FlockOperation::LOCK_EX).doing("lock", &file)?;
        }
        Ok(Some(Self { _locked: opened }))
    }

    /// Whether somebody has the lock: the container runs.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and flock(2).
    pub fn is_taken(kernel: &dyn Kernel, layout: &Layout, id: &ContainerId) -> Result<bool, LockError> {
        let file = layout.running_lock(id);
        let opened = match open(kernel, &file, OpenFlags::empty()) {
            Err(Errno::ENOENT) => return Ok(false),
            opened => opened.doing("open lock file", &file)?,
        };
        match flock(kernel, opened.fd(), FlockOperation::LOCK_SH | FlockOperation::LOCK_NB) {
            Err(Errno::EAGAIN) => Ok(true),
            locked => Ok(locked.doing("lock", &file).map(|()| false)?),
        }
    }
}

/// Holds the lock of a file, which is made if it is not there, while the descriptor lives; waits for whoever else has it.
pub(crate) fn lock_file<'k>(
    kernel: &'k dyn Kernel,
    file: &UnixPath,
    operation: FlockOperation,
) -> Result<Descriptor<'k>, CallError> {
    let opened = open(kernel, file, OpenFlags::O_CREAT).doing("open lock file", file)?;
    locked(kernel, opened, file, operation)
}

/// The same of a file that must be there.
pub(crate) fn lock_existing<'k>(
    kernel: &'k dyn Kernel,
    file: &UnixPath,
    operation: FlockOperation,
) -> Result<Descriptor<'k>, CallError> {
    let opened = open(kernel, file, OpenFlags::empty()).doing("open lock file", file)?;
    locked(kernel, opened, file, operation)
}

/// Holds the exclusive lock of a directory while the descriptor lives; waits for whoever else has it.
pub(crate) fn lock<'k>(kernel: &'k dyn Kernel, directory: &UnixPath) -> Result<Descriptor<'k>, CallError> {
    let opened = open(kernel, directory, OpenFlags::O_DIRECTORY).doing("open directory", directory)?;
    locked(kernel, opened, directory, FlockOperation::LOCK_EX)
}

fn locked<'k>(
    kernel: &dyn Kernel,
    opened: Descriptor<'k>,
    path: &UnixPath,
    operation: FlockOperation,
) -> Result<Descriptor<'k>, CallError> {
    flock(kernel, opened.fd(), operation).doing("lock", path)?;
    Ok(opened)
}

/// The same of work_dir and runtime_dir, given by their real paths.
pub(crate) fn lock_directories<'k>(kernel: &'k dyn Kernel, layout: &Layout) -> Result<[Descriptor<'k>; 2], CallError> {
    check_distinct(kernel, layout)?;
    Ok([lock(kernel, &layout.work_dir)?, lock(kernel, &layout.runtime_dir)?])
}

/// Checks that work_dir and runtime_dir, which are there, are two directories.
pub(crate) fn check_distinct(kernel: &dyn Kernel, layout: &Layout) -> Result<(), CallError> {
    let (work, runtime) = (&layout.work_dir, &layout.runtime_dir);
    let identity = |path: &UnixPath| {
        let stat = kernel.statx(Fd::CWD, path, AtFlags::empty()).doing("look at", path)?;
        Ok::<_, CallError>((stat.device, stat.inode))
    };
    if identity(work)? == identity(runtime)? {
        // We would wait for ourselves.
        let error = CallError::new("lock", runtime, Errno::EDEADLK);
        return Err(error.with_hint("work_dir and runtime_dir must be two directories"));
    }
    Ok(())
}

fn flock(kernel: &dyn Kernel, fd: Fd, operation: FlockOperation) -> Result<(), Errno> {
    loop {
        match kernel.flock(fd, operation) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

fn open<'k>(kernel: &'k dyn Kernel, path: &UnixPath, flags: OpenFlags) -> Result<Descriptor<'k>, Errno> {
    // Who may open a file may lock it, and keep us waiting.
    let mode = Mode(if flags.contains(OpenFlags::O_CREAT) { 0o600 } else { 0 });
    let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode, resolve: ResolveFlags::empty() };
    kernel.openat2(Fd::CWD, path, how).map(|fd| Descriptor::new(kernel, fd))
}
