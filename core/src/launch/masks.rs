//! Hiding paths: files behind the null device, directories behind an empty read-only tmpfs.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::filesystem::View;
use crate::detached::DetachedMount;
use crate::error::Doing;
use crate::kernel::{Bytes, Descriptor, DeviceNumber, Errno, FileType, MountAttr, MountFlags, OpenFlags};
use crate::root::{open_path, stat};

/// What paths are hidden behind: the first path of a kind by a new mount, each further one by a copy of that.
#[derive(Default)]
pub(super) struct Covers<'k> {
    file: Cover<'k>,
    directory: Cover<'k>,
}

/// A mount that hides a path.
#[derive(Default)]
enum Cover<'k> {
    #[default]
    None,
    /// It was made before, and is attached nowhere; or it could not be made.
    Prepared(Result<DetachedMount<'k>, LaunchError>),
    /// It hides a path already.
    Attached(Descriptor<'k>),
}

impl<'k> Covers<'k> {
    /// Has files be hidden by a mount that was made before all else.
    pub(super) fn prepare(&mut self, null_device: Result<DetachedMount<'k>, LaunchError>) {
        self.file = Cover::Prepared(null_device);
    }
}

impl<'k> Cover<'k> {
    /// A mount to attach.
    fn take(
        &mut self,
        view: &View<'k>,
        path: &UnixPath,
        make: &dyn Fn() -> Result<DetachedMount<'k>, LaunchError>,
    ) -> Result<DetachedMount<'k>, LaunchError> {
        match std::mem::take(self) {
            Self::None => make(),
            Self::Prepared(mount) => mount,
            Self::Attached(descriptor) => {
                let copy = DetachedMount::copy_of(view.kernel, descriptor.fd(), path, false, &MountAttr::default())?;
                *self = Self::Attached(descriptor);
                Ok(copy)
            }
        }
    }

    fn attached(&mut self, descriptor: Descriptor<'k>) {
        if let Self::None = self {
            *self = Self::Attached(descriptor);
        }
    }
}

/// Masks each path. One that does not exist needs no mask.
pub(super) fn mask<'k>(view: &View<'k>, paths: &[Bytes], mut covers: Covers<'k>) -> Result<(), LaunchError> {
    for path in paths {
        let (root, relative) = view.below("mask", path.as_path())?;
        let opened = match root.resolve(relative, OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT => continue,
            opened => opened?,
        };
        let file_type = stat(view.kernel, opened.fd()).doing("look at", path.as_path())?.file_type;
        let path = path.as_path();
        let (cover, make): (_, &dyn Fn() -> Result<DetachedMount<'k>, LaunchError>) = match file_type {
            FileType::Directory => (&mut covers.directory, &|| empty_directory(view, path)),
            _ => (&mut covers.file, &|| null_device(view, path)),
        };
        let mount = cover.take(view, path, make)?;
        cover.attached(mount.attach(opened.fd(), path)?);
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
pub(super) fn null_device<'k>(view: &View<'k>, masked: &UnixPath) -> Result<DetachedMount<'k>, LaunchError> {
    let path = UnixPath::new("/dev/null");
    let opened: Descriptor<'k> = open_path(view.kernel, path, OpenFlags::O_NOFOLLOW).doing("open", path)?;
    let found = stat(view.kernel, opened.fd()).doing("look at", path)?;
    if found.file_type != FileType::CharacterDevice || found.rdev != DeviceNumber::NULL {
        return Err(LaunchError::NullDevice { masked: masked.into(), found: found.file_type, rdev: found.rdev });
    }
    let attr = view.attributes(MountFlags::MS_RDONLY);
    Ok(DetachedMount::copy_of(view.kernel, opened.fd(), path, false, &attr)?)
}
