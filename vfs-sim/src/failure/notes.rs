//! What a kernel remembers of calls that failed.

use std::collections::VecDeque;
use std::fmt;

use cofferdam::kernel::{Call, Errno};

use super::{Failure, Rule};
use crate::arena::Id;
use crate::linux::Linux;
use crate::process::{Task, WOULD_WAIT};

/// As many are kept.
const KEPT: usize = 1000;

/// A call that failed, and by which rule.
///
/// It is displayed as by strace(1), with the rule in the place of the error's description:
/// `mount(NULL, "/srv", NULL, MS_SHARED, NULL) = -1 EINVAL: the target is not the root of a mount (do_change_type())`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCall {
    /// The call.
    pub call: Call,
    /// By which it failed.
    pub rule: &'static Rule,
}

impl FailedCall {
    /// Whether the call is one by which programs find out what there is: that it failed can have been an answer.
    pub fn only_looks(&self) -> bool {
        matches!(
            self.call,
            Call::Statx { .. }
                | Call::Readlinkat { .. }
                | Call::Statfs { .. }
                | Call::Fstatfs { .. }
                | Call::Lseek { .. }
        )
    }
}

impl fmt::Display for FailedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = -1 {}: {}", self.call, self.rule.errno().name().unwrap_or("?"), self.rule)
    }
}

/// What a kernel remembers of calls that failed. It is no part of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    /// The last call, if it failed.
    last: Option<Failure>,
    /// What is noted, if that is wanted, the oldest first.
    noted: Option<VecDeque<Noted>>,
}

#[derive(Clone, Debug)]
struct Noted {
    /// Which of all processes that ever were has made the call.
    process: Option<u64>,
    failed: FailedCall,
}

impl Linux {
    /// The rule by which the last call failed; `None` if it succeeded, or none was made. A kernel that is loaded does not
    /// know.
    ///
    /// ```
    /// use cofferdam::UnixPath;
    /// use cofferdam::kernel::{Errno, Kernel, MountFlags};
    /// use cofferdam_vfs_sim::{Process, sample};
    ///
    /// let process = Process::init(sample::host());
    /// let root = UnixPath::new("/");
    /// process.mount(None, root, None, MountFlags::MS_UNBINDABLE, None)?;
    /// let copied = process.mount(Some(root), UnixPath::new("/mnt"), None, MountFlags::MS_BIND, None);
    /// assert_eq!(copied, Err(Errno::EINVAL));
    /// let rule = process.linux().why().expect("a rule was met");
    /// assert_eq!(rule.to_string(), "the mount at the source is unbindable (__do_loopback())");
    /// # Ok::<(), Errno>(())
    /// ```
    pub fn why(&self) -> Option<&'static Rule> {
        self.failures.last.map(Failure::rule)
    }

    /// Lets the kernel note calls that fail, the last thousand; or no longer. Calls that would wait for another process are
    /// not noted, as they are made again.
    pub fn note_failures(&mut self, whether: bool) {
        self.failures.noted = whether.then(VecDeque::new);
    }

    /// The calls that have failed, as far as they are noted, the oldest first.
    pub fn failures(&self) -> impl Iterator<Item = &FailedCall> {
        self.failures.noted.iter().flatten().map(|noted| &noted.failed)
    }

    /// As [`failures`](Self::failures), of one process; they are not noted any more then.
    pub fn take_failures(&mut self, task: Id<Task>) -> Vec<FailedCall> {
        let process = self.serial_of(task);
        let mut taken = Vec::new();
        if let Some(noted) = &mut self.failures.noted {
            noted.retain(|noted| {
                if noted.process == process {
                    taken.push(noted.failed.clone());
                }
                noted.process != process
            });
        }
        taken
    }

    /// What a call gives back. It is remembered if it is a failure.
    pub(crate) fn answer<R>(
        &mut self,
        task: Id<Task>,
        call: impl FnOnce() -> Call,
        result: Result<R, Failure>,
    ) -> Result<R, Errno> {
        self.failures.last = result.as_ref().err().copied();
        if let Err(failure) = &result {
            self.note_failure(task, call, *failure);
        }
        result.map_err(Failure::errno)
    }

    fn note_failure(&mut self, task: Id<Task>, call: impl FnOnce() -> Call, failure: Failure) {
        if failure == WOULD_WAIT {
            return;
        }
        let process = self.serial_of(task);
        let Some(noted) = &mut self.failures.noted else { return };
        if noted.len() == KEPT {
            noted.pop_front();
        }
        noted.push_back(Noted { process, failed: FailedCall { call: call(), rule: failure.rule() } });
    }

    /// Another call than the last one is what is asked about, and it did not fail.
    pub(crate) fn forget_why(&mut self) {
        self.failures.last = None;
    }
}
