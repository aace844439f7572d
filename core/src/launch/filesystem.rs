//! The container's filesystem, made in its new mount namespace.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::{masks, mounts, operations};
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, CloneFlags, Descriptor, Errno, Fd, Kernel, MountAttr, MountFlags, UmountFlags};
use crate::messages::ContainerLaunchInfo;
use crate::root::Root;

/// What there is by now: the root filesystem and the directories that are mounted, each by its descriptor.
///
/// A path is resolved below the innermost of them. So what is mounted, masked or made in /proc lands in the proc that was
/// mounted, whatever happens to the directory of that name in the image meanwhile.
pub(super) struct View<'k> {
    pub(super) kernel: &'k dyn Kernel,
    directories: Vec<Root<'k>>,
}

/// A path of the request.
pub(super) enum Place<'v, 'k> {
    /// A path below a directory that we hold, relative to it.
    Below(&'v Root<'k>, &'v UnixPath),
    /// A path of the host, which is trusted.
    Host,
}

impl<'k> View<'k> {
    fn new(kernel: &'k dyn Kernel, rootfs: Option<&UnixPath>) -> Result<Self, LaunchError> {
        let directories = match rootfs {
            Some(path) => vec![Root::open(kernel, path)?],
            None => Vec::new(),
        };
        Ok(Self { kernel, directories })
    }

    /// Where a path lies, by component.
    pub(super) fn place<'v>(&'v self, path: &'v UnixPath) -> Place<'v, 'k> {
        let below = |root: &'v Root<'k>| path.strip_prefix(root.path()).ok().map(|relative| (root, relative));
        match self.directories.iter().filter_map(below).min_by_key(|(_, relative)| relative.components().count()) {
            Some((root, relative)) => Place::Below(root, relative),
            None => Place::Host,
        }
    }

    /// The directory below which a path lies, and the path relative to it; without a rootfs the host's root. The rootfs
    /// itself is not below it.
    pub(super) fn below<'v>(
        &'v self,
        action: &'static str,
        path: &'v UnixPath,
        host: Option<&'v Root<'k>>,
    ) -> Result<(&'v Root<'k>, &'v UnixPath), LaunchError> {
        let rootfs = if host.is_none() { self.directories.first().map(Root::path) } else { None };
        match (self.place(path), host, path.strip_prefix("/")) {
            (Place::Below(root, relative), _, _) if rootfs != Some(path) => Ok((root, relative)),
            (Place::Host, Some(host), Ok(relative)) => Ok((host, relative)),
            _ => {
                let rootfs = rootfs.unwrap_or(UnixPath::new("/")).into();
                Err(LaunchError::OutsideRootfs { action, path: path.into(), rootfs })
            }
        }
    }

    /// From now on, what is below `path` is in this mount; what was there before is hidden.
    pub(super) fn mounted(&mut self, mount: Descriptor<'k>, path: &UnixPath) {
        self.directories.retain(|directory| !directory.path().starts_with(path));
        self.directories.push(Root::from_descriptor(self.kernel, mount, path.to_path_buf()));
    }
}

/// Sets up the filesystem that the program will see.
pub(super) fn set_up(kernel: &dyn Kernel, info: &ContainerLaunchInfo) -> Result<(), LaunchError> {
    if !info.clone_flags().contains(CloneFlags::CLONE_NEWNS) {
        return Ok(());
    }
    receive_but_do_not_send_mounts(kernel)?;
    let rootfs = info.rootfs.as_ref().map(Bytes::as_path);
    let mut view = View::new(kernel, rootfs)?;
    let host = match rootfs {
        Some(_) => None,
        None => Some(Root::open(kernel, UnixPath::new("/"))?),
    };
    for mount in &info.mounts {
        mounts::mount(&mut view, mount)?;
    }
    masks::mask(&view, host.as_ref(), &info.masked_paths)?;
    for operation in &info.file_operations {
        operations::perform(&mut view, host.as_ref(), operation)?;
    }
    match rootfs {
        Some(rootfs) => switch_root(kernel, &view, rootfs),
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
fn switch_root(kernel: &dyn Kernel, view: &View<'_>, rootfs: &UnixPath) -> Result<(), LaunchError> {
    let here = UnixPath::new(".");
    let Place::Below(root, _) = view.place(rootfs) else {
        return Err(CallError::new("find the mount of", rootfs, Errno::ENOENT).into());
    };
    kernel.fchdir(root.fd()).doing("change to directory", rootfs)?;
    kernel.pivot_root(here, here).doing("make the root of the container", rootfs).map_err(|error| {
        error.with_hint("pivot_root needs a rootfs that is a mount point: is it bound on itself first?")
    })?;
    kernel.umount2(here, UmountFlags::MNT_DETACH).doing("detach the host's root from", rootfs)?;
    let root = UnixPath::new("/");
    kernel.chdir(root).doing("change to directory", root)?;
    Ok(())
}
