//! Telling the host which process is the container's.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use crate::error::{CallError, Doing};
use crate::kernel::{Bytes, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags};

/// A file for the process's number, which is written once the container's filesystem is complete: who reads it may join
/// the namespaces.
#[derive(Clone)]
pub(super) struct PidFile {
    file: Option<Fd>,
    path: UnixPathBuf,
}

impl PidFile {
    /// Makes the file, empty.
    pub(super) fn create(kernel: &dyn Kernel, path: Option<&UnixPathBuf>) -> Result<Self, LaunchError> {
        let Some(path) = path else { return Ok(Self { file: None, path: UnixPathBuf::new() }) };
        let how = OpenHow {
            flags: OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
            mode: Mode(0o644),
            resolve: ResolveFlags::empty(),
        };
        let file = kernel.openat2(Fd::CWD, path, how).doing("create the pid file", path)?;
        Ok(Self { file: Some(file), path: path.clone() })
    }

    /// The number of this process on the host: as the host's /proc, which must still be there, calls it.
    pub(super) fn own_number(&self, kernel: &dyn Kernel) -> Result<Bytes, LaunchError> {
        if self.file.is_none() {
            return Ok(Bytes::default());
        }
        let link = UnixPath::new("/proc/self");
        Ok(kernel.readlinkat(Fd::CWD, link).doing("find out the number of this process from", link)?)
    }

    /// Writes the number, and closes the file.
    pub(super) fn write(self, kernel: &dyn Kernel, number: &Bytes) -> Result<(), LaunchError> {
        let Some(file) = self.file else { return Ok(()) };
        let line = [&number.0[..], b"\n"].concat();
        let written = kernel.write(file, &line).doing("write the pid file", &self.path)?;
        if written != line.len() {
            return Err(CallError::new("write the pid file", &self.path, Errno::ENOSPC).into());
        }
        Ok(kernel.close(file).doing("write the pid file", &self.path)?)
    }
}
