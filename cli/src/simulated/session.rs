//! cofferdam at work in a process of a simulated kernel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{Bytes, Call, Errno, Intercepted, Interceptor, Kernel, Pid, Value, WaitOptions};
use cofferdam::user::UserDatabase;
use cofferdam_shell::{Console, Machine};
use cofferdam_vfs_sim::{Id, Linux, Process, Task, TaskView};

use super::programs::Programs;
use super::users::{KnownUsers, Shared};
use crate::agent::Agent;
use crate::arguments::{LaunchArguments, RunArguments};
use crate::host::Host;
use crate::launch::launch;
use crate::run::{Failure, failed, run_on};
use crate::trace::traced;

/// A simulated host on which cofferdam runs.
pub(crate) struct Session {
    machine: Machine,
    users: Rc<dyn KnownUsers>,
    /// Where the host has this program.
    executable: Bytes,
    begun: RefCell<Option<Begun>>,
}

/// A container's program at its beginning.
#[derive(Clone)]
pub(crate) struct Begun {
    /// The kernel right after execve(2), or before it if there is no program.
    pub(crate) linux: Linux,
    /// The process that has become the program.
    pub(crate) task: Id<Task>,
    /// What was executed.
    pub(super) path: Bytes,
    /// Whether it was carried out.
    pub(super) was_carried_out: bool,
    /// The users of the host.
    pub(super) users: Rc<dyn KnownUsers>,
}

impl Session {
    /// Boots the host, whose processes speak to this console.
    pub(crate) fn start(
        linux: Linux,
        console: Box<dyn Console>,
        users: Rc<dyn KnownUsers>,
        executable: Bytes,
    ) -> Result<Self, Failure> {
        let machine = Machine::new(linux, console)
            .map_err(|errno| CallError::new("make pipes for", UnixPath::new("the standard streams"), errno))?;
        Ok(Self { machine, users, executable, begun: RefCell::new(None) })
    }

    /// The host's mount table.
    pub(crate) fn mountinfo(&self) -> Vec<u8> {
        self.init().linux().mountinfo_table(self.init().task()).unwrap_or_default()
    }

    /// The program at its beginning, if it was executed.
    pub(crate) fn begun(&self) -> Option<Begun> {
        self.begun.borrow().clone()
    }

    /// The host's first process.
    pub(crate) fn init(&self) -> &Process {
        self.machine.init()
    }

    /// `cofferdam run` in a process of the host. Gives the exit status.
    pub(crate) fn run(&self, programs: &dyn Programs, arguments: &RunArguments, agent: &Agent) -> Result<i32, Failure> {
        self.act(programs, arguments.trace, |kernel| run_on(kernel, self, arguments, agent))
    }

    /// A command of cofferdam in a process of the host. Gives the exit status.
    pub(crate) fn act(
        &self,
        programs: &dyn Programs,
        trace: bool,
        command: impl FnOnce(&dyn Kernel) -> Result<i32, Failure>,
    ) -> Result<i32, Failure> {
        let path = self.executable.as_path();
        let process = self.machine.new_process().map_err(|errno| CallError::new("make a process for", path, errno))?;
        let executed = process.execve(path, &["cofferdam".into(), "run".into()], &[]);
        let result = match executed {
            Ok(()) => {
                let watcher = Watcher { session: self, programs, stage: Cell::new(Stage::Agent) };
                // The result of execve(2) is traced before the program begins.
                traced(&process, trace, |kernel| command(&Intercepted::new(kernel, &watcher)))
            }
            Err(errno) => Err(CallError::new("execute on the simulated host", path, errno).into()),
        };
        self.machine.forward();
        process.exit(0);
        let waited = self.init().wait4(Pid(-1), WaitOptions::empty());
        waited.map_err(|errno| CallError::new("wait for", path, errno))?;
        result
    }

    /// Remembers how the program begins, and carries it out, if anybody knows how.
    fn program_begins(&self, programs: &dyn Programs, path: &Bytes) {
        let linux = self.init().linux().clone();
        // A child runs to its end inside of clone3(2), so the last that was made is the one that acts.
        let running = linux.tasks().filter(TaskView::is_running);
        let Some(task) = running.max_by_key(TaskView::pid).map(|task| task.key()) else { return };
        let begun = Begun { linux, task, path: path.clone(), was_carried_out: false, users: self.users.clone() };
        self.begun.replace(Some(begun));
        let process = self.init().other(task);
        let Some(status) = programs.run(&self.machine, &process) else { return };
        self.machine.forward();
        process.exit(status);
        if let Some(begun) = &mut *self.begun.borrow_mut() {
            begun.was_carried_out = true;
        }
    }
}

impl Host for Session {
    fn users(&self) -> Box<dyn UserDatabase> {
        Box::new(Shared(self.users.clone()))
    }

    /// The host is fresh, so any does; the same each time.
    fn unused_id(&self, kernel: &dyn Kernel) -> String {
        let Pid(pid) = kernel.getpid().unwrap_or(Pid(0));
        format!("run-{pid}")
    }

    fn launched(&self, kernel: &dyn Kernel, arguments: &LaunchArguments) -> i32 {
        launch(kernel, arguments, &Shared(self.users.clone())).unwrap_or_else(|error| failed(kernel, &error))
    }
}

/// What the next program to be executed is.
#[derive(Clone, Copy)]
enum Stage {
    Agent,
    Launcher,
    /// The container's program has begun. What it executes is its own business.
    Program,
}

/// Sees what the processes execute and write.
struct Watcher<'s> {
    session: &'s Session,
    programs: &'s dyn Programs,
    stage: Cell<Stage>,
}

impl Interceptor for Watcher<'_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match (call, self.stage.get()) {
            // A full pipe would have its writer wait for somebody who can't act meanwhile.
            (Call::Write { .. }, _) => self.session.machine.forward(),
            (Call::Execve { path, .. }, Stage::Launcher) if !self.programs.has_program() => {
                self.stage.set(Stage::Program);
                self.session.program_begins(self.programs, path);
                return Err(Errno::ENOENT);
            }
            _ => {}
        }
        Ok(())
    }

    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let (Call::Execve { path, .. }, Ok(_)) = (call, result) else { return };
        match self.stage.get() {
            Stage::Agent => self.stage.set(Stage::Launcher),
            Stage::Launcher => {
                self.stage.set(Stage::Program);
                self.session.program_begins(self.programs, path);
            }
            Stage::Program => {}
        }
    }
}

#[cfg(test)]
mod tests;
