//! `conform replay`: saved sequences, and what the explorer has found.

use std::path::{Path, PathBuf};

use crate::arguments::ReplayArguments;
use crate::explore::ExplorationError;
use crate::progress::Progress;
use crate::report::{self, script};
use crate::saved::Saved;
use crate::sequence::Looks;
use crate::shrink::{Failure, shrink};
use crate::story::Found;
use crate::trial::{MachineError, Machines};

/// Saved sequences could not be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file has no sequence.
    #[error("{}: {error}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
    /// What was found can't be tried again.
    #[error(transparent)]
    Exploration(#[from] ExplorationError),
    /// The kernels are not available.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// What a file has.
enum File {
    /// Calls, tried on both kernels.
    Sequence(Saved),
    /// Something that goes wrong in a scenario, tried on the simulated kernel.
    Found(Found),
}

/// Tries what was saved; true if the kernels did the same on all sequences, and all invariants held.
pub(crate) fn replay(arguments: &ReplayArguments) -> Result<bool, ReplayError> {
    let files = arguments.files.iter().map(|path| Ok((path, read(path)?)));
    let files = files.collect::<Result<Vec<_>, ReplayError>>()?;
    let (mut sequences, mut all_hold) = (Vec::new(), true);
    for (path, file) in files {
        match file {
            File::Sequence(saved) => sequences.push((path, saved)),
            File::Found(found) => {
                println!("{}:", path.display());
                all_hold &= found.replay()?;
            }
        }
    }
    Ok((sequences.is_empty() || try_all(&sequences, arguments)?) && all_hold)
}

fn try_all(sequences: &[(&PathBuf, Saved)], arguments: &ReplayArguments) -> Result<bool, ReplayError> {
    std::panic::set_hook(Box::new(|_| {}));
    let machines = Machines::new(arguments.privileges)?;
    let (mut same, mut different) = (0, 0);
    let mut progress = Progress::of(sequences.len() as u64, "sequences");
    for (path, saved) in sequences {
        if try_saved(&machines, path, saved, arguments, &progress)? {
            same += 1;
        } else {
            different += 1;
        }
        progress.reach(same + different);
    }
    drop(progress);
    println!("{same} the same, {different} different");
    Ok(different == 0)
}

fn read(path: &Path) -> Result<File, ReplayError> {
    let text = std::fs::read(path).map_err(|error| ReplayError::File { path: path.into(), error })?;
    if let Ok(found) = serde_json::from_slice(&text) {
        return Ok(File::Found(found));
    }
    let sequence = serde_json::from_slice(&text);
    sequence.map(File::Sequence).map_err(|error| ReplayError::Format { path: path.into(), error })
}

fn try_saved(
    machines: &Machines,
    path: &Path,
    saved: &Saved,
    arguments: &ReplayArguments,
    progress: &Progress,
) -> Result<bool, ReplayError> {
    let looks = if arguments.check_every_call { Looks::AfterEveryCall } else { saved.looks() };
    let outcome = machines.try_sequence(&saved.sequence, looks)?;
    if arguments.verbose || outcome.divergence.is_some() {
        progress.suspend(|| print!("{}:\n{}", path.display(), script(&saved.sequence, &outcome)));
    }
    let Some(divergence) = outcome.divergence else { return Ok(true) };
    if arguments.shrink {
        let failure = Failure { sequence: saved.sequence.clone(), looks, divergence };
        let failure = shrink(machines, failure)?;
        let saved = Saved { note: saved.note.clone(), ..report::saved(&failure, machines.privileges()) };
        let text =
            serde_json::to_string_pretty(&saved).map_err(|error| ReplayError::Format { path: path.into(), error })?;
        std::fs::write(path, text + "\n").map_err(|error| ReplayError::File { path: path.into(), error })?;
    }
    Ok(false)
}
