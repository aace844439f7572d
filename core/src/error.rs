//! The error that a failed system call becomes: what was being done, to which path, and why it failed.

use std::fmt;

use typed_path::UnixPath;

use crate::kernel::{Bytes, Errno};

/// A system call failed.
///
/// It is displayed as `cannot create directory "/a/b": EROFS (Read-only file system)`, followed by what helps against
/// it where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CallError {
    /// What was being done, as in "create directory".
    pub action: &'static str,
    /// To which path, as the caller knows it.
    pub path: Bytes,
    /// Why it failed.
    pub errno: Errno,
    /// What to do about it.
    pub hint: Option<String>,
}

impl CallError {
    /// An error without a hint.
    pub fn new(action: &'static str, path: &UnixPath, errno: Errno) -> Self {
        Self { action, path: path.into(), errno, hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path, self.errno)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Says what a call was for.
pub(crate) trait Doing<T> {
    /// `action` was being done to `path`.
    fn doing(self, action: &'static str, path: &UnixPath) -> Result<T, CallError>;
}

impl<T> Doing<T> for Result<T, Errno> {
    fn doing(self, action: &'static str, path: &UnixPath) -> Result<T, CallError> {
        self.map_err(|errno| CallError::new(action, path, errno))
    }
}
