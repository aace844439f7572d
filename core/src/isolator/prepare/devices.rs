//! The standard devices of a container with its own root filesystem.

use typed_path::UnixPath;

use super::super::{Isolator, PrepareError};
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Descriptor, DeviceNumber, Fd, FileType, Kernel, Mode, NodeMode, OpenFlags, OpenHow, ResolveFlags,
};
use crate::messages::ContainerId;
use crate::root::itself;
use crate::user::Credentials;

impl<K: Kernel> Isolator<K> {
    /// Copies the standard devices of the host into a directory that only the container's user can enter.
    pub(super) fn make_devices(&self, id: &ContainerId, owner: Option<&Credentials>) -> Result<(), PrepareError> {
        let kernel = &self.kernel;
        let path = self.config.layout.container_devices(id);
        kernel.mkdirat(Fd::CWD, &path, Mode(0o700)).doing("create directory", &path)?;
        let how = OpenHow {
            flags: OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC,
            mode: Mode(0),
            resolve: ResolveFlags::empty(),
        };
        let directory = kernel.openat2(Fd::CWD, &path, how).doing("open directory", &path)?;
        let directory = Descriptor::new(kernel, directory);
        // The umask may have taken bits away.
        kernel.fchmod(directory.fd(), Mode(0o700)).doing("set the mode of", &path)?;
        if let Some(Credentials { uid, gid, .. }) = owner {
            kernel
                .fchownat(directory.fd(), itself(), Some(*uid), Some(*gid), AtFlags::AT_EMPTY_PATH)
                .doing("change the owner of", &path)?;
        }
        for name in &self.config.devices {
            copy_device(kernel, directory.fd(), name)?;
        }
        Ok(())
    }
}

/// Makes a node of the same type, numbers and mode as the host's.
fn copy_device(kernel: &dyn Kernel, directory: Fd, name: &str) -> Result<(), PrepareError> {
    let path = UnixPath::new("/dev").join(name);
    let device = kernel.statx(Fd::CWD, &path, AtFlags::AT_SYMLINK_NOFOLLOW).doing("find the standard device", &path)?;
    if !matches!(device.file_type, FileType::CharacterDevice | FileType::BlockDevice)
        || device.rdev == DeviceNumber::NONE
    {
        return Err(PrepareError::NoDevice { path: path.into(), found: device.file_type });
    }
    let node = NodeMode { file_type: device.file_type, mode: device.mode };
    let make = || -> Result<(), CallError> {
        kernel.mknodat(directory, UnixPath::new(name), node, device.rdev).doing("copy the device", &path)?;
        kernel.fchmodat(directory, UnixPath::new(name), device.mode).doing("set the mode of the copy of", &path)
    };
    Ok(make()?)
}
