//! Removing names.

use cofferdam::kernel::{AtFlags, Capabilities, Fd, ResolveFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, DirectoryOperations, Inode};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::Task;
use crate::walk::{Access, Last, Lookup, LookupFlags, Parent};

impl Linux {
    /// unlinkat(2)
    pub(crate) fn unlinkat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: AtFlags) -> Result<(), Failure> {
        if !AtFlags::AT_REMOVEDIR.contains(flags) {
            return Err(fail!(EINVAL));
        }
        let lookup = Lookup { dirfd, path, flags: LookupFlags::empty(), resolve: ResolveFlags::empty() };
        let parent = self.walk_parent(task, &lookup)?;
        if flags.contains(AtFlags::AT_REMOVEDIR) { self.rmdir(task, parent) } else { self.unlink(task, parent) }
    }

    /// Removes a directory (`filename_rmdir()`, `vfs_rmdir()`).
    fn rmdir(&mut self, task: Id<Task>, parent: Parent<'_>) -> Result<(), Failure> {
        let name = match parent.last {
            Last::Normal { name, .. } => name,
            Last::DotDot => return Err(fail!(ENOTEMPTY)),
            Last::Dot => return Err(fail!(EINVAL)),
            Last::Root => return Err(fail!(EBUSY)),
        };
        let directory = parent.path;
        self.want_write(directory.mount)?;
        let dentry = self.lookup_entry(task, directory.dentry, name)?.ok_or(fail!(ENOENT))?;
        self.remove_entry(task, directory, dentry, true)
    }

    /// Removes what is no directory (`filename_unlinkat()`, `vfs_unlink()`).
    fn unlink(&mut self, task: Id<Task>, parent: Parent<'_>) -> Result<(), Failure> {
        let Last::Normal { name, trailing_slashes } = parent.last else { return Err(fail!(EISDIR)) };
        let directory = parent.path;
        self.want_write(directory.mount)?;
        let dentry = self.lookup_entry(task, directory.dentry, name)?.ok_or(fail!(ENOENT))?;
        if trailing_slashes {
            return Err(if self.is_directory(dentry) { fail!(EISDIR) } else { fail!(ENOTDIR) });
        }
        self.remove_entry(task, directory, dentry, false)
    }

    /// Takes an entry out of its directory, `as_directory` or as something else (`vfs_rmdir()`, `vfs_unlink()`).
    pub(crate) fn remove_entry(
        &mut self,
        task: Id<Task>,
        directory: Path,
        dentry: Id<Dentry>,
        as_directory: bool,
    ) -> Result<(), Failure> {
        let operation = if as_directory { DirectoryOperations::RMDIR } else { DirectoryOperations::UNLINK };
        self.may_delete(task, directory, dentry, as_directory)?;
        self.may_detach(task, directory, dentry, operation)?;
        self.dentry_get(dentry);
        let result = self.remove_from_filesystem(task, directory.dentry, dentry, as_directory);
        if result.is_ok() {
            self.drop_name(dentry);
        }
        self.dentry_put(dentry);
        result
    }

    /// What the filesystem does to remove an entry, which keeps its name for now (`i_op->rmdir`, `i_op->unlink`).
    fn remove_from_filesystem(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        dentry: Id<Dentry>,
        as_directory: bool,
    ) -> Result<(), Failure> {
        if self.is_overlay(dentry) {
            return self.remove_in_overlay(task, dentry);
        }
        if as_directory {
            self.ask_for_listing(dentry);
            if !self.dentries[dentry].children.is_empty() {
                return Err(fail!(ENOTEMPTY));
            }
        }
        self.remove_links(dentry);
        if as_directory {
            self.drop_link(self.dentries[directory].inode);
        }
        Ok(())
    }

    /// Whether a process may take an entry out of a directory, `as_directory` or as something else (`may_delete()`).
    pub(super) fn may_delete(
        &self,
        task: Id<Task>,
        directory: Path,
        victim: Id<Dentry>,
        as_directory: bool,
    ) -> Result<(), Failure> {
        let mount = directory.mount;
        let (parent, inode) = (self.dentries[directory.dentry].inode, self.dentries[victim].inode);
        if self.has_unmapped_owner(mount, inode) {
            return Err(fail!(EOVERFLOW));
        }
        self.inode_permission(task, mount, parent, Access::WRITE | Access::EXECUTE)?;
        if self.is_protected_by_sticky_bit(task, mount, parent, inode) || self.is_immutable(inode) {
            return Err(fail!(EPERM));
        }
        let is_root = self.dentries[victim].parent == victim;
        match (as_directory, self.is_directory(victim)) {
            (true, false) => Err(fail!(ENOTDIR)),
            (true, true) if is_root => Err(fail!(EBUSY)),
            (false, true) => Err(fail!(EISDIR)),
            _ if self.is_dead(directory.dentry) => Err(fail!(ENOENT)),
            _ => Ok(()),
        }
    }

    /// Whether a directory is one in which everybody can remove only what is theirs, and this is not (`check_sticky()`).
    fn is_protected_by_sticky_bit(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        directory: Id<Inode>,
        inode: Id<Inode>,
    ) -> bool {
        const STICKY: u32 = 0o1000;
        let user = Some(self.tasks[task].credentials.filesystem_uid);
        self.inodes[directory].mode & STICKY != 0
            && self.owner_through(mount, inode).0 != user
            && self.owner_through(mount, directory).0 != user
            && !self.capable_over_inode(task, mount, inode, Capabilities::CAP_FOWNER)
    }

    /// Whether the filesystem can remove an entry, and nothing is mounted on it where the process sees it.
    fn may_detach(
        &self,
        task: Id<Task>,
        directory: Path,
        dentry: Id<Dentry>,
        operation: DirectoryOperations,
    ) -> Result<(), Failure> {
        if !self.directory_operations(directory.dentry).contains(operation) {
            return Err(fail!(EPERM));
        }
        if self.is_local_mountpoint(task, dentry) {
            return Err(fail!(EBUSY));
        }
        if self.refuses_changes(directory.dentry) { Err(fail!(EPERM)) } else { Ok(()) }
    }

    /// Takes the links away that an entry stands for: two for a directory (`simple_unlink()`, `simple_rmdir()`).
    pub(crate) fn remove_links(&mut self, dentry: Id<Dentry>) {
        let inode = self.dentries[dentry].inode;
        let object = &self.inodes[inode];
        if object.is_directory() {
            self.drop_link(inode);
        } else if object.links > 1 {
            // The last name counts until the file is gone.
            let superblock = &mut self.superblocks[object.superblock];
            superblock.used_inodes = superblock.used_inodes.saturating_sub(1);
        }
        self.drop_link(inode);
    }

    /// Takes a name away whose link is gone, and unmounts what others have mounted on it (the end of `vfs_unlink()`,
    /// `vfs_rmdir()` and `vfs_rename()`).
    pub(crate) fn drop_name(&mut self, dentry: Id<Dentry>) {
        self.dentry_get(dentry);
        let inode = self.dentries[dentry].inode;
        self.inodes[inode].is_dead = self.inodes[inode].is_directory();
        self.dentries[dentry].cant_mount = true;
        self.detach_mounts(dentry);
        self.unhash(dentry);
        self.dentry_put(dentry);
    }
}
