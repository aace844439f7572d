//! Which outcomes of which calls have occurred.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cofferdam::kernel::Errno;
use serde::{Deserialize, Serialize};

use crate::coverage_table::{NEVER_SUCCEED, POSSIBLE};
use crate::observation::Observation;
use crate::sequence::{Item, Plan};

/// How often a call had an outcome: the name of its error, or `ok`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    calls: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The outcome of a call that has succeeded.
const SUCCESS: &str = "ok";

impl Coverage {
    /// Counts what came of the items of a plan.
    pub(crate) fn count(&mut self, plan: &Plan, observations: &[Observation]) {
        for (item, observation) in plan.items.iter().zip(observations) {
            if let (Item::Step(_, step), Some(result)) = (item, observation.result()) {
                let outcome = result.as_ref().err().map_or_else(|| SUCCESS.into(), |errno| name(*errno));
                *self.calls.entry(step.name().into()).or_default().entry(outcome).or_default() += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (call, outcomes) in &other.calls {
            let own = self.calls.entry(call.clone()).or_default();
            for (outcome, count) in outcomes {
                *own.entry(outcome.clone()).or_default() += count;
            }
        }
    }

    /// How many calls there were.
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().flat_map(BTreeMap::values).sum()
    }

    /// How many of them succeeded.
    pub(crate) fn successes(&self) -> u64 {
        self.calls.values().filter_map(|outcomes| outcomes.get(SUCCESS)).sum()
    }

    fn times(&self, call: &str, outcome: &str) -> u64 {
        self.calls.get(call).and_then(|outcomes| outcomes.get(outcome)).copied().unwrap_or(0)
    }

    /// The outcomes that are documented and have not occurred.
    fn missing<'a>(&'a self, call: &'a str, possible: &'a [Errno]) -> impl Iterator<Item = String> + 'a {
        let success = (!NEVER_SUCCEED.contains(&call)).then(|| SUCCESS.to_string());
        let outcomes = success.into_iter().chain(possible.iter().map(|errno| name(*errno)));
        outcomes.filter(move |outcome| self.times(call, outcome) == 0)
    }

    /// The pairs of call and documented outcome: how many have occurred, and how many there are.
    pub(crate) fn share(&self) -> (usize, usize) {
        let all: usize = POSSIBLE.iter().map(|(_, errors)| 1 + errors.len()).sum();
        let all = all - NEVER_SUCCEED.len();
        let missing: usize = POSSIBLE.iter().map(|(call, errors)| self.missing(call, errors).count()).sum();
        (all - missing, all)
    }

    /// The report as a table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let (seen, all) = self.share();
        let _ = writeln!(text, "{seen} of {all} documented outcomes occurred.");
        let _ = writeln!(text, "{:<16} {:>9} {:>9}  outcomes", "call", "calls", "ok");
        for (call, possible) in POSSIBLE {
            let outcomes = self.calls.get(*call);
            let total: u64 = outcomes.into_iter().flat_map(BTreeMap::values).sum();
            let errors: Vec<_> = outcomes
                .into_iter()
                .flatten()
                .filter(|(outcome, _)| *outcome != SUCCESS)
                .map(|(outcome, count)| format!("{outcome} {count}"))
                .collect();
            let _ = writeln!(text, "{call:<16} {total:>9} {:>9}  {}", self.times(call, SUCCESS), errors.join(", "));
            let missing: Vec<_> = self.missing(call, possible).collect();
            if !missing.is_empty() {
                let _ = writeln!(text, "{:<37} never: {}", "", missing.join(", "));
            }
        }
        text
    }

    /// The report for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let missing: BTreeMap<_, _> =
            POSSIBLE.iter().map(|(call, errors)| (*call, self.missing(call, errors).collect::<Vec<_>>())).collect();
        let (seen, all) = self.share();
        serde_json::json!({
            "calls": self.total(),
            "successes": self.successes(),
            "documented_outcomes": { "all": all, "occurred": seen },
            "outcomes": self.calls,
            "never": missing,
        })
    }
}

fn name(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.raw().to_string(), Into::into)
}
