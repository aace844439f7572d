//! Files whose owners have no number where they are seen: in a mount that maps other ids.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, DeviceNumber, Fd, FileType, Mode, MountAttr, MountAttrFlags, NodeMode, OpenFlags,
    OpenHow, OpenTreeFlags, RenameFlags,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::open_at;
use crate::generate::Action;
use crate::generate::scene::{PROC, Scene, TMPFS};

pub(super) fn fork_with_user_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Fork { child: scene.free_task()?, flags: CloneFlags::CLONE_NEWUSER })
}

fn open_of_child(scene: &mut Scene<'_>, name: &str, flags: OpenFlags) -> Option<Action> {
    let (_, pid) = scene.child()?;
    Some(open_at(Bytes::from(format!("/proc/{}/{name}", pid.0)), flags))
}

pub(super) fn open_uid_map(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "uid_map", OpenFlags::O_WRONLY)
}

pub(super) fn open_gid_map(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "gid_map", OpenFlags::O_WRONLY)
}

pub(super) fn open_user_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "ns/user", OpenFlags::empty())
}

pub(super) fn write_map(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(PROC))?;
    let data = scene.pick(&["5 5 1", "5 5 1", "0 1000 1", "0 100000 65536"]).into();
    Some(Action::Call(Call::Write { fd, data }))
}

pub(super) fn open_tree(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/", "/a", "/b", "/c"]).into();
    Some(Action::Call(Call::OpenTree { dirfd: Fd::CWD, path, flags: OpenTreeFlags::OPEN_TREE_CLONE }))
}

pub(super) fn map_ids(scene: &mut Scene<'_>) -> Option<Action> {
    let tree = scene.last_descriptor(&[DescriptorKind::Tree], None)?;
    let userns_fd = scene.last_descriptor(&[DescriptorKind::Namespace], None);
    let attr = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_IDMAP, userns_fd, ..MountAttr::default() };
    let path = Bytes::default();
    Some(Action::Call(if scene.chance(70) {
        Call::MountSetattr { dirfd: tree, path, flags: AtFlags::AT_EMPTY_PATH, attr }
    } else {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
        Call::OpenTreeAttr { dirfd: tree, path, flags, attr }
    }))
}

fn tree(scene: &mut Scene<'_>) -> Option<Fd> {
    scene.last_descriptor(&[DescriptorKind::Tree], None)
}

/// Makes, changes or removes something in the last tree.
pub(super) fn nobodys(scene: &mut Scene<'_>) -> Option<Action> {
    let dirfd = tree(scene)?;
    let existing = || Bytes::from("f");
    let new = Bytes::from(scene.pick(&["n0", "n1", "n2", "e/n0", "e/n1"]));
    let mode = Mode(0o644);
    Some(Action::Call(match scene.below(10) {
        0 => Call::Mkdirat { dirfd, path: new, mode },
        1 => {
            let mode = NodeMode { file_type: FileType::Regular, mode };
            Call::Mknodat { dirfd, path: new, mode, device: DeviceNumber::NONE }
        }
        2 => Call::Symlinkat { target: existing(), dirfd, path: new },
        3 => {
            let how = OpenHow { flags: OpenFlags::O_CREAT | OpenFlags::O_RDWR, mode, ..OpenHow::default() };
            Call::Openat2 { dirfd, path: new, how }
        }
        4 => {
            let flags = AtFlags::empty();
            Call::Linkat { old_dirfd: dirfd, old_path: existing(), new_dirfd: dirfd, new_path: new, flags }
        }
        5 => {
            let flags = RenameFlags::empty();
            Call::Renameat2 { old_dirfd: dirfd, old_path: existing(), new_dirfd: dirfd, new_path: new, flags }
        }
        6 => Call::Unlinkat { dirfd, path: existing(), flags: AtFlags::empty() },
        7 => Call::Fchmodat { dirfd, path: existing(), mode },
        8 => Call::Fchownat { dirfd, path: existing(), owner: None, group: Some(0), flags: AtFlags::empty() },
        _ => Call::Fchownat { dirfd, path: existing(), owner: Some(5), group: None, flags: AtFlags::empty() },
    }))
}

pub(super) fn open_nobodys(scene: &mut Scene<'_>) -> Option<Action> {
    let dirfd = tree(scene)?;
    Some(Action::Call(Call::Openat2 { dirfd, path: "f".into(), how: OpenHow::default() }))
}

pub(super) fn fchmod_last(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Fchmod { fd, mode: Mode(0o600) }))
}

/// A copy of the tree, without its mapping.
pub(super) fn open_unmapped(scene: &mut Scene<'_>) -> Option<Action> {
    let dirfd = tree(scene)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
    let attr = MountAttr { attr_clr: MountAttrFlags::MOUNT_ATTR_IDMAP, ..MountAttr::default() };
    Some(Action::Call(Call::OpenTreeAttr { dirfd, path: Bytes::default(), flags, attr }))
}
