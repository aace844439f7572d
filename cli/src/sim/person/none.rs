//! The person at the terminal, where there are no signals.

use std::io;

/// The person at the terminal.
#[derive(Debug)]
pub(crate) struct Person;

impl Person {
    #[allow(clippy::unnecessary_wraps, reason = "with signals it can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "there are none to take")]
    pub(crate) fn take_interrupt(&self) -> bool {
        false
    }

    /// Whoever reads waits.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "with signals it can fail")]
    pub(crate) fn wait_for_input(&self) -> io::Result<bool> {
        Ok(false)
    }
}
