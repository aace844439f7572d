//! Mount namespaces come and go (`copy_mnt_ns()`, `put_mnt_ns()` in `fs/namespace.c`).

use imbl::OrdMap;

use super::{CopyFlags, Mount, UmountTree};
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::namespace::{Counted, MountNamespace, Owner};
use crate::process::{FsState, Task};

/// A mount namespace that is counted, and is to get its mounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ComingNamespace {
    owner: Owner,
    sequence: u64,
}

impl Linux {
    /// A namespace with this root, which is entered together with all that is on it; nobody uses it yet
    /// (`alloc_mnt_ns()`).
    fn new_mount_namespace(
        &mut self,
        coming: ComingNamespace,
        root: Id<Mount>,
        is_anonymous: bool,
    ) -> Id<MountNamespace> {
        let ComingNamespace { owner: Owner { user_namespace, creator }, sequence } = coming;
        let inode = if is_anonymous { 0 } else { self.next_namespace_inode };
        self.next_namespace_inode += u64::from(!is_anonymous);
        self.user_namespaces[user_namespace].references += 1;
        let namespace = self.mount_namespaces.insert(MountNamespace {
            inode,
            sequence,
            origin: 0,
            is_anonymous,
            user_namespace,
            creator: Some(creator),
            root,
            mounts: OrdMap::new(),
            count: 0,
            pending: 0,
            references: 0,
        });
        let count = self.list_tree_in_namespace(namespace, root);
        self.mount_namespaces[namespace].count = count;
        namespace
    }

    /// Counts a namespace that is about to be made, and gives it a number (`alloc_mnt_ns()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if it would be one too many.
    fn begin_mount_namespace(&mut self, owner: Owner) -> Result<ComingNamespace, Failure> {
        self.count_up(owner.user_namespace, owner.creator, Counted::MountNamespaces)?;
        self.last_namespace_sequence += 1;
        Ok(ComingNamespace { owner, sequence: self.last_namespace_sequence })
    }

    /// Makes no namespace after all.
    pub(crate) fn abandon_mount_namespace(&mut self, coming: ComingNamespace) {
        self.count_down(coming.owner.user_namespace, coming.owner.creator, Counted::MountNamespaces);
    }

    /// A copy of a mount namespace for processes of a user namespace, with one reference; `fs`, the root and working
    /// directory of the process that goes there, is moved to the copies (`copy_mnt_ns()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if it would be one too many, and those of [`copy_tree`](Self::copy_tree).
    pub(crate) fn copy_mount_namespace(
        &mut self,
        namespace: Id<MountNamespace>,
        owner: Owner,
        fs: Option<Id<FsState>>,
    ) -> Result<Id<MountNamespace>, Failure> {
        let MountNamespace { root: old, user_namespace: old_owner, .. } = self.mount_namespaces[namespace];
        let coming = self.begin_mount_namespace(owner)?;
        let is_other_owner = old_owner != owner.user_namespace;
        let slave = if is_other_owner { CopyFlags::SLAVE } else { CopyFlags::empty() };
        let new = self.copy_tree(old, self.mounts[old].root, CopyFlags::COPY_UNBINDABLE | slave);
        let new = new.inspect_err(|_| self.abandon_mount_namespace(coming))?;
        if is_other_owner {
            self.lock_mount_tree(new);
        }
        if let Some(fs) = fs {
            self.move_fs_state(fs, old, new);
        }
        let copy = self.new_mount_namespace(coming, new, false);
        self.mount_namespaces[copy].references = 1;
        Ok(copy)
    }

    /// Moves root and working directory from the mounts of a tree to those of its copy, in which the files of mount
    /// namespaces are left out.
    fn move_fs_state(&mut self, fs: Id<FsState>, old: Id<Mount>, new: Id<Mount>) {
        let FsState { root, cwd, .. } = self.fs_states[fs];
        let (mut original, mut copy) = (Some(old), Some(new));
        while let (Some(p), Some(q)) = (original, copy) {
            if root.mount == p {
                self.fs_states[fs].root.mount = q;
                self.mount_get(q);
                self.mount_put(p);
            }
            if cwd.mount == p {
                self.fs_states[fs].cwd.mount = q;
                self.mount_get(q);
                self.mount_put(p);
            }
            original = self.next_mount(p, old);
            copy = self.next_mount(q, new);
            let Some(q) = copy else { break };
            while let Some(p) = original.filter(|p| self.mounts[*p].root != self.mounts[q].root) {
                let last = self.last_mount(p);
                original = self.next_mount(last, old);
            }
        }
    }

    /// Puts a tree that is in no namespace into one of its own, from which it can be attached (`open_detached_copy()`).
    /// `origin` is a mount that it was copied from.
    pub(crate) fn detach_copy(&mut self, coming: ComingNamespace, tree: Id<Mount>, origin: u64) {
        let namespace = self.new_mount_namespace(coming, tree, true);
        self.mount_namespaces[namespace].origin = origin;
    }

    /// The namespace of a detached tree that a process is about to make.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if it would be one too many.
    pub(crate) fn begin_detached_copy(&mut self, task: Id<Task>) -> Result<ComingNamespace, Failure> {
        let user_namespace = self.mount_namespaces[self.tasks[task].mount_namespace].user_namespace;
        let creator = self.tasks[task].credentials.effective_uid;
        self.begin_mount_namespace(Owner { user_namespace, creator })
    }

    /// Lets go of a mount namespace; with its last user everything in it is unmounted (`put_mnt_ns()`).
    pub(crate) fn mount_namespace_put(&mut self, namespace: Id<MountNamespace>) {
        let object = &mut self.mount_namespaces[namespace];
        object.references -= 1;
        if object.references > 0 {
            return;
        }
        let root = object.root;
        // All at once, as no mount is asked for any more.
        object.mounts = OrdMap::new();
        let mut unmounted = Vec::new();
        self.umount_tree(root, UmountTree::empty(), &mut unmounted);
        self.free_mount_namespace(namespace);
        self.put_unmounted(unmounted);
    }

    /// The end of a namespace without mounts (`free_mnt_ns()`).
    pub(crate) fn free_mount_namespace(&mut self, namespace: Id<MountNamespace>) {
        if let Some(object) = self.mount_namespaces.remove(namespace) {
            if let Some(creator) = object.creator {
                self.count_down(object.user_namespace, creator, Counted::MountNamespaces);
            }
            self.user_namespace_put(object.user_namespace);
        }
    }

    /// Whether a dentry stands for a mount namespace (`is_mnt_ns_file()`).
    pub(crate) fn is_mount_namespace_file(&self, dentry: Id<Dentry>) -> bool {
        self.mount_namespace_of_file(dentry).is_some()
    }

    /// Whether mounting a file would let a mount namespace keep itself, or an older one: `true` for files of mount
    /// namespaces that are not younger than that of the process (`mnt_ns_loop()`).
    pub(crate) fn is_namespace_loop(&self, task: Id<Task>, dentry: Id<Dentry>) -> bool {
        let own = self.mount_namespaces[self.tasks[task].mount_namespace].sequence;
        self.mount_namespace_of_file(dentry).is_some_and(|namespace| own >= self.mount_namespaces[namespace].sequence)
    }

    /// Whether a tree has no mount of a file for which [`is_namespace_loop`](Self::is_namespace_loop) holds
    /// (`check_for_nsfs_mounts()`).
    pub(crate) fn has_no_namespace_loop(&self, task: Id<Task>, tree: Id<Mount>) -> bool {
        !self.mounts_of_tree(tree).any(|mount| self.is_namespace_loop(task, self.mounts[mount].root))
    }
}
