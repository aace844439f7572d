//! Divergences for people, and as files.

use std::fmt::{self, Display, Write as _};

use serde::{Deserialize, Serialize};

use crate::observation::{Observation, Tables};
use crate::sequence::{Action, Looks, Sequence, Step};
use crate::shrink::Failure;
use crate::trial::{Divergence, Outcome, Signature};
use crate::universe::Privileges;

/// A sequence as it is saved, with what was found when it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// The privileges with which it was found. It may be tried with others: the kernels must do the same whatever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) privileges: Option<Privileges>,
    /// Whether the mount tables are compared after every call.
    #[serde(default)]
    pub(crate) check_every_call: bool,
    /// The sequence.
    #[serde(flatten)]
    pub(crate) sequence: Sequence,
    /// The difference that was found, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<Vec<String>>,
    /// What kind it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<Signature>,
}

impl Saved {
    pub(crate) fn new(failure: &Failure, privileges: Privileges) -> Self {
        Self {
            note: String::new(),
            privileges: Some(privileges),
            check_every_call: failure.looks == Looks::AfterEveryCall,
            sequence: failure.sequence.clone(),
            found: Some(description(&failure.divergence, failure.sequence.steps.get(failure.divergence.step))),
            signature: Some(failure.divergence.signature.clone()),
        }
    }

    pub(crate) fn looks(&self) -> Looks {
        if self.check_every_call { Looks::AfterEveryCall } else { Looks::AtTheEnd }
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

/// A step with what came of it, as strace prints it.
fn shown(step: Option<&Step>, observation: &Observation) -> String {
    match (observation, step.map(|step| &step.action)) {
        (Observation::Returned(result), Some(Action::Call(call))) => call.with_result(result).to_string(),
        (Observation::Returned(result), _) => match result {
            Ok(value) => format!("{value:?}"),
            Err(errno) => format!("-1 {errno}"),
        },
        (Observation::Skipped, _) => "passed over".into(),
        (Observation::Looked(Ok(Tables { mountinfo, mounts })), _) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            format!("mountinfo:\n{}mounts:\n{}", text(&mountinfo.0), text(&mounts.0))
        }
        (Observation::Looked(Err(errno)), _) => format!("the tables can't be read: {errno}"),
        (Observation::Broken(message), _) => format!("broken: {message}"),
    }
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
            crate::sequence::Item::Step(index, _) => Some((*index, seen)),
            crate::sequence::Item::Look(_) => None,
        })
        .collect();
    for (index, step) in sequence.steps.iter().enumerate() {
        let result = results.iter().find(|(step, _)| *step == index).map(|(_, seen)| *seen);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:3}  task {}  {}", index, step.task, Line { step, result });
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

struct Line<'a> {
    step: &'a Step,
    result: Option<&'a Observation>,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.and_then(Observation::result);
        match (&self.step.action, result) {
            (Action::Call(call), Some(result)) => write!(f, "{}", call.with_result(result)),
            (Action::Call(call), None) => write!(f, "{call}"),
            (Action::Fork { child, flags }, result) => {
                write!(f, "clone3({flags}) -> task {child}")?;
                match result {
                    Some(Err(errno)) => write!(f, " = -1 {errno}"),
                    _ => Ok(()),
                }
            }
            (Action::Exit { status }, _) => write!(f, "exit({status})"),
        }
    }
}
