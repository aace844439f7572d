//! The end of a process, and what it means to its children, its parent and its pid namespace (`kernel/exit.c`).

use cofferdam::kernel::{Signal, SignalSet, WaitStatus};

use super::{Memory, Task, TaskState, WOULD_WAIT};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::{PidNamespace, UserNamespace};

impl Linux {
    /// Whether there is such a process, and it has not ended.
    pub fn is_running(&self, task: Id<Task>) -> bool {
        self.tasks.get(task).is_some_and(|task| task.state == TaskState::Running)
    }

    /// Whether a process is neither stopped nor has ended.
    pub(crate) fn can_run(&self, task: Id<Task>) -> bool {
        self.is_running(task) && self.tasks[task].signals.stop.is_none()
    }

    /// Which of all processes that ever were a process is; none if there is no such process.
    pub(crate) fn serial_of(&self, task: Id<Task>) -> Option<u64> {
        self.tasks.get(task).map(|task| task.serial)
    }

    /// Whether a process can make calls now.
    ///
    /// # Errors
    ///
    /// `ESRCH` if it has ended; [`WOULD_WAIT`] if it is stopped, until somebody makes it go on.
    pub(crate) fn may_call(&self, task: Id<Task>) -> Result<(), Failure> {
        match self.tasks.get(task) {
            Some(Task { state: TaskState::Running, signals, .. }) if signals.stop.is_some() => Err(WOULD_WAIT),
            Some(Task { state: TaskState::Running, .. }) => Ok(()),
            _ => Err(fail!(ESRCH, "do_exit()", "the process has ended, and makes no calls")),
        }
    }

    /// Ends a process with an exit status, of which the lowest 8 bits remain (`_exit(2)`). A process that is stopped ends
    /// once it goes on. One that has ended already, and init, without which there is no kernel, do not.
    pub fn exit(&mut self, task: Id<Task>, status: i32) {
        match self.may_call(task) {
            Ok(()) => self.end_task(task, WaitStatus::Exited(status & 0xff)),
            Err(WOULD_WAIT) => self.tasks[task].postponed_exit = Some(status & 0xff),
            Err(_) => {}
        }
    }

    /// Ends a process that runs (`do_exit()`).
    pub(crate) fn end_task(&mut self, task: Id<Task>, status: WaitStatus) {
        if task == self.init {
            return;
        }
        self.tasks[task].signals.stop = None;
        let Task { ref memory, memory_namespace, files, fs, mount_namespace, namespaces, pid_namespace, .. } =
            self.tasks[task];
        let memory = memory.clone();
        self.memory_put(&memory, memory_namespace);
        self.descriptors_put(files);
        self.fs_state_put(fs);
        self.mount_namespace_put(mount_namespace);
        self.namespaces_put(&namespaces);
        self.tasks[task].state = TaskState::Exiting(status);
        if self.is_namespace_init(task) {
            self.end_pid_namespace(pid_namespace, task);
        }
        self.become_zombie(task);
    }

    /// The last that a process does: its children get another parent, and its parent hears of its end; not while there
    /// are others in a pid namespace whose init it was (`exit_notify()`).
    fn become_zombie(&mut self, task: Id<Task>) {
        let Some(Task { state: TaskState::Exiting(status), pid_namespace, .. }) = self.tasks.get(task) else { return };
        let (status, pid_namespace) = (*status, *pid_namespace);
        if self.is_namespace_init(task) && self.pid_namespaces[pid_namespace].tasks.len() > 1 {
            return;
        }
        self.tasks[task].state = TaskState::Zombie(status);
        self.orphan_children(task);
        if self.notify_parent(task) {
            self.release_task(task);
        }
    }

    /// Kills all that is left in a pid namespace whose init process has ended (`zap_pid_ns_processes()`). A process whose
    /// parent is outside remains for that to wait for.
    fn end_pid_namespace(&mut self, namespace: Id<PidNamespace>, init: Id<Task>) {
        self.pid_namespaces[namespace].is_open = false;
        let ignored = self.tasks[init].signals.ignored.0;
        self.tasks[init].signals.ignored = SignalSet(ignored | SignalSet::from_iter([Signal::CHLD]).0);
        let others: Vec<_> =
            self.pid_namespaces[namespace].tasks.values().copied().filter(|task| *task != init).collect();
        for task in others {
            if self.is_running(task) {
                let signal = self.tasks[task].signals.fatal.unwrap_or(Signal::KILL);
                self.end_task(task, WaitStatus::Signaled(signal));
            }
        }
        // With the last of the others init itself can be gone.
        let children = self.tasks.get(init).map(|init| init.children.clone());
        for child in children.unwrap_or_default() {
            if matches!(self.tasks.get(child), Some(Task { state: TaskState::Zombie(_), .. })) {
                self.release_task(child);
            }
        }
    }

    /// Gives the children of a process that ends to the init process of its pid namespace (`forget_original_parent()`).
    fn orphan_children(&mut self, father: Id<Task>) {
        let children = std::mem::take(&mut self.tasks[father].children);
        let reaper = self.pid_namespaces[self.tasks[father].pid_namespace].init;
        let Some(reaper) = reaper.filter(|reaper| *reaper != father) else { return };
        self.tasks[reaper].children.extend(&children);
        for child in &children {
            self.tasks[*child].parent = Some(reaper);
        }
        for child in &children {
            if !self.is_running(*child) && self.notify_parent(*child) {
                self.release_task(*child);
            }
        }
        let signals = children.into_iter().filter_map(|child| {
            let signal = self.tasks.get(child)?.parent_death_signal?;
            let is_sent = self.is_running(child) && self.may_signal(father, child, signal).is_ok();
            let (info, is_from_above) = self.signal_of_process(father, child, signal);
            is_sent.then_some((child, info, is_from_above))
        });
        self.send_signals(signals.collect());
    }

    /// Removes a process that has ended and was waited for, or is not to be (`release_task()`).
    pub(crate) fn release_task(&mut self, task: Id<Task>) {
        self.forget_task(task);
        let namespaces = self.detach_pids(task);
        let Some(object) = self.tasks.remove(task) else { return };
        if let Some(parent) = object.parent {
            self.tasks[parent].children.retain(|child| *child != task);
        }
        // An init process may have waited for the last of its namespace.
        let waiting: Vec<_> = namespaces.iter().filter_map(|namespace| self.pid_namespaces[*namespace].init).collect();
        self.user_namespace_put(object.credentials.user_namespace);
        self.pid_namespace_put(object.pid_namespace);
        for init in waiting {
            self.become_zombie(init);
        }
    }

    /// Keeps what a memory refers to, for a copy of it (`dup_mm()`).
    pub(crate) fn memory_get(&mut self, memory: &Memory, namespace: Id<UserNamespace>) {
        for path in memory.executable.iter().chain(&memory.interpreter) {
            self.path_get(*path);
        }
        self.user_namespaces[namespace].references += 1;
    }

    /// Lets go of what a memory refers to (`mmput()`).
    pub(crate) fn memory_put(&mut self, memory: &Memory, namespace: Id<UserNamespace>) {
        for path in memory.executable.iter().chain(&memory.interpreter) {
            self.path_put(*path);
        }
        self.user_namespace_put(namespace);
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{CloneFlags, Errno, Pid, WaitOptions};

    use super::*;

    #[test]
    fn an_init_process_waits_for_those_whose_parents_are_outside() {
        let mut linux = Linux::new();
        let outer = linux.init();
        linux.unshare(outer, CloneFlags::CLONE_NEWPID).unwrap();
        let init = linux.fork(outer, CloneFlags::empty()).unwrap();
        let other = linux.fork(outer, CloneFlags::empty()).unwrap();
        linux.exit(init, 3);
        assert!(!linux.is_running(other));
        // No process is made in the namespace any more.
        assert_eq!(linux.fork(outer, CloneFlags::empty()), Err(Errno::ENOMEM));
        let wait = |linux: &mut Linux, pid| linux.wait4(outer, Pid(pid), WaitOptions::WNOHANG);
        assert_eq!(wait(&mut linux, 2), Ok(None));
        assert_eq!(wait(&mut linux, -1), Ok(Some((Pid(3), WaitStatus::Signaled(Signal::KILL)))));
        assert_eq!(wait(&mut linux, 2), Ok(Some((Pid(2), WaitStatus::Exited(3)))));
        linux.check().unwrap();
    }
}
