//! A process that may have no more descriptors, or namespaces.

use cofferdam::kernel::{
    Bytes, Call, CloneFlags, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttr, MountAttrFlags,
    OpenFlags, OpenHow, OpenTreeFlags, Rlimit, RlimitResource,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::open_at;
use crate::generate::Action;
use crate::generate::scene::{PROC, Scene};

pub(super) fn fsopen(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Fsopen { fsname: "tmpfs".into(), flags: FsopenFlags::empty() }))
}

pub(super) fn create(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Context], None)?;
    Some(Action::Call(Call::Fsconfig { fd, config: FsConfig::Create }))
}

pub(super) fn fsmount(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Context], None)?;
    let call = Call::Fsmount { fd, flags: FsmountFlags::empty(), attr_flags: MountAttrFlags::empty() };
    Some(Action::Call(call))
}

fn descriptor_limit(soft: u64) -> Action {
    let limit = Rlimit { soft: Some(soft), hard: Some(1024) };
    Action::Call(Call::Setrlimit { resource: RlimitResource::RLIMIT_NOFILE, limit })
}

pub(super) fn few_descriptors(scene: &mut Scene<'_>) -> Option<Action> {
    Some(descriptor_limit(scene.pick(&[0, 0, 1, 3, 5])))
}

pub(super) fn many_descriptors(_: &mut Scene<'_>) -> Option<Action> {
    Some(descriptor_limit(1024))
}

/// Any call that gives a descriptor.
pub(super) fn open(scene: &mut Scene<'_>) -> Option<Action> {
    let (dirfd, path) = (Fd::CWD, Bytes::from("/"));
    let attr = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_NOSUID, ..MountAttr::default() };
    Some(Action::Call(match scene.below(8) {
        0 => Call::Openat2 { dirfd, path, how: OpenHow::default() },
        1 => Call::OpenTree { dirfd, path, flags: OpenTreeFlags::empty() },
        2 => Call::OpenTree { dirfd, path, flags: OpenTreeFlags::OPEN_TREE_CLONE },
        3 => Call::OpenTreeAttr { dirfd, path, flags: OpenTreeFlags::OPEN_TREE_CLONE, attr },
        4 => Call::Fsopen { fsname: "tmpfs".into(), flags: FsopenFlags::empty() },
        5 => Call::Fspick { dirfd, path, flags: FspickFlags::empty() },
        6 => Call::Dup3 { oldfd: scene.any_descriptor()?, newfd: Fd(9), flags: OpenFlags::empty() },
        _ => Call::Pipe2 { flags: OpenFlags::empty() },
    }))
}

pub(super) fn unshare_user(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Unshare { flags: CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS }))
}

pub(super) fn open_limit(_: &mut Scene<'_>) -> Option<Action> {
    Some(open_at("/proc/sys/user/max_mnt_namespaces".into(), OpenFlags::O_WRONLY))
}

/// To as many as there are: the process has one of its own.
pub(super) fn limit_namespaces(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(PROC))?;
    Some(Action::Call(Call::Write { fd, data: "1".into() }))
}
