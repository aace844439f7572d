//! Calls about processes and their credentials, and those that make what is not simulated.

use cofferdam::kernel::{Bytes, Call, Capabilities, CapabilitySets, CloneFlags, Fd, Pid, Prctl, Signal};

use super::arguments::{Arguments, bits64};
use super::{Action, DecodeError};
use crate::syntax::Value;

type Decoding = Result<Option<Action>, DecodeError>;

/// Calls that give descriptors of what is not simulated, with what says that execve(2) closes them.
const FOREIGN: &[(&str, &str)] = &[
    ("accept", ""),
    ("accept4", "SOCK_CLOEXEC"),
    ("bpf", "bpf"),
    ("epoll_create", ""),
    ("epoll_create1", "EPOLL_CLOEXEC"),
    ("eventfd", ""),
    ("eventfd2", "EFD_CLOEXEC"),
    ("fanotify_init", "FAN_CLOEXEC"),
    ("inotify_init", ""),
    ("inotify_init1", "IN_CLOEXEC"),
    ("io_uring_setup", "io_uring"),
    ("memfd_create", "MFD_CLOEXEC"),
    ("memfd_secret", "FD_CLOEXEC"),
    ("perf_event_open", "PERF_FLAG_FD_CLOEXEC"),
    ("pidfd_getfd", "pidfd"),
    ("pidfd_open", "pidfd"),
    ("signalfd", ""),
    ("signalfd4", "SFD_CLOEXEC"),
    ("socket", "SOCK_CLOEXEC"),
    ("socketpair", "SOCK_CLOEXEC"),
    ("timerfd_create", "TFD_CLOEXEC"),
    ("userfaultfd", "O_CLOEXEC"),
];

/// Those of them whose descriptors are always closed.
const ALWAYS_CLOSED: [&str; 4] = ["bpf", "io_uring_setup", "pidfd_getfd", "pidfd_open"];

pub(super) fn decode(a: Arguments<'_>) -> Decoding {
    let name = a.0.name.as_str();
    if let Some((_, flag)) = FOREIGN.iter().find(|foreign| foreign.0 == name) {
        let close_on_exec = ALWAYS_CLOSED.contains(&name) || a.0.arguments.iter().any(|field| has(&field.value, flag));
        return Ok(Some(Action::Foreign { close_on_exec }));
    }
    for decode in [living, identifying] {
        if let Some(action) = decode(name, a)? {
            return Ok(Some(action));
        }
    }
    Ok(None)
}

/// Whether a name is among those of a union of flags.
fn has(value: &Value, flag: &str) -> bool {
    match value {
        Value::Name(name) => name == flag,
        Value::Union(terms) => terms.iter().any(|term| has(term, flag)),
        _ => false,
    }
}

#[allow(clippy::unnecessary_wraps, reason = "so that a table of calls can be read")]
fn call(call: Call) -> Decoding {
    Ok(Some(Action::Call(call)))
}

#[allow(clippy::unnecessary_wraps, reason = "as above")]
fn fork(flags: u64) -> Decoding {
    // The signal that its end sends is in the lowest byte of clone(2).
    let flags = CloneFlags::from_bits_retain(flags & !0xff);
    let has = |bits| flags.contains(CloneFlags::from_bits_retain(bits));
    let (is_sibling, is_thread) = (has(0x8000), has(0x1_0000));
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWCGROUP
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET;
    let kept = namespaces | CloneFlags::CLONE_FS | CloneFlags::CLONE_FILES;
    Ok(Some(Action::Fork { flags: flags & kept, is_sibling, is_thread }))
}

/// Beginning, ending, waiting.
fn living(name: &str, a: Arguments<'_>) -> Decoding {
    match name {
        "fork" | "vfork" => fork(0),
        "clone" | "clone3" => fork(a.named("flags").map_or(Ok(0), bits64)?),
        "exit" | "exit_group" => {
            let status = i32::try_from(a.number(0)? & 0xff).unwrap_or_default();
            Ok(Some(Action::Exit { status }))
        }
        "wait4" => Ok(Some(Action::Wait)),
        "waitid" => Ok(Some(match a.value(3) {
            Ok(options) if has(options, "WEXITED") && !has(options, "WNOWAIT") => Action::Wait,
            _ => Action::Nothing,
        })),
        // Whether it may be sent. What it does is what the log says.
        "kill" => call(Call::Kill { pid: Pid(i32::try_from(a.number(0)?).unwrap_or(i32::MAX)), signal: Signal(0) }),
        "execve" => call(Call::Execve { path: a.bytes(0)?, argv: strings(a, 1)?, envp: Vec::new() }),
        "execveat" => {
            let (path, fd) = (a.bytes(1)?, a.fd(0)?);
            let below = |path: &Bytes| [format!("/proc/self/fd/{}/", fd.0).as_bytes(), &path.0].concat();
            let path = match path.0.first() {
                Some(b'/') => path,
                Some(_) if fd == Fd::CWD => path,
                Some(_) => Bytes(below(&path)),
                None => format!("/proc/self/fd/{}", fd.0).into(),
            };
            call(Call::Execve { path, argv: strings(a, 2)?, envp: Vec::new() })
        }
        _ => Ok(None),
    }
}

/// Whether they are cut does not matter for what is replayed.
fn strings(a: Arguments<'_>, index: usize) -> Result<Vec<Bytes>, DecodeError> {
    let text = |value: &Value| match value {
        Value::Text { bytes, .. } => Some(Bytes(bytes.clone())),
        _ => None,
    };
    Ok(a.list(index)?.iter().filter_map(text).collect())
}

/// Users, groups, capabilities.
fn identifying(name: &str, a: Arguments<'_>) -> Decoding {
    match name {
        "setuid" => {
            let id = a.id(0)?;
            call(Call::Setresuid { real: id, effective: id, saved: id })
        }
        "setgid" => {
            let id = a.id(0)?;
            call(Call::Setresgid { real: id, effective: id, saved: id })
        }
        "setreuid" => call(Call::Setresuid { real: a.id(0)?, effective: a.id(1)?, saved: a.id(1)? }),
        "setregid" => call(Call::Setresgid { real: a.id(0)?, effective: a.id(1)?, saved: a.id(1)? }),
        "setresuid" => call(Call::Setresuid { real: a.id(0)?, effective: a.id(1)?, saved: a.id(2)? }),
        "setresgid" => call(Call::Setresgid { real: a.id(0)?, effective: a.id(1)?, saved: a.id(2)? }),
        "setgroups" => {
            let groups = a.list(1)?.iter().map(super::arguments::id).collect::<Result<_, _>>()?;
            call(Call::Setgroups { groups })
        }
        "geteuid" => call(Call::Geteuid {}),
        "capset" => call(Call::Capset { sets: capabilities(a.value(1)?)? }),
        "prctl" => Ok(Some(operation(a)?.map_or(Action::Nothing, |operation| Action::Call(Call::Prctl { operation })))),
        _ => Ok(None),
    }
}

fn capabilities(value: &Value) -> Result<CapabilitySets, DecodeError> {
    let set = |name| -> Result<Capabilities, DecodeError> {
        Ok(Capabilities::from_bits_retain(value.field(name).map_or(Ok(0), bits64)?))
    };
    Ok(CapabilitySets { effective: set("effective")?, permitted: set("permitted")?, inheritable: set("inheritable")? })
}

/// The number of a capability, which is printed by its name.
fn capability(a: Arguments<'_>, index: usize) -> Result<u32, DecodeError> {
    match a.value(index)? {
        Value::Name(_) => Ok(u64::trailing_zeros(a.bits64(index)?)),
        _ => a.bits32(index),
    }
}

/// What prctl(2) does, if it is replayed. Which signal comes when the parent dies is not: who dies is what the log says.
fn operation(a: Arguments<'_>) -> Result<Option<Prctl>, DecodeError> {
    let Value::Name(name) = a.value(0)? else { return Ok(None) };
    Ok(Some(match name.as_str() {
        "PR_SET_DUMPABLE" => Prctl::SetDumpable(a.bits32(1)? == 1),
        "PR_SET_KEEPCAPS" => Prctl::SetKeepCapabilities(a.bits32(1)? == 1),
        "PR_CAPBSET_READ" => Prctl::ReadBoundingCapability(capability(a, 1)?),
        "PR_CAPBSET_DROP" => Prctl::DropBoundingCapability(capability(a, 1)?),
        "PR_CAP_AMBIENT" => match a.value(1)? {
            Value::Name(name) if name == "PR_CAP_AMBIENT_RAISE" => Prctl::RaiseAmbientCapability(capability(a, 2)?),
            Value::Name(name) if name == "PR_CAP_AMBIENT_CLEAR_ALL" => Prctl::ClearAmbientCapabilities,
            _ => return Ok(None),
        },
        "PR_SET_NO_NEW_PRIVS" => Prctl::SetNoNewPrivileges,
        _ => return Ok(None),
    }))
}
