//! From a sequence on which the kernels differ to the shortest that shows the same.

use cofferdam::kernel::{Fd, Value};
use serde_json::Value as Json;

use crate::observation::Observation;
use crate::saved::Signature;
use crate::sequence::{Action, Item, Looks, Plan, Sequence, Step};
use crate::trial::{Divergence, MachineError, Machines, Outcome};

/// How many trials are made at most: a shrunk sequence is a help, not worth any time.
const MOST_TRIALS: usize = 2000;
/// The same, if the real side hangs: each trial takes seconds.
const MOST_TRIALS_OF_TROUBLE: usize = 40;

/// A sequence on which the kernels differ.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) sequence: Sequence,
    pub(crate) looks: Looks,
    pub(crate) divergence: Divergence,
}

/// Drops and simplifies steps as long as the same kind of difference remains.
pub(crate) fn shrink(machines: &Machines, failure: Failure) -> Result<Failure, MachineError> {
    shrink_by(|sequence, looks| machines.try_sequence(sequence, looks), failure)
}

/// The same, whatever tries a sequence.
fn shrink_by<E>(trial: impl FnMut(&Sequence, Looks) -> Result<Outcome, E>, failure: Failure) -> Result<Failure, E> {
    let mut shrinker = Shrinker { trial, best: failure, opened: Vec::new(), trials: 0 };
    shrinker.look_early()?;
    let most = shrinker.most_trials();
    loop {
        let before = shrinker.best.sequence.clone();
        shrinker.drop_chunks()?;
        shrinker.simplify_steps()?;
        if shrinker.best.sequence == before || shrinker.trials >= most {
            return Ok(shrinker.best);
        }
    }
}

struct Shrinker<T> {
    trial: T,
    best: Failure,
    /// The descriptor that each step of the best sequence gives, as far as that is known.
    opened: Vec<Option<Fd>>,
    trials: usize,
}

impl<E, T: FnMut(&Sequence, Looks) -> Result<Outcome, E>> Shrinker<T> {
    fn most_trials(&self) -> usize {
        if self.best.divergence.signature == Signature::Trouble { MOST_TRIALS_OF_TROUBLE } else { MOST_TRIALS }
    }

    /// Takes a candidate over if it shows the same.
    fn attempt(&mut self, steps: Vec<Step>, looks: Looks) -> Result<bool, E> {
        if self.trials >= self.most_trials() {
            return Ok(false);
        }
        self.trials += 1;
        let sequence = Sequence { universe: self.best.sequence.universe, steps };
        let outcome = (self.trial)(&sequence, looks)?;
        let Some(divergence) = outcome.divergence else { return Ok(false) };
        if divergence.signature != self.best.divergence.signature {
            return Ok(false);
        }
        let mut sequence = sequence;
        // What comes after the difference does not matter.
        sequence.steps.truncate(divergence.step + 1);
        self.opened = opened(&outcome.plan, &outcome.real);
        self.best = Failure { sequence, looks, divergence };
        Ok(true)
    }

    /// Finds the first call after which the tables differ.
    fn look_early(&mut self) -> Result<(), E> {
        let steps = self.best.sequence.steps.clone();
        self.attempt(steps, Looks::AfterEveryCall)?;
        Ok(())
    }

    fn drop_chunks(&mut self) -> Result<(), E> {
        let mut size = self.best.sequence.steps.len().div_ceil(2);
        while size > 0 {
            // From the end, so that what depends on others goes first.
            let mut end = self.best.sequence.steps.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                let mut steps = self.best.sequence.steps.clone();
                steps.drain(start..end);
                if !self.attempt(steps, self.best.looks)? && size == 1 {
                    self.drop_opening(start)?;
                }
                end = start.min(self.best.sequence.steps.len());
            }
            size /= 2;
        }
        Ok(())
    }

    /// Drops a step that opens a descriptor, and lets the steps after it use those that they get then.
    fn drop_opening(&mut self, index: usize) -> Result<(), E> {
        let Some(gone) = self.opened.get(index).copied().flatten() else { return Ok(()) };
        let mut steps = self.best.sequence.steps.clone();
        steps.remove(index);
        for step in steps.iter_mut().skip(index) {
            if let Action::Call(call) = &step.action
                && let Ok(mut json) = serde_json::to_value(call)
            {
                lower_descriptors(&mut json, gone);
                if let Ok(call) = serde_json::from_value(json) {
                    step.action = Action::Call(call);
                }
            }
        }
        self.attempt(steps, self.best.looks)?;
        Ok(())
    }

    fn simplify_steps(&mut self) -> Result<(), E> {
        let mut index = 0;
        while let Some(step) = self.best.sequence.steps.get(index).cloned() {
            let simplified = simpler(&step).into_iter();
            let mut found = false;
            for step in simplified {
                let mut steps = self.best.sequence.steps.clone();
                if let Some(slot) = steps.get_mut(index) {
                    *slot = step;
                }
                found = self.attempt(steps, self.best.looks)?;
                if found {
                    break;
                }
            }
            // What was simplified may become simpler yet.
            if !found {
                index += 1;
            }
        }
        Ok(())
    }
}

/// The descriptor that each step gives.
fn opened(plan: &Plan, observations: &[Observation]) -> Vec<Option<Fd>> {
    let steps = plan.items.iter().zip(observations).filter(|(item, _)| matches!(item, Item::Step(..)));
    steps
        .map(|(_, observation)| match observation.result() {
            Some(Ok(Value::Descriptor(fd))) => Some(*fd),
            _ => None,
        })
        .collect()
}

/// Lowers each descriptor among the arguments that is above one that is no longer given out.
fn lower_descriptors(arguments: &mut Json, gone: Fd) {
    let Json::Object(members) = arguments else { return };
    for (name, value) in members {
        match value {
            Json::Number(number) if name.ends_with("fd") => {
                if let Some(fd) = number.as_i64().filter(|fd| *fd > i64::from(gone.0)) {
                    *value = Json::from(fd - 1);
                }
            }
            other => lower_descriptors(other, gone),
        }
    }
}

/// Steps that differ from one in one argument, which is simpler.
fn simpler(step: &Step) -> Vec<Step> {
    let mut steps = Vec::new();
    if step.task != 0 {
        steps.push(Step { task: 0, ..step.clone() });
    }
    let Action::Call(call) = &step.action else { return steps };
    let Ok(Json::Object(arguments)) = serde_json::to_value(call) else { return steps };
    for (name, value) in arguments.iter().filter(|(name, _)| *name != "call") {
        for value in simpler_values(value) {
            let mut arguments = arguments.clone();
            arguments.insert(name.clone(), value);
            // What is no value of the argument's type is passed over.
            let Ok(call) = serde_json::from_value(Json::Object(arguments)) else { continue };
            steps.push(Step { task: step.task, action: Action::Call(call) });
        }
    }
    steps
}

/// Values that are simpler than one. Each is smaller in some order, so that simplifying comes to an end.
fn simpler_values(value: &Json) -> Vec<Json> {
    match value {
        Json::Null | Json::Bool(false) => Vec::new(),
        Json::Bool(true) => vec![Json::Bool(false)],
        // The descriptor AT_FDCWD is the simplest of all.
        Json::Number(number) => match number.as_i64() {
            Some(-100 | 0) => Vec::new(),
            Some(_) => vec![Json::from(-100), Json::from(0)],
            None => vec![Json::from(0)],
        },
        Json::String(text) => simpler_texts(text),
        Json::Array(elements) => (0..elements.len())
            .map(|index| {
                let mut elements = elements.clone();
                elements.remove(index);
                Json::Array(elements)
            })
            .collect(),
        Json::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                simpler_values(value).into_iter().map(|value| {
                    let mut members = members.clone();
                    members.insert(name.clone(), value);
                    Json::Object(members)
                })
            })
            .collect(),
    }
}

/// Texts are flags, joined by `|`, or options, joined by `,`, or paths.
fn simpler_texts(text: &str) -> Vec<Json> {
    const SIMPLE_PATHS: [&str; 5] = ["/", "/a", "/b", "/a/d", "/b/d"];
    let mut values = Vec::new();
    if text.is_empty() {
        return values;
    }
    values.push(Json::Null);
    values.push(Json::from(""));
    for separator in [" | ", ","] {
        let parts: Vec<&str> = text.split(separator).collect();
        if parts.len() > 1 {
            for index in 0..parts.len() {
                let mut parts = parts.clone();
                parts.remove(index);
                values.push(Json::from(parts.join(separator)));
            }
        }
    }
    let rank = |path: &str| SIMPLE_PATHS.iter().position(|simple| *simple == path).unwrap_or(SIMPLE_PATHS.len());
    if text.contains('/') {
        let simpler = SIMPLE_PATHS.iter().take(rank(text)).filter(|path| path.len() <= text.len());
        values.extend(simpler.map(|path| Json::from(*path)));
        if rank(text) == SIMPLE_PATHS.len()
            && let Some((start, _)) = text.rsplit_once('/').filter(|(start, _)| !start.is_empty())
        {
            values.push(Json::from(start));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use cofferdam::kernel::{Call, Mode};

    use super::*;
    use crate::sequence::Universe;

    /// Kernels that differ on `fsync` if `getpid` was called before.
    #[allow(clippy::unnecessary_wraps, reason = "as the shrinker takes it")]
    fn differ(sequence: &Sequence, looks: Looks) -> Result<Outcome, Infallible> {
        let is = |name: &'static str| move |step: &Step| step.name() == name;
        let first = sequence.steps.iter().position(is("getpid"));
        let step = sequence.steps.iter().rposition(is("fsync")).filter(|last| first.is_some_and(|first| first < *last));
        let divergence = step.map(|step| Divergence {
            step,
            how: String::new(),
            real: None,
            simulated: None,
            signature: Signature::Tables,
        });
        Ok(Outcome { plan: sequence.plan(looks), real: Vec::new(), divergence })
    }

    fn of(call: Call) -> Step {
        Step { task: 0, action: Action::Call(call) }
    }

    #[test]
    fn what_does_not_matter_is_dropped_and_what_does_is_simplified() {
        let noise = |mode| of(Call::Umask { mask: Mode(mode) });
        let mut steps: Vec<_> = (0..40).map(noise).collect();
        steps.insert(7, of(Call::Getpid {}));
        steps.insert(30, of(Call::Fsync { fd: Fd(5) }));
        let sequence = Sequence { universe: Universe::Standard, steps };
        let divergence = differ(&sequence, Looks::AtTheEnd).unwrap().divergence.unwrap();
        let failure = Failure { sequence, looks: Looks::AtTheEnd, divergence };
        let shrunk = shrink_by(differ, failure).unwrap();
        assert_eq!(shrunk.sequence.steps, [of(Call::Getpid {}), of(Call::Fsync { fd: Fd::CWD })]);
    }

    #[test]
    fn simplification_comes_to_an_end() {
        let json = r#"{"task":1,"call":{"call":"mount","source":"/a/d/e/f","target":"/b/d","filesystemtype":"tmpfs",
            "mountflags":"MS_RDONLY | MS_NOSUID","data":"size=1m,mode=755"}}"#;
        let mut step: Step = serde_json::from_str(json).unwrap();
        let mut rounds = 0;
        while let Some(simplest) = simpler(&step).pop() {
            step = simplest;
            rounds += 1;
            assert!(rounds < 100, "{step:?}");
        }
        assert!(rounds > 5);
    }

    #[test]
    fn descriptors_above_one_that_is_gone_are_lowered() {
        let json = r#"{"call":"move_mount","from_dirfd":5,"from_path":"","to_dirfd":-100,"to_path":"/a","flags":""}"#;
        let mut call: Json = serde_json::from_str(json).unwrap();
        lower_descriptors(&mut call, Fd(3));
        assert_eq!(call["from_dirfd"], 4);
        assert_eq!(call["to_dirfd"], -100);
        lower_descriptors(&mut call, Fd(4));
        assert_eq!(call["from_dirfd"], 4);
    }

    #[test]
    fn every_simplification_differs() {
        let json = r#"{"task":0,"call":{"call":"openat2","dirfd":3,"path":"/c/d","how":{"flags":"O_PATH","mode":7,"resolve":""}}}"#;
        let step: Step = serde_json::from_str(json).unwrap();
        assert!(simpler(&step).len() >= 5);
        assert!(simpler(&step).iter().all(|simpler| *simpler != step));
    }
}
