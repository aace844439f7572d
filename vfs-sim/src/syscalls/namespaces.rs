//! TODO

use cofferdam::kernel::{CloneFlags, Errno, Fd};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// unshare
    pub(crate) fn unshare(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<(), Errno> {
        let _ = (task, flags);
        Err(Errno::ENOSYS)
    }

    /// setns
    pub(crate) fn setns(&mut self, task: Id<Task>, fd: Fd, nstype: CloneFlags) -> Result<(), Errno> {
        let _ = (task, fd, nstype);
        Err(Errno::ENOSYS)
    }
}
