//! Mount tables of this machine.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::progress::Progress;
use crate::run::Failure;

/// The text of a mount table.
#[derive(Debug)]
pub(crate) struct Text {
    /// Whose it is.
    pub(crate) name: String,
    /// Where it was read.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// Where a mount table is to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Ourselves,
    Process(u32),
    File(&'a Path),
}

/// A table can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {error}{}", .path.display(), hint(.error))]
struct ReadError {
    path: PathBuf,
    error: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; the mounts of another user's process can be read by root alone",
        io::ErrorKind::NotFound if !cfg!(target_os = "linux") => "; name a copy of one of Linux with --file",
        _ => "",
    }
}

impl<'a> Source<'a> {
    /// The file, or the process, that is named; else we ourselves.
    pub(crate) fn of(file: Option<&'a Path>, pid: Option<u32>) -> Self {
        match (file, pid) {
            (Some(file), _) => Self::File(file),
            (None, Some(pid)) => Self::Process(pid),
            (None, None) => Self::Ourselves,
        }
    }

    /// Whether it is a copy.
    pub(crate) fn is_saved(self) -> bool {
        matches!(self, Self::File(_))
    }

    fn path(self) -> PathBuf {
        match self {
            Self::Ourselves => "/proc/self/mountinfo".into(),
            Self::Process(pid) => format!("/proc/{pid}/mountinfo").into(),
            Self::File(path) => path.into(),
        }
    }

    /// Whose table it is, for people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Ourselves => "this process".into(),
            Self::Process(pid) => named(pid),
            Self::File(path) => path.display().to_string(),
        }
    }

    pub(crate) fn read(self) -> Result<Text, Failure> {
        let path = self.path();
        let mut bytes = Vec::new();
        let read = match self {
            Self::File(file) if file == Path::new("-") => io::stdin().lock().read_to_end(&mut bytes).map(drop),
            _ => fs::read(&path).map(|read| bytes = read),
        };
        read.map_err(|error| ReadError { path: path.clone(), error })?;
        Ok(Text { name: String::new(), path: path.display().to_string(), bytes })
    }

    /// The tables of the other mount namespaces of this machine that a process is in, and whose we may read. None for a table
    /// that is not of this machine.
    pub(crate) fn others(self) -> Vec<Text> {
        let own = match self {
            Self::Ourselves => namespace("self"),
            Self::Process(pid) => namespace(&pid.to_string()),
            Self::File(_) => return Vec::new(),
        };
        let mut seen: HashSet<PathBuf> = own.into_iter().collect();
        let mut processes: Vec<u32> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        processes.sort_unstable();
        let mut tables = Vec::new();
        let progress = Progress::of(processes.len(), "processes");
        for pid in processes {
            if namespace(&pid.to_string()).is_some_and(|namespace| seen.insert(namespace)) {
                tables.extend(of_process(pid));
            }
            progress.advance();
        }
        tables
    }
}

/// The mount namespace of a process, `mnt:[4026531841]`; `None` if it has ended, or is another user's.
fn namespace(process: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
}

/// `None` if it has ended.
fn of_process(pid: u32) -> Option<Text> {
    let path = format!("/proc/{pid}/mountinfo");
    let bytes = fs::read(&path).ok()?;
    Some(Text { name: named(pid), path, bytes })
}

/// `dockerd[812]`
fn named(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{}[{pid}]", String::from_utf8_lossy(command.trim_ascii_end()))
}
