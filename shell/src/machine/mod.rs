//! The simulated machine: a kernel, the processes that are at work on it, and its console.

mod boot;
mod console;
mod explain;
mod fifo;
mod scheduler;
mod tables;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use cofferdam::error::CallError;
use cofferdam::kernel::{Bytes, CloneFlags, Errno, Fd, Kernel as _, Pid, Signal, WaitOptions};
use cofferdam_vfs_sim::{Linux, Process};

use console::Terminal;
pub use console::{Console, Input, Stream};
use scheduler::{Outside, Scheduler};
pub(crate) use scheduler::{Unfinished, Work};
pub use tables::{MountTable, Namespaces};

/// A simulated machine. Clones are handles of the same one.
#[derive(Clone)]
pub struct Machine {
    /// The first process of the machine: it makes the others, holds the other ends of their standard streams, and reaps.
    init: Process,
    scheduler: Rc<Scheduler>,
    terminal: Rc<RefCell<Terminal>>,
    /// The shell in front of which somebody sits.
    leader: Rc<RefCell<Option<Process>>>,
    /// Whether Ctrl-C was pressed, and nobody knows of it yet.
    is_interrupted: Rc<Cell<bool>>,
    /// Whether messages are followed by why calls failed.
    explains: Rc<Cell<bool>>,
}

impl Machine {
    /// A machine on this kernel, whose processes speak to this console.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`: init can't have the pipes that lead to the console.
    pub fn new(linux: Linux, console: Box<dyn Console>) -> Result<Self, Errno> {
        let init = Process::init(linux);
        let terminal = Terminal::new(&init, console)?;
        Ok(Self {
            init,
            scheduler: Rc::default(),
            terminal: Rc::new(RefCell::new(terminal)),
            leader: Rc::default(),
            is_interrupted: Rc::default(),
            explains: Rc::default(),
        })
    }

    /// A kernel that has booted: the [sample host](cofferdam_vfs_sim::sample), with all programs on its disk.
    pub fn boot() -> Linux {
        boot::boot()
    }

    /// Puts the files of the sample host, and all programs, on the disks of a kernel of another origin, where it has none of
    /// these names.
    ///
    /// # Errors
    ///
    /// If a file can't be made: a full filesystem, or something else at its place.
    pub fn furnish(linux: Linux) -> Result<Linux, CallError> {
        boot::furnish(linux)
    }

    /// The process that reaps, and makes others.
    pub fn init(&self) -> &Process {
        &self.init
    }

    /// Does what the program does that a process has just executed, to its end, with the input and output of the console if
    /// it has them; the process is still there then. `None` if nobody knows what the program does.
    pub fn carry_out(&self, process: &Process) -> Option<i32> {
        let work = crate::programs::executed(self, process)?;
        Some(self.run(work).unwrap_or(128 + 2))
    }

    /// Shows what processes have written that nobody has shown yet.
    pub fn forward(&self) {
        self.terminal.borrow_mut().drain(&self.init);
    }

    /// Leaves the machine alone: its console is closed, and processes that have ended are forgotten. The others stay as they
    /// are, and do nothing any more.
    pub fn shut_down(&self) {
        self.scheduler.dismiss();
        self.terminal.borrow_mut().disconnect(&self.init);
        let reap = || self.init.wait4(Pid(-1), WaitOptions::WNOHANG);
        while let Ok(Some(_)) = reap() {}
    }

    /// A snapshot of the kernel, as it is between two calls.
    pub fn snapshot(&self) -> Linux {
        self.init.linux().clone()
    }

    /// A script of the host's: see [`Console::script`].
    pub(crate) fn script(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.terminal.borrow_mut().script(path)
    }

    /// Makes a process whose standard streams are the console.
    ///
    /// # Errors
    ///
    /// Those of clone3(2).
    pub fn new_process(&self) -> Result<Process, Errno> {
        let process = self.init.fork(CloneFlags::empty())?;
        self.terminal.borrow().connect(&process)?;
        Ok(process)
    }

    /// Lets a process work from now on, whenever the others wait; it ends with the status that its work comes to.
    pub(crate) fn start(&self, process: Process, work: Work<'static>) {
        self.scheduler.start(process, work);
    }

    /// Does this work to its end, and the others' as far as they get meanwhile.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, Unfinished> {
        self.scheduler.run(work, self)
    }

    /// Lets all others go on until they have ended, or wait for what can't come, or somebody presses Ctrl-C.
    pub(crate) fn run_others(&self) {
        self.scheduler.run_others(self);
    }

    /// Lets a process have the `SIGINT` of Ctrl-C, as all have it that are [at work](Self::start).
    pub(crate) fn lead(&self, process: Process) {
        *self.leader.borrow_mut() = Some(process);
    }

    /// Forgets that somebody has pressed Ctrl-C: it was not meant for what comes now.
    pub(crate) fn forget_interrupt(&self) {
        self.notices_interrupt();
        self.is_interrupted.set(false);
    }

    /// Whether somebody has pressed Ctrl-C, and the processes do not know it yet.
    fn notices_interrupt(&self) -> bool {
        if self.terminal.borrow_mut().take_interrupt(&self.init) {
            self.is_interrupted.set(true);
        }
        self.is_interrupted.get()
    }

    /// Whether a process has got the last `SIGINT` of those that all get.
    pub(crate) fn was_interrupted(&self, pid: Pid) -> bool {
        self.scheduler.was_interrupted(pid)
    }

    /// Gives nothing more to read from the console.
    pub(crate) fn end_input(&self) {
        self.terminal.borrow_mut().end_input(&self.init);
    }

    /// Whether this descriptor is one from which a person's input is read.
    pub(crate) fn is_typed(&self, process: &Process, fd: Fd) -> bool {
        self.terminal.borrow().is_typed(&self.init, process, fd)
    }

    /// Lets all others go on until each of them sleeps or waits for another one; no time passes.
    pub(crate) fn settle(&self) {
        self.scheduler.settle();
    }

    /// Repeats a call that would wait until it need not.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub(crate) async fn waiting<T>(&self, call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        self.scheduler.waiting(call, || self.notices_interrupt()).await
    }

    /// Lets simulated time pass.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.scheduler.sleep(time).await;
    }

    /// Lets the others do something.
    pub(crate) async fn yield_now(&self) {
        self.scheduler.yield_now().await;
    }

    /// How long the machine has been at work, in simulated time: it passes only in [`sleep`](Self::sleep).
    pub(crate) fn clock(&self) -> Duration {
        self.scheduler.clock()
    }

    /// read(2), which waits for something to be there.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn read(&self, process: &Process, fd: Fd, count: usize) -> Result<Vec<u8>, Errno> {
        let read = || match process.read(fd, count) {
            Err(Errno::EDEADLK) if self.terminal.borrow_mut().takes_pause(&self.init, process, fd) => {
                Ok(Bytes::default())
            }
            result => result,
        };
        self.waiting(read).await.map(|bytes| bytes.0)
    }

    /// write(2) of all of it, which waits for room.
    ///
    /// # Errors
    ///
    /// Those of write(2).
    pub(crate) async fn write(&self, process: &Process, fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let written = self.waiting(|| {
                let written = process.write(fd, bytes);
                // What one process has written is seen before what another one writes.
                self.terminal.borrow_mut().drain(&self.init);
                written
            });
            bytes = bytes.get(written.await?..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Outside for Machine {
    fn feed(&self) -> bool {
        self.terminal.borrow_mut().feed(&self.init)
    }

    fn takes_interrupt(&self) -> bool {
        let is_interrupted = self.notices_interrupt();
        self.is_interrupted.set(false);
        if let (true, Some(leader)) = (is_interrupted, &*self.leader.borrow())
            && let Ok(pid) = leader.getpid()
        {
            let _ = leader.kill(pid, Signal::INT);
        }
        is_interrupted
    }

    fn is_abandoned(&self) -> bool {
        self.terminal.borrow().is_abandoned()
    }
}
