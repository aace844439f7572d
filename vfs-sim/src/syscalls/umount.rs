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
            return Err(fail!(
                EINVAL,
                "ksys_umount()",
                "a flag is not one of MNT_FORCE, MNT_DETACH, MNT_EXPIRE and UMOUNT_NOFOLLOW"
            ));
        }
        let mut lookup = LookupFlags::KEEP_EXPIRY_MARK;
        lookup.set(LookupFlags::FOLLOW, !flags.contains(UmountFlags::UMOUNT_NOFOLLOW));
        let path = self.lookup(task, Fd::CWD, target, lookup)?;
        self.can_umount(task, path, flags)?;
        self.umount(task, path.mount, flags)
    }

    /// `can_umount()`
    fn can_umount(&self, task: Id<Task>, path: Path, flags: UmountFlags) -> Result<(), Failure> {
        self.check_may_mount(task)?;
        if !self.is_root_of_mount(path) {
            return Err(fail!(
                EINVAL,
                "can_umount()",
                "nothing is mounted at the target: it is not the root of a mount"
            ));
        }
        if !self.is_in_namespace_of(task, path.mount) {
            return Err(fail!(EINVAL, "can_umount()", "the mount is not in the mount namespace of the process"));
        }
        if self.is_locked(path.mount) {
            return Err(fail!(
                EINVAL,
                "can_umount()",
                "the mount is locked: it came from a more privileged mount namespace, and hides what is below it"
            ));
        }
        if flags.contains(UmountFlags::MNT_FORCE) && !self.may_administer_filesystem(task, path.mount) {
            return Err(fail!(
                EPERM,
                "can_umount()",
                "MNT_FORCE is given without CAP_SYS_ADMIN in the user namespace that owns the filesystem"
            ));
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
            self.expire(mount, is_own_root, flags)?;
        }
        if is_own_root && !flags.contains(UmountFlags::MNT_DETACH) {
            return self.umount_root(task, mount);
        }
        if !self.has_parent(mount) {
            return Err(fail!(EINVAL, "do_umount()", "the mount is the root of the mount namespace: it has no parent"));
        }
        let how = if flags.contains(UmountFlags::MNT_DETACH) {
            UmountTree::PROPAGATE
        } else {
            self.is_not_busy(mount, 1)?;
            UmountTree::PROPAGATE | UmountTree::SYNC
        };
        let mut unmounted = Vec::new();
        self.umount_tree(mount, how, &mut unmounted);
        self.put_unmounted(unmounted);
        Ok(())
    }

    /// Marks a mount that nothing uses as expired; one that is marked may be unmounted.
    fn expire(&mut self, mount: Id<Mount>, is_own_root: bool, flags: UmountFlags) -> Result<(), Failure> {
        if is_own_root {
            return Err(fail!(EINVAL, "do_umount()", "MNT_EXPIRE is given for the root of the process"));
        }
        if flags.intersects(UmountFlags::MNT_FORCE | UmountFlags::MNT_DETACH) {
            return Err(fail!(EINVAL, "do_umount()", "MNT_EXPIRE is given together with MNT_FORCE or MNT_DETACH"));
        }
        let object = &mut self.mounts[mount];
        if !object.children.is_empty() {
            return Err(fail!(
                EBUSY,
                "do_umount()",
                "another mount is mounted on this one, so that it does not expire"
            ));
        }
        if object.count != 1 {
            return Err(fail!(
                EBUSY,
                "do_umount()",
                "a process has a file, its working directory or its root on the mount, so that it does not expire"
            ));
        }
        if !std::mem::replace(&mut object.expiry_mark, true) {
            return Err(fail!(
                EAGAIN,
                "do_umount()",
                "the mount is marked as expired now: MNT_EXPIRE unmounts it next time, if nothing uses it until then"
            ));
        }
        Ok(())
    }

    /// The root of the process itself is not unmounted, its filesystem becomes read-only (`do_umount_root()`).
    fn umount_root(&mut self, task: Id<Task>, mount: Id<Mount>) -> Result<(), Failure> {
        if !self.may_administer_filesystem(task, mount) {
            return Err(fail!(
                EPERM,
                "do_umount()",
                "the root of the process would become read-only, which takes CAP_SYS_ADMIN over its filesystem"
            ));
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
