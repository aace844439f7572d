//! Changes of the propagation type.

use cofferdam::kernel::{AtFlags, Call, Fd, MountAttr, MountFlags};

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[(4, by_mount), (1, by_mount_setattr)];

const TYPES: &[(u32, MountFlags)] = &[
    (10, MountFlags::MS_SHARED),
    (6, MountFlags::MS_SLAVE),
    (4, MountFlags::MS_PRIVATE),
    (2, MountFlags::MS_UNBINDABLE),
];

fn by_mount(scene: &mut Scene<'_>) -> Option<Action> {
    let target = if scene.chance(95) { scene.mountpoint()? } else { scene.path(Want::Anything) };
    let mut mountflags = scene.weighted(TYPES);
    if scene.chance(30) {
        mountflags |= MountFlags::MS_REC;
    }
    if scene.chance(3) {
        mountflags |= scene.weighted(TYPES);
    }
    Some(Action::Call(Call::Mount { source: None, target, filesystemtype: None, mountflags, data: None }))
}

fn by_mount_setattr(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.mountpoint()?;
    let propagation = scene.weighted(TYPES);
    let flags = if scene.chance(30) { AtFlags::AT_RECURSIVE } else { AtFlags::empty() };
    let attr = MountAttr { propagation, ..MountAttr::default() };
    Some(Action::Call(Call::MountSetattr { dirfd: Fd::CWD, path, flags, attr }))
}
