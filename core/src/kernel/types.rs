//! What the calls take and give besides numbers, paths and flags.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::flags::{Capabilities, MountAttrFlags, MountFlags, OpenFlags, ResolveFlags, StatMountMask};

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

/// A process id, as seen from the caller's pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pid(pub i32);

/// The unique 64-bit id of a mount (statmount(2)), never reused; not the id that mountinfo shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UniqueMountId(pub u64);

impl UniqueMountId {
    /// `LSMT_ROOT`: where listmount(2) takes a mount, the root mount of the caller.
    pub const ROOT: Self = Self(u64::MAX);
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

/// What statfs(2) tells of a filesystem, as far as it does not change by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatFs {
    /// The type's magic number (`f_type`).
    pub magic: u64,
    /// The size of a block in bytes.
    pub block_size: u64,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHow {
    /// As in open(2).
    pub flags: OpenFlags,
    /// The permissions of a file that is created; must be 0 if none is.
    pub mode: Mode,
    /// Limits on the path walk.
    pub resolve: ResolveFlags,
}

/// What mount_setattr(2) changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountAttr {
    /// Attributes to set.
    pub attr_set: MountAttrFlags,
    /// Attributes to clear, before those of `attr_set` are set.
    pub attr_clr: MountAttrFlags,
    /// The propagation type to change to: one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or empty.
    pub propagation: MountFlags,
    /// The user namespace of an id-mapped mount.
    pub userns_fd: Option<Fd>,
}

/// A command of fsconfig(2) with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FsConfig {
    /// `FSCONFIG_SET_FLAG`: a parameter without a value.
    SetFlag {
        /// The parameter.
        key: Bytes,
    },
    /// `FSCONFIG_SET_STRING`
    SetString {
        /// The parameter.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// `FSCONFIG_SET_BINARY`
    SetBinary {
        /// The parameter.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// `FSCONFIG_SET_PATH`
    SetPath {
        /// The parameter.
        key: Bytes,
        /// Where a relative path starts.
        dirfd: Fd,
        /// The path.
        path: Bytes,
    },
    /// `FSCONFIG_SET_FD`
    SetFd {
        /// The parameter.
        key: Bytes,
        /// The descriptor.
        fd: Fd,
    },
    /// `FSCONFIG_CMD_CREATE`: make, or find, the superblock.
    Create,
    /// `FSCONFIG_CMD_CREATE_EXCL`: make a new superblock (Linux 6.6).
    CreateExclusive,
    /// `FSCONFIG_CMD_RECONFIGURE`
    Reconfigure,
}

/// What statmount(2) tells of a mount. A field is present if the kernel's mask says that it filled it in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatMount {
    /// Which fields are filled in.
    pub mask: StatMountMask,
    /// The device of the filesystem (`STATMOUNT_SB_BASIC`).
    pub device: DeviceNumber,
    /// The magic number of the filesystem (`STATMOUNT_SB_BASIC`).
    pub magic: u64,
    /// `MS_*` flags of the filesystem (`STATMOUNT_SB_BASIC`).
    pub super_flags: MountFlags,
    /// The unique id (`STATMOUNT_MNT_BASIC`, like all up to `master`).
    pub mount_id: u64,
    /// The unique id of the parent.
    pub parent_id: u64,
    /// The id that mountinfo shows.
    pub old_mount_id: u32,
    /// The parent's id that mountinfo shows.
    pub old_parent_id: u32,
    /// Attributes.
    pub attributes: MountAttrFlags,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`.
    pub propagation: MountFlags,
    /// The peer group, 0 for none.
    pub peer_group: u64,
    /// The peer group that events come from, 0 for none.
    pub master: u64,
    /// The nearest dominating peer group below the caller's root (`STATMOUNT_PROPAGATE_FROM`).
    pub propagate_from: u64,
    /// The root of the mount in its filesystem (`STATMOUNT_MNT_ROOT`).
    pub root: Bytes,
    /// The mountpoint relative to the caller's root (`STATMOUNT_MNT_POINT`).
    pub mountpoint: Bytes,
    /// The type (`STATMOUNT_FS_TYPE`).
    pub filesystem_type: Bytes,
}

/// What uname(2) tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utsname {
    /// The name of the operating system.
    pub sysname: Bytes,
    /// The release, such as `6.18.0-1-amd64`.
    pub release: Bytes,
    /// The hardware, such as `x86_64`.
    pub machine: Bytes,
}

/// The capability sets of a thread (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitySets {
    /// What is checked.
    pub effective: Capabilities,
    /// What can be made effective.
    pub permitted: Capabilities,
    /// What survives execve(2) of a file with inheritable capabilities.
    pub inheritable: Capabilities,
}

/// An operation of prctl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prctl {
    /// `PR_SET_PDEATHSIG`: the signal that we get when our parent dies; `None` for none.
    SetParentDeathSignal(Option<Signal>),
    /// `PR_SET_DUMPABLE`: whether others may trace us and read our `/proc/<pid>`.
    SetDumpable(bool),
    /// `PR_SET_KEEPCAPS`: whether permitted capabilities survive that all uids become non-zero.
    SetKeepCapabilities(bool),
    /// `PR_CAPBSET_READ`: 1 if the capability with this number is in the bounding set; `EINVAL` beyond the last one.
    ReadBoundingCapability(u32),
    /// `PR_CAPBSET_DROP`
    DropBoundingCapability(u32),
    /// `PR_CAP_AMBIENT_RAISE`
    RaiseAmbientCapability(u32),
    /// `PR_CAP_AMBIENT_CLEAR_ALL`
    ClearAmbientCapabilities,
    /// `PR_SET_NO_NEW_PRIVS`
    SetNoNewPrivileges,
}

/// A resource of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of the manual page say it all")]
#[allow(non_camel_case_types, reason = "the names of the manual page")]
pub enum RlimitResource {
    RLIMIT_AS,
    RLIMIT_CORE,
    RLIMIT_CPU,
    RLIMIT_DATA,
    RLIMIT_FSIZE,
    RLIMIT_LOCKS,
    RLIMIT_MEMLOCK,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_NPROC,
    RLIMIT_RSS,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
    RLIMIT_SIGPENDING,
    RLIMIT_STACK,
}

/// The limits of a resource; `None` is `RLIM_INFINITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far `soft` can be raised without privilege.
    pub hard: Option<u64>,
}

/// The number of a signal (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(pub i32);

impl Signal {
    /// `SIGHUP`
    pub const HUP: Self = Self(1);
    /// `SIGINT`
    pub const INT: Self = Self(2);
    /// `SIGQUIT`
    pub const QUIT: Self = Self(3);
    /// `SIGKILL`
    pub const KILL: Self = Self(9);
    /// `SIGUSR1`
    pub const USR1: Self = Self(10);
    /// `SIGUSR2`
    pub const USR2: Self = Self(12);
    /// `SIGPIPE`
    pub const PIPE: Self = Self(13);
    /// `SIGALRM`
    pub const ALRM: Self = Self(14);
    /// `SIGTERM`
    pub const TERM: Self = Self(15);
    /// `SIGCHLD`
    pub const CHLD: Self = Self(17);
    /// `SIGCONT`
    pub const CONT: Self = Self(18);
    /// `SIGWINCH`
    pub const WINCH: Self = Self(28);

    const NAMES: [&'static str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0).ok().and_then(|number| Self::NAMES.get(number.wrapping_sub(1)));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A set of signals; bit n-1 is the signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// Every signal.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the signal is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// The signals in the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64).map(Signal).filter(move |signal| self.contains(*signal))
    }

    fn bit(signal: Signal) -> u64 {
        match signal.0 {
            1..=64 => 1 << (signal.0 - 1),
            _ => 0,
        }
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        Self(signals.into_iter().fold(0, |bits, signal| bits | Self::bit(signal)))
    }
}

/// What sigprocmask(2) does with the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalMaskHow {
    /// `SIG_BLOCK`: add to the blocked signals.
    Block,
    /// `SIG_UNBLOCK`: remove from them.
    Unblock,
    /// `SIG_SETMASK`: replace them.
    SetMask,
}

/// What a signal does (sigaction(2)), without handlers: those are code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalAction {
    /// `SIG_DFL`
    Default,
    /// `SIG_IGN`
    Ignore,
}

/// A signal that sigtimedwait(2) took (`siginfo_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalInfo {
    /// The signal.
    pub signal: Signal,
    /// Where it comes from (`si_code`): 0 (`SI_USER`) for kill(2), 0x80 (`SI_KERNEL`) for one that a terminal sends to
    /// the whole foreground process group.
    pub code: i32,
    /// Who sent it; 0 if the sender is in no pid namespace that we can see.
    pub sender: Pid,
}

/// How a child ended or stopped (wait4(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitStatus {
    /// `WIFEXITED`: the exit status, 0 to 255.
    Exited(i32),
    /// `WIFSIGNALED`
    Signaled(Signal),
    /// `WIFSTOPPED`
    Stopped(Signal),
    /// `WIFCONTINUED`
    Continued,
}

/// What lseek(2) counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whence {
    /// `SEEK_SET`
    Start,
    /// `SEEK_CUR`
    Current,
    /// `SEEK_END`
    End,
}

/// A file type with permissions, as mknod(2) takes them in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
