//! Which outcomes of which calls have occurred, and which could.

mod report;
mod variants;

use std::collections::BTreeMap;

use cofferdam::kernel::Errno;
use serde::{Deserialize, Serialize};

pub(crate) use report::Report;

use crate::observation::Observation;
use crate::sequence::{Item, Plan};

/// How often calls had an outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// By call and outcome.
    calls: BTreeMap<String, BTreeMap<Outcome, u64>>,
    /// By call and argument, and by what the argument was: flags, or one out of a choice.
    variants: BTreeMap<String, BTreeMap<String, Tries>>,
}

/// What came of a call: success, or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Outcome(Option<Errno>);

impl Outcome {
    pub(crate) const SUCCESS: Self = Self(None);

    fn name(self) -> String {
        match self.0 {
            None => "ok".into(),
            Some(errno) => errno.name().map_or_else(|| errno.raw().to_string(), Into::into),
        }
    }
}

impl From<Errno> for Outcome {
    fn from(errno: Errno) -> Self {
        Self(Some(errno))
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == Self::SUCCESS.name() {
            return Ok(Self::SUCCESS);
        }
        let number = || name.parse().ok().map(Errno::from_raw);
        let errno = Errno::from_name(&name).or_else(number);
        errno.map(Self::from).ok_or_else(|| serde::de::Error::custom(format!("{name} is no outcome")))
    }
}

/// How often something was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tries {
    succeeded: u64,
    failed: u64,
}

impl std::ops::AddAssign for Tries {
    fn add_assign(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
    }
}

impl Coverage {
    /// Counts what came of the items of a plan.
    pub(crate) fn count(&mut self, plan: &Plan, observations: &[Observation]) {
        for (item, observation) in plan.items.iter().zip(observations) {
            let (Item::Step(_, step), Some(result)) = (item, observation.result()) else { continue };
            let outcome = Outcome(result.as_ref().err().copied());
            *self.calls.entry(step.name().into()).or_default().entry(outcome).or_default() += 1;
            let tries = Tries { succeeded: result.is_ok().into(), failed: result.is_err().into() };
            for (argument, variant) in variants::of(&step.action) {
                let of_argument = self.variants.entry(format!("{} {argument}", step.name())).or_default();
                *of_argument.entry(variant).or_default() += tries;
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (call, outcomes) in &other.calls {
            let own = self.calls.entry(call.clone()).or_default();
            for (outcome, count) in outcomes {
                *own.entry(*outcome).or_default() += count;
            }
        }
        for (argument, variants) in &other.variants {
            let own = self.variants.entry(argument.clone()).or_default();
            for (variant, tries) in variants {
                *own.entry(variant.clone()).or_default() += *tries;
            }
        }
    }

    /// How many calls there were.
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().flat_map(BTreeMap::values).sum()
    }

    /// How many of them succeeded.
    pub(crate) fn successes(&self) -> u64 {
        self.calls.values().filter_map(|outcomes| outcomes.get(&Outcome::SUCCESS)).sum()
    }

    /// How often a call had an outcome.
    fn times(&self, call: &str, outcome: Outcome) -> u64 {
        self.calls.get(call).and_then(|outcomes| outcomes.get(&outcome)).copied().unwrap_or(0)
    }
}
