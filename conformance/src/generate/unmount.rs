//! umount2(2).

use cofferdam::kernel::{Call, UmountFlags};

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[(30, mounted), (3, any), (2, expire), (2, anyhow)];

fn umount(target: cofferdam::kernel::Bytes, flags: UmountFlags) -> Action {
    Action::Call(Call::Umount2 { target, flags })
}

fn mounted(scene: &mut Scene<'_>) -> Option<Action> {
    let target = if scene.chance(95) { scene.own_mountpoint()? } else { scene.mountpoint()? };
    let flags = scene.weighted(&[
        (10, UmountFlags::empty()),
        (9, UmountFlags::MNT_DETACH),
        (1, UmountFlags::UMOUNT_NOFOLLOW),
        (1, UmountFlags::MNT_FORCE),
        (1, UmountFlags::MNT_DETACH.union(UmountFlags::UMOUNT_NOFOLLOW)),
    ]);
    Some(umount(target, flags))
}

fn any(scene: &mut Scene<'_>) -> Option<Action> {
    let target = scene.path(Want::Anything);
    let flags = scene.weighted(&[(3, UmountFlags::empty()), (3, UmountFlags::MNT_DETACH)]);
    Some(umount(target, flags))
}

/// Twice has an effect.
fn expire(scene: &mut Scene<'_>) -> Option<Action> {
    let target = scene.own_mountpoint()?;
    let flags = scene.weighted(&[
        (8, UmountFlags::MNT_EXPIRE),
        (1, UmountFlags::MNT_EXPIRE.union(UmountFlags::MNT_DETACH)),
        (1, UmountFlags::MNT_EXPIRE.union(UmountFlags::MNT_FORCE)),
    ]);
    Some(umount(target, flags))
}

/// Any combination of flags.
fn anyhow(scene: &mut Scene<'_>) -> Option<Action> {
    const FLAGS: &[UmountFlags] =
        &[UmountFlags::MNT_FORCE, UmountFlags::MNT_DETACH, UmountFlags::MNT_EXPIRE, UmountFlags::UMOUNT_NOFOLLOW];
    let target = scene.own_mountpoint()?;
    let flags = scene.some(UmountFlags::empty(), FLAGS, 40);
    Some(umount(target, flags))
}
