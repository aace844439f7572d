//! Renaming.

use cofferdam::kernel::{DeviceNumber, Fd, RenameFlags, ResolveFlags};

use super::remove::NOT_THERE;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, DirectoryOperations, FilesystemType, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::walk::{Access, Last, Lookup, LookupFlags};

/// A name in a directory, as a path said it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) directory: Path,
    pub(crate) name: &'a [u8],
    pub(crate) trailing_slashes: bool,
}

/// A rename that is about to be done (`struct renamedata`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rename<'a> {
    pub(crate) old: Place<'a>,
    pub(crate) new: Place<'a>,
    pub(crate) source: Id<Dentry>,
    pub(crate) target: Option<Id<Dentry>>,
    pub(crate) flags: RenameFlags,
}

impl Rename<'_> {
    pub(crate) fn exchanges(&self) -> bool {
        self.flags.contains(RenameFlags::RENAME_EXCHANGE)
    }

    pub(crate) fn stays_in_directory(&self) -> bool {
        self.old.directory.dentry == self.new.directory.dentry
    }
}

impl Linux {
    /// renameat2(2)
    pub(crate) fn renameat2(
        &mut self,
        task: Id<Task>,
        old_dirfd: Fd,
        old_path: &[u8],
        new_dirfd: Fd,
        new_path: &[u8],
        flags: RenameFlags,
    ) -> Result<(), Failure> {
        check_flags(flags)?;
        let lookup = |dirfd, path| Lookup { dirfd, path, flags: LookupFlags::empty(), resolve: ResolveFlags::empty() };
        let old = self.walk_parent(task, &lookup(old_dirfd, old_path))?;
        let new = self.walk_parent(task, &lookup(new_dirfd, new_path))?;
        if old.path.mount != new.path.mount {
            return Err(fail!(EXDEV, "do_renameat2()", "the two paths lead to different mounts"));
        }
        let is_no_name =
            fail!(EBUSY, "do_renameat2()", "the last component of the old path is `.`, `..` or the root directory");
        let old = place(old.path, old.last).ok_or(is_no_name)?;
        let is_taken = if flags.contains(RenameFlags::RENAME_NOREPLACE) {
            fail!(
                EEXIST,
                "do_renameat2()",
                "the last component of the new path is `.`, `..` or the root directory, and RENAME_NOREPLACE is given"
            )
        } else {
            fail!(EBUSY, "do_renameat2()", "the last component of the new path is `.`, `..` or the root directory")
        };
        let new = place(new.path, new.last).ok_or(is_taken)?;
        self.want_write(old.directory.mount)?;
        let rename = self.look_up_rename(task, old, new, flags)?;
        self.check_slashes(&rename)?;
        self.check_ancestry(&rename)?;
        self.rename(task, &rename)
    }

    /// Looks both names up.
    fn look_up_rename<'a>(
        &mut self,
        task: Id<Task>,
        old: Place<'a>,
        new: Place<'a>,
        flags: RenameFlags,
    ) -> Result<Rename<'a>, Failure> {
        let source = self.lookup_entry(task, old.directory.dentry, old.name)?.ok_or(NOT_THERE)?;
        let target = self.lookup_entry(task, new.directory.dentry, new.name)?;
        match target {
            Some(_) if flags.contains(RenameFlags::RENAME_NOREPLACE) => Err(fail!(
                EEXIST,
                "lookup_one_qstr_excl()",
                "there is something at the new path, and RENAME_NOREPLACE is given"
            )),
            None if flags.contains(RenameFlags::RENAME_EXCHANGE) => Err(fail!(
                ENOENT,
                "lookup_one_qstr_excl()",
                "there is nothing at the new path, and RENAME_EXCHANGE is given"
            )),
            _ => Ok(Rename { old, new, source, target, flags }),
        }
    }

    /// Slashes behind a name are for directories.
    fn check_slashes(&self, rename: &Rename<'_>) -> Result<(), Failure> {
        let is_target_directory = rename.target.is_some_and(|target| self.is_directory(target));
        if rename.exchanges() && !is_target_directory && rename.new.trailing_slashes {
            return Err(fail!(
                ENOTDIR,
                "do_renameat2()",
                "the new path ends with a slash, and does not lead to a directory"
            ));
        }
        let is_no_directory =
            fail!(ENOTDIR, "do_renameat2()", "a path ends with a slash, and what is to be renamed is no directory");
        let has_slashes = rename.old.trailing_slashes || (!rename.exchanges() && rename.new.trailing_slashes);
        if has_slashes && !self.is_directory(rename.source) { Err(is_no_directory) } else { Ok(()) }
    }

    /// A directory can't get into itself, nor can what is in it take its place (`lock_rename()`).
    fn check_ancestry(&self, rename: &Rename<'_>) -> Result<(), Failure> {
        if self.is_subdirectory(rename.new.directory.dentry, rename.source) {
            return Err(fail!(EINVAL, "do_renameat2()", "a directory would be moved into itself"));
        }
        if rename.target.is_some_and(|target| self.is_subdirectory(rename.old.directory.dentry, target)) {
            return Err(if rename.exchanges() {
                fail!(EINVAL, "do_renameat2()", "the directory at the new path would be moved into itself")
            } else {
                fail!(ENOTEMPTY, "do_renameat2()", "what is to be renamed is below the directory at the new path")
            });
        }
        Ok(())
    }

    /// `vfs_rename()`
    pub(crate) fn rename(&mut self, task: Id<Task>, rename: &Rename<'_>) -> Result<(), Failure> {
        let Rename { old, new, source, target, .. } = *rename;
        let inode = self.dentries[source].inode;
        if target.is_some_and(|target| self.dentries[target].inode == inode) {
            return Ok(());
        }
        self.may_rename(task, rename)?;
        let is_mountpoint = |dentry| self.is_local_mountpoint(task, dentry);
        if is_mountpoint(source) {
            return Err(fail!(EBUSY, "vfs_rename()", "the old path is a mount point in the process's mount namespace"));
        }
        if target.is_some_and(is_mountpoint) {
            return Err(fail!(EBUSY, "vfs_rename()", "the new path is a mount point in the process's mount namespace"));
        }
        self.check_flags_of_filesystem(rename)?;
        if self.is_overlay(source) {
            return self.rename_in_overlay(task, rename);
        }
        if let (true, Some(target)) = (rename.exchanges(), target) {
            self.exchange_links(rename, target);
            self.exchange_dentries(source, target);
            return Ok(());
        }
        if let Some(target) = target {
            if self.is_directory(target) {
                self.ask_for_listing(target);
            }
            if !self.dentries[target].children.is_empty() {
                return Err(fail!(ENOTEMPTY, "simple_rename()", "there is something in the directory at the new path"));
            }
        }
        let whites_out = rename.flags.contains(RenameFlags::RENAME_WHITEOUT);
        if whites_out {
            self.owner_of_new(task, old.directory.mount)?;
            self.has_free_inode(self.dentries[source].superblock)?;
        }
        let destination = self.destination(new.directory.dentry, Name::from(new.name), target);
        self.move_links(rename);
        if let Some(target) = target {
            self.remove_links(target);
            self.drop_name(target);
        }
        self.lift_dentry(source);
        if whites_out {
            self.new_entry(task, old.directory, old.name, InodeKind::CharacterDevice(DeviceNumber::NONE), 0)?;
        }
        self.put_down_dentry(source, destination);
        Ok(())
    }

    /// Whether a process may rename, and the filesystem can.
    fn may_rename(&self, task: Id<Task>, rename: &Rename<'_>) -> Result<(), Failure> {
        let Rename { old, new, source, target, .. } = *rename;
        let is_directory = self.is_directory(source);
        let is_target_directory = target.is_some_and(|target| self.is_directory(target));
        self.may_delete(task, old.directory, source, is_directory)?;
        match target {
            None => self.may_create(task, new.directory)?,
            Some(target) => {
                let as_directory = if rename.exchanges() { is_target_directory } else { is_directory };
                self.may_delete(task, new.directory, target, as_directory)?;
            }
        }
        if !self.directory_operations(old.directory.dentry).contains(DirectoryOperations::RENAME) {
            return Err(fail!(EPERM, "vfs_rename()", "the filesystem lets nobody rename here"));
        }
        if rename.stays_in_directory() {
            return Ok(());
        }
        // Their `..` changes.
        let changes = [(source, is_directory)]
            .into_iter()
            .chain(target.map(|target| (target, rename.exchanges() && is_target_directory)));
        for (dentry, is_changed) in changes {
            if is_changed {
                self.inode_permission(task, old.directory.mount, self.dentries[dentry].inode, Access::WRITE)?;
            }
        }
        Ok(())
    }

    /// What the filesystem says to the flags (`simple_rename()`, `ovl_rename()`, `kernfs_iop_rename()`).
    fn check_flags_of_filesystem(&self, rename: &Rename<'_>) -> Result<(), Failure> {
        let superblock = self.dentries[rename.source].superblock;
        let without_whiteout = RenameFlags::RENAME_NOREPLACE | RenameFlags::RENAME_EXCHANGE;
        let (known, otherwise) = match self.superblocks[superblock].filesystem {
            FilesystemType::Sysfs => {
                (RenameFlags::empty(), fail!(EINVAL, "kernfs_iop_rename()", "the filesystem knows no flags"))
            }
            FilesystemType::Ramfs => (
                without_whiteout,
                fail!(EINVAL, "simple_rename()", "RENAME_WHITEOUT is given, which the filesystem can't do"),
            ),
            FilesystemType::Overlay => (
                without_whiteout,
                fail!(EINVAL, "ovl_rename()", "RENAME_WHITEOUT is given, which the filesystem can't do"),
            ),
            _ => return Ok(()),
        };
        if !known.contains(rename.flags) {
            return Err(otherwise);
        }
        if self.refuses_changes(rename.old.directory.dentry) {
            return Err(fail!(EPERM, "kernfs_iop_rename()", "the filesystem lets nobody rename here"));
        }
        Ok(())
    }

    /// The `..` of a directory that moves is a link to where it is; one that is replaced had one too.
    fn move_links(&mut self, rename: &Rename<'_>) {
        if !self.is_directory(rename.source) {
            return;
        }
        let old = self.dentries[rename.old.directory.dentry].inode;
        let new = self.dentries[rename.new.directory.dentry].inode;
        if rename.target.is_none() {
            self.inodes[new].links += 1;
        }
        self.drop_link(old);
    }

    /// The same for two that change places (`simple_rename_exchange()`).
    fn exchange_links(&mut self, rename: &Rename<'_>, target: Id<Dentry>) {
        let old = self.dentries[rename.old.directory.dentry].inode;
        let new = self.dentries[rename.new.directory.dentry].inode;
        let (gaining, losing) = match (self.is_directory(rename.source), self.is_directory(target)) {
            (true, false) => (new, old),
            (false, true) => (old, new),
            _ => return,
        };
        self.inodes[gaining].links += 1;
        self.drop_link(losing);
    }
}

/// The flags that renameat2(2) knows and can do together.
fn check_flags(flags: RenameFlags) -> Result<(), Failure> {
    let known = RenameFlags::RENAME_NOREPLACE | RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT;
    let one_way = RenameFlags::RENAME_NOREPLACE | RenameFlags::RENAME_WHITEOUT;
    if !known.contains(flags) {
        return Err(fail!(EINVAL, "do_renameat2()", "a flag is not one that the call knows"));
    }
    if flags.contains(RenameFlags::RENAME_EXCHANGE) && flags.intersects(one_way) {
        return Err(fail!(
            EINVAL,
            "do_renameat2()",
            "RENAME_EXCHANGE does not go with RENAME_NOREPLACE or RENAME_WHITEOUT"
        ));
    }
    Ok(())
}

/// A name that can be renamed, which `.`, `..` and the root can not.
fn place(directory: Path, last: Last<'_>) -> Option<Place<'_>> {
    match last {
        Last::Normal { name, trailing_slashes } => Some(Place { directory, name, trailing_slashes }),
        _ => None,
    }
}
