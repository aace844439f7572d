//! Which processes of a sequence live: kept in the same way, and so equal, on both sides.

use cofferdam::kernel::{Call, Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::control;
use crate::sequence::{Action, MAX_TASKS, Step, TaskIndex};

/// A process that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its number, as its parent knows it.
    pub(crate) pid: Pid,
    /// Its parent when it was made.
    pub(crate) parent: TaskIndex,
}

/// The processes that live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Census {
    members: [Option<Member>; MAX_TASKS],
}

impl Census {
    /// At the beginning there is one, which has the number 1.
    pub(crate) fn new() -> Self {
        let mut members = [None; MAX_TASKS];
        members[0] = Some(Member { pid: Pid(1), parent: 0 });
        Self { members }
    }

    pub(crate) fn get(&self, task: TaskIndex) -> Option<Member> {
        self.members.get(task).copied().flatten()
    }

    pub(crate) fn lives(&self, task: TaskIndex) -> bool {
        self.get(task).is_some()
    }

    /// Those that live.
    pub(crate) fn living(&self) -> impl Iterator<Item = TaskIndex> {
        self.members.iter().enumerate().filter_map(|(task, member)| member.map(|_| task))
    }

    /// A name that no process has.
    pub(crate) fn free_name(&self) -> Option<TaskIndex> {
        self.members.iter().position(Option::is_none)
    }

    pub(crate) fn add(&mut self, task: TaskIndex, member: Member) {
        if let Some(slot) = self.members.get_mut(task) {
            *slot = Some(member);
        }
    }

    pub(crate) fn remove(&mut self, task: TaskIndex) {
        if let Some(slot) = self.members.get_mut(task) {
            *slot = None;
        }
    }

    /// Whether a process made children that live.
    pub(crate) fn has_children(&self, task: TaskIndex) -> bool {
        self.members.iter().skip(1).flatten().any(|member| member.parent == task)
    }

    /// Whether a step is to be carried out. Others are passed over by both kernels: what is said of a process that is
    /// not there, and what would break the machinery itself.
    pub(crate) fn admits(&self, step: &Step) -> bool {
        self.lives(step.task)
            && match &step.action {
                Action::Call(call) => control::spares(call) && !self.kills_itself(step.task, call),
                Action::Fork { child, .. } => *child < MAX_TASKS && !self.lives(*child),
                // An orphan's end could not be waited for.
                Action::Exit { .. } => step.task != 0 && !self.has_children(step.task),
            }
    }

    fn kills_itself(&self, task: TaskIndex, call: &Call) -> bool {
        matches!(call, Call::Kill { pid, signal } if *signal == Signal::KILL && self.get(task).is_some_and(|member| member.pid == *pid))
    }

    /// Which process a call that has succeeded has ended.
    pub(crate) fn victim(&self, call: &Call) -> Option<TaskIndex> {
        match call {
            Call::Kill { pid, signal } if *signal == Signal::KILL => {
                self.living().skip(1).find(|task| self.get(*task).is_some_and(|member| member.pid == *pid))
            }
            _ => None,
        }
    }
}
