//! Who keeps mounts, dentries and superblocks, and what goes when nobody does.

use super::{Mount, Path};
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// Keeps a place from going (`path_get()`).
    pub(crate) fn path_get(&mut self, path: Path) {
        self.mount_get(path.mount);
        self.dentry_get(path.dentry);
    }

    /// Undoes one [`path_get`](Self::path_get) (`path_put()`).
    pub(crate) fn path_put(&mut self, path: Path) {
        self.dentry_put(path.dentry);
        self.mount_put(path.mount);
    }

    /// `mntget()`
    pub(crate) fn mount_get(&mut self, mount: Id<Mount>) {
        self.mounts[mount].count += 1;
    }

    /// `mntput()`: also what a call that ends on the mount does, were it kept during the call, to a mark of `MNT_EXPIRE`.
    pub(crate) fn mount_put(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.expiry_mark = false;
        object.count -= 1;
        if object.count == 0 {
            self.cleanup_mount(mount);
        }
    }

    /// What every call that used a mount does to a mark of `MNT_EXPIRE`, when it lets go of it (`mntput()`).
    pub(crate) fn touch_mount(&mut self, mount: Id<Mount>) {
        if self.mounts[mount].expiry_mark {
            self.mounts[mount].expiry_mark = false;
        }
    }

    /// The end of a mount that nothing refers to (`mntput_no_expire_slowpath()`, `cleanup_mnt()`).
    fn cleanup_mount(&mut self, mount: Id<Mount>) {
        let mut stuck = Vec::new();
        while let Some(child) = self.mounts[mount].children.first {
            self.detach(child);
            stuck.push(child);
        }
        // `mnt_stuck_children` is filled at the front.
        for child in stuck.into_iter().rev() {
            self.mount_put(child);
        }
        let Some(object) = self.mounts.remove(mount) else { return };
        self.dentry_put(object.root);
        self.superblock_put(object.superblock);
        self.mount_ids.release(object.id);
        if let Some(user_namespace) = object.idmap {
            self.user_namespace_put(user_namespace);
        }
    }

    /// Lets go of mounts that were unmounted together, the last first (the end of `namespace_unlock()`).
    pub(crate) fn put_unmounted(&mut self, unmounted: Vec<Id<Mount>>) {
        for mount in unmounted.into_iter().rev() {
            self.mount_put(mount);
        }
    }
}
