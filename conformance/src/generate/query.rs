//! What the kernel tells of mounts: statmount(2), listmount(2), statfs(2).

use cofferdam::kernel::{Call, StatMountMask, UniqueMountId, Value};

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[(4, statmount), (4, listmount), (4, statfs), (2, fstatfs)];

/// No mount has these ids.
const NO_MOUNTS: [UniqueMountId; 3] = [UniqueMountId(0), UniqueMountId(1), UniqueMountId(1 << 60)];

/// A mount that the process could know of.
fn mount(scene: &mut Scene<'_>) -> Option<UniqueMountId> {
    let Some(Value::Mounts(mounts)) = scene.ask(&Call::Listmount { mount: UniqueMountId::ROOT, last: 0 }) else {
        return None;
    };
    let known: Vec<_> = mounts.into_iter().filter(|mount| scene.knows(*mount)).collect();
    scene.pick_any(&known)
}

/// Some of what can be asked of a mount.
pub(super) fn mask(scene: &mut Scene<'_>) -> StatMountMask {
    const FIELDS: &[StatMountMask] = &[
        StatMountMask::STATMOUNT_SB_BASIC,
        StatMountMask::STATMOUNT_MNT_BASIC,
        StatMountMask::STATMOUNT_PROPAGATE_FROM,
        StatMountMask::STATMOUNT_MNT_ROOT,
        StatMountMask::STATMOUNT_MNT_POINT,
        StatMountMask::STATMOUNT_FS_TYPE,
        StatMountMask::STATMOUNT_MNT_NS_ID,
        StatMountMask::STATMOUNT_MNT_OPTS,
        StatMountMask::STATMOUNT_FS_SUBTYPE,
        StatMountMask::STATMOUNT_SB_SOURCE,
        StatMountMask::STATMOUNT_OPT_ARRAY,
        StatMountMask::STATMOUNT_OPT_SEC_ARRAY,
        StatMountMask::STATMOUNT_SUPPORTED_MASK,
        StatMountMask::STATMOUNT_MNT_UIDMAP,
        StatMountMask::STATMOUNT_MNT_GIDMAP,
    ];
    scene.some(StatMountMask::empty(), FIELDS, 40)
}

fn statmount(scene: &mut Scene<'_>) -> Option<Action> {
    let mount = match scene.below(20) {
        0 => scene.pick(&NO_MOUNTS),
        1..4 => scene.told()?,
        _ => mount(scene)?,
    };
    let mask = mask(scene);
    Some(Action::Call(Call::Statmount { mount, mask }))
}

fn listmount(scene: &mut Scene<'_>) -> Option<Action> {
    let mount = match scene.below(20) {
        0 => scene.pick(&NO_MOUNTS),
        1..3 => scene.told()?,
        3..9 => mount(scene)?,
        _ => UniqueMountId::ROOT,
    };
    Some(Action::Call(Call::Listmount { mount, last: 0 }))
}

fn statfs(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Statfs { path: scene.path(Want::Anything) }))
}

fn fstatfs(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Fstatfs { fd: scene.any_descriptor()? }))
}
