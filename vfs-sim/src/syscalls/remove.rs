//! Removing names.

use cofferdam::kernel::{AtFlags, Capabilities, Fd, ResolveFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, DirectoryOperations, Inode};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::Task;
use crate::walk::{Access, Last, Lookup, LookupFlags, Parent};

/// A name that is to be removed or changed is one that is there.
pub(super) const NOT_THERE: Failure =
    fail!(ENOENT, "lookup_one_qstr_excl()", "the directory has no entry of this name");

impl Linux {
    /// unlinkat(2)
    pub(crate) fn unlinkat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: AtFlags) -> Result<(), Failure> {
        if !AtFlags::AT_REMOVEDIR.contains(flags) {
            return Err(fail!(EINVAL, "sys_unlinkat()", "a flag is not one that the call knows: AT_REMOVEDIR"));
        }
        let lookup = Lookup { dirfd, path, flags: LookupFlags::empty(), resolve: ResolveFlags::empty() };
        let parent = self.walk_parent(task, &lookup)?;
        if flags.contains(AtFlags::AT_REMOVEDIR) { self.rmdir(task, parent) } else { self.unlink(task, parent) }
    }

    /// Removes a directory (`do_rmdir()`, `vfs_rmdir()`).
    fn rmdir(&mut self, task: Id<Task>, parent: Parent<'_>) -> Result<(), Failure> {
        let name = match parent.last {
            Last::Normal { name, .. } => name,
            Last::DotDot => {
                return Err(fail!(
                    ENOTEMPTY,
                    "do_rmdir()",
                    "the last component of the path is `..`, which can't be removed"
                ));
            }
            Last::Dot => {
                return Err(fail!(
                    EINVAL,
                    "do_rmdir()",
                    "the last component of the path is `.`, which can't be removed"
                ));
            }
            Last::Root => return Err(fail!(EBUSY, "do_rmdir()", "the root directory can't be removed")),
        };
        let directory = parent.path;
        self.want_write(directory.mount)?;
        let dentry = self.lookup_entry(task, directory.dentry, name)?.ok_or(NOT_THERE)?;
        self.remove_entry(task, directory, dentry, true)
    }

    /// Removes what is no directory (`do_unlinkat()`, `vfs_unlink()`).
    fn unlink(&mut self, task: Id<Task>, parent: Parent<'_>) -> Result<(), Failure> {
        let Last::Normal { name, trailing_slashes } = parent.last else {
            return Err(fail!(
                EISDIR,
                "do_unlinkat()",
                "the last component of the path is `.`, `..` or the root directory"
            ));
        };
        let directory = parent.path;
        self.want_write(directory.mount)?;
        let dentry = self.lookup_entry(task, directory.dentry, name)?.ok_or(NOT_THERE)?;
        if trailing_slashes {
            return Err(if self.is_directory(dentry) {
                fail!(EISDIR, "do_unlinkat()", "the path ends with a slash and leads to a directory")
            } else {
                fail!(ENOTDIR, "do_unlinkat()", "the path ends with a slash, and does not lead to a directory")
            });
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
                return Err(fail!(ENOTEMPTY, "simple_rmdir()", "there is something in the directory"));
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
            return Err(fail!(
                EOVERFLOW,
                "may_delete()",
                "the owner or the group of what the path leads to has no number through this mount"
            ));
        }
        self.inode_permission(task, mount, parent, Access::WRITE | Access::EXECUTE)?;
        if self.is_protected_by_sticky_bit(task, mount, parent, inode) {
            return Err(fail!(
                EPERM,
                "check_sticky()",
                "the directory is sticky: only the owner, the directory's owner or CAP_FOWNER takes entries out"
            ));
        }
        if self.is_immutable(inode) {
            return Err(fail!(EPERM, "may_delete()", "what the path leads to is immutable"));
        }
        let is_root = self.dentries[victim].parent == victim;
        match (as_directory, self.is_directory(victim)) {
            (true, false) => Err(fail!(ENOTDIR, "may_delete()", "what would be removed or replaced is no directory")),
            (true, true) if is_root => {
                Err(fail!(EBUSY, "may_delete()", "what would be removed or replaced is the root of a filesystem"))
            }
            (false, true) => Err(fail!(EISDIR, "may_delete()", "what would be removed or replaced is a directory")),
            _ if self.is_dead(directory.dentry) => {
                Err(fail!(ENOENT, "may_delete()", "the directory that it is in was removed"))
            }
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
        let (cant_remove, is_mountpoint) = if operation == DirectoryOperations::RMDIR {
            (
                fail!(EPERM, "vfs_rmdir()", "the filesystem lets nobody remove directories here"),
                fail!(EBUSY, "vfs_rmdir()", "the directory is a mount point in the process's mount namespace"),
            )
        } else {
            (
                fail!(EPERM, "vfs_unlink()", "the filesystem lets nobody remove files here"),
                fail!(EBUSY, "vfs_unlink()", "the file is a mount point in the process's mount namespace"),
            )
        };
        if !self.directory_operations(directory.dentry).contains(operation) {
            return Err(cant_remove);
        }
        if self.is_local_mountpoint(task, dentry) {
            return Err(is_mountpoint);
        }
        if self.refuses_changes(directory.dentry) {
            return Err(fail!(EPERM, "kernfs_iop_rmdir()", "the filesystem lets nobody remove directories here"));
        }
        Ok(())
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
