//! Copies of mounts and of trees of them (`clone_mnt()`, `copy_tree()` in `fs/namespace.c`).

use bitflags::bitflags;

use super::{MntFlags, Mount, Path, UmountTree};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;

bitflags! {
    /// How a copy relates to its original (`CL_*` in `fs/pnode.h`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct CopyFlags: u32 {
        /// The copy is a slave.
        const SLAVE = 1;
        /// Unbindable mounts are copied too.
        const COPY_UNBINDABLE = 1 << 1;
        /// The copy gets a peer group if it has none.
        const MAKE_SHARED = 1 << 2;
        /// Mounts of the files of mount namespaces are copied too.
        const COPY_NAMESPACE_FILES = 1 << 3;
    }
}

impl Linux {
    /// A copy of one mount, of what is at and below `root`, not in any tree yet (`clone_mnt()`). That it can't be bind
    /// mounted is not copied: in a copy of a mount namespace nothing is unbindable (as in 6.18).
    pub(crate) fn clone_mount(&mut self, old: Id<Mount>, root: Id<Dentry>, flags: CopyFlags) -> Id<Mount> {
        let source = self.mounts[old].source.clone();
        let mount = self.new_mount(root, &source);
        let original = &self.mounts[old];
        let (old_flags, idmap) = (original.flags, original.idmap);
        let (old_group, old_master) = (original.group, original.master);
        if let Some(user_namespace) = idmap {
            self.user_namespaces[user_namespace].references += 1;
        }
        let copy = &mut self.mounts[mount];
        copy.flags = old_flags.difference(MntFlags::INTERNAL_FLAGS);
        copy.idmap = idmap;
        copy.group = if flags.contains(CopyFlags::SLAVE) { 0 } else { old_group };
        if flags.contains(CopyFlags::MAKE_SHARED) && copy.group == 0 {
            copy.group = self.group_ids.allocate();
        }
        // It is not unbindable: it is new.
        copy.is_shared = copy.group != 0;
        if copy.group != 0 && copy.group == old_group {
            self.join_peers(mount, old);
        }
        if flags.contains(CopyFlags::SLAVE) && old_group != 0 {
            self.become_first_slave(mount, old);
        } else if old_master.is_some() {
            self.become_slave_behind(mount, old);
        }
        mount
    }

    /// A copy of the tree of mounts at and below `root`, not attached yet (`copy_tree()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the root is unbindable or stands for a mount namespace; `EPERM` if such a one below is locked.
    pub(crate) fn copy_tree(
        &mut self,
        source: Id<Mount>,
        root: Id<Dentry>,
        flags: CopyFlags,
    ) -> Result<Id<Mount>, Failure> {
        if self.mounts[source].is_unbindable && !flags.contains(CopyFlags::COPY_UNBINDABLE) {
            return Err(fail!(EINVAL, "copy_tree()", "the mount to copy is unbindable"));
        }
        if !flags.contains(CopyFlags::COPY_NAMESPACE_FILES) && self.is_mount_namespace_file(root) {
            return Err(fail!(EINVAL, "copy_tree()", "the mount to copy is one of the file of a mount namespace"));
        }
        let copy = self.clone_mount(source, root, flags);
        match self.copy_children(source, root, copy, flags) {
            Ok(()) => Ok(copy),
            Err(failure) => {
                self.discard(copy);
                Err(failure)
            }
        }
    }

    /// Unmounts a tree that was never attached.
    pub(crate) fn discard(&mut self, tree: Id<Mount>) {
        let mut unmounted = Vec::new();
        self.umount_tree(tree, UmountTree::SYNC, &mut unmounted);
        self.put_unmounted(unmounted);
    }

    fn copy_children(
        &mut self,
        source: Id<Mount>,
        root: Id<Dentry>,
        copy: Id<Mount>,
        flags: CopyFlags,
    ) -> Result<(), Failure> {
        // The mount that was copied last, and its copy.
        let (mut original, mut last) = (source, copy);
        let mut child = self.mounts[source].children.first;
        while let Some(top) = child {
            child = self.mounts[top].child.next;
            if !self.is_subdirectory_there(self.mounts[top].mountpoint, root) {
                continue;
            }
            let mut next = Some(top);
            while let Some(mount) = next {
                if self.is_left_out(mount, flags)? {
                    let skipped = self.last_mount(mount);
                    next = self.next_mount(skipped, top);
                    continue;
                }
                while original != self.mounts[mount].parent {
                    original = self.mounts[original].parent;
                    last = self.mounts[last].parent;
                }
                let (mount_root, mountpoint) = (self.mounts[mount].root, self.mounts[mount].mountpoint);
                let is_locked = self.mounts[mount].flags.contains(MntFlags::LOCKED);
                let parent = last;
                last = self.clone_mount(mount, mount_root, flags);
                original = mount;
                if is_locked {
                    self.mounts[last].flags.insert(MntFlags::LOCKED);
                }
                self.attach(last, Path { mount: parent, dentry: mountpoint });
                next = self.next_mount(mount, top);
            }
        }
        Ok(())
    }

    /// Whether a mount, with all that is on it, is left out of a copy; `EPERM` if it may not be uncovered.
    fn is_left_out(&self, mount: Id<Mount>, flags: CopyFlags) -> Result<bool, Failure> {
        let object = &self.mounts[mount];
        let uncovers = if object.is_unbindable && !flags.contains(CopyFlags::COPY_UNBINDABLE) {
            fail!(EPERM, "copy_tree()", "a mount below is unbindable, and locked: the copy would uncover what it hides")
        } else if !flags.contains(CopyFlags::COPY_NAMESPACE_FILES) && self.is_mount_namespace_file(object.root) {
            fail!(EPERM, "copy_tree()", "a mount below is one of the file of a mount namespace, and locked")
        } else {
            return Ok(false);
        };
        if object.flags.contains(MntFlags::LOCKED) { Err(uncovers) } else { Ok(true) }
    }

    /// Whether copying a single mount would uncover what a locked one on it hides (`has_locked_children()`).
    pub(crate) fn has_locked_children(&self, mount: Id<Mount>, root: Id<Dentry>) -> bool {
        if !self.was_locked {
            return false;
        }
        let mut child = self.mounts[mount].children.first;
        while let Some(id) = child {
            let object = &self.mounts[id];
            if object.flags.contains(MntFlags::LOCKED) && self.is_subdirectory(object.mountpoint, root) {
                return true;
            }
            child = object.child.next;
        }
        false
    }

    /// Locks a tree that a less privileged user namespace gets: its mounts can't be taken apart nor made less strict
    /// (`lock_mnt_tree()`).
    pub(crate) fn lock_mount_tree(&mut self, tree: Id<Mount>) {
        self.was_locked = true;
        for mount in self.mount_tree(tree) {
            let flags = &mut self.mounts[mount].flags;
            flags.insert(MntFlags::LOCK_ATIME);
            for (flag, lock) in [
                (MntFlags::READONLY, MntFlags::LOCK_READONLY),
                (MntFlags::NODEV, MntFlags::LOCK_NODEV),
                (MntFlags::NOSUID, MntFlags::LOCK_NOSUID),
                (MntFlags::NOEXEC, MntFlags::LOCK_NOEXEC),
            ] {
                if flags.contains(flag) {
                    flags.insert(lock);
                }
            }
            if mount != tree {
                flags.insert(MntFlags::LOCKED);
            }
        }
    }
}
