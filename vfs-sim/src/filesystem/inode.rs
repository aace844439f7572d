//! Inodes (`struct inode`).

use std::sync::Arc;

use cofferdam::kernel::{DeviceNumber, FileType};
use serde::{Deserialize, Serialize};

use super::{Content, Entry, Marks, Name, SuperBlock};
use crate::arena::Id;
use crate::process::OpenFile;

/// The owner or group of a file that its filesystem has no id for (`INVALID_UID`, `INVALID_GID`).
pub(crate) const NO_ID: u32 = u32::MAX;

/// A file, of whatever kind (`struct inode`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inode {
    /// The filesystem.
    pub(crate) superblock: Id<SuperBlock>,
    /// The number (`i_ino`).
    pub(crate) number: u64,
    /// What it is.
    pub(crate) kind: InodeKind,
    /// What stands behind it in one of the kernel's own filesystems.
    pub(crate) entry: Entry,
    /// Permission bits with set-user-id, set-group-id and sticky bit.
    pub(crate) mode: u32,
    /// The owner, an id of the initial user namespace, or [`NO_ID`].
    pub(crate) uid: u32,
    /// The group, an id of the initial user namespace, or [`NO_ID`].
    pub(crate) gid: u32,
    /// The number of hard links.
    pub(crate) links: u32,
    /// How many dentries stand for it. It goes with the last.
    pub(crate) dentries: u32,
    /// Whether it is a directory that was removed, or that another has replaced (`S_DEAD`): nothing is found or made in it
    /// any more. One whose dentry is unhashed for another reason is not.
    pub(crate) is_dead: bool,
    /// Whether a file that has no name can get one (`I_LINKABLE`).
    pub(crate) is_linkable: bool,
    /// The locks of flock(2) (`flc_flock`).
    pub(crate) locks: Vec<FileLock>,
    /// What overlays have noted in it.
    pub(crate) marks: Option<Box<Marks>>,
    /// Whether an overlay uses it as its upper layer, or for work (`I_OVL_INUSE`).
    pub(crate) is_layer: bool,
}

/// A lock of flock(2) (`struct file_lock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLock {
    /// The open file that holds it.
    pub(crate) file: Id<OpenFile>,
    /// Whether nobody else can hold one.
    pub(crate) is_exclusive: bool,
}

/// What an inode is, with what only that kind has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum InodeKind {
    /// A regular file with its content.
    Regular(Arc<Content>),
    /// A directory; its entries are the dentry's children.
    Directory,
    /// A symbolic link with its target.
    Symlink(Name),
    /// A character device.
    CharacterDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A file that stands for no file: a pipe's end, a context.
    Anonymous,
}

impl Inode {
    /// Its kind, as stat(2) says.
    pub fn file_type(&self) -> FileType {
        match self.kind {
            InodeKind::Regular(_) => FileType::Regular,
            InodeKind::Directory => FileType::Directory,
            InodeKind::Symlink(_) => FileType::Symlink,
            InodeKind::CharacterDevice(_) => FileType::CharacterDevice,
            InodeKind::BlockDevice(_) => FileType::BlockDevice,
            InodeKind::Fifo => FileType::Fifo,
            InodeKind::Socket => FileType::Socket,
            InodeKind::Anonymous => FileType::Anonymous,
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type() == FileType::Directory
    }
}
