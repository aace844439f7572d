//! overlay.

use cofferdam::kernel::Errno;

use super::{FsContext, Parameters, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    pub(super) fn fill_overlay(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        context: &mut FsContext,
        parameters: &Parameters,
    ) -> Result<Parameters, Errno> {
        let _ = (task, superblock, context, parameters);
        Err(Errno::EINVAL)
    }

    pub(super) fn reconfigure_overlay(
        &mut self,
        superblock: Id<SuperBlock>,
        context: &mut FsContext,
    ) -> Result<(), Errno> {
        let _ = (superblock, context);
        Ok(())
    }
}
