//! Which processes of a sequence live: kept in the same way, and so equal, on both sides.

use cofferdam::kernel::{Call, CloneFlags, Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::control;
use crate::sequence::{Action, MAX_TASKS, Step, TaskIndex};

/// The number of a pid namespace in a sequence; that of the first process is 0.
type Space = u8;

/// A process that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number, as its parent knows it.
    pub pid: Pid,
    /// Its parent when it was made.
    pub parent: TaskIndex,
    /// The pid namespace in which it has that number.
    known_in: Space,
    /// Its own pid namespace.
    space: Space,
    /// That of its children.
    space_of_children: Space,
}

/// The processes that live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    members: [Option<Member>; MAX_TASKS],
    /// The pid namespace that was made last.
    last_space: Space,
    /// Those that have, or had, a first process.
    begun: Vec<Space>,
}

impl Default for Census {
    /// At the beginning there is one, which has the number 1.
    fn default() -> Self {
        let mut members = [None; MAX_TASKS];
        members[0] = Some(Member { pid: Pid(1), parent: 0, known_in: 0, space: 0, space_of_children: 0 });
        Self { members, last_space: 0, begun: vec![0] }
    }
}

impl Census {
    /// What is known of a process that lives.
    pub fn get(&self, task: TaskIndex) -> Option<Member> {
        self.members.get(task).copied().flatten()
    }

    /// Whether there is such a process.
    pub fn lives(&self, task: TaskIndex) -> bool {
        self.get(task).is_some()
    }

    /// Those that live.
    pub fn living(&self) -> impl Iterator<Item = TaskIndex> {
        self.members.iter().enumerate().filter_map(|(task, member)| member.map(|_| task))
    }

    /// A name that no process has.
    pub fn free_name(&self) -> Option<TaskIndex> {
        self.members.iter().position(Option::is_none)
    }

    /// Adds a process that another has made, which knows it by a number.
    pub fn add(&mut self, task: TaskIndex, parent: TaskIndex, pid: Pid, flags: CloneFlags) {
        let (known_in, mut space) = self.get(parent).map_or((0, 0), |parent| (parent.space, parent.space_of_children));
        if flags.contains(CloneFlags::CLONE_NEWPID) {
            space = self.new_space();
        }
        self.begun.push(space);
        if let Some(slot) = self.members.get_mut(task) {
            *slot = Some(Member { pid, parent, known_in, space, space_of_children: space });
        }
    }

    /// Takes out a process that has ended.
    pub fn remove(&mut self, task: TaskIndex) {
        if let Some(slot) = self.members.get_mut(task) {
            *slot = None;
        }
    }

    /// Notes what a call has changed that has succeeded, and gives the process that it has ended, if any.
    pub fn note(&mut self, task: TaskIndex, call: &Call) -> Option<(TaskIndex, Member)> {
        if matches!(call, Call::Unshare { flags } if flags.contains(CloneFlags::CLONE_NEWPID)) {
            let space = self.new_space();
            if let Some(Some(member)) = self.members.get_mut(task) {
                member.space_of_children = space;
            }
        }
        let victim = self.victim(task, call)?;
        let member = self.get(victim)?;
        self.remove(victim);
        Some((victim, member))
    }

    fn new_space(&mut self) -> Space {
        self.last_space = self.last_space.saturating_add(1);
        self.last_space
    }

    /// Whether a process made children that live.
    pub fn has_children(&self, task: TaskIndex) -> bool {
        self.members.iter().skip(1).flatten().any(|member| member.parent == task)
    }

    /// Whether a step is to be carried out. Others are passed over by both kernels: what is said of a process that is
    /// not there, and what would break the machinery itself.
    pub fn admits(&self, step: &Step) -> bool {
        self.lives(step.task)
            && match &step.action {
                Action::Call(call) => {
                    control::spares(call) && !self.kills_itself(step.task, call) && self.keeps_count(step.task, call)
                }
                Action::Fork { child, .. } => {
                    *child < MAX_TASKS
                        && !self.lives(*child)
                        && self.last_space < Space::MAX
                        && self.may_fork(step.task)
                }
                // An orphan's end could not be waited for.
                Action::Exit { .. } => step.task != 0 && !self.has_children(step.task),
            }
    }

    /// Whether a process's children are in its own pid namespace, or the next is the first in another, or in one that has
    /// ended. With the first process of a namespace all others in it end, which have to be its children then.
    fn may_fork(&self, task: TaskIndex) -> bool {
        self.get(task).is_some_and(|member| {
            let space = member.space_of_children;
            let is_empty = !self.members.iter().flatten().any(|other| other.space == space);
            space == member.space || !self.begun.contains(&space) || is_empty
        })
    }

    /// Whether it stays known which processes live, and by which numbers, where there are several pid namespaces.
    fn keeps_count(&self, task: TaskIndex, call: &Call) -> bool {
        match call {
            _ if self.last_space == 0 => true,
            Call::Kill { signal, .. } if *signal == Signal::KILL => {
                self.victim(task, call).is_some_and(|victim| !self.has_children(victim))
            }
            Call::Setns { nstype, .. } => !nstype.is_empty() && *nstype != CloneFlags::CLONE_NEWPID,
            _ => self.last_space < Space::MAX,
        }
    }

    fn kills_itself(&self, task: TaskIndex, call: &Call) -> bool {
        let is_known_as =
            |pid| self.get(task).is_some_and(|member| member.pid == pid && member.known_in == member.space);
        matches!(call, Call::Kill { pid, signal } if *signal == Signal::KILL && is_known_as(*pid))
    }

    /// Which process a call of another that has succeeded has ended.
    fn victim(&self, by: TaskIndex, call: &Call) -> Option<TaskIndex> {
        let space = self.get(by)?.space;
        match call {
            Call::Kill { pid, signal } if *signal == Signal::KILL => self
                .living()
                .skip(1)
                .find(|task| self.get(*task).is_some_and(|member| member.pid == *pid && member.known_in == space)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(census: &Census, task: TaskIndex, call: Call) -> bool {
        census.admits(&Step { task, action: Action::Call(call) })
    }

    const fn kill(pid: i32) -> Call {
        Call::Kill { pid: Pid(pid), signal: Signal::KILL }
    }

    #[test]
    fn numbers_mean_something_in_their_own_pid_namespace() {
        let mut census = Census::default();
        census.add(1, 0, Pid(2), CloneFlags::empty());
        census.add(2, 0, Pid(3), CloneFlags::CLONE_NEWPID);
        census.add(3, 2, Pid(2), CloneFlags::empty());
        assert_eq!(census.victim(0, &kill(2)), Some(1));
        assert_eq!(census.victim(2, &kill(2)), Some(3));
        // With the first process of the namespace the other one would end.
        assert!(!admits(&census, 0, kill(3)));
        assert!(census.note(2, &kill(2)).is_some_and(|(task, _)| task == 3));
        assert!(admits(&census, 0, kill(3)));
        // Nobody knows whom that would meet.
        assert!(!admits(&census, 0, kill(4)));
    }

    #[test]
    fn a_pid_namespace_for_children_has_one_first_process() {
        let mut census = Census::default();
        assert!(census.note(0, &Call::Unshare { flags: CloneFlags::CLONE_NEWPID }).is_none());
        assert!(census.may_fork(0));
        census.add(1, 0, Pid(2), CloneFlags::empty());
        assert!(!census.may_fork(0));
        assert!(census.may_fork(1));
        census.remove(1);
        assert!(census.may_fork(0));
    }
}
