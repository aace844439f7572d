//! The container's filesystem, made in its new mount namespace.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use super::masks::{self, Covers};
use super::mounts::{self, Copied};
use super::namespace::LaunchNamespace;
use super::outside::{self, Begun};
use super::shared::{self, is_shared};
use super::{no_namespaces, operations};
use crate::detached::attributes;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, CloneFlags, Descriptor, Errno, Fd, Kernel, MountAttr, MountFlags, UmountFlags};
use crate::messages::ContainerLaunchInfo;
use crate::path::Compared;
use crate::root::Root;

/// What there is by now: the root filesystem, the directories that are not trusted, and those that are mounted, each by its
/// descriptor.
///
/// A path is resolved below the innermost of them. So what is mounted, masked or made in /proc lands in the proc that was
/// mounted, whatever happens to the directory of that name in the image meanwhile.
pub(super) struct View<'k> {
    pub(super) kernel: &'k dyn Kernel,
    rootfs: Option<Compared<&'k UnixPath>>,
    /// The host's root, below which masks and operations are without a root filesystem.
    host: Option<Root<'k>>,
    directories: Vec<Directory<'k>>,
    /// Whether we are in the host's mount namespace, and not in a copy of it in which all mounts are slaves.
    is_of_host: bool,
    /// Whether there are bidirectional mounts, or will be.
    has_shared: bool,
    /// Where bidirectional mounts are by now.
    shared: Vec<UnixPathBuf>,
}

/// A directory that we hold, with its path.
struct Directory<'k> {
    path: Compared<UnixPathBuf>,
    root: Root<'k>,
}

impl<'k> Directory<'k> {
    fn new(root: Root<'k>) -> Self {
        Self { path: Compared::new(root.path().to_path_buf()), root }
    }
}

/// A path of the request.
pub(super) enum Place<'v, 'k> {
    /// A path below a directory that we hold, relative to it.
    Below(&'v Root<'k>, &'v UnixPath),
    /// A path of the host, which is trusted.
    Host,
}

impl<'k> View<'k> {
    fn new(kernel: &'k dyn Kernel, info: &'k ContainerLaunchInfo) -> Result<Self, LaunchError> {
        let rootfs = info.rootfs.as_ref().map(Bytes::as_path);
        let untrusted = info.untrusted_directories.iter().map(Bytes::as_path);
        let mut directories = Vec::new();
        for path in rootfs.into_iter().chain(untrusted) {
            // No path of the request would be found to be below another one.
            if !path.is_absolute() || Compared::new(path).has_parent() {
                return Err(LaunchError::UnclearDirectory(path.into()));
            }
            directories.push(Directory::new(Root::open(kernel, path)?));
        }
        let host = match rootfs {
            Some(_) => None,
            None => Some(Root::open(kernel, UnixPath::new("/"))?),
        };
        let rootfs = rootfs.map(Compared::new);
        let has_shared = info.mounts.iter().any(is_shared);
        Ok(Self { kernel, rootfs, host, directories, is_of_host: false, has_shared, shared: Vec::new() })
    }

    /// The same in the host's mount namespace.
    pub(super) fn of_host(kernel: &'k dyn Kernel, info: &'k ContainerLaunchInfo) -> Result<Self, LaunchError> {
        Ok(Self { is_of_host: true, ..Self::new(kernel, info)? })
    }

    /// From now on nothing of the host is in reach, and the root filesystem is to be mounted on this directory.
    pub(super) fn begin_at(&mut self, rootfs: Root<'k>) {
        self.directories = vec![Directory::new(rootfs)];
        self.is_of_host = false;
    }

    /// Where a path lies, by component.
    pub(super) fn place<'v>(&'v self, path: &'v UnixPath) -> Place<'v, 'k> {
        let path = Compared::new(path);
        let relative = |directory: &'v Directory<'k>| {
            path.below(directory.path.borrowed()).map(|relative| Place::Below(&directory.root, relative))
        };
        // Of two that it is below, the path below the inner one is the end of the other.
        let length = |place: &Place<'_, '_>| match place {
            Place::Below(_, relative) => relative.as_bytes().len(),
            Place::Host => usize::MAX,
        };
        self.directories.iter().filter_map(relative).min_by_key(length).unwrap_or(Place::Host)
    }

    /// The directory below which a path lies that is to be masked or changed, and the path relative to it. The path must be
    /// below the rootfs, which itself is not; without a rootfs it may be anywhere.
    pub(super) fn below<'v>(
        &'v self,
        action: &'static str,
        path: &'v UnixPath,
    ) -> Result<(&'v Root<'k>, &'v UnixPath), LaunchError> {
        self.stays_inside(action, path)?;
        let is_allowed = self
            .rootfs
            .is_none_or(|rootfs| Compared::new(path).below(rootfs).is_some_and(|below| !below.as_bytes().is_empty()));
        match (self.place(path), &self.host) {
            (Place::Below(root, relative), _) if is_allowed => return Ok((root, relative)),
            (Place::Host, Some(host)) => {
                if let Ok(relative) = path.strip_prefix("/") {
                    return Ok((host, relative));
                }
            }
            _ => {}
        }
        let rootfs = self.rootfs.map_or(UnixPath::new("/"), Compared::path).into();
        Err(LaunchError::OutsideRootfs { action, path: path.into(), rootfs })
    }

    /// Refuses what would be done to the host as well, because the path is in a bidirectional mount.
    pub(super) fn stays_inside(&self, action: &'static str, path: &UnixPath) -> Result<(), LaunchError> {
        if self.shared.is_empty() {
            return Ok(());
        }
        // Nothing of it is a symbolic link, so `..` is what it looks like.
        let normalized = path.normalize();
        match self.shared.iter().find(|shared| normalized.starts_with(shared)) {
            Some(shared) => {
                Err(LaunchError::ReachesHost { action, path: path.into(), shared: shared.as_path().into() })
            }
            None => Ok(()),
        }
    }

    /// Refuses what would move a bidirectional mount to another path, where it would not be known for one.
    pub(super) fn moves_no_shared(&self, action: &'static str, path: &UnixPath) -> Result<(), LaunchError> {
        if self.shared.is_empty() {
            return Ok(());
        }
        let normalized = path.normalize();
        match self.shared.iter().find(|shared| shared.starts_with(&normalized)) {
            Some(shared) => {
                Err(LaunchError::MovesShared { action, path: path.into(), shared: shared.as_path().into() })
            }
            None => Ok(()),
        }
    }

    /// Whether there are bidirectional mounts, or will be.
    pub(super) fn has_shared(&self) -> bool {
        self.has_shared
    }

    /// The attributes of a copy of a mount that mount(2) would make with these flags, from which nothing reaches the host.
    pub(super) fn attributes(&self, flags: MountFlags) -> MountAttr {
        let mut attr = attributes(flags);
        // The source may be in a bidirectional mount that is there by now.
        if self.is_of_host || self.has_shared {
            attr.propagation = MountFlags::MS_SLAVE;
        }
        attr
    }

    /// From now on, what is below `path` is in this mount; what was there before is hidden.
    pub(super) fn mounted(&mut self, mount: Descriptor<'k>, path: &UnixPath, is_directory: bool) {
        let hidden = Compared::new(path);
        self.directories.retain(|directory| directory.path.borrowed().below(hidden.borrowed()).is_none());
        self.shared.retain(|shared| !shared.starts_with(path));
        if is_directory {
            self.directories.push(Directory::new(Root::from_descriptor(self.kernel, mount, path.to_path_buf())));
        }
    }

    /// From now on, what is below `path` is in a bidirectional mount.
    pub(super) fn shared(&mut self, path: &UnixPath) {
        self.shared.push(path.normalize());
    }
}

/// Sets up the filesystem that the program will see: in a copy of the launch namespace if there is one, which is open; else in
/// the mount namespace that was made for the container.
pub(super) fn set_up(
    kernel: &dyn Kernel,
    info: &ContainerLaunchInfo,
    namespace: Option<&LaunchNamespace>,
) -> Result<(), LaunchError> {
    if !info.clone_flags().contains(CloneFlags::CLONE_NEWNS) {
        return Ok(());
    }
    if let Some(namespace) = namespace {
        if let Some(Begun { mut view, sources, covers, lock }) = outside::begin(kernel, info, namespace)? {
            make_mounts(&mut view, info, sources)?;
            drop(lock);
            return finish(view, info, covers);
        }
        kernel.unshare(CloneFlags::CLONE_NEWNS).map_err(no_namespaces)?;
    }
    let mut view = View::new(kernel, info)?;
    let shared = shared::copies(&view, &info.mounts)?;
    receive_but_do_not_send_mounts(kernel)?;
    make_mounts(&mut view, info, shared)?;
    finish(view, info, Covers::default())
}

fn make_mounts<'k>(
    view: &mut View<'k>,
    info: &ContainerLaunchInfo,
    sources: Vec<Option<Copied<'k>>>,
) -> Result<(), LaunchError> {
    info.mounts.iter().zip(sources).try_for_each(|(mount, source)| mounts::mount(view, mount, source))
}

fn finish<'k>(mut view: View<'k>, info: &ContainerLaunchInfo, covers: Covers<'k>) -> Result<(), LaunchError> {
    masks::mask(&view, &info.masked_paths, covers)?;
    for operation in &info.file_operations {
        operations::perform(&mut view, operation)?;
    }
    match view.rootfs {
        Some(rootfs) => switch_root(view.kernel, &view, rootfs.path()),
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
