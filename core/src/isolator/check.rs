//! What [`Isolator::create`](super::Isolator::create) would do to a host, without doing it.

use std::fmt;

use typed_path::{UnixPath, UnixPathBuf};

use super::CreateError;
use super::create::{allows_devices, check_agent, containing, copy, devices_allowed, is_shared_alone};
use crate::agent::AgentConfig;
use crate::error::CallError;
use crate::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel, MountAttr, Support};
use crate::launch;
use crate::layout::Layout;
use crate::locks::check_distinct;
use crate::mountinfo::{Entry, Table};
use crate::root::real_path;
use crate::table;

/// What [`check_host`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCheck {
    /// What the kernel can do.
    pub support: Support,
    /// The directories without symbolic links.
    pub layout: Layout,
    /// What `create` would do, in this order; nothing if all is ready.
    pub steps: Vec<Step>,
}

/// Something that `create` does to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes a directory.
    MakeDirectory(Bytes),
    /// Binds work_dir on itself, as a shared mount in a peer group of its own.
    BindShared(Bytes),
    /// Makes the mount that work_dir is a shared one in a peer group of its own.
    MakeShared(Bytes),
    /// Binds the directory of the devices on itself, as a mount in which device nodes work.
    BindWithDevices(Bytes),
    /// Makes device nodes work in the mount that the directory of the devices is.
    AllowDevices(Bytes),
    /// Keeps a mount namespace in a directory, in which containers with a root filesystem begin
    /// ([`Isolator::prepare_launches`](super::Isolator::prepare_launches)).
    KeepNamespace(Bytes),
}

impl Step {
    /// Its name, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MakeDirectory(_) => "make_directory",
            Self::BindShared(_) => "bind_shared",
            Self::MakeShared(_) => "make_shared",
            Self::BindWithDevices(_) => "bind_with_devices",
            Self::AllowDevices(_) => "allow_devices",
            Self::KeepNamespace(_) => "keep_namespace",
        }
    }

    /// Where it is done.
    pub fn path(&self) -> &Bytes {
        match self {
            Self::MakeDirectory(path)
            | Self::BindShared(path)
            | Self::MakeShared(path)
            | Self::BindWithDevices(path)
            | Self::AllowDevices(path)
            | Self::KeepNamespace(path) => path,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDirectory(path) => write!(f, "make the directory {path}"),
            Self::BindShared(path) => {
                write!(f, "bind {path} on itself, as a shared mount in a peer group of its own")
            }
            Self::MakeShared(path) => write!(f, "make a shared mount in a peer group of its own of {path}"),
            Self::BindWithDevices(path) => write!(f, "bind {path} on itself, as a mount in which device nodes work"),
            Self::AllowDevices(path) => write!(f, "make device nodes work in the mount {path}"),
            Self::KeepNamespace(path) => write!(f, "keep a mount namespace in {path}, in which containers begin"),
        }
    }
}

/// Checks all that [`Isolator::create`](super::Isolator::create) needs, and what
/// [`prepare_launches`](super::Isolator::prepare_launches) does, and changes nothing: what
/// [`check_agent`](super::check_agent) does, the kernel, and both directories. With `makes_work_dir`, a work_dir that is
/// missing is one to be made, as the command does with the default one.
///
/// ```
/// use cofferdam::agent::AgentConfig;
/// use cofferdam::isolator::{Step, check_host};
/// use cofferdam::layout::Layout;
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
/// let check = check_host(&kernel, &AgentConfig::new(layout), true)?;
/// assert_eq!(check.support.missing, []);
/// assert_eq!(
///     check.steps,
///     [
///         Step::MakeDirectory("/var/lib/agent".into()),
///         Step::MakeDirectory("/run/agent/containers".into()),
///         Step::BindShared("/var/lib/agent".into()),
///         Step::BindWithDevices("/run/agent/containers".into()),
///         Step::KeepNamespace("/run/agent/launch".into()),
///     ]
/// );
/// # Ok::<(), cofferdam::isolator::CreateError>(())
/// ```
///
/// # Errors
///
/// Those of `create`, as far as they can be foreseen; [`CreateError::Kernel`] for a kernel that lacks what is needed.
pub fn check_host(kernel: &dyn Kernel, config: &AgentConfig, makes_work_dir: bool) -> Result<HostCheck, CreateError> {
    match check_agent(kernel, config) {
        Err(CreateError::MissingWorkDir(_)) if makes_work_dir => {}
        checked => drop(checked?),
    }
    let support = Support::of(kernel).sufficient()?;
    let text = table::read(kernel)?;
    let table = Table::parse(&text)?;
    let work_dir = Place::find(kernel, &table, &config.layout.work_dir)?;
    let runtime_dir = Place::find(kernel, &table, &config.layout.runtime_dir)?;
    let containers = Place::find(kernel, &table, &config.layout.containers_runtime())?;
    let layout = Layout { work_dir: work_dir.path.clone(), runtime_dir: runtime_dir.path };
    let mut steps = Vec::new();
    for place in [&work_dir, &containers] {
        if !place.is_there {
            steps.push(Step::MakeDirectory(place.path.as_path().into()));
        }
    }
    let changes: Vec<_> =
        work_dir.share(kernel, &table)?.into_iter().chain(containers.allow_devices(kernel)?).collect();
    if !changes.is_empty() && work_dir.is_there && runtime_dir.is_there {
        check_distinct(kernel, &layout)?;
    }
    steps.extend(changes);
    let launches = layout.launch_directory();
    if !launch::namespace::is_kept(kernel, &launches)? {
        steps.push(Step::KeepNamespace(launches.into()));
    }
    Ok(HostCheck { support, layout, steps })
}

/// A directory that is there, or that is to be made.
struct Place<'t> {
    /// Without symbolic links.
    path: UnixPathBuf,
    is_there: bool,
    /// The mount that it is in, or will be.
    mount: &'t Entry<'t>,
}

impl<'t> Place<'t> {
    fn find(kernel: &dyn Kernel, table: &'t Table<'_>, path: &UnixPath) -> Result<Self, CreateError> {
        let failed = |errno| CallError::new("create directory", path, errno);
        let mut above = path.ancestors();
        let there = loop {
            let directory = above.next().ok_or_else(|| failed(Errno::ENOENT))?;
            match kernel.statx(Fd::CWD, directory, AtFlags::empty()) {
                Ok(stat) if stat.file_type == FileType::Directory => break directory,
                Ok(_) => return Err(failed(Errno::ENOTDIR).into()),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed(errno).into()),
            }
        };
        let real = real_path(kernel, there)?;
        let mount = containing(kernel, table, &real)?;
        let missing = path.strip_prefix(there).ok().filter(|missing| !missing.as_bytes().is_empty());
        match missing {
            None => Ok(Self { path: real, is_there: true, mount }),
            Some(_) if mount.has_mount_option(b"ro") || mount.has_super_option(b"ro") => {
                Err(failed(Errno::EROFS).into())
            }
            Some(missing) => Ok(Self { path: real.join(missing), is_there: false, mount }),
        }
    }

    fn is_mountpoint(&self) -> bool {
        self.is_there && *self.mount.mountpoint() == *self.path
    }

    /// What makes a work_dir of it.
    fn share(&self, kernel: &dyn Kernel, table: &Table<'_>) -> Result<Option<Step>, CreateError> {
        let path = Bytes::from(self.path.as_path());
        Ok(if !self.is_mountpoint() {
            self.try_to_copy(kernel, &MountAttr::default())?;
            Some(Step::BindShared(path))
        } else if is_shared_alone(table, self.mount, &self.path) {
            None
        } else {
            Some(Step::MakeShared(path))
        })
    }

    /// What makes it a directory for devices.
    fn allow_devices(&self, kernel: &dyn Kernel) -> Result<Option<Step>, CreateError> {
        let path = Bytes::from(self.path.as_path());
        Ok(if !self.is_mountpoint() {
            self.try_to_copy(kernel, &devices_allowed())?;
            Some(Step::BindWithDevices(path))
        } else if allows_devices(self.mount) {
            None
        } else {
            Some(Step::AllowDevices(path))
        })
    }

    /// A copy that is attached nowhere changes nothing.
    fn try_to_copy(&self, kernel: &dyn Kernel, attr: &MountAttr) -> Result<(), CreateError> {
        if self.is_there {
            copy(kernel, &self.path, attr)?;
        }
        Ok(())
    }
}
