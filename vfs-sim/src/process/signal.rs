//! Signals: sent, blocked, taken, and what they do (`kernel/signal.c`). There are no handlers: those are code.

use cofferdam::kernel::{Capabilities, Pid, Signal, SignalInfo, SignalSet, WaitStatus};
use serde::{Deserialize, Serialize};

use super::{Task, TaskState};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

/// `SIGSTOP`
const STOP: Signal = Signal(19);

/// From here on a signal can be pending more than once (`SIGRTMIN`).
const FIRST_REAL_TIME: i32 = 32;

/// The last one (`_NSIG`).
const LAST: i32 = 64;

/// The signals that can't be blocked or ignored (`SIG_KERNEL_ONLY_MASK`).
const KERNEL_ONLY: SignalSet = set(&[9, 19]);

/// Those that stop a process (`SIG_KERNEL_STOP_MASK`).
const STOPPING: SignalSet = set(&[19, 20, 21, 22]);

/// Those that do nothing by default: `SIGCONT`, `SIGCHLD`, `SIGWINCH`, `SIGURG` (`SIG_KERNEL_IGNORE_MASK`).
const HARMLESS: SignalSet = set(&[18, 17, 28, 23]);

/// Those that end a process with a dump of its memory (`SIG_KERNEL_COREDUMP_MASK`).
const DUMPING: SignalSet = set(&[3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);

/// Those of faults, which are taken before all others (`SYNCHRONOUS_MASK`).
const SYNCHRONOUS: SignalSet = set(&[11, 7, 4, 5, 8, 31]);

const fn set(signals: &[u32]) -> SignalSet {
    let mut bits = 0;
    let mut index = 0;
    while index < signals.len() {
        bits |= 1 << (signals[index] - 1);
        index += 1;
    }
    SignalSet(bits)
}

/// The `si_code` of a signal that kill(2) sent (`SI_USER`).
const BY_USER: i32 = 0;

/// The codes of `SIGCHLD` (`CLD_*`).
const CHILD_EXITED: i32 = 1;
const CHILD_KILLED: i32 = 2;
const CHILD_STOPPED: i32 = 5;
const CHILD_CONTINUED: i32 = 6;

/// That a process is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// By which signal.
    pub(crate) signal: Signal,
    /// Whether the parent has been told by wait4(2).
    pub(crate) is_reported: bool,
}

/// The signals of a process (`struct sighand_struct`, `struct signal_struct`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Signals {
    /// Those that wait until they are unblocked, or taken by sigwaitinfo(2).
    pub(crate) blocked: SignalSet,
    /// Those that are ignored explicitly (`SIG_IGN`).
    pub(crate) ignored: SignalSet,
    /// Those of others that wait, in the order in which they came (`signal->shared_pending`).
    pub(crate) pending: Vec<SignalInfo>,
    /// Those for what it did itself, which come before all others (`task->pending`).
    pub(crate) own: Vec<SignalInfo>,
    /// Whether the process is stopped (`SIGNAL_STOP_STOPPED`).
    pub(crate) stop: Option<Stop>,
    /// The signal by which it is about to end: it gets no other (`SIGNAL_GROUP_EXIT`).
    pub(crate) fatal: Option<Signal>,
    /// Whether it goes on, and the parent has not been told by wait4(2) (`SIGNAL_STOP_CONTINUED`).
    pub(crate) is_continued: bool,
}

impl Signals {
    fn ignores(&self, signal: Signal) -> bool {
        self.ignored.contains(signal)
    }

    /// Whether a signal does nothing once it is delivered (`sig_handler_ignored()`).
    fn is_without_effect(&self, signal: Signal) -> bool {
        self.ignores(signal) || HARMLESS.contains(signal)
    }

    fn forget(&mut self, signals: SignalSet) {
        self.own.retain(|info| !signals.contains(info.signal));
        self.pending.retain(|info| !signals.contains(info.signal));
    }

    /// Takes the signal out that is delivered first, of those in the set (`dequeue_signal()`).
    fn take(&mut self, from: SignalSet) -> Option<SignalInfo> {
        take_first(&mut self.own, from).or_else(|| take_first(&mut self.pending, from))
    }

    fn waiting(&mut self, queue: Queue) -> &mut Vec<SignalInfo> {
        match queue {
            Queue::Own => &mut self.own,
            Queue::Shared => &mut self.pending,
        }
    }
}

/// Where a signal waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Own,
    Shared,
}

/// `__dequeue_signal()`
fn take_first(queue: &mut Vec<SignalInfo>, from: SignalSet) -> Option<SignalInfo> {
    let waiting = queue.iter().map(|info| info.signal).filter(|signal| from.contains(*signal));
    let first = waiting.min_by_key(|signal| (!SYNCHRONOUS.contains(*signal), signal.0))?;
    let index = queue.iter().position(|info| info.signal == first)?;
    Some(queue.remove(index))
}

/// `valid_signal()`
pub(crate) fn is_valid_signal(signal: Signal) -> bool {
    (0..=LAST).contains(&signal.0)
}

impl Linux {
    /// Whether a process may send a signal to another one (`check_kill_permission()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such signal; `EPERM` if not. All processes are in one session, so that `SIGCONT` is always
    /// allowed.
    pub(crate) fn may_signal(&self, task: Id<Task>, target: Id<Task>, signal: Signal) -> Result<(), Failure> {
        if !is_valid_signal(signal) {
            return Err(fail!(EINVAL, "check_kill_permission()", "there is no signal with this number"));
        }
        let (own, others) = (&self.tasks[task].credentials, &self.tasks[target].credentials);
        let is_allowed = task == target
            || signal == Signal::CONT
            || [own.effective_uid, own.uid].iter().any(|uid| [others.saved_uid, others.uid].contains(uid))
            || self.ns_capable(task, others.user_namespace, Capabilities::CAP_KILL);
        if !is_allowed {
            return Err(fail!(
                EPERM,
                "check_kill_permission()",
                "the process belongs to another user, and the sender has no CAP_KILL in its user namespace"
            ));
        }
        Ok(())
    }

    /// What a process is told about a signal of another one, and whether the sender is above all that it can see
    /// (`prepare_kill_siginfo()`).
    pub(crate) fn signal_of_process(&self, task: Id<Task>, target: Id<Task>, signal: Signal) -> (SignalInfo, bool) {
        let sender = self.pid_seen_by(target, task);
        (SignalInfo { signal, code: BY_USER, sender: Pid(sender) }, sender == 0)
    }

    /// Sends a signal, which takes effect at once if it is not blocked (`send_signal_locked()`).
    pub(crate) fn send_signal(&mut self, target: Id<Task>, info: SignalInfo, is_from_above: bool) {
        self.send_signals(vec![(target, info, is_from_above)]);
    }

    /// Sends a process a signal for what it has just done (`send_sig()`).
    pub(crate) fn signal_itself(&mut self, task: Id<Task>, signal: Signal) {
        let (info, is_from_above) = self.signal_of_process(task, task, signal);
        self.queue_signal(task, info, is_from_above, Queue::Own);
        self.deliver_signals(task);
    }

    /// Sends signals at one moment: all are sent before the first takes effect.
    pub(crate) fn send_signals(&mut self, signals: Vec<(Id<Task>, SignalInfo, bool)>) {
        let queued: Vec<_> = signals
            .into_iter()
            .map(|(target, info, is_from_above)| {
                (target, self.queue_signal(target, info, is_from_above, Queue::Shared))
            })
            .collect();
        for (target, was_stopped) in queued {
            if was_stopped && self.is_running(target) {
                self.notify_parent_of_stop(target, CHILD_CONTINUED);
            }
            self.deliver_signals(target);
            if was_stopped
                && self.can_run(target)
                && let Some(status) = self.tasks[target].postponed_exit
            {
                self.end_task(target, WaitStatus::Exited(status));
            }
        }
    }

    /// Lets a signal wait, unless it is ignored; `true` if it lets a stopped process go on (`__send_signal_locked()`).
    fn queue_signal(&mut self, target: Id<Task>, info: SignalInfo, is_from_above: bool, queue: Queue) -> bool {
        let signal = info.signal;
        if !self.is_running(target) || signal.0 == 0 || self.tasks[target].signals.fatal.is_some() {
            return false;
        }
        if STOPPING.contains(signal) {
            self.tasks[target].signals.forget(SignalSet::from_iter([Signal::CONT]));
        }
        let was_stopped = signal == Signal::CONT && self.prepare_to_continue(target);
        let is_blocked = self.tasks[target].signals.blocked.contains(signal);
        if !is_blocked && self.is_ignored_by(target, signal, is_from_above) {
            return was_stopped;
        }
        let signals = &mut self.tasks[target].signals;
        let waiting = signals.waiting(queue);
        if signal.0 >= FIRST_REAL_TIME || !waiting.iter().any(|info| info.signal == signal) {
            waiting.push(info);
        }
        let can_be_woken = !is_blocked && (signals.stop.is_none() || signal == Signal::KILL);
        if can_be_woken && !HARMLESS.contains(signal) && !STOPPING.contains(signal) && !DUMPING.contains(signal) {
            signals.fatal = Some(signal);
        }
        was_stopped
    }

    /// What `SIGCONT` does whether it is blocked, ignored or neither; `true` if the process was stopped
    /// (`prepare_signal()`).
    fn prepare_to_continue(&mut self, target: Id<Task>) -> bool {
        let signals = &mut self.tasks[target].signals;
        signals.forget(STOPPING);
        let was_stopped = signals.stop.take().is_some();
        if was_stopped {
            signals.is_continued = true;
        }
        was_stopped
    }

    /// Whether a signal that is not blocked does nothing: the init process of a pid namespace gets none that it does not
    /// ask for, but `SIGKILL` and `SIGSTOP` from above (`sig_task_ignored()`).
    fn is_ignored_by(&self, target: Id<Task>, signal: Signal, is_from_above: bool) -> bool {
        if target == self.init && KERNEL_ONLY.contains(signal) {
            return true;
        }
        let signals = &self.tasks[target].signals;
        let is_default = !signals.ignores(signal);
        if self.is_namespace_init(target) && is_default && !(is_from_above && KERNEL_ONLY.contains(signal)) {
            return true;
        }
        signals.is_without_effect(signal)
    }

    /// Whether a process is the first of its pid namespace (`SIGNAL_UNKILLABLE`).
    pub(crate) fn is_namespace_init(&self, task: Id<Task>) -> bool {
        self.pid_namespaces[self.tasks[task].pid_namespace].init == Some(task)
    }

    /// Lets all signals take effect that wait and are not blocked (`get_signal()`).
    pub(crate) fn deliver_signals(&mut self, task: Id<Task>) {
        while self.is_running(task) {
            let signals = &mut self.tasks[task].signals;
            if let Some(fatal) = signals.fatal {
                return self.end_task(task, WaitStatus::Signaled(fatal));
            }
            let deliverable = match signals.stop {
                Some(_) => set(&[9]),
                None => SignalSet(!signals.blocked.0),
            };
            let Some(SignalInfo { signal, .. }) = signals.take(deliverable) else { return };
            let is_spared = self.is_namespace_init(task) && !KERNEL_ONLY.contains(signal);
            if self.tasks[task].signals.is_without_effect(signal) || is_spared {
                continue;
            }
            if STOPPING.contains(signal) {
                // The others are those of job control, which does not stop processes of an orphaned process group: all
                // are in the group of init.
                if signal == STOP {
                    self.stop(task, signal);
                }
                continue;
            }
            self.end_task(task, WaitStatus::Signaled(signal));
        }
    }

    fn stop(&mut self, task: Id<Task>, signal: Signal) {
        let signals = &mut self.tasks[task].signals;
        signals.stop = Some(Stop { signal, is_reported: false });
        signals.is_continued = false;
        self.notify_parent_of_stop(task, CHILD_STOPPED);
    }

    /// Tells the parent that a process was stopped or goes on (`do_notify_parent_cldstop()`).
    fn notify_parent_of_stop(&mut self, task: Id<Task>, code: i32) {
        let Some(parent) = self.tasks[task].parent else { return };
        if !self.tasks[parent].signals.ignores(Signal::CHLD) {
            self.send_signal(parent, self.news_signal(task, parent, code), false);
        }
    }

    fn news_signal(&self, child: Id<Task>, parent: Id<Task>, code: i32) -> SignalInfo {
        SignalInfo { signal: Signal::CHLD, code, sender: Pid(self.pid_seen_by(parent, child)) }
    }

    /// Tells the parent that a process has ended; `true` if it does not want to wait for it (`do_notify_parent()`).
    pub(crate) fn notify_parent(&mut self, task: Id<Task>) -> bool {
        let Task { parent: Some(parent), state: TaskState::Zombie(status), .. } = self.tasks[task] else {
            return false;
        };
        if self.tasks[parent].signals.ignores(Signal::CHLD) {
            return true;
        }
        let code = match status {
            WaitStatus::Signaled(_) => CHILD_KILLED,
            _ => CHILD_EXITED,
        };
        self.send_signal(parent, self.news_signal(task, parent, code), false);
        false
    }

    /// Sets what a signal does; one that does nothing now is no longer pending (`do_sigaction()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such signal, or it can't be ignored.
    pub(crate) fn set_ignored(&mut self, task: Id<Task>, signal: Signal, is_ignored: bool) -> Result<(), Failure> {
        if !(1..=LAST).contains(&signal.0) {
            return Err(fail!(EINVAL, "do_sigaction()", "there is no signal with this number"));
        }
        if KERNEL_ONLY.contains(signal) {
            return Err(fail!(EINVAL, "do_sigaction()", "what SIGKILL and SIGSTOP do cannot be changed"));
        }
        let signals = &mut self.tasks[task].signals;
        let only = SignalSet::from_iter([signal]);
        signals.ignored =
            if is_ignored { SignalSet(signals.ignored.0 | only.0) } else { SignalSet(signals.ignored.0 & !only.0) };
        if signals.is_without_effect(signal) {
            signals.forget(only);
        }
        Ok(())
    }

    /// Blocks exactly these signals; those that are not any more take effect (`__set_current_blocked()`).
    pub(crate) fn set_blocked(&mut self, task: Id<Task>, signals: SignalSet) {
        self.tasks[task].signals.blocked = SignalSet(signals.0 & !KERNEL_ONLY.0);
        self.deliver_signals(task);
    }

    /// Takes a signal that waits (`do_sigtimedwait()`).
    pub(crate) fn take_signal(&mut self, task: Id<Task>, from: SignalSet) -> Option<SignalInfo> {
        self.tasks[task].signals.take(SignalSet(from.0 & !KERNEL_ONLY.0))
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{CloneFlags, Errno, SignalAction, SignalMaskHow, WaitOptions};

    use super::*;

    /// A kernel with a process that is not init, and a child of that.
    fn family() -> (Linux, Id<Task>, Id<Task>) {
        let mut linux = Linux::new();
        let parent = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        let child = linux.fork(parent, CloneFlags::empty()).unwrap();
        (linux, parent, child)
    }

    #[test]
    fn a_signal_that_is_blocked_waits_once_or_in_a_queue() {
        let (mut linux, task, _) = family();
        let all = SignalSet::ALL;
        linux.sigprocmask(task, SignalMaskHow::Block, all).unwrap();
        // SIGKILL and SIGSTOP can't be blocked.
        assert_eq!(linux.sigprocmask(task, SignalMaskHow::Block, all), Ok(SignalSet(!KERNEL_ONLY.0)));
        for signal in [Signal(40), Signal::TERM, Signal(40), Signal::TERM, Signal(11)] {
            linux.kill(task, Pid(2), signal).unwrap();
        }
        let mut taken = || linux.sigwaitinfo(task, all).map(|info| info.signal.0);
        assert_eq!([taken(), taken(), taken(), taken()], [Ok(11), Ok(15), Ok(40), Ok(40)]);
        assert_eq!(taken().map_err(Failure::errno), Err(Errno::EDEADLK));
    }

    #[test]
    fn unblocking_lets_a_signal_end_the_process() {
        let (mut linux, parent, child) = family();
        linux.sigprocmask(child, SignalMaskHow::Block, SignalSet::ALL).unwrap();
        linux.kill(parent, Pid(3), Signal::TERM).unwrap();
        assert!(linux.is_running(child));
        linux.sigprocmask(child, SignalMaskHow::SetMask, SignalSet::default()).unwrap();
        let ended = Ok(Some((Pid(3), WaitStatus::Signaled(Signal::TERM))));
        assert_eq!(linux.wait4(parent, Pid(-1), WaitOptions::empty()), ended);
    }

    #[test]
    fn a_process_stops_and_goes_on() {
        let (mut linux, parent, child) = family();
        linux.kill(child, Pid(3), STOP).unwrap();
        assert_eq!(linux.call(child, &cofferdam::kernel::Call::Getpid {}), Err(Errno::EDEADLK));
        linux.exit(child, 7);
        let mut wait = |options| linux.wait4(parent, Pid(-1), options);
        assert_eq!(wait(WaitOptions::WUNTRACED), Ok(Some((Pid(3), WaitStatus::Stopped(STOP)))));
        assert_eq!(wait(WaitOptions::WUNTRACED | WaitOptions::WNOHANG), Ok(None));
        linux.kill(parent, Pid(3), Signal::CONT).unwrap();
        // It ends as soon as it goes on.
        let ended = linux.wait4(parent, Pid(3), WaitOptions::empty());
        assert_eq!(ended, Ok(Some((Pid(3), WaitStatus::Exited(7)))));
    }

    #[test]
    fn the_parent_is_told_and_can_decline() {
        let (mut linux, parent, child) = family();
        let sigchld = SignalSet::from_iter([Signal::CHLD]);
        linux.sigprocmask(parent, SignalMaskHow::Block, sigchld).unwrap();
        linux.exit(child, 1);
        let told = SignalInfo { signal: Signal::CHLD, code: CHILD_EXITED, sender: Pid(3) };
        assert_eq!(linux.sigwaitinfo(parent, sigchld), Ok(told));
        linux.wait4(parent, Pid(3), WaitOptions::empty()).unwrap();
        linux.sigaction(parent, Signal::CHLD, SignalAction::Ignore).unwrap();
        let child = linux.fork(parent, CloneFlags::empty()).unwrap();
        linux.exit(child, 1);
        assert_eq!(linux.wait4(parent, Pid(-1), WaitOptions::empty()).map_err(Failure::errno), Err(Errno::ECHILD));
    }

    #[test]
    fn the_death_of_a_parent_is_a_signal_to_who_wants_it() {
        use cofferdam::kernel::Prctl;
        let (mut linux, parent, child) = family();
        let init = linux.init();
        linux.prctl(child, Prctl::SetParentDeathSignal(Some(Signal::KILL))).unwrap();
        linux.exit(parent, 0);
        let mut wait = || linux.wait4(init, Pid(-1), WaitOptions::WNOHANG);
        assert_eq!(wait(), Ok(Some((Pid(2), WaitStatus::Exited(0)))));
        assert_eq!(wait(), Ok(Some((Pid(3), WaitStatus::Signaled(Signal::KILL)))));
        assert!(!linux.is_running(child));
    }

    #[test]
    fn init_processes_get_no_signal_that_they_did_not_ask_for() {
        let mut linux = Linux::new();
        let outer = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        let init = linux.fork(outer, CloneFlags::CLONE_NEWPID).unwrap();
        let inner = linux.fork(init, CloneFlags::empty()).unwrap();
        linux.kill(inner, Pid(1), Signal::KILL).unwrap();
        linux.kill(outer, Pid(3), Signal::TERM).unwrap();
        linux.kill(outer, Pid(1), Signal::KILL).unwrap();
        assert!(linux.is_running(init) && linux.is_running(linux.init()));
        linux.kill(outer, Pid(3), Signal::KILL).unwrap();
        assert!(!linux.is_running(init) && !linux.is_running(inner));
    }

    #[test]
    fn who_may_send() {
        let (mut linux, parent, child) = family();
        linux.setresuid(child, 1000, 1000, 1000).unwrap();
        assert_eq!(linux.kill(child, Pid(2), Signal(0)).map_err(Failure::errno), Err(Errno::EPERM));
        // All are in one session.
        assert_eq!(linux.kill(child, Pid(2), Signal::CONT), Ok(()));
        assert_eq!(linux.kill(parent, Pid(3), Signal(0)), Ok(()));
        assert_eq!(linux.kill(parent, Pid(3), Signal(65)).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.kill(parent, Pid(4), Signal(65)).map_err(Failure::errno), Err(Errno::ESRCH));
    }
}
