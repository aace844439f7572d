//! A simulated machine with a shell at which somebody types.

use cofferdam::kernel::Errno;
use cofferdam_shell::{Completion, Machine, MountTable, Namespaces, Session};
use cofferdam_vfs_sim::Linux;

use crate::command::Command;
use crate::moment::State;
use crate::terminal::{Piece, Terminal};

/// How deep functions and compound commands may be nested in a browser: its own stack, on which there are the frames of
/// WebAssembly, is the limit.
const DEPTH: usize = 100;

/// What the help ends with.
const KEYS: &str = "\
The arrow keys bring back earlier lines, the tabulator completes commands and paths, Ctrl-C interrupts what
runs, Ctrl-D ends what is typed into a program, Ctrl-L clears what is printed.
";

/// The machine and its shell.
pub(crate) struct Simulation {
    machine: Machine,
    session: Session,
    terminal: Terminal,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What is to be read in the terminal.
    pub(crate) pieces: Vec<Piece>,
    /// Of the last command: `$?`.
    pub(crate) status: i32,
    /// What stands in front of the next line.
    pub(crate) prompt: String,
    pub(crate) state: State,
    /// The mounts afterwards, or as they were when it began to wait for input.
    pub(crate) tables: Vec<MountTable>,
}

impl Simulation {
    /// A new shell on this kernel.
    ///
    /// # Errors
    ///
    /// As those of `Machine::new` and `Session::new`.
    pub(crate) fn start(linux: &Linux) -> Result<Self, Errno> {
        let terminal = Terminal::default();
        let machine = Machine::new(linux.clone(), Box::new(terminal.clone()))?;
        machine.explain();
        let mut session = Session::new(&machine, b"sh", &[])?;
        session.set_interactive();
        if cfg!(target_family = "wasm") {
            session.allow_depth(DEPTH);
        }
        terminal.watch(session.process().clone());
        Ok(Self { machine, session, terminal })
    }

    /// Does a command. If it waits for what is not typed yet, the machine is of no use afterwards: it is given up in the middle
    /// of the command, which can be done again with more input.
    pub(crate) fn execute(&mut self, command: &Command) -> Outcome {
        self.terminal.begin(command);
        if command.text.trim() == "help" {
            self.terminal.note(&format!("{}{KEYS}", self.session.help()));
        } else {
            self.session.run_chunk(command.text.as_bytes());
        }
        match self.terminal.take_waiting() {
            Some(tables) => self.outcome(State::Waiting, tables),
            None => self.now(),
        }
    }

    /// How it is, now that nothing is at work but what is in the background.
    pub(crate) fn now(&self) -> Outcome {
        // What was just started in the background comes to its mounts.
        self.session.leave_jobs();
        self.machine.forward();
        let state = if self.session.exited().is_some() { State::Exited } else { State::Ready };
        let process = if state == State::Exited { self.machine.init() } else { self.session.process() };
        self.outcome(state, MountTable::seen_by(process, Namespaces::All))
    }

    fn outcome(&self, state: State, tables: Vec<MountTable>) -> Outcome {
        Outcome {
            pieces: self.terminal.pieces(),
            status: self.session.exited().unwrap_or_else(|| self.session.status()),
            prompt: self.session.prompt(),
            state,
            tables,
        }
    }

    /// What the last word of a line can become.
    pub(crate) fn complete(&self, line: &str) -> Completion {
        self.session.complete(line)
    }
}
