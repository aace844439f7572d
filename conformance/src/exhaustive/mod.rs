//! `conform exhaustive`.

pub(crate) mod alphabet;
pub(crate) mod search;

use std::time::Instant;

use indicatif::HumanCount;

use crate::arguments::ExhaustiveArguments;
use crate::campaign::{Campaign, CampaignError, job_count};
use crate::progress::Progress;
use crate::worker::{ExhaustiveWork, Job, Work};

/// Tries every sequence; true if the kernels did the same.
pub(crate) fn exhaustive(arguments: &ExhaustiveArguments) -> Result<bool, CampaignError> {
    let letters = arguments.universe.letters();
    println!("{} calls, sequences of up to {}", letters.steps.len(), arguments.depth);
    let stride = u64::from(job_count(&arguments.running));
    let jobs: Vec<_> = (0..stride)
        .map(|first| Job {
            privileges: arguments.running.privileges,
            work: Work::Exhaustive(ExhaustiveWork {
                universe: arguments.universe,
                depth: arguments.depth,
                first,
                stride,
            }),
        })
        .collect();
    let campaign = Campaign {
        jobs,
        progress: Progress::counting("calls"),
        output: arguments.output.clone(),
        name: format!("{:?}", arguments.universe).to_lowercase(),
        divergences: arguments.divergences,
    };
    let started = Instant::now();
    let summary = campaign.run()?;
    if let Some(path) = &arguments.coverage {
        summary.write_coverage(path)?;
    }
    println!("{} sequences, up to a renaming of the directories", HumanCount(summary.sequences));
    summary.print(started);
    Ok(summary.found == 0)
}
