//! Trees of mounts are attached: a new filesystem, a copy, a tree that moves (`attach_recursive_mnt()`).

use super::{MntFlags, Mount, Path, UmountTree};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::FilesystemType;
use crate::linux::Linux;
use crate::namespace::MountNamespace;
use crate::process::Task;

const TOO_MANY_MOUNTS: Failure =
    fail!(ENOSPC, "count_mounts()", "the mount namespace would have more mounts than fs.mount-max allows");

impl Linux {
    /// Gives peer groups to mounts that have none, to those of the whole tree if `recurse` (`invent_group_ids()`).
    pub(crate) fn invent_groups(&mut self, tree: Id<Mount>, recurse: bool) {
        let mounts = if recurse { self.mount_tree(tree) } else { vec![tree] };
        for mount in mounts {
            if self.mounts[mount].group == 0 {
                self.mounts[mount].group = self.group_ids.allocate();
            }
        }
    }

    /// Takes back the peer groups of a tree that did not become shared (`cleanup_group_ids()`).
    pub(crate) fn cleanup_groups(&mut self, tree: Id<Mount>) {
        for mount in self.mount_tree(tree) {
            let object = &self.mounts[mount];
            if object.group != 0 && !object.is_shared {
                self.release_group(mount);
            }
        }
    }

    /// Counts the mounts of a tree that a namespace is to get: `ENOSPC` if these are more than fs.mount-max
    /// (`count_mounts()`).
    pub(crate) fn count_mounts(&mut self, namespace: Id<MountNamespace>, tree: Id<Mount>) -> Result<(), Failure> {
        let object = &self.mount_namespaces[namespace];
        let Some(room) = self.mount_max.checked_sub(object.count).and_then(|room| room.checked_sub(object.pending))
        else {
            return Err(TOO_MANY_MOUNTS);
        };
        if room == 0 {
            return Err(TOO_MANY_MOUNTS);
        }
        let mounts = u32::try_from(self.mounts_of_tree(tree).count()).unwrap_or(u32::MAX);
        if mounts > room {
            return Err(TOO_MANY_MOUNTS);
        }
        self.mount_namespaces[namespace].pending += mounts;
        Ok(())
    }

    /// Attaches a new mount, or copy, at a place, with all that propagation asks for (`graft_tree()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a filesystem that is not for users, `ENOTDIR` if only one of both is a directory, and those of
    /// [`attach_tree`](Self::attach_tree).
    pub(crate) fn graft_tree(&mut self, task: Id<Task>, tree: Id<Mount>, place: Path) -> Result<(), Failure> {
        let object = &self.mounts[tree];
        let superblock = &self.superblocks[object.superblock];
        if superblock.is_internal && superblock.filesystem != FilesystemType::Nsfs {
            return Err(fail!(EINVAL, "graft_tree()", "the filesystem is the kernel's own: users cannot mount it"));
        }
        match (self.is_directory(object.root), self.is_directory(place.dentry)) {
            (true, false) => {
                Err(fail!(ENOTDIR, "graft_tree()", "what is mounted is a directory, and the target is not"))
            }
            (false, true) => {
                Err(fail!(ENOTDIR, "graft_tree()", "the target is a directory, and what is mounted is not"))
            }
            _ => self.attach_tree(task, tree, place),
        }
    }

    /// Attaches a tree at a place and copies of it wherever the place's mount propagates to; a tree that is mounted
    /// somewhere moves (`attach_recursive_mnt()`).
    ///
    /// # Errors
    ///
    /// `ENOENT` if the root of the tree is unlinked, `ENOSPC` beyond fs.mount-max. Nothing has changed then.
    pub(crate) fn attach_tree(&mut self, task: Id<Task>, tree: Id<Mount>, place: Path) -> Result<(), Failure> {
        let namespace = self.mounts[place.mount].namespace;
        let namespace =
            namespace.ok_or(fail!(EINVAL, "attach_recursive_mnt()", "the mount at the target is unmounted"))?;
        let is_move = self.has_parent(tree);
        let top = self.topmost_overmount(tree);
        self.can_be_mountpoint(self.mounts[top].root)?;
        let mut copies = Vec::new();
        let result = self.prepare_copies(tree, place, namespace, is_move, &mut copies);
        if let Err(failure) = result {
            self.drop_copies(tree, namespace, copies);
            return Err(failure);
        }
        if self.mounts[place.mount].is_shared {
            for mount in self.mount_tree(tree) {
                self.set_shared(mount);
            }
        }
        let mut emptied = None;
        if is_move {
            self.detach(tree);
        } else if self.mounts[tree].namespace.is_some() {
            emptied = self.mounts[tree].namespace;
            for mount in self.mount_tree(tree) {
                self.unlist_from_namespace(mount);
            }
        }
        self.set_mountpoint(tree, place);
        self.commit_copies(task, tree, copies);
        if let Some(namespace) = emptied {
            self.free_mount_namespace(namespace);
        }
        Ok(())
    }

    fn prepare_copies(
        &mut self,
        tree: Id<Mount>,
        place: Path,
        namespace: Id<MountNamespace>,
        is_move: bool,
        copies: &mut Vec<Id<Mount>>,
    ) -> Result<(), Failure> {
        if !is_move {
            self.count_mounts(namespace, tree)?;
        }
        if self.mounts[place.mount].is_shared {
            self.invent_groups(tree, true);
            self.propagate_mount(place, tree, copies)?;
        }
        Ok(())
    }

    fn drop_copies(&mut self, tree: Id<Mount>, namespace: Id<MountNamespace>, copies: Vec<Id<Mount>>) {
        let mut unmounted = Vec::new();
        for copy in copies.into_iter().rev() {
            let parent = self.mounts[copy].parent;
            if let Some(namespace) = self.mounts[parent].namespace {
                self.mount_namespaces[namespace].pending = 0;
            }
            self.umount_tree(copy, UmountTree::SYNC, &mut unmounted);
        }
        self.cleanup_groups(tree);
        self.mount_namespaces[namespace].pending = 0;
        self.put_unmounted(unmounted);
    }

    /// Makes the tree and its copies visible, the tree first; what was mounted at the same place ends up on top.
    fn commit_copies(&mut self, task: Id<Task>, tree: Id<Mount>, copies: Vec<Id<Mount>>) {
        let own = self.mount_namespaces[self.tasks[task].mount_namespace].user_namespace;
        let top = self.topmost_overmount(tree);
        let top_root = self.mounts[top].root;
        // What slides on top of a copy must not be mounted on the file of a mount namespace, which copies leave out.
        let shorter = self.place_below_namespace_file(tree);
        for child in std::iter::once(tree).chain(copies.into_iter().rev()) {
            let parent = self.mounts[child].parent;
            let owner = self.mounts[parent].namespace.map(|namespace| self.mount_namespaces[namespace].user_namespace);
            if owner != Some(own) {
                self.lock_mount_tree(child);
            }
            if let Some(covered) = self.commit_tree(child) {
                let mount = self.topmost_overmount(child);
                let dentry = if child == tree { top_root } else { shorter.unwrap_or(top_root) };
                self.change_mountpoint(covered, Path { mount, dentry });
            }
        }
    }

    fn place_below_namespace_file(&self, tree: Id<Mount>) -> Option<Id<crate::filesystem::Dentry>> {
        let mut stack = std::iter::successors(Some(tree), |mount| self.mounts[*mount].overmount);
        let mount = stack.find(|mount| self.is_mount_namespace_file(self.mounts[*mount].root))?;
        Some(self.mounts[mount].mountpoint)
    }

    /// Enters a tree whose mountpoint is set into its parent's namespace (`commit_tree()`); what was found at the mountpoint
    /// before is given.
    fn commit_tree(&mut self, tree: Id<Mount>) -> Option<Id<Mount>> {
        let parent = self.mounts[tree].parent;
        if let Some(namespace) = self.mounts[parent].namespace
            && !self.mounts[tree].is_listed
        {
            self.list_tree_in_namespace(namespace, tree);
            let object = &mut self.mount_namespaces[namespace];
            object.count += std::mem::take(&mut object.pending);
        }
        self.make_visible(tree)
    }

    /// Whether a tree has a mount that can't be copied (`tree_contains_unbindable()`).
    pub(crate) fn has_unbindable(&self, tree: Id<Mount>) -> bool {
        self.mounts_of_tree(tree).any(|mount| self.mounts[mount].is_unbindable)
    }

    /// Whether a mount is locked to its parent (`IS_MNT_LOCKED()`).
    pub(crate) fn is_locked(&self, mount: Id<Mount>) -> bool {
        self.mounts[mount].flags.contains(MntFlags::LOCKED)
    }
}
