//! statfs(2) and fstatfs(2) (`fs/statfs.c`).

use cofferdam::kernel::{Fd, MountFlags, StatFs};

use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::{FilesystemType, PAGE_SIZE, SuperBlock, TmpfsLimits};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount};
use crate::process::Task;
use crate::walk::LookupFlags;

/// `ST_VALID`: the flags are filled in.
const VALID: u64 = 0x20;

/// The number of a filesystem: that of the device, or out of a uuid, which is as good as random (`simple_statfs()`,
/// `shmem_statfs()`, `kernfs_statfs()`).
fn filesystem_id(superblock: &SuperBlock) -> u64 {
    match superblock.filesystem {
        FilesystemType::Rootfs | FilesystemType::Tmpfs | FilesystemType::Devtmpfs | FilesystemType::Sysfs => {
            // No two numbers give the same: the multiplier is odd.
            superblock.serial.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }
        // `huge_encode_dev()`
        _ => {
            let (major, minor) = (u64::from(superblock.device.major), u64::from(superblock.device.minor));
            minor & 0xff | major << 8 | (minor & !0xff) << 12
        }
    }
}

impl Linux {
    /// statfs(2)
    pub(crate) fn statfs(&mut self, task: Id<Task>, path: &[u8]) -> Result<StatFs, Failure> {
        let path = self.lookup(task, Fd::CWD, path, LookupFlags::FOLLOW)?;
        Ok(self.statistics(path.mount))
    }

    /// fstatfs(2)
    pub(crate) fn fstatfs(&mut self, task: Id<Task>, fd: Fd) -> Result<StatFs, Failure> {
        let file = self.file(task, fd)?;
        Ok(self.statistics(self.files[file].path.mount))
    }

    /// `vfs_statfs()`; all types that are simulated have blocks of a page and names of up to 255 bytes.
    fn statistics(&self, mount: Id<Mount>) -> StatFs {
        let shown = &self.superblocks[self.mounts[mount].superblock];
        // An overlay tells of what its root is.
        let root = self.dentries[shown.root].inode;
        let id = self
            .innermost_path(root)
            .map_or(self.mounts[mount].superblock, |real| self.dentries[real.dentry].superblock);
        let superblock = &self.superblocks[id];
        let identity = shown.overlay.as_ref().and_then(|overlay| overlay.shown_identity());
        let limits = self.limits(id).unwrap_or(TmpfsLimits { blocks: 0, inodes: 0 });
        let free_blocks = limits.blocks.saturating_sub(superblock.used_pages);
        StatFs {
            magic: shown.filesystem.magic(),
            block_size: PAGE_SIZE,
            fragment_size: PAGE_SIZE,
            blocks: limits.blocks,
            free_blocks,
            available_blocks: free_blocks,
            files: limits.inodes,
            free_files: superblock.free_inodes(limits.inodes),
            id: identity.unwrap_or_else(|| filesystem_id(superblock)),
            name_length: 255,
            flags: self.st_flags(mount),
        }
    }

    /// `calculate_f_flags()`
    fn st_flags(&self, mount: Id<Mount>) -> u64 {
        let of_mount = [
            (MntFlags::READONLY, 0x1),
            (MntFlags::NOSUID, 0x2),
            (MntFlags::NODEV, 0x4),
            (MntFlags::NOEXEC, 0x8),
            (MntFlags::NOATIME, 0x400),
            (MntFlags::NODIRATIME, 0x800),
            (MntFlags::RELATIME, 0x1000),
            (MntFlags::NOSYMFOLLOW, 0x2000),
        ];
        let of_superblock =
            [(MountFlags::MS_RDONLY, 0x1), (MountFlags::MS_SYNCHRONOUS, 0x10), (MountFlags::MS_MANDLOCK, 0x40)];
        let object = &self.mounts[mount];
        let superblock = self.superblocks[object.superblock].flags;
        let own = of_mount.iter().filter(|(flag, _)| object.flags.contains(*flag)).map(|(_, bit)| bit);
        let others = of_superblock.iter().filter(|(flag, _)| superblock.contains(*flag)).map(|(_, bit)| bit);
        own.chain(others).fold(VALID, |flags, bit| flags | bit)
    }
}
