//! cofferdam at work in a process of a simulated kernel.

use std::cell::{Cell, RefCell};
use std::io::Write;

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{
    Bytes, Call, CloneFlags, CloseRangeFlags, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, OpenFlags, OpenHow,
    Pid, ResolveFlags, Value, WaitOptions,
};
use cofferdam::user::UserDatabase;
use cofferdam_vfs_sim::{Id, Linux, Process, Task, TaskView};

use super::programs::Programs;
use super::users::Users;
use crate::arguments::{LaunchArguments, RunArguments};
use crate::host::Host;
use crate::launch::launch;
use crate::run::{Failure, failed, run_on};
use crate::trace::traced;

/// Where the simulated host has this program.
const COFFERDAM: &str = "/usr/bin/cofferdam";

/// How much is taken out of a pipe at once.
const CHUNK: usize = 1 << 16;

/// A simulated host on which cofferdam runs.
pub(super) struct Session {
    init: Process,
    terminal: Terminal,
    users: Users,
    begun: RefCell<Option<Begun>>,
}

/// A container's program at its beginning.
#[derive(Clone)]
pub(super) struct Begun {
    /// The kernel right after execve(2).
    pub(super) linux: Linux,
    /// The process that has become the program.
    pub(super) task: Id<Task>,
    /// What was executed.
    pub(super) path: Bytes,
    /// Whether it was carried out.
    pub(super) was_carried_out: bool,
    /// The users of the host.
    pub(super) users: Users,
}

impl Session {
    /// Boots the host. What its processes write to their standard output and error goes to these.
    pub(super) fn start(linux: Linux, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Result<Self, Failure> {
        let init = Process::init(linux);
        let users = Users::read(&init)?;
        let terminal = Terminal::open(&init, [stdout, stderr])?;
        Ok(Self { init, terminal, users, begun: RefCell::new(None) })
    }

    /// The host's mount table.
    pub(super) fn mountinfo(&self) -> Vec<u8> {
        self.init.linux().mountinfo_table(self.init.task()).unwrap_or_default()
    }

    /// The program at its beginning, if it was executed.
    pub(super) fn begun(&self) -> Option<Begun> {
        self.begun.borrow().clone()
    }

    /// `cofferdam run` in a process of the host. Gives the exit status.
    pub(super) fn run(&self, programs: &dyn Programs, arguments: &RunArguments) -> Result<i32, Failure> {
        let mut result = Ok(0);
        let made = self.init.clone3(CloneFlags::empty(), &mut |kernel| {
            result = self.cofferdam(kernel, programs, arguments);
            0
        });
        self.terminal.forward();
        let child = made.map_err(|errno| CallError::new("make a process for", UnixPath::new(COFFERDAM), errno))?;
        let waited = self.init.wait4(child, WaitOptions::empty());
        waited.map_err(|errno| CallError::new("wait for", UnixPath::new(COFFERDAM), errno))?;
        result
    }

    fn cofferdam(
        &self,
        kernel: &dyn Kernel,
        programs: &dyn Programs,
        arguments: &RunArguments,
    ) -> Result<i32, Failure> {
        self.terminal.become_stdio(kernel)?;
        let path = UnixPath::new(COFFERDAM);
        kernel
            .execve(path, &["cofferdam".into(), "run".into()], &[])
            .map_err(|errno| CallError::new("execute on the simulated host", path, errno))?;
        let watcher = Watcher { session: self, programs, stage: Cell::new(Stage::Agent) };
        traced(&Intercepted::new(kernel, &watcher), arguments.trace, |kernel| run_on(kernel, self, arguments))
    }

    /// Remembers how the program begins, and carries it out, if anybody knows how.
    fn program_begins(&self, watcher: &Watcher<'_>, kernel: &dyn Kernel, path: &Bytes, argv: &[Bytes], envp: &[Bytes]) {
        let linux = self.init.linux().clone();
        // A child runs to its end inside of clone3(2), so the last that was made is the one that acts.
        let running = linux.tasks().filter(TaskView::is_running);
        let Some(task) = running.max_by_key(TaskView::pid).map(|task| task.key()) else { return };
        let begun = Begun { linux, task, path: path.clone(), was_carried_out: false, users: self.users.clone() };
        self.begun.replace(Some(begun));
        let process = Intercepted::new(kernel, watcher);
        let Some(status) = watcher.programs.run(&process, path.as_path(), argv, envp) else { return };
        self.terminal.forward();
        self.init.linux().exit(task, status);
        if let Some(begun) = &mut *self.begun.borrow_mut() {
            begun.was_carried_out = true;
        }
    }
}

impl Host for Session {
    fn users(&self) -> Box<dyn UserDatabase> {
        Box::new(self.users.clone())
    }

    /// The host is fresh, so any does; the same each time.
    fn unused_id(&self, kernel: &dyn Kernel) -> String {
        let Pid(pid) = kernel.getpid().unwrap_or(Pid(0));
        format!("run-{pid}")
    }

    fn launched(&self, kernel: &dyn Kernel, arguments: &LaunchArguments) -> i32 {
        launch(kernel, arguments, &self.users).unwrap_or_else(|error| failed(kernel, &error))
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
        if let Call::Write { .. } = call {
            // A full pipe would have its writer wait for somebody who can't act meanwhile.
            self.session.terminal.forward();
        }
        Ok(())
    }

    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let (Call::Execve { path, argv, envp }, Ok(_)) = (call, result) else { return };
        match self.stage.get() {
            Stage::Agent => self.stage.set(Stage::Launcher),
            Stage::Launcher => {
                self.stage.set(Stage::Program);
                self.session.program_begins(self, kernel, path, argv, envp);
            }
            Stage::Program => {}
        }
    }
}

/// Where the processes' standard output and error go: pipes that init reads, as a terminal or a shell would.
struct Terminal {
    init: Process,
    input: Fd,
    output: (Fd, Fd),
    error: (Fd, Fd),
    /// What is read from the two pipes goes there.
    sinks: RefCell<[Box<dyn Write>; 2]>,
}

impl Terminal {
    fn open(init: &Process, sinks: [Box<dyn Write>; 2]) -> Result<Self, CallError> {
        let null = UnixPath::new("/dev/null");
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
        let input =
            init.openat2(Fd::CWD, null, how).map_err(|errno| CallError::new("open standard input", null, errno))?;
        let pipe = || {
            init.pipe2(OpenFlags::O_CLOEXEC)
                .map_err(|errno| CallError::new("make a pipe for", UnixPath::new("standard output"), errno))
        };
        Ok(Self { init: init.clone(), input, output: pipe()?, error: pipe()?, sinks: RefCell::new(sinks) })
    }

    /// Gives the process of this kernel the standard descriptors, and no others.
    fn become_stdio(&self, kernel: &dyn Kernel) -> Result<(), CallError> {
        // Where none of the numbers is in use, so that none is lost.
        const ASIDE: i32 = 16;
        let wanted = [self.input, self.output.1, self.error.1];
        let give = || -> Result<(), Errno> {
            for (number, fd) in (ASIDE..).zip(wanted) {
                kernel.dup3(fd, Fd(number), OpenFlags::empty())?;
            }
            for number in 0..3 {
                kernel.dup3(Fd(ASIDE + number), Fd(number), OpenFlags::empty())?;
            }
            kernel.close_range(3, u32::MAX, CloseRangeFlags::empty())
        };
        give().map_err(|errno| CallError::new("set up the standard descriptors of", UnixPath::new(COFFERDAM), errno))
    }

    /// Passes on what is in the pipes.
    fn forward(&self) {
        let pipes = [self.output.0, self.error.0];
        for (pipe, sink) in pipes.into_iter().zip(&mut *self.sinks.borrow_mut()) {
            let text = self.read(pipe);
            // If nobody reads our output, the program's goes nowhere as well.
            let _ = sink.write_all(&text).and_then(|()| sink.flush());
        }
    }

    fn read(&self, pipe: Fd) -> Vec<u8> {
        let mut text = Vec::new();
        // An empty one would have its reader wait, which is an error here.
        while let Ok(Bytes(chunk)) = self.init.read(pipe, CHUNK) {
            if chunk.is_empty() {
                break;
            }
            text.extend_from_slice(&chunk);
        }
        text
    }
}

#[cfg(test)]
mod tests;
