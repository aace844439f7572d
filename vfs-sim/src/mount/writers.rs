//! Who may write through a mount, and who does.

use cofferdam::kernel::{Errno, MountFlags};

use super::{MntFlags, Mount, Path};
use crate::arena::Id;
use crate::filesystem::InodeKind;
use crate::linux::Linux;

impl Linux {
    /// Whether a mount or its filesystem is read-only (`__mnt_is_readonly()`).
    pub(crate) fn is_readonly(&self, mount: Id<Mount>) -> bool {
        let object = &self.mounts[mount];
        object.flags.contains(MntFlags::READONLY)
            || self.superblocks[object.superblock].flags.contains(MountFlags::MS_RDONLY)
    }

    /// Whether something may be changed through a mount: `EROFS` if not (`mnt_want_write()`).
    pub(crate) fn want_write(&self, mount: Id<Mount>) -> Result<(), Errno> {
        if self.is_readonly(mount) { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Whether opening this for writing counts among the writers of the mount: not so for devices, fifos and sockets
    /// (`special_file()`).
    pub(crate) fn counts_writers(&self, path: Path) -> bool {
        let inode = self.dentries[path.dentry].inode;
        matches!(self.inodes[inode].kind, InodeKind::Regular(_) | InodeKind::Directory)
    }
}
