//! How many sequences there were: libFuzzer counts inputs, which have several.

use std::cell::Cell;

/// How many sequences there are between two lines.
const INTERVAL: u64 = 1 << 17;

thread_local! {
    static SO_FAR: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// One more sequence, of so many calls. Every now and then there is a line on standard error.
pub(super) fn count(calls: u64) {
    let (sequences, all_calls) = SO_FAR.get();
    let (sequences, all_calls) = (sequences + 1, all_calls + calls);
    SO_FAR.set((sequences, all_calls));
    if sequences % INTERVAL == 0 {
        eprintln!("{sequences} sequences, {all_calls} calls");
    }
}
