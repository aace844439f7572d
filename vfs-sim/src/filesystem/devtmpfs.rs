//! devtmpfs: the device nodes of the kernel (`drivers/base/devtmpfs.c`).

use cofferdam::kernel::DeviceNumber;

use super::{InodeKind, Name, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;

/// The devices that every machine has: name, permissions, major and minor number
/// (`Documentation/admin-guide/devices.txt`), in the order in which they come.
const NODES: [(&str, u32, u32, u32); 10] = [
    ("null", 0o666, 1, 3),
    ("zero", 0o666, 1, 5),
    ("full", 0o666, 1, 7),
    ("random", 0o666, 1, 8),
    ("urandom", 0o666, 1, 9),
    ("kmsg", 0o644, 1, 11),
    ("tty", 0o666, 5, 0),
    ("console", 0o600, 5, 1),
    ("tty0", 0o600, 4, 0),
    ("ptmx", 0o666, 5, 2),
];

impl Linux {
    /// The instance that all mounts of devtmpfs share.
    pub(super) fn fill_devtmpfs(&mut self, superblock: Id<SuperBlock>) {
        let root = self.superblocks[superblock].root;
        for (name, mode, major, minor) in NODES {
            let kind = InodeKind::CharacterDevice(DeviceNumber { major, minor });
            let inode = self.new_inode(superblock, kind, mode, (0, 0));
            self.new_dentry(root, Name::from(name), inode);
        }
    }
}
