//! Telling the host which process is the container's.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use crate::error::{CallError, Doing};
use crate::kernel::{Bytes, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags};

/// Files for the process's number, which is written once the container's filesystem is complete: who reads it may join the
/// namespaces.
pub(super) struct PidFiles {
    files: Vec<(Fd, UnixPathBuf)>,
}

impl PidFiles {
    /// Makes the files, empty.
    pub(super) fn create(kernel: &dyn Kernel, paths: &[UnixPathBuf]) -> Result<Self, LaunchError> {
        let how = OpenHow {
            flags: OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
            mode: Mode(0o644),
            resolve: ResolveFlags::empty(),
        };
        let mut files = Vec::new();
        for path in paths {
            files.push((kernel.openat2(Fd::CWD, path, how).doing("create the pid file", path)?, path.clone()));
        }
        Ok(Self { files })
    }

    /// The number of this process on the host: as the host's /proc, which must still be there, calls it.
    pub(super) fn own_number(&self, kernel: &dyn Kernel) -> Result<Bytes, LaunchError> {
        if self.files.is_empty() {
            return Ok(Bytes::default());
        }
        let link = UnixPath::new("/proc/self");
        Ok(kernel.readlinkat(Fd::CWD, link).doing("find out the number of this process from", link)?)
    }

    /// Writes the number, and closes the files.
    pub(super) fn write(&self, kernel: &dyn Kernel, number: &Bytes) -> Result<(), LaunchError> {
        let line = [&number.0[..], b"\n"].concat();
        for (file, path) in &self.files {
            let written = kernel.write(*file, &line).doing("write the pid file", path)?;
            if written != line.len() {
                return Err(CallError::new("write the pid file", path, Errno::ENOSPC).into());
            }
            kernel.close(*file).doing("write the pid file", path)?;
        }
        Ok(())
    }
}
