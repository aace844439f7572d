//! What is on the filesystems of a machine that is made of a mount table, which tells nothing of it: there are only the
//! directories on the way to mounts.
//!
//! - [`Linux::note_questions`] has the kernel note what it is asked about files that it does not know. Who knows the real
//!   machine [tells](Linux::tell) it there, and lets everything happen again: until nothing new is asked, a prediction is made
//!   of what is not known.
//! - Who learns on the way what else there is asks by [`Linux::locate`] where a path leads, whatever the permissions, and makes
//!   the file by [`Linux::supply`].
//!
//! In both ways a file comes to be as if it had always been there: no mount is in the way of it, and none is read-only. The
//! kernel itself asks nobody, so that the same calls on the same kernel still give the same results.

mod questions;
mod supply;

use std::sync::Arc;

use cofferdam::kernel::{Bytes, DeviceNumber, Mode};

use crate::arena::Id;
use crate::filesystem::{Content, Dentry, InodeKind, Name, SuperBlock};
use crate::linux::Linux;

pub use questions::Question;
pub(crate) use questions::Questions;
pub use supply::{Location, SupplyError};

/// A place in a filesystem, wherever that is mounted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which of all filesystems that ever were: a number that is not used again.
    pub filesystem: u64,
    /// The path from the root of the filesystem on, with a slash in front.
    pub path: Bytes,
}

/// A file, of whatever kind, as it is on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits with set-user-id, set-group-id and sticky bit.
    pub mode: Mode,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What a [`File`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file with its content.
    Regular(Bytes),
    /// A directory. What is in it is told of each name.
    Directory,
    /// A symbolic link with its target.
    Symlink(Bytes),
    /// A character device.
    CharacterDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Linux {
    /// The device of the filesystem that a place is in, as stat(2) and mountinfo have it; `None` if it is gone. Several
    /// filesystems may seem to be on one device, where a table shows them with different options.
    pub fn device_of(&self, place: &Place) -> Option<DeviceNumber> {
        self.filesystem(place.filesystem).map(|superblock| self.superblocks[superblock].device)
    }

    fn filesystem(&self, number: u64) -> Option<Id<SuperBlock>> {
        self.superblocks.iter().find(|(_, object)| object.serial == number).map(|(id, _)| id)
    }

    fn place_on_disk(&self, dentry: Id<Dentry>) -> Place {
        let superblock = self.dentries[dentry].superblock;
        Place { filesystem: self.superblocks[superblock].serial, path: Bytes(self.dentry_text(dentry)) }
    }
}

fn kind_of(file: &File) -> InodeKind {
    match &file.kind {
        FileKind::Regular(bytes) => InodeKind::Regular(content_of(bytes)),
        FileKind::Directory => InodeKind::Directory,
        FileKind::Symlink(target) => InodeKind::Symlink(Name::from(&target.0[..])),
        FileKind::CharacterDevice(device) => InodeKind::CharacterDevice(*device),
        FileKind::BlockDevice(device) => InodeKind::BlockDevice(*device),
        FileKind::Fifo => InodeKind::Fifo,
        FileKind::Socket => InodeKind::Socket,
    }
}

fn content_of(Bytes(bytes): &Bytes) -> Arc<Content> {
    let mut content = Content::default();
    content.write(0, bytes, u64::MAX);
    Arc::new(content)
}
