//! What somebody without privileges may not do, and what may be gained.

use cofferdam::kernel::{Call, Capabilities, CapabilitySets, Errno, Fd, Mode, OpenFlags, Prctl, UniqueMountId, Value};
use cofferdam_vfs_sim::DescriptorKind;

use super::open_at;
use crate::generate::Action;
use crate::generate::hostile::walk_that_gives;
use crate::generate::query;
use crate::generate::scene::Scene;
use crate::universe::USER;

fn capabilities(scene: &mut Scene<'_>) -> Option<CapabilitySets> {
    match scene.ask(&Call::Capget {})? {
        Value::Capabilities(sets) => Some(sets),
        _ => None,
    }
}

pub(super) fn without_override(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    let effective = sets.effective - Capabilities::CAP_DAC_OVERRIDE - Capabilities::CAP_DAC_READ_SEARCH;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { effective, ..sets } }))
}

pub(super) fn with_all(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { effective: sets.permitted, ..sets } }))
}

pub(super) fn mkdir_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/n0", "/n1", "/a/n0", "/b/n1", "n0"]).into();
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path, mode: Mode(0) }))
}

pub(super) fn closed(scene: &mut Scene<'_>) -> Option<Action> {
    walk_that_gives(scene, Errno::EACCES)
}

pub(super) fn open_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/n0", "/n1", "/a/n0", "/b/n1", "n0", "/b/closed"]).into();
    Some(open_at(path, OpenFlags::O_PATH))
}

pub(super) fn fchdir_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let places = scene.descriptors(&[DescriptorKind::Place, DescriptorKind::Directory]);
    let is_closed = |scene: &mut Scene<'_>, fd| scene.refusal(&Call::Fchdir { fd }) == Some(Errno::EACCES);
    let fd = places.into_iter().rev().find(|fd| is_closed(scene, *fd))?;
    Some(Action::Call(Call::Fchdir { fd }))
}

pub(super) fn inherit_all(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { inheritable: sets.permitted, ..sets } }))
}

pub(super) fn raise(scene: &mut Scene<'_>) -> Option<Action> {
    let operation = Prctl::RaiseAmbientCapability(u32::try_from(scene.below(41)).ok()?);
    Some(Action::Call(Call::Prctl { operation }))
}

pub(super) fn list_mounts(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Listmount { mount: UniqueMountId::ROOT, last: 0 }))
}

pub(super) fn enter_directory(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: scene.pick(&["/a", "/a/d", "/b/e", "/c"]).into() }))
}

pub(super) fn chroot_here(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chroot { path: ".".into() }))
}

pub(super) fn become_user(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Setresuid { real: u32::MAX, effective: USER, saved: u32::MAX }))
}

pub(super) fn become_root(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Setresuid { real: u32::MAX, effective: 0, saved: u32::MAX }))
}

pub(super) fn stat_told(scene: &mut Scene<'_>) -> Option<Action> {
    let mask = query::mask(scene);
    Some(Action::Call(Call::Statmount { mount: scene.told()?, mask }))
}

pub(super) fn list_told(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Listmount { mount: scene.told()?, last: 0 }))
}
