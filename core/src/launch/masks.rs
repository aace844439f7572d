//! Hiding paths: files behind the null device, directories behind an empty read-only tmpfs.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::filesystem::View;
use crate::detached::{DetachedMount, attributes};
use crate::error::Doing;
use crate::kernel::{Bytes, Descriptor, DeviceNumber, Errno, FileType, MountFlags, OpenFlags};
use crate::root::{open_path, stat};

/// Masks each path. One that does not exist needs no mask.
pub(super) fn mask(view: &View<'_>, paths: &[Bytes]) -> Result<(), LaunchError> {
    for path in paths {
        let (root, relative) = view.below("mask", path.as_path())?;
        let opened = match root.resolve(relative, OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT => continue,
            opened => opened?,
        };
        let file_type = stat(view.kernel, opened.fd()).doing("look at", path.as_path())?.file_type;
        let cover = match file_type {
            FileType::Directory => empty_directory(view, path.as_path())?,
            _ => null_device(view, path)?,
        };
        cover.attach(opened.fd(), path.as_path())?;
    }
    Ok(())
}

fn empty_directory<'k>(view: &View<'k>, path: &UnixPath) -> Result<DetachedMount<'k>, LaunchError> {
    let tmpfs = Bytes::from("tmpfs");
    Ok(DetachedMount::filesystem(view.kernel, &tmpfs, &tmpfs, MountFlags::MS_RDONLY, None, path)?)
}

/// The host's null device: one from the image could be anything. A regular file bound over /dev/null, as it happens on
/// hosts too, would take what is written to masked files, and give it to readers.
///
/// Read-only, which a device that is written to does not care about: its mode and owner are those of the host's null device,
/// and not for the container to change.
fn null_device<'k>(view: &View<'k>, masked: &Bytes) -> Result<DetachedMount<'k>, LaunchError> {
    let path = UnixPath::new("/dev/null");
    let opened: Descriptor<'k> = open_path(view.kernel, path, OpenFlags::O_NOFOLLOW).doing("open", path)?;
    let found = stat(view.kernel, opened.fd()).doing("look at", path)?;
    if found.file_type != FileType::CharacterDevice || found.rdev != DeviceNumber::NULL {
        return Err(LaunchError::NullDevice { masked: masked.clone(), found: found.file_type, rdev: found.rdev });
    }
    view.copy_of(opened.fd(), path, &attributes(MountFlags::MS_RDONLY), false)
}
