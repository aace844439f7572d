//! What the directories of a filesystem can do (`struct inode_operations`).

use bitflags::bitflags;

use super::{Dentry, Entry, FilesystemType};
use crate::arena::Id;
use crate::linux::Linux;

bitflags! {
    /// What users can do in a directory, as far as its filesystem goes (`struct inode_operations`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct DirectoryOperations: u32 {
        /// Make regular files (`create`).
        const CREATE = 1;
        /// Make anything else, and links (`mkdir`, `mknod`, `symlink`, `link`).
        const MAKE = 1 << 1;
        /// Remove what is no directory (`unlink`).
        const UNLINK = 1 << 2;
        /// Remove directories (`rmdir`).
        const RMDIR = 1 << 3;
        /// Give other names (`rename`).
        const RENAME = 1 << 4;
    }
}

impl Linux {
    /// What users can do in a directory, as far as its filesystem goes.
    pub(crate) fn directory_operations(&self, directory: Id<Dentry>) -> DirectoryOperations {
        let dentry = &self.dentries[directory];
        if self.inodes[dentry.inode].entry == Entry::EmptyDirectory {
            return DirectoryOperations::empty();
        }
        match self.superblocks[dentry.superblock].filesystem {
            FilesystemType::Proc
            | FilesystemType::Devpts
            | FilesystemType::Nsfs
            | FilesystemType::Pipefs
            | FilesystemType::AnonInodeFs => DirectoryOperations::empty(),
            // It has them for others than users: they are refused at the very end.
            FilesystemType::Sysfs => DirectoryOperations::RMDIR | DirectoryOperations::RENAME,
            FilesystemType::Mqueue => DirectoryOperations::CREATE | DirectoryOperations::UNLINK,
            FilesystemType::Rootfs
            | FilesystemType::Tmpfs
            | FilesystemType::Ramfs
            | FilesystemType::Devtmpfs
            | FilesystemType::Overlay
            | FilesystemType::Foreign(_) => DirectoryOperations::all(),
        }
    }

    /// Whether the filesystem of a directory refuses in the end what it has an operation for (`kernfs_iop_rmdir()`,
    /// `kernfs_iop_rename()`).
    pub(crate) fn refuses_changes(&self, directory: Id<Dentry>) -> bool {
        let superblock = self.dentries[directory].superblock;
        self.superblocks[superblock].filesystem == FilesystemType::Sysfs
    }
}
