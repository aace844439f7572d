//! Metadata, directories, and messages about files.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, DirectoryEntry, Errno, Fd, FileType, Kernel as _, Mode, OpenFlags, OpenHow, Stat};

use super::quote::quoted_always;
use crate::directory::read_directory;
use crate::execution::Execution;

impl Execution {
    /// Metadata of what a path leads to.
    pub(crate) fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        self.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty())
    }

    /// Metadata of a file, also of a symbolic link.
    pub(crate) fn lstat(&self, path: &[u8]) -> Result<Stat, Errno> {
        self.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// Metadata of an open file.
    pub(crate) fn process_stat(&self, fd: Fd) -> Result<Stat, Errno> {
        self.process.statx(fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH)
    }

    /// Whether a path leads to a directory.
    pub(crate) fn is_directory(&self, path: &[u8]) -> bool {
        self.stat(path).is_ok_and(|stat| stat.file_type == FileType::Directory)
    }

    /// What a directory lists, in its order, but `.` and `..`.
    pub(crate) fn entries(&self, path: &[u8]) -> Result<Vec<DirectoryEntry>, Errno> {
        let all = self.all_entries(path)?;
        Ok(all.into_iter().filter(|entry| entry.name.0 != b"." && entry.name.0 != b"..").collect())
    }

    /// All that a directory lists, in its order.
    pub(crate) fn all_entries(&self, path: &[u8]) -> Result<Vec<DirectoryEntry>, Errno> {
        let flags = OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK;
        let fd = self.process.openat2(Fd::CWD, UnixPath::new(path), OpenHow { flags, ..OpenHow::default() })?;
        let result = read_directory(&self.process, fd);
        let _ = self.process.close(fd);
        result
    }

    /// Where a symbolic link points.
    pub(crate) fn read_link(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        self.process.readlinkat(Fd::CWD, UnixPath::new(path)).map(|target| target.0)
    }

    /// The permissions that the process takes from new files.
    pub(crate) fn umask(&self) -> u32 {
        let Ok(mask) = self.process.umask(Mode(0)) else { return 0 };
        let _ = self.process.umask(mask);
        mask.0
    }

    /// Reports what failed with a file: `NAME: ACTION 'PATH': ERROR`. Comes to the status 1.
    pub(crate) fn report_failure(&mut self, action: &str, path: &[u8], errno: Errno) -> i32 {
        let description = errno.description().as_bytes();
        self.report([action.as_bytes(), b" ", &quoted_always(path), b": ", description].concat());
        1
    }
}

/// How many blocks of 512 bytes a file takes. The simulation does not tell, so it is what a tmpfs takes for a file without
/// holes.
pub(crate) fn blocks(stat: &Stat) -> u64 {
    const PAGE: u64 = 4096;
    match stat.file_type {
        FileType::Regular => stat.size.div_ceil(PAGE) * (PAGE / 512),
        _ => 0,
    }
}

/// Whether both are the same file.
pub(crate) fn is_same_file(one: &Stat, other: &Stat) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}
