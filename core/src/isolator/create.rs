//! Making a host ready for containers.

use std::collections::{BTreeMap, BTreeSet};

use typed_path::{UnixPath, UnixPathBuf};

use super::{CreateError, Isolator, IsolatorError};
use crate::agent::AgentConfig;
use crate::detached::DetachedMount;
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Capabilities, Descriptor, Errno, Fd, FsopenFlags, Kernel, Mode, MountAttr, MountAttrFlags, MountFlags,
    OpenFlags,
};
use crate::launch;
use crate::layout::Layout;
use crate::locks::lock_directories;
use crate::metrics::Counters;
use crate::mountinfo::{Entry, Table};
use crate::root::{create_directories, open_path, real_path};
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
    /// - `<runtime_dir>/containers` becomes a mount in which device nodes work.
    ///
    /// Both are mounts of their own also where they need not be: the kernel looks at all that is mounted on a mount whenever
    /// that is copied, and a host may have mounted much on the one that they are in.
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
        launch::namespace::make(&self.kernel, &self.config.layout)
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
            counters: Counters::default(),
        }
    }
}

/// Two agents, or two commands, that start at once would each bind the directories.
fn prepare_directories(kernel: &dyn Kernel, layout: &Layout) -> Result<(), CreateError> {
    if Directories::look(kernel, layout)?.are_prepared() {
        return Ok(());
    }
    let _locks = lock_directories(kernel, layout)?;
    let found = Directories::look(kernel, layout)?;
    let containers = layout.containers_runtime();
    // What can't be bound is an error before anything is changed.
    let devices = match found.containers {
        Devices::ToBeBound => Some(copy(kernel, &containers, &devices_allowed())?),
        Devices::Allowed | Devices::ToBeAllowed => None,
    };
    share_mount(kernel, &layout.work_dir, found.work_dir)?;
    allow_devices(kernel, &containers, found.containers, devices)
}

/// How often a table that does not show what was mounted meanwhile is read.
const ATTEMPTS: usize = 4;

/// How an agent's directories are mounted.
struct Directories {
    work_dir: Sharing,
    containers: Devices,
}

/// How a directory is shared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// It is a shared mount, and no other one of its peer group is on the way to it.
    Alone,
    /// It is a mountpoint.
    Otherwise,
    /// It is no mountpoint.
    ToBeBound,
}

/// Whether device nodes can be opened in a directory. Some distributions mount /run with `nodev`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Devices {
    /// It is a mountpoint, and they can.
    Allowed,
    /// It is a mountpoint.
    ToBeAllowed,
    /// It is no mountpoint.
    ToBeBound,
}

impl Directories {
    /// Both, before anything is changed: one that can't be found is an error.
    fn look(kernel: &dyn Kernel, layout: &Layout) -> Result<Self, CreateError> {
        for _ in 1..ATTEMPTS {
            match Self::look_once(kernel, layout) {
                // Somebody has bound it since the table was read.
                Err(CreateError::MountNotFound(_)) => {}
                found => return found,
            }
        }
        Self::look_once(kernel, layout)
    }

    fn look_once(kernel: &dyn Kernel, layout: &Layout) -> Result<Self, CreateError> {
        let text = table::read(kernel)?;
        let table = Table::parse(&text)?;
        let (work_dir, containers) = (&layout.work_dir, layout.containers_runtime());
        let (around, runtime) = (containing(kernel, &table, work_dir)?, containing(kernel, &table, &containers)?);
        let work_dir = match *around.mountpoint() == **work_dir {
            true if is_shared_alone(&table, around, work_dir) => Sharing::Alone,
            true => Sharing::Otherwise,
            false => Sharing::ToBeBound,
        };
        let containers = match *runtime.mountpoint() == *containers {
            true if allows_devices(runtime) => Devices::Allowed,
            true => Devices::ToBeAllowed,
            false => Devices::ToBeBound,
        };
        Ok(Self { work_dir, containers })
    }

    fn are_prepared(&self) -> bool {
        self.work_dir == Sharing::Alone && self.containers == Devices::Allowed
    }
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

/// Makes a directory a shared mount in a peer group of its own.
///
/// Otherwise a container's namespace would hold copies of the mounts below it that no unmount on the host reaches; or,
/// if a mount above were in the same group, our mounts would appear there as well.
fn share_mount(kernel: &dyn Kernel, directory: &UnixPath, found: Sharing) -> Result<(), CreateError> {
    let propagations = match found {
        Sharing::Alone => return Ok(()),
        // A new peer group.
        Sharing::Otherwise => &[MountFlags::MS_PRIVATE, MountFlags::MS_SHARED][..],
        Sharing::ToBeBound => {
            attach(kernel, directory, copy(kernel, directory, &MountAttr::default())?)?;
            // Below a shared mount it is in a new peer group by now, with its copies in the namespaces that receive mounts from
            // here. They go with it only as long as they are in it.
            &[MountFlags::MS_SHARED][..]
        }
    };
    for propagation in propagations {
        let attr = MountAttr { propagation: *propagation, ..MountAttr::default() };
        kernel.mount_setattr(Fd::CWD, directory, AtFlags::empty(), &attr).doing("make a shared mount of", directory)?;
    }
    Ok(())
}

/// Whether a mount that a directory is in is shared, and no other one of its peer group is on the way to the directory.
pub(super) fn is_shared_alone(table: &Table<'_>, mount: &Entry<'_>, directory: &UnixPath) -> bool {
    mount.peer_group().is_some_and(|group| {
        table.peers(group).all(|peer| peer.id() == mount.id() || !is_above(&peer.mountpoint(), directory))
    })
}

/// Whether device nodes can be opened in a mount.
pub(super) fn allows_devices(mount: &Entry<'_>) -> bool {
    !mount.has_mount_option(b"nodev")
}

/// Whether a mount at `mountpoint` is on the way to `directory`, by component.
fn is_above(mountpoint: &UnixPath, directory: &UnixPath) -> bool {
    mountpoint != directory && directory.starts_with(mountpoint)
}

pub(super) fn devices_allowed() -> MountAttr {
    MountAttr { attr_clr: MountAttrFlags::MOUNT_ATTR_NODEV, ..MountAttr::default() }
}

/// Makes a directory one below which device nodes can be opened, with the copy if there is one.
fn allow_devices(
    kernel: &dyn Kernel,
    directory: &UnixPath,
    found: Devices,
    copy: Option<DetachedMount<'_>>,
) -> Result<(), CreateError> {
    if let Some(copy) = copy {
        attach(kernel, directory, copy)?;
    } else if found == Devices::ToBeAllowed {
        kernel
            .mount_setattr(Fd::CWD, directory, AtFlags::empty(), &devices_allowed())
            .doing("allow devices below", directory)?;
    }
    Ok(())
}

/// A copy of a directory, with these attributes on the copy's own mount alone, and with all that is mounted below it:
/// otherwise that would be hidden.
pub(super) fn copy<'k>(
    kernel: &'k dyn Kernel,
    directory: &UnixPath,
    attr: &MountAttr,
) -> Result<DetachedMount<'k>, CallError> {
    let opened = open_path(kernel, directory, OpenFlags::O_DIRECTORY).doing("open directory", directory)?;
    let mount = DetachedMount::copy_of(kernel, opened.fd(), directory, true, &MountAttr::default())?;
    // As a member of the group of the mount that it is a copy of, it would be walked by every event there.
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..*attr };
    mount.set_attributes(&private, directory, false)?;
    Ok(mount)
}

fn attach(kernel: &dyn Kernel, directory: &UnixPath, mount: DetachedMount<'_>) -> Result<(), CallError> {
    let opened = open_path(kernel, directory, OpenFlags::O_DIRECTORY).doing("open directory", directory)?;
    mount.attach(opened.fd(), directory)?;
    Ok(())
}

/// The mount that a directory is in, by its id.
pub(super) fn containing<'t>(
    kernel: &dyn Kernel,
    table: &'t Table<'_>,
    directory: &UnixPath,
) -> Result<&'t Entry<'t>, CreateError> {
    let id = kernel.statx(Fd::CWD, directory, AtFlags::empty()).doing("look at", directory)?.mount_id;
    u32::try_from(id).ok().and_then(|id| table.by_id(id)).ok_or_else(|| CreateError::MountNotFound(directory.into()))
}
