//! A process of a sequence on the real kernel. It carries out its own steps, and hands the token on for those of others.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    Bytes, Call, CloneFlags, Errno, Fd, Kernel, OpenFlags, OpenHow, Pid, ResolveFlags, UniqueMountId, Value,
};
use cofferdam_linux::LinuxKernel;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use super::token::{Token, write_all};
use crate::census::Member;
use crate::control;
use crate::observation::{Observation, Tables};
use crate::sequence::{Action, Item, Plan, Step, TaskIndex};

/// The exit status of a process that the machinery failed in.
const BROKEN: i32 = 111;

/// A process at work on a plan. Its memory is a copy of the driver's, so that it knows the plan.
pub(super) struct Runner<'a> {
    plan: &'a Plan,
    /// What the other side saw, to translate unique mount ids in arguments; may be empty.
    reference: &'a [Observation],
    me: TaskIndex,
    token: Token,
    /// Results that were not written yet.
    results: Vec<u8>,
}

/// What a process does when a step is done.
enum Next {
    GoOn,
    End(i32),
}

impl<'a> Runner<'a> {
    /// The first process, which holds the token.
    pub(super) fn first(plan: &'a Plan, reference: &'a [Observation]) -> Self {
        let token = Token {
            position: 0,
            census: crate::census::Census::default(),
            ending: None,
            executing: None,
            mounts: std::collections::BTreeMap::new(),
        };
        Self { plan, reference, me: 0, token, results: Vec::with_capacity(16 << 10) }
    }

    /// Takes part until the plan is done or the process ends; gives the exit status.
    pub(super) fn run(&mut self) -> i32 {
        match self.take_part() {
            Ok(status) => status,
            Err(_) => BROKEN,
        }
    }

    fn take_part(&mut self) -> Result<i32, Errno> {
        loop {
            let plan = self.plan;
            let Some(item) = plan.items.get(self.token.position) else {
                if self.me == 0 {
                    self.flush()?;
                    return Ok(0);
                }
                self.hand_over(0, None)?;
                continue;
            };
            let admitted = match item {
                // What would wait, or end a process unseen, is left out.
                Item::Step(_, step) => {
                    self.token.census.admits(step)
                        && self.reference.get(self.token.position) != Some(&Observation::Skipped)
                }
                Item::Look(task) => self.token.census.lives(*task),
            };
            if !admitted {
                self.note(&Observation::Skipped)?;
            } else if item.task() != self.me {
                self.hand_over(item.task(), None)?;
            } else if let Item::Step(_, step) = item {
                if let Next::End(status) = self.perform(step)? {
                    return Ok(status);
                }
            } else {
                self.note(&Observation::Looked(look()))?;
            }
        }
    }

    fn perform(&mut self, step: &Step) -> Result<Next, Errno> {
        match &step.action {
            Action::Call(call @ Call::Execve { .. }) if self.is_to_end() => self.execute(call),
            Action::Call(call) => {
                self.call(call)?;
                Ok(Next::GoOn)
            }
            Action::Fork { child, flags } => {
                self.fork(*child, *flags)?;
                Ok(Next::GoOn)
            }
            Action::Exit { status } => {
                let member = self.token.census.get(self.me).ok_or(Errno::ESRCH)?;
                self.token.census.remove(self.me);
                self.note(&Observation::Returned(Ok(Value::Done)))?;
                let heir = if self.token.census.lives(member.parent) { member.parent } else { 0 };
                self.flush()?;
                self.token.ending = Some(member.pid);
                self.token.send(&LinuxKernel, heir)?;
                Ok(Next::End(*status))
            }
        }
    }

    /// Whether the other side has executed a program, upon which a process takes no more steps.
    fn is_to_end(&self) -> bool {
        matches!(self.reference.get(self.token.position), Some(Observation::Returned(Ok(_))))
    }

    /// Executes a program, which ends at once with status 0. The parent waits for that; if there is no program, the status
    /// is the error's number.
    fn execute(&mut self, call: &Call) -> Result<Next, Errno> {
        let member = self.token.census.get(self.me).ok_or(Errno::ESRCH)?;
        let heir = if self.token.census.lives(member.parent) { member.parent } else { 0 };
        self.flush()?;
        self.token.ending = Some(member.pid);
        self.token.executing = Some(self.me);
        self.token.send(&LinuxKernel, heir)?;
        Ok(Next::End(apply(call).err().map_or(BROKEN, Errno::raw)))
    }

    fn call(&mut self, call: &Call) -> Result<(), Errno> {
        let translated = self.translated(call);
        let call = translated.as_ref().unwrap_or(call);
        let result = apply(call);
        if let Ok(value) = &result {
            self.learn(value);
            if let Some((_, member)) = self.token.census.note(self.me, call) {
                self.note(&Observation::Returned(result))?;
                return self.let_end(member);
            }
        }
        self.note(&Observation::Returned(result))
    }

    /// Lets the parent of a process that was killed wait for its end.
    fn let_end(&mut self, member: Member) -> Result<(), Errno> {
        if member.parent == self.me {
            await_end(member.pid);
            return Ok(());
        }
        let heir = if self.token.census.lives(member.parent) { member.parent } else { 0 };
        self.hand_over(heir, Some(member.pid))
    }

    fn fork(&mut self, child: TaskIndex, flags: CloneFlags) -> Result<(), Errno> {
        // What is not written yet would be written twice.
        self.flush()?;
        if flags.is_vfork() {
            // The child would wait for its turn, and we for the child.
            return self.note(&Observation::Returned(Err(Errno::EINVAL)));
        }
        let (plan, reference, token) = (self.plan, self.reference, self.token.clone());
        let result = LinuxKernel.clone3(flags, &mut |_| {
            let mut runner = Runner { plan, reference, me: child, token: token.clone(), results: Vec::new() };
            match runner.await_turn() {
                Ok(()) => runner.run(),
                Err(_) => BROKEN,
            }
        });
        if let Ok(pid) = result {
            self.token.census.add(child, self.me, pid, flags);
        }
        self.note(&Observation::Returned(result.map(Value::Process)))
    }

    fn hand_over(&mut self, task: TaskIndex, ending: Option<Pid>) -> Result<(), Errno> {
        self.flush()?;
        self.token.ending = ending;
        if task != self.me {
            self.token.send(&LinuxKernel, task)?;
            return self.await_turn();
        }
        Ok(())
    }

    fn await_turn(&mut self) -> Result<(), Errno> {
        self.token = Token::receive(&LinuxKernel, self.me)?;
        let status = self.token.ending.take().and_then(await_end);
        if let Some(task) = self.token.executing.take() {
            self.token.census.remove(task);
            let result = match status {
                Some(0) => Ok(Value::Done),
                status => Err(Errno::from_raw(status.unwrap_or(BROKEN))),
            };
            self.note(&Observation::Returned(result))?;
        }
        Ok(())
    }

    fn note(&mut self, observation: &Observation) -> Result<(), Errno> {
        self.token.position += 1;
        rmp_serde::encode::write(&mut self.results, observation).map_err(|_| Errno::EPROTO)
    }

    fn flush(&mut self) -> Result<(), Errno> {
        let result = write_all(&LinuxKernel, control::RESULTS, &self.results);
        self.results.clear();
        result
    }

    /// The call with the unique mount ids that this kernel has for those of the reference.
    fn translated(&self, call: &Call) -> Option<Call> {
        let own = |id: &UniqueMountId| self.token.mounts.get(&id.0).copied().map(UniqueMountId);
        match call {
            Call::Statmount { mount, mask } => own(mount).map(|mount| Call::Statmount { mount, mask: *mask }),
            Call::Listmount { mount, last } => {
                let mount = own(mount).unwrap_or(*mount);
                let last = self.token.mounts.get(last).copied().unwrap_or(*last);
                Some(Call::Listmount { mount, last })
            }
            _ => None,
        }
    }

    /// Notes which unique mount ids of the reference are which here.
    fn learn(&mut self, value: &Value) {
        let Some(Observation::Returned(Ok(reference))) = self.reference.get(self.token.position) else { return };
        match (reference, value) {
            (Value::Mounts(theirs), Value::Mounts(ours)) => {
                self.token.mounts.extend(theirs.iter().map(|id| id.0).zip(ours.iter().map(|id| id.0)));
            }
            (Value::StatMount(theirs), Value::StatMount(ours)) => {
                self.token.mounts.insert(theirs.mount_id, ours.mount_id);
                self.token.mounts.insert(theirs.parent_id, ours.parent_id);
            }
            _ => {}
        }
    }
}

/// Makes a call. A walk that must not leave a directory gives up if anything is mounted or renamed on the machine while it
/// goes up, as one of openat2(2) is to do: then it is made again.
fn apply(call: &Call) -> Result<Value, Errno> {
    const ATTEMPTS: usize = 10_000;
    let scoped = ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT;
    let may_be_disturbed = matches!(call, Call::Openat2 { how, .. } if how.resolve.intersects(scoped));
    let mut result = call.apply(&LinuxKernel);
    for _ in 0..ATTEMPTS {
        if !may_be_disturbed || result != Err(Errno::EAGAIN) {
            break;
        }
        result = call.apply(&LinuxKernel);
    }
    result
}

/// Waits until a child has ended; gives its exit status. It stays a zombie, so that the sequence can wait for it.
fn await_end(pid: Pid) -> Option<i32> {
    let child = Id::Pid(nix::unistd::Pid::from_raw(pid.0));
    // Where there is no such child, there is nothing to wait for.
    match waitid(child, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        Ok(WaitStatus::Exited(_, status)) => Some(status),
        _ => None,
    }
}

fn look() -> Result<Tables, Errno> {
    Ok(Tables { mountinfo: read_whole("thread-self/mountinfo")?, mounts: read_whole("thread-self/mounts")? })
}

/// Opens a file of the machine's proc, however few descriptors the process may have.
fn open_beyond_limit(path: &str) -> Result<Fd, Errno> {
    let failed = |errno: nix::errno::Errno| Errno::from_raw(errno as i32);
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(failed)?;
    let opened = LinuxKernel.openat2(control::PROC, UnixPath::new(path), how);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).map_err(failed)?;
    opened
}

/// Reads a file of the machine's proc, whatever the process has done to its own.
fn read_whole(path: &str) -> Result<Bytes, Errno> {
    const BUFFER: usize = 64 << 10;
    let fd = open_beyond_limit(path)?;
    let mut text = Vec::new();
    let result = loop {
        match LinuxKernel.read(fd, BUFFER) {
            Ok(part) if part.0.is_empty() => break Ok(Bytes(text)),
            Ok(part) => text.extend_from_slice(&part.0),
            Err(errno) => break Err(errno),
        }
    };
    LinuxKernel.close(fd)?;
    result
}
