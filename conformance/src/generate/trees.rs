//! open_tree(2), move_mount(2), mount_setattr(2).

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Fd, MountAttr, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (12, open_tree),
    (3, open_tree_attr),
    (14, attach),
    (5, move_path),
    (3, move_anyhow),
    (2, set_group),
    (10, mount_setattr),
];

const ATTRIBUTES: &[MountAttrFlags] = &[
    MountAttrFlags::MOUNT_ATTR_RDONLY,
    MountAttrFlags::MOUNT_ATTR_NOSUID,
    MountAttrFlags::MOUNT_ATTR_NODEV,
    MountAttrFlags::MOUNT_ATTR_NOEXEC,
    MountAttrFlags::MOUNT_ATTR_NOATIME,
    MountAttrFlags::MOUNT_ATTR_STRICTATIME,
    MountAttrFlags::MOUNT_ATTR_NODIRATIME,
    MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW,
];

/// A tree, by path or by a descriptor.
fn tree(scene: &mut Scene<'_>) -> (Fd, Bytes, bool) {
    if scene.chance(20)
        && let Some(fd) = scene.descriptor(&[DescriptorKind::Tree, DescriptorKind::Place, DescriptorKind::Directory])
    {
        return (fd, Bytes::default(), true);
    }
    if scene.chance(50)
        && let Some(path) = scene.mountpoint()
    {
        return (Fd::CWD, path, false);
    }
    let want = scene.weighted(&[(9, Want::Directory), (1, Want::File)]);
    let (fd, path) = scene.place(want);
    (fd, path, false)
}

fn open_tree_flags(scene: &mut Scene<'_>, is_empty: bool) -> OpenTreeFlags {
    let mut flags = if scene.chance(80) { OpenTreeFlags::OPEN_TREE_CLONE } else { OpenTreeFlags::empty() };
    if !flags.is_empty() && scene.chance(50) {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    if is_empty || scene.chance(5) {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    let others = [OpenTreeFlags::OPEN_TREE_CLOEXEC, OpenTreeFlags::AT_SYMLINK_NOFOLLOW, OpenTreeFlags::AT_NO_AUTOMOUNT];
    scene.some(flags, &others, 10)
}

fn open_tree(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path, is_empty) = tree(scene);
    let flags = open_tree_flags(scene, is_empty);
    Some(Action::Call(Call::OpenTree { dirfd, path, flags }))
}

fn open_tree_attr(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path, is_empty) = tree(scene);
    let flags = open_tree_flags(scene, is_empty);
    let attr = attributes(scene);
    Some(Action::Call(Call::OpenTreeAttr { dirfd, path, flags, attr }))
}

/// Attaches a detached tree.
fn attach(scene: &mut Scene<'_>) -> Option<Action> {
    let kinds: &[DescriptorKind] =
        if scene.chance(90) { &[DescriptorKind::Tree] } else { &[DescriptorKind::Place, DescriptorKind::Directory] };
    let from_dirfd = scene.descriptor(kinds)?;
    let (to_dirfd, to_path, flags) = destination(scene);
    let flags = flags | MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Some(Action::Call(Call::MoveMount { from_dirfd, from_path: Bytes::default(), to_dirfd, to_path, flags }))
}

/// Where a mount is to be moved.
fn destination(scene: &mut Scene<'_>) -> (Fd, Bytes, MoveMountFlags) {
    let mut flags = if scene.chance(10) { MoveMountFlags::MOVE_MOUNT_T_SYMLINKS } else { MoveMountFlags::empty() };
    if scene.chance(15) {
        flags |= MoveMountFlags::MOVE_MOUNT_BENEATH;
        if let Some(path) = scene.mountpoint() {
            return (Fd::CWD, path, flags);
        }
    }
    if scene.chance(10)
        && let Some(fd) = scene.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place, DescriptorKind::Tree])
    {
        return (fd, Bytes::default(), flags | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH);
    }
    let want = scene.weighted(&[(95, Want::Directory), (5, Want::File)]);
    let (fd, path) = scene.place(want);
    (fd, path, flags)
}

/// Any combination of flags.
fn any_flags(scene: &mut Scene<'_>) -> MoveMountFlags {
    const FLAGS: &[MoveMountFlags] = &[
        MoveMountFlags::MOVE_MOUNT_F_SYMLINKS,
        MoveMountFlags::MOVE_MOUNT_F_AUTOMOUNTS,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        MoveMountFlags::MOVE_MOUNT_T_SYMLINKS,
        MoveMountFlags::MOVE_MOUNT_T_AUTOMOUNTS,
        MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
        MoveMountFlags::MOVE_MOUNT_SET_GROUP,
        MoveMountFlags::MOVE_MOUNT_BENEATH,
    ];
    scene.some(MoveMountFlags::empty(), FLAGS, 30)
}

fn move_anyhow(scene: &mut Scene<'_>) -> Option<Action> {
    let flags = any_flags(scene);
    let (from_dirfd, from_path) = match scene.descriptor(&[DescriptorKind::Tree]) {
        Some(fd) if flags.contains(MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH) => (fd, Bytes::default()),
        _ => (Fd::CWD, scene.own_mountpoint()?),
    };
    let (to_dirfd, to_path) = if flags.contains(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH) && scene.chance(70) {
        (scene.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place])?, Bytes::default())
    } else if flags.intersects(MoveMountFlags::MOVE_MOUNT_BENEATH | MoveMountFlags::MOVE_MOUNT_SET_GROUP) {
        (Fd::CWD, scene.mountpoint()?)
    } else {
        scene.place(Want::Directory)
    };
    Some(Action::Call(Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags }))
}

fn move_path(scene: &mut Scene<'_>) -> Option<Action> {
    let from_path = scene.own_mountpoint()?;
    let (to_dirfd, to_path, flags) = destination(scene);
    Some(Action::Call(Call::MoveMount { from_dirfd: Fd::CWD, from_path, to_dirfd, to_path, flags }))
}

/// Lets a mount join the peer group of another.
fn set_group(scene: &mut Scene<'_>) -> Option<Action> {
    let (from_path, to_path) = (scene.mountpoint()?, scene.mountpoint()?);
    let flags = MoveMountFlags::MOVE_MOUNT_SET_GROUP;
    Some(Action::Call(Call::MoveMount { from_dirfd: Fd::CWD, from_path, to_dirfd: Fd::CWD, to_path, flags }))
}

fn attributes(scene: &mut Scene<'_>) -> MountAttr {
    let attr_set = scene.some(MountAttrFlags::empty(), ATTRIBUTES, 18);
    let mut attr_clr = scene.some(MountAttrFlags::empty(), ATTRIBUTES, 12);
    // A kind of access time can only be set if the old one is cleared.
    if attr_set.intersects(MountAttrFlags::MOUNT_ATTR__ATIME) && scene.chance(80) {
        attr_clr |= MountAttrFlags::MOUNT_ATTR__ATIME;
    }
    if !attr_clr.contains(MountAttrFlags::MOUNT_ATTR__ATIME) && scene.chance(80) {
        attr_clr -= MountAttrFlags::MOUNT_ATTR__ATIME;
    }
    let mut attr = MountAttr { attr_set, attr_clr, ..MountAttr::default() };
    if scene.chance(15) {
        let kinds = [MountFlags::MS_SHARED, MountFlags::MS_SLAVE, MountFlags::MS_PRIVATE, MountFlags::MS_UNBINDABLE];
        attr.propagation = scene.pick(&kinds);
    }
    if scene.chance(8)
        && let Some(fd) = scene.descriptor(&[DescriptorKind::Namespace])
    {
        attr.attr_set |= MountAttrFlags::MOUNT_ATTR_IDMAP;
        attr.userns_fd = Some(fd);
    }
    attr
}

fn mount_setattr(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path, mut flags) = match scene.descriptor(&[DescriptorKind::Tree]) {
        Some(fd) if scene.chance(40) => (fd, Bytes::default(), AtFlags::AT_EMPTY_PATH),
        _ => (Fd::CWD, scene.mountpoint()?, AtFlags::empty()),
    };
    if scene.chance(40) {
        flags |= AtFlags::AT_RECURSIVE;
    }
    flags = scene.some(flags, &[AtFlags::AT_SYMLINK_NOFOLLOW, AtFlags::AT_NO_AUTOMOUNT], 5);
    let attr = attributes(scene);
    Some(Action::Call(Call::MountSetattr { dirfd, path, flags, attr }))
}
