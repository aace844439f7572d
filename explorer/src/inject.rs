//! Faults, put between an operation and the kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cofferdam::kernel::{Call, DeviceNumber, Errno, Fd, Interceptor, Kernel, Value};
use cofferdam_vfs_sim::{Linux, Process};

use crate::disk::Synced;
use crate::trace::Trace;
use crate::variant::{Fault, Step};

/// What is to be noted of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nothing but what comes of it.
    Nothing,
    /// The state before each of these calls.
    Calls(usize, usize),
    /// The same of all, and the calls in words.
    Story,
}

impl Watch {
    /// All calls.
    pub const ALL: Self = Self::Calls(0, usize::MAX);

    fn has(self, call: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::Calls(first, end) => (first..end).contains(&call),
            Self::Story => true,
        }
    }
}

/// What was noted of an operation.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many calls it made.
    pub calls: usize,
    /// Those that were watched, with what came of them, as strace prints them.
    pub lines: Vec<String>,
    /// Those that were watched: their names, and the states before them.
    pub watched: BTreeMap<usize, (&'static str, Snapshot)>,
    /// The state when a program was to be executed.
    pub executing: Option<Snapshot>,
    /// What was written to standard error.
    pub said: String,
    /// Why something that was synced could not be read: a mistake of ours.
    pub unread: Option<Errno>,
    /// What is synced at the end.
    pub synced: Synced,
    /// What was done.
    pub trace: Trace,
}

impl Seen {
    /// What a call is, if it was watched.
    pub fn name(&self, call: usize) -> Option<&'static str> {
        self.watched.get(&call).map(|(name, _)| *name)
    }

    /// The state before a call, if it was watched.
    pub fn before(&self, call: usize) -> Option<&Snapshot> {
        self.watched.get(&call).map(|(_, before)| before)
    }

    /// Whether a death before either of two calls leaves the same.
    pub fn is_durably_the_same(&self, one: usize, other: usize) -> bool {
        let durable = |call| self.before(call).map_or(&self.trace, |snapshot| &snapshot.trace).durable();
        durable(one) == durable(other)
    }
}

/// The machine in the middle of an operation.
#[derive(Debug)]
pub struct Snapshot {
    /// The machine.
    pub linux: Linux,
    /// What was synced by then.
    pub synced: Synced,
    /// What was done until then.
    pub trace: Trace,
}

/// Injects faults into an operation, and watches it.
pub struct Injector<'a> {
    faults: &'a [(usize, Fault)],
    watch: Watch,
    /// Sees the whole machine.
    init: &'a Process,
    disk: DeviceNumber,
    act: &'a dyn Fn(Step, &Process),
    seen: RefCell<Seen>,
}

impl<'a> Injector<'a> {
    /// Of an operation on the machine whose first process is `init`; `act` does what somebody else does.
    pub fn new(
        faults: &'a [(usize, Fault)],
        watch: Watch,
        init: &'a Process,
        (disk, synced): (DeviceNumber, Synced),
        act: &'a dyn Fn(Step, &Process),
    ) -> Self {
        let seen = RefCell::new(Seen { synced, ..Seen::default() });
        Self { faults, watch, init, disk, act, seen }
    }

    /// What was noted.
    pub fn finish(self) -> Seen {
        self.seen.into_inner()
    }

    /// Takes note of a call that is about to be made: gives its number.
    fn note(&self, call: &Call) -> usize {
        let mut seen = self.seen.borrow_mut();
        let number = seen.calls;
        seen.calls += 1;
        if self.watch.has(number) {
            let snapshot = self.snapshot(&seen);
            seen.watched.insert(number, (call.name(), snapshot));
        }
        number
    }

    fn snapshot(&self, seen: &Seen) -> Snapshot {
        Snapshot { linux: self.init.linux().clone(), synced: seen.synced.clone(), trace: seen.trace.clone() }
    }
}

impl Interceptor for Injector<'_> {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let number = self.note(call);
        for (_, fault) in self.faults.iter().filter(|(at, _)| *at == number) {
            match fault {
                Fault::Fails(errno) => return Err(*errno),
                Fault::Step(step) => {
                    (self.act)(*step, self.init);
                    self.seen.borrow_mut().trace.step(*step);
                }
            }
        }
        let mut seen = self.seen.borrow_mut();
        if let Call::Write { fd: Fd::STDERR, data } = call {
            seen.said.push_str(&String::from_utf8_lossy(&data.0));
        } else {
            seen.trace.call(kernel.getpid()?, call);
        }
        if matches!(call, Call::Execve { .. }) {
            let snapshot = self.snapshot(&seen);
            seen.executing = Some(snapshot);
            // The state in which it runs was taken; for the launcher there is no program.
            return Err(Errno::ENOENT);
        }
        Ok(())
    }

    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        if self.watch == Watch::Story {
            self.seen.borrow_mut().lines.push(call.with_result(result).to_string());
        }
        if let (Call::Fsync { fd }, Ok(_)) = (call, result) {
            let mut seen = self.seen.borrow_mut();
            let synced = seen.synced.sync(kernel, *fd, self.disk);
            seen.unread = synced.err().or(seen.unread);
        }
    }
}
