//! What tells the states of a machine apart that has begun in the same one: the calls that were made since.

use std::hash::{DefaultHasher, Hash, Hasher};

use cofferdam::kernel::{Call, OpenFlags, Pid};

use crate::variant::Step;

/// The calls that were made, and what others did in between. The simulated kernel is deterministic: what came of them need
/// not be known, and a call that was made to fail has changed nothing.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    all: DefaultHasher,
    durable: u64,
}

impl Trace {
    /// A process makes a call.
    pub fn call(&mut self, process: Pid, call: &Call) {
        (process, call).hash(&mut self.all);
        if !only_looks(call) {
            self.durable = self.all.finish();
        }
    }

    /// Somebody else does something.
    pub fn step(&mut self, step: Step) {
        step.hash(&mut self.all);
        self.durable = self.all.finish();
    }

    /// What was made so far that outlives the process: the same number stands for the same state once it has ended, if all
    /// began in the same one.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// All that was made so far.
    pub fn all(&self) -> u64 {
        self.all.finish()
    }
}

/// Whether a call changes nothing but what ends with the process.
fn only_looks(call: &Call) -> bool {
    match call {
        Call::Openat2 { how, .. } => !how.flags.intersects(OpenFlags::O_CREAT | OpenFlags::O_TRUNC),
        Call::Close { .. }
        | Call::Statx { .. }
        | Call::Readlinkat { .. }
        | Call::Getdents64 { .. }
        | Call::Read { .. }
        | Call::Lseek { .. }
        | Call::Statfs { .. }
        | Call::Fstatfs { .. }
        | Call::Statmount { .. }
        | Call::Listmount { .. }
        | Call::Getcwd {}
        | Call::Uname {}
        | Call::Getpid {}
        | Call::Getppid {}
        | Call::Geteuid {}
        | Call::Capget {}
        | Call::Umask { .. }
        | Call::Sigaction { .. }
        | Call::Sigprocmask { .. }
        | Call::Flock { .. } => true,
        _ => false,
    }
}
