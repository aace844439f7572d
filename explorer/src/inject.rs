//! Faults, put between an operation and the kernel.

use std::cell::RefCell;

use cofferdam::kernel::{Call, DeviceNumber, Errno, Fd, Interceptor, Kernel, Value};
use cofferdam_vfs_sim::{Linux, Process};

use crate::disk::Synced;
use crate::variant::{Fault, Step};

/// What is to be noted of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nothing but what comes of it.
    Nothing,
    /// The state before each call from this one on.
    From(usize),
    /// The same from the first one on, and the calls in words.
    Story,
}

/// What was noted of an operation.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many calls it made.
    pub calls: usize,
    /// Those that were watched, with what came of them, as strace prints them.
    pub lines: Vec<String>,
    /// The names of those that were watched.
    pub names: Vec<&'static str>,
    /// The states before those that were watched, with what was synced by then.
    pub before: Vec<(Linux, Synced)>,
    /// The state when a program was to be executed.
    pub executing: Option<Linux>,
    /// What was written to standard error.
    pub said: String,
    /// Why something that was synced could not be read: a mistake of ours.
    pub unread: Option<Errno>,
    /// What is synced at the end.
    pub synced: Synced,
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

    fn count(&self, call: &Call) -> usize {
        let mut seen = self.seen.borrow_mut();
        let number = seen.calls;
        seen.calls += 1;
        let is_watched = match self.watch {
            Watch::Nothing => false,
            Watch::From(first) => number >= first,
            Watch::Story => true,
        };
        if is_watched {
            seen.names.push(call.name());
            let state = (self.init.linux().clone(), seen.synced.clone());
            seen.before.push(state);
        }
        number
    }
}

impl Interceptor for Injector<'_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let number = self.count(call);
        for (_, fault) in self.faults.iter().filter(|(at, _)| *at == number) {
            match fault {
                Fault::Fails(errno) => return Err(*errno),
                Fault::Step(step) => (self.act)(*step, self.init),
            }
        }
        if let Call::Write { fd: Fd::STDERR, data } = call {
            self.seen.borrow_mut().said.push_str(&String::from_utf8_lossy(&data.0));
        }
        if matches!(call, Call::Execve { .. }) {
            self.seen.borrow_mut().executing = Some(self.init.linux().clone());
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
