//! A session, with all its moments.

use cofferdam::error::CallError;
use cofferdam::kernel::Errno;
use cofferdam::mountinfo::ParseError;
use cofferdam_shell::{Completeness, Machine, MountTable, Session};
use cofferdam_vfs_sim::{Linux, LoadError};

use crate::command::{Command, Input, SavedSession};
use crate::completed::Completed;
use crate::moment::{Moment, State};
use crate::mounts::{Changes, Pictures};
use crate::simulation::{Outcome, Simulation};

/// Why something can't be done.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// What is said to be a mount table is none.
    #[error("this is no mount table: {0}")]
    Load(#[from] LoadError),
    /// The files of the sample host do not go on these mounts.
    #[error("cannot put programs on a machine with these mounts: {0}")]
    Furnish(#[from] CallError),
    /// The kernel has no room for a shell.
    #[error("cannot start the shell on the simulated machine: {0}")]
    Start(Errno),
    /// The simulated kernel prints a table that is none.
    #[error("cannot read the mounts of the simulated machine: {0}")]
    Table(#[from] ParseError),
    /// What is said to be a session is none.
    #[error("this is no session: {0}")]
    Saved(#[from] serde_json::Error),
    /// A session of another version.
    #[error("this session is in the format {0}, which this page does not read")]
    Version(u32),
    /// There are fewer commands.
    #[error("there are {there} commands, and no command {number}")]
    NoCommand {
        /// The number that was asked for.
        number: usize,
        /// How many there are.
        there: usize,
    },
    /// Nothing waits for input.
    #[error("no command waits for input")]
    NotWaiting,
    /// The last command waits for input.
    #[error("the last command waits for input")]
    Waiting,
}

/// A machine's beginning, the commands that were typed, and the machine as it is after them.
///
/// Jobs, variables and open files are futures and processes, which can't be copied. So to go back is to do the commands anew, from
/// the beginning: the simulation does the same each time, and a command takes less than a millisecond.
pub struct History {
    mountinfo: Option<String>,
    beginning: Linux,
    commands: Vec<Command>,
    /// The mounts at the beginning, and after each command.
    tables: Vec<Vec<MountTable>>,
    present: Simulation,
    last: Outcome,
}

impl History {
    /// On the sample host.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Start`].
    pub fn new() -> Result<Self, HistoryError> {
        Self::begin(Machine::boot(), None)
    }

    /// On a machine with the mounts of another one.
    ///
    /// # Errors
    ///
    /// It is no mount table; or the programs can't be put there.
    pub fn with_mountinfo(mountinfo: String) -> Result<Self, HistoryError> {
        let linux = Machine::furnish(Linux::from_mountinfo(mountinfo.as_bytes())?)?;
        Self::begin(linux, Some(mountinfo))
    }

    fn begin(beginning: Linux, mountinfo: Option<String>) -> Result<Self, HistoryError> {
        let present = Simulation::start(&beginning).map_err(HistoryError::Start)?;
        let last = present.now();
        let tables = vec![last.tables.clone()];
        Ok(Self { mountinfo, beginning, commands: Vec::new(), tables, present, last })
    }

    /// A session that was [saved](Self::saved), and all its moments.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn restore(saved: &str) -> Result<(Self, Vec<Moment>), HistoryError> {
        let SavedSession { version, mountinfo, commands } = serde_json::from_str(saved)?;
        if version != SavedSession::VERSION {
            return Err(HistoryError::Version(version));
        }
        let mut history = mountinfo.map_or_else(Self::new, Self::with_mountinfo)?;
        let mut moments = vec![history.moment()?];
        for command in commands {
            moments.push(history.execute(command)?);
        }
        Ok((history, moments))
    }

    /// The session, to be kept.
    ///
    /// # Errors
    ///
    /// Those of serde.
    pub fn saved(&self) -> Result<String, HistoryError> {
        let (mountinfo, commands) = (self.mountinfo.clone(), self.commands.clone());
        Ok(serde_json::to_string(&SavedSession { version: SavedSession::VERSION, mountinfo, commands })?)
    }

    /// Does a command.
    ///
    /// # Errors
    ///
    /// The last one waits for input.
    pub fn execute(&mut self, command: Command) -> Result<Moment, HistoryError> {
        if self.last.state == State::Waiting {
            return Err(HistoryError::Waiting);
        }
        self.last = self.present.execute(&command);
        self.commands.push(command);
        self.tables.push(self.last.tables.clone());
        self.moment()
    }

    /// Types something that the last command waits for.
    ///
    /// # Errors
    ///
    /// It does not wait.
    pub fn input(&mut self, input: Input) -> Result<Moment, HistoryError> {
        if self.last.state != State::Waiting {
            return Err(HistoryError::NotWaiting);
        }
        let Some(mut command) = self.commands.last().cloned() else { return Err(HistoryError::NotWaiting) };
        command.input.push(input);
        self.go_back(self.commands.len() - 1)?;
        self.execute(command)
    }

    /// Makes the moment after so many commands the present: those that came later are forgotten.
    ///
    /// # Errors
    ///
    /// There are fewer.
    pub fn go_back(&mut self, number: usize) -> Result<(), HistoryError> {
        if number > self.commands.len() {
            return Err(HistoryError::NoCommand { number, there: self.commands.len() });
        }
        self.commands.truncate(number);
        self.tables.truncate(number + 1);
        self.present = Simulation::start(&self.beginning).map_err(HistoryError::Start)?;
        self.last = self.present.now();
        for command in &self.commands {
            self.last = self.present.execute(command);
        }
        Ok(())
    }

    /// The present.
    ///
    /// # Errors
    ///
    /// The mounts can't be read.
    pub fn moment(&self) -> Result<Moment, HistoryError> {
        let changes = match &self.tables[..] {
            [.., before, now] => Changes::between(before, now)?,
            _ => Changes::default(),
        };
        let beginning = self.tables.first().map(Vec::as_slice).unwrap_or_default();
        Ok(Moment {
            number: self.commands.len(),
            pieces: self.last.pieces.clone(),
            status: self.last.status,
            prompt: self.last.prompt.clone(),
            state: self.last.state,
            pictures: Pictures::of(beginning, &self.last.tables)?,
            changes,
        })
    }

    /// Completes the last word of a line; not while a command waits, for nobody knows what it wants.
    pub fn complete(&self, line: &str) -> Completed {
        match self.last.state {
            State::Ready => Completed::new(line, &self.present.complete(line)),
            State::Waiting | State::Exited => Completed::unchanged(line),
        }
    }

    /// Whether a command goes on in the next line.
    pub fn is_incomplete(text: &str) -> bool {
        Session::completeness(text.as_bytes()) == Completeness::Incomplete
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
