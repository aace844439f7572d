//! A worker: a process without other threads that tries sequences for the `conform` that started it. It reads one job
//! from standard input and writes events to standard output, a line of JSON each.

use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;
use crate::exhaustive::alphabet::Alphabet;
use crate::exhaustive::search::{Finding, Search, Share};
use crate::generate::{Generated, Profile, Recipe, generate};
use crate::report::{saved, script};
use crate::saved::{Saved, Signature};
use crate::sequence::{Looks, Sequence};
use crate::shrink::{Failure, shrink};
use crate::trial::{MachineError, Machines, Trial};
use crate::universe::Privileges;

/// How often a worker says how far it is.
const INTERVAL: Duration = Duration::from_millis(200);

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) privileges: Option<Privileges>,
    pub(crate) work: Work,
}

/// Kinds of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Random sequences.
    Random(RandomWork),
    /// Every sequence of an alphabet.
    Exhaustive(ExhaustiveWork),
}

/// Every sequence of an alphabet: of the points at which the work is divided, those with the numbers `first`,
/// `first + stride` and so on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExhaustiveWork {
    pub(crate) universe: Alphabet,
    pub(crate) depth: u32,
    pub(crate) first: u64,
    pub(crate) stride: u64,
}

/// Random sequences: those with the numbers `first`, `first + stride` and so on, below `end`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RandomWork {
    pub(crate) seed: u64,
    pub(crate) first: u64,
    pub(crate) stride: u64,
    pub(crate) end: u64,
    /// Sequences take turns with them.
    pub(crate) profiles: Vec<Profile>,
    pub(crate) length: usize,
    pub(crate) tasks: usize,
    pub(crate) looks: Looks,
    /// Whether sequences on which the kernels differ are shrunk.
    pub(crate) shrinks: bool,
    /// The real kernel is compared with itself.
    pub(crate) real_only: bool,
}

impl RandomWork {
    /// What the sequence with this number is made of.
    fn recipe(&self, number: u64) -> Recipe {
        let mut profiles = self.profiles.iter().cycle();
        let turn = number.checked_rem(self.profiles.len() as u64).unwrap_or_default();
        let profile = usize::try_from(turn).ok().and_then(|turn| profiles.nth(turn)).copied().unwrap_or_default();
        Recipe { profile, length: self.length, tasks: self.tasks, looks: self.looks }
    }
}

/// How often a sequence on which the kernels differ is repeated before that is taken for chance.
const REPETITIONS: usize = 5;

/// What a worker has to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// What it did since it last said so.
    Progress {
        /// How many sequences it tried.
        sequences: u64,
        /// The outcomes of the calls.
        coverage: Coverage,
    },
    /// The kernels differ.
    Found(Box<Found>),
    /// The kernels differed on a sequence once, and not when it was repeated.
    Unrepeated,
    /// Something went wrong, and the work is not done.
    Failed(String),
    /// The work is done.
    Done,
}

/// A sequence on which the kernels differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Its number among those of the seed.
    pub(crate) number: u64,
    /// The shrunk sequence.
    pub(crate) saved: Saved,
    /// The shrunk sequence as a script.
    pub(crate) script: String,
    /// Whether the real kernel differs from itself as well.
    pub(crate) is_flaky: bool,
}

/// A worker could not do its work.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("the job can't be read: {0}")]
    Job(#[from] serde_json::Error),
    #[error("cannot talk to the conform that started this worker: {0}")]
    Talk(#[from] std::io::Error),
}

/// Does the job that standard input has; gives the exit status.
pub(crate) fn run() -> u8 {
    // A panic of the simulation is a finding, reported as such.
    std::panic::set_hook(Box::new(|_| {}));
    match work().or_else(|error| say(&Event::Failed(error.to_string()))) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn work() -> Result<(), WorkerError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    let machines = Machines::new(job.privileges)?;
    match job.work {
        Work::Random(work) => Random { machines: &machines, work, reported: HashSet::new() }.run()?,
        Work::Exhaustive(work) => search(&machines, &work)?,
    }
    say(&Event::Done)
}

fn say(event: &Event) -> Result<(), WorkerError> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&line)?;
    Ok(output.flush()?)
}

/// The words for a sequence on which the kernels differ.
fn found(machines: &Machines, number: u64, failure: &Failure, is_flaky: bool) -> Result<Found, MachineError> {
    let mut outcome = machines.try_sequence(&failure.sequence, failure.looks)?;
    outcome.divergence = Some(failure.divergence.clone());
    Ok(Found {
        number,
        saved: saved(failure, machines.privileges()),
        script: script(&failure.sequence, &outcome),
        is_flaky,
    })
}

/// The shortest sequence that shows the same, and whether the real kernel does not always do the same with it.
fn shrunk(machines: &Machines, number: u64, failure: Failure) -> Result<Found, MachineError> {
    let failure = shrink(machines, failure)?;
    let is_flaky = machines.try_twice(&failure.sequence, failure.looks)?.divergence.is_some();
    found(machines, number, &failure, is_flaky)
}

fn search(machines: &Machines, work: &ExhaustiveWork) -> Result<(), WorkerError> {
    let letters = work.universe.letters();
    let share = Share { first: work.first, stride: work.stride };
    let mut tally = Tally::new();
    let mut number = work.first;
    Search::new(machines, &letters, work.depth, share, |finding| {
        match finding {
            Finding::Compared(sequences, coverage) => tally.add(sequences, &coverage)?,
            Finding::Differ(failure) => {
                say(&Event::Found(Box::new(shrunk(machines, number, *failure)?)))?;
                number += work.stride;
            }
        }
        Ok::<_, WorkerError>(())
    })
    .run()?;
    tally.say()
}

struct Random<'a> {
    machines: &'a Machines,
    work: RandomWork,
    reported: HashSet<Signature>,
}

impl Random<'_> {
    /// While the real kernel carries out a sequence, the next one is made.
    fn run(&mut self) -> Result<(), WorkerError> {
        let work = self.work.clone();
        let mut tally = Tally::new();
        let mut pending: Option<(u64, Trial, Generated)> = None;
        let mut number = work.first;
        loop {
            let next = if number < work.end {
                let recipe = work.recipe(number);
                let mut generated = generate(self.machines.simulation(), &recipe, work.seed, number);
                let plan = generated.plan.clone();
                let trial = self.machines.begin(plan, std::mem::take(&mut generated.simulated))?;
                Some((number, trial, generated))
            } else {
                None
            };
            number += work.stride;
            if let Some((number, trial, generated)) = pending.take() {
                self.conclude(number, trial, generated, &mut tally)?;
            }
            pending = next;
            if pending.is_none() {
                break;
            }
        }
        tally.say()
    }

    fn conclude(
        &mut self,
        number: u64,
        trial: Trial,
        generated: Generated,
        tally: &mut Tally,
    ) -> Result<(), WorkerError> {
        let mut outcome = self.machines.finish(trial)?;
        if self.work.real_only {
            outcome = self.machines.try_twice(&generated.sequence, self.work.looks)?;
        }
        let mut coverage = Coverage::default();
        coverage.count(&outcome.plan, &outcome.real);
        tally.add(1, &coverage)?;
        if let Some(divergence) = outcome.divergence {
            if !self.work.real_only && !self.happens_again(&generated.sequence)? {
                return say(&Event::Unrepeated);
            }
            let failure = Failure { sequence: generated.sequence, looks: self.work.looks, divergence };
            self.report(number, failure)?;
        }
        Ok(())
    }

    /// Whether the kernels differ on a sequence again. What others mount on the machine disturbs path walks: they start
    /// anew, with references to the mounts on their way, which undoes a mark of `MNT_EXPIRE`.
    fn happens_again(&self, sequence: &Sequence) -> Result<bool, WorkerError> {
        for _ in 0..REPETITIONS {
            if self.machines.try_sequence(sequence, self.work.looks)?.divergence.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn report(&mut self, number: u64, failure: Failure) -> Result<(), WorkerError> {
        if !self.reported.insert(failure.divergence.signature.clone()) {
            return Ok(());
        }
        let found = if self.work.shrinks && !self.work.real_only {
            shrunk(self.machines, number, failure)?
        } else {
            found(self.machines, number, &failure, self.work.real_only)?
        };
        say(&Event::Found(Box::new(found)))
    }
}

/// What is still to be said.
struct Tally {
    sequences: u64,
    coverage: Coverage,
    said: Instant,
}

impl Tally {
    fn new() -> Self {
        Self { sequences: 0, coverage: Coverage::default(), said: Instant::now() }
    }

    fn add(&mut self, sequences: u64, coverage: &Coverage) -> Result<(), WorkerError> {
        self.sequences += sequences;
        self.coverage.add(coverage);
        if self.said.elapsed() >= INTERVAL { self.say() } else { Ok(()) }
    }

    fn say(&mut self) -> Result<(), WorkerError> {
        let coverage = std::mem::take(&mut self.coverage);
        say(&Event::Progress { sequences: std::mem::take(&mut self.sequences), coverage })?;
        self.said = Instant::now();
        Ok(())
    }
}
