//! Paths that lead nowhere, given to every call that takes one.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, DeviceNumber, Errno, Fd, FileType, FspickFlags, Mode, MountAttr, MountAttrFlags, MountFlags,
    MoveMountFlags, NodeMode, OpenFlags, OpenHow, OpenTreeFlags, RenameFlags, UmountFlags,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::Action;
use super::scene::{Scene, Want};

/// Descriptors that nobody has.
const NOT_OPEN: [Fd; 3] = [Fd(-1), Fd(77), Fd(5000)];
/// Where something is that somebody may not enter.
const CLOSED: &[&str] = &[
    "/b/closed/x",
    "/b/closed/f",
    "/n0/x",
    "/n1/x",
    "/a/n0/x",
    "/b/n1/x",
    "/a/d/y",
    "/a/e/y",
    "/b/d/y",
    "/c/d/y",
    "/c/sticky/y",
    "d/y",
    "n0/x",
    "y",
];

/// A call with a path on which the walk fails in one of the ways in which it can.
pub(super) fn walk(scene: &mut Scene<'_>) -> Option<Action> {
    let errno = scene.weighted(&[
        (2, Errno::EACCES),
        (2, Errno::ESRCH),
        (2, Errno::EBADF),
        (1, Errno::ELOOP),
        (1, Errno::ENAMETOOLONG),
        (1, Errno::ENOENT),
        (1, Errno::ENOTDIR),
    ]);
    walk_that_gives(scene, errno)
}

/// A call with a path on which the walk fails with an error, if there is such a path.
pub(super) fn walk_that_gives(scene: &mut Scene<'_>, errno: Errno) -> Option<Action> {
    let (dirfd, path) = match errno {
        Errno::EBADF => (scene.pick(&NOT_OPEN), Bytes::from("d")),
        errno => (Fd::CWD, dead_end(scene, errno)?),
    };
    Some(Action::Call(call(scene, dirfd, path)))
}

fn dead_end(scene: &mut Scene<'_>, errno: Errno) -> Option<Bytes> {
    let candidates: Vec<Bytes> = match errno {
        Errno::EACCES => CLOSED.iter().map(|path| Bytes::from(*path)).collect(),
        Errno::ESRCH => beyond_processes(scene),
        Errno::ELOOP => vec!["/a/loop/x".into(), "/a/loop/".into()],
        Errno::ENAMETOOLONG => vec!["x".repeat(256).into(), "/a".repeat(2100).into()],
        Errno::ENOTDIR => vec!["/a/f/x".into(), "/own/x".into(), "/b/fifo/.".into()],
        _ => vec!["/nothing/x".into(), "/a/dangling/x".into(), "nothing/x".into()],
    };
    let refuses = |scene: &mut Scene<'_>, path: &Bytes| {
        let question = Call::Statx { dirfd: Fd::CWD, path: path.clone(), flags: AtFlags::AT_SYMLINK_NOFOLLOW };
        scene.refusal(&question) == Some(errno)
    };
    let fitting: Vec<_> = candidates.into_iter().filter(|path| refuses(scene, path)).collect();
    scene.pick_any(&fitting)
}

/// Below directories of proc that are open, or the working directory: the process may be gone.
fn beyond_processes(scene: &mut Scene<'_>) -> Vec<Bytes> {
    let open = scene.descriptors(&[DescriptorKind::Place, DescriptorKind::Directory]);
    let of_proc = open.into_iter().filter(|fd| scene.is_on_proc(*fd)).collect::<Vec<_>>();
    let below = of_proc.iter().map(|fd| Bytes::from(format!("/proc/self/fd/{}/x", fd.0)));
    below.chain([Bytes::from("x")]).collect()
}

/// Makes a call with a place, and another one.
type CallWith = fn(Fd, Bytes, Fd, Bytes) -> Call;

/// Any call that takes a path, with this one.
fn call(scene: &mut Scene<'_>, dirfd: Fd, path: Bytes) -> Call {
    const CALLS: &[CallWith] = &[
        |_, path, _, other| mount(Some(other), path, MountFlags::MS_BIND),
        |_, path, _, other| mount(Some(path), other, MountFlags::MS_BIND),
        |_, path, _, other| mount(Some(path), other, MountFlags::MS_MOVE),
        |_, path, _, _| mount(None, path, MountFlags::MS_SHARED),
        |_, target, _, _| Call::Umount2 { target, flags: UmountFlags::MNT_DETACH },
        |_, new_root, _, put_old| Call::PivotRoot { new_root, put_old },
        |_, put_old, _, new_root| Call::PivotRoot { new_root, put_old },
        |dirfd, path, _, _| Call::OpenTree { dirfd, path, flags: OpenTreeFlags::OPEN_TREE_CLONE },
        |dirfd, path, _, _| Call::OpenTreeAttr {
            dirfd,
            path,
            flags: OpenTreeFlags::OPEN_TREE_CLONE,
            attr: read_only(),
        },
        |from_dirfd, from_path, to_dirfd, to_path| Call::MoveMount {
            from_dirfd,
            from_path,
            to_dirfd,
            to_path,
            flags: MoveMountFlags::empty(),
        },
        |to_dirfd, to_path, from_dirfd, from_path| Call::MoveMount {
            from_dirfd,
            from_path,
            to_dirfd,
            to_path,
            flags: MoveMountFlags::empty(),
        },
        |dirfd, path, _, _| Call::MountSetattr { dirfd, path, flags: AtFlags::empty(), attr: read_only() },
        |dirfd, path, _, _| Call::Fspick { dirfd, path, flags: FspickFlags::empty() },
        |_, path, _, _| Call::Statfs { path },
        |_, path, _, _| Call::Chroot { path },
        |_, path, _, _| Call::Chdir { path },
        |dirfd, path, _, _| Call::Openat2 { dirfd, path, how: OpenHow::default() },
        |dirfd, path, _, _| {
            let flags = OpenFlags::O_CREAT | OpenFlags::O_RDWR | OpenFlags::O_NONBLOCK;
            Call::Openat2 { dirfd, path, how: OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() } }
        },
        |dirfd, path, _, _| Call::Mkdirat { dirfd, path, mode: Mode(0o755) },
        |dirfd, path, _, _| Call::Mknodat {
            dirfd,
            path,
            mode: NodeMode { file_type: FileType::Regular, mode: Mode(0o644) },
            device: DeviceNumber::NONE,
        },
        |dirfd, path, _, target| Call::Symlinkat { target, dirfd, path },
        |old_dirfd, old_path, new_dirfd, new_path| Call::Linkat {
            old_dirfd,
            old_path,
            new_dirfd,
            new_path,
            flags: AtFlags::empty(),
        },
        |new_dirfd, new_path, old_dirfd, old_path| Call::Linkat {
            old_dirfd,
            old_path,
            new_dirfd,
            new_path,
            flags: AtFlags::empty(),
        },
        |dirfd, path, _, _| Call::Unlinkat { dirfd, path, flags: AtFlags::empty() },
        |old_dirfd, old_path, new_dirfd, new_path| Call::Renameat2 {
            old_dirfd,
            old_path,
            new_dirfd,
            new_path,
            flags: RenameFlags::empty(),
        },
        |new_dirfd, new_path, old_dirfd, old_path| Call::Renameat2 {
            old_dirfd,
            old_path,
            new_dirfd,
            new_path,
            flags: RenameFlags::empty(),
        },
        |dirfd, path, _, _| Call::Readlinkat { dirfd, path },
        |dirfd, path, _, _| Call::Statx { dirfd, path, flags: AtFlags::empty() },
        |dirfd, path, _, _| Call::Fchmodat { dirfd, path, mode: Mode(0o755) },
        |dirfd, path, _, _| Call::Fchownat { dirfd, path, owner: Some(0), group: None, flags: AtFlags::empty() },
        |_, path, _, _| Call::Execve { path, argv: vec!["x".into()], envp: Vec::new() },
    ];
    let want = scene.weighted(&[(2, Want::File), (3, Want::Directory), (2, Want::New)]);
    let (other_dirfd, other) = scene.place(want);
    scene.pick(CALLS)(dirfd, path, other_dirfd, other)
}

fn mount(source: Option<Bytes>, target: Bytes, mountflags: MountFlags) -> Call {
    Call::Mount { source, target, filesystemtype: None, mountflags, data: None }
}

fn read_only() -> MountAttr {
    MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() }
}
