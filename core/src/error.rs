//! The error that a failed system call becomes: what was being done, to which path, and why it failed.

use std::fmt;

use serde::{Deserialize, Serialize};
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

/// A failed operation, for programs: what a command writes that is to answer in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Which operation, such as `prepare`.
    pub operation: String,
    /// The path that it failed at, if one can be told.
    pub path: Option<Bytes>,
    /// Why, if a system call failed: its name, or its number if it has none.
    pub errno: Option<Errno>,
    /// What a person is told, hint included.
    pub message: String,
    /// What helps, where that is known.
    pub hint: Option<String>,
}

impl Report {
    /// An operation that failed without a system call to blame.
    pub fn new(operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self { operation: operation.into(), path: None, errno: None, message: message.into(), hint: None }
    }

    /// An operation that failed because a system call did.
    pub fn of_call(operation: impl Into<String>, error: &CallError) -> Self {
        Self {
            operation: operation.into(),
            path: Some(error.path.clone()),
            errno: Some(error.errno),
            message: error.to_string(),
            hint: error.hint.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_for_programs() {
        let error = CallError::new("open", UnixPath::new("/a"), Errno::ENOENT).with_hint("make it");
        let expected = serde_json::json!({
            "operation": "prepare",
            "path": "/a",
            "errno": "ENOENT",
            "message": "cannot open \"/a\": ENOENT (No such file or directory); make it",
            "hint": "make it",
        });
        assert_eq!(serde_json::to_value(Report::of_call("prepare", &error)).unwrap(), expected);
        let expected = serde_json::json!({
            "operation": "update", "path": null, "errno": null, "message": "no", "hint": null,
        });
        assert_eq!(serde_json::to_value(Report::new("update", "no")).unwrap(), expected);
    }
}
