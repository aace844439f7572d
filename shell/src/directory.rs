//! Reading directories.

use cofferdam::kernel::{DirectoryEntry, Errno, Fd, Kernel as _};
use cofferdam_vfs_sim::Process;

/// All that a directory lists from the descriptor's position on, as readdir(3) gives it: to the C library the `ENOENT` of a
/// directory that was removed is the end of it.
///
/// # Errors
///
/// Those of getdents64(2).
pub(crate) fn read_directory(process: &Process, fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
    let mut all = Vec::new();
    loop {
        match process.getdents64(fd) {
            Ok(entries) if entries.is_empty() => return Ok(all),
            Ok(entries) => all.extend(entries),
            Err(Errno::ENOENT) => return Ok(all),
            Err(errno) => return Err(errno),
        }
    }
}
