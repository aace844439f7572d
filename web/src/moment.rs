//! A moment of a session, as the page shows it.

use serde::Serialize;

use crate::mounts::{Changes, Pictures};
use crate::terminal::Piece;

/// What can be typed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A command.
    Ready,
    /// What the last command waits for.
    Waiting,
    /// Nothing: the shell has ended.
    Exited,
}

/// What there is to see after a command; at first, after none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// How many commands have been typed.
    pub number: usize,
    /// What was printed by the last one, and typed into it.
    pub pieces: Vec<Piece>,
    /// Its exit status.
    pub status: i32,
    /// What stands in front of the next line.
    pub prompt: String,
    /// What can be typed next.
    pub state: State,
    /// The mounts.
    pub pictures: Pictures,
    /// What of them is different from the moment before.
    pub changes: Changes,
}
