//! Tries every variant of every operation of a scenario.

use cofferdam::kernel::Errno;
use cofferdam_sequences::errors::Row;

use crate::disk::Loss;
use crate::inject::Watch;
use crate::invariants::{Baseline, Violation};
use crate::isolation;
use crate::machine::{DISK, Machine, MachineError};
use crate::operation::{Run, State};
use crate::restart;
use crate::scenario::{Operation, Scenario};
use crate::variant::{Cut, Fault, Step, Variant};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// After a call that failed, or before which somebody did something: before how many of the calls that follow the
    /// operation dies as well.
    pub second: usize,
    /// After a death: before how many of the calls of the recovery that dies as well.
    pub recovery: usize,
}

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
}

/// An operation without faults.
#[derive(Debug)]
struct Stage {
    before: State,
    run: Run,
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
    /// What was wrong when everything had been cleaned up.
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
            let run = state.perform(operation, &[], Watch::From(0)).map_err(MachineError::from)?;
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
        Ok(Self { scenario, baseline, stages })
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
        self.stages.get(operation)?.run.seen.names.get(call).copied()
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
        let at = At { exploration: self, stage, what, operation, call };
        at.cuts(report) && at.recoveries(bounds, report) && at.faults(bounds, report)
    }

    /// Tries one variant, and tells what happens: the calls of the operation one a line, and what is wrong at the end.
    pub fn tell(&self, variant: &Variant) -> Result<Story, Violation> {
        let (Some(stage), Some(what)) =
            (self.stages.get(variant.operation), self.scenario.operations.get(variant.operation))
        else {
            return Err(Violation::of("scenario", format!("it has no operation {}", variant.operation)));
        };
        let mut run = stage.before.perform(what, &variant.faults, Watch::Story)?;
        let at = At { exploration: self, stage, what, operation: variant.operation, call: 0 };
        let mut lines = std::mem::take(&mut run.seen.lines);
        let (mut after, isolated) = match variant.cut {
            None => (run.state.clone(), at.isolated(&run.state, &variant.faults)),
            Some((call, cut)) => {
                lines.truncate(call);
                (Self::cut(&stage.before, &run, call, cut)?, Ok(()))
            }
        };
        if let Some(call) = variant.recovery_dies {
            restart::dying(&mut after, call)?;
        }
        let result = isolated.and_then(|()| self.settle(&after));
        let titles = self.scenario.operations.iter().take(variant.operation + 1).map(Operation::title).collect();
        Ok(Story { titles, lines, error: run.result.err(), result })
    }

    fn settle(&self, state: &State) -> Result<(), Violation> {
        restart::settle(state, &self.baseline)
    }

    /// The state after an operation that was cut short: the agent knows what it knew before it.
    fn cut(before: &State, run: &Run, call: usize, cut: Cut) -> Result<State, Violation> {
        let first = run.seen.calls - run.seen.before.len();
        let seen = call.checked_sub(first).and_then(|index| run.seen.before.get(index));
        let (linux, synced) = match seen {
            Some((linux, synced)) => (linux.clone(), synced.clone()),
            // All calls were made, but nobody has learnt of it.
            None => (run.state.machine.linux().clone(), run.seen.synced.clone()),
        };
        let mut state = before.clone();
        state.machine = state.machine.at(linux);
        match cut {
            Cut::Dies => {
                let alive = before.machine.running();
                let dead: Vec<_> = state.machine.running().into_iter().filter(|task| !alive.contains(task)).collect();
                state.machine.kill(&dead)?;
            }
            Cut::Reboots(loss) => {
                let disk = state.machine.tree(cofferdam::UnixPath::new(DISK))?.ok_or(Errno::ENOENT)?;
                state.machine = Machine::with_disk(&synced.left(&disk, loss))?;
                for container in state.containers.values_mut() {
                    container.processes.clear();
                }
            }
        }
        Ok(state)
    }
}

/// A call of an operation.
struct At<'a> {
    exploration: &'a Exploration<'a>,
    stage: &'a Stage,
    what: &'a Operation,
    operation: usize,
    call: usize,
}

impl At<'_> {
    fn variant(&self, faults: Vec<(usize, Fault)>, cut: Option<(usize, Cut)>) -> Variant {
        Variant { operation: self.operation, faults, cut, recovery_dies: None }
    }

    /// A program that was reached in spite of everything is as isolated as any.
    fn isolated(&self, state: &State, faults: &[(usize, Fault)]) -> Result<(), Violation> {
        // A kernel that says that something is not there is believed: what is not there is not covered.
        let is_denied = faults.iter().any(|(_, fault)| *fault == Fault::Fails(Errno::ENOENT));
        match self.what {
            Operation::Launch { id } if !is_denied => isolation::check(state, &self.stage.run.state, id),
            _ => Ok(()),
        }
    }

    /// The operation is cut short before the call.
    fn cuts(&self, report: &mut Report<'_>) -> bool {
        let reboots = Loss::ALL.map(Cut::Reboots);
        [Cut::Dies].into_iter().chain(reboots).all(|cut| {
            let state = Exploration::cut(&self.stage.before, &self.stage.run, self.call, cut);
            let result = state.and_then(|state| self.exploration.settle(&state));
            report(self.variant(Vec::new(), Some((self.call, cut))), result)
        })
    }

    /// The operation dies before the call, and the recovery dies as well.
    fn recoveries(&self, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let cut = Some((self.call, Cut::Dies));
        let dead = Exploration::cut(&self.stage.before, &self.stage.run, self.call, Cut::Dies);
        let Ok(dead) = dead else { return true };
        for call in 0..bounds.recovery {
            let mut state = dead.clone();
            let result = match restart::dying(&mut state, call) {
                // There are no more calls.
                Ok(false) => return true,
                Ok(true) => self.exploration.settle(&state),
                Err(violation) => Err(violation),
            };
            if !report(Variant { recovery_dies: Some(call), ..self.variant(Vec::new(), cut) }, result) {
                return false;
            }
        }
        true
    }

    /// The call fails in every way, or somebody does something before it.
    fn faults(&self, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let Some(name) = self.stage.run.seen.names.get(self.call) else { return true };
        let errors = Row::of(name).into_iter().flat_map(Row::possible).map(Fault::Fails);
        let steps = Step::ALL.map(Fault::Step);
        errors.chain(steps).all(|fault| self.fault(fault, bounds, report))
    }

    fn fault(&self, fault: Fault, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let faults = vec![(self.call, fault)];
        let watch = if bounds.second > 0 { Watch::From(self.call + 1) } else { Watch::Nothing };
        let run = match self.stage.before.perform(self.what, &faults, watch) {
            Ok(run) => run,
            Err(errno) => return report(self.variant(faults, None), Err(errno.into())),
        };
        let result = self.isolated(&run.state, &faults).and_then(|()| self.exploration.settle(&run.state));
        // A record that the kernel says is not there is none: see `isolated`.
        let is_believed = |violation: &Violation| fault == Fault::Fails(Errno::ENOENT) && violation.invariant == "gids";
        let result = result.or_else(|violation| if is_believed(&violation) { Ok(()) } else { Err(violation) });
        if !report(self.variant(faults.clone(), None), result) {
            return false;
        }
        let last = run.seen.calls.min(self.call + bounds.second);
        (self.call + 1..=last).all(|second| {
            let cut = Cut::Dies;
            let state = Exploration::cut(&self.stage.before, &run, second, cut);
            let result = state.and_then(|state| self.exploration.settle(&state));
            report(self.variant(faults.clone(), Some((second, cut))), result)
        })
    }
}
