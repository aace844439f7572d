//! Measuring what takes few milliseconds, or less.

use std::thread;
use std::time::Duration;

use crate::Failure;

/// How long the kernel takes at most to do what it has put off.
const SETTLED: Duration = Duration::from_millis(30);

/// How often it is done.
const COUNT: usize = 7;

/// The median of some in a row, once the kernel has done what it has put off (such as to free the files of a recovery). What
/// is short costs twice as much, or half, by what comes before it: by what the caches have, and by how soon the other CPUs
/// answer (umount2(2) waits for them). So the same comes before on every host.
pub fn in_a_row(mut measure: impl FnMut() -> Result<Duration, Failure>) -> Result<Duration, Failure> {
    thread::sleep(SETTLED);
    let mut times = (0..COUNT).map(|_| measure()).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    Ok(times[COUNT / 2])
}
