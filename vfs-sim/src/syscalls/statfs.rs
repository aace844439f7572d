//! statfs(2) and fstatfs(2) (`fs/statfs.c`).

use cofferdam::kernel::{Errno, Fd, MountFlags, StatFs};

use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount};
use crate::process::Task;
use crate::walk::LookupFlags;

/// `ST_VALID`: the flags are filled in.
const VALID: u64 = 0x20;

impl Linux {
    /// statfs(2)
    pub(crate) fn statfs(&mut self, task: Id<Task>, path: &[u8]) -> Result<StatFs, Errno> {
        let path = self.lookup(task, Fd::CWD, path, LookupFlags::FOLLOW)?;
        Ok(self.statistics(path.mount))
    }

    /// fstatfs(2)
    pub(crate) fn fstatfs(&mut self, task: Id<Task>, fd: Fd) -> Result<StatFs, Errno> {
        let file = self.file(task, fd)?;
        Ok(self.statistics(self.files[file].path.mount))
    }

    /// `vfs_statfs()`; all types that are simulated have blocks of a page and names of up to 255 bytes.
    fn statistics(&self, mount: Id<Mount>) -> StatFs {
        let superblock = &self.superblocks[self.mounts[mount].superblock];
        StatFs { magic: superblock.filesystem.magic(), block_size: 4096, name_length: 255, flags: self.st_flags(mount) }
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
