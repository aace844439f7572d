//! A command that is stopped on its way, as by a debugger (ptrace(2)).

use std::process::Command;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Outcome, Started};

/// Runs a command to its end. At the first of its own system calls before or behind which something is so, it is stopped while
/// something is done.
///
/// An error if security modules forbid to trace processes even to root.
#[track_caller]
pub(crate) fn stop_when(
    command: &Command,
    is_so: impl Fn() -> bool,
    action: impl FnOnce(),
) -> Result<Outcome, nix::Error> {
    // Nobody can trace it before it is there, and it must not have begun by then.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    let started = Started::start(shell);
    let pid = Pid::from_raw(started.pid());
    assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))), "the shell");
    ptrace::seize(pid, Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACESYSGOOD)?;
    kill(pid, Signal::SIGCONT).unwrap();
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::PtraceSyscall(_) if is_so() => break,
            WaitStatus::PtraceSyscall(_) | WaitStatus::PtraceEvent(..) => ptrace::syscall(pid, None).unwrap(),
            WaitStatus::Stopped(_, signal) => ptrace::syscall(pid, signal).unwrap(),
            end => panic!("it has ended before: {end:?}, {}", started.text()),
        }
    }
    action();
    ptrace::detach(pid, None).unwrap();
    Ok(started.outcome())
}
