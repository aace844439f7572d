//! Files and directories: deep ones, locked ones, full ones.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Errno, Fd, FlockOperation, Mode, MountAttr, MountAttrFlags, OpenFlags, OpenTreeFlags, Whence,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::open_at;
use crate::generate::Action;
use crate::generate::scene::{PIPES, Scene, TMPFS};

fn deep() -> Bytes {
    Bytes::from("deep".repeat(63))
}

pub(super) fn deeper(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path: deep(), mode: Mode(0o777) }))
}

pub(super) fn enter(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: deep() }))
}

pub(super) fn getcwd(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Getcwd {}))
}

pub(super) fn readlink_cwd(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Readlinkat { dirfd: Fd::CWD, path: "/proc/self/cwd".into() }))
}

pub(super) fn leave(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: "/".into() }))
}

fn flock(fd: Fd, operation: FlockOperation) -> Action {
    Action::Call(Call::Flock { fd, operation })
}

pub(super) fn lock(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(flock(fd, FlockOperation::LOCK_EX | FlockOperation::LOCK_NB))
}

/// Through a descriptor whose file is locked through another.
pub(super) fn lock_first(scene: &mut Scene<'_>) -> Option<Action> {
    let operation = FlockOperation::LOCK_SH | FlockOperation::LOCK_NB;
    let files = scene.descriptors(&[DescriptorKind::Other]);
    let is_locked = |scene: &mut Scene<'_>, fd| scene.refusal(&Call::Flock { fd, operation }) == Some(Errno::EAGAIN);
    let fd = files.into_iter().find(|fd| is_locked(scene, *fd))?;
    Some(flock(fd, operation))
}

pub(super) fn lock_nothing(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Other])?;
    Some(flock(fd, FlockOperation::LOCK_NB))
}

pub(super) fn open_tree_read_only(scene: &mut Scene<'_>) -> Option<Action> {
    let attr = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    let path = scene.pick(&["/", "/a", "/b", "."]).into();
    Some(Action::Call(Call::OpenTreeAttr { dirfd: Fd::CWD, path, flags: OpenTreeFlags::empty(), attr }))
}

pub(super) fn pipe(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Pipe2 { flags: OpenFlags::O_NONBLOCK }))
}

pub(super) fn write_much(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(PIPES))?;
    Some(Action::Call(Call::Write { fd, data: vec![b'x'; 40_000].into() }))
}

pub(super) fn open_file(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/a/f", "/b/f", "/n2", "f"]).into();
    Some(open_at(path, OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK))
}

pub(super) fn seek_far(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Lseek { fd, offset: i64::MAX, whence: Whence::Start }))
}

pub(super) fn write_little(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Write { fd, data: "x".into() }))
}

const MADE: &str = "made";

pub(super) fn make(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path: MADE.into(), mode: Mode(0o755) }))
}

pub(super) fn open_made(_: &mut Scene<'_>) -> Option<Action> {
    Some(open_at(MADE.into(), OpenFlags::O_DIRECTORY))
}

pub(super) fn unmake(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Unlinkat { dirfd: Fd::CWD, path: MADE.into(), flags: AtFlags::AT_REMOVEDIR }))
}

pub(super) fn list(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Directory], Some(TMPFS))?;
    Some(Action::Call(Call::Getdents64 { fd }))
}
