//! The mounts of a launch.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::filesystem::{Place, View};
use crate::detached::{DetachedMount, attributes};
use crate::error::Doing;
use crate::kernel::{Errno, FileType, MountFlags, OpenFlags};
use crate::messages::ContainerMountInfo;
use crate::root::{open_path, stat};

/// Makes one mount.
pub(super) fn mount(view: &mut View<'_>, request: &ContainerMountInfo) -> Result<(), LaunchError> {
    let propagation = MountFlags::MS_SHARED | MountFlags::MS_PRIVATE | MountFlags::MS_SLAVE | MountFlags::MS_UNBINDABLE;
    let unsupported = propagation | MountFlags::MS_REMOUNT | MountFlags::MS_MOVE;
    if request.flags.intersects(unsupported) {
        return Err(invalid(request, format!("flags {} are not supported", request.flags & unsupported)));
    }
    if !request.target.as_path().is_absolute() {
        return Err(invalid(request, "the target must be an absolute path".into()));
    }
    let (mount, file_type) = if request.flags.contains(MountFlags::MS_BIND) {
        match bind(view, request)? {
            Some(bound) => bound,
            None => return Ok(()),
        }
    } else {
        (new_filesystem(view, request)?, FileType::Directory)
    };
    attach(view, request.target.as_path(), mount, file_type)
}

/// A copy of the source's mount, with the attributes of the request, and what kind of file its root is. `None` if a path of
/// the container that is to be bound on itself does not exist: not every kernel has every file in /proc.
fn bind<'k>(
    view: &View<'k>,
    request: &ContainerMountInfo,
) -> Result<Option<(DetachedMount<'k>, FileType)>, LaunchError> {
    let kernel = view.kernel;
    let Some(source) = &request.source else {
        return Err(invalid(request, "a bind needs a source".into()));
    };
    let path = source.as_path();
    if !path.is_absolute() {
        return Err(invalid(request, format!("the source {source} must be an absolute path")));
    }
    let opened = match view.place(path) {
        Place::Below(root, relative) => match root.resolve(relative, OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT && *source == request.target => return Ok(None),
            opened => opened?,
        },
        Place::Host => open_path(kernel, path, OpenFlags::empty()).doing("open", path)?,
    };
    let file_type = stat(kernel, opened.fd()).doing("look at", path)?.file_type;
    let recursive = request.flags.contains(MountFlags::MS_REC);
    let mount = DetachedMount::copy_of(kernel, opened.fd(), path, recursive)?;
    mount.set_attributes(&attributes(request.flags), path, recursive)?;
    Ok(Some((mount, file_type)))
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

/// Attaches a mount at a path of the request, making the mount point below the rootfs if it is missing.
fn attach<'k>(
    view: &mut View<'k>,
    target: &UnixPath,
    mount: DetachedMount<'k>,
    file_type: FileType,
) -> Result<(), LaunchError> {
    let is_directory = file_type == FileType::Directory;
    let mountpoint = match view.place(target) {
        Place::Below(root, relative) if is_directory => root.create_directory(relative)?,
        Place::Below(root, relative) => root.create_file(relative)?,
        Place::Host => open_path(view.kernel, target, OpenFlags::empty()).doing("open", target)?,
    };
    let mounted = mount.attach(mountpoint.fd(), target)?;
    if is_directory {
        view.mounted(mounted, target);
    }
    Ok(())
}

fn invalid(request: &ContainerMountInfo, reason: String) -> LaunchError {
    LaunchError::InvalidMount { target: request.target.clone(), reason }
}
