//! What a container gets of the host, copied before it begins in a namespace that has nothing of it.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::filesystem::View;
use super::masks::{self, Covers};
use super::mounts::{self, Copied};
use super::namespace::{LaunchLock, LaunchNamespace};
use super::shared;
use crate::kernel::{Bytes, Errno, Kernel, MountFlags};
use crate::messages::{ContainerFileOperation, ContainerLaunchInfo, ContainerMountInfo};
use crate::path::Compared;

/// What a launch has in its copy of the launch namespace.
pub(super) struct Begun<'k> {
    pub(super) view: View<'k>,
    /// The copies for the mounts of the request; `None` for those that need nothing of the host.
    pub(super) sources: Vec<Option<Copied<'k>>>,
    pub(super) covers: Covers<'k>,
    /// Held until all of that is attached.
    pub(super) lock: LaunchLock<'k>,
}

/// Whether a request can be carried out with nothing of the host but copies of the sources of its mounts: all that it mounts,
/// masks or changes lies below the root filesystem, and that is mounted before all else.
pub(super) fn is_enough(info: &ContainerLaunchInfo) -> bool {
    let (Some(rootfs), Some(first)) = (&info.rootfs, info.mounts.first()) else { return false };
    let rootfs = Compared::new(rootfs.as_path());
    let is_inside = |path: &UnixPath| {
        let path = Compared::new(path);
        path.below(rootfs).is_some() && !path.has_parent()
    };
    is_of(first, rootfs)
        && info.mounts.iter().all(|mount| is_inside(mount.target.as_path()))
        && info.masked_paths.iter().all(|path| is_inside(path.as_path()))
        && info.file_operations.iter().all(|operation| paths_of(operation).all(is_inside))
}

/// Whether a mount is the one of the root filesystem on itself.
fn is_of(mount: &ContainerMountInfo, rootfs: Compared<&UnixPath>) -> bool {
    let is_rootfs =
        |path: &UnixPath| Compared::new(path).below(rootfs).is_some_and(|below| below.as_bytes().is_empty());
    is_rootfs(mount.target.as_path()) && mount.source.as_ref().is_some_and(|source| is_rootfs(source.as_path()))
}

/// The paths of the host's filesystem that an operation has to do with.
fn paths_of(operation: &ContainerFileOperation) -> impl Iterator<Item = &UnixPath> {
    let symlink = operation.symlink.iter().map(|symlink| &symlink.target);
    let mkdir = operation.mkdir.iter().map(|mkdir| &mkdir.target);
    let rename = operation.rename.iter().flat_map(|rename| [&rename.source, &rename.target]);
    let mount = operation.mount.iter().flat_map(|mount| {
        let bound = mount.source.iter().filter(|_| mount.flags.contains(MountFlags::MS_BIND));
        bound.chain([&mount.target])
    });
    symlink.chain(mkdir).chain(rename).chain(mount).map(Bytes::as_path)
}

/// Copies what is needed, and goes on in a copy of the launch namespace. `None` if something can't be copied from here, or the
/// namespace not be entered; nothing has changed then.
///
/// An unbindable mount can't be copied; in a copy of the host's namespace that is made a slave of the host's, it can.
pub(super) fn begin<'k>(
    kernel: &'k dyn Kernel,
    info: &'k ContainerLaunchInfo,
    namespace: &LaunchNamespace,
) -> Result<Option<Begun<'k>>, LaunchError> {
    let Some(rootfs) = &info.rootfs else { return Ok(None) };
    let mut view = View::of_host(kernel, info)?;
    let mut sources = shared::copies(&view, &info.mounts)?;
    let lock = namespace.lock(kernel)?;
    let compared = Compared::new(rootfs.as_path());
    for (position, (request, source)) in info.mounts.iter().zip(&mut sources).enumerate() {
        if source.is_none() && is_outside(request, position, compared) {
            match mounts::bind(&view, request) {
                Err(LaunchError::Call(error)) if error.errno == Errno::EINVAL => return Ok(None),
                copied => *source = copied?,
            }
        }
    }
    let mut covers = Covers::default();
    if let Some(first) = info.masked_paths.first() {
        match masks::null_device(&view, first.as_path()) {
            Err(LaunchError::Call(error)) if error.errno == Errno::EINVAL => return Ok(None),
            null_device => covers.prepare(null_device),
        }
    }
    let Some(root) = namespace.enter(kernel, rootfs.as_path())? else { return Ok(None) };
    view.begin_at(root);
    Ok(Some(Begun { view, sources, covers, lock }))
}

/// Whether the source of a mount is the host's. What lies below the root filesystem is found there once that is mounted, as
/// the first of all.
fn is_outside(request: &ContainerMountInfo, position: usize, rootfs: Compared<&UnixPath>) -> bool {
    let is_inside = |source: &UnixPath| position > 0 && Compared::new(source).below(rootfs).is_some();
    request.flags.contains(MountFlags::MS_BIND)
        && request.source.as_ref().is_some_and(|source| !is_inside(source.as_path()))
}
