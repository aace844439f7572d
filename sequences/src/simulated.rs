//! The simulated kernel, carrying out the same plans.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cofferdam::kernel::{Bytes, Call, CloneFlags, Errno, Fd, OpenFlags, OpenHow, Prctl, Signal, Value};
use cofferdam_vfs_sim::{DescriptorKind, Id, Linux, Number, Process, Task};

use crate::census::Census;
use crate::observation::{Observation, Tables};
use crate::sequence::{Action, Item, MAX_TASKS, Plan, Step, TaskIndex, Universe};
use crate::universe::{self, CapabilitiesAtStart, PreparationError, Privileges, User};

/// Simulated kernels in the state in which sequences begin.
#[derive(Clone, Debug)]
pub struct Simulation {
    standard: Simulated,
    small: Simulated,
    host: Simulated,
}

/// A simulated kernel with the processes of a sequence. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Simulated {
    linux: Linux,
    tasks: [Option<Id<Task>>; MAX_TASKS],
    census: Census,
}

/// What machine is simulated.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its memory in bytes, of which a tmpfs takes half.
    pub memory: u64,
    /// Those of [`Linux::names_in_proc`] that its kernel does not have.
    pub missing_in_proc: Vec<String>,
}

impl Machine {
    /// One whose memory has so many bytes, and the names in whose proc, for all that is known of it, pass.
    pub fn new(memory: u64, has_in_proc: impl Fn(&str) -> bool) -> Self {
        let missing = Linux::names_in_proc().filter(|name| !has_in_proc(name));
        Self { memory, missing_in_proc: missing.map(str::to_owned).collect() }
    }
}

impl Simulation {
    /// Brings simulated kernels into the state in which a real one is, if the sequences have these privileges.
    pub fn new(
        privileges: Privileges,
        user: User,
        capabilities: &CapabilitiesAtStart,
        machine: &Machine,
    ) -> Result<Self, PreparationError> {
        let mut base = Simulated::boot(machine);
        base.make(&starting_point(user))?;
        base.make(&own_namespaces(privileges, user))?;
        base.make(&universe::empty_namespace(privileges))?;
        base.make(&capabilities.calls())?;
        let prepared = |universe| {
            let mut kernel = base.clone();
            kernel.begin_session()?;
            kernel.make(&universe::calls(universe, privileges))?;
            Ok(kernel)
        };
        Ok(Self {
            standard: prepared(Universe::Standard)?,
            small: prepared(Universe::Small)?,
            host: prepared(Universe::Host)?,
        })
    }

    /// A kernel for a sequence.
    pub fn begin(&self, universe: Universe) -> Simulated {
        match universe {
            Universe::Standard => self.standard.clone(),
            Universe::Small => self.small.clone(),
            Universe::Host => self.host.clone(),
        }
    }

    /// Carries out a plan.
    pub fn run(&self, plan: &Plan) -> Vec<Observation> {
        let mut kernel = self.begin(plan.universe);
        plan.items.iter().map(|item| kernel.carry_out(item)).collect()
    }
}

/// Whether a call may wait, or end or stop a process by a signal.
pub fn needs_care(call: &Call) -> bool {
    match call {
        Call::Kill { signal, .. } => *signal != Signal::KILL,
        Call::Read { .. }
        | Call::Write { .. }
        | Call::Ftruncate { .. }
        | Call::Flock { .. }
        | Call::Openat2 { .. }
        | Call::Wait4 { .. }
        | Call::Sigwaitinfo { .. }
        | Call::Sigprocmask { .. } => true,
        _ => false,
    }
}

/// What init does on a machine that has booted, so that it is what the real process was when it was started.
fn starting_point(user: User) -> Vec<Call> {
    let mut calls = vec![
        universe::mkdir("/proc", 0o555),
        universe::mount("proc", "/proc", "proc", None),
        universe::mkdir("/tmp", 0o777),
    ];
    let User { uid, gid } = user;
    if (uid, gid) != (0, 0) {
        calls.extend([
            Call::Setgroups { groups: Vec::new() },
            Call::Setresgid { real: gid, effective: gid, saved: gid },
            Call::Setresuid { real: uid, effective: uid, saved: uid },
            // As after execve(2): the process may write to its own files in proc.
            Call::Prctl { operation: Prctl::SetDumpable(true) },
        ]);
    }
    calls
}

/// What a process does to have namespaces of its own, with all privileges in them.
fn own_namespaces(privileges: Privileges, user: User) -> Vec<Call> {
    match privileges {
        Privileges::Root => vec![Call::Unshare { flags: CloneFlags::CLONE_NEWNS }],
        Privileges::UserNamespace => {
            let mut calls = vec![Call::Unshare { flags: CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS }];
            calls.extend(write("/proc/self/setgroups", "deny"));
            calls.extend(write("/proc/self/uid_map", &format!("0 {} 1", user.uid)));
            calls.extend(write("/proc/self/gid_map", &format!("0 {} 1", user.gid)));
            calls
        }
    }
}

/// Opens, writes, closes, while no descriptor is open.
fn write(path: &str, text: &str) -> [Call; 3] {
    let fd = Fd(0);
    let how = OpenHow { flags: OpenFlags::O_WRONLY, ..OpenHow::default() };
    [
        Call::Openat2 { dirfd: Fd::CWD, path: path.into(), how },
        Call::Write { fd, data: text.into() },
        Call::Close { fd },
    ]
}

impl Simulated {
    fn boot(machine: &Machine) -> Self {
        let mut linux = Linux::with_memory(machine.memory);
        linux.omit_in_proc(machine.missing_in_proc.iter().map(String::as_str));
        let mut tasks = [None; MAX_TASKS];
        tasks[0] = Some(linux.init());
        Self { linux, tasks, census: Census::default() }
    }

    fn make(&mut self, calls: &[Call]) -> Result<(), PreparationError> {
        let (linux, init) = (&mut self.linux, self.tasks[0]);
        universe::make(|call| init.map_or(Err(Errno::ESRCH), |init| linux.call(init, call)), calls)
    }

    /// The first process of a sequence is, as on the real kernel, the first of a pid namespace.
    fn begin_session(&mut self) -> Result<(), PreparationError> {
        let flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
        let failed = |errno| PreparationError { call: format!("clone3({flags})"), errno };
        let init = self.id(0).map_err(failed)?;
        self.tasks[0] = Some(self.linux.fork(init, flags).map_err(failed)?);
        Ok(())
    }

    /// A process of a copy of the kernel, to be handed to what is to be recorded.
    pub fn process(&self, task: TaskIndex) -> Option<Process> {
        Process::of(self.linux.clone(), self.id(task).ok()?)
    }

    /// Which of the sequence's processes live.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// Makes a call for the sake of its answer, which changes nothing.
    pub fn ask(&mut self, task: TaskIndex, call: &Call) -> Result<Value, Errno> {
        let id = self.id(task)?;
        catch_unwind(AssertUnwindSafe(|| self.linux.call(id, call))).unwrap_or(Err(Errno::EFAULT))
    }

    /// How many mounts there are.
    pub fn mounts(&self) -> usize {
        self.linux.mounts().count()
    }

    /// Whether a filesystem of a type has other options than it was made with: there is only one, and it was writable.
    pub fn has_remounted(&self, filesystem_type: &[u8]) -> bool {
        let mut mounts = self.linux.mounts().filter(|mount| mount.filesystem_type() == filesystem_type);
        mounts.any(|mount| mount.super_options().0 != b"rw")
    }

    /// The open descriptors of a process.
    pub fn descriptors(&self, task: TaskIndex) -> Vec<(Fd, DescriptorKind)> {
        self.id(task).into_iter().flat_map(|task| self.linux.descriptors(task)).collect()
    }

    /// The mount table of a process.
    pub fn mountinfo(&self, task: TaskIndex) -> Vec<u8> {
        self.id(task).ok().and_then(|task| self.linux.mountinfo_table(task)).unwrap_or_default()
    }

    /// Carries out an item of a plan.
    pub fn carry_out(&mut self, item: &Item) -> Observation {
        match item {
            Item::Step(_, step) => self.perform(step),
            Item::Look(task) => self.look(*task),
        }
    }

    /// Carries out a step, unless the machinery is not made for it: it would wait for another process, or a signal would
    /// end or stop one.
    pub fn perform(&mut self, step: &Step) -> Observation {
        if !self.census.admits(step) {
            return Observation::Skipped;
        }
        let before = matches!(&step.action, Action::Call(call) if needs_care(call)).then(|| self.clone());
        let observation = self.attempt(step);
        if let Some(before) = before
            && (self.has_waited(step, &observation) || !self.all_can_run())
        {
            *self = before;
            return Observation::Skipped;
        }
        observation
    }

    /// Whether a call waited, or would have had to for the rest of what it was to write.
    fn has_waited(&self, step: &Step, observation: &Observation) -> bool {
        let Action::Call(call) = &step.action else { return false };
        match (call, observation.result()) {
            (_, Some(Err(Errno::EDEADLK))) => true,
            (Call::Write { data, .. }, Some(Ok(Value::Count(written)))) if *written < data.0.len() => {
                self.clone().ask(step.task, call) == Err(Errno::EDEADLK)
            }
            _ => false,
        }
    }

    fn all_can_run(&self) -> bool {
        let mut linux = self.linux.clone();
        self.census.living().all(|task| self.id(task).is_ok_and(|task| linux.call(task, &Call::Getpid {}).is_ok()))
    }

    fn attempt(&mut self, step: &Step) -> Observation {
        match catch_unwind(AssertUnwindSafe(|| self.act(step))) {
            Ok(result) => Observation::Returned(result),
            Err(payload) => Observation::Broken(format!("panic: {}", message(payload.as_ref()))),
        }
    }

    fn act(&mut self, step: &Step) -> Result<Value, Errno> {
        let task = self.id(step.task)?;
        match &step.action {
            Action::Call(call) => {
                let value = self.linux.call(task, call)?;
                if matches!(call, Call::Execve { .. }) {
                    // What every program does that sequences have.
                    self.linux.exit(task, 0);
                    self.census.remove(step.task);
                }
                self.census.note(step.task, call);
                Ok(value)
            }
            Action::Fork { child, flags } => {
                let id = self.linux.fork(task, *flags)?;
                let pid = self.linux.pid_for(task, id).ok_or(Errno::ESRCH)?;
                *self.tasks.get_mut(*child).ok_or(Errno::ESRCH)? = Some(id);
                self.census.add(*child, step.task, pid, *flags);
                Ok(Value::Process(pid))
            }
            Action::Exit { status } => {
                self.linux.exit(task, *status);
                self.census.remove(step.task);
                Ok(Value::Done)
            }
        }
    }

    /// The tables that a process sees, provided that the kernel's data hang together.
    fn look(&self, task: TaskIndex) -> Observation {
        if !self.census.lives(task) {
            return Observation::Skipped;
        }
        let looked = catch_unwind(AssertUnwindSafe(|| {
            if let Err(inconsistency) = self.linux.check() {
                return Observation::Broken(inconsistency.to_string());
            }
            Observation::Looked(self.tables(task).ok_or(Errno::ESRCH))
        }));
        looked.unwrap_or_else(|payload| Observation::Broken(format!("panic: {}", message(payload.as_ref()))))
    }

    fn tables(&self, task: TaskIndex) -> Option<Tables> {
        let task = self.id(task).ok()?;
        let (mountinfo, mounts) = (self.linux.mountinfo_table(task)?, self.linux.mounts_table(task)?);
        Some(Tables { mountinfo: Bytes(mountinfo), mounts: Bytes(mounts) })
    }

    /// The numbers that the kernel has given out and that are in use; some occur more than once.
    pub fn numbers(&self) -> impl Iterator<Item = Number> {
        self.linux.numbers()
    }

    fn id(&self, task: TaskIndex) -> Result<Id<Task>, Errno> {
        self.tasks.get(task).copied().flatten().ok_or(Errno::ESRCH)
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
