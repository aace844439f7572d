//! A command whose every system call is seen before it is made, as a debugger sees it (ptrace(2)).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cofferdam::kernel::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls;
use super::registers::Registers;
use crate::support::{COFFERDAM, content};

/// How long a command may take. It is much less, unless it hangs.
const LIMIT: Duration = Duration::from_secs(20);

const FORK: i32 = Event::PTRACE_EVENT_FORK as i32;
const VFORK: i32 = Event::PTRACE_EVENT_VFORK as i32;
const CLONE: i32 = Event::PTRACE_EVENT_CLONE as i32;
const EXEC: i32 = Event::PTRACE_EVENT_EXEC as i32;

/// A call of a command. The numbers differ little from run to run if each process counts its own calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which process of the command: none is the command itself, `[0]` the first that it makes, `[0, 1]` the second one
    /// that that makes.
    pub(super) process: Vec<usize>,
    /// The how manieth call of that process, from 0.
    pub(super) number: usize,
}

/// What becomes of a command at some call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process that is about to make the call is killed, and no other.
    KillOne,
    /// All its processes are killed.
    KillAll,
    /// The call is not made, and returns this error.
    Fail(Errno),
}

/// A fault, where it is to occur.
#[derive(Clone, Copy)]
pub(super) struct Strike<'s> {
    pub(super) place: &'s Place,
    /// What is called there, unless it is another call this time.
    pub(super) name: &'s str,
    pub(super) fault: Fault,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillOne => f.write_str("kill"),
            Self::KillAll => f.write_str("kill all"),
            Self::Fail(errno) => f.write_str(errno.name().unwrap_or("?")),
        }
    }
}

/// What became of a command.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// The exit status; `None` if it was killed.
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The calls that were seen, until something went wrong.
    pub(super) calls: Vec<(Place, &'static str)>,
    /// Whether the fault occurred.
    pub(super) hit: bool,
    /// Whether it was in what was to be written to standard error, which then tells nothing.
    pub(super) was_mute: bool,
    /// What must not be: that it hangs, or that a call that was to fail was made.
    pub(super) problem: Option<String>,
}

/// Runs a command to the end of all its processes but the program of a container.
pub(super) fn trace(command: &Command, stdin: File, strike: Option<Strike<'_>>) -> Traced {
    let tracees = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        let (sender, ended) = channel::<()>();
        let tracees = &tracees;
        // Only the thread that traces a process can wait for it; and that one waits for nobody else's processes.
        let thread = scope.spawn(move || {
            let _ends = sender;
            Tracer { tracees, early: BTreeSet::new(), strike, is_killing: false, traced: Traced::default() }
                .run(command, stdin)
        });
        let hung = ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
        if hung {
            for pid in tracees.lock().unwrap().keys() {
                let _ = kill(*pid, Signal::SIGKILL);
            }
        }
        let mut traced = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if hung {
            traced.problem = Some(format!("it hangs: {LIMIT:?} have passed"));
        }
        traced
    })
}

/// Whether processes can be traced here: security modules may forbid it even to root.
pub(super) fn can_trace() -> nix::Result<()> {
    let mut shell = Command::new("/bin/sh").args(["-c", "kill -STOP $$"]).spawn().unwrap();
    let result = ptrace::seize(Pid::from_raw(shell.id().cast_signed()), Options::PTRACE_O_EXITKILL);
    shell.kill().unwrap();
    shell.wait().unwrap();
    result
}

/// How far a process has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is the shell, or our program before its main function.
    Beginning,
    /// It does what we want to see.
    AtWork,
}

struct Tracee {
    process: Vec<usize>,
    stage: Stage,
    calls: usize,
    children: usize,
    /// What was in the registers of a call that is to fail, and its name.
    failing: Option<(Registers, &'static str, Errno)>,
}

struct Tracer<'t> {
    tracees: &'t Mutex<BTreeMap<Pid, Tracee>>,
    /// Processes that we have seen before we saw who made them.
    early: BTreeSet<Pid>,
    strike: Option<Strike<'t>>,
    /// Whatever is seen from now on is to die as well.
    is_killing: bool,
    traced: Traced,
}

impl Tracer<'_> {
    fn run(mut self, command: &Command, stdin: File) -> Traced {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        // Nobody can trace it before it is there, and it must not have begun by then.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
        shell.stdin(stdin).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let root = Pid::from_raw(shell.spawn().unwrap().id().cast_signed());
        assert!(matches!(waitpid(root, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))), "the shell");
        let options = Options::PTRACE_O_EXITKILL
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC;
        self.add(root, Vec::new(), Stage::Beginning);
        ptrace::seize(root, options).unwrap();
        kill(root, Signal::SIGCONT).unwrap();
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            match status {
                WaitStatus::Exited(pid, status) => self.ended(pid, root, Some(status)),
                WaitStatus::Signaled(pid, ..) => self.ended(pid, root, None),
                WaitStatus::PtraceSyscall(pid) => {
                    // Whoever is gone by now will be waited for.
                    let _ = self.at_call(pid);
                }
                WaitStatus::PtraceEvent(pid, _, event) => {
                    let _ = self.at_event(pid, event);
                }
                WaitStatus::Stopped(pid, signal) => self.resume(pid, Some(signal)),
                WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
            }
        }
        let text = |file| String::from_utf8_lossy(&content(file)).into_owned();
        (self.traced.stdout, self.traced.stderr) = (text(&stdout), text(&stderr));
        self.traced
    }

    fn add(&self, pid: Pid, process: Vec<usize>, stage: Stage) {
        let tracee = Tracee { process, stage, calls: 0, children: 0, failing: None };
        self.tracees.lock().unwrap().insert(pid, tracee);
    }

    fn ended(&mut self, pid: Pid, root: Pid, status: Option<i32>) {
        self.tracees.lock().unwrap().remove(&pid);
        if pid == root {
            self.traced.status = status;
        }
    }

    /// Lets a process go on: to its next call, as long as we want to see those.
    fn resume(&self, pid: Pid, signal: Option<Signal>) {
        let is_failing = self.tracees.lock().unwrap().get(&pid).is_some_and(|tracee| tracee.failing.is_some());
        let result = if self.is_killing {
            kill(pid, Signal::SIGKILL)
        } else if self.traced.hit && !is_failing {
            ptrace::cont(pid, signal)
        } else {
            ptrace::syscall(pid, signal)
        };
        // It may have been killed meanwhile.
        assert!(matches!(result, Ok(()) | Err(nix::errno::Errno::ESRCH)), "{result:?}");
    }

    fn at_event(&mut self, pid: Pid, event: i32) -> nix::Result<()> {
        match event {
            FORK | VFORK | CLONE => {
                let child = Pid::from_raw(i32::try_from(ptrace::getevent(pid)?).unwrap());
                let mut tracees = self.tracees.lock().unwrap();
                let parent = tracees.get_mut(&pid).ok_or(nix::errno::Errno::ESRCH)?;
                let process = [parent.process.as_slice(), &[parent.children]].concat();
                parent.children += 1;
                let stage = parent.stage;
                drop(tracees);
                self.add(child, process, stage);
                if self.early.remove(&child) {
                    self.resume(child, None);
                }
            }
            EXEC if !is_ours(pid) => {
                // The program of a container, which is none of our business.
                self.tracees.lock().unwrap().remove(&pid);
                return if self.is_killing { kill(pid, Signal::SIGKILL) } else { ptrace::detach(pid, None) };
            }
            EXEC => {
                if let Some(tracee) = self.tracees.lock().unwrap().get_mut(&pid) {
                    tracee.stage = Stage::Beginning;
                }
            }
            _ if !self.tracees.lock().unwrap().contains_key(&pid) => {
                self.early.insert(pid);
                return Ok(());
            }
            _ => {}
        }
        self.resume(pid, None);
        Ok(())
    }

    fn at_call(&mut self, pid: Pid) -> nix::Result<()> {
        let registers = Registers::of(pid)?;
        if ptrace::syscall_info(pid)?.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            if let Some((fault, name)) = self.at_entry(pid, registers) {
                return self.strike(pid, registers, name, fault);
            }
        } else if let Some(tracee) = self.tracees.lock().unwrap().get_mut(&pid)
            && let Some((before, name, errno)) = tracee.failing.take()
        {
            if name != "close" && !registers.is_error() && !Registers::MEANING_NOTHING.contains(&name) {
                self.traced.problem = Some(format!("{name} was made, though it was to fail"));
            }
            before.with_error(errno.raw()).set(pid)?;
        }
        self.resume(pid, None);
        Ok(())
    }

    /// What is to go wrong at this call, if it is the one.
    fn at_entry(&mut self, pid: Pid, registers: Registers) -> Option<(Fault, &'static str)> {
        let mut tracees = self.tracees.lock().unwrap();
        let tracee = tracees.get_mut(&pid)?;
        if registers.number() == calls::FIRST {
            tracee.stage = Stage::AtWork;
        }
        let name = calls::name(registers.number()).filter(|_| tracee.stage == Stage::AtWork)?;
        let place = Place { process: tracee.process.clone(), number: tracee.calls };
        tracee.calls += 1;
        let strike = self.strike.filter(|strike| *strike.place == place);
        // Another call may not be able to fail in this way.
        let strike = strike.filter(|strike| strike.name == name || !matches!(strike.fault, Fault::Fail(_)));
        self.traced.calls.push((place, name));
        strike.map(|strike| (strike.fault, name))
    }

    fn strike(&mut self, pid: Pid, registers: Registers, name: &'static str, fault: Fault) -> nix::Result<()> {
        self.traced.hit = true;
        match fault {
            Fault::Fail(errno) => {
                self.traced.was_mute = name == "write" && registers.first_argument() == 2;
                // What close(2) reports may be wrong is not that the descriptor is gone.
                if name != "close" {
                    registers.with_bad_arguments().set(pid)?;
                }
                if let Some(tracee) = self.tracees.lock().unwrap().get_mut(&pid) {
                    tracee.failing = Some((registers, name, errno));
                }
                self.resume(pid, None);
                Ok(())
            }
            // It dies before it makes the call: ptrace_report_syscall_entry() in the kernel.
            Fault::KillOne => kill(pid, Signal::SIGKILL),
            Fault::KillAll => {
                self.is_killing = true;
                for pid in self.tracees.lock().unwrap().keys().chain(&self.early) {
                    let _ = kill(*pid, Signal::SIGKILL);
                }
                Ok(())
            }
        }
    }
}

/// Whether a process executes our program.
fn is_ours(pid: Pid) -> bool {
    let file = |path: &str| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    file(&format!("/proc/{pid}/exe")) == file(COFFERDAM)
}
