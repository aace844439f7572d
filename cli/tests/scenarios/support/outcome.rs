//! What became of a command.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

/// The exit status of a command and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        Self::from_output(command.output().unwrap())
    }

    /// Of a command that has run to its end.
    pub(crate) fn from_output(output: Output) -> Self {
        assert_eq!(output.status.signal(), None, "cofferdam itself was killed by a signal");
        Self {
            status: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The text, of a run that went well.
    #[track_caller]
    pub(crate) fn success(&self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{self:?}");
        self.text()
    }

    /// The message, of a run that failed with this status.
    #[track_caller]
    pub(crate) fn failure(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        &self.stderr
    }
}
