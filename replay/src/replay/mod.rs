//! A log, call by call, on a simulated machine.

mod left_out;
mod replacement;

use std::collections::BTreeSet;

use cofferdam::kernel::{Bytes, Call, Errno, Fd, Pid, Value};
use cofferdam_vfs_sim::{Id, Linux, Task};

use self::left_out::{CONTENT, ENDED, NOT_REPLAYED, NOT_SIMULATED, PROCESSES};
use self::replacement::replacement;
use crate::compare::{agree, shown};
use crate::decode::{Action, Decoded, Given, decode};
use crate::reason::{Reason, reason};
use crate::report::{Difference, Failure, Replaced, Report};
use crate::trace::{Event, RecordedCall, Trace, What};
use crate::world::facts::Facts;
use crate::world::learn::Learned;
use crate::world::{Beginning, Fork, World};

/// How often all is replayed from the start. Each time a fact is known better; there are far fewer of them.
const MOST_ATTEMPTS: usize = 10_000;

/// How many calls that are under way are tried before one that gave something else.
const MOST_UNDER_WAY: usize = 16;

/// How many things can be learned from one call.
const MOST_LESSONS: usize = 64;

/// The replay can't begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The first process can't be what it was.
    #[error("the first process cannot be made on the simulated machine: {0}")]
    Begin(Errno),
    /// What was learned keeps changing.
    #[error("after {MOST_ATTEMPTS} attempts it is still not clear what was on the traced machine")]
    Unclear,
}

/// Replays a log on a machine as it was when the log began.
///
/// # Errors
///
/// If the first process can't be made as it began.
pub fn replay(trace: &Trace, machine: &Linux, beginning: &Beginning) -> Result<Report, ReplayError> {
    replay_with_progress(trace, machine, beginning, &mut |_| {})
}

/// The same, which tells on the way how many [events](Trace::events) are replayed. They are fewer again when something was learned of
/// the traced machine, and all is replayed from the start.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_with_progress(
    trace: &Trace,
    machine: &Linux,
    beginning: &Beginning,
    progress: &mut dyn FnMut(usize),
) -> Result<Report, ReplayError> {
    let mut facts = Facts::default();
    for _ in 0..MOST_ATTEMPTS {
        let world = World::new(machine, trace.first, beginning, &facts).map_err(ReplayError::Begin)?;
        let mut replay = Replay { trace, world, report: Report::default(), done: BTreeSet::new(), may_learn: true };
        if replay.run(progress) == End::Over {
            replay.report.files = replay.world.facts.count();
            return Ok(replay.report);
        }
        facts = replay.world.facts;
    }
    Err(ReplayError::Unclear)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Over,
    /// A fact is known better: from the start.
    Again,
}

/// What came of an event.
#[derive(Clone, Debug)]
enum Step {
    Agreed,
    /// The reason.
    Skipped(String),
    Different(String, Reason),
    Again,
}

struct Replay<'a> {
    trace: &'a Trace,
    world: World,
    report: Report,
    /// Calls that were under way and have been replayed earlier than their second line.
    done: BTreeSet<usize>,
    /// Whether a call that gives something else may show what was on the traced machine.
    may_learn: bool,
}

impl Replay<'_> {
    fn run(&mut self, progress: &mut dyn FnMut(usize)) -> End {
        let trace = self.trace;
        for (index, event) in trace.events.iter().enumerate() {
            progress(index);
            if self.done.contains(&index) {
                continue;
            }
            let step = self.step_among_others(index, event);
            let What::Call(call) = &event.what else { continue };
            match step {
                Step::Agreed => self.report.replayed += 1,
                Step::Skipped(reason) => self.report.skip(&call.call.name, reason, event.line),
                Step::Again => return End::Again,
                Step::Different(simulated, Reason { reason, detail }) => {
                    let (line, pid, call) = (event.line, event.pid, call.text.clone());
                    self.report.difference = Some(Difference { line, pid, call, simulated, reason, detail });
                    return End::Over;
                }
            }
        }
        End::Over
    }

    /// A call that gives something else may come after another one that was under way, or show something new: the former is
    /// tried first.
    fn step_among_others(&mut self, index: usize, event: &Event) -> Step {
        if self.under_way(index).next().is_some() {
            let before = (self.world.clone(), self.report.clone());
            self.may_learn = false;
            let step = self.step(event);
            let is_done = !matches!(step, Step::Different(..)) || {
                (self.world, self.report) = before.clone();
                self.goes_after_one_under_way(index, event)
            };
            self.may_learn = true;
            match step {
                Step::Different(..) if is_done => return Step::Agreed,
                Step::Different(..) => (self.world, self.report) = before,
                step => return step,
            }
        }
        match self.step(event) {
            Step::Different(..) if self.goes_after_one_under_way(index, event) => Step::Agreed,
            step => step,
        }
    }

    /// The calls of others that were under way during one, and are not replayed yet.
    fn under_way(&self, index: usize) -> impl Iterator<Item = (usize, &Event)> {
        let others = self.trace.under_way(index);
        others.filter(|(position, _)| !self.done.contains(position)).take(MOST_UNDER_WAY)
    }

    /// Whether a call gives what was recorded if another one, which was under way, is made before it.
    fn goes_after_one_under_way(&mut self, index: usize, event: &Event) -> bool {
        let trace = self.trace;
        let under_way: Vec<usize> = self.under_way(index).map(|(position, _)| position).collect();
        for position in under_way {
            let Some(other) = trace.events.get(position) else { continue };
            let before = (self.world.clone(), self.report.clone());
            if matches!(self.step(other), Step::Agreed) && matches!(self.step(event), Step::Agreed) {
                self.done.insert(position);
                self.report.replayed += 1;
                return true;
            }
            (self.world, self.report) = before;
        }
        false
    }

    fn step(&mut self, event: &Event) -> Step {
        let recorded = match &event.what {
            What::Ended(ending) => {
                self.world.end(event.pid, ending);
                return Step::Agreed;
            }
            What::Call(recorded) => recorded,
        };
        let Some(task) = self.world.task(event.pid) else { return Step::Skipped(ENDED.into()) };
        match decode(&recorded.call) {
            Ok(None) => Step::Skipped(NOT_REPLAYED.into()),
            Ok(Some(decoded)) => self.act(event, task, recorded, decoded),
            Err(error) => Step::Skipped(error.to_string()),
        }
    }

    fn act(&mut self, event: &Event, task: Id<Task>, call: &RecordedCall, decoded: Decoded) -> Step {
        let Decoded { action, recorded } = decoded;
        if let Some(reason) = self.uses_what_is_not_simulated(task, &action, &recorded) {
            return Step::Skipped(reason.into());
        }
        match action {
            Action::Nothing => Step::Skipped(NOT_REPLAYED.into()),
            Action::Call(Call::Write { fd, data }) => self.write(event, task, fd, data, &recorded),
            Action::Call(call) => self.make(event, task, &call, &recorded),
            Action::Exists(call) => {
                // Whether it may be read or written is not asked; that it is there is known by these as well.
                let denied = [Errno::EACCES, Errno::EROFS, Errno::EPERM, Errno::ETXTBSY];
                let is_denied = recorded.as_ref().is_err_and(|errno| denied.contains(errno));
                if is_denied && self.world.call(task, &call).is_err_and(|errno| denied.contains(&errno)) {
                    return Step::Agreed;
                }
                self.make(event, task, &call, if is_denied { &Ok(Given::Done) } else { &recorded })
            }
            Action::Fork { flags, is_sibling, is_thread } => {
                let returned = match recorded {
                    Ok(Given::Process(pid)) => Some(pid),
                    _ => None,
                };
                let fork = Fork { flags, is_sibling, is_thread, returned, child: call.child };
                self.fork(event, task, fork, &recorded)
            }
            Action::Duplicate { old, close_on_exec } => match recorded {
                Ok(Given::Descriptor(new)) => self.done(|world| world.duplicate(task, old, new, close_on_exec)),
                _ => Step::Skipped(NOT_REPLAYED.into()),
            },
            Action::SetCloseOnExec { fd, on } => match recorded {
                Ok(_) => self.done(|world| world.set_close_on_exec(task, fd, on)),
                Err(_) => Step::Skipped(NOT_REPLAYED.into()),
            },
            Action::Foreign { close_on_exec } => {
                self.place(task, &recorded, close_on_exec);
                Step::Skipped("makes what is not simulated".into())
            }
            Action::Wait => self.wait(event, &recorded),
            Action::Exit { status } => {
                // What the end does is done at the line that tells of it.
                if !self.trace.tells_of_ends() {
                    self.world.end(event.pid, &crate::syntax::Ending::Exited(status));
                }
                Step::Agreed
            }
        }
    }

    fn done(&mut self, act: impl FnOnce(&mut World) -> Result<(), Errno>) -> Step {
        match act(&mut self.world) {
            Ok(()) => Step::Agreed,
            Err(errno) => Step::Different(format!("-1 {errno}"), Reason::default()),
        }
    }

    fn place(&mut self, task: Id<Task>, recorded: &Result<Given, Errno>, close_on_exec: bool) {
        let fds = match recorded {
            Ok(Given::Descriptor(fd)) => vec![*fd],
            Ok(Given::Descriptors(fds)) => fds.clone(),
            _ => Vec::new(),
        };
        for fd in fds {
            // Where there is no room for it, calls on it are left out as those on one that nobody knows.
            let _ = self.world.place_foreign(task, fd, close_on_exec);
        }
    }

    /// What is written matters in the files that say who is who in a user namespace.
    fn write(&mut self, event: &Event, task: Id<Task>, fd: Fd, data: Bytes, recorded: &Result<Given, Errno>) -> Step {
        let maps = [&b"/uid_map"[..], b"/gid_map", b"/setgroups"];
        match self.world.file_in_proc(task, fd) {
            Some(path) if maps.iter().any(|map| path.0.ends_with(map)) => {
                self.make(event, task, &Call::Write { fd, data }, recorded)
            }
            _ => Step::Skipped(CONTENT.into()),
        }
    }

    /// Makes a call, and learns from it what was on the traced machine.
    fn make(&mut self, event: &Event, task: Id<Task>, call: &Call, recorded: &Result<Given, Errno>) -> Step {
        for _ in 0..MOST_LESSONS {
            let before = self.world.linux.clone();
            let simulated = self.world.call(task, call);
            if agree(recorded, &simulated) {
                self.note_failure(event, task, call, recorded);
                return self.settle(task, recorded, &simulated);
            }
            let after = std::mem::replace(&mut self.world.linux, before);
            if !self.may_learn {
                return Step::Different(String::new(), Reason::default());
            }
            match self.world.learn(task, call, recorded, &simulated) {
                Learned::Supplied => {}
                Learned::Corrected => return Step::Again,
                Learned::NotSimulated => {
                    self.place(task, recorded, false);
                    return Step::Skipped(NOT_SIMULATED.into());
                }
                Learned::Nothing => return self.differs(event, task, call, recorded, &simulated, after),
            }
        }
        Step::Different("more was missing than one call can show".into(), Reason::default())
    }

    /// Gives new descriptors the numbers that they had.
    fn settle(&mut self, task: Id<Task>, recorded: &Result<Given, Errno>, simulated: &Result<Value, Errno>) -> Step {
        match (recorded, simulated) {
            (Ok(Given::Descriptor(number)), Ok(Value::Descriptor(fd))) => {
                self.done(|world| world.settle(task, *fd, *number))
            }
            (Ok(Given::Descriptors(numbers)), Ok(Value::Descriptors(fds))) => match numbers[..] {
                [first, second] => self.done(|world| world.settle_pair(task, *fds, (first, second))),
                _ => Step::Agreed,
            },
            _ => Step::Agreed,
        }
    }

    /// A call gave something else: for a reason that is known, or not.
    fn differs(
        &mut self,
        event: &Event,
        task: Id<Task>,
        call: &Call,
        recorded: &Result<Given, Errno>,
        simulated: &Result<Value, Errno>,
        after: Linux,
    ) -> Step {
        if let Some(reason) = self.is_to_be_left_out(task, call, recorded, simulated) {
            self.place(task, recorded, false);
            if matches!(call, Call::Execve { .. }) {
                // It may have as few descriptors as it wants.
                let _ = self.world.close_on_exec(task);
            }
            return Step::Skipped(reason.into());
        }
        if let Some((filesystem, replacement)) = replacement(call, recorded) {
            let before = self.world.linux.clone();
            let simulated = self.world.call(task, &replacement);
            if agree(recorded, &simulated) {
                self.report.replaced.push(Replaced { filesystem, line: event.line });
                return self.settle(task, recorded, &simulated);
            }
            self.world.linux = before;
        }
        let failed = recorded.as_ref().err().or(simulated.as_ref().err());
        let rule = after.why();
        let reason = failed.map(|errno| reason(&self.world.linux, task, call, *errno, rule)).unwrap_or_default();
        self.world.linux = after;
        Step::Different(shown(simulated), reason)
    }

    fn note_failure(&mut self, event: &Event, task: Id<Task>, call: &Call, recorded: &Result<Given, Errno>) {
        let (Err(errno), true, What::Call(text)) = (recorded, is_about_mounts(call), &event.what) else { return };
        let linux = &self.world.linux;
        let Reason { reason, detail } = reason(linux, task, call, *errno, linux.why());
        let failure = Failure { line: event.line, pid: event.pid, call: text.text.clone(), reason, detail };
        self.report.failures.push(failure);
    }

    fn fork(&mut self, event: &Event, task: Id<Task>, fork: Fork, recorded: &Result<Given, Errno>) -> Step {
        let before = self.world.clone();
        let simulated = self.world.fork(event.pid, task, fork);
        match (recorded, simulated) {
            (Ok(_), Ok(())) => Step::Agreed,
            (Err(recorded), Err(simulated)) if *recorded == simulated => {
                let call = Call::Clone3 { flags: fork.flags };
                self.note_failure(event, task, &call, &Err(*recorded));
                Step::Agreed
            }
            (recorded, simulated) => {
                let rule = self.world.linux.why();
                self.world = before;
                let failed = recorded.as_ref().err().copied().or(simulated.err());
                let call = Call::Clone3 { flags: fork.flags };
                let linux = &self.world.linux;
                let reason = failed.map(|errno| reason(linux, task, &call, errno, rule)).unwrap_or_default();
                Step::Different(shown(&simulated.map(Value::from)), reason)
            }
        }
    }

    fn wait(&mut self, event: &Event, recorded: &Result<Given, Errno>) -> Step {
        let Ok(Given::Child(Some((child, status)))) = recorded else {
            return Step::Skipped("with no child to tell of".into());
        };
        match (self.world.wait(event.pid, Pid(child.0)), status) {
            (None, _) => Step::Skipped(PROCESSES.into()),
            (Some(simulated), Some(status)) if simulated != *status => {
                Step::Different(format!("{}, {simulated:?}", child.0), Reason::default())
            }
            _ => Step::Agreed,
        }
    }
}

/// Whether a call is one of those that a replay is about.
fn is_about_mounts(call: &Call) -> bool {
    matches!(
        call,
        Call::Mount { .. }
            | Call::Umount2 { .. }
            | Call::PivotRoot { .. }
            | Call::OpenTree { .. }
            | Call::OpenTreeAttr { .. }
            | Call::MoveMount { .. }
            | Call::MountSetattr { .. }
            | Call::Fsopen { .. }
            | Call::Fsconfig { .. }
            | Call::Fsmount { .. }
            | Call::Fspick { .. }
            | Call::Chroot { .. }
            | Call::Unshare { .. }
            | Call::Setns { .. }
            | Call::Clone3 { .. }
    )
}
