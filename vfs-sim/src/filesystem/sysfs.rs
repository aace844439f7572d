//! sysfs: the directories that a container sees and hides, without what devices and drivers put into them (`fs/kernfs/`).

use super::{Dentry, Entry, FilesystemType, InodeKind, Name, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;

/// The directories, parents first.
const DIRECTORIES: [&str; 27] = [
    "block",
    "bus",
    "bus/cpu",
    "bus/pci",
    "class",
    "class/block",
    "class/mem",
    "class/net",
    "class/tty",
    "dev",
    "dev/block",
    "dev/char",
    "devices",
    "devices/system",
    "devices/virtual",
    "firmware",
    "firmware/acpi",
    "firmware/memmap",
    "fs",
    "fs/ext4",
    "fs/tmpfs",
    "kernel",
    "kernel/irq",
    "kernel/mm",
    "kernel/slab",
    "module",
    "power",
];

/// The directories that are there to be mounted on (`sysfs_create_mount_point()`).
const MOUNT_POINTS: [&str; 6] =
    ["fs/bpf", "fs/cgroup", "fs/pstore", "kernel/debug", "kernel/security", "kernel/tracing"];

impl Linux {
    /// A new sysfs with all that is in it.
    pub(super) fn fill_sysfs(&mut self, superblock: Id<SuperBlock>) {
        let root = self.root_inode(superblock);
        self.inodes[root].mode = 0o555;
        for path in DIRECTORIES {
            self.add_to_sysfs(superblock, path, 0o755, Entry::None);
        }
        for path in MOUNT_POINTS {
            self.add_to_sysfs(superblock, path, 0o555, Entry::EmptyDirectory);
        }
    }

    fn add_to_sysfs(&mut self, superblock: Id<SuperBlock>, path: &str, mode: u32, entry: Entry) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let root = self.superblocks[superblock].root;
        let parent = self.dentries[root].children.get(above.as_bytes()).copied().unwrap_or(root);
        let inode = self.new_inode(superblock, InodeKind::Directory, mode, (0, 0));
        self.inodes[inode].entry = entry;
        let directory = self.dentries[parent].inode;
        self.inodes[directory].links += 1;
        self.new_dentry(parent, Name::from(name), inode);
    }

    /// The entries of a directory of sysfs, each with its position, in the order in which they are listed: by the hash of
    /// their names (`kernfs_fop_readdir()`); none for a directory of another filesystem.
    pub(crate) fn list_sysfs(&self, directory: Id<Dentry>) -> Option<Vec<(u64, Id<Dentry>)>> {
        let object = &self.dentries[directory];
        if self.superblocks[object.superblock].filesystem != FilesystemType::Sysfs {
            return None;
        }
        let hashed = object.children.iter().map(|(name, child)| (name_hash(name.as_bytes()), *child));
        let mut entries: Vec<(u64, Id<Dentry>)> = hashed.collect();
        entries
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.dentries[a.1].name.cmp(&self.dentries[b.1].name)));
        Some(entries)
    }
}

/// `kernfs_name_hash()`, with the multiplier of `hash_64()`.
fn name_hash(name: &[u8]) -> u64 {
    let sum = name.iter().fold(0_u64, |hash, byte| {
        let byte = u64::from(*byte);
        hash.wrapping_add(byte << 4).wrapping_add(byte >> 4).wrapping_mul(11)
    });
    let hash = (sum.wrapping_mul(0x61C8_8646_80B5_83EB) >> 32) & 0x7FFF_FFFF;
    // 0, 1 and the highest are for `.`, `..` and the end.
    let hash = if hash < 2 { hash + 2 } else { hash };
    hash.min(0x7FFF_FFFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_the_kernel() {
        let mut linux = Linux::new();
        let superblock = linux.new_superblock(FilesystemType::Sysfs, linux.initial_user_namespace);
        linux.fill_sysfs(superblock);
        let root = linux.superblocks[superblock].root;
        let names = |linux: &Linux, directory| -> Vec<String> {
            let listed = linux.list_sysfs(directory).unwrap().into_iter();
            listed.map(|(_, dentry)| String::from_utf8_lossy(linux.dentries[dentry].name.as_bytes()).into()).collect()
        };
        let expected = ["kernel", "power", "class", "devices", "dev", "fs", "bus", "firmware", "block", "module"];
        assert_eq!(names(&linux, root), expected);
        let fs = linux.dentries[root].children[b"fs".as_slice()];
        assert_eq!(names(&linux, fs), ["pstore", "bpf", "tmpfs", "ext4", "cgroup"]);
        assert_eq!(linux.inodes[linux.dentries[root].inode].links, 12);
        assert_eq!(linux.inodes[linux.dentries[fs].inode].links, 7);
    }
}
