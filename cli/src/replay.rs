//! `cofferdam replay`: why a mount failed, on a machine that is out of reach.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cofferdam_replay::{Beginning, Trace, TraceError};
use cofferdam_vfs_sim::{Linux, LoadError, sample};

use crate::arguments::ReplayArguments;
use crate::mounts::write;
use crate::progress::Progress;
use crate::run::Failure;

/// The log can't be replayed.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("cannot read the log {}: {error}", path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error("{} is no log of strace: {error}", path.display())]
    Parse { path: PathBuf, error: TraceError },
    #[error("cannot read the mount table {}: {error}", path.display())]
    MountTable { path: PathBuf, error: io::Error },
    #[error("{} is no mount table: {error}", path.display())]
    Load { path: PathBuf, error: LoadError },
}

/// The exit status if a call gives something else, as with diff(1).
const DIFFERENT: i32 = 1;

/// Replays a log. Gives the exit status.
pub(crate) fn replay(arguments: &ReplayArguments) -> Result<i32, Failure> {
    let machine = match &arguments.mountinfo {
        Some(path) => machine(path)?,
        None => sample::host(),
    };
    let path = &arguments.trace;
    let text = read(path).map_err(|error| ReplayError::Log { path: path.clone(), error })?;
    let trace = Trace::parse(&text).map_err(|error| ReplayError::Parse { path: path.clone(), error })?;
    let beginning = Beginning { user: arguments.user, directory: arguments.directory.clone() };
    let report = {
        let progress = Progress::of(trace.events.len(), "events");
        cofferdam_replay::replay_with_progress(&trace, &machine, &beginning, &mut |done| progress.reach(done))?
    };
    write(&if arguments.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.to_string() })?;
    Ok(if report.difference.is_none() { 0 } else { DIFFERENT })
}

fn machine(path: &Path) -> Result<Linux, ReplayError> {
    let text = read(path).map_err(|error| ReplayError::MountTable { path: path.into(), error })?;
    Linux::from_mountinfo(&text).map_err(|error| ReplayError::Load { path: path.into(), error })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    Ok(text)
}
