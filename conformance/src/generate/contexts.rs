//! fsopen(2), fsconfig(2), fsmount(2), fspick(2).

use cofferdam::kernel::{Bytes, Call, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::Scene;
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[(6, fsopen), (7, set), (7, command), (7, fsmount), (3, fspick), (2, log)];

fn fsopen(scene: &mut Scene<'_>) -> Option<Action> {
    let fsname = scene
        .weighted(&[
            (12, "tmpfs"),
            (4, "ramfs"),
            (3, "proc"),
            (3, "devpts"),
            (2, "mqueue"),
            (6, "overlay"),
            (1, "nonsense"),
        ])
        .into();
    let flags = if scene.chance(20) { FsopenFlags::FSOPEN_CLOEXEC } else { FsopenFlags::empty() };
    Some(Action::Call(Call::Fsopen { fsname, flags }))
}

fn context(scene: &mut Scene<'_>) -> Option<Fd> {
    if scene.chance(97) { scene.descriptor(&[DescriptorKind::Context]) } else { scene.any_descriptor() }
}

fn set(scene: &mut Scene<'_>) -> Option<Action> {
    const STRINGS: &[(&str, &str)] = &[
        ("source", "s1"),
        ("source", "with space"),
        ("size", "1m"),
        ("size", "x"),
        ("mode", "700"),
        ("mode", "8"),
        ("uid", "1000"),
        ("gid", "7"),
        ("nr_inodes", "1000"),
        ("huge", "never"),
        ("hidepid", "1"),
        ("ptmxmode", "666"),
        ("unknown", "1"),
        ("", ""),
    ];
    const FLAGS: &[&str] = &["ro", "rw", "sync", "noswap", "newinstance", "inode64", "unknown", "source", "lazytime"];
    let fd = context(scene)?;
    let config = match scene.below(30) {
        20.. => super::overlays::parameter(scene),
        0..10 => {
            let (key, value) = scene.pick(STRINGS);
            FsConfig::SetString { key: key.into(), value: value.into() }
        }
        10..16 => FsConfig::SetFlag { key: scene.pick(FLAGS).into() },
        16 => FsConfig::SetBinary { key: scene.pick(&["source", "size"]).into(), value: Bytes::from("x") },
        _ => other_value(scene)?,
    };
    Some(Action::Call(Call::Fsconfig { fd, config }))
}

/// A value that is no string, of which no parameter here makes anything.
fn other_value(scene: &mut Scene<'_>) -> Option<FsConfig> {
    let key = Bytes::from(scene.pick(&["source", "size", "unknown"]));
    if scene.chance(30) {
        let fd = if scene.chance(70) { scene.any_descriptor()? } else { scene.pick(&[Fd(-1), Fd(77)]) };
        return Some(FsConfig::SetFd { key, fd });
    }
    let path = match scene.below(4) {
        0 => Bytes::default(),
        1 => "/a".repeat(2100).into(),
        _ => scene.pick(&["/a", "/nothing", "f"]).into(),
    };
    Some(FsConfig::SetPath { key, dirfd: scene.pick(&[Fd::CWD, Fd::CWD, Fd(77)]), path })
}

fn command(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = context(scene)?;
    let config = match scene.below(12) {
        0..9 => FsConfig::Create,
        9 => FsConfig::CreateExclusive,
        _ => FsConfig::Reconfigure,
    };
    Some(Action::Call(Call::Fsconfig { fd, config }))
}

fn fsmount(scene: &mut Scene<'_>) -> Option<Action> {
    const ATTRIBUTES: &[MountAttrFlags] = &[
        MountAttrFlags::MOUNT_ATTR_RDONLY,
        MountAttrFlags::MOUNT_ATTR_NOSUID,
        MountAttrFlags::MOUNT_ATTR_NOEXEC,
        MountAttrFlags::MOUNT_ATTR_NODEV,
        MountAttrFlags::MOUNT_ATTR_NOATIME,
        MountAttrFlags::MOUNT_ATTR_STRICTATIME,
        MountAttrFlags::MOUNT_ATTR_NODIRATIME,
        MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW,
    ];
    let fd = context(scene)?;
    let flags = if scene.chance(20) { FsmountFlags::FSMOUNT_CLOEXEC } else { FsmountFlags::empty() };
    let attr_flags = scene.some(MountAttrFlags::empty(), ATTRIBUTES, 10);
    Some(Action::Call(Call::Fsmount { fd, flags, attr_flags }))
}

/// Picks a filesystem that belongs to the sandbox alone.
fn fspick(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.mountpoint_to_change()?;
    let flags = [FspickFlags::FSPICK_CLOEXEC, FspickFlags::FSPICK_SYMLINK_NOFOLLOW, FspickFlags::FSPICK_NO_AUTOMOUNT];
    let flags = scene.some(FspickFlags::empty(), &flags, 10);
    if scene.chance(5) {
        let dirfd = scene.pick(&[Fd(-1), Fd(77)]);
        return Some(Action::Call(Call::Fspick { dirfd, path: "d".into(), flags }));
    }
    if scene.chance(15)
        && let Some(dirfd) = scene.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place, DescriptorKind::Tree])
    {
        return Some(Action::Call(Call::Fspick {
            dirfd,
            path: Bytes::default(),
            flags: flags | FspickFlags::FSPICK_EMPTY_PATH,
        }));
    }
    Some(Action::Call(Call::Fspick { dirfd: Fd::CWD, path, flags }))
}

/// Reads what a context has to say of errors.
fn log(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Context])?;
    Some(Action::Call(Call::Read { fd, count: 4096 }))
}
