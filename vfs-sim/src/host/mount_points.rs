//! The directories that a kernel makes only for others to mount on, where a table shows that it has them: they stay empty,
//! so that a mount on them hides nothing.

use crate::arena::Id;
use crate::filesystem::{Dentry, Entry, FilesystemType};
use crate::linux::Linux;

/// Those of proc that only some kernels have (`proc_create_mount_point()`).
const OF_PROC: [&[u8]; 2] = [b"openprom", b"xen"];

/// Those of sysfs that only some kernels have (`sysfs_create_mount_point()`).
const OF_SYSFS: [&[u8]; 6] =
    [b"firmware/efi/efivars", b"fs/fuse/connections", b"fs/resctrl", b"fs/selinux", b"fs/smackfs", b"kernel/config"];

impl Linux {
    /// Makes a new directory what the kernel would have made of it.
    pub(super) fn mark_mount_point(&mut self, directory: Id<Dentry>, names: &[Vec<u8>]) {
        let object = &self.dentries[directory];
        let known: &[&[u8]] = match self.superblocks[object.superblock].filesystem {
            FilesystemType::Proc => &OF_PROC,
            FilesystemType::Sysfs => &OF_SYSFS,
            _ => return,
        };
        if known.contains(&&names.join(&b'/')[..]) {
            let inode = &mut self.inodes[object.inode];
            inode.mode = 0o555;
            inode.entry = Entry::EmptyDirectory;
        }
    }
}
