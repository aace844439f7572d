//! Pid namespaces (`struct pid_namespace`) and the process ids in them.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use cofferdam::kernel::Pid;

use super::{Counted, Owner, UserNamespace};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::Task;

/// Once the ids have been given out, those from here on are given out again (`RESERVED_PIDS`).
const AFTER_RESERVED: i32 = 300;

/// The sysctl kernel.pid_max of a new namespace (`PID_MAX_LIMIT`).
pub(crate) const MAX_PID_LIMIT: i32 = 4 * 1024 * 1024;

/// How deep pid namespaces can be nested (`MAX_PID_NS_LEVEL`).
const MAX_LEVEL: u32 = 32;

/// A pid namespace (`struct pid_namespace`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PidNamespace {
    /// The number that `/proc/<pid>/ns/pid` shows.
    pub(crate) inode: u64,
    /// The one that it was made in; none for the initial one.
    pub(crate) parent: Option<Id<PidNamespace>>,
    /// How deep it is nested, 0 for the initial one.
    pub(crate) level: u32,
    /// The user namespace that owns it.
    pub(crate) user_namespace: Id<UserNamespace>,
    /// The user that it counts for; none for the initial one.
    pub(crate) creator: Option<u32>,
    /// The process that gets the orphans; none before the first process, and after it has been waited for
    /// (`child_reaper`).
    pub(crate) init: Option<Id<Task>>,
    /// Whether there ever was such a process: until then `/proc/<pid>/ns/pid_for_children` does not tell of it.
    pub(crate) had_init: bool,
    /// Whether there can be new processes: not once the first one has ended, or could not be made (`PIDNS_ADDING`).
    pub(crate) is_open: bool,
    /// Where the search for a free id begins.
    pub(crate) next_pid: i32,
    /// The first id that is not given out (`pid_max`).
    pub(crate) pid_max: i32,
    /// Every process that has not been waited for, also of the namespaces below, by its id.
    pub(crate) tasks: OrdMap<i32, Id<Task>>,
    /// How many processes, namespaces and files keep it. One for children counts on its own.
    pub(crate) references: u32,
}

impl PidNamespace {
    /// The next id that is free (`idr_alloc_cyclic()`).
    fn allocate(&mut self) -> Option<i32> {
        let first = if self.next_pid > AFTER_RESERVED { AFTER_RESERVED } else { 1 };
        let start = self.next_pid.max(first);
        let is_free = |pid: &i32| !self.tasks.contains_key(pid);
        let pid = (start..self.pid_max).find(is_free).or_else(|| (first..start.min(self.pid_max)).find(is_free))?;
        self.next_pid = pid + 1;
        Some(pid)
    }
}

impl Linux {
    /// A pid namespace with one reference (`create_pid_namespace()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the owner is not at or below that of the parent; `ENOSPC` if it would be nested too deeply, or be one too
    /// many.
    pub(crate) fn new_pid_namespace(
        &mut self,
        owner: Owner,
        parent: Id<PidNamespace>,
    ) -> Result<Id<PidNamespace>, Failure> {
        let Owner { user_namespace, creator } = owner;
        if !self.is_in_user_namespace(user_namespace, self.pid_namespaces[parent].user_namespace) {
            return Err(fail!(
                EINVAL,
                "create_pid_namespace()",
                "the user namespace is not below the one that owns the pid namespace of the process"
            ));
        }
        let level = self.pid_namespaces[parent].level + 1;
        if level > MAX_LEVEL {
            return Err(fail!(ENOSPC, "create_pid_namespace()", "pid namespaces would be nested more than 32 deep"));
        }
        self.count_up(user_namespace, creator, Counted::PidNamespaces)?;
        let inode = self.new_namespace_inode();
        self.pid_namespaces[parent].references += 1;
        self.user_namespaces[user_namespace].references += 1;
        Ok(self.pid_namespaces.insert(PidNamespace {
            inode,
            parent: Some(parent),
            level,
            user_namespace,
            creator: Some(creator),
            init: None,
            had_init: false,
            is_open: true,
            next_pid: 1,
            pid_max: MAX_PID_LIMIT,
            tasks: OrdMap::new(),
            references: 1,
        }))
    }

    /// Lets the next new process that `viewer` sees have this number, or the next one that is free: what writing the one
    /// before it to `/proc/sys/kernel/ns_last_pid` does.
    pub fn set_next_pid(&mut self, viewer: Id<Task>, pid: Pid) {
        let Some(task) = self.tasks.get(viewer) else { return };
        let namespace = &mut self.pid_namespaces[task.pid_namespace];
        namespace.next_pid = pid.0.clamp(1, namespace.pid_max);
    }

    /// Whether a pid namespace is `ancestor` or below it (`pidns_is_ancestor()`).
    pub(crate) fn is_in_pid_namespace(&self, namespace: Id<PidNamespace>, ancestor: Id<PidNamespace>) -> bool {
        self.pid_namespaces_from(namespace).any(|namespace| namespace == ancestor)
    }

    /// A pid namespace and those that it is in, the initial one last.
    fn pid_namespaces_from(&self, namespace: Id<PidNamespace>) -> impl Iterator<Item = Id<PidNamespace>> {
        std::iter::successors(Some(namespace), |namespace| self.pid_namespaces[*namespace].parent)
    }

    /// The id of a process in a pid namespace; 0 if it is not in there (`pid_nr_ns()`).
    pub(crate) fn pid_in(&self, namespace: Id<PidNamespace>, task: Id<Task>) -> i32 {
        let task = &self.tasks[task];
        if !self.is_in_pid_namespace(task.pid_namespace, namespace) {
            return 0;
        }
        let level = self.pid_namespaces[namespace].level as usize;
        task.pids.get(level).copied().unwrap_or(0)
    }

    /// The id of a process as another one sees it; 0 if it does not (`task_pid_vnr()`).
    pub(crate) fn pid_seen_by(&self, viewer: Id<Task>, task: Id<Task>) -> i32 {
        self.pid_in(self.tasks[viewer].pid_namespace, task)
    }

    /// The process that another one knows by an id, ended or not (`find_task_by_vpid()`).
    pub(crate) fn task_with_pid(&self, viewer: Id<Task>, pid: i32) -> Option<Id<Task>> {
        self.pid_namespaces[self.tasks[viewer].pid_namespace].tasks.get(&pid).copied()
    }

    /// Ids for a new process in a namespace and all that it is in, the initial one first (`alloc_pid()`).
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no id is free; `ENOMEM` if the namespace takes no processes any more.
    pub(crate) fn allocate_pids(&mut self, namespace: Id<PidNamespace>) -> Result<Vec<i32>, Failure> {
        let namespaces: Vec<_> = self.pid_namespaces_from(namespace).collect();
        let mut pids = Vec::with_capacity(namespaces.len());
        for namespace in &namespaces {
            let pid = self.pid_namespaces[*namespace].allocate();
            pids.push(pid.ok_or(fail!(
                EAGAIN,
                "alloc_pid()",
                "all process ids of a pid namespace are in use (pid_max)"
            ))?);
        }
        if namespaces.iter().any(|namespace| !self.pid_namespaces[*namespace].is_open) {
            return Err(fail!(
                ENOMEM,
                "alloc_pid()",
                "the init process of the pid namespace has ended, or could not be made"
            ));
        }
        pids.reverse();
        Ok(pids)
    }

    /// Takes ids back that no process has got (`free_pid()`): a namespace whose first process could not be made gets no
    /// other.
    pub(crate) fn release_pids(&mut self, namespace: Id<PidNamespace>) {
        let object = &mut self.pid_namespaces[namespace];
        if object.tasks.is_empty() {
            object.is_open = false;
        }
    }

    /// Lets a process be found by its ids (`attach_pid()`). The first of a namespace is its init.
    pub(crate) fn attach_pids(&mut self, task: Id<Task>) {
        let innermost = self.tasks[task].pid_namespace;
        for namespace in self.pid_namespaces_from(innermost).collect::<Vec<_>>() {
            let pid = self.pid_in(namespace, task);
            self.pid_namespaces[namespace].tasks.insert(pid, task);
        }
        let object = &mut self.pid_namespaces[innermost];
        if object.init.is_none() && object.tasks.len() == 1 {
            object.init = Some(task);
            object.had_init = true;
        }
    }

    /// Undoes [`attach_pids`](Self::attach_pids), and says which namespaces it was in, the innermost first
    /// (`detach_pid()`).
    pub(crate) fn detach_pids(&mut self, task: Id<Task>) -> Vec<Id<PidNamespace>> {
        let innermost = self.tasks[task].pid_namespace;
        let namespaces: Vec<_> = self.pid_namespaces_from(innermost).collect();
        for &namespace in &namespaces {
            let pid = self.pid_in(namespace, task);
            let object = &mut self.pid_namespaces[namespace];
            object.tasks.remove(&pid);
            if object.init == Some(task) {
                object.init = None;
            }
        }
        namespaces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_wrap_to_300() {
        let linux = Linux::new();
        let mut namespace = linux.pid_namespaces[linux.initial_pid_namespace].clone();
        assert_eq!(namespace.allocate(), Some(2));
        assert_eq!(namespace.allocate(), Some(3));
        namespace.next_pid = namespace.pid_max - 1;
        namespace.tasks.insert(300, linux.init());
        assert_eq!(namespace.allocate(), Some(32767));
        assert_eq!(namespace.allocate(), Some(301));
        // Below the first 300 the search begins at 1.
        namespace.next_pid = 5;
        assert_eq!(namespace.allocate(), Some(5));
    }

    #[test]
    fn no_id_is_left_when_all_are_taken() {
        let linux = Linux::new();
        let mut namespace = linux.pid_namespaces[linux.initial_pid_namespace].clone();
        namespace.pid_max = 4;
        assert_eq!(namespace.allocate(), Some(2));
        namespace.tasks.insert(2, linux.init());
        namespace.tasks.insert(3, linux.init());
        assert_eq!(namespace.allocate(), None);
    }
}
