//! Why a call failed.

use cofferdam::kernel::{Call, Errno};
use cofferdam_vfs_sim::{Id, Linux, Task};

/// Why a call fails on a machine, as far as that can be told: the one place from which reports take it.
pub(crate) fn reason(_linux: &Linux, _task: Id<Task>, _call: &Call, _errno: Errno) -> Option<String> {
    None
}
