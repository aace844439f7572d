//! Stands in for what `filesystem/` is to tell of types and their options; to be removed.

use cofferdam::kernel::MountFlags;

use crate::arena::Id;
use crate::filesystem::{FilesystemType, SuperBlock};
use crate::linux::Linux;

impl FilesystemType {
    pub(crate) fn name(&self) -> &[u8] {
        match self {
            Self::Rootfs => b"rootfs",
            Self::Tmpfs => b"tmpfs",
            Self::Ramfs => b"ramfs",
            Self::Proc => b"proc",
            Self::Sysfs => b"sysfs",
            Self::Devpts => b"devpts",
            Self::Devtmpfs => b"devtmpfs",
            Self::Overlay => b"overlay",
            Self::Mqueue => b"mqueue",
            Self::Nsfs => b"nsfs",
            Self::Pipefs => b"pipefs",
            Self::AnonInodeFs => b"anon_inodefs",
            Self::Foreign(name) => name.as_bytes(),
        }
    }

    pub(crate) fn magic(&self) -> u64 {
        0x0102_1994
    }
}

impl Linux {
    pub(crate) fn show_options(&self, superblock: Id<SuperBlock>) -> Vec<u8> {
        let mut text = Vec::new();
        self.push_super_flags(superblock, &mut text);
        for (name, value) in &self.superblocks[superblock].options {
            text.push(b',');
            text.extend_from_slice(name.as_bytes());
            if let Some(value) = value {
                text.push(b'=');
                text.extend_from_slice(value.as_bytes());
            }
        }
        let _ = MountFlags::empty();
        text
    }
}
