//! Every sequence up to a depth.
//!
//! The simulated kernel is snapshotted at each point, and every call tried there. Those that fail change nothing: so the
//! real kernel, when it has replayed the sequence that leads to the point, makes them one after the other, and what it
//! does is compared together with the mount tables behind them all. Those that succeed lead to the next points. Nothing
//! is lost by this: a sequence that contains a call that fails is the one without it.
//!
//! As long as a sequence has not told `/a` and `/b` apart, of two calls that differ in that only one is tried.

use std::collections::{HashSet, VecDeque};

use crate::coverage::Coverage;
use crate::exhaustive::alphabet::Letters;
use crate::observation::Observation;
use crate::saved::Signature;
use crate::sequence::{Looks, Sequence, Step, Universe};
use crate::shrink::Failure;
use crate::simulated::Simulated;
use crate::trial::{MachineError, Machines, Outcome, Trial};

/// How many sessions are at work at a time, while the next is prepared.
const WINDOW: usize = 2;
/// At this depth the points are divided among the workers.
const DIVIDED_AT: u32 = 2;

/// Which of the points are ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) first: u64,
    pub(crate) stride: u64,
}

/// A search, and what it has to tell.
pub(crate) struct Search<'a, F> {
    machines: &'a Machines,
    letters: &'a Letters,
    depth: u32,
    share: Share,
    /// How many points there were at the depth at which they are divided.
    divided: u64,
    pending: VecDeque<(Sequence, u64, Trial)>,
    seen: HashSet<Signature>,
    report: F,
}

/// What a search tells.
pub(crate) enum Finding {
    /// A point was compared: so many sequences, with these outcomes.
    Compared(u64, Coverage),
    /// The kernels differ in a new way.
    Differ(Box<Failure>),
}

/// A point: the steps that lead there, with what the simulated kernel said, and that kernel.
#[derive(Clone)]
struct Point {
    steps: Vec<Step>,
    observations: Vec<Observation>,
    kernel: Simulated,
    /// Whether `/a` and `/b` are still the same.
    is_symmetric: bool,
    depth: u32,
}

impl<'a, E, F> Search<'a, F>
where
    E: From<MachineError>,
    F: FnMut(Finding) -> Result<(), E>,
{
    pub(crate) fn new(machines: &'a Machines, letters: &'a Letters, depth: u32, share: Share, report: F) -> Self {
        let (pending, seen) = (VecDeque::new(), HashSet::new());
        Self { machines, letters, depth, share, divided: 0, pending, seen, report }
    }

    pub(crate) fn run(&mut self) -> Result<(), E> {
        let mut point = Point {
            steps: Vec::new(),
            observations: Vec::new(),
            kernel: self.machines.simulation().begin(Universe::Small),
            is_symmetric: true,
            depth: 0,
        };
        for step in &self.letters.beginning {
            point = point.after(step, true).0;
        }
        point.depth = 0;
        self.visit(&point, self.share.first == 0)?;
        while !self.pending.is_empty() {
            self.finish_one()?;
        }
        Ok(())
    }

    /// Compares a point, if it is ours, and goes on with those after it.
    fn visit(&mut self, point: &Point, is_ours: bool) -> Result<(), E> {
        let mut failing = point.clone();
        let mut next = Vec::new();
        let is_last = point.depth == self.depth;
        for (index, step) in self.letters.steps.iter().enumerate().filter(|_| !is_last) {
            let mirrored = self.letters.mirrored.get(index).copied().unwrap_or(index);
            if point.is_symmetric && mirrored < index {
                continue;
            }
            let (after, has_failed) = point.after(step, mirrored == index);
            if has_failed {
                if is_ours {
                    failing = failing.after(step, true).0;
                }
            } else {
                next.push(after);
            }
        }
        if is_ours {
            self.compare(failing, point.depth)?;
        }
        for point in next {
            let is_ours = self.is_ours(&point, is_ours);
            if is_ours || point.depth < DIVIDED_AT {
                self.visit(&point, is_ours)?;
            }
        }
        Ok(())
    }

    fn is_ours(&mut self, point: &Point, parent_is: bool) -> bool {
        if point.depth != DIVIDED_AT {
            // What is above is the first worker's.
            return if point.depth < DIVIDED_AT { self.share.first == 0 } else { parent_is };
        }
        self.divided += 1;
        self.divided % self.share.stride == self.share.first
    }

    /// Compares a point at some depth, behind which calls fail.
    fn compare(&mut self, point: Point, depth: u32) -> Result<(), E> {
        // The sequence that leads there, and one for each call that fails.
        let sequences = 1 + u64::from(point.depth - depth);
        let sequence = Sequence { universe: Universe::Small, steps: point.steps };
        let plan = sequence.plan(Looks::AtTheEnd);
        let (mut kernel, mut observations) = (point.kernel, point.observations);
        let looks = plan.items.iter().skip(observations.len());
        observations.extend(looks.map(|item| kernel.carry_out(item)).collect::<Vec<_>>());
        let trial = self.machines.begin(plan, observations)?;
        self.pending.push_back((sequence, sequences, trial));
        if self.pending.len() > WINDOW { self.finish_one() } else { Ok(()) }
    }

    fn finish_one(&mut self) -> Result<(), E> {
        let Some((sequence, sequences, trial)) = self.pending.pop_front() else { return Ok(()) };
        let Outcome { plan, real, divergence } = self.machines.finish(trial)?;
        let mut coverage = Coverage::default();
        coverage.count(&plan, &real);
        (self.report)(Finding::Compared(sequences, coverage))?;
        if let Some(divergence) = divergence
            && self.seen.insert(divergence.signature.clone())
        {
            (self.report)(Finding::Differ(Box::new(Failure { sequence, looks: Looks::AtTheEnd, divergence })))?;
        }
        Ok(())
    }
}

impl Point {
    /// The point after one more step, and whether the step has failed.
    fn after(&self, step: &Step, keeps_symmetry: bool) -> (Self, bool) {
        let mut point = self.clone();
        let observation = point.kernel.perform(step);
        let has_failed = !matches!(observation, Observation::Returned(Ok(_)));
        point.steps.push(step.clone());
        point.observations.push(observation);
        point.is_symmetric &= keeps_symmetry;
        point.depth += 1;
        (point, has_failed)
    }
}
