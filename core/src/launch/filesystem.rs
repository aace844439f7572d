//! The container's filesystem, made in its new mount namespace.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use super::{masks, mounts, operations};
use crate::error::Doing;
use crate::kernel::{AtFlags, CloneFlags, Descriptor, Errno, Fd, Kernel, MountAttr, MountFlags, UmountFlags};
use crate::messages::ContainerLaunchInfo;
use crate::root::Root;

/// Where paths of the request lie: below the root filesystem, once that is there, or in the host's.
pub(super) struct View<'k> {
    pub(super) kernel: &'k dyn Kernel,
    rootfs: Option<(UnixPathBuf, Root<'k>)>,
}

/// A path of the request.
pub(super) enum Place<'v, 'k> {
    /// The root filesystem itself.
    Rootfs,
    /// A path below the root filesystem, relative to it.
    Below(&'v Root<'k>, &'v UnixPath),
    /// A path of the host, which is trusted.
    Host,
}

impl<'k> View<'k> {
    fn new(kernel: &'k dyn Kernel, info: &ContainerLaunchInfo) -> Result<Self, LaunchError> {
        let rootfs = match &info.rootfs {
            Some(path) => Some((path.as_path().to_path_buf(), Root::open(kernel, path.as_path())?)),
            None => None,
        };
        Ok(Self { kernel, rootfs })
    }

    /// Where a path lies, by component.
    pub(super) fn place<'v>(&'v self, path: &'v UnixPath) -> Place<'v, 'k> {
        match &self.rootfs {
            None => Place::Host,
            Some((rootfs, root)) => match path.strip_prefix(rootfs) {
                Ok(relative) if relative.as_bytes().is_empty() => Place::Rootfs,
                Ok(relative) => Place::Below(root, relative),
                Err(_) => Place::Host,
            },
        }
    }

    /// The root below which a path lies, and the path relative to it. Without a rootfs that is the host's root.
    pub(super) fn below<'v>(
        &'v self,
        action: &'static str,
        path: &'v UnixPath,
        host: &'v Root<'k>,
    ) -> Result<(&'v Root<'k>, &'v UnixPath), LaunchError> {
        match (self.place(path), &self.rootfs) {
            (Place::Below(root, relative), _) => Ok((root, relative)),
            (Place::Host, None) => match path.strip_prefix("/") {
                Ok(relative) => Ok((host, relative)),
                Err(_) => Err(LaunchError::OutsideRootfs { action, path: path.into(), rootfs: "/".into() }),
            },
            (_, rootfs) => Err(LaunchError::OutsideRootfs {
                action,
                path: path.into(),
                rootfs: rootfs.as_ref().map_or_else(|| "/".into(), |(rootfs, _)| rootfs.as_path().into()),
            }),
        }
    }

    /// From now on the root filesystem is this mount of it.
    pub(super) fn set_rootfs(&mut self, mount: Descriptor<'k>) {
        if let Some((path, root)) = &mut self.rootfs {
            *root = Root::from_descriptor(self.kernel, mount, path.clone());
        }
    }
}

/// Sets up the filesystem that the program will see.
pub(super) fn set_up(kernel: &dyn Kernel, info: &ContainerLaunchInfo) -> Result<(), LaunchError> {
    if !info.clone_flags().contains(CloneFlags::CLONE_NEWNS) {
        return Ok(());
    }
    receive_but_do_not_send_mounts(kernel)?;
    let mut view = View::new(kernel, info)?;
    let host = Root::open(kernel, UnixPath::new("/"))?;
    for mount in &info.mounts {
        mounts::mount(&mut view, mount)?;
    }
    masks::mask(&view, &host, &info.masked_paths)?;
    for operation in &info.file_operations {
        operations::perform(&mut view, &host, operation)?;
    }
    drop(host);
    match view.rootfs {
        Some((_, root)) => switch_root(kernel, &root),
        None => Ok(()),
    }
}

/// Makes every mount a slave of the host's: what the host mounts arrives here, what we mount stays here.
fn receive_but_do_not_send_mounts(kernel: &dyn Kernel) -> Result<(), LaunchError> {
    let slave = MountAttr { propagation: MountFlags::MS_SLAVE, ..MountAttr::default() };
    let root = UnixPath::new("/");
    kernel
        .mount_setattr(Fd::CWD, root, AtFlags::AT_RECURSIVE, &slave)
        .doing("make slaves of all mounts below", root)
        .map_err(|error| match error.errno {
        Errno::EINVAL => error.with_hint("is the root directory here a mount point?"),
        _ => error,
    })?;
    Ok(())
}

/// Makes the rootfs the root of the mount namespace, and detaches all that was there before.
///
/// With both arguments ".", the old root is put on top of the new one, so that no directory in the rootfs is needed for
/// it (pivot_root(2), NOTES).
fn switch_root(kernel: &dyn Kernel, root: &Root<'_>) -> Result<(), LaunchError> {
    let here = UnixPath::new(".");
    kernel.fchdir(root.fd()).doing("change to directory", root.path())?;
    kernel.pivot_root(here, here).doing("make the root of the container", root.path()).map_err(|error| {
        error.with_hint("pivot_root needs a rootfs that is a mount point: is it bound on itself first?")
    })?;
    kernel.umount2(here, UmountFlags::MNT_DETACH).doing("detach the host's root from", root.path())?;
    let root = UnixPath::new("/");
    kernel.chdir(root).doing("change to directory", root)?;
    Ok(())
}
