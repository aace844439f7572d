//! The numbers behind the names that strace prints.

use bitflags::Flags;
use cofferdam::kernel::{
    AtFlags, Capabilities, CloneFlags, CloseRangeFlags, FlockOperation, FsmountFlags, FsopenFlags, FspickFlags,
    MountAttrFlags, MountFlags, MoveMountFlags, OpenFlags, OpenTreeFlags, RenameFlags, ResolveFlags, Signal,
    UmountFlags, WaitOptions,
};

/// What no type of flags has.
const OTHERS: &[(&str, i64)] = &[
    ("AT_EACCESS", 0x200),
    ("AT_FDCWD", -100),
    ("AT_STATX_SYNC_AS_STAT", 0),
    ("CLONE_CHILD_CLEARTID", 0x20_0000),
    ("CLONE_CHILD_SETTID", 0x100_0000),
    ("CLONE_CLEAR_SIGHAND", 1 << 32),
    ("CLONE_DETACHED", 0x40_0000),
    ("CLONE_INTO_CGROUP", 1 << 33),
    ("CLONE_IO", 0x8000_0000),
    ("CLONE_NEWTIME", 0x80),
    ("CLONE_PARENT", 0x8000),
    ("CLONE_PARENT_SETTID", 0x10_0000),
    ("CLONE_PIDFD", 0x1000),
    ("CLONE_PTRACE", 0x2000),
    ("CLONE_SETTLS", 0x8_0000),
    ("CLONE_SIGHAND", 0x800),
    ("CLONE_SYSVSEM", 0x4_0000),
    ("CLONE_THREAD", 0x1_0000),
    ("CLONE_UNTRACED", 0x80_0000),
    ("FD_CLOEXEC", 1),
    ("MOUNT_ATTR_RELATIME", 0),
    ("MS_ACTIVE", 1 << 30),
    ("MS_BORN", 1 << 29),
    ("MS_KERNMOUNT", 1 << 22),
    ("MS_MGC_VAL", 0xc0ed_0000),
    ("MS_NOREMOTELOCK", 1 << 27),
    ("MS_NOSEC", 1 << 28),
    ("MS_NOUSER", 1 << 31),
    ("MS_SUBMOUNT", 1 << 26),
    ("NULL", 0),
    ("O_ACCMODE", 0o3),
    ("O_ASYNC", 0o20_000),
    ("O_NDELAY", 0o4000),
    ("O_RDONLY", 0),
    ("O_SYNC", 0o4_010_000),
    ("O_TMPFILE", 0o20_200_000),
    ("O_WRONLY", 1),
    ("SUID_DUMP_DISABLE", 0),
    ("SUID_DUMP_ROOT", 2),
    ("SUID_DUMP_USER", 1),
    ("S_IFBLK", 0o060_000),
    ("S_IFCHR", 0o020_000),
    ("S_IFDIR", 0o040_000),
    ("S_IFIFO", 0o010_000),
    ("S_IFLNK", 0o120_000),
    ("S_IFREG", 0o100_000),
    ("S_IFSOCK", 0o140_000),
    ("S_ISGID", 0o2000),
    ("S_ISUID", 0o4000),
    ("S_ISVTX", 0o1000),
    ("ST_MANDLOCK", 0x40),
    ("ST_NOATIME", 0x400),
    ("ST_NODEV", 0x4),
    ("ST_NODIRATIME", 0x800),
    ("ST_NOEXEC", 0x8),
    ("ST_NOSUID", 0x2),
    ("ST_NOSYMFOLLOW", 0x2000),
    ("ST_RDONLY", 0x1),
    ("ST_RELATIME", 0x1000),
    ("ST_SYNCHRONOUS", 0x10),
    ("ST_VALID", 0x20),
    ("WEXITED", 4),
    ("WNOWAIT", 0x100_0000),
    ("WSTOPPED", 2),
    ("__WALL", 0x4000_0000),
    ("__WCLONE", 0x8000_0000),
    ("__WNOTHREAD", 0x2000_0000),
];

fn of<F: Flags>(name: &str) -> Option<i128>
where
    F::Bits: Into<u64>,
{
    F::from_name(name).map(|flags| i128::from(flags.bits().into()))
}

/// The number behind a name.
pub(super) fn constant(name: &str) -> Option<i128> {
    let other = OTHERS.iter().find(|other| other.0 == name).map(|other| i128::from(other.1));
    other
        .or_else(|| of::<MountFlags>(name))
        .or_else(|| of::<UmountFlags>(name))
        .or_else(|| of::<OpenFlags>(name))
        .or_else(|| of::<AtFlags>(name))
        .or_else(|| of::<OpenTreeFlags>(name))
        .or_else(|| of::<MoveMountFlags>(name))
        .or_else(|| of::<FsopenFlags>(name))
        .or_else(|| of::<FsmountFlags>(name))
        .or_else(|| of::<FspickFlags>(name))
        .or_else(|| of::<MountAttrFlags>(name))
        .or_else(|| of::<CloneFlags>(name))
        .or_else(|| of::<ResolveFlags>(name))
        .or_else(|| of::<RenameFlags>(name))
        .or_else(|| of::<CloseRangeFlags>(name))
        .or_else(|| of::<FlockOperation>(name))
        .or_else(|| of::<WaitOptions>(name))
        .or_else(|| of::<Capabilities>(name))
        .or_else(|| signal(name).map(|signal| i128::from(signal.0)))
}

/// The signal with a name.
pub(crate) fn signal(name: &str) -> Option<Signal> {
    (1..=31).map(Signal).find(|signal| signal.to_string() == name)
}
