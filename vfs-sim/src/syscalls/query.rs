//! TODO

use cofferdam::kernel::{Errno, StatMount, StatMountMask, UniqueMountId};

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
}
