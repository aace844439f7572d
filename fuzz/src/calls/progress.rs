//! How many sequences there were: libFuzzer counts inputs, which have several.

use std::cell::Cell;

/// How many sequences there are between two lines.
const INTERVAL: u64 = 1 << 17;

/// What there was so far.
#[derive(Clone, Copy)]
struct Progress {
    sequences: u64,
    /// The calls that they consist of.
    length: u64,
    /// Those that were carried out: what sequences have in common only once.
    calls: u64,
}

thread_local! {
    static SO_FAR: Cell<Progress> = const { Cell::new(Progress { sequences: 0, length: 0, calls: 0 }) };
}

/// One more sequence, of so many calls, the last of which were carried out. Every now and then there is a line on standard
/// error.
pub(super) fn count(length: u64, calls: u64) {
    let before = SO_FAR.get();
    let Progress { sequences, length, calls } =
        Progress { sequences: before.sequences + 1, length: before.length + length, calls: before.calls + calls };
    SO_FAR.set(Progress { sequences, length, calls });
    if sequences % INTERVAL == 0 {
        eprintln!("{sequences} sequences, {length} calls, {calls} of them carried out");
    }
}
