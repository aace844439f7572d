//! Open files: openat2(2), reading and writing, descriptors.

use cofferdam::kernel::{
    Bytes, Call, CloseRangeFlags, Fd, FlockOperation, Mode, OpenFlags, OpenHow, ResolveFlags, Value, Whence,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (14, open_directory),
    (10, open_file),
    (6, open_path),
    (6, create),
    (6, open_table),
    (6, restricted),
    (2, nameless),
    (8, read),
    (5, write),
    (4, lseek),
    (2, ftruncate),
    (1, fsync),
    (2, flock),
    (8, getdents),
    (8, close),
    (2, close_range),
    (4, dup),
    (2, pipe),
];

fn openat2(dirfd: Fd, path: Bytes, flags: OpenFlags, mode: u32, resolve: ResolveFlags) -> Action {
    Action::Call(Call::Openat2 { dirfd, path, how: OpenHow { flags, mode: Mode(mode), resolve } })
}

fn open(dirfd: Fd, path: Bytes, flags: OpenFlags) -> Action {
    openat2(dirfd, path, flags, 0, ResolveFlags::empty())
}

fn open_directory(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = scene.place(Want::Directory);
    let flags = [OpenFlags::O_CLOEXEC, OpenFlags::O_NOFOLLOW, OpenFlags::O_NOATIME];
    Some(open(dirfd, path, scene.some(OpenFlags::O_DIRECTORY, &flags, 15)))
}

fn open_file(scene: &mut Scene<'_>) -> Option<Action> {
    let want = scene.weighted(&[(8, Want::File), (2, Want::Anything)]);
    let (dirfd, path) = if scene.chance(4) { (Fd::CWD, "/b/fifo".into()) } else { scene.place(want) };
    let access = scene.weighted(&[(5, OpenFlags::empty()), (5, OpenFlags::O_RDWR), (3, OpenFlags::O_WRONLY)]);
    let flags = [OpenFlags::O_CLOEXEC, OpenFlags::O_NOFOLLOW, OpenFlags::O_APPEND, OpenFlags::O_TRUNC];
    let waits = if scene.chance(25) { OpenFlags::empty() } else { OpenFlags::O_NONBLOCK };
    let flags = scene.some(access | waits, &flags, 12);
    let rare = [OpenFlags::O_DSYNC, OpenFlags::O_DIRECT, OpenFlags::O_NOCTTY, OpenFlags::O_LARGEFILE];
    Some(open(dirfd, path, scene.some(flags, &rare, 2)))
}

fn open_path(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = scene.place(Want::Anything);
    let flags = [OpenFlags::O_CLOEXEC, OpenFlags::O_NOFOLLOW, OpenFlags::O_DIRECTORY];
    Some(open(dirfd, path, scene.some(OpenFlags::O_PATH, &flags, 20)))
}

fn create(scene: &mut Scene<'_>) -> Option<Action> {
    let want = scene.weighted(&[(8, Want::New), (3, Want::Anything)]);
    let (dirfd, path) = scene.place(want);
    let access = scene.weighted(&[(2, OpenFlags::empty()), (5, OpenFlags::O_RDWR), (3, OpenFlags::O_WRONLY)]);
    let flags = [OpenFlags::O_EXCL, OpenFlags::O_TRUNC, OpenFlags::O_APPEND, OpenFlags::O_NOFOLLOW];
    let flags = scene.some(access | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK, &flags, 20);
    let mode = scene.pick(&[0o644, 0o600, 0o777, 0o000, 0o7777]);
    Some(openat2(dirfd, path, flags, mode, ResolveFlags::empty()))
}

/// A file without a name, where the filesystem has such.
fn nameless(scene: &mut Scene<'_>) -> Option<Action> {
    const TMPFILE: OpenFlags = OpenFlags::O_DIRECTORY.union(OpenFlags::from_bits_retain(0o20_000_000));
    let (dirfd, path) = if scene.chance(80) { scene.place(Want::Directory) } else { (Fd::CWD, "/proc".into()) };
    let access = if scene.chance(90) { OpenFlags::O_RDWR } else { OpenFlags::empty() };
    let flags = scene.some(access | TMPFILE, &[OpenFlags::O_EXCL, OpenFlags::O_CLOEXEC], 15);
    Some(openat2(dirfd, path, flags, 0o600, ResolveFlags::empty()))
}

/// A mount table, in the words of the kernel.
fn open_table(scene: &mut Scene<'_>) -> Option<Action> {
    let process = scene.weighted(&[(6, "self"), (2, "1"), (2, "2"), (1, "3"), (1, "thread-self")]);
    let file = scene.weighted(&[(6, "mountinfo"), (3, "mounts")]);
    Some(open(Fd::CWD, Bytes::from(format!("/proc/{process}/{file}")), OpenFlags::empty()))
}

fn restricted(scene: &mut Scene<'_>) -> Option<Action> {
    const RESOLVE: &[ResolveFlags] = &[
        ResolveFlags::RESOLVE_BENEATH,
        ResolveFlags::RESOLVE_IN_ROOT,
        ResolveFlags::RESOLVE_NO_XDEV,
        ResolveFlags::RESOLVE_NO_SYMLINKS,
        ResolveFlags::RESOLVE_NO_MAGICLINKS,
    ];
    let (dirfd, path) = match scene.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place]) {
        Some(fd) => {
            let paths = [
                "d", "e", "d/x", "..", "../b", "/a", "relative", "absolute", "up", "dangling", "loop", ".", "d/../e",
                "f",
            ];
            (fd, scene.pick(&paths).into())
        }
        None => scene.place(Want::Anything),
    };
    let mut resolve = scene.pick(RESOLVE);
    if scene.chance(30) {
        resolve |= scene.pick(RESOLVE);
    }
    // In a mount that was unmounted, such a walk disturbs itself, depending on how the kernel goes about it (`mntput()`,
    // `handle_dots()`).
    let is_scoped = resolve.intersects(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT);
    if is_scoped && !scene.is_attached(dirfd) {
        return None;
    }
    let flags = if scene.chance(70) { OpenFlags::O_PATH } else { OpenFlags::O_DIRECTORY };
    Some(openat2(dirfd, path, flags, 0, resolve))
}

fn readable(scene: &mut Scene<'_>) -> Option<Fd> {
    if scene.chance(92) { scene.descriptor(&[DescriptorKind::Other]) } else { scene.any_descriptor() }
}

/// As much as there is, and of a table of proc only if it comes at once (a page at most): where it is cut depends on the
/// length of the ids in it.
fn read(scene: &mut Scene<'_>) -> Option<Action> {
    const AT_ONCE: usize = 3000;
    let fd = readable(scene)?;
    let call = Call::Read { fd, count: 64 << 10 };
    let is_long = |value| matches!(value, Some(Value::Bytes(bytes)) if bytes.0.len() > AT_ONCE);
    let is_cut = scene.is_on_proc(fd) && is_long(scene.ask(&call));
    (!is_cut).then_some(Action::Call(call))
}

fn write(scene: &mut Scene<'_>) -> Option<Action> {
    // More than a pipe takes.
    const MUCH: usize = 70_000;
    let data = if scene.chance(3) {
        vec![b'x'; MUCH].into()
    } else {
        scene.pick(&["", "x", "#!/nothing\n", "some text\n"]).into()
    };
    Some(Action::Call(Call::Write { fd: readable(scene)?, data }))
}

/// Back to the beginning, or to where it makes no sense.
fn lseek(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = match scene.below(50) {
        0 => scene.any_descriptor()?,
        1 => scene.pick(&[Fd(-1), Fd(77)]),
        _ => scene.descriptor(&[DescriptorKind::Other, DescriptorKind::Directory])?,
    };
    // How far it is into a table of proc depends on the length of the ids in it.
    let current = if scene.is_on_proc(fd) { (0, Whence::Start) } else { (0, Whence::Current) };
    let end = if scene.is_on_proc(fd) { current } else { (0, Whence::End) };
    let (offset, whence) = scene.weighted(&[
        (8, (0, Whence::Start)),
        (1, (-1, Whence::Start)),
        (1, current),
        (1, end),
        (1, (1 << 40, Whence::Start)),
    ]);
    Some(Action::Call(Call::Lseek { fd, offset, whence }))
}

fn ftruncate(scene: &mut Scene<'_>) -> Option<Action> {
    let length = scene.pick(&[0, 1, 5000]);
    Some(Action::Call(Call::Ftruncate { fd: readable(scene)?, length }))
}

fn fsync(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Fsync { fd: readable(scene)? }))
}

fn flock(scene: &mut Scene<'_>) -> Option<Action> {
    let operation = scene.weighted(&[
        (3, FlockOperation::LOCK_SH.union(FlockOperation::LOCK_NB)),
        (3, FlockOperation::LOCK_EX.union(FlockOperation::LOCK_NB)),
        (3, FlockOperation::LOCK_UN),
        (2, FlockOperation::LOCK_SH),
        (2, FlockOperation::LOCK_EX),
    ]);
    Some(Action::Call(Call::Flock { fd: readable(scene)?, operation }))
}

fn getdents(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = if scene.chance(90) { scene.descriptor(&[DescriptorKind::Directory])? } else { scene.any_descriptor()? };
    Some(Action::Call(Call::Getdents64 { fd }))
}

fn close(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = if scene.chance(95) { scene.any_descriptor()? } else { Fd(77) };
    Some(Action::Call(Call::Close { fd }))
}

fn close_range(scene: &mut Scene<'_>) -> Option<Action> {
    let first = u32::try_from(scene.below(8)).ok()?;
    let last = scene.pick(&[0, 3, 5, 9, 200]);
    let flags = [CloseRangeFlags::CLOSE_RANGE_CLOEXEC, CloseRangeFlags::CLOSE_RANGE_UNSHARE];
    let flags = scene.some(CloseRangeFlags::empty(), &flags, 25);
    Some(Action::Call(Call::CloseRange { first, last, flags }))
}

fn dup(scene: &mut Scene<'_>) -> Option<Action> {
    let oldfd = scene.any_descriptor()?;
    let newfd = Fd(i32::try_from(scene.below(20)).ok()?);
    let flags = if scene.chance(20) { OpenFlags::O_CLOEXEC } else { OpenFlags::empty() };
    Some(Action::Call(Call::Dup3 { oldfd, newfd, flags }))
}

fn pipe(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Pipe2 {
        flags: {
            let flags =
                scene.some(OpenFlags::empty(), &[OpenFlags::O_CLOEXEC, OpenFlags::O_NONBLOCK, OpenFlags::O_DIRECT], 40);
            // What makes a pipe of notifications of the kernel's.
            scene.some(flags, &[OpenFlags::O_EXCL], 2)
        },
    }))
}
