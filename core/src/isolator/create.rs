//! Making a host ready for containers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use typed_path::{UnixPath, UnixPathBuf};

use super::directories::Directories;
use super::{CreateError, Isolator, IsolatorError, Step};
use crate::agent::AgentConfig;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Capabilities, Descriptor, Errno, Fd, FsopenFlags, Kernel, Mode};
use crate::launch;
use crate::layout::Layout;
use crate::locks::lock_directories;
use crate::metrics::Counters;
use crate::mountinfo::Table;
use crate::root::{create_directories, real_path};
use crate::table;
use crate::user::UserDatabase;
use crate::volumes::GidManager;

impl<K: Kernel> Isolator<K> {
    /// An isolator for directories that an agent has prepared, to look at what is there: nothing is checked or changed.
    ///
    /// # Errors
    ///
    /// If one of the directories does not exist.
    pub fn open(kernel: K, config: AgentConfig, users: Box<dyn UserDatabase>) -> Result<Self, IsolatorError> {
        let mut config = config;
        config.layout.work_dir = real_path(&kernel, &config.layout.work_dir)?;
        config.layout.runtime_dir = real_path(&kernel, &config.layout.runtime_dir)?;
        Ok(Self::new(kernel, config, users))
    }

    /// Checks that this process can isolate filesystems, and prepares the agent's directories:
    ///
    /// - work_dir becomes a shared mount in a peer group of its own, so that volumes that are mounted and unmounted below
    ///   it later arrive, and disappear, in containers;
    /// - `<work_dir>/volumes`, and `<runtime_dir>/containers`, in which device nodes work, become mounts as well. The kernel
    ///   looks at all that is mounted on a mount whenever that is copied: sandboxes shall not matter to volumes, nor what the
    ///   host has mounted to either.
    ///
    /// It can be repeated, also after a crash at any time.
    ///
    /// ```
    /// use cofferdam::agent::AgentConfig;
    /// use cofferdam::isolator::Isolator;
    /// use cofferdam::kernel::Mode;
    /// use cofferdam::layout::Layout;
    /// use cofferdam::root::create_directories;
    /// use cofferdam::user::NumericUsers;
    /// use cofferdam_vfs_sim::{Process, sample};
    ///
    /// let kernel = Process::init(sample::host());
    /// let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
    /// create_directories(&kernel, &layout.work_dir, Mode(0o755))?;
    /// let isolator = Isolator::create(&kernel, AgentConfig::new(layout), Box::new(NumericUsers))?;
    /// assert_eq!(isolator.containers().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`CreateError`].
    pub fn create(kernel: K, config: AgentConfig, users: Box<dyn UserDatabase>) -> Result<Self, CreateError> {
        let mut config = config;
        let work_dir = check_agent(&kernel, &config)?;
        let layout = &mut config.layout;
        layout.work_dir = work_dir;
        create_directories(&kernel, &layout.containers_runtime(), Mode(0o755))?;
        layout.runtime_dir = real_path(&kernel, &layout.runtime_dir)?;
        prepare_directories(&kernel, layout)?;
        Ok(Self::new(kernel, config, users))
    }

    /// Makes launches of containers with a root filesystem take the same time however many mounts this host has: keeps a
    /// mount namespace with next to nothing in it below `<runtime_dir>/launch`, in a copy of which they begin, instead of one of
    /// the host's. It is not made again if it is there. Without it everything works as well.
    ///
    /// It takes a child process: the calling process must be single-threaded, so that an agent does this before it starts
    /// threads, or has `cofferdam create` do it.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. It can be repeated.
    pub fn prepare_launches(&self) -> Result<(), CallError> {
        launch::prepare_launches(&self.kernel, &self.config.layout)
    }

    /// With directories that are there, and known by their real paths.
    fn new(kernel: K, config: AgentConfig, users: Box<dyn UserDatabase>) -> Self {
        let gids = config.volume_gid_range.map(|range| GidManager::new(&config.layout, range));
        Self {
            kernel,
            config,
            users,
            gids,
            containers: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            detached: VecDeque::new(),
            counters: Counters::default(),
        }
    }
}

/// Two agents, or two commands, that start at once would each bind the directories.
fn prepare_directories(kernel: &dyn Kernel, layout: &Layout) -> Result<(), CreateError> {
    if steps(kernel, layout)?.is_empty() {
        return Ok(());
    }
    let _locks = lock_directories(kernel, layout)?;
    let mut prepared = Vec::new();
    for step in steps(kernel, layout)? {
        match step {
            Step::MakeDirectory(_) => step.perform(kernel, None)?,
            // What can't be bound is an error before anything is mounted.
            _ => prepared.push((step.copy(kernel)?, step)),
        }
    }
    prepared.into_iter().try_for_each(|(copy, step)| step.perform(kernel, copy))
}

/// How often a table that does not show what was mounted meanwhile is read.
const ATTEMPTS: usize = 4;

/// What makes an agent's directories, which are there, what they are to be.
fn steps(kernel: &dyn Kernel, layout: &Layout) -> Result<Vec<Step>, CreateError> {
    let look = || {
        let text = table::read(kernel)?;
        let table = Table::parse(&text)?;
        let directories = Directories::there(kernel, &table, layout)?;
        Ok([directories.missing(), directories.steps(&table)].concat())
    };
    for _ in 1..ATTEMPTS {
        match look() {
            // Somebody has bound it since the table was read.
            Err(CreateError::MountNotFound(_)) => {}
            found => return found,
        }
    }
    look()
}

/// Checks what [`Isolator::create`] needs, and changes nothing: that this process may isolate filesystems, that the
/// configuration makes sense, and that work_dir is there. Gives the real path of work_dir.
///
/// It is for those that have something to do before that, such as taking an [`AgentLock`](crate::locks::AgentLock), for
/// which runtime_dir must be there as well.
///
/// ```
/// use cofferdam::agent::AgentConfig;
/// use cofferdam::isolator::{CreateError, check_agent};
/// use cofferdam::kernel::Mode;
/// use cofferdam::layout::Layout;
/// use cofferdam::root::create_directories;
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
/// let config = AgentConfig::new(layout);
/// assert_eq!(check_agent(&kernel, &config), Err(CreateError::MissingWorkDir("/var/lib/agent".into())));
/// create_directories(&kernel, &config.layout.work_dir, Mode(0o755))?;
/// assert_eq!(check_agent(&kernel, &config)?, config.layout.work_dir);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// See [`CreateError`].
pub fn check_agent(kernel: &dyn Kernel, config: &AgentConfig) -> Result<UnixPathBuf, CreateError> {
    check_privileges(kernel)?;
    let Layout { work_dir, runtime_dir } = &config.layout;
    for (name, path) in [("work_dir", work_dir), ("runtime_dir", runtime_dir)] {
        if !path.is_absolute() {
            return Err(CreateError::RelativeDirectory { name, path: path.as_path().into() });
        }
    }
    config.check()?;
    real_path(kernel, work_dir).map_err(|error| match error.errno {
        Errno::ENOENT => CreateError::MissingWorkDir(work_dir.as_path().into()),
        _ => error.into(),
    })
}

/// Checks that this process may isolate filesystems.
///
/// # Errors
///
/// See [`CreateError`].
pub fn check_privileges(kernel: &dyn Kernel) -> Result<(), CreateError> {
    let process = UnixPath::new("/proc/self");
    let uid = kernel.geteuid().doing("find out the user of", process)?;
    if uid != 0 {
        return Err(CreateError::NotRoot(uid));
    }
    let capabilities = kernel.capget().doing("read the capabilities of", process)?;
    if !capabilities.effective.contains(Capabilities::CAP_SYS_ADMIN) {
        return Err(CreateError::NotCapable);
    }
    if kernel.statx(Fd::CWD, UnixPath::new("/proc/self/ns/mnt"), AtFlags::empty()).is_err() {
        return Err(CreateError::NoMountNamespaces);
    }
    // The capability may be one of a user namespace that does not own the mount namespace. The kernel tells when asked for
    // any filesystem (fs/namespace.c, may_mount()). A copy of a mount would tell as well, but takes a lock of the whole machine
    // twice.
    match kernel.fsopen(b"tmpfs", FsopenFlags::FSOPEN_CLOEXEC) {
        Ok(context) => drop(Descriptor::new(kernel, context)),
        Err(Errno::EPERM) => return Err(CreateError::NotCapable),
        // Whatever else there is to say is said where it matters.
        Err(_) => {}
    }
    Ok(())
}
