//! What a machine has when it has booted.

use cofferdam::error::CallError;
use cofferdam_vfs_sim::{Linux, sample};

use crate::programs::PROGRAMS;

/// The sample host, which has booted as one with systemd does, with all programs on its disk.
///
/// # Panics
///
/// Never: what the host is made of is constant, and a test makes it.
#[allow(clippy::expect_used, reason = "see above")]
pub(crate) fn boot() -> Linux {
    furnish(sample::host()).expect("there is room for the programs")
}

/// The files of the sample host, and all programs, on a kernel with other mounts, where it has no files of these names.
///
/// # Errors
///
/// If a file can't be made.
pub(crate) fn furnish(linux: Linux) -> Result<Linux, CallError> {
    sample::furnished_with(linux, PROGRAMS.iter().map(|(name, _)| *name))
}
