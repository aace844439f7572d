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
        if !known.contains(flags) {
            return Err(fail!(EINVAL, "vfs_open_tree()", "a flag is not one that the call knows"));
        }
        if recurse && !is_copy {
            return Err(fail!(EINVAL, "vfs_open_tree()", "AT_RECURSIVE is given without OPEN_TREE_CLONE"));
        }
        if is_copy {
            self.check_may_mount(task)?;
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
        self.check_may_mount(task)?;
        if flags.bits() & !0x377 != 0 {
            return Err(fail!(EINVAL, "sys_move_mount()", "a flag is not one that the call knows"));
        }
        if flags.contains(MoveMountFlags::MOVE_MOUNT_BENEATH | MoveMountFlags::MOVE_MOUNT_SET_GROUP) {
            return Err(fail!(
                EINVAL,
                "sys_move_mount()",
                "MOVE_MOUNT_BENEATH is given together with MOVE_MOUNT_SET_GROUP"
            ));
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
            self.set_group(task, from, to)
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
    fn set_group(&mut self, task: Id<Task>, from: Path, to: Path) -> Result<(), Failure> {
        self.can_set_group(task, from, to)?;
        let (from, to) = (from.mount, to.mount);
        if self.mounts[from].master.is_some() {
            self.become_slave_behind(to, from);
        }
        if self.mounts[from].is_shared {
            self.mounts[to].group = self.mounts[from].group;
            self.join_peers(to, from);
            self.set_shared(to);
        }
        Ok(())
    }
}

fn open_flags(cloexec: bool) -> OpenFlags {
    if cloexec { OpenFlags::O_CLOEXEC } else { OpenFlags::empty() }
}
