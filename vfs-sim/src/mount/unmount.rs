//! Trees of mounts are taken apart (`umount_tree()`, `do_umount()`, `__detach_mounts()` in `fs/namespace.c`).

use bitflags::bitflags;
use imbl::OrdMap;

use super::{MntFlags, Mount};
use crate::arena::Id;
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::list::{Link, List};
use crate::process::Task;

bitflags! {
    /// How a tree is unmounted (`enum umount_tree_flags`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct UmountTree: u32 {
        /// Nothing uses it: every mount is taken apart from the others.
        const SYNC = 1;
        /// What receives events is unmounted too.
        const PROPAGATE = 1 << 1;
        /// The mounts stay connected to each other.
        const CONNECTED = 1 << 2;
    }
}

impl Linux {
    /// Unmounts a tree (`umount_tree()`). What has left its parent is added to `unmounted`, to be put when all is done.
    pub(crate) fn umount_tree(&mut self, tree: Id<Mount>, how: UmountTree, unmounted: &mut Vec<Id<Mount>>) {
        if how.contains(UmountTree::PROPAGATE) {
            self.propagate_unlock(tree);
        }
        let mut set = self.mount_tree(tree);
        if self.is_linked_child(tree) {
            self.unlink_child(tree);
        }
        for &mount in &set {
            let object = &mut self.mounts[mount];
            object.flags.insert(MntFlags::UMOUNT);
            // All of them go.
            object.children = List::default();
            object.child = Link::default();
            if object.is_listed {
                self.unlist_from_namespace(mount);
            }
        }
        if how.contains(UmountTree::PROPAGATE) {
            self.propagate_umount(&mut set);
        }
        self.begin_making_private(&set);
        for mount in set {
            self.finish_making_private(mount);
            self.umount_one_of_tree(mount, how, unmounted);
        }
    }

    fn umount_one_of_tree(&mut self, mount: Id<Mount>, how: UmountTree, unmounted: &mut Vec<Id<Mount>>) {
        let object = &mut self.mounts[mount];
        if how.contains(UmountTree::SYNC) {
            object.flags.insert(MntFlags::SYNC_UMOUNT);
        }
        if let Some(namespace) = object.namespace.take() {
            let count = &mut self.mount_namespaces[namespace].count;
            *count = count.saturating_sub(1);
        }
        let is_disconnected = self.is_disconnected(mount, how);
        if self.has_parent(mount) {
            if is_disconnected {
                self.detach(mount);
            } else {
                let parent = self.mounts[mount].parent;
                self.link_child(parent, mount);
            }
        }
        if is_disconnected {
            unmounted.push(mount);
        }
    }

    /// Whether a mount that is unmounted leaves its parent (`disconnect_mount()`): it stays on one that is unmounted as
    /// well, so that what is below is not uncovered, if asked for or if it is locked.
    fn is_disconnected(&self, mount: Id<Mount>, how: UmountTree) -> bool {
        let parent = self.mounts[mount].parent;
        how.contains(UmountTree::SYNC)
            || !self.has_parent(mount)
            || !self.mounts[parent].flags.contains(MntFlags::UMOUNT)
            || !(how.contains(UmountTree::CONNECTED) || self.is_locked(mount))
    }

    /// Unmounts a detached tree whose descriptor was closed (`dissolve_on_fput()`).
    pub(crate) fn dissolve(&mut self, mount: Id<Mount>) {
        if !self.is_detached_root(mount) {
            return;
        }
        let namespace = self.mounts[mount].namespace;
        if let Some(namespace) = namespace {
            // All at once, as no mount is asked for any more.
            self.mount_namespaces[namespace].mounts = OrdMap::new();
        }
        let mut unmounted = Vec::new();
        self.umount_tree(mount, UmountTree::CONNECTED, &mut unmounted);
        if let Some(namespace) = namespace {
            self.free_mount_namespace(namespace);
        }
        self.put_unmounted(unmounted);
    }

    /// Unmounts, in all namespaces, what is mounted on a dentry that loses its name (`__detach_mounts()`).
    pub(crate) fn detach_mounts(&mut self, dentry: Id<Dentry>) {
        // It must outlive its list of mounts becoming empty.
        self.dentry_get(dentry);
        let mut unmounted = Vec::new();
        while let Some(mount) = self.dentries[dentry].mounts.first {
            if self.mounts[mount].flags.contains(MntFlags::UMOUNT) {
                self.detach(mount);
                unmounted.push(mount);
            } else {
                self.umount_tree(mount, UmountTree::CONNECTED, &mut unmounted);
            }
        }
        self.put_unmounted(unmounted);
        self.dentry_put(dentry);
    }

    /// Whether something is mounted on a dentry in the mount namespace of a process (`is_local_mountpoint()`).
    pub(crate) fn is_local_mountpoint(&self, task: Id<Task>, dentry: Id<Dentry>) -> bool {
        let namespace = self.tasks[task].mount_namespace;
        let mounts = self.dentries[dentry].mounts;
        crate::list::members::<super::AtMountpoint, _>(&self.mounts, mounts)
            .any(|mount| self.mounts[mount].is_listed && self.mounts[mount].namespace == Some(namespace))
    }
}
