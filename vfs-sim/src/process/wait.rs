//! Waiting for children (`kernel/exit.c`).

use cofferdam::kernel::{Pid, WaitOptions, WaitStatus};

use super::{Task, TaskState, WOULD_WAIT};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

/// Children that have no, or another, exit signal than `SIGCHLD`: there are none (`__WCLONE`).
const OTHER_CHILDREN: u32 = 0x8000_0000;

/// Children with whatever exit signal (`__WALL`).
const ALL_CHILDREN: u32 = 0x4000_0000;

/// Not those of other threads: there are none (`__WNOTHREAD`).
const OWN_CHILDREN: u32 = 0x2000_0000;

impl Linux {
    /// Finds a child that has ended, was stopped or goes on (`kernel_wait4()`).
    ///
    /// # Errors
    ///
    /// `ECHILD` if there is no such child. [`WOULD_WAIT`] if all of them live on.
    pub(crate) fn wait_for_child(
        &mut self,
        task: Id<Task>,
        pid: Pid,
        options: WaitOptions,
    ) -> Result<Option<(Pid, WaitStatus)>, Failure> {
        let known = WaitOptions::WNOHANG.bits()
            | WaitOptions::WUNTRACED.bits()
            | WaitOptions::WCONTINUED.bits()
            | OTHER_CHILDREN
            | ALL_CHILDREN
            | OWN_CHILDREN;
        if options.bits() & !known != 0 {
            return Err(fail!(EINVAL, "kernel_wait4()", "an option is not one that wait4(2) knows"));
        }
        if pid.0 == i32::MIN {
            return Err(fail!(ESRCH, "kernel_wait4()", "there is no process group with the id 2147483648"));
        }
        if options.bits() & (OTHER_CHILDREN | ALL_CHILDREN) == OTHER_CHILDREN {
            return Err(fail!(ECHILD, "eligible_child()", "__WCLONE is given, and all children end with SIGCHLD"));
        }
        let children = self.children_to_wait_for(task, pid);
        for child in &children {
            if let Some(status) = self.news_of(*child, options) {
                let pid = Pid(self.pid_seen_by(task, *child));
                if matches!(self.tasks[*child].state, TaskState::Zombie(_)) {
                    self.release_task(*child);
                }
                return Ok(Some((pid, status)));
            }
        }
        if children.is_empty() {
            return Err(fail!(ECHILD, "__do_wait()", "the process has no child that is meant"));
        }
        if options.contains(WaitOptions::WNOHANG) { Ok(None) } else { Err(WOULD_WAIT) }
    }

    /// The children that are meant (`eligible_pid()`).
    fn children_to_wait_for(&self, task: Id<Task>, pid: Pid) -> Vec<Id<Task>> {
        let children = &self.tasks[task].children;
        match pid.0 {
            // All are in the process group of init.
            -1 | 0 => children.clone(),
            pid @ 1.. => {
                let child = self.task_with_pid(task, pid).filter(|child| children.contains(child));
                child.into_iter().collect()
            }
            group if group.checked_neg().is_some_and(|group| self.is_process_group(task, group)) => children.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether a process knows by this id the one process group that there is, which init leads.
    pub(crate) fn is_process_group(&self, task: Id<Task>, pid: i32) -> bool {
        self.task_with_pid(task, pid) == Some(self.init)
    }

    /// What there is to tell about a child, once (`wait_consider_task()`).
    fn news_of(&mut self, child: Id<Task>, options: WaitOptions) -> Option<WaitStatus> {
        let object = &mut self.tasks[child];
        if let TaskState::Zombie(status) = object.state {
            return Some(status);
        }
        if options.contains(WaitOptions::WUNTRACED)
            && let Some(stop) = object.signals.stop.as_mut().filter(|stop| !stop.is_reported)
        {
            stop.is_reported = true;
            return Some(WaitStatus::Stopped(stop.signal));
        }
        let is_continued =
            options.contains(WaitOptions::WCONTINUED) && std::mem::take(&mut object.signals.is_continued);
        is_continued.then_some(WaitStatus::Continued)
    }
}
