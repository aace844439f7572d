//! TODO

use cofferdam::kernel::{Errno, Fd, StatFs, StatMount, StatMountMask, UniqueMountId};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// statmount
    pub(crate) fn statmount(
        &mut self,
        task: Id<Task>,
        mount: UniqueMountId,
        mask: StatMountMask,
    ) -> Result<StatMount, Errno> {
        let _ = (task, mount, mask);
        Err(Errno::ENOSYS)
    }

    /// listmount
    pub(crate) fn listmount(
        &mut self,
        task: Id<Task>,
        mount: UniqueMountId,
        last: u64,
    ) -> Result<Vec<UniqueMountId>, Errno> {
        let _ = (task, mount, last);
        Err(Errno::ENOSYS)
    }

    /// statfs
    pub(crate) fn statfs(&mut self, task: Id<Task>, path: &[u8]) -> Result<StatFs, Errno> {
        let _ = (task, path);
        Err(Errno::ENOSYS)
    }

    /// fstatfs
    pub(crate) fn fstatfs(&mut self, task: Id<Task>, fd: Fd) -> Result<StatFs, Errno> {
        let _ = (task, fd);
        Err(Errno::ENOSYS)
    }
}
