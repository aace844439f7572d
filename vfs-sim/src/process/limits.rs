//! The limits of resources (getrlimit(2)).

use cofferdam::kernel::{Capabilities, Rlimit, RlimitResource};
use serde::{Deserialize, Serialize};

use super::Task;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::UserNamespace;

/// How many processes and pending signals a user can have (`fork_init()`: it depends on the memory of the machine).
const MAX_USER_PROCESSES: u64 = 96_365;

/// The sysctl fs.nr_open: a limit of descriptors can't be higher.
const MAX_DESCRIPTORS: u64 = 1024 * 1024;

const STACK: u64 = 8 * 1024 * 1024;

/// The limits of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits(Vec<(RlimitResource, Rlimit)>);

/// A limit as a number to compare with.
pub(crate) trait RlimitValue {
    /// The number; infinity is the highest one.
    fn value(self) -> u64;
}

impl RlimitValue for Option<u64> {
    fn value(self) -> u64 {
        self.unwrap_or(u64::MAX)
    }
}

impl Limits {
    /// Those of the first process (`INIT_RLIMITS`); where nothing is said, there is none.
    pub(crate) fn initial() -> Self {
        let limit = |soft, hard| Rlimit { soft, hard };
        Self(vec![
            (RlimitResource::RLIMIT_STACK, limit(Some(STACK), None)),
            (RlimitResource::RLIMIT_CORE, limit(Some(0), None)),
            (RlimitResource::RLIMIT_NPROC, limit(Some(MAX_USER_PROCESSES), Some(MAX_USER_PROCESSES))),
            (RlimitResource::RLIMIT_NOFILE, limit(Some(1024), Some(4096))),
            (RlimitResource::RLIMIT_MEMLOCK, limit(Some(STACK), Some(STACK))),
            (RlimitResource::RLIMIT_SIGPENDING, limit(Some(MAX_USER_PROCESSES), Some(MAX_USER_PROCESSES))),
            (RlimitResource::RLIMIT_MSGQUEUE, limit(Some(819_200), Some(819_200))),
            (RlimitResource::RLIMIT_NICE, limit(Some(0), Some(0))),
            (RlimitResource::RLIMIT_RTPRIO, limit(Some(0), Some(0))),
        ])
    }

    /// The limit of a resource.
    pub(crate) fn get(&self, resource: RlimitResource) -> Rlimit {
        let found = self.0.iter().find(|(other, _)| *other == resource);
        found.map_or(Rlimit { soft: None, hard: None }, |(_, limit)| *limit)
    }

    /// What is enforced.
    pub(crate) fn soft(&self, resource: RlimitResource) -> Option<u64> {
        self.get(resource).soft
    }

    fn set(&mut self, resource: RlimitResource, limit: Rlimit) {
        match self.0.iter_mut().find(|(other, _)| *other == resource) {
            Some((_, old)) => *old = limit,
            None => self.0.push((resource, limit)),
        }
    }
}

impl Linux {
    /// Sets a limit of a process (`do_prlimit()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the soft limit is above the hard one; `EPERM` if it may not be raised so high.
    pub(crate) fn set_limit(&mut self, task: Id<Task>, resource: RlimitResource, limit: Rlimit) -> Result<(), Failure> {
        let hard = limit.hard.value();
        if limit.soft.value() > hard {
            return Err(fail!(EINVAL, "do_prlimit()", "the soft limit is above the hard limit"));
        }
        if resource == RlimitResource::RLIMIT_NOFILE && hard > MAX_DESCRIPTORS {
            return Err(fail!(EPERM, "do_prlimit()", "the hard limit is above /proc/sys/fs/nr_open"));
        }
        let old = self.tasks[task].limits.get(resource).hard.value();
        if hard > old && !self.capable(task, Capabilities::CAP_SYS_RESOURCE) {
            return Err(fail!(
                EPERM,
                "do_prlimit()",
                "the hard limit would be raised without CAP_SYS_RESOURCE in the initial user namespace"
            ));
        }
        self.tasks[task].limits.set(resource, limit);
        Ok(())
    }

    /// The first descriptor that a process can't open (`rlimit(RLIMIT_NOFILE)`).
    pub(crate) fn descriptor_limit(&self, task: Id<Task>) -> usize {
        let limit = self.tasks[task].limits.soft(RlimitResource::RLIMIT_NOFILE).value();
        usize::try_from(limit.min(MAX_DESCRIPTORS)).unwrap_or(usize::MAX)
    }

    /// Whether the processes of a user, with `more` that are about to be, are more than a process may have, or those of a
    /// user namespace more than are allowed there (`is_rlimit_overlimit()` of `UCOUNT_RLIMIT_NPROC`).
    pub(crate) fn has_too_many_processes(&self, task: Id<Task>, user: (Id<UserNamespace>, u32), more: u64) -> bool {
        let mut limit = self.tasks[task].limits.soft(RlimitResource::RLIMIT_NPROC).value();
        let mut user = Some(user);
        while let Some((namespace, uid)) = user {
            if self.process_count(namespace, uid) + more > limit {
                return true;
            }
            let object = &self.user_namespaces[namespace];
            limit = object.max_processes;
            user = object.parent.map(|parent| (parent, object.owner));
        }
        false
    }

    /// How many processes count as a user's: those in user namespaces that the user made do as well (`struct ucounts`).
    fn process_count(&self, namespace: Id<UserNamespace>, uid: u32) -> u64 {
        let counts = |(_, task): &(Id<Task>, &Task)| {
            let mut charged = Some((task.credentials.user_namespace, task.credentials.uid));
            while let Some((at, who)) = charged {
                if at == namespace {
                    return who == uid;
                }
                let object = &self.user_namespaces[at];
                charged = object.parent.map(|parent| (parent, object.owner));
            }
            false
        };
        self.tasks.iter().filter(counts).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::Errno;

    use super::*;

    #[test]
    fn a_hard_limit_is_raised_with_a_capability_only() {
        let mut linux = Linux::new();
        let init = linux.init();
        let limit = |soft, hard| Rlimit { soft, hard };
        let core = RlimitResource::RLIMIT_CORE;
        assert_eq!(linux.set_limit(init, core, limit(Some(2), Some(1))).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.set_limit(init, core, limit(None, Some(1))).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.set_limit(init, core, limit(Some(1), Some(1))), Ok(()));
        assert_eq!(linux.set_limit(init, core, limit(None, None)), Ok(()));
        assert_eq!(
            linux.set_limit(init, RlimitResource::RLIMIT_NOFILE, limit(Some(3), None)).map_err(Failure::errno),
            Err(Errno::EPERM)
        );
        let mut credentials = (*linux.tasks[init].credentials).clone();
        credentials.effective.remove(Capabilities::CAP_SYS_RESOURCE);
        linux.commit_credentials(init, credentials);
        assert_eq!(linux.set_limit(init, core, limit(Some(1), Some(1))), Ok(()));
        assert_eq!(linux.set_limit(init, core, limit(Some(1), Some(2))).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.set_limit(init, core, limit(Some(0), Some(1))), Ok(()));
    }
}
