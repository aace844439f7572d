//! TODO

use cofferdam::kernel::{AtFlags, Errno, Fd, MountAttr, MountFlags, MoveMountFlags, OpenTreeFlags, UmountFlags};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// mount
    pub(crate) fn mount(
        &mut self,
        task: Id<Task>,
        source: Option<&[u8]>,
        target: &[u8],
        filesystemtype: Option<&[u8]>,
        mountflags: MountFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Errno> {
        let _ = (task, source, target, filesystemtype, mountflags, data);
        Err(Errno::ENOSYS)
    }

    /// umount2
    pub(crate) fn umount2(&mut self, task: Id<Task>, target: &[u8], flags: UmountFlags) -> Result<(), Errno> {
        let _ = (task, target, flags);
        Err(Errno::ENOSYS)
    }

    /// pivot_root
    pub(crate) fn pivot_root(&mut self, task: Id<Task>, new_root: &[u8], put_old: &[u8]) -> Result<(), Errno> {
        let _ = (task, new_root, put_old);
        Err(Errno::ENOSYS)
    }

    /// open_tree
    pub(crate) fn open_tree(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: OpenTreeFlags,
    ) -> Result<Fd, Errno> {
        let _ = (task, dirfd, path, flags);
        Err(Errno::ENOSYS)
    }

    /// open_tree_attr
    pub(crate) fn open_tree_attr(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: OpenTreeFlags,
        attr: &MountAttr,
    ) -> Result<Fd, Errno> {
        let _ = (task, dirfd, path, flags, attr);
        Err(Errno::ENOSYS)
    }

    /// move_mount
    pub(crate) fn move_mount(
        &mut self,
        task: Id<Task>,
        from_dirfd: Fd,
        from_path: &[u8],
        to_dirfd: Fd,
        to_path: &[u8],
        flags: MoveMountFlags,
    ) -> Result<(), Errno> {
        let _ = (task, from_dirfd, from_path, to_dirfd, to_path, flags);
        Err(Errno::ENOSYS)
    }

    /// mount_setattr
    pub(crate) fn mount_setattr(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: AtFlags,
        attr: &MountAttr,
    ) -> Result<(), Errno> {
        let _ = (task, dirfd, path, flags, attr);
        Err(Errno::ENOSYS)
    }
}
