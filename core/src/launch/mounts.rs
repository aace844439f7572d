//! The mounts of a launch.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use super::filesystem::{Place, View};
use super::shared::is_shared;
use crate::detached::DetachedMount;
use crate::error::Doing;
use crate::kernel::{Descriptor, Errno, FileType, MountFlags, OpenFlags};
use crate::messages::ContainerMountInfo;
use crate::root::{open_path, real_path_of, stat};

/// A mount that is ready to be attached, and what kind of file its root is.
pub(super) struct Copied<'k> {
    pub(super) mount: DetachedMount<'k>,
    pub(super) file_type: FileType,
}

/// Makes one mount, of the copy of its source that was taken before all else, if one was: for a bidirectional one there must be
/// one.
pub(super) fn mount<'k>(
    view: &mut View<'k>,
    request: &ContainerMountInfo,
    source: Option<Copied<'k>>,
) -> Result<(), LaunchError> {
    check(request)?;
    let target = request.target.as_path();
    view.stays_inside("mount on", target)?;
    let copied = match source {
        Some(copied) => copied,
        None if is_shared(request) => {
            return Err(invalid(request, "a file operation can't make a bidirectional mount (MS_SHARED)".into()));
        }
        None if request.flags.contains(MountFlags::MS_BIND) => match bind(view, request)? {
            Some(copied) => copied,
            None => return Ok(()),
        },
        None => Copied { mount: new_filesystem(view, request)?, file_type: FileType::Directory },
    };
    let real = attach(view, target, copied)?;
    if is_shared(request) {
        view.shared(target);
        view.shared(&real);
    }
    Ok(())
}

/// Checks what needs no look at the filesystem.
pub(super) fn check(request: &ContainerMountInfo) -> Result<(), LaunchError> {
    let propagation = MountFlags::MS_SHARED | MountFlags::MS_PRIVATE | MountFlags::MS_SLAVE | MountFlags::MS_UNBINDABLE;
    let mut unsupported = propagation | MountFlags::MS_REMOUNT | MountFlags::MS_MOVE;
    if is_shared(request) {
        unsupported -= MountFlags::MS_SHARED;
    }
    if request.flags.intersects(unsupported) {
        return Err(invalid(request, format!("flags {} are not supported", request.flags & unsupported)));
    }
    if !request.target.as_path().is_absolute() {
        return Err(invalid(request, "the target must be an absolute path".into()));
    }
    Ok(())
}

/// Opens the source of a bind. `None` if a path of the container that is to be bound on itself does not exist: not every
/// kernel has every file in /proc.
pub(super) fn open_source<'k, 'r>(
    view: &View<'k>,
    request: &'r ContainerMountInfo,
) -> Result<(Option<Descriptor<'k>>, &'r UnixPath), LaunchError> {
    let path = source_of(request)?;
    let opened = match view.place(path) {
        Place::Below(root, relative) => match root.resolve(relative, OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT && path == request.target.as_path() => return Ok((None, path)),
            opened => opened?,
        },
        Place::Host => open_path(view.kernel, path, OpenFlags::empty()).doing("open", path)?,
    };
    Ok((Some(opened), path))
}

fn source_of(request: &ContainerMountInfo) -> Result<&UnixPath, LaunchError> {
    let Some(source) = &request.source else {
        return Err(invalid(request, "a bind needs a source".into()));
    };
    if !source.as_path().is_absolute() {
        return Err(invalid(request, format!("the source {source} must be an absolute path")));
    }
    Ok(source.as_path())
}

/// A copy of the source's mount, with the attributes of the request. `None` if there is nothing to be bound on itself.
pub(super) fn bind<'k>(view: &View<'k>, request: &ContainerMountInfo) -> Result<Option<Copied<'k>>, LaunchError> {
    let (path, recursive) = (source_of(request)?, request.flags.contains(MountFlags::MS_REC));
    let attr = view.attributes(request.flags);
    let mount = match view.place(path) {
        // A path that is trusted need not be opened before.
        Place::Host => DetachedMount::copy_at(view.kernel, path, recursive, &attr)?,
        Place::Below(..) => match open_source(view, request)? {
            (Some(source), path) => DetachedMount::copy_of(view.kernel, source.fd(), path, recursive, &attr)?,
            (None, _) => return Ok(None),
        },
    };
    let file_type = stat(view.kernel, mount.fd()).doing("look at", path)?.file_type;
    Ok(Some(Copied { mount, file_type }))
}

fn new_filesystem<'k>(view: &View<'k>, request: &ContainerMountInfo) -> Result<DetachedMount<'k>, LaunchError> {
    let Some(filesystem_type) = &request.filesystem_type else {
        return Err(invalid(request, "it is no bind (MS_BIND), and names no filesystem type".into()));
    };
    Ok(DetachedMount::filesystem(
        view.kernel,
        filesystem_type,
        request.source.as_ref().unwrap_or(filesystem_type),
        request.flags,
        request.options.as_ref(),
        request.target.as_path(),
    )?)
}

/// Attaches a mount at a path of the request, making the mount point if it is missing where the container's own paths are.
/// Gives the path without symbolic links.
fn attach<'k>(view: &mut View<'k>, target: &UnixPath, copied: Copied<'k>) -> Result<UnixPathBuf, LaunchError> {
    let is_directory = copied.file_type == FileType::Directory;
    let mut real = target.normalize();
    let mountpoint = match view.place(target) {
        Place::Below(root, relative) if is_directory => root.create_directory(relative)?,
        Place::Below(root, relative) => root.create_file(relative)?,
        Place::Host => {
            let opened = open_path(view.kernel, target, OpenFlags::empty()).doing("open", target)?;
            // The operator's symbolic links may lead below a bidirectional mount.
            if view.has_shared() {
                real = real_path_of(view.kernel, opened.fd(), target)?;
                view.stays_inside("mount on", &real)?;
            }
            opened
        }
    };
    let mounted = copied.mount.attach(mountpoint.fd(), target)?;
    view.mounted(mounted, target, is_directory);
    Ok(real)
}

fn invalid(request: &ContainerMountInfo, reason: String) -> LaunchError {
    LaunchError::InvalidMount { target: request.target.clone(), reason }
}
