//! Whether a process may look into another one (`kernel/ptrace.c`).

use cofferdam::kernel::Capabilities;

use super::{Task, TaskState};
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// Whether a process may read what concerns another one, or itself, such as the links of `/proc/<pid>`
    /// (`ptrace_may_access()` with `PTRACE_MODE_READ_FSCREDS`).
    pub(crate) fn may_access(&self, task: Id<Task>, target: Id<Task>) -> bool {
        if task == target {
            return true;
        }
        let own = &self.tasks[task].credentials;
        let others = &self.tasks[target].credentials;
        let is_same_user =
            [others.effective_uid, others.saved_uid, others.uid].iter().all(|uid| *uid == own.filesystem_uid)
                && [others.effective_gid, others.saved_gid, others.gid].iter().all(|gid| *gid == own.filesystem_gid);
        let may_trace_in = |namespace| self.ns_capable(task, namespace, Capabilities::CAP_SYS_PTRACE);
        if !is_same_user && !may_trace_in(others.user_namespace) {
            return false;
        }
        // The memory of one that has ended is gone.
        let memory_namespace = match self.tasks[target].state {
            TaskState::Running => self.tasks[target].memory_namespace,
            TaskState::Exiting(_) | TaskState::Zombie(_) => self.initial_user_namespace,
        };
        if !self.tasks[target].is_dumpable && !may_trace_in(memory_namespace) {
            return false;
        }
        let is_superset = own.user_namespace == others.user_namespace && own.effective.contains(others.permitted);
        is_superset || may_trace_in(others.user_namespace)
    }
}
