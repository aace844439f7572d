//! Bidirectional mounts: `MS_BIND` with `MS_SHARED`.
//!
//! A copy of a mount is in the peer group of that mount. In the container's new namespace all mounts are in the peer groups
//! of the host's until they are made slaves; so the copies of what is to stay shared are taken before that, and attached in
//! their turn. (What the host mounts below such a source in between does not arrive: a mount that is attached nowhere
//! receives nothing. fs/pnode.c, propagate_one().)

use super::error::LaunchError;
use super::filesystem::View;
use super::mounts::{self, Copied};
use crate::detached::{DetachedMount, attributes};
use crate::error::{CallError, Doing};
use crate::kernel::{Errno, MountFlags};
use crate::messages::ContainerMountInfo;
use crate::root::stat;
use crate::table::unshared_mount;

/// Whether a mount of a request is bidirectional.
pub(super) fn is_shared(request: &ContainerMountInfo) -> bool {
    request.flags.contains(MountFlags::MS_BIND | MountFlags::MS_SHARED)
}

/// The copies for the bidirectional ones among the mounts, and `None` for each of the others.
pub(super) fn copies<'k>(
    view: &View<'k>,
    requests: &[ContainerMountInfo],
) -> Result<Vec<Option<Copied<'k>>>, LaunchError> {
    requests.iter().map(|request| is_shared(request).then(|| copy(view, request)).transpose()).collect()
}

fn copy<'k>(view: &View<'k>, request: &ContainerMountInfo) -> Result<Copied<'k>, LaunchError> {
    mounts::check(request)?;
    let (source, path) = mounts::open_source(view, request)?;
    let Some(source) = source else {
        return Err(CallError::new("open", path, Errno::ENOENT).into());
    };
    if let Some(mountpoint) = unshared_mount::<LaunchError>(view.kernel, source.fd(), path)? {
        return Err(LaunchError::NotShared { origin: path.into(), mountpoint: mountpoint.into() });
    }
    let file_type = stat(view.kernel, source.fd()).doing("look at", path)?.file_type;
    let recursive = request.flags.contains(MountFlags::MS_REC);
    let mount = DetachedMount::copy_of(view.kernel, source.fd(), path, recursive, &attributes(request.flags))?;
    Ok(Copied { mount, file_type })
}
