//! Traps. The simulated kernel has no handlers of signals, as those are code: the shell blocks the signals that it traps,
//! and takes them between commands (sigwaitinfo(2)).

use async_recursion::async_recursion;
use std::collections::BTreeMap;

use cofferdam::kernel::{Kernel as _, Signal, SignalAction, SignalMaskHow, SignalSet};
use cofferdam_vfs_sim::Process;

use super::Shell;
use super::stop::{Executed, INTERRUPTED, Stop};

/// The pseudo signal of the shell's end.
pub(super) const EXIT: Signal = Signal(0);

/// What is to be done upon signals.
#[derive(Clone, Debug, Default)]
pub(super) struct Traps {
    /// The commands; none where the signal is ignored.
    actions: BTreeMap<i32, Vec<u8>>,
    /// Signals that were taken, and whose commands have not been executed yet.
    taken: std::cell::RefCell<Vec<Signal>>,
    /// Those that were blocked when the shell began: its children get the same.
    blocked: Option<SignalSet>,
    /// Whether a command is at work: signals wait meanwhile.
    is_at_work: bool,
    /// Whether `SIGINT` interrupts what the shell does, instead of the shell.
    catches_interrupts: bool,
}

impl Traps {
    fn trapped(&self) -> SignalSet {
        let with_commands = self.actions.iter().filter(|(signal, action)| **signal != 0 && !action.is_empty());
        // One that is ignored does not come.
        let caught = self.catches_interrupts.then_some(Signal::INT);
        with_commands.map(|(signal, _)| Signal(*signal)).chain(caught).collect()
    }

    /// Whether Ctrl-C was pressed, so that the shell waits no longer.
    pub(super) fn has_interrupt(&self, process: &Process) -> bool {
        self.catches_interrupts && self.is_pending(process) && self.taken.borrow().contains(&Signal::INT)
    }

    /// Whether that is the end of what the shell does: there are no commands for it.
    fn is_interrupted(&self, process: &Process) -> bool {
        !self.actions.contains_key(&Signal::INT.0) && self.has_interrupt(process)
    }

    /// Waiting for a process in the foreground is over, which has got `SIGINT`. Ctrl-C was meant for that process: it is for
    /// the shell only if it has ended the process.
    pub(super) fn settle_interrupt(&self, process: &Process, has_ended_it: bool) {
        if !self.catches_interrupts {
            return;
        }
        self.take(process);
        let mut taken = self.taken.borrow_mut();
        taken.retain(|signal| *signal != Signal::INT);
        if has_ended_it {
            taken.push(Signal::INT);
        }
    }

    /// Whether a signal has come that is trapped.
    pub(super) fn is_pending(&self, process: &Process) -> bool {
        self.take(process);
        !self.taken.borrow().is_empty()
    }

    /// The first one.
    pub(super) fn pending(&self, process: &Process) -> Option<Signal> {
        self.take(process);
        self.taken.borrow().first().copied()
    }

    fn take(&self, process: &Process) {
        let trapped = self.trapped();
        if trapped == SignalSet::default() {
            return;
        }
        while let Ok(info) = process.sigwaitinfo(trapped) {
            self.taken.borrow_mut().push(info.signal);
        }
    }

    /// The commands by signal, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Signal, &[u8])> {
        self.actions.iter().map(|(signal, action)| (Signal(*signal), &action[..]))
    }
}

impl Shell {
    /// Sets what is done upon a signal: the default without an action, nothing if it is empty.
    pub(super) fn set_trap(&mut self, signal: Signal, action: Option<&[u8]>) {
        match action {
            Some(action) => drop(self.traps.actions.insert(signal.0, action.to_vec())),
            None => drop(self.traps.actions.remove(&signal.0)),
        }
        if signal == EXIT {
            return;
        }
        let only = SignalSet::from_iter([signal]);
        let is_caught = action.is_none() && signal == Signal::INT && self.traps.catches_interrupts;
        let is_trapped = is_caught || action.is_some_and(|action| !action.is_empty());
        let disposition =
            if action.is_some_and(<[u8]>::is_empty) { SignalAction::Ignore } else { SignalAction::Default };
        let how = if is_trapped { SignalMaskHow::Block } else { SignalMaskHow::Unblock };
        // That `KILL` and `STOP` can't be trapped is no error, as in dash.
        if let Ok(before) = self.process.sigprocmask(how, only) {
            self.traps.blocked.get_or_insert(before);
        }
        let _ = self.process.sigaction(signal, disposition);
    }

    /// Lets the process have the signals blocked that were when the shell began, as programs that it executes.
    pub(super) fn unblock_signals(&self) {
        if let Some(blocked) = self.traps.blocked {
            let _ = self.process.sigprocmask(SignalMaskHow::SetMask, blocked);
        }
    }

    /// What a subshell does first: traps with commands are those of its parent.
    pub(super) fn reset_traps(&mut self) {
        self.traps.actions.retain(|_, action| action.is_empty());
        self.traps.taken.borrow_mut().clear();
        self.traps.is_at_work = false;
        self.traps.catches_interrupts = false;
        self.unblock_signals();
    }

    /// Lets `SIGINT` interrupt what the shell does from now on, not the shell.
    pub(super) fn catch_interrupts(&mut self) {
        self.traps.catches_interrupts = true;
        self.set_trap(Signal::INT, None);
    }

    /// Executes the commands for signals that have come.
    #[async_recursion(?Send)]
    pub(super) async fn take_signals(&mut self) -> Result<(), Stop> {
        if self.traps.is_interrupted(&self.process) {
            self.traps.taken.borrow_mut().retain(|signal| *signal != Signal::INT);
            return Err(Stop::Interrupt);
        }
        if self.traps.is_at_work || !self.traps.is_pending(&self.process) {
            return Ok(());
        }
        for signal in self.traps.taken.take() {
            let Some(action) = self.traps.actions.get(&signal.0).cloned() else { continue };
            self.traps.is_at_work = true;
            let executed = self.trap_action(&action).await;
            self.traps.is_at_work = false;
            executed?;
        }
        Ok(())
    }

    /// `$?` is the same before and after.
    async fn trap_action(&mut self, action: &[u8]) -> Executed {
        let (status, line) = (self.status, self.line);
        let executed = self.evaluate(action).await;
        self.line = line;
        if executed.is_ok() {
            self.status = status;
        }
        executed
    }

    /// Executes the command for `EXIT`, once; gives the status with which the shell exits.
    #[async_recursion(?Send)]
    pub(super) async fn exit_trap(&mut self, status: i32) -> i32 {
        let Some(action) = self.traps.actions.remove(&EXIT.0).filter(|action| !action.is_empty()) else {
            return status;
        };
        if !self.process.is_running() {
            return status;
        }
        self.status = status;
        self.is_tested = false;
        match self.evaluate(&action).await {
            Err(Stop::Exit(status) | Stop::Error(status)) => status,
            Err(Stop::Interrupt) => INTERRUPTED,
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                2
            }
            _ => status,
        }
    }
}
