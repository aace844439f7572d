//! Work that several workers share, with its progress, what is found, and a summary.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::HumanCount;

use crate::arguments::RunningArguments;
use crate::coverage::{Coverage, Report};
use crate::progress::Progress;
use crate::worker::{Event, Found, Job};
use crate::workers::{Workers, WorkersError};

/// The work could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CampaignError {
    /// No workers.
    #[error(transparent)]
    Workers(#[from] WorkersError),
    /// A worker failed.
    #[error("{0}")]
    Failed(String),
    /// A file can't be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A report can't be written.
    #[error("cannot write a report: {0}")]
    Json(#[from] serde_json::Error),
    /// The system has no random numbers.
    #[error("cannot draw a seed: {0}")]
    Seed(String),
}

/// Work for several workers.
pub(crate) struct Campaign {
    pub(crate) jobs: Vec<Job>,
    pub(crate) progress: Progress,
    /// Where the sequences on which the kernels differ are saved.
    pub(crate) output: PathBuf,
    /// What their files are called after.
    pub(crate) name: String,
    /// How many that differ in different ways are wanted.
    pub(crate) divergences: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) sequences: u64,
    pub(crate) coverage: Coverage,
    /// How many different divergences were found.
    pub(crate) found: usize,
    /// How many sequences differed once, and not when they were repeated.
    pub(crate) unrepeated: u64,
}

impl Campaign {
    /// Lets the workers work until they are done, or as many divergences are found as are wanted.
    pub(crate) fn run(mut self) -> Result<Summary, CampaignError> {
        let workers = Workers::start(&self.jobs)?;
        let mut summary = Summary::default();
        let mut reported = HashSet::new();
        for event in workers.events() {
            match event {
                Event::Progress { sequences, coverage } => {
                    summary.sequences += sequences;
                    summary.coverage.add(&coverage);
                    let outcome = format!("{:.0} % succeed", summary.success_percentage());
                    self.progress.reach_with(summary.coverage.total(), &outcome);
                }
                Event::Found(found) => {
                    // Another worker may have found the same.
                    if reported.insert(found.saved.signature.clone()) {
                        self.progress.suspend(|| self.report(&found))?;
                        summary.found += 1;
                    }
                    if summary.found >= self.divergences {
                        break;
                    }
                }
                Event::Unrepeated => summary.unrepeated += 1,
                Event::Failed(why) => return Err(CampaignError::Failed(why)),
                Event::Done => {}
            }
        }
        Ok(summary)
    }

    fn report(&self, found: &Found) -> Result<(), CampaignError> {
        let path = self.output.join(format!("divergence-{}-{}.json", self.name, found.number));
        write_json(&path, &serde_json::to_value(&found.saved)?)?;
        println!("\nThe kernels differ (sequence {}):", found.number);
        print!("{}", found.script);
        if found.is_flaky {
            println!("The real kernel does not always do the same with this sequence.");
        }
        println!("saved as {}", path.display());
        Ok(())
    }
}

impl Summary {
    /// Prints what was done, and how fast.
    pub(crate) fn print(&self, started: Instant) {
        let (calls, seconds) = (self.coverage.total(), started.elapsed().as_secs_f64());
        println!(
            "{} calls in {} sequences, {:.1} % succeeded, {seconds:.1} s, {} calls/s: {}",
            HumanCount(calls),
            HumanCount(self.sequences),
            self.success_percentage(),
            HumanCount(per_second(calls, seconds)),
            match self.found {
                0 => "no divergence".to_string(),
                1 => "1 divergence".to_string(),
                many => format!("{many} divergences"),
            }
        );
        if self.unrepeated > 0 {
            println!("{} sequences differed once, and not when they were repeated", self.unrepeated);
        }
    }

    /// Saves which outcomes of which calls occurred.
    pub(crate) fn write_coverage(&self, path: &Path) -> Result<(), CampaignError> {
        write_json(path, &Report::new(&self.coverage).json())
    }

    #[allow(clippy::cast_precision_loss, reason = "for people")]
    fn success_percentage(&self) -> f64 {
        100.0 * self.coverage.successes() as f64 / self.coverage.total().max(1) as f64
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(0.001)) as u64
}

fn write_json(path: &Path, json: &serde_json::Value) -> Result<(), CampaignError> {
    let text = serde_json::to_string_pretty(json)? + "\n";
    std::fs::write(path, text).map_err(|error| CampaignError::Write { path: path.into(), error })
}

/// How many workers there are to be.
pub(crate) fn job_count(arguments: &RunningArguments) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.jobs.unwrap_or_else(|| u32::try_from(2 * processors).unwrap_or(1))
}
