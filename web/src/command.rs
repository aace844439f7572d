//! What somebody has typed, as data: enough to do it again.

use serde::{Deserialize, Serialize};

/// What is typed while a command waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A line, without its end.
    Line(String),
    /// Ctrl-D: the end of the file, for who reads now.
    End,
    /// Ctrl-C.
    Interrupt,
}

/// A command, and what was typed while it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What was typed at the prompt; several lines if it goes on in the next one.
    pub text: String,
    /// What was typed while it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<Input>,
    /// Ctrl-C while it was at work: how often the shell and its programs had been asked by then whether they may go on. A number
    /// of theirs, and no time, so that it is the same at every repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_after: Option<u64>,
}

/// A session to be kept: in the link to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSession {
    /// Of this format.
    pub version: u32,
    /// The mount table that the machine began with; none for the sample host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mountinfo: Option<String>,
    /// In the order in which they were typed.
    pub commands: Vec<Command>,
}

impl SavedSession {
    /// The format that is written, and the only one that is read.
    pub const VERSION: u32 = 1;
}
