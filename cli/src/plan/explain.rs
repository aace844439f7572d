//! Which of the system calls that fail in a plan explain something to somebody.

use std::collections::HashSet;

use cofferdam::kernel::{Call, Errno};
use cofferdam_vfs_sim::FailedCall;

use super::Planned;

/// Those that a person is to see, in the order in which they are made.
///
/// If it would fail, these are the calls that the message tells of: with the same error, and of what it names, as far as there
/// are any. Otherwise what is left after the questions whether a file is there, which the answer is no failure to.
pub(super) fn explaining<'p>(planned: &Planned<'p>) -> Vec<&'p FailedCall> {
    let calls = planned.prediction.failed_calls.iter().filter(|failed| !is_after_execve(failed));
    let Some(message) = &planned.prediction.error else {
        return calls.filter(|failed| failed.rule.errno() != Errno::ENOENT).collect();
    };
    let all: Vec<_> = calls.collect();
    let same_error = narrowed(all, |failed| message.contains(failed.rule.errno().description()));
    let named = narrowed(same_error, |failed| names(failed).iter().any(|name| message.contains(&**name)));
    let mut acts = narrowed(named, |failed| !failed.only_looks());
    // What is tried again fails again.
    let mut seen = HashSet::new();
    acts.retain(|failed| seen.insert(failed.to_string()));
    acts
}

/// Those of which something is so; all of them, if it is so of none.
fn narrowed(calls: Vec<&FailedCall>, is_so: impl Fn(&FailedCall) -> bool) -> Vec<&FailedCall> {
    let narrowed: Vec<_> = calls.iter().copied().filter(|failed| is_so(failed)).collect();
    if narrowed.is_empty() { calls } else { narrowed }
}

/// A real execve(2) does not return to what would close descriptors.
fn is_after_execve(failed: &FailedCall) -> bool {
    matches!(failed.call, Call::Close { .. }) && failed.rule.errno() == Errno::EBADF
}

/// The strings among the arguments, as they are printed.
fn names(failed: &FailedCall) -> Vec<String> {
    let call = failed.call.to_string();
    call.split('"').skip(1).step_by(2).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
