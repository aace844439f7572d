//! Whether a new mount of proc or sysfs would show more than those that are there (`fs/namespace.c`).

use cofferdam::kernel::MountFlags;

use super::{Entry, FilesystemType, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;
use crate::list;
use crate::mount::{Children, MntFlags, Mount};
use crate::process::Task;

impl Linux {
    /// Whether a mount namespace of a user namespace may not mount this: proc and sysfs need one that is there already
    /// and fully visible, whose locks the new mount gets (`mount_too_revealing()`, `mnt_already_visible()`).
    pub(crate) fn mount_too_revealing(&self, task: Id<Task>, superblock: Id<SuperBlock>, flags: &mut MntFlags) -> bool {
        let namespace = &self.mount_namespaces[self.tasks[task].mount_namespace];
        let filesystem = &self.superblocks[superblock].filesystem;
        if namespace.user_namespace == self.initial_user_namespace
            || !matches!(filesystem, FilesystemType::Proc | FilesystemType::Sysfs)
        {
            return false;
        }
        let locks = namespace.mounts.values().find_map(|mount| self.locks_if_visible(*mount, filesystem, *flags));
        if let Some(locks) = locks {
            *flags |= locks;
        }
        locks.is_none()
    }

    /// The locks of a mount that shows all of its filesystem of this type, and no less strictly than the flags of the new
    /// mount say.
    fn locks_if_visible(&self, mount: Id<Mount>, filesystem: &FilesystemType, new: MntFlags) -> Option<MntFlags> {
        let object = &self.mounts[mount];
        let superblock = &self.superblocks[object.superblock];
        if superblock.filesystem != *filesystem || object.root != superblock.root {
            return None;
        }
        let mut flags = object.flags;
        flags.set(
            MntFlags::LOCK_READONLY,
            flags.contains(MntFlags::LOCK_READONLY) || superblock.flags.contains(MountFlags::MS_RDONLY),
        );
        if flags.contains(MntFlags::LOCK_READONLY) && !new.contains(MntFlags::READONLY) {
            return None;
        }
        if flags.contains(MntFlags::LOCK_ATIME) && flags & MntFlags::ATIME_MASK != new & MntFlags::ATIME_MASK {
            return None;
        }
        let hides = list::members::<Children, _>(&self.mounts, object.children).any(|child| {
            let child = &self.mounts[child];
            let inode = self.dentries[child.mountpoint].inode;
            child.flags.contains(MntFlags::LOCKED) && !matches!(self.inodes[inode].entry, Entry::EmptyDirectory)
        });
        (!hides).then_some(flags & (MntFlags::LOCK_READONLY | MntFlags::LOCK_ATIME))
    }
}
