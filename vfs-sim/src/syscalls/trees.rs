//! open_tree(2), open_tree_attr(2) and move_mount(2) (`fs/namespace.c`).

use cofferdam::kernel::{Fd, MountAttr, MoveMountFlags, OpenFlags, OpenTreeFlags};

use super::mount_setattr::Change;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::{OpenFile, OpenFileKind, Task};
use crate::walk::LookupFlags;

impl Linux {
    /// open_tree(2)
    pub(crate) fn open_tree(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: OpenTreeFlags,
    ) -> Result<Fd, Failure> {
        let file = self.tree_file(task, dirfd, path, flags)?;
        self.install_file(task, file, open_flags(flags.contains(OpenTreeFlags::OPEN_TREE_CLOEXEC)))
    }

    /// open_tree_attr(2)
    pub(crate) fn open_tree_attr(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: OpenTreeFlags,
        attr: &MountAttr,
    ) -> Result<Fd, Failure> {
        let file = self.tree_file(task, dirfd, path, flags)?;
        let change = Change {
            recurse: flags.contains(OpenTreeFlags::AT_RECURSIVE),
            may_replace_idmap: flags.contains(OpenTreeFlags::OPEN_TREE_CLONE),
        };
        let result = self.set_attributes_of_tree(task, attr, change, |_| Ok(file.path));
        if let Err(failure) = result {
            self.drop_tree_file(file);
            return Err(failure);
        }
        self.install_file(task, file, open_flags(flags.contains(OpenTreeFlags::OPEN_TREE_CLOEXEC)))
    }

    fn drop_tree_file(&mut self, file: OpenFile) {
        let file = self.new_file(file);
        self.file_put(file);
    }

    /// What open_tree(2) opens, with its references taken (`vfs_open_tree()`).
    fn tree_file(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: OpenTreeFlags) -> Result<OpenFile, Failure> {
        let known = OpenTreeFlags::AT_EMPTY_PATH
            | OpenTreeFlags::AT_NO_AUTOMOUNT
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
            | OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let is_copy = flags.contains(OpenTreeFlags::OPEN_TREE_CLONE);
        let recurse = flags.contains(OpenTreeFlags::AT_RECURSIVE);
        if !known.contains(flags) || recurse && !is_copy {
            return Err(fail!(EINVAL));
        }
        if is_copy && !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, !flags.contains(OpenTreeFlags::AT_SYMLINK_NOFOLLOW));
        lookup.set(LookupFlags::EMPTY, flags.contains(OpenTreeFlags::AT_EMPTY_PATH));
        let path = self.lookup(task, dirfd, path, lookup)?;
        if !is_copy {
            self.path_get(path);
            return Ok(self.path_file(task, path, false));
        }
        let origin = self.origin_of_copy(path.mount);
        let coming = self.begin_detached_copy(task)?;
        let tree = self.copy_for_bind(task, path, recurse);
        let tree = tree.inspect_err(|_| self.abandon_mount_namespace(coming))?;
        self.detach_copy(coming, tree, origin);
        let path = Path { mount: tree, dentry: path.dentry };
        self.path_get(path);
        Ok(self.path_file(task, path, true))
    }

    /// Which namespace a copy of a mount comes from in the end; 0 for none.
    fn origin_of_copy(&self, mount: Id<Mount>) -> u64 {
        let Some(namespace) = self.mounts[mount].namespace else { return 0 };
        let namespace = &self.mount_namespaces[namespace];
        if namespace.is_anonymous { namespace.origin } else { namespace.sequence }
    }

    /// A descriptor's file for a new mount, whose one reference is that of the detached tree that it becomes
    /// (the end of `fsmount()`).
    pub(crate) fn open_detached(&mut self, task: Id<Task>, mount: Id<Mount>, cloexec: bool) -> Result<Fd, Failure> {
        let coming = self.begin_detached_copy(task).inspect_err(|_| self.mount_put(mount))?;
        self.detach_copy(coming, mount, 0);
        let path = self.root_of(mount);
        self.path_get(path);
        let file = self.path_file(task, path, true);
        self.install_file(task, file, open_flags(cloexec))
    }

    /// A file opened with `O_PATH`.
    fn path_file(&self, task: Id<Task>, path: Path, unmounts: bool) -> OpenFile {
        OpenFile {
            references: 0,
            path,
            flags: OpenFlags::O_PATH,
            can_read: false,
            can_write: false,
            unmounts,
            position: 0,
            credentials: self.tasks[task].credentials.clone(),
            kind: OpenFileKind::Path,
        }
    }

    /// move_mount(2)
    pub(crate) fn move_mount(
        &mut self,
        task: Id<Task>,
        from_dirfd: Fd,
        from_path: &[u8],
        to_dirfd: Fd,
        to_path: &[u8],
        flags: MoveMountFlags,
    ) -> Result<(), Failure> {
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        let beneath_a_group = MoveMountFlags::MOVE_MOUNT_BENEATH | MoveMountFlags::MOVE_MOUNT_SET_GROUP;
        if flags.bits() & !0x377 != 0 || flags.contains(beneath_a_group) {
            return Err(fail!(EINVAL));
        }
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, flags.contains(MoveMountFlags::MOVE_MOUNT_T_SYMLINKS));
        lookup.set(LookupFlags::EMPTY, flags.contains(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH));
        let to = self.place_of(task, to_dirfd, to_path, lookup)?;
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, flags.contains(MoveMountFlags::MOVE_MOUNT_F_SYMLINKS));
        lookup.set(LookupFlags::EMPTY, flags.contains(MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH));
        let from = self.place_of(task, from_dirfd, from_path, lookup)?;
        if flags.contains(MoveMountFlags::MOVE_MOUNT_SET_GROUP) {
            self.set_group(task, from.mount, to.mount, self.is_root_of_mount(from) && self.is_root_of_mount(to))
        } else {
            self.move_tree(task, from, to, flags.contains(MoveMountFlags::MOVE_MOUNT_BENEATH))
        }
    }

    /// One end of the move: an empty path is the descriptor's own place, whatever the descriptor is.
    fn place_of(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: LookupFlags) -> Result<Path, Failure> {
        if path.is_empty() && flags.contains(LookupFlags::EMPTY) && dirfd.0 >= 0 {
            let file = self.file(task, dirfd)?;
            let path = self.files[file].path;
            self.touch_mount(path.mount);
            return Ok(path);
        }
        self.lookup(task, dirfd, path, flags)
    }

    /// Lets a mount join the peer group of another one (`do_set_group()`).
    fn set_group(&mut self, task: Id<Task>, from: Id<Mount>, to: Id<Mount>, are_roots: bool) -> Result<(), Failure> {
        self.may_change_propagation(task, from)?;
        self.may_change_propagation(task, to)?;
        let (source, target) = (&self.mounts[from], &self.mounts[to]);
        let is_possible = are_roots
            && source.superblock == target.superblock
            && self.is_subdirectory(target.root, source.root)
            && !self.has_locked_children(from, target.root)
            && !(target.is_shared || target.master.is_some())
            && (source.is_shared || source.master.is_some());
        if !is_possible {
            return Err(fail!(EINVAL));
        }
        if source.master.is_some() {
            self.become_slave_behind(to, from);
        }
        if self.mounts[from].is_shared {
            self.mounts[to].group = self.mounts[from].group;
            self.join_peers(to, from);
            self.set_shared(to);
        }
        Ok(())
    }

    /// Moves a mount, or attaches a detached tree (`do_move_mount()`).
    pub(crate) fn move_tree(&mut self, task: Id<Task>, from: Path, to: Path, beneath: bool) -> Result<(), Failure> {
        if !self.is_root_of_mount(from) || self.is_directory(from.dentry) != self.is_directory(to.dentry) {
            return Err(fail!(EINVAL));
        }
        let place = if beneath { self.lock_mount_beneath(to)? } else { self.lock_mount(to)? };
        self.can_move(task, from.mount, place)?;
        if beneath {
            let is_below = self.mounts[to.mount].parent == place.mount;
            let over = if is_below { Some(to.mount) } else { self.mounts[place.mount].overmount };
            self.can_move_beneath(task, from.mount, over.unwrap_or(to.mount), place)?;
        }
        if self.mounts[place.mount].is_shared && self.has_unbindable(from.mount) {
            return Err(fail!(EINVAL));
        }
        if !self.has_no_namespace_loop(task, from.mount) || self.is_mount_ancestor(from.mount, place.mount) {
            return Err(fail!(ELOOP));
        }
        self.attach_tree(task, from.mount, place)
    }

    /// Whether a mount can leave its parent, or its detached tree, for another place.
    fn can_move(&self, task: Id<Task>, mount: Id<Mount>, place: Path) -> Result<(), Failure> {
        let may = if self.is_in_namespace_of(task, mount) {
            self.has_parent(mount)
                && !self.is_locked(mount)
                && !self.mounts[self.mounts[mount].parent].is_shared
                && self.is_in_namespace_of(task, place.mount)
        } else {
            self.is_detached_root(mount)
                && self.mounts[mount].namespace != self.mounts[place.mount].namespace
                && self.may_use_mount(task, place.mount)
        };
        if may { Ok(()) } else { Err(fail!(EINVAL)) }
    }

    /// `can_move_mount_beneath()`
    fn can_move_beneath(&self, task: Id<Task>, mount: Id<Mount>, top: Id<Mount>, place: Path) -> Result<(), Failure> {
        let own = self.tasks[task].mount_namespace;
        let may = !self.is_locked(top)
            && self.mounts[mount].overmount.is_none()
            // Beneath a root makes sense only where pivot_root(".", ".") is meant.
            && self.fs_states[self.tasks[task].fs].root.mount != top
            && self.mount_namespaces[own].root != place.mount
            && !self.is_mount_ancestor(top, mount)
            && !self.propagation_would_overmount(place.mount, top, place.dentry)
            && !(self.is_in_namespace_of(task, mount)
                && self.propagation_would_overmount(place.mount, mount, place.dentry));
        if may { Ok(()) } else { Err(fail!(EINVAL)) }
    }
}

fn open_flags(cloexec: bool) -> OpenFlags {
    if cloexec { OpenFlags::O_CLOEXEC } else { OpenFlags::empty() }
}
