//! `conform random` and `conform coverage`.

use std::time::Instant;

use clap::ValueEnum;
use rand::TryRng;

use crate::arguments::{CoverageArguments, RandomArguments, RunningArguments, SequenceArguments};
use crate::campaign::{Campaign, CampaignError, job_count};
use crate::coverage::Report;
use crate::generate::Profile;
use crate::progress::Progress;
use crate::worker::{Job, RandomWork, Work};

/// Tries random sequences; true if the kernels did the same.
pub(crate) fn random(arguments: &RandomArguments) -> Result<bool, CampaignError> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => rand::rngs::SysRng.try_next_u64().map_err(|error| CampaignError::Seed(error.to_string()))?,
    };
    println!("seed {seed}");
    let jobs = Sequences {
        seed,
        ops: arguments.ops,
        profiles: vec![arguments.profile],
        arguments: &arguments.sequences,
        running: &arguments.running,
        shrinks: !arguments.no_shrink,
        real_only: arguments.real_only,
    }
    .jobs();
    let campaign = Campaign {
        jobs,
        progress: Progress::of(arguments.ops, "calls"),
        output: arguments.output.clone(),
        name: seed.to_string(),
        divergences: arguments.divergences,
    };
    let started = Instant::now();
    let summary = campaign.run()?;
    if let Some(path) = &arguments.coverage {
        summary.write_coverage(path)?;
        print!("{}", Report::new(&summary.coverage).text(false));
    }
    summary.print(started);
    Ok(summary.found == 0)
}

/// Shows what random sequences reach; true if that is all that it should be, and nothing else, and the kernels did the same.
pub(crate) fn coverage(arguments: &CoverageArguments) -> Result<bool, CampaignError> {
    let jobs = Sequences {
        seed: arguments.seed,
        ops: arguments.ops,
        profiles: arguments.profile.map_or_else(|| Profile::value_variants().to_vec(), |profile| vec![profile]),
        arguments: &arguments.sequences,
        running: &arguments.running,
        shrinks: true,
        real_only: false,
    }
    .jobs();
    let campaign = Campaign {
        jobs,
        progress: Progress::of(arguments.ops, "calls"),
        output: arguments.output.clone(),
        name: arguments.seed.to_string(),
        divergences: usize::MAX,
    };
    let started = Instant::now();
    let summary = campaign.run()?;
    let report = Report::new(&summary.coverage);
    print!("{}", report.text(arguments.markdown));
    if let Some(path) = &arguments.json {
        summary.write_coverage(path)?;
    }
    let flaws = report.flaws();
    for flaw in &flaws {
        eprintln!("{flaw}");
    }
    if !arguments.markdown {
        summary.print(started);
    }
    Ok(summary.found == 0 && flaws.is_empty())
}

/// The sequences of a seed.
struct Sequences<'a> {
    seed: u64,
    ops: u64,
    /// Sequences take turns with them.
    profiles: Vec<Profile>,
    arguments: &'a SequenceArguments,
    running: &'a RunningArguments,
    shrinks: bool,
    real_only: bool,
}

impl Sequences<'_> {
    /// A job for each worker. The sequences are the same however many workers there are.
    fn jobs(&self) -> Vec<Job> {
        let sequences = self.ops.div_ceil(self.arguments.length).max(1);
        let jobs = u64::from(job_count(self.running)).min(sequences);
        (0..jobs)
            .map(|first| Job {
                privileges: self.running.privileges,
                work: Work::Random(RandomWork {
                    seed: self.seed,
                    first,
                    stride: jobs,
                    end: sequences,
                    profiles: self.profiles.clone(),
                    length: usize::try_from(self.arguments.length).unwrap_or(usize::MAX),
                    tasks: usize::try_from(self.arguments.tasks).unwrap_or(1),
                    looks: self.arguments.looks(),
                    shrinks: self.shrinks,
                    real_only: self.real_only,
                }),
            })
            .collect()
    }
}
