//! What a program does to a kernel, recorded as a sequence.

use std::cell::RefCell;

use cofferdam::kernel::{Call, CloneFlags, Errno, Interceptor, Kernel, Value};

use crate::control;
use crate::sequence::{Action, MAX_TASKS, Sequence, Step, TaskIndex, Universe};

/// An [`Interceptor`] that records the calls of a program, and of the children that it makes, one after the other.
///
/// Each child must do its part before its parent goes on, as on the simulated kernel.
#[derive(Debug)]
pub struct Recorder(RefCell<State>);

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The calls.
    pub sequence: Sequence,
    /// What came of each step.
    pub results: Vec<Result<Value, Errno>>,
}

/// A program can't be told as a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A sequence has names for a limited number of processes.
    #[error("more than {MAX_TASKS} processes at once")]
    TooManyProcesses,
}

#[derive(Debug)]
struct State {
    steps: Vec<Step>,
    results: Vec<Result<Value, Errno>>,
    /// Who acts, above those that wait for it: the step with which it was made, and its name.
    running: Vec<(usize, TaskIndex)>,
    error: Option<RecordError>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self(RefCell::new(State { steps: Vec::new(), results: Vec::new(), running: vec![(0, 0)], error: None }))
    }
}

impl Recorder {
    /// What was recorded of a program that began in this universe.
    ///
    /// # Errors
    ///
    /// If it can't be told as a sequence.
    pub fn finish(self, universe: Universe) -> Result<Recording, RecordError> {
        let State { steps, results, error, .. } = self.0.into_inner();
        match error {
            Some(error) => Err(error),
            None => Ok(Recording { sequence: Sequence { universe, steps }, results }),
        }
    }
}

impl State {
    fn push(&mut self, action: Action) -> usize {
        let task = self.running.last().map_or(0, |(_, task)| *task);
        self.steps.push(Step { task, action });
        // Until it is known.
        self.results.push(Err(Errno::ENOSYS));
        self.steps.len() - 1
    }

    fn conclude(&mut self, step: usize, result: Result<Value, Errno>) {
        if let Some(slot) = self.results.get_mut(step) {
            *slot = result;
        }
    }

    fn free_name(&mut self) -> TaskIndex {
        // Those that wait are alive, and nobody else: a child ends before its parent goes on.
        let free = (0..MAX_TASKS).find(|name| self.running.iter().all(|(_, task)| task != name));
        free.unwrap_or_else(|| {
            self.error = Some(RecordError::TooManyProcesses);
            MAX_TASKS
        })
    }
}

impl Interceptor for Recorder {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let mut state = self.0.borrow_mut();
        if let Call::Clone3 { flags } = call {
            let child = state.free_name();
            // Whose memory it has is of no account to any other call, and here nobody waits for it.
            let flags = *flags - (CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK);
            let step = state.push(Action::Fork { child, flags });
            state.running.push((step, child));
        } else {
            state.push(Action::Call(sparing(call)));
        }
        Ok(())
    }

    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let mut state = self.0.borrow_mut();
        let step = match (call, result) {
            (Call::Clone3 { .. }, _) => state.running.pop().map(|(step, _)| step),
            _ => state.steps.len().checked_sub(1),
        };
        if let Some(step) = step {
            state.conclude(step, result.clone());
        }
    }

    fn ended(&self, _: &dyn Kernel, status: i32) {
        let mut state = self.0.borrow_mut();
        let step = state.push(Action::Exit { status });
        state.conclude(step, Ok(Value::Done));
    }
}

/// The call, so that it leaves the machinery's own descriptors alone.
fn sparing(call: &Call) -> Call {
    match call {
        Call::CloseRange { first, last, flags } if !control::spares(call) => {
            let last = u32::try_from(control::FIRST - 1).map_or(*last, |below| below.min(*last));
            Call::CloseRange { first: *first, last, flags: *flags }
        }
        _ => call.clone(),
    }
}
