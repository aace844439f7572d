//! Who may write through a mount, and who does.

use cofferdam::kernel::MountFlags;

use super::{MntFlags, Mount, Path};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{InodeKind, SuperBlock};
use crate::linux::Linux;

impl Linux {
    /// Whether a mount or its filesystem is read-only (`__mnt_is_readonly()`).
    pub(crate) fn is_readonly(&self, mount: Id<Mount>) -> bool {
        let object = &self.mounts[mount];
        object.flags.contains(MntFlags::READONLY)
            || self.superblocks[object.superblock].flags.contains(MountFlags::MS_RDONLY)
    }

    /// Whether something may be changed through a mount: `EROFS` if not (`mnt_want_write()`).
    pub(crate) fn want_write(&self, mount: Id<Mount>) -> Result<(), Failure> {
        if self.mounts[mount].flags.contains(MntFlags::READONLY) {
            return Err(fail!(EROFS, "mnt_get_write_access()", "the mount is read-only"));
        }
        if self.is_readonly(mount) {
            return Err(fail!(EROFS, "mnt_get_write_access()", "the filesystem is read-only"));
        }
        Ok(())
    }

    /// Whether no file is open for writing through a mount: `EBUSY` if one is (`mnt_hold_writers()`).
    pub(crate) fn has_no_writers(&self, mount: Id<Mount>) -> Result<(), Failure> {
        if self.mounts[mount].writers > 0 {
            return Err(fail!(EBUSY, "mnt_hold_writers()", "a file is open for writing through the mount"));
        }
        Ok(())
    }

    /// Whether a filesystem is written to through a mount that is not read-only. One that is can have writers from the time
    /// before a remount, which nobody asked.
    pub(crate) fn is_written_to(&self, superblock: Id<SuperBlock>) -> bool {
        let mut mounts = self.superblocks[superblock].written_mounts.iter();
        mounts.any(|mount| !self.mounts[*mount].flags.contains(MntFlags::READONLY))
    }

    /// Counts a file that can write through a mount (`mnt_get_write_access()`).
    pub(crate) fn add_writer(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.writers += 1;
        let superblock = &mut self.superblocks[object.superblock];
        superblock.writers += 1;
        superblock.written_mounts.insert(mount);
    }

    /// Undoes one [`add_writer`](Self::add_writer) (`mnt_put_write_access()`).
    pub(crate) fn remove_writer(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.writers -= 1;
        let superblock = &mut self.superblocks[object.superblock];
        superblock.writers -= 1;
        if object.writers == 0 {
            superblock.written_mounts.remove(&mount);
        }
    }

    /// Whether opening this for writing counts among the writers of the mount: not so for devices, fifos and sockets
    /// (`special_file()`).
    pub(crate) fn counts_writers(&self, path: Path) -> bool {
        let inode = self.dentries[path.dentry].inode;
        matches!(self.inodes[inode].kind, InodeKind::Regular(_) | InodeKind::Directory)
    }
}
