//! Users, groups, capabilities, limits and signals.

use cofferdam::kernel::{
    Bytes, Call, Capabilities, CapabilitySets, Mode, Prctl, Rlimit, RlimitResource, Signal, SignalAction,
    SignalMaskHow, Value,
};

use super::scene::{Scene, Want};
use super::{Action, Maker};
use crate::universe::USER;

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (6, setresuid),
    (4, setresgid),
    (3, setgroups),
    (3, capget),
    (4, capset),
    (4, prctl),
    (4, umask),
    (3, who),
    (2, execve),
    (2, setrlimit),
    (2, sigaction),
    (2, sigprocmask),
];

const ALL: u32 = u32::MAX;

fn setresuid(scene: &mut Scene<'_>) -> Option<Action> {
    let (real, effective, saved) = scene.pick(&[
        (ALL, USER, ALL),
        (ALL, 0, ALL),
        (USER, USER, 0),
        (0, 0, 0),
        (USER, USER, USER),
        (ALL, ALL, ALL),
        (7, 7, 7),
        (0, USER, 0),
    ]);
    Some(Action::Call(Call::Setresuid { real, effective, saved }))
}

fn setresgid(scene: &mut Scene<'_>) -> Option<Action> {
    let (real, effective, saved) =
        scene.pick(&[(ALL, USER, ALL), (ALL, 0, ALL), (USER, USER, USER), (0, 0, 0), (7, 7, 7)]);
    Some(Action::Call(Call::Setresgid { real, effective, saved }))
}

fn setgroups(scene: &mut Scene<'_>) -> Option<Action> {
    let groups: &[&[u32]] = &[&[], &[USER], &[0, 7], &[ALL]];
    Some(Action::Call(Call::Setgroups { groups: scene.pick(groups).to_vec() }))
}

fn capget(_: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Capget {}))
}

fn capset(scene: &mut Scene<'_>) -> Option<Action> {
    const OF_INTEREST: &[Capabilities] = &[
        Capabilities::CAP_SYS_ADMIN,
        Capabilities::CAP_DAC_OVERRIDE,
        Capabilities::CAP_DAC_READ_SEARCH,
        Capabilities::CAP_FOWNER,
        Capabilities::CAP_CHOWN,
        Capabilities::CAP_MKNOD,
        Capabilities::CAP_SYS_CHROOT,
        Capabilities::CAP_SETUID,
        Capabilities::CAP_FSETID,
    ];
    let Some(Value::Capabilities(now)) = scene.ask(&Call::Capget {}) else { return None };
    let changed = scene.some(Capabilities::empty(), OF_INTEREST, 20);
    let effective = now.effective.symmetric_difference(changed);
    let mut sets = CapabilitySets { effective, ..now };
    if scene.chance(15) {
        sets.permitted &= effective;
    }
    if scene.chance(30) {
        sets.inheritable = if scene.chance(50) { changed } else { now.permitted };
    }
    Some(Action::Call(Call::Capset { sets }))
}

fn prctl(scene: &mut Scene<'_>) -> Option<Action> {
    let number = scene.pick(&[0, 1, 21, 27, 40, 41, 63]);
    let operation = scene.pick(&[
        Prctl::SetKeepCapabilities(true),
        Prctl::SetKeepCapabilities(false),
        Prctl::ReadBoundingCapability(number),
        Prctl::DropBoundingCapability(number),
        Prctl::RaiseAmbientCapability(number),
        Prctl::ClearAmbientCapabilities,
        Prctl::SetNoNewPrivileges,
        Prctl::SetDumpable(true),
        Prctl::SetDumpable(false),
        Prctl::SetParentDeathSignal(None),
        Prctl::SetParentDeathSignal(Some(Signal::WINCH)),
        Prctl::SetParentDeathSignal(Some(Signal(65))),
    ]);
    Some(Action::Call(Call::Prctl { operation }))
}

fn umask(scene: &mut Scene<'_>) -> Option<Action> {
    let mask = Mode(scene.pick(&[0o022, 0, 0o077, 0o777, 0o7777]));
    Some(Action::Call(Call::Umask { mask }))
}

fn who(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(scene.pick(&[Call::Geteuid {}, Call::Getpid {}, Call::Getppid {}, Call::Uname {}])))
}

/// A limit that nothing here depends on.
fn setrlimit(scene: &mut Scene<'_>) -> Option<Action> {
    let limits = [(Some(0), Some(0)), (Some(1), Some(0)), (None, None), (Some(0), Some(1)), (Some(0), None)];
    let (soft, hard) = scene.pick(&limits);
    Some(Action::Call(Call::Setrlimit { resource: RlimitResource::RLIMIT_CORE, limit: Rlimit { soft, hard } }))
}

/// Not `SIGCHLD`: the machinery waits for children that have ended.
fn sigaction(scene: &mut Scene<'_>) -> Option<Action> {
    let signal = scene.pick(&[Signal::HUP, Signal::USR1, Signal::KILL, Signal(0), Signal(65), Signal(34)]);
    let action = scene.pick(&[SignalAction::Ignore, SignalAction::Default]);
    Some(Action::Call(Call::Sigaction { signal, action }))
}

fn sigprocmask(scene: &mut Scene<'_>) -> Option<Action> {
    let how = scene.pick(&[SignalMaskHow::Block, SignalMaskHow::Unblock, SignalMaskHow::SetMask]);
    let signals = [Signal::HUP, Signal::USR1, Signal::TERM, Signal::KILL, Signal(34)];
    let set = signals.into_iter().filter(|_| scene.chance(30)).collect();
    Some(Action::Call(Call::Sigprocmask { how, set }))
}

/// No file is a program, so that the process remains.
fn execve(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.path(Want::Anything);
    Some(Action::Call(Call::Execve { path, argv: vec![Bytes::from("x")], envp: Vec::new() }))
}
