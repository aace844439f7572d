//! Recorded calls as the list that `benches/peers/launch.c` carries out.
//!
//! All that there is to know about a call's arguments in memory is here ([`call`]), so that the C program need not change
//! with the launcher.

mod call;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use cofferdam::kernel::{Call, Errno, Fd, Value};

use crate::recorder::{Recorded, child_name};

/// A call that has no encoding yet.
#[derive(Debug)]
pub struct Unsupported(&'static str);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the launcher calls {}, which is not in benches/src/bin/performance/encode/call.rs yet", self.0)
    }
}

impl std::error::Error for Unsupported {}

/// The list of a launch, a process after the other.
pub fn list(recorded: &[Recorded]) -> Result<String, Unsupported> {
    let mut processes: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for call in recorded {
        processes.entry(&call.process).or_default().push(call);
    }
    let mut text = String::new();
    for (process, calls) in processes {
        let _ = writeln!(text, "process {process}");
        let mut children = 0;
        for recorded in calls {
            if let Call::Clone3 { flags } = recorded.call {
                let _ = writeln!(text, "clone {} {} # {}", flags.bits(), child_name(process, children), recorded.call);
                children += 1;
            } else {
                line(&mut text, recorded)?;
            }
        }
    }
    Ok(text)
}

fn line(text: &mut String, recorded: &Recorded) -> Result<(), Unsupported> {
    let call = &recorded.call;
    let (number, arguments) = call::encode(call).ok_or(Unsupported(call.name()))?;
    let _ = write!(text, "call {number} {}", expected(recorded.result.as_ref()));
    for argument in arguments {
        let _ = write!(text, " {argument}");
    }
    let _ = writeln!(text, " # {call}");
    Ok(())
}

/// What the call has to give when it is made again. A descriptor is the lowest free one, the same each time.
fn expected(result: Option<&Result<Value, Errno>>) -> String {
    match result {
        Some(Ok(Value::Descriptor(Fd(fd)))) => format!("={fd}"),
        Some(Ok(_)) | None => "ok".into(),
        Some(Err(errno)) => format!("-{}", errno.raw()),
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{AtFlags, CloneFlags, MountFlags, ResolveFlags};

    use cofferdam::kernel::{Mode, MountAttr, OpenFlags, OpenHow, Pid, Signal};
    use libc::c_long;

    use super::*;

    fn recorded(process: &str, call: Call, result: Option<Result<Value, Errno>>) -> Recorded {
        Recorded { process: process.into(), call, result }
    }

    /// Without what is for people.
    fn lines(recorded: &[Recorded]) -> Vec<String> {
        let list = list(recorded).unwrap();
        list.lines().map(|line| line.split(" #").next().unwrap().to_string()).collect()
    }

    #[test]
    fn children_are_listed_under_the_name_that_their_parent_makes_them_with() {
        let clone = |flags| Call::Clone3 { flags };
        let list = lines(&[
            recorded("0", Call::Umask { mask: Mode(0o22) }, Some(Ok(Value::Done))),
            recorded("0.0", clone(CloneFlags::empty()), None),
            recorded("0.0.0", Call::Getpid {}, Some(Ok(Value::Done))),
            recorded("0", clone(CloneFlags::CLONE_NEWNS), None),
            recorded("0", clone(CloneFlags::empty()), None),
            recorded("0.1", Call::Getppid {}, Some(Ok(Value::Done))),
        ]);
        let call = |number: c_long, rest: &str| format!("call {number} ok{rest}");
        assert_eq!(
            list,
            [
                "process 0",
                &call(libc::SYS_umask, " =18"),
                "clone 131072 0.0",
                "clone 0 0.1",
                "process 0.0",
                "clone 0 0.0.0",
                "process 0.0.0",
                &call(libc::SYS_getpid, ""),
                "process 0.1",
                &call(libc::SYS_getppid, ""),
            ]
        );
    }

    #[test]
    fn results_are_descriptors_or_errors_or_any_success() {
        let close = || Call::Close { fd: Fd(7) };
        let list = lines(&[
            recorded("0", close(), Some(Ok(Value::Descriptor(Fd(5))))),
            recorded("0", close(), Some(Err(Errno::EBADF))),
            recorded("0", close(), Some(Ok(Value::Count(3)))),
            recorded("0", close(), None),
        ]);
        let results: Vec<_> = list[1..].iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
        assert_eq!(results, ["=5", "-9", "ok", "ok"]);
    }

    #[test]
    fn structures_are_the_kernels() {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0o644), resolve: ResolveFlags::RESOLVE_BENEATH };
        let open = Call::Openat2 { dirfd: Fd::CWD, path: "a".into(), how };
        let attr = MountAttr { propagation: MountFlags::MS_SLAVE, ..MountAttr::default() };
        let set = Call::MountSetattr { dirfd: Fd(3), path: "".into(), flags: AtFlags::AT_EMPTY_PATH, attr };
        let list = lines(&[recorded("0", open, None), recorded("0", set, None)]);
        let how: Vec<u64> = vec![u64::from(libc::O_CLOEXEC.cast_unsigned()), 0o644, 8];
        assert_eq!(list[1], format!("call {} ok =-100 <61 {} =24", libc::SYS_openat2, call::words(&how)));
        let attr = call::words(&[0, 0, libc::MS_SLAVE, 0]);
        assert_eq!(list[2], format!("call {} ok =3 < =4096 {attr} =32", libc::SYS_mount_setattr));
    }

    #[test]
    fn a_call_that_can_not_be_encoded_is_an_error() {
        let kill = Call::Kill { pid: Pid(1), signal: Signal::TERM };
        let error = list(&[recorded("0", kill, None)]).unwrap_err().to_string();
        assert!(error.contains("kill"), "{error}");
    }
}
