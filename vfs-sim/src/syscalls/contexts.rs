//! TODO

use cofferdam::kernel::{Errno, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// fsopen
    pub(crate) fn fsopen(&mut self, task: Id<Task>, fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Errno> {
        let _ = (task, fsname, flags);
        Err(Errno::ENOSYS)
    }

    /// fsconfig
    pub(crate) fn fsconfig(&mut self, task: Id<Task>, fd: Fd, config: &FsConfig) -> Result<(), Errno> {
        let _ = (task, fd, config);
        Err(Errno::ENOSYS)
    }

    /// fsmount
    pub(crate) fn fsmount(
        &mut self,
        task: Id<Task>,
        fd: Fd,
        flags: FsmountFlags,
        attr_flags: MountAttrFlags,
    ) -> Result<Fd, Errno> {
        let _ = (task, fd, flags, attr_flags);
        Err(Errno::ENOSYS)
    }

    /// fspick
    pub(crate) fn fspick(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: FspickFlags) -> Result<Fd, Errno> {
        let _ = (task, dirfd, path, flags);
        Err(Errno::ENOSYS)
    }
}
