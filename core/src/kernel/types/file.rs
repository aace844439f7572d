//! Files and descriptors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernel::bytes::Bytes;
use crate::kernel::flags::{OpenFlags, ResolveFlags};

/// The number of a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fd(pub i32);

impl Fd {
    /// `AT_FDCWD`: where a call takes a directory, the current working directory.
    pub const CWD: Self = Self(-100);
    /// Standard input.
    pub const STDIN: Self = Self(0);
    /// Standard output.
    pub const STDOUT: Self = Self(1);
    /// Standard error.
    pub const STDERR: Self = Self(2);
}

/// Permission bits with set-user-id, set-group-id and sticky bit (inode(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mode(pub u32);

/// The kind of a file (inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileType {
    /// `S_IFREG`
    Regular,
    /// `S_IFDIR`
    Directory,
    /// `S_IFLNK`
    Symlink,
    /// `S_IFCHR`
    CharacterDevice,
    /// `S_IFBLK`
    BlockDevice,
    /// `S_IFIFO`
    Fifo,
    /// `S_IFSOCK`
    Socket,
    /// No type at all: an inode of the kernel's own, such as the one behind a context of fsopen(2).
    Anonymous,
}

impl FileType {
    /// The type in the `S_IFMT` bits of a mode.
    pub fn from_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o020_000 => Self::CharacterDevice,
            0o060_000 => Self::BlockDevice,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            _ => Self::Anonymous,
        }
    }

    /// The `S_IFMT` bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::CharacterDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::Anonymous => 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Regular => "S_IFREG",
            Self::Directory => "S_IFDIR",
            Self::Symlink => "S_IFLNK",
            Self::CharacterDevice => "S_IFCHR",
            Self::BlockDevice => "S_IFBLK",
            Self::Fifo => "S_IFIFO",
            Self::Socket => "S_IFSOCK",
            Self::Anonymous => "0",
        }
    }
}

impl fmt::Display for FileType {
    /// In words, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a fifo",
            Self::Socket => "a socket",
            Self::Anonymous => "a file without a type",
        })
    }
}

/// The numbers of a device (makedev(3)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceNumber {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

impl DeviceNumber {
    /// What nodes that are no device have.
    pub const NONE: Self = Self { major: 0, minor: 0 };
    /// `/dev/null` (`Documentation/admin-guide/devices.txt`).
    pub const NULL: Self = Self { major: 1, minor: 3 };
}

/// What statx(2) tells of a file, without times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The kind of file.
    pub file_type: FileType,
    /// Its permission bits.
    pub mode: Mode,
    /// The number of hard links.
    pub links: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// The number of the inode in its filesystem.
    pub inode: u64,
    /// The device of the filesystem that holds the file.
    pub device: DeviceNumber,
    /// For device nodes, the device that it stands for.
    pub rdev: DeviceNumber,
    /// The id of the mount that the path led to, as in mountinfo (`STATX_MNT_ID`, Linux 5.8).
    pub mount_id: u64,
    /// Whether the path led to the root of a mount (`STATX_ATTR_MOUNT_ROOT`).
    pub is_mount_root: bool,
}

/// What statfs(2) tells of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatFs {
    /// The type's magic number (`f_type`).
    pub magic: u64,
    /// The size of a block in bytes.
    pub block_size: u64,
    /// The unit in which blocks are counted, in bytes (`f_frsize`).
    pub fragment_size: u64,
    /// How many blocks there are; 0 where there is no limit.
    pub blocks: u64,
    /// How many of them are free.
    pub free_blocks: u64,
    /// How many of them are free for users without privileges.
    pub available_blocks: u64,
    /// How many inodes there are; 0 where there is no limit.
    pub files: u64,
    /// How many of them are free.
    pub free_files: u64,
    /// The number of the filesystem (`f_fsid`, its first part in the low half).
    pub id: u64,
    /// The longest name.
    pub name_length: u64,
    /// The flags of mount and filesystem (`f_flags`: `ST_*`, with the kernel's own `ST_VALID`, 0x20).
    pub flags: u64,
}

/// One entry of a directory, as getdents64(2) gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEntry {
    /// The number of the inode.
    pub inode: u64,
    /// The kind of file; `None` where the filesystem does not tell.
    pub file_type: Option<FileType>,
    /// The name.
    pub name: Bytes,
}

/// How openat2(2) opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenHow {
    /// As in open(2).
    pub flags: OpenFlags,
    /// The permissions of a file that is created; must be 0 if none is.
    pub mode: Mode,
    /// Limits on the path walk.
    pub resolve: ResolveFlags,
}

/// What lseek(2) counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Whence {
    /// `SEEK_SET`
    Start,
    /// `SEEK_CUR`
    Current,
    /// `SEEK_END`
    End,
}

/// A file type with permissions, as mknod(2) takes them in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeMode {
    /// What to make.
    pub file_type: FileType,
    /// Its permissions, before the umask.
    pub mode: Mode,
}

impl fmt::Display for NodeMode {
    /// As strace prints it: `S_IFCHR|0666`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.file_type.name(), self.mode)
    }
}

impl fmt::Display for Mode {
    /// In octal, as chmod(1) takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{:03o}", self.0)
    }
}
