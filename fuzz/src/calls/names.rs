//! The small universe that the arguments of calls are from.

use cofferdam::kernel::{
    AtFlags, CloneFlags, Fd, MountAttrFlags, MountFlags, MoveMountFlags, OpenFlags, OpenTreeFlags, RenameFlags,
    ResolveFlags, UmountFlags,
};

/// Where directories are, or may be, or what leads to one.
pub(super) const PLACES: [&str; 24] = [
    "/a",
    "/b",
    "/a/c",
    "/b/c",
    "/",
    "/w",
    "/a/l",
    "/b/l",
    "/a/n",
    "/b/n",
    "/a/c/n",
    "/b/c/n",
    ".",
    "..",
    "c",
    "n",
    "",
    "/proc",
    "/proc/self/fd/0",
    "/proc/self/fd/1",
    "/proc/self/root",
    "/proc/2/root/a",
    "/proc/1/cwd",
    "/a b\n",
];

/// Anything.
pub(super) const PATHS: [&str; 32] = [
    "/a",
    "/b",
    "/a/c",
    "/b/c",
    "/",
    "/a/f",
    "/b/f",
    "/a/l",
    "/b/l",
    "/a/n",
    "/b/n",
    "/a/c/n",
    "/b/c/n",
    "f",
    "n",
    "c",
    "",
    "..",
    "/w/work",
    "/a b\n",
    "/proc/self/fd/0",
    "/proc/self/fd/1",
    "/proc/self/fd/2",
    "/proc/self/ns/mnt",
    "/proc/self/ns/user",
    "/proc/1/ns/mnt",
    "/proc/2/ns/mnt",
    "/proc/self/uid_map",
    "/proc/self/mountinfo",
    "/proc/self/mounts",
    "/proc/1/root",
    "/proc/self/exe",
];

/// Descriptors: the lowest free numbers are given out.
pub(super) const DESCRIPTORS: [Fd; 10] = [Fd(0), Fd(1), Fd(2), Fd(3), Fd(4), Fd(5), Fd(6), Fd::CWD, Fd(-1), Fd(7)];

/// Where relative paths start.
pub(super) const DIRECTORIES: [Fd; 8] = [Fd::CWD, Fd::CWD, Fd::CWD, Fd(0), Fd(1), Fd(2), Fd(3), Fd(4)];

pub(super) const TYPES: [&str; 8] = ["tmpfs", "ramfs", "proc", "sysfs", "devpts", "devtmpfs", "mqueue", "overlay"];

/// The data of mount(2).
pub(super) const DATA: [Option<&str>; 12] = [
    None,
    Some("mode=700,size=64k"),
    Some("nr_inodes=4,size=1m"),
    Some("lowerdir=/a,upperdir=/b/c,workdir=/w"),
    Some("lowerdir=/a:/b"),
    Some("lowerdir=/b,upperdir=/a/c,workdir=/w,userxattr"),
    Some("lowerdir=/a/c,upperdir=/b,workdir=/w,index=off,volatile"),
    Some("lowerdir=/a,upperdir=/a/c,workdir=/w"),
    Some("newinstance,ptmxmode=666,mode=620,gid=5"),
    Some("hidepid=2,subset=pid"),
    Some("ro"),
    Some("nonsense=1"),
];

/// Parameters of a filesystem context; those without a value are flags.
pub(super) const PARAMETERS: [(&str, Option<&str>); 16] = [
    ("source", Some("s 1\n#")),
    ("lowerdir", Some("/a")),
    ("lowerdir+", Some("/b")),
    ("upperdir", Some("/b/c")),
    ("workdir", Some("/w")),
    ("size", Some("64k")),
    ("nr_inodes", Some("3")),
    ("mode", Some("700")),
    ("uid", Some("1000")),
    ("ro", None),
    ("rw", None),
    ("sync", None),
    ("userxattr", None),
    ("hidepid", Some("1")),
    ("xino", Some("on")),
    ("unknown", Some("")),
];

/// What mount(2) does apart from mounting a filesystem: the flags that mean something else, then those of a mount.
pub(super) const MEANINGS: [MountFlags; 16] = [
    MountFlags::MS_BIND,
    MountFlags::MS_BIND.union(MountFlags::MS_REC),
    MountFlags::MS_MOVE,
    MountFlags::MS_SHARED,
    MountFlags::MS_SHARED.union(MountFlags::MS_REC),
    MountFlags::MS_SLAVE,
    MountFlags::MS_SLAVE.union(MountFlags::MS_REC),
    MountFlags::MS_PRIVATE,
    MountFlags::MS_PRIVATE.union(MountFlags::MS_REC),
    MountFlags::MS_UNBINDABLE,
    MountFlags::MS_UNBINDABLE.union(MountFlags::MS_REC),
    MountFlags::MS_REMOUNT,
    MountFlags::MS_REMOUNT.union(MountFlags::MS_BIND),
    MountFlags::MS_REMOUNT.union(MountFlags::MS_BIND).union(MountFlags::MS_RDONLY),
    MountFlags::MS_REMOUNT.union(MountFlags::MS_RDONLY),
    MountFlags::MS_BIND.union(MountFlags::MS_MOVE),
];

pub(super) const ATTRIBUTES_OF_MOUNT: [MountFlags; 6] = [
    MountFlags::empty(),
    MountFlags::MS_RDONLY,
    MountFlags::MS_NOSUID.union(MountFlags::MS_NODEV),
    MountFlags::MS_NOATIME,
    MountFlags::MS_STRICTATIME,
    MountFlags::MS_NOSYMFOLLOW.union(MountFlags::MS_NOEXEC),
];

pub(super) const PROPAGATIONS: [MountFlags; 5] = [
    MountFlags::empty(),
    MountFlags::MS_SHARED,
    MountFlags::MS_SLAVE,
    MountFlags::MS_PRIVATE,
    MountFlags::MS_UNBINDABLE,
];

pub(super) const ATTRIBUTES: [MountAttrFlags; 8] = [
    MountAttrFlags::empty(),
    MountAttrFlags::MOUNT_ATTR_RDONLY,
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV),
    MountAttrFlags::MOUNT_ATTR_NOATIME,
    MountAttrFlags::MOUNT_ATTR__ATIME,
    MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW,
    MountAttrFlags::MOUNT_ATTR_IDMAP,
    MountAttrFlags::MOUNT_ATTR_NODIRATIME,
];

pub(super) const UNMOUNTS: [UmountFlags; 6] = [
    UmountFlags::empty(),
    UmountFlags::MNT_DETACH,
    UmountFlags::UMOUNT_NOFOLLOW,
    UmountFlags::MNT_EXPIRE,
    UmountFlags::MNT_FORCE,
    UmountFlags::MNT_DETACH.union(UmountFlags::UMOUNT_NOFOLLOW),
];

pub(super) const TREES: [OpenTreeFlags; 6] = [
    OpenTreeFlags::OPEN_TREE_CLONE,
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::AT_RECURSIVE),
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::AT_EMPTY_PATH),
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::AT_EMPTY_PATH).union(OpenTreeFlags::AT_RECURSIVE),
    OpenTreeFlags::empty(),
    OpenTreeFlags::AT_EMPTY_PATH,
];

pub(super) const MOVES: [MoveMountFlags; 8] = [
    MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    MoveMountFlags::empty(),
    MoveMountFlags::MOVE_MOUNT_BENEATH,
    MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_BENEATH),
    MoveMountFlags::MOVE_MOUNT_SET_GROUP,
    MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_SET_GROUP),
    MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH),
    MoveMountFlags::MOVE_MOUNT_T_SYMLINKS.union(MoveMountFlags::MOVE_MOUNT_F_SYMLINKS),
];

pub(super) const NAMESPACES: [CloneFlags; 10] = [
    CloneFlags::CLONE_NEWNS,
    CloneFlags::CLONE_NEWUSER,
    CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS),
    CloneFlags::empty(),
    CloneFlags::CLONE_FS,
    CloneFlags::CLONE_FILES,
    CloneFlags::CLONE_NEWPID,
    CloneFlags::CLONE_NEWPID.union(CloneFlags::CLONE_NEWNS),
    CloneFlags::CLONE_NEWUTS.union(CloneFlags::CLONE_NEWIPC),
    CloneFlags::CLONE_FS.union(CloneFlags::CLONE_FILES),
];

pub(super) const OPENS: [OpenFlags; 10] = [
    OpenFlags::O_PATH,
    OpenFlags::empty(),
    OpenFlags::O_RDWR,
    OpenFlags::O_RDWR.union(OpenFlags::O_CREAT),
    OpenFlags::O_WRONLY.union(OpenFlags::O_TRUNC),
    OpenFlags::O_DIRECTORY,
    OpenFlags::O_PATH.union(OpenFlags::O_NOFOLLOW),
    OpenFlags::O_CREAT.union(OpenFlags::O_EXCL).union(OpenFlags::O_WRONLY),
    OpenFlags::O_WRONLY.union(OpenFlags::O_APPEND),
    OpenFlags::O_PATH.union(OpenFlags::O_DIRECTORY).union(OpenFlags::O_CLOEXEC),
];

pub(super) const RESOLVES: [ResolveFlags; 7] = [
    ResolveFlags::empty(),
    ResolveFlags::RESOLVE_BENEATH,
    ResolveFlags::RESOLVE_IN_ROOT,
    ResolveFlags::RESOLVE_NO_XDEV,
    ResolveFlags::RESOLVE_NO_SYMLINKS,
    ResolveFlags::RESOLVE_NO_MAGICLINKS,
    ResolveFlags::RESOLVE_BENEATH.union(ResolveFlags::RESOLVE_NO_SYMLINKS),
];

pub(super) const ATS: [AtFlags; 6] = [
    AtFlags::empty(),
    AtFlags::AT_EMPTY_PATH,
    AtFlags::AT_SYMLINK_NOFOLLOW,
    AtFlags::AT_RECURSIVE,
    AtFlags::AT_EMPTY_PATH.union(AtFlags::AT_RECURSIVE),
    AtFlags::AT_SYMLINK_FOLLOW,
];

pub(super) const RENAMES: [RenameFlags; 4] =
    [RenameFlags::empty(), RenameFlags::RENAME_EXCHANGE, RenameFlags::RENAME_NOREPLACE, RenameFlags::RENAME_WHITEOUT];

/// What is written to files, the maps of user namespaces among them.
pub(super) const TEXTS: [&str; 6] = ["0 0 1", "0 0 4294967295", "0 1000 1", "deny", "", "some text\n"];
