//! Users, groups, capabilities, limits and signals.

use cofferdam::kernel::{
    Bytes, Call, Capabilities, CapabilitySets, Mode, Pid, Prctl, Rlimit, RlimitResource, Signal, SignalAction,
    SignalMaskHow, SignalSet, Value,
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
    (4, setrlimit),
    (3, sigaction),
    (4, sigprocmask),
    (3, sigwaitinfo),
    (6, kill),
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

/// The machinery needs the descriptors that the hard limit allows.
fn setrlimit(scene: &mut Scene<'_>) -> Option<Action> {
    let descriptors = scene.pick(&[0, 1, 3, 5, 8, 12, 1024, 1024]);
    let core = scene.pick(&[(Some(0), Some(0)), (Some(1), Some(0)), (None, None), (Some(0), Some(1)), (Some(0), None)]);
    let size = scene.pick(&[(0, 1 << 41), (1, 1 << 41), (5000, 1 << 41), (1 << 41, 1 << 41), (2, 1), (1, 1 << 42)]);
    let (resource, (soft, hard)) = scene.weighted(&[
        (2, (RlimitResource::RLIMIT_CORE, core)),
        (4, (RlimitResource::RLIMIT_NOFILE, (Some(descriptors), Some(1024)))),
        (3, (RlimitResource::RLIMIT_FSIZE, (Some(size.0), Some(size.1)))),
    ]);
    Some(Action::Call(Call::Setrlimit { resource, limit: Rlimit { soft, hard } }))
}

/// Not `SIGCHLD`: the machinery waits for children that have ended.
fn sigaction(scene: &mut Scene<'_>) -> Option<Action> {
    let signal = scene.pick(&[Signal::HUP, Signal::USR1, Signal::KILL, Signal(0), Signal(65), Signal(34)]);
    let action = scene.pick(&[SignalAction::Ignore, SignalAction::Default]);
    Some(Action::Call(Call::Sigaction { signal, action }))
}

fn sigprocmask(scene: &mut Scene<'_>) -> Option<Action> {
    let how = scene.pick(&[SignalMaskHow::Block, SignalMaskHow::Unblock, SignalMaskHow::SetMask]);
    let set = signals(scene);
    Some(Action::Call(Call::Sigprocmask { how, set }))
}

/// Some of the signals that processes send each other.
fn signals(scene: &mut Scene<'_>) -> SignalSet {
    let signals = [Signal::HUP, Signal::USR1, Signal::TERM, Signal::KILL, Signal::PIPE, Signal::XFSZ, Signal(34)];
    signals.into_iter().filter(|_| scene.chance(40)).collect()
}

/// Takes a signal that waits.
fn sigwaitinfo(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Sigwaitinfo { set: signals(scene) }))
}

fn kill(scene: &mut Scene<'_>) -> Option<Action> {
    let pid = Pid(scene.pick(&[1, 1, 2, 3, 4]));
    let signals = [Signal::HUP, Signal::USR1, Signal::TERM, Signal(34), Signal(34), Signal::CONT, Signal::WINCH];
    Some(Action::Call(Call::Kill { pid, signal: scene.pick(&signals) }))
}

/// No file is a program, so that the process remains.
fn execve(scene: &mut Scene<'_>) -> Option<Action> {
    let path = scene.path(Want::Anything);
    Some(Action::Call(Call::Execve { path, argv: vec![Bytes::from("x")], envp: Vec::new() }))
}
