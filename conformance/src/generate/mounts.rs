//! mount(2) with a filesystem, a bind, a move or new flags; pivot_root(2).

use cofferdam::kernel::{Bytes, Call, MountFlags};

use super::scene::{Scene, Want, join};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (20, tmpfs),
    (6, other_filesystem),
    (30, bind),
    (8, move_),
    (10, remount_bind),
    (5, remount),
    (8, pivot_root),
    (1, unknown),
    (3, anyhow),
];

/// Flags that a mount keeps.
const KEPT: &[MountFlags] = &[
    MountFlags::MS_RDONLY,
    MountFlags::MS_NOSUID,
    MountFlags::MS_NODEV,
    MountFlags::MS_NOEXEC,
    MountFlags::MS_NOATIME,
    MountFlags::MS_NODIRATIME,
    MountFlags::MS_RELATIME,
    MountFlags::MS_STRICTATIME,
    MountFlags::MS_NOSYMFOLLOW,
];
/// Flags that a filesystem keeps.
const OF_SUPERBLOCK: &[MountFlags] = &[
    MountFlags::MS_SYNCHRONOUS,
    MountFlags::MS_DIRSYNC,
    MountFlags::MS_MANDLOCK,
    MountFlags::MS_LAZYTIME,
    MountFlags::MS_SILENT,
    MountFlags::MS_I_VERSION,
];
const SOURCES: &[&str] = &["t1", "t2", "none", "with space", "#tab\tback\\slash", ""];
const TMPFS_OPTIONS: &[&str] = &[
    "",
    "mode=700",
    "size=1m",
    "nr_inodes=1000",
    "mode=1777,uid=1000,gid=1000",
    "size=1048577,nr_inodes=700",
    "ro",
    "size=640k,mode=0",
    "bad",
    "mode=9",
    "noswap",
    "inode32",
    "inode64",
    "huge=never",
    "source=x",
];

fn mount(source: Option<Bytes>, target: Bytes, kind: Option<&str>, flags: MountFlags, data: Option<&str>) -> Action {
    let (filesystemtype, data) = (kind.map(Into::into), data.map(Into::into));
    Action::Call(Call::Mount { source, target, filesystemtype, mountflags: flags, data })
}

fn flags(scene: &mut Scene<'_>) -> MountFlags {
    if scene.chance(65) {
        return MountFlags::empty();
    }
    let kept = scene.some(MountFlags::empty(), KEPT, 20);
    scene.some(kept, OF_SUPERBLOCK, 5)
}

/// A directory, or what the last mount is to be put on.
fn target(scene: &mut Scene<'_>) -> Bytes {
    let want = scene.weighted(&[(95, Want::Directory), (4, Want::File), (1, Want::Anything)]);
    scene.path(want)
}

fn tmpfs(scene: &mut Scene<'_>) -> Option<Action> {
    let source = scene.pick(SOURCES);
    let data = if scene.chance(30) { Some(scene.pick(TMPFS_OPTIONS)) } else { None };
    let (target, flags) = (target(scene), flags(scene));
    Some(mount(Some(source.into()), target, Some("tmpfs"), flags, data))
}

fn other_filesystem(scene: &mut Scene<'_>) -> Option<Action> {
    let kinds: &[(u32, (&str, &[&str]))] = &[
        (4, ("ramfs", &["", "mode=700", "x"])),
        (3, ("proc", &["", "hidepid=2", "gid=5", "subset=pid", "hidepid=nothing"])),
        (3, ("devpts", &["", "newinstance", "mode=620,ptmxmode=666", "gid=5", "max=3", "bad"])),
        (2, ("mqueue", &["", "mode=700"])),
    ];
    let (kind, options) = scene.weighted(kinds);
    let data = if scene.chance(30) { Some(scene.pick(options)) } else { None };
    let source = if scene.chance(90) { Some(kind.into()) } else { None };
    let (target, flags) = (target(scene), flags(scene));
    Some(mount(source, target, Some(kind), flags, data))
}

fn unknown(scene: &mut Scene<'_>) -> Option<Action> {
    let target = target(scene);
    let kind = scene.pick(&["nonsense", "", "tmpfs.sub", "pipefs", "nsfs"]);
    Some(mount(None, target, Some(kind), MountFlags::empty(), None))
}

fn bind(scene: &mut Scene<'_>) -> Option<Action> {
    let is_file = scene.chance(8);
    let want = if is_file { Want::File } else { Want::Directory };
    let (source, target) = if !is_file && scene.chance(10) {
        // A directory onto itself makes a mount of it.
        let path = scene.path(want);
        (path.clone(), path)
    } else {
        (scene.path(want), scene.path(want))
    };
    let recursive = if scene.chance(45) { MountFlags::MS_REC } else { MountFlags::empty() };
    let ignored = if scene.chance(5) { MountFlags::MS_RDONLY } else { MountFlags::empty() };
    Some(mount(Some(source), target, None, MountFlags::MS_BIND | recursive | ignored, None))
}

fn move_(scene: &mut Scene<'_>) -> Option<Action> {
    let source = if scene.chance(90) { scene.own_mountpoint()? } else { scene.path(Want::Directory) };
    let target = scene.path(Want::Directory);
    Some(mount(Some(source), target, None, MountFlags::MS_MOVE, None))
}

/// Changes the flags of a mount.
fn remount_bind(scene: &mut Scene<'_>) -> Option<Action> {
    let target = scene.mountpoint()?;
    let flags = scene.some(MountFlags::MS_REMOUNT | MountFlags::MS_BIND, KEPT, 25);
    Some(mount(None, target, None, flags, None))
}

/// Changes a filesystem, of those that belong to the sandbox alone.
fn remount(scene: &mut Scene<'_>) -> Option<Action> {
    const OPTIONS: &[&str] = &["", "size=2m", "mode=711", "ro", "nr_inodes=500", "bad=1"];
    let target = scene.mountpoint_to_change()?;
    let flags = MountFlags::MS_REMOUNT | flags(scene);
    let data = if scene.chance(40) { Some(scene.pick(OPTIONS)) } else { None };
    Some(mount(None, target, None, flags, data))
}

/// Any combination of flags, few of which go well together.
fn anyhow(scene: &mut Scene<'_>) -> Option<Action> {
    const OPERATIONS: &[MountFlags] = &[
        MountFlags::MS_REMOUNT,
        MountFlags::MS_BIND,
        MountFlags::MS_MOVE,
        MountFlags::MS_REC,
        MountFlags::MS_SHARED,
        MountFlags::MS_SLAVE,
        MountFlags::MS_PRIVATE,
        MountFlags::MS_UNBINDABLE,
        MountFlags::MS_POSIXACL,
    ];
    let flags = scene.some(MountFlags::empty(), OPERATIONS, 20);
    let flags = scene.some(flags, KEPT, 8);
    let flags = scene.some(flags, OF_SUPERBLOCK, 4);
    let source = scene.own_mountpoint()?;
    // Not the superblock of proc, which is the machine's.
    let target = if scene.chance(50) { scene.own_mountpoint()? } else { target(scene) };
    Some(mount(Some(source), target, Some("tmpfs"), flags, None))
}

fn pivot_root(scene: &mut Scene<'_>) -> Option<Action> {
    if scene.chance(15) {
        return Some(Action::Call(Call::PivotRoot { new_root: ".".into(), put_old: ".".into() }));
    }
    let new_root = if scene.chance(90) { scene.own_mountpoint()? } else { scene.path(Want::Directory) };
    let put_old = match scene.weighted(&[(4, "d"), (4, "e"), (3, "."), (1, "n0"), (1, "/")]) {
        "/" => scene.path(Want::Directory),
        name => join(&new_root, name),
    };
    Some(Action::Call(Call::PivotRoot { new_root, put_old }))
}
