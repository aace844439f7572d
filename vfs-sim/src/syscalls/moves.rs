//! Trees of mounts that move, and mounts that join a peer group (`do_move_mount()`, `do_set_group()` in
//! `fs/namespace.c`).

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::Task;

impl Linux {
    /// Moves a mount, or attaches a detached tree (`do_move_mount()`).
    pub(super) fn move_tree(&mut self, task: Id<Task>, from: Path, to: Path, beneath: bool) -> Result<(), Failure> {
        if !self.is_root_of_mount(from) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "nothing is mounted at the source: it is not the root of a mount"
            ));
        }
        match (self.is_directory(from.dentry), self.is_directory(to.dentry)) {
            (true, false) => {
                return Err(fail!(EINVAL, "do_move_mount()", "the source is a directory, and the target is not"));
            }
            (false, true) => {
                return Err(fail!(EINVAL, "do_move_mount()", "the target is a directory, and the source is not"));
            }
            _ => {}
        }
        let place = if beneath { self.lock_mount_beneath(to)? } else { self.lock_mount(to)? };
        self.can_move(task, from.mount, place)?;
        if beneath {
            let is_below = self.mounts[to.mount].parent == place.mount;
            let over = if is_below { Some(to.mount) } else { self.mounts[place.mount].overmount };
            self.can_move_beneath(task, from.mount, over.unwrap_or(to.mount), place)?;
        }
        if self.mounts[place.mount].is_shared && self.has_unbindable(from.mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the mount at the target is shared, and an unbindable mount is in the tree at the source"
            ));
        }
        if !self.has_no_namespace_loop(task, from.mount) {
            return Err(fail!(
                ELOOP,
                "do_move_mount()",
                "the file of the process's own mount namespace, or an older one's, is mounted in the tree at the source"
            ));
        }
        if self.is_mount_ancestor(from.mount, place.mount) {
            return Err(fail!(ELOOP, "do_move_mount()", "the target is on the mount at the source, or below it"));
        }
        self.attach_tree(task, from.mount, place)
    }

    /// Whether a mount can leave its parent, or its detached tree, for another place.
    fn can_move(&self, task: Id<Task>, mount: Id<Mount>, place: Path) -> Result<(), Failure> {
        if self.is_in_namespace_of(task, mount) {
            self.can_leave_parent(task, mount, place)
        } else {
            self.can_leave_detached_tree(task, mount, place)
        }
    }

    fn can_leave_parent(&self, task: Id<Task>, mount: Id<Mount>, place: Path) -> Result<(), Failure> {
        if !self.has_parent(mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the mount at the source is the root of the mount namespace: it has no parent to leave"
            ));
        }
        if self.is_locked(mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the mount at the source is locked: it came from a more privileged mount namespace"
            ));
        }
        if self.mounts[self.mounts[mount].parent].is_shared {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the mount that the source is mounted on, its parent, is shared"
            ));
        }
        if !self.is_in_namespace_of(task, place.mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the mount at the target is not in the mount namespace of the process"
            ));
        }
        Ok(())
    }

    fn can_leave_detached_tree(&self, task: Id<Task>, mount: Id<Mount>, place: Path) -> Result<(), Failure> {
        if !self.is_detached_root(mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the source is neither in the mount namespace of the process nor the root of a detached tree"
            ));
        }
        if self.mounts[mount].namespace == self.mounts[place.mount].namespace {
            return Err(fail!(EINVAL, "do_move_mount()", "the target is in the detached tree at the source"));
        }
        if !self.may_use_mount(task, place.mount) {
            return Err(fail!(
                EINVAL,
                "do_move_mount()",
                "the target is in neither the mount namespace of the process nor a detached tree that came from it"
            ));
        }
        Ok(())
    }

    /// `can_move_mount_beneath()`
    fn can_move_beneath(&self, task: Id<Task>, mount: Id<Mount>, top: Id<Mount>, place: Path) -> Result<(), Failure> {
        if self.is_locked(top) {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the mount at the target is locked: it came from a more privileged mount namespace"
            ));
        }
        if self.mounts[mount].overmount.is_some() {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "another mount is on top of the mount at the source"
            ));
        }
        // Beneath a root makes sense only where pivot_root(".", ".") is meant.
        if self.fs_states[self.tasks[task].fs].root.mount == top {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the mount at the target is the root of the process"
            ));
        }
        if self.mount_namespaces[self.tasks[task].mount_namespace].root == place.mount {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the mount that the target is mounted on, its parent, is the root of the mount namespace"
            ));
        }
        if self.is_mount_ancestor(top, mount) {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the mount at the source is on the mount at the target, or below it"
            ));
        }
        if self.propagation_would_overmount(place.mount, top, place.dentry) {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the parent of the mount at the target propagates to it: a copy would end up on top of it"
            ));
        }
        if self.is_in_namespace_of(task, mount) && self.propagation_would_overmount(place.mount, mount, place.dentry) {
            return Err(fail!(
                EINVAL,
                "can_move_mount_beneath()",
                "the parent of the mount at the target propagates to the source: a copy would end up on top of that"
            ));
        }
        Ok(())
    }

    /// Whether a mount can join the peer group of another one (the start of `do_set_group()`).
    pub(super) fn can_set_group(&self, task: Id<Task>, from: Path, to: Path) -> Result<(), Failure> {
        self.may_change_propagation(task, from.mount)?;
        self.may_change_propagation(task, to.mount)?;
        if !self.is_root_of_mount(from) {
            return Err(fail!(EINVAL, "do_set_group()", "the source is not the root of a mount"));
        }
        if !self.is_root_of_mount(to) {
            return Err(fail!(EINVAL, "do_set_group()", "the target is not the root of a mount"));
        }
        let (source, target) = (&self.mounts[from.mount], &self.mounts[to.mount]);
        if source.superblock != target.superblock {
            return Err(fail!(
                EINVAL,
                "do_set_group()",
                "the mounts at source and target are of different filesystems"
            ));
        }
        if !self.is_subdirectory(target.root, source.root) {
            return Err(fail!(
                EINVAL,
                "do_set_group()",
                "the mount at the target shows directories of the filesystem that the one at the source does not"
            ));
        }
        if self.has_locked_children(from.mount, target.root) {
            return Err(fail!(
                EINVAL,
                "do_set_group()",
                "a locked mount on the mount at the source hides what the mount at the target shows"
            ));
        }
        if target.is_shared || target.master.is_some() {
            return Err(fail!(
                EINVAL,
                "do_set_group()",
                "the mount at the target is shared or a slave already: only a private one gets a group"
            ));
        }
        if !source.is_shared && source.master.is_none() {
            return Err(fail!(EINVAL, "do_set_group()", "the mount at the source is neither shared nor a slave"));
        }
        Ok(())
    }
}
