//! What is done in the layers, in the name of who mounted the overlay: the same as users do by calls.

use cofferdam::kernel::{Capabilities, DeviceNumber, Errno, RenameFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, DirectoryOperations, Inode, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::syscalls::{Place, Rename};
use crate::walk::Access;

/// The number of a whiteout (`WHITEOUT_DEV`).
pub(super) const WHITEOUT: DeviceNumber = DeviceNumber::NONE;

/// Somebody has moved or removed what was made there.
pub(super) const GONE_FROM_WORK: Failure = fail!(
    EIO,
    "ovl_lock_rename_workdir()",
    "workdir was changed behind the overlay: what was just made there is not there any more"
);

impl Linux {
    /// Whether an entry of a layer stands for one that is not there (`ovl_is_whiteout()`).
    pub(super) fn is_whiteout(&self, dentry: Id<Dentry>) -> bool {
        let kind = &self.inodes[self.dentries[dentry].inode].kind;
        matches!(kind, InodeKind::CharacterDevice(device) if *device == WHITEOUT)
    }

    /// An entry of a directory of a layer (`lookup_one_unlocked()`).
    pub(super) fn find_in_layer(
        &mut self,
        task: Id<Task>,
        directory: Path,
        name: &[u8],
    ) -> Result<Option<Id<Dentry>>, Failure> {
        let inode = self.dentries[directory.dentry].inode;
        self.inode_permission(task, directory.mount, inode, Access::EXECUTE)?;
        match self.lookup_entry(task, directory.dentry, name) {
            Err(failure) if failure.is(Errno::ENOENT) || failure.is(Errno::ENAMETOOLONG) => Ok(None),
            result => result,
        }
    }

    /// Makes something under a free name (`ovl_create_real()`).
    pub(super) fn make_in_layer(
        &mut self,
        task: Id<Task>,
        directory: Path,
        name: &[u8],
        kind: InodeKind,
        mode: u32,
    ) -> Result<Id<Dentry>, Failure> {
        self.may_create(task, directory)?;
        let (operation, refusal) = match kind {
            InodeKind::Regular(_) => (
                DirectoryOperations::CREATE,
                fail!(EACCES, "vfs_create()", "no files can be made in the filesystem of the upper layer"),
            ),
            InodeKind::Directory => (
                DirectoryOperations::MAKE,
                fail!(EPERM, "vfs_mkdir()", "no directories can be made in the filesystem of the upper layer"),
            ),
            InodeKind::Symlink(_) => (
                DirectoryOperations::MAKE,
                fail!(EPERM, "vfs_symlink()", "no symbolic links can be made in the filesystem of the upper layer"),
            ),
            _ => (
                DirectoryOperations::MAKE,
                fail!(EPERM, "vfs_mknod()", "no special files can be made in the filesystem of the upper layer"),
            ),
        };
        if !self.directory_operations(directory.dentry).contains(operation) {
            return Err(refusal);
        }
        let needs_privilege = match kind {
            InodeKind::CharacterDevice(device) => device != WHITEOUT,
            InodeKind::BlockDevice(_) => true,
            _ => false,
        };
        if needs_privilege && !self.capable(task, Capabilities::CAP_MKNOD) {
            return Err(fail!(
                EPERM,
                "vfs_mknod()",
                "a device is to be made, and who mounted the overlay has no CAP_MKNOD"
            ));
        }
        let mode = match kind {
            InodeKind::Symlink(_) => 0o777,
            InodeKind::Directory => self.mode_of_new(task, directory, mode & 0o1777, true),
            _ => self.mode_of_new(task, directory, mode, false),
        };
        self.new_entry(task, directory, name, kind, mode)
    }

    /// A file without a name (`ovl_do_tmpfile()`).
    pub(super) fn make_unnamed_in_layer(
        &mut self,
        task: Id<Task>,
        directory: Path,
        mode: u32,
    ) -> Result<Id<Dentry>, Failure> {
        self.owner_of_new(task, directory.mount)?;
        let inode = self.dentries[directory.dentry].inode;
        self.inode_permission(task, directory.mount, inode, Access::WRITE | Access::EXECUTE)?;
        let mode = self.mode_of_new(task, directory, mode, false);
        let unnamed = self.new_tmpfile(task, directory, mode)?;
        let inode = self.dentries[unnamed].inode;
        self.inodes[inode].is_linkable = true;
        Ok(unnamed)
    }

    /// One more name for a file (`ovl_do_link()`).
    pub(super) fn link_in_layer(
        &mut self,
        task: Id<Task>,
        inode: Id<Inode>,
        directory: Path,
        name: &[u8],
    ) -> Result<Id<Dentry>, Failure> {
        self.may_create(task, directory)?;
        if self.has_unmapped_owner(directory.mount, inode) {
            return Err(fail!(
                EPERM,
                "vfs_link()",
                "the owner or group of the file in the upper layer is not mapped there"
            ));
        }
        self.add_link(inode)?;
        Ok(self.new_dentry(directory.dentry, Name::from(name), inode))
    }

    /// Removes an entry of a directory of a layer (`ovl_do_unlink()`, `ovl_do_rmdir()`).
    pub(super) fn remove_in_layer(
        &mut self,
        task: Id<Task>,
        directory: Path,
        dentry: Id<Dentry>,
    ) -> Result<(), Failure> {
        let as_directory = self.is_directory(dentry);
        self.remove_entry(task, directory, dentry, as_directory)
    }

    /// Removes what is not wanted any more, if that is possible (`ovl_cleanup()`).
    pub(super) fn clean_up_in_layer(&mut self, task: Id<Task>, directory: Path, dentry: Id<Dentry>) {
        let is_there = self.dentries[dentry].is_hashed && self.dentries[dentry].parent == directory.dentry;
        if is_there {
            // It stays then.
            let _ = self.remove_in_layer(task, directory, dentry);
        }
    }

    fn is_entry_of(&self, dentry: Id<Dentry>, directory: Id<Dentry>) -> bool {
        self.dentries[dentry].is_hashed && self.dentries[dentry].parent == directory
    }

    /// That neither directory is inside of the other, and what was made in the directory for work is there still
    /// (`ovl_lock_rename_workdir()`).
    pub(super) fn check_leaves_work(
        &self,
        (work, source): (Id<Dentry>, Id<Dentry>),
        directory: Id<Dentry>,
    ) -> Result<(), Failure> {
        if self.is_subdirectory(work, directory) || self.is_subdirectory(directory, work) {
            return Err(fail!(
                EIO,
                "ovl_lock_rename_workdir()",
                "the layers were changed behind the overlay: workdir and the upper directory are inside of each other"
            ));
        }
        if self.is_entry_of(source, work) { Ok(()) } else { Err(GONE_FROM_WORK) }
    }

    /// Moves something out of the directory for work, which must be where it was, and must not be inside of the other
    /// directory (`ovl_lock_rename_workdir()`).
    pub(super) fn rename_from_work(
        &mut self,
        task: Id<Task>,
        (work, source): (Path, Id<Dentry>),
        (directory, name, target): (Path, &[u8], Option<Id<Dentry>>),
        flags: RenameFlags,
    ) -> Result<(), Failure> {
        let is_gone = target.is_some_and(|target| !self.is_entry_of(target, directory.dentry));
        self.check_leaves_work((work.dentry, source), directory.dentry)?;
        if is_gone {
            return Err(fail!(
                EIO,
                "ovl_lock_rename_workdir()",
                "the upper layer was changed behind the overlay: what is to be replaced is not where it was"
            ));
        }
        self.rename_in_layer(task, (work, source), (directory, name, target), flags)
    }

    /// Gives an entry of a layer another name, in the place of what has that (`ovl_do_rename()`).
    pub(super) fn rename_in_layer(
        &mut self,
        task: Id<Task>,
        (old_directory, source): (Path, Id<Dentry>),
        (new_directory, new_name, target): (Path, &[u8], Option<Id<Dentry>>),
        flags: RenameFlags,
    ) -> Result<(), Failure> {
        let old_name = self.dentries[source].name.clone();
        let place = |directory, name| Place { directory, name, trailing_slashes: false };
        let rename = Rename {
            old: place(old_directory, old_name.as_bytes()),
            new: place(new_directory, new_name),
            source,
            target,
            flags,
        };
        self.rename(task, &rename)
    }
}
