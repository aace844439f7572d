//! Routines: several steps of one process that lead to what single ones hardly ever meet.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Capabilities, CapabilitySets, CloneFlags, Errno, Fd, FlockOperation, FsConfig, FsmountFlags,
    FsopenFlags, FspickFlags, Mode, MountAttr, MountAttrFlags, OpenFlags, OpenHow, OpenTreeFlags, Pid, Prctl, Rlimit,
    RlimitResource, Signal, SignalMaskHow, SignalSet, UniqueMountId, Value, WaitOptions, Whence,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::hostile::walk_that_gives;
use super::scene::{PIPES, PROC, Scene, TMPFS};
use super::{Action, Maker, attributes, programs};
use crate::universe::USER;

/// The routines, with how often each is gone through.
const ROUTINES: &[(u32, &[Maker])] = &[
    // Where a process was that is gone.
    (6, &[fork, open_child, kill_child, wait_child, gone, gone, gone, gone, gone, gone, gone, gone, gone, fchdir_gone]),
    // What nobody without privileges enters.
    (4, &[without_override, mkdir_closed, closed, closed, closed, closed, closed, closed, closed, closed, with_all]),
    // Deeper than a path may be long.
    (
        1,
        &[
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            deeper,
            enter,
            getcwd,
            readlink_cwd,
            leave,
        ],
    ),
    // Owners without a number.
    (
        4,
        &[
            fork_with_user_namespace,
            open_uid_map,
            write_map,
            open_gid_map,
            write_map,
            open_user_namespace,
            open_tree,
            map_ids,
            attributes::nobodys,
            attributes::nobodys,
            attributes::nobodys,
            attributes::nobodys,
            attributes::nobodys,
            attributes::nobodys,
            attributes::open_nobodys,
            attributes::fchmod_last,
            attributes::open_unmapped,
            kill_child,
        ],
    ),
    // No descriptor is left.
    (3, &[fsopen, create, few_descriptors, open, open, open, open, open, fsmount, many_descriptors]),
    // A lock that somebody else has, or that there is not.
    (1, &[open_file, open_file, lock, lock_first, lock_nothing]),
    // A mount that is to be read-only while a file in it is open to be written.
    (1, &[open_file, open_tree_read_only, open_tree_read_only]),
    // A capability that programs are to have.
    (1, &[inherit_all, raise, raise]),
    // A signal that is awaited.
    (2, &[block, send_to_self, wait_for_signal]),
    // More than there is room for.
    (1, &[pipe, write_much, write_much, write_much]),
    (1, &[open_file, seek_far, write_little]),
    // A namespace that a process cannot see from its root.
    (
        3,
        &[
            list_mounts,
            enter_directory,
            chroot_here,
            become_user,
            stat_told,
            stat_told,
            list_told,
            list_told,
            become_root,
        ],
    ),
    // A pid namespace whose first process has ended.
    (2, &[unshare_pids, fork, kill_child, fork, wait_child]),
    // Programs, and what is none.
    (
        6,
        &[
            programs::open_interpreter,
            programs::write_interpreter,
            programs::close,
            programs::open,
            programs::write,
            programs::execute,
            programs::close,
            programs::execute,
        ],
    ),
];

/// A routine.
pub(super) fn choose(scene: &mut Scene<'_>) -> std::slice::Iter<'static, Maker> {
    scene.weighted(ROUTINES).iter()
}

pub(super) fn open_at(path: Bytes, flags: OpenFlags) -> Action {
    let how =
        OpenHow { flags, mode: Mode(if flags.contains(OpenFlags::O_CREAT) { 0o755 } else { 0 }), ..OpenHow::default() };
    Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how })
}

fn fork(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Fork { child: scene.free_task()?, flags: CloneFlags::empty() })
}

fn unshare_pids(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Unshare { flags: CloneFlags::CLONE_NEWPID }))
}

fn fork_with_user_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Fork { child: scene.free_task()?, flags: CloneFlags::CLONE_NEWUSER })
}

fn open_child(scene: &mut Scene<'_>) -> Option<Action> {
    let (_, pid) = scene.child()?;
    let flags = if scene.chance(50) { OpenFlags::O_PATH } else { OpenFlags::O_DIRECTORY };
    let below = scene.pick(&["", "/ns", "/task", "/fd"]);
    Some(open_at(Bytes::from(format!("/proc/{}{below}", pid.0)), flags))
}

fn kill_child(scene: &mut Scene<'_>) -> Option<Action> {
    let (_, pid) = scene.child()?;
    Some(Action::Call(Call::Kill { pid, signal: Signal::KILL }))
}

fn wait_child(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Wait4 { pid: Pid(-1), options: WaitOptions::WNOHANG }))
}

fn gone(scene: &mut Scene<'_>) -> Option<Action> {
    walk_that_gives(scene, Errno::ESRCH)
}

fn fchdir_gone(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Place, DescriptorKind::Directory], Some(PROC))?;
    Some(Action::Call(Call::Fchdir { fd }))
}

fn capabilities(scene: &mut Scene<'_>) -> Option<CapabilitySets> {
    match scene.ask(&Call::Capget {})? {
        Value::Capabilities(sets) => Some(sets),
        _ => None,
    }
}

fn without_override(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    let effective = sets.effective - Capabilities::CAP_DAC_OVERRIDE - Capabilities::CAP_DAC_READ_SEARCH;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { effective, ..sets } }))
}

fn with_all(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { effective: sets.permitted, ..sets } }))
}

fn mkdir_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/n0", "/n1", "/a/n0", "/b/n1", "n0"]).into();
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path, mode: Mode(0) }))
}

fn closed(scene: &mut Scene<'_>) -> Option<Action> {
    walk_that_gives(scene, Errno::EACCES)
}

fn open_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/n0", "/n1", "/a/n0", "/b/n1", "n0", "/b/closed"]).into();
    Some(open_at(path, OpenFlags::O_PATH))
}

fn fchdir_closed(scene: &mut Scene<'_>) -> Option<Action> {
    let places = scene.descriptors(&[DescriptorKind::Place, DescriptorKind::Directory]);
    let is_closed = |scene: &mut Scene<'_>, fd| scene.refusal(&Call::Fchdir { fd }) == Some(Errno::EACCES);
    let fd = places.into_iter().rev().find(|fd| is_closed(scene, *fd))?;
    Some(Action::Call(Call::Fchdir { fd }))
}

fn flock(fd: Fd, operation: FlockOperation) -> Action {
    Action::Call(Call::Flock { fd, operation })
}

fn lock(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(flock(fd, FlockOperation::LOCK_EX | FlockOperation::LOCK_NB))
}

/// Through a descriptor whose file is locked through another.
fn lock_first(scene: &mut Scene<'_>) -> Option<Action> {
    let operation = FlockOperation::LOCK_SH | FlockOperation::LOCK_NB;
    let files = scene.descriptors(&[DescriptorKind::Other]);
    let is_locked = |scene: &mut Scene<'_>, fd| scene.refusal(&Call::Flock { fd, operation }) == Some(Errno::EAGAIN);
    let fd = files.into_iter().find(|fd| is_locked(scene, *fd))?;
    Some(flock(fd, operation))
}

fn lock_nothing(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Other])?;
    Some(flock(fd, FlockOperation::LOCK_NB))
}

fn open_tree_read_only(scene: &mut Scene<'_>) -> Option<Action> {
    let attr = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    let path = scene.pick(&["/", "/a", "/b", "."]).into();
    Some(Action::Call(Call::OpenTreeAttr { dirfd: Fd::CWD, path, flags: OpenTreeFlags::empty(), attr }))
}

fn inherit_all(scene: &mut Scene<'_>) -> Option<Action> {
    let sets = capabilities(scene)?;
    Some(Action::Call(Call::Capset { sets: CapabilitySets { inheritable: sets.permitted, ..sets } }))
}

fn raise(scene: &mut Scene<'_>) -> Option<Action> {
    let operation = Prctl::RaiseAmbientCapability(u32::try_from(scene.below(41)).ok()?);
    Some(Action::Call(Call::Prctl { operation }))
}

fn deep() -> Bytes {
    Bytes::from("deep".repeat(63))
}

fn deeper(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path: deep(), mode: Mode(0o777) }))
}

fn enter(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: deep() }))
}

fn getcwd(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Getcwd {}))
}

fn readlink_cwd(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Readlinkat { dirfd: Fd::CWD, path: "/proc/self/cwd".into() }))
}

fn leave(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: "/".into() }))
}

fn open_of_child(scene: &mut Scene<'_>, name: &str, flags: OpenFlags) -> Option<Action> {
    let (_, pid) = scene.child()?;
    Some(open_at(Bytes::from(format!("/proc/{}/{name}", pid.0)), flags))
}

fn open_uid_map(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "uid_map", OpenFlags::O_WRONLY)
}

fn open_gid_map(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "gid_map", OpenFlags::O_WRONLY)
}

fn open_user_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    open_of_child(scene, "ns/user", OpenFlags::empty())
}

fn write_map(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(PROC))?;
    let data = scene.pick(&["5 5 1", "5 5 1", "0 1000 1", "0 100000 65536"]).into();
    Some(Action::Call(Call::Write { fd, data }))
}

fn open_tree(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/", "/a", "/b", "/c"]).into();
    Some(Action::Call(Call::OpenTree { dirfd: Fd::CWD, path, flags: OpenTreeFlags::OPEN_TREE_CLONE }))
}

fn map_ids(scene: &mut Scene<'_>) -> Option<Action> {
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

fn fsopen(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Fsopen { fsname: "tmpfs".into(), flags: FsopenFlags::empty() }))
}

fn create(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Context], None)?;
    Some(Action::Call(Call::Fsconfig { fd, config: FsConfig::Create }))
}

fn fsmount(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Context], None)?;
    let call = Call::Fsmount { fd, flags: FsmountFlags::empty(), attr_flags: MountAttrFlags::empty() };
    Some(Action::Call(call))
}

fn descriptor_limit(soft: u64) -> Action {
    let limit = Rlimit { soft: Some(soft), hard: Some(1024) };
    Action::Call(Call::Setrlimit { resource: RlimitResource::RLIMIT_NOFILE, limit })
}

fn few_descriptors(scene: &mut Scene<'_>) -> Option<Action> {
    Some(descriptor_limit(scene.pick(&[0, 0, 1, 3, 5])))
}

fn many_descriptors(_: &mut Scene<'_>) -> Option<Action> {
    Some(descriptor_limit(1024))
}

/// Any call that gives a descriptor.
fn open(scene: &mut Scene<'_>) -> Option<Action> {
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

const AWAITED: [Signal; 2] = [Signal::WINCH, Signal::CHLD];

fn block(_: &mut Scene<'_>) -> Option<Action> {
    let set = AWAITED.into_iter().collect();
    Some(Action::Call(Call::Sigprocmask { how: SignalMaskHow::Block, set }))
}

fn send_to_self(scene: &mut Scene<'_>) -> Option<Action> {
    let Value::Process(pid) = scene.ask(&Call::Getpid {})? else { return None };
    Some(Action::Call(Call::Kill { pid, signal: scene.pick(&AWAITED) }))
}

/// Only if there is one: the real kernel would wait.
fn wait_for_signal(scene: &mut Scene<'_>) -> Option<Action> {
    let call = Call::Sigwaitinfo { set: AWAITED.into_iter().collect::<SignalSet>() };
    scene.ask(&call).map(|_| Action::Call(call))
}

fn pipe(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Pipe2 { flags: OpenFlags::O_NONBLOCK }))
}

fn write_much(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(PIPES))?;
    Some(Action::Call(Call::Write { fd, data: vec![b'x'; 40_000].into() }))
}

fn open_file(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.pick(&["/a/f", "/b/f", "/n2", "f"]).into();
    Some(open_at(path, OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK))
}

fn seek_far(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Lseek { fd, offset: i64::MAX, whence: Whence::Start }))
}

fn write_little(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Write { fd, data: "x".into() }))
}

fn list_mounts(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Listmount { mount: UniqueMountId::ROOT, last: 0 }))
}

fn enter_directory(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: scene.pick(&["/a", "/a/d", "/b/e", "/c"]).into() }))
}

fn chroot_here(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chroot { path: ".".into() }))
}

fn become_user(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Setresuid { real: u32::MAX, effective: USER, saved: u32::MAX }))
}

fn become_root(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Setresuid { real: u32::MAX, effective: 0, saved: u32::MAX }))
}

fn stat_told(scene: &mut Scene<'_>) -> Option<Action> {
    let mask = super::query::mask(scene);
    Some(Action::Call(Call::Statmount { mount: scene.told()?, mask }))
}

fn list_told(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Listmount { mount: scene.told()?, last: 0 }))
}
