//! What a call has given.

use cofferdam::kernel::{Call, Fd, FileType, Pid, Signal, WaitStatus};

use super::arguments::{Arguments, bits64, bytes, device, fd, id, number};
use super::constants::signal;
use super::{Action, DecodeError, Given};
use crate::syntax::{ParsedCall, Value, named};

/// What a call that returned this number has given.
pub(super) fn given(a: Arguments<'_>, action: &Action, returned: i128) -> Result<Given, DecodeError> {
    let descriptor = || i32::try_from(returned).map(Fd).map_err(|_| DecodeError::NoNumber(returned.to_string()));
    Ok(match action {
        Action::Call(call) => match call {
            Call::Openat2 { .. }
            | Call::OpenTree { .. }
            | Call::OpenTreeAttr { .. }
            | Call::Fsopen { .. }
            | Call::Fsmount { .. }
            | Call::Fspick { .. } => Given::Descriptor(descriptor()?),
            Call::Pipe2 { .. } => pair(a)?,
            Call::Statx { .. } => file(a).unwrap_or(Given::Done),
            Call::Statfs { .. } | Call::Fstatfs { .. } => match a.value(1)?.field("f_flags") {
                Some(flags) => Given::MountFlags(bits64(flags)?),
                None => Given::Done,
            },
            Call::Readlinkat { .. } => target(a, returned)?,
            Call::Getcwd {} => Given::Directory(bytes(a.value(0)?)?),
            Call::Geteuid {} | Call::Prctl { .. } => Given::Number(i64::try_from(returned).unwrap_or(-1)),
            _ => Given::Done,
        },
        Action::Fork { .. } => Given::Process(Pid(i32::try_from(returned).unwrap_or(-1))),
        Action::Foreign { .. } if a.0.name == "socketpair" => pair_at(a, 3)?,
        Action::Duplicate { .. } | Action::Foreign { .. } => Given::Descriptor(descriptor()?),
        Action::Wait if a.0.name == "waitid" => Given::Child(waited_for(a.0)),
        Action::Wait => {
            let pid = i32::try_from(returned).ok().filter(|pid| *pid > 0);
            Given::Child(pid.map(|pid| (Pid(pid), status(a))))
        }
        Action::Exists(_) | Action::SetCloseOnExec { .. } | Action::Exit { .. } | Action::Nothing => Given::Done,
    })
}

fn pair(a: Arguments<'_>) -> Result<Given, DecodeError> {
    pair_at(a, 0)
}

fn pair_at(a: Arguments<'_>, index: usize) -> Result<Given, DecodeError> {
    Ok(Given::Descriptors(a.list(index)?.iter().map(fd).collect::<Result<_, _>>()?))
}

/// What is in the structure of stat(2) or statx(2), wherever that is among the arguments.
fn file(a: Arguments<'_>) -> Option<Given> {
    let structure = a.0.arguments.iter().map(|field| &field.value).find_map(|value| {
        let mode = value.field("st_mode").or_else(|| value.field("stx_mode"))?;
        Some((value, mode))
    });
    let (structure, mode) = structure?;
    let mode = id(mode).ok()?;
    let device = structure.field("st_rdev").or_else(|| structure.field("stx_rdev")).and_then(device);
    Some(Given::File { file_type: FileType::from_mode(mode), mode: mode & 0o7777, device })
}

/// The target of a link, unless there was no room for all of it.
fn target(a: Arguments<'_>, returned: i128) -> Result<Given, DecodeError> {
    let position = if a.0.name == "readlink" { 1 } else { 2 };
    let room = a.number(position + 1)?;
    Ok(if returned < room { Given::Target(bytes(a.value(position)?)?) } else { Given::Done })
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`, if there was a place for it.
fn status(a: Arguments<'_>) -> Option<WaitStatus> {
    let Value::List(list) = a.value(1).ok()? else { return None };
    let Value::Structure(fields) = list.first()? else { return None };
    let Value::All(all) = &fields.first()?.value else { return None };
    let find = |wanted: &str| {
        let value = all.iter().find_map(|(left, right)| match left {
            Value::Applied(name, _) if name == wanted => right.as_ref(),
            _ => None,
        });
        value.and_then(|value| number(value).ok()).and_then(|number| i32::try_from(number).ok())
    };
    let exited = find("WEXITSTATUS").map(WaitStatus::Exited);
    exited.or_else(|| find("WTERMSIG").map(|signal| WaitStatus::Signaled(Signal(signal))))
}

/// `{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12, si_uid=0, si_status=0, ...}`
fn waited_for(call: &ParsedCall) -> Option<(Pid, Option<WaitStatus>)> {
    let Value::Structure(fields) = &call.arguments.get(2)?.value else { return None };
    let pid = i32::try_from(number(named(fields, "si_pid")?).ok()?).ok().filter(|pid| *pid > 0)?;
    let status = named(fields, "si_status")?;
    let is_exit = matches!(named(fields, "si_code"), Some(Value::Name(code)) if code == "CLD_EXITED");
    let status = match status {
        Value::Name(name) => WaitStatus::Signaled(signal(name)?),
        value => {
            let number = i32::try_from(number(value).ok()?).ok()?;
            if is_exit { WaitStatus::Exited(number) } else { WaitStatus::Signaled(Signal(number)) }
        }
    };
    Some((Pid(pid), Some(status)))
}
