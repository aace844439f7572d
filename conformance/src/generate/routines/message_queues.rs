//! The mqueue of an ipc namespace: what is done in its root, before and after the last process has left the namespace.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, DeviceNumber, Fd, FileType, Mode, MountFlags, NodeMode, OpenFlags,
};

use super::open_at;
use crate::generate::Action;
use crate::generate::scene::{Scene, Want, join};

pub(super) fn mount(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Mount {
        source: Some("queues".into()),
        target: scene.path(Want::Directory),
        filesystemtype: Some("mqueue".into()),
        mountflags: MountFlags::empty(),
        data: None,
    }))
}

/// Where the last mqueue is that the process sees.
fn root(scene: &mut Scene<'_>) -> Option<Bytes> {
    scene.mounts().iter().rev().find(|mount| mount.filesystem.0 == b"mqueue").map(|mount| mount.path.clone())
}

/// Asks about the root, changes it, or tries to make something in it.
pub(super) fn use_root(scene: &mut Scene<'_>) -> Option<Action> {
    let root = root(scene)?;
    let (dirfd, flags) = (Fd::CWD, AtFlags::empty());
    let path = join(&root, scene.pick(&["n0", "n1"]));
    Some(Action::Call(match scene.below(12) {
        0 | 1 => return Some(open_at(path, OpenFlags::O_CREAT | OpenFlags::O_RDWR)),
        2 | 3 => {
            let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o644) };
            Call::Mknodat { dirfd, path, mode, device: DeviceNumber::NONE }
        }
        4 => Call::Mkdirat { dirfd, path, mode: Mode(0o755) },
        5 => Call::Symlinkat { target: "n1".into(), dirfd, path },
        6 => Call::Linkat { old_dirfd: dirfd, old_path: "/a/f".into(), new_dirfd: dirfd, new_path: path, flags },
        7 => Call::Unlinkat { dirfd, path, flags },
        8 => Call::Statx { dirfd, path: root, flags },
        9 => Call::Fchmodat { dirfd, path: root, mode: Mode(0o1700) },
        10 => Call::Fchownat { dirfd, path: root, owner: Some(0), group: Some(7), flags },
        _ => return Some(open_at(root, OpenFlags::O_DIRECTORY)),
    }))
}

pub(super) fn leave(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Unshare { flags: CloneFlags::CLONE_NEWIPC }))
}
