//! `cofferdam sim`: a shell on a simulated machine.

mod console;
mod state;

cfg_if::cfg_if! {
    if #[cfg(any(unix, windows))] {
        mod interactive;
    }
}

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;
