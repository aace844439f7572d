//! Processes, by the numbers that strace has for them.

use cofferdam::kernel::{Call, CloneFlags, Errno, Pid, Signal, Value, WaitOptions, WaitStatus};
use cofferdam_vfs_sim::{Id, Task};

use super::{Member, World};
use crate::syntax::Ending;

/// A process that is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fork {
    pub(crate) flags: CloneFlags,
    pub(crate) is_sibling: bool,
    pub(crate) is_thread: bool,
    /// What the call returned.
    pub(crate) returned: Option<Pid>,
    /// The number that strace has for the child, if it did anything.
    pub(crate) child: Option<u32>,
}

impl World {
    /// Makes a process with the number that it had, in the caller's pid namespace and in strace's.
    pub(crate) fn fork(&mut self, pid: u32, task: Id<Task>, fork: Fork) -> Result<(), Errno> {
        let outer = fork.child.and_then(|child| i32::try_from(child).ok()).map(Pid);
        if let Some(outer) = outer.or(fork.returned) {
            self.linux.set_next_pid(self.linux.init(), outer);
        }
        if let Some(returned) = fork.returned {
            self.linux.set_next_pid(task, returned);
        }
        let child = if fork.is_sibling {
            self.linux.fork_sibling(task, fork.flags)?
        } else {
            self.linux.fork(task, fork.flags)?
        };
        let returned = fork.returned.and_then(|returned| u32::try_from(returned.0).ok());
        if let Some(number) = fork.child.or(returned) {
            let own = self.members.get(&pid).map_or(pid, |member| member.group);
            let group = if fork.is_thread { own } else { number };
            self.members.insert(number, Member { task: child, group });
        }
        Ok(())
    }

    /// Ends a process, unless the kernel has ended it already.
    pub(crate) fn end(&mut self, pid: u32, ending: &Ending) {
        let Some(task) = self.task(pid) else { return };
        match ending {
            Ending::Exited(status) => self.linux.exit(task, *status),
            Ending::Killed(name) => {
                let signal = crate::decode::signal(name).unwrap_or(Signal::KILL);
                let pid = self.linux.pid_for(self.linux.init(), task).unwrap_or(Pid(0));
                for signal in [signal, Signal::KILL] {
                    // Something else may have ended it; it may ignore the first.
                    let _ = self.linux.call(self.linux.init(), &Call::Kill { pid, signal });
                    let _ = self.linux.call(task, &Call::Getpid {});
                }
            }
            Ending::Superseded { by } => {
                if let Some(thread) = self.members.remove(by) {
                    self.linux.exit(task, 0);
                    self.members.insert(pid, Member { task: thread.task, group: pid });
                }
            }
        }
    }

    /// Waits for a child that has ended, of the process or of one of its other threads: tells how it has. None if there is no such
    /// child that has.
    pub(crate) fn wait(&mut self, pid: u32, child: Pid) -> Option<WaitStatus> {
        let group = self.members.get(&pid)?.group;
        let members = self.members.values().filter(|member| member.group == group);
        let threads: Vec<Id<Task>> = members.map(|member| member.task).collect();
        threads.into_iter().find_map(|thread| {
            let call = Call::Wait4 { pid: child, options: WaitOptions::WNOHANG };
            match self.linux.call(thread, &call) {
                Ok(Value::Child(Some((_, status)))) => Some(status),
                _ => None,
            }
        })
    }
}
