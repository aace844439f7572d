//! Counting the calls of an operation and of the processes that it makes.

use std::cell::RefCell;
use std::collections::BTreeSet;

use cofferdam::kernel::{Call, Errno, Fd, Interceptor, Kernel, Pid, Value};

use crate::document::Counts;

/// Counts calls.
#[derive(Default)]
pub struct Counter {
    counts: RefCell<Counts>,
    /// The descriptors of mountinfos, each with its process.
    tables: RefCell<BTreeSet<(Pid, Fd)>>,
}

impl Counter {
    /// What was counted since the last time.
    pub fn take(&self) -> Counts {
        self.counts.take()
    }
}

impl Interceptor for Counter {
    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let counts = &mut *self.counts.borrow_mut();
        counts.add(call.name());
        let tables = &mut *self.tables.borrow_mut();
        let ours = |fd: Fd| (kernel.getpid().unwrap(), fd);
        match (call, result) {
            (Call::Openat2 { path, .. }, Ok(Value::Descriptor(fd))) if path.0.ends_with(b"/mountinfo") => {
                counts.tables += 1;
                counts.table_calls += 1;
                tables.insert(ours(*fd));
            }
            (Call::Read { fd, .. }, _) if tables.contains(&ours(*fd)) => counts.table_calls += 1,
            (Call::Close { fd }, _) => {
                tables.remove(&ours(*fd));
            }
            _ => {}
        }
    }
}
