//! Processes, credentials and signals.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernel::bytes::Bytes;
use crate::kernel::flags::Capabilities;

/// A process id, as seen from the caller's pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pid(pub i32);

/// What uname(2) tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utsname {
    /// The name of the operating system.
    pub sysname: Bytes,
    /// The release, such as `6.18.0-1-amd64`.
    pub release: Bytes,
    /// The hardware, such as `x86_64`.
    pub machine: Bytes,
}

/// The capability sets of a thread (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CapabilitySets {
    /// What is checked.
    pub effective: Capabilities,
    /// What can be made effective.
    pub permitted: Capabilities,
    /// What survives execve(2) of a file with inheritable capabilities.
    pub inheritable: Capabilities,
}

/// An operation of prctl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Prctl {
    /// `PR_SET_PDEATHSIG`: the signal that we get when our parent dies; `None` for none.
    SetParentDeathSignal(Option<Signal>),
    /// `PR_SET_DUMPABLE`: whether others may trace us and read our `/proc/<pid>`.
    SetDumpable(bool),
    /// `PR_SET_KEEPCAPS`: whether permitted capabilities survive that all uids become non-zero.
    SetKeepCapabilities(bool),
    /// `PR_CAPBSET_READ`: 1 if the capability with this number is in the bounding set; `EINVAL` beyond the last one.
    ReadBoundingCapability(u32),
    /// `PR_CAPBSET_DROP`
    DropBoundingCapability(u32),
    /// `PR_CAP_AMBIENT_RAISE`
    RaiseAmbientCapability(u32),
    /// `PR_CAP_AMBIENT_CLEAR_ALL`
    ClearAmbientCapabilities,
    /// `PR_SET_NO_NEW_PRIVS`
    SetNoNewPrivileges,
}

/// A resource of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of the manual page say it all")]
#[allow(non_camel_case_types, reason = "the names of the manual page")]
pub enum RlimitResource {
    RLIMIT_AS,
    RLIMIT_CORE,
    RLIMIT_CPU,
    RLIMIT_DATA,
    RLIMIT_FSIZE,
    RLIMIT_LOCKS,
    RLIMIT_MEMLOCK,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_NPROC,
    RLIMIT_RSS,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
    RLIMIT_SIGPENDING,
    RLIMIT_STACK,
}

/// The limits of a resource; `None` is `RLIM_INFINITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far `soft` can be raised without privilege.
    pub hard: Option<u64>,
}

/// The number of a signal (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(pub i32);

impl Signal {
    /// `SIGHUP`
    pub const HUP: Self = Self(1);
    /// `SIGINT`
    pub const INT: Self = Self(2);
    /// `SIGQUIT`
    pub const QUIT: Self = Self(3);
    /// `SIGKILL`
    pub const KILL: Self = Self(9);
    /// `SIGUSR1`
    pub const USR1: Self = Self(10);
    /// `SIGUSR2`
    pub const USR2: Self = Self(12);
    /// `SIGPIPE`
    pub const PIPE: Self = Self(13);
    /// `SIGALRM`
    pub const ALRM: Self = Self(14);
    /// `SIGTERM`
    pub const TERM: Self = Self(15);
    /// `SIGCHLD`
    pub const CHLD: Self = Self(17);
    /// `SIGCONT`
    pub const CONT: Self = Self(18);
    /// `SIGWINCH`
    pub const WINCH: Self = Self(28);
    /// `SIGXFSZ`
    pub const XFSZ: Self = Self(25);

    const NAMES: [&'static str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0).ok().and_then(|number| Self::NAMES.get(number.wrapping_sub(1)));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A set of signals; bit n-1 is the signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// Every signal.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the signal is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// The signals in the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64).map(Signal).filter(move |signal| self.contains(*signal))
    }

    fn bit(signal: Signal) -> u64 {
        match signal.0 {
            1..=64 => 1 << (signal.0 - 1),
            _ => 0,
        }
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        Self(signals.into_iter().fold(0, |bits, signal| bits | Self::bit(signal)))
    }
}

/// What sigprocmask(2) does with the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignalMaskHow {
    /// `SIG_BLOCK`: add to the blocked signals.
    Block,
    /// `SIG_UNBLOCK`: remove from them.
    Unblock,
    /// `SIG_SETMASK`: replace them.
    SetMask,
}

/// What a signal does (sigaction(2)), without handlers: those are code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignalAction {
    /// `SIG_DFL`
    Default,
    /// `SIG_IGN`
    Ignore,
}

/// A signal that sigtimedwait(2) took (`siginfo_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalInfo {
    /// The signal.
    pub signal: Signal,
    /// Where it comes from (`si_code`): 0 (`SI_USER`) for kill(2), 0x80 (`SI_KERNEL`) for one that a terminal sends to
    /// the whole foreground process group.
    pub code: i32,
    /// Who sent it; 0 if the sender is in no pid namespace that we can see.
    pub sender: Pid,
}

/// How a child ended or stopped (wait4(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitStatus {
    /// `WIFEXITED`: the exit status, 0 to 255.
    Exited(i32),
    /// `WIFSIGNALED`
    Signaled(Signal),
    /// `WIFSTOPPED`
    Stopped(Signal),
    /// `WIFCONTINUED`
    Continued,
}
