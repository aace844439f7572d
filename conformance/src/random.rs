//! `conform random`, and the part of it that `conform coverage` needs.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::TryRng;

use crate::arguments::{CoverageArguments, RandomArguments, RunningArguments, SequenceArguments};
use crate::coverage::Coverage;
use crate::trial::Signature;
use crate::worker::{Event, Found, Job, RandomWork, Work};
use crate::workers::{Workers, WorkersError};

/// Random sequences could not be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RandomError {
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

/// What came of all the sequences.
struct Summary {
    sequences: u64,
    coverage: Coverage,
    found: usize,
}

/// Tries random sequences; true if the kernels did the same.
pub(crate) fn random(arguments: &RandomArguments) -> Result<bool, RandomError> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => rand::rngs::SysRng.try_next_u64().map_err(|error| RandomError::Seed(error.to_string()))?,
    };
    println!("seed {seed}");
    let campaign = Campaign {
        seed,
        ops: arguments.ops,
        sequences: &arguments.sequences,
        running: &arguments.running,
        real_only: arguments.real_only,
    };
    let started = Instant::now();
    let mut reported = HashSet::new();
    let summary = campaign.run(|found| {
        if reported.len() >= arguments.divergences || !reported.insert(signature(&found)) {
            return Ok(reported.len() < arguments.divergences);
        }
        let name = format!("divergence-{seed}-{}.json", found.number);
        let path = arguments.output.join(name);
        write_json(&path, &serde_json::to_value(&found.saved)?)?;
        println!("\nThe kernels differ on sequence {} of seed {seed}:", found.number);
        print!("{}", found.script);
        if found.is_flaky {
            println!("The real kernel does not always do the same with this sequence.");
        }
        println!("saved as {}", path.display());
        Ok(reported.len() < arguments.divergences)
    })?;
    if let Some(path) = &arguments.coverage {
        write_json(path, &summary.coverage.json())?;
        println!("{}", summary.coverage.table());
    }
    print_summary(&summary, started);
    Ok(summary.found == 0)
}

fn signature(found: &Found) -> Option<Signature> {
    found.saved.signature.clone()
}

/// Shows what random sequences reach; true if the kernels did the same.
pub(crate) fn coverage(arguments: &CoverageArguments) -> Result<bool, RandomError> {
    let campaign = Campaign {
        seed: arguments.seed,
        ops: arguments.ops,
        sequences: &arguments.sequences,
        running: &arguments.running,
        real_only: false,
    };
    let started = Instant::now();
    let summary = campaign.run(|found| {
        println!("The kernels differ on sequence {}:\n{}", found.number, found.script);
        Ok(true)
    })?;
    print!("{}", summary.coverage.table());
    if let Some(path) = &arguments.json {
        write_json(path, &summary.coverage.json())?;
    }
    print_summary(&summary, started);
    Ok(summary.found == 0)
}

fn print_summary(summary: &Summary, started: Instant) {
    let (calls, seconds) = (summary.coverage.total(), started.elapsed().as_secs_f64());
    println!(
        "{} calls in {} sequences, {:.1} % succeeded, {seconds:.1} s, {} calls/s: {}",
        HumanCount(calls),
        HumanCount(summary.sequences),
        percent(summary.coverage.successes(), calls),
        HumanCount(per_second(calls, seconds)),
        match summary.found {
            0 => "no divergence".to_string(),
            1 => "1 divergence".to_string(),
            many => format!("{many} divergences"),
        }
    );
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(0.001)) as u64
}

fn write_json(path: &std::path::Path, json: &serde_json::Value) -> Result<(), RandomError> {
    let text = serde_json::to_string_pretty(json)? + "\n";
    std::fs::write(path, text).map_err(|error| RandomError::Write { path: path.into(), error })
}

/// Sequences to be tried by several workers.
struct Campaign<'a> {
    seed: u64,
    ops: u64,
    sequences: &'a SequenceArguments,
    running: &'a RunningArguments,
    real_only: bool,
}

impl Campaign<'_> {
    /// The sequences are the same however many workers there are.
    fn jobs(&self) -> Vec<Job> {
        let sequences = self.ops.div_ceil(self.sequences.length).max(1);
        let jobs = u64::from(job_count(self.running)).min(sequences);
        (0..jobs)
            .map(|first| Job {
                privileges: self.running.privileges,
                work: Work::Random(RandomWork {
                    seed: self.seed,
                    first,
                    stride: jobs,
                    end: sequences,
                    profile: self.sequences.profile,
                    length: usize::try_from(self.sequences.length).unwrap_or(usize::MAX),
                    tasks: usize::try_from(self.sequences.tasks).unwrap_or(1),
                    looks: self.sequences.looks(),
                    real_only: self.real_only,
                }),
            })
            .collect()
    }

    /// Tries them, and hands over what is found as long as the answer is that more is wanted.
    fn run(
        &self,
        mut on_found: impl FnMut(Found) -> Result<bool, RandomError>,
    ) -> Result<Summary, RandomError> {
        let workers = Workers::start(&self.jobs())?;
        let bar = progress_bar(self.ops);
        let mut summary = Summary { sequences: 0, coverage: Coverage::default(), found: 0 };
        for event in workers.events() {
            match event {
                Event::Progress { sequences, coverage } => {
                    summary.sequences += sequences;
                    summary.coverage.add(&coverage);
                    let calls = summary.coverage.total();
                    bar.set_position(calls);
                    bar.set_message(format!("{:.0} % succeed", percent(summary.coverage.successes(), calls)));
                }
                Event::Found(found) => {
                    summary.found += 1;
                    if !bar.suspend(|| on_found(*found))? {
                        break;
                    }
                }
                Event::Failed(why) => return Err(RandomError::Failed(why)),
                Event::Done => {}
            }
        }
        bar.finish_and_clear();
        Ok(summary)
    }
}

/// How many workers there are to be.
pub(crate) fn job_count(arguments: &RunningArguments) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.jobs.unwrap_or_else(|| u32::try_from(2 * processors).unwrap_or(1))
}

/// A progress bar on standard error, if that is a terminal.
pub(crate) fn progress_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5));
    let template = "{wide_bar} {human_pos}/{human_len} calls, {per_sec}, {msg}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
