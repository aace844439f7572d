//! TODO

use cofferdam::kernel::{Bytes, Errno, Fd};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// chroot
    pub(crate) fn chroot(&mut self, task: Id<Task>, path: &[u8]) -> Result<(), Errno> {
        let _ = (task, path);
        Err(Errno::ENOSYS)
    }

    /// chdir
    pub(crate) fn chdir(&mut self, task: Id<Task>, path: &[u8]) -> Result<(), Errno> {
        let _ = (task, path);
        Err(Errno::ENOSYS)
    }

    /// fchdir
    pub(crate) fn fchdir(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Errno> {
        let _ = (task, fd);
        Err(Errno::ENOSYS)
    }

    /// getcwd
    pub(crate) fn getcwd(&mut self, task: Id<Task>) -> Result<Bytes, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }
}
