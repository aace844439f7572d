//! What is done with paths: making, linking, renaming, removing, asking; and where a process stands.

use cofferdam::kernel::{AtFlags, Bytes, Call, DeviceNumber, Fd, FileType, Mode, NodeMode, RenameFlags};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{Scene, Want};
use super::{Action, Maker};
use crate::universe::USER;

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (10, mkdir),
    (6, mknod),
    (6, symlink),
    (6, link),
    (8, unlink),
    (5, rmdir),
    (10, rename),
    (10, statx),
    (4, readlink),
    (4, chmod),
    (1, fchmod),
    (5, chown),
];

/// Where a process stands.
pub(super) const WALKING: &[(u32, Maker)] = &[(10, chdir), (4, fchdir), (3, chroot), (8, getcwd), (8, statx)];

const MODES: &[u32] = &[0o755, 0o700, 0o777, 0o644, 0o600, 0o000, 0o1777, 0o4755, 0o2775, 0o7777, 0o111];

fn mode(scene: &mut Scene<'_>) -> Mode {
    Mode(scene.pick(MODES))
}

/// Where something new is to be, or what is there already.
fn new_place(scene: &mut Scene<'_>) -> (Fd, Bytes) {
    let want = scene.weighted(&[(90, Want::New), (10, Want::Anything)]);
    let (fd, mut path) = scene.place(want);
    if scene.chance(3) {
        path.0.push(b'/');
    }
    (fd, path)
}

fn mkdir(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = new_place(scene);
    let mode = mode(scene);
    Some(Action::Call(Call::Mkdirat { dirfd, path, mode }))
}

fn mknod(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = new_place(scene);
    // No device that leads to anything.
    let (file_type, device) = scene.weighted(&[
        (10, (FileType::Regular, DeviceNumber::NONE)),
        (4, (FileType::Fifo, DeviceNumber::NONE)),
        (2, (FileType::Socket, DeviceNumber::NONE)),
        (2, (FileType::CharacterDevice, DeviceNumber::NULL)),
        (2, (FileType::CharacterDevice, DeviceNumber::NONE)),
        (1, (FileType::Directory, DeviceNumber::NONE)),
        (1, (FileType::Anonymous, DeviceNumber::NONE)),
        (1, (FileType::Symlink, DeviceNumber::NONE)),
    ]);
    let mode = NodeMode { file_type, mode: mode(scene) };
    Some(Action::Call(Call::Mknodat { dirfd, path, mode, device }))
}

fn symlink(scene: &mut Scene<'_>) -> Option<Action> {
    let target = match scene.below(4) {
        0 => scene.pick(&["", ".", "..", "nothing", "/nothing/x", "n0", "/proc/self/root", "/proc/self/cwd/d"]).into(),
        _ => scene.path(Want::Anything),
    };
    let (dirfd, path) = new_place(scene);
    Some(Action::Call(Call::Symlinkat { target, dirfd, path }))
}

fn link(scene: &mut Scene<'_>) -> Option<Action> {
    let want = scene.weighted(&[(8, Want::File), (2, Want::Symlink), (1, Want::Directory)]);
    let (old_dirfd, old_path) = scene.place(want);
    let (new_dirfd, new_path) = new_place(scene);
    let flags = scene.some(AtFlags::empty(), &[AtFlags::AT_SYMLINK_FOLLOW, AtFlags::AT_EMPTY_PATH], 10);
    Some(Action::Call(Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, flags }))
}

fn unlink(scene: &mut Scene<'_>) -> Option<Action> {
    let want = scene.weighted(&[(8, Want::File), (4, Want::Symlink), (1, Want::Anything)]);
    let (dirfd, path) = scene.place(want);
    Some(Action::Call(Call::Unlinkat { dirfd, path, flags: AtFlags::empty() }))
}

fn rmdir(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = scene.place(Want::Directory);
    Some(Action::Call(Call::Unlinkat { dirfd, path, flags: AtFlags::AT_REMOVEDIR }))
}

fn rename(scene: &mut Scene<'_>) -> Option<Action> {
    if scene.chance(1) {
        return Some(rename_in_proc(scene));
    }
    let want = scene.weighted(&[(5, Want::File), (5, Want::Directory), (2, Want::Symlink)]);
    let (old_dirfd, old_path) = scene.place(want);
    let flags = scene.weighted(&[
        (12, RenameFlags::empty()),
        (3, RenameFlags::RENAME_NOREPLACE),
        (4, RenameFlags::RENAME_EXCHANGE),
        (1, RenameFlags::RENAME_WHITEOUT),
        (1, RenameFlags::RENAME_NOREPLACE.union(RenameFlags::RENAME_EXCHANGE)),
    ]);
    let exists = flags.contains(RenameFlags::RENAME_EXCHANGE) || scene.chance(25);
    let (new_dirfd, new_path) = if exists { scene.place(want) } else { new_place(scene) };
    Some(Action::Call(Call::Renameat2 { old_dirfd, old_path, new_dirfd, new_path, flags }))
}

/// Where nothing can be renamed.
fn rename_in_proc(scene: &mut Scene<'_>) -> Action {
    let paths = ["/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/n0", "/proc/self/ns", "/proc/self/cwd"];
    Action::Call(Call::Renameat2 {
        old_dirfd: Fd::CWD,
        old_path: scene.pick(&paths).into(),
        new_dirfd: Fd::CWD,
        new_path: scene.pick(&paths).into(),
        flags: RenameFlags::empty(),
    })
}

fn statx(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path, mut flags) = match scene.any_descriptor() {
        Some(fd) if scene.chance(15) => (fd, Bytes::default(), AtFlags::AT_EMPTY_PATH),
        _ => {
            let want = scene.weighted(&[(19, Want::Anything), (1, Want::New)]);
            let (fd, path) = scene.place(want);
            (fd, path, AtFlags::empty())
        }
    };
    flags = scene.some(flags, &[AtFlags::AT_SYMLINK_NOFOLLOW, AtFlags::AT_NO_AUTOMOUNT], 20);
    flags = scene.some(flags, &[AtFlags::AT_STATX_FORCE_SYNC, AtFlags::AT_STATX_DONT_SYNC], 2);
    Some(Action::Call(Call::Statx { dirfd, path, flags }))
}

fn readlink(scene: &mut Scene<'_>) -> Option<Action> {
    if scene.chance(25) {
        let path = match scene.below(5) {
            0 => "/proc/self/root".into(),
            1 => "/proc/self/cwd".into(),
            2 => "/proc/self/ns/mnt".into(),
            3 => "/proc/self".into(),
            _ => Bytes::from(format!("/proc/self/fd/{}", scene.any_descriptor()?.0)),
        };
        return Some(Action::Call(Call::Readlinkat { dirfd: Fd::CWD, path }));
    }
    let want = scene.weighted(&[(9, Want::Symlink), (1, Want::Anything)]);
    let (dirfd, path) = scene.place(want);
    Some(Action::Call(Call::Readlinkat { dirfd, path }))
}

/// What attributes are changed of: something in a directory, or now and then what has none of its own.
fn changed(scene: &mut Scene<'_>) -> (Fd, Bytes) {
    match (scene.below(30), scene.any_descriptor()) {
        (0, _) => (Fd::CWD, "/proc/self/ns/mnt".into()),
        (1 | 2, Some(fd)) => (Fd::CWD, Bytes::from(format!("/proc/self/fd/{}", fd.0))),
        _ => scene.place(Want::Anything),
    }
}

fn chmod(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = changed(scene);
    let mode = mode(scene);
    Some(Action::Call(Call::Fchmodat { dirfd, path, mode }))
}

fn fchmod(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[
        DescriptorKind::Context,
        DescriptorKind::Directory,
        DescriptorKind::Other,
        DescriptorKind::Place,
        DescriptorKind::Namespace,
    ])?;
    let mode = mode(scene);
    Some(Action::Call(Call::Fchmod { fd, mode }))
}

fn chown(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = changed(scene);
    let (owner, group) = scene.pick(&[
        (Some(USER), None),
        (Some(USER), Some(USER)),
        (Some(0), Some(0)),
        (None, Some(USER)),
        (None, None),
        (Some(7), None),
        (Some(100_000), None),
    ]);
    let flags = scene.some(AtFlags::empty(), &[AtFlags::AT_SYMLINK_NOFOLLOW], 20);
    if scene.chance(5)
        && let Some(dirfd) = scene.any_descriptor()
    {
        let (path, flags) = (Bytes::default(), flags | AtFlags::AT_EMPTY_PATH);
        return Some(Action::Call(Call::Fchownat { dirfd, path, owner, group, flags }));
    }
    Some(Action::Call(Call::Fchownat { dirfd, path, owner, group, flags }))
}

fn chdir(scene: &mut Scene<'_>) -> Option<Action> {
    let want = scene.weighted(&[(19, Want::Directory), (1, Want::Anything)]);
    Some(Action::Call(Call::Chdir { path: scene.path(want) }))
}

fn fchdir(scene: &mut Scene<'_>) -> Option<Action> {
    let kinds = [DescriptorKind::Directory, DescriptorKind::Place, DescriptorKind::Tree];
    let fd = if scene.chance(90) { scene.descriptor(&kinds)? } else { scene.any_descriptor()? };
    Some(Action::Call(Call::Fchdir { fd }))
}

fn chroot(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chroot { path: scene.path(Want::Directory) }))
}

fn getcwd(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Getcwd {}))
}
