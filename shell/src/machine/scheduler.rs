//! Who works when: simulated processes take turns, each until it would wait for another.
//!
//! A process is a future, as are the programs and the shells that it executes. It gives way where a call would wait
//! (`EDEADLK`, see the documentation of the simulated kernel), where it sleeps, and now and then. Time is simulated: it
//! passes when nobody can do anything else. The order is always the same.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cofferdam::kernel::{Errno, Kernel as _, Pid, Signal};
use cofferdam_vfs_sim::Process;

/// What a process does; it comes to the exit status.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = i32> + 'a>>;

/// Why work does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfinished {
    #[error("every process waits for another one, for ever")]
    Deadlock,
    #[error("nobody is in front of the machine any more")]
    Abandoned,
}

/// What is outside the machine, as far as it makes a difference to those who work.
pub(super) trait Outside {
    /// Brings input from outside when everybody waits. False if there is none to come.
    fn feed(&self) -> bool;

    /// Whether those who work are to be interrupted: true once each time that somebody wants that.
    fn takes_interrupt(&self) -> bool;

    /// Whether nobody is there any more for whom anybody works.
    fn is_abandoned(&self) -> bool;
}

/// A process at work.
struct Worker {
    process: Process,
    work: Work<'static>,
}

/// Who is at work, and what time it is.
#[derive(Default)]
pub(crate) struct Scheduler {
    workers: RefCell<VecDeque<Worker>>,
    /// Those that were made during this turn.
    started: RefCell<VecDeque<Worker>>,
    clock: Cell<Duration>,
    /// When the first one of those who sleep wakes up.
    next_wake: Cell<Option<Duration>>,
    /// Whether anybody got further in this round.
    has_progressed: Cell<bool>,
    /// How many calls that could have waited were made in this turn.
    calls: Cell<usize>,
    /// Who was at work when all were interrupted last.
    interrupted: RefCell<Vec<Pid>>,
}

/// How many of these calls are a turn, if none of them has to wait: who reads `/dev/zero` never has to.
const LONGEST_TURN: usize = 1024;

impl Scheduler {
    pub(super) fn start(&self, process: Process, work: Work<'static>) {
        self.has_progressed.set(true);
        self.started.borrow_mut().push_back(Worker { process, work });
    }

    /// Forgets what everybody was about to do.
    pub(super) fn dismiss(&self) {
        self.started.borrow_mut().clear();
        let workers = std::mem::take(&mut *self.workers.borrow_mut());
        drop(workers);
    }

    pub(super) fn clock(&self) -> Duration {
        self.clock.get()
    }

    /// Repeats a call that would wait until it need not. A turn that `is_over`, or has been long, ends after it.
    pub(super) async fn waiting<T>(
        &self,
        call: impl FnMut() -> Result<T, Errno>,
        is_over: impl FnOnce() -> bool,
    ) -> Result<T, Errno> {
        let result = self.repeat(call).await;
        self.calls.set(self.calls.get() + 1);
        if is_over() || self.calls.get() >= LONGEST_TURN {
            self.yield_now().await;
        }
        result
    }

    async fn repeat<T>(&self, mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        let mut has_waited = false;
        loop {
            match call() {
                Err(Errno::EDEADLK) => {
                    has_waited = true;
                    give_way().await;
                }
                result => {
                    if has_waited {
                        self.has_progressed.set(true);
                    }
                    return result;
                }
            }
        }
    }

    pub(super) async fn yield_now(&self) {
        self.has_progressed.set(true);
        give_way().await;
    }

    pub(super) async fn sleep(&self, time: Duration) {
        let until = self.clock.get().saturating_add(time);
        while self.clock.get() < until {
            let first = self.next_wake.get().map_or(until, |next| next.min(until));
            self.next_wake.set(Some(first));
            give_way().await;
        }
        self.has_progressed.set(true);
    }

    /// Does some work to its end, and the others' meanwhile.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>, outside: &impl Outside) -> Result<T, Unfinished> {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.next_wake.set(None);
            self.has_progressed.set(false);
            self.calls.set(0);
            if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
                return Ok(result);
            }
            self.take_turns(&mut context);
            if outside.takes_interrupt() {
                self.interrupt_all();
            } else if !self.has_progressed.get() && !self.wake_somebody(outside) {
                if outside.is_abandoned() {
                    return Err(Unfinished::Abandoned);
                }
                if !self.interrupt_all() {
                    return Err(Unfinished::Deadlock);
                }
            }
        }
    }

    /// Lets all others go on to their end, or until somebody interrupts them.
    pub(super) fn run_others(&self, outside: &impl Outside) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.next_wake.set(None);
            self.has_progressed.set(false);
            self.take_turns(&mut context);
            if self.workers.borrow().is_empty()
                || outside.takes_interrupt()
                || !self.has_progressed.get()
                    && !self.wake_somebody(outside)
                    && (outside.is_abandoned() || !self.interrupt_all())
            {
                return;
            }
        }
    }

    /// Lets all others go on until each of them sleeps or waits; time stands still.
    pub(super) fn settle(&self) {
        // Somebody may never wait.
        const MOST_TURNS: usize = 10_000;
        let mut context = Context::from_waker(Waker::noop());
        // Whoever was started last has had no turn yet.
        self.workers.borrow_mut().append(&mut self.started.borrow_mut());
        for _ in 0..MOST_TURNS {
            self.has_progressed.set(false);
            self.take_turns(&mut context);
            if !self.has_progressed.get() {
                return;
            }
        }
    }

    /// Everybody's turn, once.
    fn take_turns(&self, context: &mut Context<'_>) {
        let count = self.workers.borrow().len();
        for _ in 0..count {
            let Some(mut worker) = self.workers.borrow_mut().pop_front() else { break };
            // It may have been killed.
            if !worker.process.is_running() {
                self.has_progressed.set(true);
                continue;
            }
            self.calls.set(0);
            match worker.work.as_mut().poll(context) {
                Poll::Ready(status) => {
                    self.has_progressed.set(true);
                    drop(worker.work);
                    worker.process.exit(status);
                }
                Poll::Pending => self.workers.borrow_mut().push_back(worker),
            }
        }
        self.workers.borrow_mut().append(&mut self.started.borrow_mut());
    }

    /// Lets time pass until somebody wakes up, or gets input from outside.
    fn wake_somebody(&self, outside: &impl Outside) -> bool {
        if let Some(next) = self.next_wake.get() {
            self.clock.set(next);
            return true;
        }
        outside.feed()
    }

    /// Whether a process was at work when all were interrupted last: it has got the signal.
    pub(super) fn was_interrupted(&self, pid: Pid) -> bool {
        self.interrupted.borrow().contains(&pid)
    }

    /// Sends `SIGINT` to all who work, as a terminal does: to those who wait for ever, or because somebody wants it. False if
    /// that ends none.
    fn interrupt_all(&self) -> bool {
        let workers = self.workers.borrow();
        let mut interrupted = self.interrupted.borrow_mut();
        interrupted.clear();
        for worker in workers.iter() {
            // Who has ended by now has no number any more.
            if let Ok(pid) = worker.process.getpid() {
                let _ = worker.process.kill(pid, Signal::INT);
                interrupted.push(pid);
            }
        }
        // Who takes no notice of it would be asked for ever.
        workers.iter().any(|worker| !worker.process.is_running())
    }
}

/// Ends the turn.
async fn give_way() {
    let mut is_over = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}
