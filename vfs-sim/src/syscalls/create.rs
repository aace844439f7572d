//! Making directories, nodes and links.

use std::sync::Arc;

use cofferdam::kernel::{AtFlags, Capabilities, DeviceNumber, Fd, FileType, Mode, NodeMode};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{DirectoryOperations, Inode, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::Task;
use crate::walk::{Access, LookupFlags, NewName};

/// All permission bits (`S_IALLUGO`).
const ALL: u32 = 0o7777;

/// Those that mkdir(2) takes: the set-id bits are not for it (`vfs_mkdir()`).
const OF_DIRECTORIES: u32 = 0o1777;

/// What the file type is in a mode (`S_IFMT`).
const TYPE: u32 = 0o170_000;

/// The longest target of a symbolic link, without the NUL behind it (`shmem_symlink()`, `page_symlink()`).
const MAX_TARGET: usize = 4095;

/// A character device with this number stands for a file that is not there, in overlayfs(5); everybody can make one
/// (`WHITEOUT_DEV`).
const WHITEOUT: DeviceNumber = DeviceNumber::NONE;

impl Linux {
    /// mkdirat(2)
    pub(crate) fn mkdirat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], mode: Mode) -> Result<(), Failure> {
        let NewName { directory, name } = self.filename_create(task, dirfd, path, true)?;
        let cant_make = fail!(EPERM, "vfs_mkdir()", "the filesystem lets nobody make directories here");
        self.may_make(task, directory, DirectoryOperations::MAKE, cant_make)?;
        let mode = self.mode_of_new(task, directory, mode.0 & OF_DIRECTORIES, true);
        self.new_entry(task, directory, name, InodeKind::Directory, mode)?;
        Ok(())
    }

    /// mknodat(2)
    pub(crate) fn mknodat(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        mode: NodeMode,
        device: DeviceNumber,
    ) -> Result<(), Failure> {
        check_device_number(device)?;
        let bits = mode.file_type.bits() | mode.mode.0;
        let kind = node_kind(bits, device)?;
        let NewName { directory, name } = self.filename_create(task, dirfd, path, false)?;
        if matches!(kind, InodeKind::Regular(_)) {
            let cant_create = fail!(EACCES, "vfs_create()", "the filesystem lets nobody make files here");
            self.may_make(task, directory, DirectoryOperations::CREATE, cant_create)?;
        } else {
            self.may_create(task, directory)?;
            let needs_privilege = match kind {
                InodeKind::CharacterDevice(device) => device != WHITEOUT,
                InodeKind::BlockDevice(_) => true,
                _ => false,
            };
            if needs_privilege && !self.capable(task, Capabilities::CAP_MKNOD) {
                return Err(fail!(
                    EPERM,
                    "vfs_mknod()",
                    "a device is to be made, and the process has no CAP_MKNOD in the initial user namespace"
                ));
            }
            let cant_make = fail!(EPERM, "vfs_mknod()", "the filesystem lets nobody make nodes here");
            self.has_operation(directory, DirectoryOperations::MAKE, cant_make)?;
        }
        let mode = self.mode_of_new(task, directory, bits & ALL, false);
        self.new_entry(task, directory, name, kind, mode)?;
        Ok(())
    }

    /// symlinkat(2)
    pub(crate) fn symlinkat(&mut self, task: Id<Task>, target: &[u8], dirfd: Fd, path: &[u8]) -> Result<(), Failure> {
        crate::walk::check_path(target, LookupFlags::empty())?;
        let NewName { directory, name } = self.filename_create(task, dirfd, path, false)?;
        let cant_make = fail!(EPERM, "vfs_symlink()", "the filesystem lets nobody make symbolic links here");
        self.may_make(task, directory, DirectoryOperations::MAKE, cant_make)?;
        if target.len() > MAX_TARGET {
            return Err(fail!(ENAMETOOLONG, "shmem_symlink()", "the target is longer than 4095 bytes"));
        }
        self.new_entry(task, directory, name, InodeKind::Symlink(Name::from(target)), 0o777)?;
        Ok(())
    }

    /// linkat(2)
    pub(crate) fn linkat(
        &mut self,
        task: Id<Task>,
        old_dirfd: Fd,
        old_path: &[u8],
        new_dirfd: Fd,
        new_path: &[u8],
        flags: AtFlags,
    ) -> Result<(), Failure> {
        let how = link_lookup(flags)?;
        let old = self.lookup(task, old_dirfd, old_path, how)?;
        let NewName { directory, name } = self.filename_create(task, new_dirfd, new_path, false)?;
        if old.mount != directory.mount {
            return Err(fail!(EXDEV, "do_linkat()", "the file is on another mount than the new link would be"));
        }
        let inode = self.dentries[old.dentry].inode;
        self.may_link(task, old.mount, inode)?;
        let cant_link = fail!(EPERM, "vfs_link()", "the filesystem lets nobody make links here");
        self.may_make(task, directory, DirectoryOperations::MAKE, cant_link)?;
        if self.inodes[inode].is_directory() {
            return Err(fail!(EPERM, "vfs_link()", "a directory has one name only"));
        }
        if self.is_overlay(directory.dentry) {
            return self.link_in_overlay(task, old.dentry, directory.dentry, name);
        }
        self.add_link(inode)?;
        self.new_dentry(directory.dentry, Name::from(name), inode);
        Ok(())
    }

    /// Adds a link to a file. The first of a file that was made without a name is the one that it was counted for; each
    /// further one takes as much of a tmpfs as a file does (the end of `vfs_link()`, `shmem_link()`).
    pub(crate) fn add_link(&mut self, inode: Id<Inode>) -> Result<(), Failure> {
        let Inode { superblock, links, is_linkable, .. } = self.inodes[inode];
        if links > 0 {
            self.has_free_inode(superblock)?;
            self.superblocks[superblock].used_inodes += 1;
        } else if is_linkable {
            self.superblocks[superblock].removed -= 1;
        } else {
            return Err(fail!(ENOENT, "vfs_link()", "the file was removed, and has no link any more"));
        }
        let object = &mut self.inodes[inode];
        object.links += 1;
        object.is_linkable = false;
        Ok(())
    }

    /// Whether a process may make something in a directory (`may_create()`), and the filesystem can.
    fn may_make(
        &self,
        task: Id<Task>,
        directory: Path,
        operation: DirectoryOperations,
        otherwise: Failure,
    ) -> Result<(), Failure> {
        self.may_create(task, directory)?;
        self.has_operation(directory, operation, otherwise)
    }

    fn has_operation(
        &self,
        directory: Path,
        operation: DirectoryOperations,
        otherwise: Failure,
    ) -> Result<(), Failure> {
        if self.directory_operations(directory.dentry).contains(operation) { Ok(()) } else { Err(otherwise) }
    }

    /// Whether a process may make a link to a file (`may_linkat()`; fs.protected_hardlinks is 1).
    fn may_link(&self, task: Id<Task>, mount: Id<Mount>, inode: Id<Inode>) -> Result<(), Failure> {
        if self.has_unmapped_owner(mount, inode) {
            return Err(fail!(
                EOVERFLOW,
                "may_linkat()",
                "the owner or the group of the file has no number through this mount"
            ));
        }
        let is_unsafe = fail!(
            EPERM,
            "may_linkat()",
            "the file is another user's, and is special, set-id, or not readable and writable for the process"
        );
        let is_safe = self.is_safe_to_link(task, mount, inode) || self.is_owner_or_capable(task, mount, inode);
        if is_safe { Ok(()) } else { Err(is_unsafe) }
    }

    /// Whether nothing can be gained by a link to a file of somebody else (`safe_hardlink_source()`).
    fn is_safe_to_link(&self, task: Id<Task>, mount: Id<Mount>, inode: Id<Inode>) -> bool {
        const SET_UID: u32 = 0o4000;
        const SET_GID_TO_RUN: u32 = 0o2010;
        let object = &self.inodes[inode];
        object.file_type() == FileType::Regular
            && object.mode & SET_UID == 0
            && object.mode & SET_GID_TO_RUN != SET_GID_TO_RUN
            && self.inode_permission(task, mount, inode, Access::READ | Access::WRITE).is_ok()
    }
}

/// How linkat(2) walks the first path.
fn link_lookup(flags: AtFlags) -> Result<LookupFlags, Failure> {
    if !(AtFlags::AT_SYMLINK_FOLLOW | AtFlags::AT_EMPTY_PATH).contains(flags) {
        return Err(fail!(
            EINVAL,
            "do_linkat()",
            "a flag is not one that the call knows: AT_SYMLINK_FOLLOW, AT_EMPTY_PATH"
        ));
    }
    let mut how = LookupFlags::empty();
    how.set(LookupFlags::FOLLOW, flags.contains(AtFlags::AT_SYMLINK_FOLLOW));
    how.set(LookupFlags::EMPTY | LookupFlags::LINKAT_EMPTY, flags.contains(AtFlags::AT_EMPTY_PATH));
    Ok(how)
}

/// The C library refuses numbers that do not fit into the call, before the kernel sees them.
fn check_device_number(device: DeviceNumber) -> Result<(), Failure> {
    let does_not_fit = fail!(
        EINVAL,
        "mknodat()",
        "a device number has 12 bits for the major and 20 for the minor number; the C library refuses this one"
    );
    if device.major >> 12 == 0 && device.minor >> 20 == 0 { Ok(()) } else { Err(does_not_fit) }
}

/// What mknod(2) makes (`may_mknod()`): type 0 is a regular file.
fn node_kind(bits: u32, device: DeviceNumber) -> Result<InodeKind, Failure> {
    if bits & TYPE == 0 {
        return Ok(InodeKind::Regular(Arc::default()));
    }
    match FileType::from_mode(bits) {
        FileType::Regular => Ok(InodeKind::Regular(Arc::default())),
        FileType::CharacterDevice => Ok(InodeKind::CharacterDevice(device)),
        FileType::BlockDevice => Ok(InodeKind::BlockDevice(device)),
        FileType::Fifo => Ok(InodeKind::Fifo),
        FileType::Socket => Ok(InodeKind::Socket),
        FileType::Directory => Err(fail!(EPERM, "may_mknod()", "directories are made with mkdir(2)")),
        FileType::Symlink | FileType::Anonymous => {
            Err(fail!(EINVAL, "may_mknod()", "the file type is not one that the call makes"))
        }
    }
}
