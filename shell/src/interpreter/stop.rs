//! Why a command does not go on to its end.

use cofferdam::kernel::Signal;

/// What ends the commands around a command as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `break` of so many loops.
    Break(usize),
    /// `continue` of the loop so many out.
    Continue(usize),
    /// `return`
    Return(i32),
    /// `exit`, or a failure under `set -e`.
    Exit(i32),
    /// Ctrl-C, for a shell that a person types into.
    Interrupt,
    /// An error after which a shell exits that is not interactive. It has been reported.
    Error(i32),
    /// The same, not reported yet.
    Fatal(Vec<u8>),
}

/// The status after Ctrl-C.
pub(super) const INTERRUPTED: i32 = 128 + Signal::INT.0;

impl Stop {
    pub(super) fn fatal(message: impl Into<Vec<u8>>) -> Self {
        Self::Fatal(message.into())
    }
}

/// Goes on after Ctrl-C.
pub(super) fn interrupted(stop: Stop) -> Result<(), Stop> {
    if stop == Stop::Interrupt { Ok(()) } else { Err(stop) }
}

/// What a command comes to: its exit status.
pub(super) type Executed = Result<i32, Stop>;
