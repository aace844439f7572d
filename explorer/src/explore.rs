//! Tries every variant of every operation of a scenario.

use std::collections::HashMap;
use std::sync::Mutex;

use cofferdam::UnixPath;
use cofferdam::kernel::Errno;

use crate::inject::{Snapshot, Watch};
use crate::invariants::{Baseline, Violation};
use crate::isolation;
use crate::machine::{DISK, Machine, MachineError};
use crate::operation::{Run, State};
use crate::place::{Bounds, Place};
use crate::restart;
use crate::scenario::{Operation, Scenario};
use crate::variant::{Cut, Variant};

/// What was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What went wrong.
    pub variant: Variant,
    /// What does not hold then.
    pub violation: Violation,
}

/// A scenario can't be explored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExploreError {
    /// The machine can't be made.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Something is wrong without any fault.
    #[error("operation {operation} ({title}) fails without any fault: {error}")]
    Operation {
        /// The operation, by its place.
        operation: usize,
        /// What it is.
        title: String,
        /// Its error.
        error: String,
    },
    /// An invariant does not hold without any fault.
    #[error("without any fault: {0}")]
    Invariant(#[from] Violation),
}

/// The operations of a scenario that has been performed without faults, ready for variants.
#[derive(Debug)]
pub struct Exploration<'a> {
    scenario: &'a Scenario,
    baseline: Baseline,
    stages: Vec<Stage>,
    /// What came of the states in which an agent has started, by where they came from.
    settled: Mutex<HashMap<u64, Result<(), Violation>>>,
}

/// An operation without faults.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The state before it.
    pub(crate) before: State,
    /// What came of it.
    pub(crate) run: Run,
}

/// What happens in a variant.
#[derive(Debug)]
pub struct Story {
    /// The operations up to the one that is concerned.
    pub titles: Vec<String>,
    /// The calls that the last of them made, as strace prints them.
    pub lines: Vec<String>,
    /// The error with which it ended.
    pub error: Option<String>,
    /// The calls of the recovery that dies, if one does.
    pub recovery: Option<Vec<String>>,
    /// The calls of an agent that starts again, recovers, twice, and cleans everything up.
    pub restart: Vec<String>,
    /// What was wrong then.
    pub result: Result<(), Violation>,
}

/// Who hears of each variant that was tried: a violation if there was one. It is stopped by `false`.
pub type Report<'a> = dyn FnMut(Variant, Result<(), Violation>) -> bool + 'a;

impl<'a> Exploration<'a> {
    /// Performs the operations.
    pub fn new(scenario: &'a Scenario) -> Result<Self, ExploreError> {
        let mut state = State::first(scenario)?;
        let mut stages = Vec::new();
        let mut baseline = None;
        for (number, operation) in scenario.operations.iter().enumerate() {
            state.set_out(operation)?;
            let run = state.perform(operation, &[], Watch::ALL).map_err(MachineError::from)?;
            if let Err(error) = &run.result {
                let error = error.clone();
                return Err(ExploreError::Operation { operation: number, title: operation.title(), error });
            }
            let next = run.state.clone();
            if baseline.is_none() {
                baseline = Some(Baseline::of(&next)?);
            }
            if let Operation::Launch { id } = operation {
                isolation::check(&next, &next, id)?;
            }
            stages.push(Stage { before: state, run });
            state = next;
        }
        let baseline = baseline.map_or_else(|| Baseline::of(&state), Ok)?;
        restart::settle(&state, &baseline)?;
        Ok(Self { scenario, baseline, stages, settled: Mutex::default() })
    }

    /// How many operations there are.
    pub fn operations(&self) -> usize {
        self.stages.len()
    }

    /// How many calls an operation makes.
    pub fn calls(&self, operation: usize) -> usize {
        self.stages.get(operation).map_or(0, |stage| stage.run.seen.calls)
    }

    /// What a call of an operation is.
    pub fn name(&self, operation: usize, call: usize) -> Option<&'static str> {
        self.stages.get(operation)?.run.seen.name(call)
    }

    /// Tries the variants of an operation that begin at one of its calls; at the one after the last there is only its end.
    pub fn explore(&self, operation: usize, call: usize, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let (Some(stage), Some(what)) = (self.stages.get(operation), self.scenario.operations.get(operation)) else {
            return true;
        };
        if matches!(what, Operation::End { .. }) {
            // It is not the agent's doing.
            return true;
        }
        Place { exploration: self, stage, what, operation, call }.explore(bounds, report)
    }

    /// Tries one variant, and tells what happens: the calls of the operation one a line, and what is wrong at the end.
    pub fn tell(&self, variant: &Variant) -> Result<Story, Violation> {
        let (Some(stage), Some(what)) =
            (self.stages.get(variant.operation), self.scenario.operations.get(variant.operation))
        else {
            return Err(Violation::of("scenario", format!("it has no operation {}", variant.operation)));
        };
        let mut run = stage.before.perform(what, &variant.faults, Watch::Story)?;
        let place = Place { exploration: self, stage, what, operation: variant.operation, call: 0 };
        let mut story = Story {
            titles: self.scenario.operations.iter().take(variant.operation + 1).map(Operation::title).collect(),
            lines: std::mem::take(&mut run.seen.lines),
            error: None,
            recovery: None,
            restart: Vec::new(),
            result: Ok(()),
        };
        let Some((call, how)) = variant.cut else {
            story.error = run.result.clone().err();
            story.result = place.check(&run, &variant.faults);
            story.restart = restart::tell(&run.state, &self.baseline).0;
            return Ok(story);
        };
        story.lines.truncate(call);
        let mut after = cut(&stage.before, &run, call, how)?;
        if let Some(call) = variant.recovery_dies {
            let mut recovery = after.perform(&Operation::Recover, &[], Watch::Story)?;
            let mut lines = std::mem::take(&mut recovery.seen.lines);
            lines.truncate(call);
            story.recovery = Some(lines);
            after = cut(&after, &recovery, call, Cut::Dies)?;
        }
        (story.restart, story.result) = restart::tell(&after, &self.baseline);
        Ok(story)
    }

    /// What an agent makes of a state that starts again; of one that another variant has led to as well, what it made of it.
    pub(crate) fn settle(&self, state: &State) -> Result<(), Violation> {
        let known = self.settled.lock().ok().and_then(|settled| settled.get(&state.origin).cloned());
        known.unwrap_or_else(|| {
            let result = restart::settle(state, &self.baseline);
            if let Ok(mut settled) = self.settled.lock() {
                settled.insert(state.origin, result.clone());
            }
            result
        })
    }

    /// How many different states an agent has started in.
    pub fn states(&self) -> usize {
        self.settled.lock().map_or(0, |settled| settled.len())
    }
}

/// The state after an operation that was cut short: the agent knows what it knew before it.
pub(crate) fn cut(before: &State, run: &Run, call: usize, cut: Cut) -> Result<State, Violation> {
    let (linux, synced, trace) = match run.seen.before(call) {
        Some(Snapshot { linux, synced, trace }) => (linux.clone(), synced, trace),
        // All calls were made, but nobody has learnt of it.
        None => (run.state.machine.linux().clone(), &run.seen.synced, &run.seen.trace),
    };
    let mut state = before.clone();
    state.machine = state.machine.at(linux);
    state.synced = synced.clone();
    match cut {
        Cut::Dies => {
            let alive = before.machine.running();
            let dead: Vec<_> = state.machine.running().into_iter().filter(|task| !alive.contains(task)).collect();
            state.machine.kill(&dead)?;
            state.came_to(("dies", trace.durable()));
        }
        Cut::Reboots(loss) => {
            let disk = state.machine.tree(UnixPath::new(DISK))?.ok_or(Errno::ENOENT)?;
            let left = synced.left(&disk, loss);
            state.machine = Machine::with_disk(&left)?;
            for container in state.containers.values_mut() {
                container.processes.clear();
            }
            state.came_to(("reboots", left));
        }
    }
    Ok(state)
}
