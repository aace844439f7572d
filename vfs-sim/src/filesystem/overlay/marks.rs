//! What overlays note in the inodes of their layers: extended attributes, of which users see nothing
//! here (`fs/overlayfs/util.c`).

use cofferdam::kernel::{Capabilities, Errno, FileType};
use serde::{Deserialize, Serialize};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, Inode, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::walk::Access;

/// Where a file came from (`struct ovl_fh`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// It came from below, but from where can't be said.
    Unknown,
    /// Its number in its filesystem, which has a number that none had before.
    File {
        /// The number of the filesystem, 0 if the overlay was told not to note it.
        filesystem: u64,
        inode: Id<Inode>,
        number: u64,
    },
}

/// That a directory would have to be noted as opaque (`ovl_set_opaque()`).
pub(super) const CANT_HIDE: Failure = fail!(
    EIO,
    "ovl_set_opaque()",
    "the directory would have to hide what is below, but the upper layer takes no extended attributes"
);

/// What was noted under one prefix (`trusted.overlay.`, `user.overlay.`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// A directory that hides what is below it.
    pub(super) opaque: bool,
    /// A directory that has entries that come from below.
    pub(super) impure: bool,
    /// Where it was copied from.
    pub(super) origin: Option<Origin>,
    /// The identity of an overlay with this upper root.
    pub(super) uuid: Option<u64>,
}

/// What overlays have noted in an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    trusted: Noted,
    user: Noted,
}

/// How many bytes an attribute takes (`simple_xattr_space()`).
fn space_of(name: &str, value: u64) -> u64 {
    40 + name.len() as u64 + value
}

impl Noted {
    /// How many bytes each of the notes takes, 0 if it is not there.
    fn spaces(&self, prefix: &str) -> [u64; 4] {
        /// `struct ovl_fb` with what tmpfs tells a file by
        const FILE_HANDLE: u64 = 21 + 12;
        const UUID: u64 = 16;
        let space =
            |name: &str, value: Option<u64>| value.map_or(0, |value| space_of(prefix, value) + name.len() as u64);
        let origin = self.origin.map(|origin| match origin {
            Origin::Unknown => 0,
            Origin::File { .. } => FILE_HANDLE,
        });
        [
            space("opaque", self.opaque.then_some(1)),
            space("impure", self.impure.then_some(1)),
            space("origin", origin),
            space("uuid", self.uuid.map(|_| UUID)),
        ]
    }
}

impl Marks {
    fn spaces(&self) -> impl Iterator<Item = u64> {
        self.trusted.spaces("trusted.overlay.").into_iter().chain(self.user.spaces("user.overlay."))
    }
}

impl Inode {
    /// How many bytes what overlays have noted takes of its filesystem.
    pub(crate) fn marks_space(&self) -> u64 {
        self.marks.iter().flat_map(|marks| marks.spaces()).sum()
    }
}

impl Linux {
    /// Notes something in an inode, if there is room: that of the new note, before that of an older one is free.
    fn change_marks(&mut self, inode: Id<Inode>, change: impl FnOnce(&mut Marks)) -> Result<(), Failure> {
        let superblock = self.inodes[inode].superblock;
        let before = self.inodes[inode].marks.as_deref().copied().unwrap_or_default();
        let mut after = before;
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let new = before.spaces().zip(after.spaces()).filter(|(before, after)| after > before).map(|(_, after)| after);
        self.has_room_for_marks(superblock, new.sum())?;
        let used = &mut self.superblocks[superblock].used_by_marks;
        *used = used.saturating_add(after.spaces().sum()).saturating_sub(before.spaces().sum());
        self.inodes[inode].marks = Some(Box::new(after));
        Ok(())
    }

    /// Whether a filesystem can be asked for a file by its number (`ovl_can_decode_fh()`).
    pub(super) fn can_find_by_number(&self, task: Id<Task>, superblock: Id<SuperBlock>) -> bool {
        let filesystem = &self.superblocks[superblock].filesystem;
        self.capable(task, Capabilities::CAP_DAC_READ_SEARCH)
            && matches!(filesystem, FilesystemType::Tmpfs | FilesystemType::Devtmpfs | FilesystemType::Rootfs)
    }

    /// What was noted in an inode of a layer, as far as the process may know (`ovl_getxattr_value()`).
    pub(super) fn noted(&self, task: Id<Task>, overlay: Id<SuperBlock>, real: Id<Dentry>) -> Noted {
        let inode = self.dentries[real].inode;
        let Some(marks) = self.inodes[inode].marks.as_deref() else { return Noted::default() };
        match self.overlay(overlay) {
            Ok(object) if object.config.uses_user_marks => {
                let mut mounts = object.layer_mounts();
                let superblock = self.inodes[inode].superblock;
                let mount = mounts.find(|mount| self.mounts[*mount].superblock == superblock);
                let is_told =
                    mount.is_some_and(|mount| self.inode_permission(task, mount, inode, Access::READ).is_ok());
                if is_told { marks.user } else { Noted::default() }
            }
            Ok(_) if self.capable(task, Capabilities::CAP_SYS_ADMIN) => marks.trusted,
            _ => Noted::default(),
        }
    }

    /// Whether who mounted an overlay may read its notes in a directory: where a redirect could be, it is an error if not
    /// (`ovl_get_redirect_xattr()`).
    pub(super) fn may_read_marks(&self, task: Id<Task>, overlay: Id<SuperBlock>, real: Path) -> Result<(), Failure> {
        if !self.overlay(overlay)?.config.uses_user_marks {
            return Ok(());
        }
        self.inode_permission(task, real.mount, self.dentries[real.dentry].inode, Access::READ)
    }

    /// Notes something in an inode of the upper layer (`ovl_setxattr()`).
    pub(super) fn note(
        &mut self,
        task: Id<Task>,
        overlay: Id<SuperBlock>,
        real: Id<Dentry>,
        change: impl FnOnce(&mut Noted),
    ) -> Result<(), Failure> {
        let inode = self.dentries[real].inode;
        let object = &self.inodes[inode];
        let filesystem = &self.superblocks[object.superblock].filesystem;
        let mount = self.upper_layer(overlay)?.mount;
        let of_users = self.overlay(overlay)?.config.uses_user_marks;
        if self.has_unmapped_owner(mount, inode) {
            return Err(fail!(
                EPERM,
                "may_write_xattr()",
                "the owner or group of what is to get an extended attribute in the upper layer is not mapped there"
            ));
        }
        if of_users {
            const STICKY: u32 = 0o1000;
            let is_directory = object.is_directory();
            if !is_directory && object.file_type() != FileType::Regular {
                return Err(fail!(
                    EPERM,
                    "xattr_permission()",
                    "with userxattr, only regular files and directories can get an extended attribute"
                ));
            }
            if is_directory && object.mode & STICKY != 0 && !self.is_owner_or_capable(task, mount, inode) {
                return Err(fail!(
                    EPERM,
                    "xattr_permission()",
                    "with userxattr, only its owner can give an extended attribute to a directory that is sticky"
                ));
            }
            self.inode_permission(task, mount, inode, Access::WRITE)?;
        } else if !self.capable(task, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "xattr_permission()",
                "who mounted the overlay has no CAP_SYS_ADMIN for trusted extended attributes, and not given userxattr"
            ));
        }
        if !matches!(filesystem, FilesystemType::Tmpfs | FilesystemType::Devtmpfs | FilesystemType::Rootfs) {
            return Err(fail!(EOPNOTSUPP, "xattr_resolve_name()", "the upper layer takes no extended attributes"));
        }
        self.change_marks(inode, |marks| change(if of_users { &mut marks.user } else { &mut marks.trusted }))
    }

    /// Notes something, unless the upper layer takes no notes; then it is `otherwise` (`ovl_check_setxattr()`).
    pub(super) fn note_if_possible(
        &mut self,
        task: Id<Task>,
        overlay: Id<SuperBlock>,
        real: Id<Dentry>,
        otherwise: Result<(), Failure>,
        change: impl FnOnce(&mut Noted),
    ) -> Result<(), Failure> {
        if self.overlay(overlay)?.takes_no_marks {
            return otherwise;
        }
        match self.note(task, overlay, real, change) {
            Err(failure) if failure.is(Errno::EOPNOTSUPP) => {
                self.overlay_mut(overlay)?.takes_no_marks = true;
                otherwise
            }
            result => result,
        }
    }

    /// What says where a file came from; nothing if its filesystem can't find it again (`ovl_get_origin_fh()`).
    pub(super) fn origin_of(&self, task: Id<Task>, overlay: Id<SuperBlock>, lower: Id<Dentry>) -> Origin {
        let superblock = self.dentries[lower].superblock;
        if !self.can_find_by_number(task, superblock) {
            return Origin::Unknown;
        }
        let inode = self.dentries[lower].inode;
        let names_filesystem = self.overlay(overlay).is_ok_and(|overlay| overlay.config.notes_filesystem());
        let filesystem = if names_filesystem { self.superblocks[superblock].serial } else { 0 };
        Origin::File { filesystem, inode, number: self.inodes[inode].number }
    }

    /// The file that a note tells of, if it is in a filesystem and still there (`ovl_decode_real_fh()`). Any of its names
    /// will do, also one that it has no more.
    pub(super) fn find_origin(
        &self,
        task: Id<Task>,
        overlay: Id<SuperBlock>,
        origin: Origin,
        superblock: Id<SuperBlock>,
    ) -> Option<Id<Dentry>> {
        if !self.capable(task, Capabilities::CAP_DAC_READ_SEARCH) {
            return None;
        }
        let Origin::File { filesystem: noted, inode: id, number } = origin else { return None };
        let names_filesystem = self.overlay(overlay).ok()?.config.notes_filesystem();
        let filesystem = if names_filesystem { self.superblocks[superblock].serial } else { 0 };
        let inode = self.inodes.get(id)?;
        if noted != filesystem || inode.superblock != superblock || inode.number != number {
            return None;
        }
        let mut names = self.dentries.iter().filter(|(_, dentry)| dentry.inode == id);
        let first = names.next()?;
        let hashed = std::iter::once(first).chain(names).find(|(_, dentry)| dentry.is_hashed).unwrap_or(first);
        Some(hashed.0)
    }

    /// Copies the notes that are not this overlay's own (`ovl_copy_xattr()`).
    pub(super) fn copy_marks(
        &mut self,
        task: Id<Task>,
        overlay: Id<SuperBlock>,
        from: Id<Dentry>,
        to: Id<Dentry>,
    ) -> Result<(), Failure> {
        let Some(marks) = self.inodes[self.dentries[from].inode].marks.as_deref().copied() else { return Ok(()) };
        let of_users = self.overlay(overlay).is_ok_and(|overlay| overlay.config.uses_user_marks);
        let is_capable = self.capable(task, Capabilities::CAP_SYS_ADMIN);
        let target = self.dentries[to].inode;
        if of_users && is_capable && marks.trusted != Noted::default() {
            self.change_marks(target, |own| own.trusted = marks.trusted)
        } else if !of_users && marks.user != Noted::default() {
            self.change_marks(target, |own| own.user = marks.user)
        } else {
            Ok(())
        }
    }
}
