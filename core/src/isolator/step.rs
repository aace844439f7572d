//! What `create` does to a host, one thing at a time.

use std::fmt;

use typed_path::UnixPath;

use super::CreateError;
use crate::detached::DetachedMount;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, Fd, Kernel, Mode, MountAttr, MountAttrFlags, MountFlags, OpenFlags};
use crate::root::{create_directories, open_path};

/// Something that `create` does to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes a directory.
    MakeDirectory(Bytes),
    /// Binds work_dir on itself, as a shared mount in a peer group of its own.
    BindShared(Bytes),
    /// Makes the mount that work_dir is a shared one in a peer group of its own.
    MakeShared(Bytes),
    /// Binds the directory of the volumes on itself.
    Bind(Bytes),
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
            Self::Bind(_) => "bind",
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
            | Self::Bind(path)
            | Self::BindWithDevices(path)
            | Self::AllowDevices(path)
            | Self::KeepNamespace(path) => path,
        }
    }

    /// The mount that is attached by it, if it binds a directory that is there.
    pub(super) fn copy<'k>(&self, kernel: &'k dyn Kernel) -> Result<Option<DetachedMount<'k>>, CreateError> {
        let attr = match self {
            Self::BindShared(_) | Self::Bind(_) => MountAttr::default(),
            Self::BindWithDevices(_) => devices_allowed(),
            _ => return Ok(None),
        };
        Ok(Some(copy(kernel, self.path().as_path(), &attr)?))
    }

    /// Does it, with the [`copy`](Self::copy) for it.
    pub(super) fn perform(&self, kernel: &dyn Kernel, copy: Option<DetachedMount<'_>>) -> Result<(), CreateError> {
        let path = self.path().as_path();
        if let Some(copy) = copy {
            let opened = open_path(kernel, path, OpenFlags::O_DIRECTORY).doing("open directory", path)?;
            copy.attach(opened.fd(), path)?;
        }
        match self {
            Self::MakeDirectory(_) => drop(create_directories(kernel, path, Mode(0o755))?),
            // Below a shared mount it is in a new peer group by now, with its copies in the namespaces that receive mounts from
            // here. They go with it only as long as they are in it.
            Self::BindShared(_) => propagate(kernel, path, MountFlags::MS_SHARED)?,
            // A new peer group.
            Self::MakeShared(_) => {
                propagate(kernel, path, MountFlags::MS_PRIVATE)?;
                propagate(kernel, path, MountFlags::MS_SHARED)?;
            }
            Self::AllowDevices(_) => kernel
                .mount_setattr(Fd::CWD, path, AtFlags::empty(), &devices_allowed())
                .doing("allow devices below", path)?,
            // The last one is for `prepare_launches` to do.
            Self::Bind(_) | Self::BindWithDevices(_) | Self::KeepNamespace(_) => {}
        }
        Ok(())
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
            Self::Bind(path) => write!(f, "bind {path} on itself"),
            Self::BindWithDevices(path) => write!(f, "bind {path} on itself, as a mount in which device nodes work"),
            Self::AllowDevices(path) => write!(f, "make device nodes work in the mount {path}"),
            Self::KeepNamespace(path) => write!(f, "keep a mount namespace in {path}, in which containers begin"),
        }
    }
}

fn devices_allowed() -> MountAttr {
    MountAttr { attr_clr: MountAttrFlags::MOUNT_ATTR_NODEV, ..MountAttr::default() }
}

/// A shared work_dir is in a peer group of its own: otherwise a container's namespace would hold copies of the mounts below it
/// that no unmount on the host reaches; or, if a mount above were in the same group, our mounts would appear there as well.
fn propagate(kernel: &dyn Kernel, directory: &UnixPath, propagation: MountFlags) -> Result<(), CallError> {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    kernel.mount_setattr(Fd::CWD, directory, AtFlags::empty(), &attr).doing("make a shared mount of", directory)
}

/// A copy of a directory, with these attributes on the copy's own mount alone, and with all that is mounted below it:
/// otherwise that would be hidden.
fn copy<'k>(kernel: &'k dyn Kernel, directory: &UnixPath, attr: &MountAttr) -> Result<DetachedMount<'k>, CallError> {
    let opened = open_path(kernel, directory, OpenFlags::O_DIRECTORY).doing("open directory", directory)?;
    let mount = DetachedMount::copy_of(kernel, opened.fd(), directory, true, &MountAttr::default())?;
    // As a member of the group of the mount that it is a copy of, it would be walked by every event there.
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..*attr };
    mount.set_attributes(&private, directory, false)?;
    Ok(mount)
}
