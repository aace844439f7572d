//! Processes that end, and signals that are awaited.

use cofferdam::kernel::{
    Bytes, Call, CloneFlags, Errno, OpenFlags, Pid, Signal, SignalMaskHow, SignalSet, Value, WaitOptions,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::open_at;
use crate::generate::Action;
use crate::generate::hostile::walk_that_gives;
use crate::generate::scene::{PROC, Scene};

pub(super) fn fork(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Fork { child: scene.free_task()?, flags: CloneFlags::empty() })
}

pub(super) fn unshare_pids(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Unshare { flags: CloneFlags::CLONE_NEWPID }))
}

pub(super) fn open_child(scene: &mut Scene<'_>) -> Option<Action> {
    let (_, pid) = scene.child()?;
    let flags = if scene.chance(50) { OpenFlags::O_PATH } else { OpenFlags::O_DIRECTORY };
    let below = scene.pick(&["", "/ns", "/task", "/fd"]);
    Some(open_at(Bytes::from(format!("/proc/{}{below}", pid.0)), flags))
}

pub(super) fn kill_child(scene: &mut Scene<'_>) -> Option<Action> {
    let (_, pid) = scene.child()?;
    Some(Action::Call(Call::Kill { pid, signal: Signal::KILL }))
}

pub(super) fn signal(scene: &mut Scene<'_>) -> Option<Action> {
    let pid = scene.pick(&[Pid(1), Pid(2), Pid(3)]);
    Some(Action::Call(Call::Kill { pid, signal: scene.pick(&[Signal(0), Signal::WINCH, Signal::CONT]) }))
}

pub(super) fn wait_child(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Wait4 { pid: Pid(-1), options: WaitOptions::WNOHANG }))
}

pub(super) fn gone(scene: &mut Scene<'_>) -> Option<Action> {
    walk_that_gives(scene, Errno::ESRCH)
}

pub(super) fn fchdir_gone(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Place, DescriptorKind::Directory], Some(PROC))?;
    Some(Action::Call(Call::Fchdir { fd }))
}

const AWAITED: [Signal; 2] = [Signal::WINCH, Signal::CHLD];

pub(super) fn block(_: &mut Scene<'_>) -> Option<Action> {
    let set = AWAITED.into_iter().collect();
    Some(Action::Call(Call::Sigprocmask { how: SignalMaskHow::Block, set }))
}

pub(super) fn send_to_self(scene: &mut Scene<'_>) -> Option<Action> {
    let Value::Process(pid) = scene.ask(&Call::Getpid {})? else { return None };
    Some(Action::Call(Call::Kill { pid, signal: scene.pick(&AWAITED) }))
}

/// Only if there is one: the real kernel would wait.
pub(super) fn wait_for_signal(scene: &mut Scene<'_>) -> Option<Action> {
    let call = Call::Sigwaitinfo { set: AWAITED.into_iter().collect::<SignalSet>() };
    scene.ask(&call).map(|_| Action::Call(call))
}
