//! Fails each system call of some code that mounts, one after the other, each time from the same snapshot, and looks at
//! what is left: the code that is tried here forgets to undo its first mount, and is found out.
//!
//! `cargo run -p cofferdam-vfs-sim --example faults`

use std::cell::Cell;

use cofferdam::UnixPath;
use cofferdam::kernel::{Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags};
use cofferdam_vfs_sim::{Linux, Process};

/// Refuses one call, by its number.
struct FailAt {
    number: usize,
    made: Cell<usize>,
    failed: Cell<Option<&'static str>>,
}

impl Interceptor for FailAt {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let number = self.made.replace(self.made.get() + 1);
        if number != self.number {
            return Ok(());
        }
        self.failed.set(Some(call.name()));
        Err(Errno::ENOMEM)
    }
}

/// What is tried: two mounts of which the second may fail.
fn set_up(kernel: &dyn Kernel) -> Result<(), Errno> {
    let mount = |target| kernel.mount(None, UnixPath::new(target), Some(b"tmpfs"), MountFlags::empty(), None);
    kernel.mkdirat(Fd::CWD, UnixPath::new("/data"), Mode(0o755))?;
    mount("/data")?;
    kernel.mkdirat(Fd::CWD, UnixPath::new("/data/cache"), Mode(0o755))?;
    mount("/data/cache")
}

fn main() {
    let snapshot = Linux::new();
    let count = snapshot.mounts().count();
    for number in 0.. {
        let process = Process::init(snapshot.clone());
        let faults = FailAt { number, made: Cell::new(0), failed: Cell::new(None) };
        let result = set_up(&Intercepted::new(&process, &faults));
        let Some(failed) = faults.failed.get() else { break };
        let left = process.linux().mounts().count() - count;
        println!("call {number}, {failed}, fails: {result:?}; mounts left behind: {left}");
    }
}
