//! What can go wrong at one call of an operation.

use std::collections::HashSet;

use cofferdam::kernel::Errno;
use cofferdam_sequences::errors::Row;

use crate::disk::Loss;
use crate::explore::{Exploration, Report, Stage, cut};
use crate::inject::Watch;
use crate::invariants::Violation;
use crate::isolation;
use crate::operation::{Run, State};
use crate::restart;
use crate::scenario::Operation;
use crate::scenarios;
use crate::variant::{Cut, Fault, Step, Variant};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// After a call that failed, or before which somebody did something: before how many of the calls that follow the
    /// operation dies as well.
    pub deaths: usize,
    /// How many of them fail as well, one at a time and in every way.
    pub failures: usize,
    /// After a death: before how many of the calls of the recovery that dies as well.
    pub recovery: usize,
}

/// A call of an operation.
pub(crate) struct Place<'a> {
    pub(crate) exploration: &'a Exploration<'a>,
    pub(crate) stage: &'a Stage,
    pub(crate) what: &'a Operation,
    pub(crate) operation: usize,
    pub(crate) call: usize,
}

type Faults = Vec<(usize, Fault)>;

impl Place<'_> {
    /// Tries all variants in which the first thing goes wrong here.
    pub(crate) fn explore(&self, bounds: Bounds, report: &mut Report<'_>) -> bool {
        self.cuts(report) && self.recoveries(bounds, report) && self.all_faults(bounds, report)
    }

    fn variant(&self, faults: &Faults, cut: Option<(usize, Cut)>) -> Variant {
        Variant { operation: self.operation, faults: faults.clone(), cut, recovery_dies: None }
    }

    /// The operation is cut short before the call.
    fn cuts(&self, report: &mut Report<'_>) -> bool {
        let reboots = Loss::ALL.map(Cut::Reboots);
        [Cut::Dies].into_iter().chain(reboots).all(|how| {
            let state = cut(&self.stage.before, &self.stage.run, self.call, how);
            let result = state.and_then(|state| self.exploration.settle(&state));
            report(self.variant(&Vec::new(), Some((self.call, how))), result)
        })
    }

    /// The operation dies before the call, and the recovery dies as well.
    fn recoveries(&self, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let (before, run) = (&self.stage.before, &self.stage.run);
        if bounds.recovery == 0 || self.call > 0 && run.seen.is_durably_the_same(self.call - 1, self.call) {
            // A death before the call before this one has left the same.
            return true;
        }
        let variant = self.variant(&Vec::new(), Some((self.call, Cut::Dies)));
        let recovery = cut(before, run, self.call, Cut::Dies)
            .and_then(|dead| Ok((dead.perform(&Operation::Recover, &[], Watch::ALL)?, dead)));
        let (recovery, dead) = match recovery {
            Ok(recovery) => recovery,
            Err(violation) => return report(variant, Err(violation)),
        };
        (0..=recovery.seen.calls.min(bounds.recovery)).all(|call| {
            let state = cut(&dead, &recovery, call, Cut::Dies);
            let result = state.and_then(|state| self.exploration.settle(&state));
            report(Variant { recovery_dies: Some(call), ..variant.clone() }, result)
        })
    }

    /// The call fails in every way, or somebody does something before it; and the same, with a second thing that goes wrong.
    fn all_faults(&self, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let mut followed = HashSet::new();
        every_fault(&self.stage.run, self.call).all(|fault| {
            let faults = vec![(self.call, fault)];
            let Some(run) = self.fault(&faults, bounds, report) else { return false };
            // What goes on in the same way after different errors is the same with a second one.
            !followed.insert(run.seen.trace.all()) || self.second(&faults, &run, bounds, report)
        })
    }

    /// Tries these faults: none if nobody wants to hear more.
    fn fault(&self, faults: &Faults, bounds: Bounds, report: &mut Report<'_>) -> Option<Run> {
        let next = faults.last().map_or(0, |(call, _)| call + 1);
        // One call more, at which the last of the deaths would be.
        let watch = Watch::Calls(next, next + bounds.deaths.max(bounds.failures));
        match self.stage.before.perform(self.what, faults, watch) {
            Ok(run) => {
                let result = self.check(&run, faults);
                report(self.variant(faults, None), result).then_some(run)
            }
            Err(errno) => {
                report(self.variant(faults, None), Err(errno.into()));
                None
            }
        }
    }

    /// After these faults, of which this came, the operation dies, or another call fails.
    fn second(&self, faults: &Faults, run: &Run, bounds: Bounds, report: &mut Report<'_>) -> bool {
        let last = run.seen.calls.min(self.call + bounds.deaths);
        let goes_on = (self.call + 1..=last).all(|second| {
            let state = cut(&self.stage.before, run, second, Cut::Dies);
            let result = state.and_then(|state| self.exploration.settle(&state));
            report(self.variant(faults, Some((second, Cut::Dies))), result)
        });
        let only_one = Bounds { deaths: 0, failures: 0, ..bounds };
        goes_on
            && (self.call + 1..=self.call + bounds.failures).all(|second| {
                let more =
                    every_fault(run, second).filter(|fault| !(is_denied(faults) && is_denied(&[(second, *fault)])));
                more.into_iter().all(|fault| {
                    let faults = [faults.as_slice(), &[(second, fault)]].concat();
                    self.fault(&faults, only_one, report).is_some()
                })
            })
    }

    /// What must hold after an operation with these faults.
    pub(crate) fn check(&self, run: &Run, faults: &[(usize, Fault)]) -> Result<(), Violation> {
        self.check_isolation(&run.state, faults)?;
        self.check_rollback(run, faults)?;
        let result = self.exploration.settle(&run.state);
        // A record that the kernel says is not there is none: see `check_isolation`.
        result.or_else(
            |violation| {
                if is_denied(faults) && violation.invariant == "gids" { Ok(()) } else { Err(violation) }
            },
        )
    }

    /// A program that was reached in spite of everything is as isolated as any.
    fn check_isolation(&self, state: &State, faults: &[(usize, Fault)]) -> Result<(), Violation> {
        let Operation::Launch { id } = self.what else { return Ok(()) };
        if is_denied(faults) {
            return Ok(());
        }
        let steps =
            faults.iter().filter_map(|(_, fault)| if let Fault::Step(step) = fault { Some(*step) } else { None });
        let has_image = state.containers.get(id).is_some_and(|container| container.config.rootfs.is_some());
        if steps.into_iter().any(|step| step.changes_what_is_seen(has_image)) {
            let given = scenarios::more_volumes().unwrap_or_default();
            return isolation::check_limits(state, id, &given);
        }
        isolation::check(state, &self.stage.run.state, id)
    }

    /// What says that it has failed, because of one call, has taken back what it had done.
    fn check_rollback(&self, run: &Run, faults: &[(usize, Fault)]) -> Result<(), Violation> {
        match (self.what, faults, &run.result) {
            (Operation::Prepare { .. }, [(_, Fault::Fails(_))], Err(error)) => {
                restart::check_unchanged(&self.stage.before, &run.state, error)
            }
            _ => Ok(()),
        }
    }
}

/// A kernel that says that something is not there is believed: what is not there is not covered, and what neither the records
/// nor the sandboxes show is not there.
fn is_denied(faults: &[(usize, Fault)]) -> bool {
    faults.iter().any(|(_, fault)| *fault == Fault::Fails(Errno::ENOENT))
}

/// All that can go wrong at a call of an operation that was watched: none if it makes no such call.
fn every_fault(run: &Run, call: usize) -> impl Iterator<Item = Fault> {
    let name = run.seen.name(call);
    let errors = name.and_then(Row::of).into_iter().flat_map(Row::possible).map(Fault::Fails);
    let steps = name.map(|_| Step::ALL.map(Fault::Step));
    errors.chain(steps.into_iter().flatten())
}
