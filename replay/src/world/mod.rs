//! The simulated machine that a log is replayed on, and who is who there.
//!
//! Numbers are those of the log: a process is made with the number that it had, and a descriptor is moved to the number that it
//! had. So paths such as `/proc/12/ns/mnt` and `/proc/self/fd/5` lead where they led. In the place of a descriptor that is not
//! simulated (a socket, say) there is the end of a pipe, so that it is closed, duplicated and inherited as the real one.

mod descriptors;
pub(crate) mod facts;
pub(crate) mod learn;
mod processes;
pub(crate) mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use cofferdam::kernel::{Bytes, Call, Errno, Fd, Pid, Prctl, Value};
use cofferdam_vfs_sim::{Id, Linux, Task};

pub(crate) use self::descriptors::Descriptor;
pub(crate) use self::processes::Fork;
use crate::decode::Given;

/// How the first process of a log began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// The user and the group that it ran as; root if there are none.
    pub user: Option<(u32, u32)>,
    /// Its working directory; without it, what the log tells of it, or the root directory.
    pub directory: Option<Bytes>,
}

/// A process of the log.
#[derive(Clone, Copy, Debug)]
struct Member {
    task: Id<Task>,
    /// The process whose thread it is.
    group: u32,
}

/// The simulated machine. A clone is a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) linux: Linux,
    /// By the number that strace has for them.
    members: BTreeMap<u32, Member>,
    /// The inodes of those pipes that stand for what is not simulated, each with its device.
    foreign: BTreeSet<(u32, u32, u64)>,
    pub(crate) facts: facts::Facts,
}

impl World {
    /// A machine on which the first process of a log is about to begin.
    pub(crate) fn new(machine: &Linux, first: u32, beginning: &Beginning, facts: &facts::Facts) -> Result<Self, Errno> {
        let mut linux = machine.clone();
        linux.omit_in_proc(facts.missing_in_proc());
        linux.set_next_pid(linux.init(), Pid(i32::try_from(first).unwrap_or(i32::MAX)));
        let task = linux.fork(linux.init(), cofferdam::kernel::CloneFlags::empty())?;
        let members = BTreeMap::from([(first, Member { task, group: first })]);
        let mut world = Self { linux, members, foreign: BTreeSet::new(), facts: facts.clone() };
        for fd in [Fd::STDIN, Fd::STDOUT, Fd::STDERR] {
            world.place_foreign(task, fd, false)?;
        }
        for number in facts.missing_capabilities() {
            // It is gone for good with the first execve(2).
            world.call(task, &Call::Prctl { operation: Prctl::DropBoundingCapability(number) })?;
        }
        world.begin(task, beginning)?;
        Ok(world)
    }

    fn begin(&mut self, task: Id<Task>, beginning: &Beginning) -> Result<(), Errno> {
        let directory = beginning.directory.as_ref().or(self.facts.directory()).cloned();
        if let Some(directory) = directory {
            let call = Call::Chdir { path: directory };
            while self.linux.call(task, &call) == Err(Errno::ENOENT) {
                if !self.supply(task, &call, &Ok(Given::Done)) {
                    break;
                }
            }
            self.linux.call(task, &call)?;
        }
        if let Some((user, group)) = beginning.user {
            let calls = [
                Call::Setgroups { groups: Vec::new() },
                Call::Setresgid { real: group, effective: group, saved: group },
                Call::Setresuid { real: user, effective: user, saved: user },
                // As after execve(2): the process may write to its own files in proc.
                Call::Prctl { operation: Prctl::SetDumpable(true) },
            ];
            for call in &calls {
                self.linux.call(task, call)?;
            }
        }
        Ok(())
    }

    /// The process, as long as it has not ended.
    pub(crate) fn task(&self, pid: u32) -> Option<Id<Task>> {
        let task = self.members.get(&pid)?.task;
        self.linux.task(task).filter(cofferdam_vfs_sim::TaskView::is_running).map(|_| task)
    }

    /// Makes a call.
    pub(crate) fn call(&mut self, task: Id<Task>, call: &Call) -> Result<Value, Errno> {
        self.linux.call(task, call)
    }
}
