//! `conform explore`: what becomes of the isolator's operations when anything in them goes wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use cofferdam_explorer::explore::{Exploration, ExploreError};
use cofferdam_explorer::invariants::Violation;
use cofferdam_explorer::place::Bounds;
use cofferdam_explorer::scenario::{Operation, Scenario};
use cofferdam_explorer::scenarios::{self, InvalidScenario};
use cofferdam_explorer::variant::Variant;
use indicatif::HumanCount;

use crate::arguments::ExploreArguments;
use crate::progress::Progress;
use crate::story::Found;

/// How many calls of an operation there are for one that a bounded run begins with.
const BOUNDED_STEP: usize = 5;
/// How far a bounded run goes.
const BOUNDED: Bounds = Bounds { deaths: 0, failures: 0, recovery: 100 };
/// How far another one goes.
const WHOLE: Bounds = Bounds { deaths: 8, failures: 1, recovery: 1000 };
/// How many violations of the same kind are told of.
const TOLD: usize = 1;

/// Scenarios could not be explored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplorationError {
    /// One can't be.
    #[error(transparent)]
    Scenario(#[from] InvalidScenario),
    /// One does not work, whatever goes wrong.
    #[error("scenario {name:?}: {error}")]
    Explore {
        /// Which.
        name: String,
        /// Why.
        error: ExploreError,
    },
    /// No scenario has this in its name.
    #[error("no scenario has {0:?} in its name: see `conform explore --list`")]
    NoSuchScenario(String),
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What was found can't be written down.
    #[error("{}: {error}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
}

/// Where variants begin.
struct Place {
    scenario: usize,
    operation: usize,
    call: usize,
}

/// What a thread has to say.
enum Event {
    /// So many variants were tried.
    Tried(u64),
    /// An invariant does not hold.
    Found(usize, Variant, Violation),
}

/// Explores scenarios; true if every invariant holds in all variants.
pub(crate) fn explore(arguments: &ExploreArguments) -> Result<bool, ExplorationError> {
    let scenarios = chosen(arguments)?;
    if arguments.list {
        for Scenario { name, operations, .. } in &scenarios {
            println!("{name}: {}", operations.iter().map(Operation::title).collect::<Vec<_>>().join(", "));
        }
        return Ok(true);
    }
    let mut undisturbed = Progress::of(scenarios.len() as u64, "scenarios prepared");
    let explorations = scenarios.iter().zip(0..).map(|(scenario, number)| {
        undisturbed.reach(number);
        let failed = |error| ExplorationError::Explore { name: scenario.name.clone(), error };
        Exploration::new(scenario).map_err(failed)
    });
    let explorations = explorations.collect::<Result<Vec<_>, _>>()?;
    drop(undisturbed);
    let step = arguments.every.map_or(if arguments.bounded { BOUNDED_STEP } else { 1 }, usize::from);
    let usual = if arguments.bounded { BOUNDED } else { WHOLE };
    let bounds = Bounds {
        deaths: arguments.deaths.unwrap_or(usual.deaths),
        failures: arguments.failures.unwrap_or(usual.failures),
        recovery: arguments.recovery.unwrap_or(usual.recovery),
    };
    let started = Instant::now();
    let places = places(&explorations, step);
    let mut tally = Tally { scenarios: &scenarios, tried: 0, found: BTreeMap::new() };
    let next = AtomicUsize::new(0);
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let (next, enough, places, explorations) = (&next, &enough, &places, &explorations);
        for _ in 0..arguments.jobs.map_or_else(processors, |jobs| usize::from(jobs.get())) {
            let sender = sender.clone();
            scope.spawn(move || work(explorations, places, (next, enough), bounds, &sender));
        }
        drop(sender);
        tally.listen(&receiver, arguments.violations, enough, Progress::of(places.len() as u64, "places"));
    });
    tally.conclude(arguments, &explorations, started)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn chosen(arguments: &ExploreArguments) -> Result<Vec<Scenario>, ExplorationError> {
    let mut scenarios = scenarios::all()?;
    if let Some(part) = &arguments.scenario {
        scenarios.retain(|scenario| scenario.name.contains(part.as_str()));
        if scenarios.is_empty() {
            return Err(ExplorationError::NoSuchScenario(part.clone()));
        }
    }
    Ok(scenarios)
}

fn places(explorations: &[Exploration<'_>], step: usize) -> Vec<Place> {
    let mut places = Vec::new();
    for (scenario, exploration) in explorations.iter().enumerate() {
        for operation in 0..exploration.operations() {
            // Not always the same ones.
            let first = operation % step;
            let calls = (first..=exploration.calls(operation)).step_by(step);
            places.extend(calls.map(|call| Place { scenario, operation, call }));
        }
    }
    places
}

fn work(
    explorations: &[Exploration<'_>],
    places: &[Place],
    (next, enough): (&AtomicUsize, &AtomicBool),
    bounds: Bounds,
    sender: &Sender<Event>,
) {
    while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
        let Some(exploration) = explorations.get(place.scenario) else { continue };
        let mut tried = 0;
        exploration.explore(place.operation, place.call, bounds, &mut |variant, result| {
            tried += 1;
            let is_told = match result {
                Ok(()) => true,
                // Nobody listens any more.
                Err(violation) => sender.send(Event::Found(place.scenario, variant, violation)).is_ok(),
            };
            is_told && !enough.load(Ordering::Relaxed)
        });
        if sender.send(Event::Tried(tried)).is_err() || enough.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// What violations have in common that are often the same mistake: scenario, operation, and invariant.
type Kind = (usize, usize, &'static str);

/// What was found so far.
struct Tally<'a> {
    scenarios: &'a [Scenario],
    tried: u64,
    found: BTreeMap<Kind, Vec<(Variant, Violation)>>,
}

impl Tally<'_> {
    fn listen(
        &mut self,
        receiver: &Receiver<Event>,
        limit: Option<usize>,
        enough: &AtomicBool,
        mut progress: Progress,
    ) {
        let mut places = 0;
        for event in receiver {
            match event {
                Event::Tried(tried) => {
                    self.tried += tried;
                    places += 1;
                    let (runs, violations) = (HumanCount(self.tried), self.violations());
                    progress.reach_with(places, &format!("{runs} runs, {violations} violations"));
                }
                Event::Found(scenario, variant, violation) => {
                    let kind = (scenario, variant.operation, violation.invariant);
                    self.found.entry(kind).or_default().push((variant, violation));
                    if limit.is_some_and(|limit| self.violations() >= limit) {
                        enough.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn violations(&self) -> usize {
        self.found.values().map(Vec::len).sum()
    }

    fn conclude(
        &self,
        arguments: &ExploreArguments,
        explorations: &[Exploration<'_>],
        started: Instant,
    ) -> Result<bool, ExplorationError> {
        let mut number = 0;
        for ((scenario, _, invariant), all) in &self.found {
            let Some(name) = self.scenarios.get(*scenario).map(|scenario| &scenario.name) else { continue };
            println!("{invariant}: {} violations in scenario {name:?}, the first of them:", all.len());
            for (variant, violation) in all.iter().take(TOLD) {
                number += 1;
                let path = arguments.output.join(format!("violation-{number}.json"));
                Found::new(name, variant, violation).save(&path)?;
                println!("  {variant}\n  {violation}\n  `conform replay {}` tells of it call by call", path.display());
            }
        }
        let violations = self.violations();
        println!(
            "{} scenarios, {} runs in which something goes wrong, which lead to {} states, {:.1} s: {}",
            self.scenarios.len(),
            HumanCount(self.tried),
            HumanCount(explorations.iter().map(|exploration| exploration.states() as u64).sum()),
            started.elapsed().as_secs_f64(),
            if violations == 0 { "no violation".to_owned() } else { format!("{violations} violations") },
        );
        Ok(violations == 0)
    }
}
