//! TODO

use cofferdam::kernel::{
    AtFlags, Bytes, CloseRangeFlags, DeviceNumber, DirectoryEntry, Errno, Fd, FlockOperation, Mode, NodeMode,
    OpenFlags, RenameFlags, Stat, Whence,
};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// close
    pub(crate) fn close(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Errno> {
        let _ = (task, fd);
        Err(Errno::ENOSYS)
    }

    /// close_range
    pub(crate) fn close_range(
        &mut self,
        task: Id<Task>,
        first: u32,
        last: u32,
        flags: CloseRangeFlags,
    ) -> Result<(), Errno> {
        let _ = (task, first, last, flags);
        Err(Errno::ENOSYS)
    }

    /// dup3
    pub(crate) fn dup3(&mut self, task: Id<Task>, oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Result<Fd, Errno> {
        let _ = (task, oldfd, newfd, flags);
        Err(Errno::ENOSYS)
    }

    /// mkdirat
    pub(crate) fn mkdirat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], mode: Mode) -> Result<(), Errno> {
        let _ = (task, dirfd, path, mode);
        Err(Errno::ENOSYS)
    }

    /// mknodat
    pub(crate) fn mknodat(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        mode: NodeMode,
        device: DeviceNumber,
    ) -> Result<(), Errno> {
        let _ = (task, dirfd, path, mode, device);
        Err(Errno::ENOSYS)
    }

    /// symlinkat
    pub(crate) fn symlinkat(&mut self, task: Id<Task>, target: &[u8], dirfd: Fd, path: &[u8]) -> Result<(), Errno> {
        let _ = (task, target, dirfd, path);
        Err(Errno::ENOSYS)
    }

    /// linkat
    pub(crate) fn linkat(
        &mut self,
        task: Id<Task>,
        old_dirfd: Fd,
        old_path: &[u8],
        new_dirfd: Fd,
        new_path: &[u8],
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let _ = (task, old_dirfd, old_path, new_dirfd, new_path, flags);
        Err(Errno::ENOSYS)
    }

    /// unlinkat
    pub(crate) fn unlinkat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: AtFlags) -> Result<(), Errno> {
        let _ = (task, dirfd, path, flags);
        Err(Errno::ENOSYS)
    }

    /// renameat2
    pub(crate) fn renameat2(
        &mut self,
        task: Id<Task>,
        old_dirfd: Fd,
        old_path: &[u8],
        new_dirfd: Fd,
        new_path: &[u8],
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let _ = (task, old_dirfd, old_path, new_dirfd, new_path, flags);
        Err(Errno::ENOSYS)
    }

    /// readlinkat
    pub(crate) fn readlinkat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8]) -> Result<Bytes, Errno> {
        let _ = (task, dirfd, path);
        Err(Errno::ENOSYS)
    }

    /// statx
    pub(crate) fn statx(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
        let _ = (task, dirfd, path, flags);
        Err(Errno::ENOSYS)
    }

    /// fchmod
    pub(crate) fn fchmod(&mut self, task: Id<Task>, fd: Fd, mode: Mode) -> Result<(), Errno> {
        let _ = (task, fd, mode);
        Err(Errno::ENOSYS)
    }

    /// fchmodat
    pub(crate) fn fchmodat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], mode: Mode) -> Result<(), Errno> {
        let _ = (task, dirfd, path, mode);
        Err(Errno::ENOSYS)
    }

    /// fchownat
    pub(crate) fn fchownat(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        owner: Option<u32>,
        group: Option<u32>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let _ = (task, dirfd, path, owner, group, flags);
        Err(Errno::ENOSYS)
    }

    /// getdents64
    pub(crate) fn getdents64(&mut self, task: Id<Task>, fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
        let _ = (task, fd);
        Err(Errno::ENOSYS)
    }

    /// read
    pub(crate) fn read(&mut self, task: Id<Task>, fd: Fd, count: usize) -> Result<Bytes, Errno> {
        let _ = (task, fd, count);
        Err(Errno::ENOSYS)
    }

    /// write
    pub(crate) fn write(&mut self, task: Id<Task>, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        let _ = (task, fd, data);
        Err(Errno::ENOSYS)
    }

    /// lseek
    pub(crate) fn lseek(&mut self, task: Id<Task>, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let _ = (task, fd, offset, whence);
        Err(Errno::ENOSYS)
    }

    /// ftruncate
    pub(crate) fn ftruncate(&mut self, task: Id<Task>, fd: Fd, length: u64) -> Result<(), Errno> {
        let _ = (task, fd, length);
        Err(Errno::ENOSYS)
    }

    /// fsync
    pub(crate) fn fsync(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Errno> {
        let _ = (task, fd);
        Err(Errno::ENOSYS)
    }

    /// flock
    pub(crate) fn flock(&mut self, task: Id<Task>, fd: Fd, operation: FlockOperation) -> Result<(), Errno> {
        let _ = (task, fd, operation);
        Err(Errno::ENOSYS)
    }

    /// pipe2
    pub(crate) fn pipe2(&mut self, task: Id<Task>, flags: OpenFlags) -> Result<(Fd, Fd), Errno> {
        let _ = (task, flags);
        Err(Errno::ENOSYS)
    }
}
