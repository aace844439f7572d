//! What a page in a browser shows of a simulated machine: what is typed at its shell, its mounts, and how both were before.
//!
//! A [`History`] is a machine's beginning and the commands that were typed at it; going back is doing them again from the
//! beginning, up to there. Only `bindings` knows JavaScript, and is there only for it; the rest is tested like everything else.
#![forbid(unsafe_code)]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod bindings;
mod command;
mod completed;
mod history;
mod moment;
mod mounts;
mod simulation;
mod terminal;

pub use command::{Command, Input, SavedSession};
pub use completed::Completed;
pub use history::{History, HistoryError};
pub use moment::{Moment, State};
pub use mounts::{Changes, NamespaceTree, Picture, Pictures};
pub use terminal::{Piece, Voice};
