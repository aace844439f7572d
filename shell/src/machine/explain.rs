//! Why the system calls failed of which a program complains.

use cofferdam::kernel::{Call, Errno};
use cofferdam_vfs_sim::{FailedCall, Process};

use super::Machine;

impl Machine {
    /// Lets every message of a program or builtin on standard error be followed by the system calls that have failed since it
    /// began, or since its last message, each with the rule of the kernel that it met. Calls that only look are left out if
    /// another one failed. Scripts that read messages read those lines as well.
    pub fn explain(&self) {
        self.explains.set(true);
        self.init.linux().note_failures(true);
    }

    /// What follows a message of this process: lines, or nothing.
    pub(crate) fn explanation(&self, process: &Process) -> Vec<u8> {
        if !self.explains.get() {
            return Vec::new();
        }
        let failures = process.linux().take_failures(process.task());
        let (looks, mut acts): (Vec<_>, Vec<_>) = failures.into_iter().partition(|failed| only_looks(&failed.call));
        // Programs look for many things that need not be there: what does not lead to another call is what was missed.
        if acts.is_empty() {
            acts.extend(looks.into_iter().rev().find(|failed| !tells_no_link(failed)));
        }
        // What is tried again fails again.
        acts.dedup();
        acts.iter().map(|failed| format!("  {failed}\n")).collect::<String>().into_bytes()
    }

    /// Something begins that has nothing to do with what this process did before.
    pub(crate) fn forget_failures(&self, process: &Process) {
        if self.explains.get() {
            process.linux().take_failures(process.task());
        }
    }
}

/// Whether a call is one by which programs find out what there is.
fn only_looks(call: &Call) -> bool {
    matches!(call, Call::Statx { .. } | Call::Readlinkat { .. } | Call::Statfs { .. } | Call::Lseek { .. })
}

/// Whether a call has only told that something is no symbolic link, as it does for each component of a path that is resolved.
fn tells_no_link(failed: &FailedCall) -> bool {
    matches!(failed.call, Call::Readlinkat { .. }) && failed.rule.errno() == Errno::EINVAL
}
