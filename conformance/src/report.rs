//! Divergences for people, and as files.

use std::fmt::Write as _;

use crate::saved::Saved;
use crate::script::{Line, shown};
use crate::sequence::{Item, Looks, Sequence, Step};
use crate::shrink::Failure;
use crate::trial::{Divergence, Outcome};
use crate::universe::Privileges;

/// A sequence on which the kernels differ, as it is saved.
pub(crate) fn saved(failure: &Failure, privileges: Privileges) -> Saved {
    Saved {
        note: String::new(),
        privileges: Some(privileges),
        check_every_call: failure.looks == Looks::AfterEveryCall,
        sequence: failure.sequence.clone(),
        found: Some(description(&failure.divergence, failure.sequence.steps.get(failure.divergence.step))),
        signature: Some(failure.divergence.signature.clone()),
    }
}

/// What differs, line by line.
fn description(divergence: &Divergence, step: Option<&Step>) -> Vec<String> {
    let mut lines: Vec<String> = divergence.how.lines().map(Into::into).collect();
    for (side, observation) in [("real", &divergence.real), ("simulated", &divergence.simulated)] {
        let text = observation.as_ref().map_or_else(|| "nothing".into(), |seen| shown(step, seen));
        lines.extend(text.lines().enumerate().map(|(number, line)| {
            if number == 0 { format!("{side}: {line}") } else { format!("{:1$}{line}", "", side.len() + 2) }
        }));
    }
    lines
}

/// The sequence as a script, one line a step, with what the real kernel returned, and the difference at its end.
pub(crate) fn script(sequence: &Sequence, outcome: &Outcome) -> String {
    let mut text = String::new();
    let results: Vec<_> = outcome
        .plan
        .items
        .iter()
        .zip(&outcome.real)
        .filter_map(|(item, seen)| match item {
            Item::Step(index, _) => Some((*index, seen)),
            Item::Look(_) => None,
        })
        .collect();
    for (index, step) in sequence.steps.iter().enumerate() {
        let result = results.iter().find(|(step, _)| *step == index).map(|(_, seen)| *seen);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", Line { index, step, result });
    }
    if let Some(divergence) = &outcome.divergence {
        let step = sequence.steps.get(divergence.step);
        let _ = writeln!(text, "After step {}:", divergence.step);
        for line in description(divergence, step) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}
