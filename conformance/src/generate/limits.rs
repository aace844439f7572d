//! Small filesystems in memory, until they are full.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, DeviceNumber, Fd, FileType, FsConfig, Mode, MountFlags, NodeMode, OpenFlags,
    OpenHow, RenameFlags, Value, Whence,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{Scene, TMPFS, Want, join};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (6, mount),
    (4, remount),
    (2, pick),
    (3, configure),
    (10, make),
    (6, link),
    (5, symlink),
    (6, open),
    (3, nameless),
    (3, name),
    (12, write),
    (4, seek),
    (4, truncate),
    (6, unlink),
    (5, rename),
    (8, statfs),
    (4, unshare),
    (6, open_user_limit),
    (6, use_user_limit),
    (3, open_map),
    (4, write_map),
];

/// Parameters with limits that are soon reached.
const OPTIONS: &[&str] = &[
    "size=4k",
    "size=8k,nr_inodes=4",
    "size=1",
    "nr_blocks=3,nr_inodes=6",
    "nr_inodes=1",
    "nr_inodes=2",
    "nr_inodes=3,size=0",
    "nr_inodes=0,nr_blocks=5",
    "size=40k,nr_inodes=8",
    "nr_blocks=0,nr_inodes=0",
    "size=50%",
    "size=1%,nr_inodes=5",
    "nr_blocks=1k,nr_inodes=1k",
    "",
];

const NAMES: &[&str] = &["n0", "n1", "n2", "n3", "n4", "n5", "d", "n0/n1", "d/n2"];

/// A place in a tmpfs that is no other mount.
fn directory(scene: &mut Scene<'_>) -> Option<Bytes> {
    let is_small = |path: &Bytes| matches!(path.0.as_slice(), b"/a" | b"/b" | b"/c" | b"/a/d" | b"/b/e");
    let mounts = scene.mounts().iter().filter(|mount| mount.filesystem.0 == b"tmpfs" && is_small(&mount.path));
    let mounts: Vec<_> = mounts.map(|mount| mount.path.clone()).collect();
    scene.pick_any(&mounts)
}

fn place(scene: &mut Scene<'_>) -> Option<Bytes> {
    let directory = directory(scene)?;
    let name = scene.pick(NAMES);
    Some(join(&directory, name))
}

fn mount(scene: &mut Scene<'_>) -> Option<Action> {
    let target = scene.pick(&["/a", "/b", "/c", "/a/d", "/b/e"]).into();
    let data = Some(scene.pick(OPTIONS).into());
    let filesystemtype = Some("tmpfs".into());
    let mountflags = MountFlags::empty();
    Some(Action::Call(Call::Mount { source: Some("small".into()), target, filesystemtype, mountflags, data }))
}

fn remount(scene: &mut Scene<'_>) -> Option<Action> {
    let target = directory(scene)?;
    let data = Some(scene.pick(OPTIONS).into());
    let mountflags = MountFlags::MS_REMOUNT;
    Some(Action::Call(Call::Mount { source: None, target, filesystemtype: None, mountflags, data }))
}

fn pick(scene: &mut Scene<'_>) -> Option<Action> {
    let path = directory(scene)?;
    Some(Action::Call(Call::Fspick { dirfd: Fd::CWD, path, flags: cofferdam::kernel::FspickFlags::empty() }))
}

fn configure(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Context])?;
    let (key, value) = scene.pick(&[
        ("size", "4k"),
        ("size", "12345"),
        ("size", "0"),
        ("size", "1%"),
        ("nr_blocks", "2"),
        ("nr_blocks", "0"),
        ("nr_inodes", "1"),
        ("nr_inodes", "3"),
        ("nr_inodes", "0"),
    ]);
    let config = match scene.below(3) {
        0 => FsConfig::Reconfigure,
        _ => FsConfig::SetString { key: key.into(), value: value.into() },
    };
    Some(Action::Call(Call::Fsconfig { fd, config }))
}

fn make(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let (dirfd, mode) = (Fd::CWD, Mode(0o755));
    let file_type = scene.pick(&[FileType::Directory, FileType::Regular, FileType::Fifo, FileType::Socket]);
    Some(Action::Call(match file_type {
        FileType::Directory => Call::Mkdirat { dirfd, path, mode },
        _ => Call::Mknodat { dirfd, path, mode: NodeMode { file_type, mode }, device: DeviceNumber::NONE },
    }))
}

fn link(scene: &mut Scene<'_>) -> Option<Action> {
    let directory = directory(scene)?;
    let (old, new) = (scene.pick(NAMES), scene.pick(NAMES));
    let (old_path, new_path) = (join(&directory, old), join(&directory, new));
    let (old_dirfd, new_dirfd) = (Fd::CWD, Fd::CWD);
    Some(Action::Call(Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, flags: AtFlags::empty() }))
}

/// With a target that is kept in the inode, or one that takes a page.
fn symlink(scene: &mut Scene<'_>) -> Option<Action> {
    let length = scene.pick(&[1, 126, 127, 128, 129, 300, 4095, 4096]);
    let path = place(scene)?;
    Some(Action::Call(Call::Symlinkat { target: Bytes(vec![b'x'; length]), dirfd: Fd::CWD, path }))
}

fn open(scene: &mut Scene<'_>) -> Option<Action> {
    let flags = scene.some(
        OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK,
        &[OpenFlags::O_TRUNC, OpenFlags::O_APPEND, OpenFlags::O_EXCL],
        20,
    );
    let path = place(scene)?;
    let how = OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() };
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how }))
}

/// `O_TMPFILE`
pub(super) const NAMELESS: OpenFlags = OpenFlags::from_bits_retain(0o20_200_000);

/// A file without a name. It is shown with the number of its inode, which is the same on both kernels in a tmpfs alone.
fn nameless(scene: &mut Scene<'_>) -> Option<Action> {
    let path = if scene.chance(70) { directory(scene)? } else { scene.path(Want::Directory) };
    if scene.magic_at(Fd::CWD, &path, true) != Some(TMPFS) {
        return None;
    }
    let flags = scene.some(NAMELESS | OpenFlags::O_RDWR, &[OpenFlags::O_EXCL], 20);
    let how = OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() };
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how }))
}

/// Gives a file that is open a name.
fn name(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Other, DescriptorKind::Place])?;
    let new_path = place(scene)?;
    let (old_dirfd, old_path, flags) = if scene.chance(50) {
        (fd, Bytes::default(), AtFlags::AT_EMPTY_PATH)
    } else {
        (Fd::CWD, Bytes::from(format!("/proc/self/fd/{}", fd.0)), AtFlags::AT_SYMLINK_FOLLOW)
    };
    Some(Action::Call(Call::Linkat { old_dirfd, old_path, new_dirfd: Fd::CWD, new_path, flags }))
}

/// An open file that is not one of proc, writing to which may be too much for it.
fn file(scene: &mut Scene<'_>) -> Option<Fd> {
    let fd = scene.descriptor(&[DescriptorKind::Other])?;
    matches!(scene.ask(&Call::Fstatfs { fd }), Some(Value::StatFs(stat)) if stat.magic == TMPFS).then_some(fd)
}

fn write(scene: &mut Scene<'_>) -> Option<Action> {
    let length = scene.pick(&[1, 100, 4095, 4096, 4097, 8192, 10_000, 70_000]);
    let fd = file(scene)?;
    Some(Action::Call(Call::Write { fd, data: Bytes(vec![b'y'; length]) }))
}

fn seek(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = file(scene)?;
    let (offset, whence) = scene.pick(&[
        (0, Whence::Start),
        (4000, Whence::Start),
        (5000, Whence::Current),
        (20_000, Whence::Start),
        (1 << 40, Whence::Start),
        (i64::MAX - 5000, Whence::Start),
        (0, Whence::End),
        (-4096, Whence::End),
    ]);
    Some(Action::Call(Call::Lseek { fd, offset, whence }))
}

fn truncate(scene: &mut Scene<'_>) -> Option<Action> {
    let length = scene.pick(&[0, 1, 4095, 4096, 4097, 8192, 100_000, 1 << 50]);
    Some(Action::Call(Call::Ftruncate { fd: file(scene)?, length }))
}

fn unlink(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let flags = if scene.chance(40) { AtFlags::AT_REMOVEDIR } else { AtFlags::empty() };
    Some(Action::Call(Call::Unlinkat { dirfd: Fd::CWD, path, flags }))
}

fn rename(scene: &mut Scene<'_>) -> Option<Action> {
    let directory = directory(scene)?;
    let (old, new) = (scene.pick(NAMES), scene.pick(NAMES));
    let (old_path, new_path) = (join(&directory, old), join(&directory, new));
    let flags = scene.pick(&[RenameFlags::empty(), RenameFlags::RENAME_WHITEOUT, RenameFlags::RENAME_EXCHANGE]);
    Some(Action::Call(Call::Renameat2 { old_dirfd: Fd::CWD, old_path, new_dirfd: Fd::CWD, new_path, flags }))
}

/// A namespace of a kind that is counted, or of a user whose numbers are those of nobody else.
fn unshare(scene: &mut Scene<'_>) -> Option<Action> {
    let flags = scene.weighted(&[
        (6, CloneFlags::CLONE_NEWUSER),
        (4, CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS)),
        (6, CloneFlags::CLONE_NEWNS),
        (4, CloneFlags::CLONE_NEWUTS),
        (3, CloneFlags::CLONE_NEWCGROUP),
        (3, CloneFlags::CLONE_NEWUTS.union(CloneFlags::CLONE_NEWNS)),
        (2, CloneFlags::CLONE_NEWIPC),
        (1, CloneFlags::CLONE_NEWCGROUP.union(CloneFlags::CLONE_NEWIPC).union(CloneFlags::CLONE_NEWUTS)),
        (3, NEW_TIME),
    ]);
    Some(Action::Call(Call::Unshare { flags }))
}

/// `CLONE_NEWTIME`
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

const MAPS: [(&str, &str); 3] = [("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")];

/// A map of the process's user namespace: until there are maps, nobody in it can make another one.
fn open_map(scene: &mut Scene<'_>) -> Option<Action> {
    let (name, _) = scene.pick(&MAPS);
    let path = Bytes::from(format!("/proc/self/{name}"));
    let how = OpenHow { flags: OpenFlags::O_WRONLY, ..OpenHow::default() };
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how }))
}

fn write_map(scene: &mut Scene<'_>) -> Option<Action> {
    let open = open_below(scene, "/proc/");
    let known = |path: &Bytes| MAPS.into_iter().find(|(name, _)| path.0.ends_with(name.as_bytes()));
    let maps: Vec<_> = open.iter().filter_map(|(fd, path)| Some((*fd, known(path)?.1))).collect();
    let (fd, text) = scene.pick_any(&maps)?;
    Some(Action::Call(Call::Write { fd, data: text.into() }))
}

/// The descriptors of the process whose path begins so, with their paths.
fn open_below(scene: &mut Scene<'_>, start: &str) -> Vec<(Fd, Bytes)> {
    let open: Vec<_> = scene.kernel.descriptors(scene.task).into_iter().map(|(fd, _)| fd).collect();
    let mut below = Vec::new();
    for fd in open {
        let path = Bytes::from(format!("/proc/self/fd/{}", fd.0));
        match scene.ask(&Call::Readlinkat { dirfd: Fd::CWD, path }) {
            Some(Value::Bytes(path)) if path.0.starts_with(start.as_bytes()) => below.push((fd, path)),
            _ => {}
        }
    }
    below
}

/// Where the limits are.
const USER_LIMITS: &str = "/proc/sys/user/";

/// A limit of a user namespace, unless it is that of the machine.
fn open_user_limit(scene: &mut Scene<'_>) -> Option<Action> {
    if !scene.has_own_user_namespace() {
        return None;
    }
    let name = scene.weighted(&[
        (8, "max_mnt_namespaces"),
        (6, "max_uts_namespaces"),
        (3, "max_cgroup_namespaces"),
        (3, "max_time_namespaces"),
        (5, "max_user_namespaces"),
        (2, "max_ipc_namespaces"),
        (1, "max_pid_namespaces"),
        (1, "max_net_namespaces"),
        (1, "max_inotify_watches"),
        (1, "nothing"),
    ]);
    let flags = scene.weighted(&[(8, OpenFlags::O_RDWR), (2, OpenFlags::O_WRONLY), (2, OpenFlags::empty())]);
    let flags = scene.some(flags, &[OpenFlags::O_TRUNC, OpenFlags::O_PATH, OpenFlags::O_CREAT], 3);
    let path = Bytes::from(format!("{USER_LIMITS}{name}"));
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how: OpenHow { flags, ..OpenHow::default() } }))
}

/// Reads or writes such a limit. Namespaces of some kinds go some time after their last user has gone, so that their limit
/// is either none at all or far off.
fn use_user_limit(scene: &mut Scene<'_>) -> Option<Action> {
    const ANY: &[&str] = &["0", "0\n", "2147483647", "10000", "-1", "2147483648", "x", "", " ", "0 0\n", " 0x10000\t"];
    const FEW: &[&str] = &["1", "2", "3 4", "1\n", "04", "5"];
    let limits = open_below(scene, USER_LIMITS);
    let (fd, path) = scene.pick_any(&limits)?;
    if scene.chance(15) {
        return Some(Action::Call(Call::Read { fd, count: scene.pick(&[0, 1, 4096]) }));
    }
    if scene.chance(25) {
        return Some(Action::Call(Call::Lseek { fd, offset: 0, whence: Whence::Start }));
    }
    let goes_late = ["user", "ipc", "pid", "net"].map(|kind| format!("{USER_LIMITS}max_{kind}_namespaces"));
    let is_exact = !goes_late.iter().any(|late| late.as_bytes() == path.0);
    let data = if is_exact && scene.chance(60) { scene.pick(FEW) } else { scene.pick(ANY) };
    Some(Action::Call(Call::Write { fd, data: data.into() }))
}

fn statfs(scene: &mut Scene<'_>) -> Option<Action> {
    let path = directory(scene)?;
    Some(Action::Call(Call::Statfs { path }))
}
