//! The flags of the calls, with the values of `include/uapi/linux/{mount,fcntl,openat2,sched}.h`.
//!
//! Bits without a name are kept: a kernel decides what it makes of them.

use std::fmt;

use bitflags::bitflags;

/// Declares flag types whose every name is the kernel's, prefix included.
macro_rules! flags {
    ($($(#[$doc:meta])* $type:ident: $bits:ty { $($name:ident = $value:expr;)* })*) => {$(
        bitflags! {
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
            #[derive(serde::Serialize, serde::Deserialize)]
            pub struct $type: $bits {
                $(
                    #[doc = concat!("`", stringify!($name), "`")]
                    const $name = $value;
                )*
                /// Bits that have no name here.
                const _ = !0;
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                display(f, self.iter_names().map(|(name, _)| name), u64::from(self.unnamed_bits()))
            }
        }

        impl $type {
            fn unnamed_bits(self) -> $bits {
                self.iter_names().fold(self, |rest, (_, named)| rest.difference(named)).bits()
            }
        }
    )*};
}

/// As strace prints flags: names, then the rest as a number, joined by `|`; `0` for none.
fn display<'a>(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'a str>, rest: u64) -> fmt::Result {
    let mut first = true;
    for name in names {
        if !first {
            f.write_str("|")?;
        }
        f.write_str(name)?;
        first = false;
    }
    match (rest, first) {
        (0, true) => f.write_str("0"),
        (0, false) => Ok(()),
        (rest, true) => write!(f, "{rest:#x}"),
        (rest, false) => write!(f, "|{rest:#x}"),
    }
}

flags! {
    /// What mount(2) does, and how the mount behaves (mount(2), *mountflags*).
    MountFlags: u32 {
        MS_RDONLY = 1;
        MS_NOSUID = 1 << 1;
        MS_NODEV = 1 << 2;
        MS_NOEXEC = 1 << 3;
        MS_SYNCHRONOUS = 1 << 4;
        MS_REMOUNT = 1 << 5;
        MS_MANDLOCK = 1 << 6;
        MS_DIRSYNC = 1 << 7;
        MS_NOSYMFOLLOW = 1 << 8;
        MS_NOATIME = 1 << 10;
        MS_NODIRATIME = 1 << 11;
        MS_BIND = 1 << 12;
        MS_MOVE = 1 << 13;
        MS_REC = 1 << 14;
        MS_SILENT = 1 << 15;
        MS_POSIXACL = 1 << 16;
        MS_UNBINDABLE = 1 << 17;
        MS_PRIVATE = 1 << 18;
        MS_SLAVE = 1 << 19;
        MS_SHARED = 1 << 20;
        MS_RELATIME = 1 << 21;
        MS_I_VERSION = 1 << 23;
        MS_STRICTATIME = 1 << 24;
        MS_LAZYTIME = 1 << 25;
    }

    /// How umount2(2) unmounts.
    UmountFlags: u32 {
        MNT_FORCE = 1;
        MNT_DETACH = 2;
        MNT_EXPIRE = 4;
        UMOUNT_NOFOLLOW = 8;
    }

    /// How a file is opened (open(2), *flags*), with the values of x86; other architectures have some bits elsewhere,
    /// which a backend translates. The access mode `O_RDONLY` is no bit: the empty set.
    OpenFlags: u32 {
        O_WRONLY = 0o1;
        O_RDWR = 0o2;
        O_CREAT = 0o100;
        O_EXCL = 0o200;
        O_NOCTTY = 0o400;
        O_TRUNC = 0o1000;
        O_APPEND = 0o2000;
        O_NONBLOCK = 0o4000;
        O_DSYNC = 0o10000;
        O_DIRECT = 0o40000;
        O_LARGEFILE = 0o100_000;
        O_DIRECTORY = 0o200_000;
        O_NOFOLLOW = 0o400_000;
        O_NOATIME = 0o1_000_000;
        O_CLOEXEC = 0o2_000_000;
        O_PATH = 0o10_000_000;
    }

    /// How openat2(2) walks the path.
    ResolveFlags: u64 {
        RESOLVE_NO_XDEV = 0x01;
        RESOLVE_NO_MAGICLINKS = 0x02;
        RESOLVE_NO_SYMLINKS = 0x04;
        RESOLVE_BENEATH = 0x08;
        RESOLVE_IN_ROOT = 0x10;
        RESOLVE_CACHED = 0x20;
    }

    /// The `AT_*` flags that the `*at` calls share.
    AtFlags: u32 {
        AT_SYMLINK_NOFOLLOW = 0x100;
        AT_REMOVEDIR = 0x200;
        AT_SYMLINK_FOLLOW = 0x400;
        AT_NO_AUTOMOUNT = 0x800;
        AT_EMPTY_PATH = 0x1000;
        AT_STATX_FORCE_SYNC = 0x2000;
        AT_STATX_DONT_SYNC = 0x4000;
        AT_RECURSIVE = 0x8000;
    }

    /// What open_tree(2) opens.
    OpenTreeFlags: u32 {
        OPEN_TREE_CLONE = 1;
        AT_SYMLINK_NOFOLLOW = 0x100;
        AT_NO_AUTOMOUNT = 0x800;
        AT_EMPTY_PATH = 0x1000;
        AT_RECURSIVE = 0x8000;
        OPEN_TREE_CLOEXEC = 0o2_000_000;
    }

    /// How move_mount(2) finds its two ends, and what it does there.
    MoveMountFlags: u32 {
        MOVE_MOUNT_F_SYMLINKS = 0x01;
        MOVE_MOUNT_F_AUTOMOUNTS = 0x02;
        MOVE_MOUNT_F_EMPTY_PATH = 0x04;
        MOVE_MOUNT_T_SYMLINKS = 0x10;
        MOVE_MOUNT_T_AUTOMOUNTS = 0x20;
        MOVE_MOUNT_T_EMPTY_PATH = 0x40;
        MOVE_MOUNT_SET_GROUP = 0x100;
        MOVE_MOUNT_BENEATH = 0x200;
    }

    /// fsopen(2).
    FsopenFlags: u32 {
        FSOPEN_CLOEXEC = 1;
    }

    /// fsmount(2).
    FsmountFlags: u32 {
        FSMOUNT_CLOEXEC = 1;
    }

    /// fspick(2).
    FspickFlags: u32 {
        FSPICK_CLOEXEC = 0x1;
        FSPICK_SYMLINK_NOFOLLOW = 0x2;
        FSPICK_NO_AUTOMOUNT = 0x4;
        FSPICK_EMPTY_PATH = 0x8;
    }

    /// The attributes of a mount (mount_setattr(2)). The access time kinds are one field, `MOUNT_ATTR__ATIME`, in which
    /// relatime is 0.
    MountAttrFlags: u64 {
        MOUNT_ATTR_RDONLY = 0x1;
        MOUNT_ATTR_NOSUID = 0x2;
        MOUNT_ATTR_NODEV = 0x4;
        MOUNT_ATTR_NOEXEC = 0x8;
        MOUNT_ATTR__ATIME = 0x70;
        MOUNT_ATTR_NOATIME = 0x10;
        MOUNT_ATTR_STRICTATIME = 0x20;
        MOUNT_ATTR_NODIRATIME = 0x80;
        MOUNT_ATTR_IDMAP = 0x10_0000;
        MOUNT_ATTR_NOSYMFOLLOW = 0x20_0000;
    }

    /// What a new process, or unshare(2), does not share (clone(2), namespaces(7)).
    CloneFlags: u64 {
        CLONE_VM = 0x100;
        CLONE_FS = 0x200;
        CLONE_FILES = 0x400;
        CLONE_VFORK = 0x4000;
        CLONE_NEWNS = 0x2_0000;
        CLONE_NEWCGROUP = 0x200_0000;
        CLONE_NEWUTS = 0x400_0000;
        CLONE_NEWIPC = 0x800_0000;
        CLONE_NEWUSER = 0x1000_0000;
        CLONE_NEWPID = 0x2000_0000;
        CLONE_NEWNET = 0x4000_0000;
    }

    /// renameat2(2).
    RenameFlags: u32 {
        RENAME_NOREPLACE = 1;
        RENAME_EXCHANGE = 2;
        RENAME_WHITEOUT = 4;
    }

    /// close_range(2).
    CloseRangeFlags: u32 {
        CLOSE_RANGE_UNSHARE = 2;
        CLOSE_RANGE_CLOEXEC = 4;
    }

    /// Which fields statmount(2) fills in.
    StatMountMask: u64 {
        STATMOUNT_SB_BASIC = 0x01;
        STATMOUNT_MNT_BASIC = 0x02;
        STATMOUNT_PROPAGATE_FROM = 0x04;
        STATMOUNT_MNT_ROOT = 0x08;
        STATMOUNT_MNT_POINT = 0x10;
        STATMOUNT_FS_TYPE = 0x20;
        STATMOUNT_MNT_NS_ID = 0x40;
        STATMOUNT_MNT_OPTS = 0x80;
        STATMOUNT_FS_SUBTYPE = 0x100;
        STATMOUNT_SB_SOURCE = 0x200;
        STATMOUNT_OPT_ARRAY = 0x400;
        STATMOUNT_OPT_SEC_ARRAY = 0x800;
        STATMOUNT_SUPPORTED_MASK = 0x1000;
        STATMOUNT_MNT_UIDMAP = 0x2000;
        STATMOUNT_MNT_GIDMAP = 0x4000;
    }

    /// flock(2), *operation*.
    FlockOperation: u32 {
        LOCK_SH = 1;
        LOCK_EX = 2;
        LOCK_NB = 4;
        LOCK_UN = 8;
    }

    /// wait4(2), *options*.
    WaitOptions: u32 {
        WNOHANG = 1;
        WUNTRACED = 2;
        WCONTINUED = 8;
    }

    /// A set of capabilities (capabilities(7)); bit n is the capability with the number n.
    Capabilities: u64 {
        CAP_CHOWN = 1;
        CAP_DAC_OVERRIDE = 1 << 1;
        CAP_DAC_READ_SEARCH = 1 << 2;
        CAP_FOWNER = 1 << 3;
        CAP_FSETID = 1 << 4;
        CAP_KILL = 1 << 5;
        CAP_SETGID = 1 << 6;
        CAP_SETUID = 1 << 7;
        CAP_SETPCAP = 1 << 8;
        CAP_LINUX_IMMUTABLE = 1 << 9;
        CAP_NET_BIND_SERVICE = 1 << 10;
        CAP_NET_BROADCAST = 1 << 11;
        CAP_NET_ADMIN = 1 << 12;
        CAP_NET_RAW = 1 << 13;
        CAP_IPC_LOCK = 1 << 14;
        CAP_IPC_OWNER = 1 << 15;
        CAP_SYS_MODULE = 1 << 16;
        CAP_SYS_RAWIO = 1 << 17;
        CAP_SYS_CHROOT = 1 << 18;
        CAP_SYS_PTRACE = 1 << 19;
        CAP_SYS_PACCT = 1 << 20;
        CAP_SYS_ADMIN = 1 << 21;
        CAP_SYS_BOOT = 1 << 22;
        CAP_SYS_NICE = 1 << 23;
        CAP_SYS_RESOURCE = 1 << 24;
        CAP_SYS_TIME = 1 << 25;
        CAP_SYS_TTY_CONFIG = 1 << 26;
        CAP_MKNOD = 1 << 27;
        CAP_LEASE = 1 << 28;
        CAP_AUDIT_WRITE = 1 << 29;
        CAP_AUDIT_CONTROL = 1 << 30;
        CAP_SETFCAP = 1 << 31;
        CAP_MAC_OVERRIDE = 1 << 32;
        CAP_MAC_ADMIN = 1 << 33;
        CAP_SYSLOG = 1 << 34;
        CAP_WAKE_ALARM = 1 << 35;
        CAP_BLOCK_SUSPEND = 1 << 36;
        CAP_AUDIT_READ = 1 << 37;
        CAP_PERFMON = 1 << 38;
        CAP_BPF = 1 << 39;
        CAP_CHECKPOINT_RESTORE = 1 << 40;
    }
}

impl Capabilities {
    /// The numbers of the capabilities in the set, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |number| self.bits() >> number & 1 == 1)
    }
}

impl CloneFlags {
    /// Whether they are those of vfork(2), with nothing else but what is to be shared and which namespaces are to be new:
    /// the child uses our memory, while we wait until it executes a program or ends.
    pub fn is_vfork(self) -> bool {
        self.contains(Self::CLONE_VM | Self::CLONE_VFORK) && self.unnamed_bits() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_displayed_by_name_and_unknown_bits_as_a_number() {
        assert_eq!((MountFlags::MS_BIND | MountFlags::MS_REC).to_string(), "MS_BIND|MS_REC");
        assert_eq!(MountFlags::empty().to_string(), "0");
        assert_eq!(MountFlags::from_bits_retain(1 | 1 << 30).to_string(), "MS_RDONLY|0x40000000");
        assert_eq!(UmountFlags::from_bits_retain(0x100).to_string(), "0x100");
    }

    #[test]
    fn unknown_bits_survive_json() {
        let flags = MountFlags::MS_RDONLY | MountFlags::from_bits_retain(1 << 30);
        let json = serde_json::to_string(&flags).unwrap();
        assert_eq!(serde_json::from_str::<MountFlags>(&json).unwrap(), flags);
    }

    #[test]
    fn capability_numbers() {
        let set = Capabilities::CAP_SYS_ADMIN | Capabilities::CAP_CHOWN;
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 21]);
    }
}
