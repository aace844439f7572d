//! The descriptors through which processes of a sequence are steered: high numbers, which the sequences keep away from.

use cofferdam::kernel::{Call, Fd, ResolveFlags, Signal};

use crate::sequence::TaskIndex;

/// Descriptors from here on belong to the machinery.
pub const FIRST: i32 = 960;

/// Signals that end nobody, and may be sent to many at once; 0 is none.
const HARMLESS: [Signal; 4] = [Signal(0), Signal::CHLD, Signal::CONT, Signal::WINCH];

/// Where results are written.
pub const RESULTS: Fd = Fd(FIRST);
/// The directory of the machine's proc.
pub const PROC: Fd = Fd(FIRST + 1);
const TURNS: i32 = FIRST + 2;

/// Where a process hears that it is its turn.
pub fn turn_of(task: TaskIndex) -> Fd {
    Fd(TURNS + 2 * number(task))
}

/// Where it is told.
pub fn turn_to(task: TaskIndex) -> Fd {
    Fd(TURNS + 2 * number(task) + 1)
}

fn number(task: TaskIndex) -> i32 {
    i32::try_from(task).unwrap_or(i32::MAX / 4)
}

/// Whether a call leaves those descriptors alone. Whether it would wait, or end a process, depends on the state (see
/// [`Simulated::perform`](crate::simulated::Simulated::perform)).
pub fn spares(call: &Call) -> bool {
    match call {
        Call::Close { fd } | Call::Read { fd, .. } | Call::Write { fd, .. } | Call::Setns { fd, .. } => fd.0 < FIRST,
        Call::CloseRange { first, last, .. } => {
            // Nothing is closed if the range is empty.
            first > last || i32::try_from(*last).is_ok_and(|last| last < FIRST)
        }
        Call::Dup3 { oldfd, newfd, .. } => oldfd.0 < FIRST && newfd.0 < FIRST,
        // Its child would have to be waited for, and what it does is no data.
        Call::Clone3 { .. } => false,
        // The machinery's own children are waited for by their end.
        Call::Kill { pid, signal } => HARMLESS.contains(signal) || pid.0 > 0,
        // What is cached is nobody's business.
        Call::Openat2 { how, .. } => !how.resolve.contains(ResolveFlags::RESOLVE_CACHED),
        _ => true,
    }
}
