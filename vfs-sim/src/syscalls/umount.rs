//! umount2(2) (`ksys_umount()`, `do_umount()` in `fs/namespace.c`).

use cofferdam::kernel::{Capabilities, Fd, MountFlags, UmountFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{Mount, Path, UmountTree};
use crate::process::Task;
use crate::walk::LookupFlags;

impl Linux {
    /// umount2(2)
    pub(crate) fn umount2(&mut self, task: Id<Task>, target: &[u8], flags: UmountFlags) -> Result<(), Failure> {
        let known =
            UmountFlags::MNT_FORCE | UmountFlags::MNT_DETACH | UmountFlags::MNT_EXPIRE | UmountFlags::UMOUNT_NOFOLLOW;
        if !known.contains(flags) {
            return Err(fail!(EINVAL));
        }
        let mut lookup = LookupFlags::KEEP_EXPIRY_MARK;
        lookup.set(LookupFlags::FOLLOW, !flags.contains(UmountFlags::UMOUNT_NOFOLLOW));
        let path = self.lookup(task, Fd::CWD, target, lookup)?;
        self.can_umount(task, path, flags)?;
        self.umount(task, path.mount, flags)
    }

    /// `can_umount()`
    fn can_umount(&self, task: Id<Task>, path: Path, flags: UmountFlags) -> Result<(), Failure> {
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        if !self.is_root_of_mount(path) || !self.is_in_namespace_of(task, path.mount) || self.is_locked(path.mount) {
            return Err(fail!(EINVAL));
        }
        if flags.contains(UmountFlags::MNT_FORCE) && !self.may_administer_filesystem(task, path.mount) {
            return Err(fail!(EPERM));
        }
        Ok(())
    }

    /// Whether a process has `CAP_SYS_ADMIN` in the user namespace that a mount's filesystem was mounted from.
    pub(crate) fn may_administer_filesystem(&self, task: Id<Task>, mount: Id<Mount>) -> bool {
        let superblock = &self.superblocks[self.mounts[mount].superblock];
        self.ns_capable(task, superblock.user_namespace, Capabilities::CAP_SYS_ADMIN)
    }

    /// `do_umount()`
    fn umount(&mut self, task: Id<Task>, mount: Id<Mount>, flags: UmountFlags) -> Result<(), Failure> {
        let is_own_root = self.fs_states[self.tasks[task].fs].root.mount == mount;
        if flags.contains(UmountFlags::MNT_EXPIRE) {
            if is_own_root || flags.intersects(UmountFlags::MNT_FORCE | UmountFlags::MNT_DETACH) {
                return Err(fail!(EINVAL));
            }
            let object = &mut self.mounts[mount];
            if !object.children.is_empty() || object.count != 1 {
                return Err(fail!(EBUSY));
            }
            if !std::mem::replace(&mut object.expiry_mark, true) {
                return Err(fail!(EAGAIN));
            }
        }
        if is_own_root && !flags.contains(UmountFlags::MNT_DETACH) {
            return self.umount_root(task, mount);
        }
        if !self.has_parent(mount) {
            return Err(fail!(EINVAL));
        }
        let how = if flags.contains(UmountFlags::MNT_DETACH) {
            UmountTree::PROPAGATE
        } else if self.is_busy(mount, 1) {
            return Err(fail!(EBUSY));
        } else {
            UmountTree::PROPAGATE | UmountTree::SYNC
        };
        let mut unmounted = Vec::new();
        self.umount_tree(mount, how, &mut unmounted);
        self.put_unmounted(unmounted);
        Ok(())
    }

    /// The root of the process itself is not unmounted, its filesystem becomes read-only (`do_umount_root()`).
    fn umount_root(&mut self, task: Id<Task>, mount: Id<Mount>) -> Result<(), Failure> {
        if !self.may_administer_filesystem(task, mount) {
            return Err(fail!(EPERM));
        }
        let superblock = &self.superblocks[self.mounts[mount].superblock];
        if superblock.flags.contains(MountFlags::MS_RDONLY) {
            return Ok(());
        }
        let root = superblock.root;
        let mut context = self.context_for_reconfigure(task, root, MountFlags::MS_RDONLY, MountFlags::MS_RDONLY)?;
        let result =
            self.parse_monolithic(task, &mut context, None).and_then(|()| self.reconfigure(task, &mut context));
        self.drop_context(context);
        result
    }
}
