//! What is told about files.

use cofferdam::kernel::{AtFlags, Bytes, DeviceNumber, Fd, Mode, Stat};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, InodeKind};
use crate::linux::Linux;
use crate::mount::Path;
use crate::namespace::IdExtent;
use crate::process::Task;
use crate::walk::LookupFlags;

/// What stands for an id that a user namespace has no number for (`/proc/sys/kernel/overflowuid`).
const OVERFLOW_ID: u32 = 65534;

/// How much each entry adds to the size of a directory in a tmpfs (`BOGO_DIRENT_SIZE`).
const ENTRY_SIZE: u64 = 20;

/// The size of every file in sysfs: what it says is written when it is read.
const SYSFS_SIZE: u64 = 4096;

impl Linux {
    /// statx(2)
    pub(crate) fn statx(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: AtFlags) -> Result<Stat, Failure> {
        let synchronization = AtFlags::AT_STATX_FORCE_SYNC | AtFlags::AT_STATX_DONT_SYNC;
        if flags.contains(synchronization) {
            return Err(fail!(EINVAL, "do_statx()", "AT_STATX_FORCE_SYNC does not go with AT_STATX_DONT_SYNC"));
        }
        // A descriptor by itself is not looked up, and nobody cares for the other flags.
        if path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) && dirfd.0 >= 0 {
            let path = self.files[self.file(task, dirfd)?].path;
            return self.stat(task, path);
        }
        let others = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT | AtFlags::AT_EMPTY_PATH;
        if !(synchronization | others).contains(flags) {
            return Err(fail!(EINVAL, "vfs_statx()", "a flag is not one that the call knows"));
        }
        let path = self.lookup(task, dirfd, path, lookup_flags(flags))?;
        self.stat(task, path)
    }

    /// What statx(2) tells of a place (`vfs_statx_path()`).
    fn stat(&mut self, task: Id<Task>, path: Path) -> Result<Stat, Failure> {
        let shown = self.dentries[path.dentry].inode;
        let size = self.entry_attributes(task, shown)?;
        // An overlay tells of what is behind it.
        let real = self.innermost_path(shown).unwrap_or(path);
        let numbers = self.overlay_numbers(path.dentry);
        let object = &self.inodes[self.dentries[real.dentry].inode];
        let namespace = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
        let (uid, gid) = self.owner_through(real.mount, self.dentries[real.dentry].inode);
        let rdev = match object.kind {
            InodeKind::CharacterDevice(device) | InodeKind::BlockDevice(device) => device,
            _ => DeviceNumber::NONE,
        };
        Ok(Stat {
            file_type: object.file_type(),
            mode: Mode(object.mode),
            links: numbers.map_or(object.links, |numbers| numbers.links),
            uid: shown_id(uid, &namespace.uid_map),
            gid: shown_id(gid, &namespace.gid_map),
            size: size.unwrap_or_else(|| self.size(path.dentry)),
            inode: numbers.map_or(object.number, |numbers| numbers.inode),
            device: numbers.map_or(self.superblocks[object.superblock].device, |numbers| numbers.device),
            rdev,
            mount_id: u64::from(self.mounts[path.mount].id),
            is_mount_root: self.is_root_of_mount(path),
        })
    }

    /// The size of a file (`i_size`).
    pub(super) fn size(&self, dentry: Id<Dentry>) -> u64 {
        let inode = self.dentries[dentry].inode;
        let dentry = self.innermost_path(inode).map_or(dentry, |real| real.dentry);
        let object = &self.inodes[self.dentries[dentry].inode];
        let filesystem = &self.superblocks[object.superblock].filesystem;
        match (&object.kind, filesystem) {
            (InodeKind::Regular(_), FilesystemType::Sysfs) => SYSFS_SIZE,
            (InodeKind::Regular(content), _) => content.len(),
            (InodeKind::Symlink(target), _) => target.as_bytes().len() as u64,
            (
                InodeKind::Directory,
                FilesystemType::Rootfs | FilesystemType::Tmpfs | FilesystemType::Devtmpfs | FilesystemType::Mqueue,
            ) => ENTRY_SIZE * (2 + self.dentries[dentry].children.len() as u64),
            _ => 0,
        }
    }

    /// readlinkat(2)
    pub(crate) fn readlinkat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8]) -> Result<Bytes, Failure> {
        let place = self.lookup(task, dirfd, path, LookupFlags::EMPTY)?;
        let inode = self.dentries[place.dentry].inode;
        if !matches!(self.inodes[inode].kind, InodeKind::Symlink(_)) {
            return Err(if path.is_empty() {
                fail!(ENOENT, "do_readlinkat()", "the descriptor is not one of a symbolic link")
            } else {
                fail!(EINVAL, "do_readlinkat()", "the path does not lead to a symbolic link")
            });
        }
        self.read_link(task, place).map(Bytes)
    }
}

/// How a call walks that was given these `AT_*` flags.
pub(super) fn lookup_flags(flags: AtFlags) -> LookupFlags {
    let mut lookup = LookupFlags::empty();
    lookup.set(LookupFlags::FOLLOW, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW));
    lookup.set(LookupFlags::EMPTY, flags.contains(AtFlags::AT_EMPTY_PATH));
    lookup
}

/// The number of an id in a user namespace (`from_kuid_munged()`).
fn shown_id(id: Option<u32>, map: &[IdExtent]) -> u32 {
    id.and_then(|id| map.iter().find_map(|extent| extent.inside_of(id))).unwrap_or(OVERFLOW_ID)
}
