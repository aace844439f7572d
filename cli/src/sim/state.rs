//! The file that a simulated machine is kept in between two calls of `cofferdam sim`.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cofferdam_vfs_sim::Linux;

/// What a state file begins with; the number is that of the format.
const HEADER: &[u8] = b"cofferdam simulated machine 2\n";

/// A state file, which nobody else uses meanwhile.
pub(super) struct StateFile {
    path: PathBuf,
    /// Held until the machine is saved, or forever given up.
    _lock: File,
}

/// A state file that is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    #[error("cannot {operation} the state file {}: {source}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} is not a state file of this version of cofferdam: remove it, or name another one, to start with a new machine",
        path.display()
    )]
    Foreign { path: PathBuf },
    #[error("the state file {} is damaged ({reason}): remove it to start with a new machine", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("cannot put the machine into a form to be saved: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

impl StateFile {
    /// Waits until nobody else uses the file, and reads the machine in it; none if there is no such file yet.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Linux>), StateError> {
        let lock = lock(path)?;
        let file = Self { path: path.to_path_buf(), _lock: lock };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((file, None)),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let Some(encoded) = bytes.strip_prefix(HEADER) else {
            return Err(StateError::Foreign { path: path.to_path_buf() });
        };
        let damaged = |reason: String| StateError::Damaged { path: path.to_path_buf(), reason };
        let linux: Linux = rmp_serde::from_slice(encoded).map_err(|error| damaged(error.to_string()))?;
        // What does not hang together would end in a panic, somewhere.
        linux.check().map_err(|error| damaged(error.to_string()))?;
        Ok((file, Some(linux)))
    }

    /// Saves the machine; the file has the old or the new one, whatever happens meanwhile.
    pub(super) fn save(self, linux: &Linux) -> Result<(), StateError> {
        let mut bytes = HEADER.to_vec();
        rmp_serde::encode::write(&mut bytes, linux)?;
        let new = beside(&self.path, ".new");
        let write = || File::create(&new)?.write_all(&bytes);
        write().map_err(failed("write", &new))?;
        fs::rename(&new, &self.path).map_err(failed("replace", &self.path))
    }
}

/// Locks a file beside the state file, which is itself replaced whenever it is saved.
fn lock(path: &Path) -> Result<File, StateError> {
    let path = beside(path, ".lock");
    let file = File::options().create(true).append(true).open(&path).map_err(failed("lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            tracing::info!("waiting for another cofferdam sim that uses {}", path.display());
            file.lock().map_err(failed("lock", &path))?;
            Ok(file)
        }
        // Where there are no locks there is one process.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError + use<> {
    let path = path.to_path_buf();
    move |source| StateError::Io { operation, path, source }
}

#[cfg(test)]
mod tests {
    use cofferdam_shell::Machine;

    use super::*;

    /// Whatever is in the file, it is a machine that hangs together, or an error.
    #[test]
    fn a_state_file_in_which_something_has_changed_is_damaged_or_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (file, none) = StateFile::open(&path).unwrap();
        assert!(none.is_none());
        file.save(&Machine::boot()).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut damaged = 0;
        for place in (HEADER.len()..whole.len()).step_by(whole.len() / 200) {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            fs::write(&path, &changed).unwrap();
            match StateFile::open(&path) {
                Ok((_, Some(linux))) => linux.check().unwrap(),
                Ok((_, None)) => panic!("the file is there"),
                Err(error) => {
                    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
                    assert!(error.to_string().contains("remove it to start with a new machine"), "{error}");
                    damaged += 1;
                }
            }
        }
        assert!(damaged > 0);
    }
}
