//! Stands in for what writes maps of ids, until that is there.

use cofferdam::kernel::Errno;

use crate::arena::Id;
use crate::linux::Linux;
use crate::namespace::UserNamespace;
use crate::process::Task;

impl Linux {
    pub(crate) fn write_uid_map(&mut self, _: Id<Task>, _: Id<UserNamespace>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    pub(crate) fn write_gid_map(&mut self, _: Id<Task>, _: Id<UserNamespace>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    pub(crate) fn write_setgroups(&mut self, _: Id<Task>, _: Id<UserNamespace>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
}
