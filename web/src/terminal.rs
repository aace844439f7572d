//! What stands in front of the simulated machine: what it printed, and what was typed into it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cofferdam_shell::{Console, MountTable, Namespaces, Stream};
use cofferdam_vfs_sim::Process;
use serde::Serialize;

use crate::command::{Command, Input};

/// How much a command may print before it gets a `SIGINT`, as if somebody had pressed Ctrl-C, in bytes.
const LONGEST_OUTPUT: usize = 256 << 10;

/// Whose words something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// What was typed while the command ran.
    Typed,
    /// What the page has to say.
    Notice,
}

/// A piece of what is to be read in a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Whose words it is.
    pub voice: Voice,
    /// The text. What is not UTF-8 is replaced.
    pub text: String,
}

/// What a command has printed, and what is left to be typed into it.
#[derive(Default)]
pub(crate) struct Transcript {
    pieces: Vec<(Voice, Vec<u8>)>,
    printed: usize,
    /// Whether there was more than the page shows.
    is_full: bool,
    input: VecDeque<Input>,
    interrupt_after: Option<u64>,
    asked: u64,
    is_interrupted: bool,
    /// The shell, as whose process mounts are looked at.
    shell: Option<Process>,
    /// The mounts as they were when there was nothing left to be typed, and something waited for more.
    waiting: Option<Vec<MountTable>>,
}

impl Transcript {
    /// Begins with a command.
    fn begin(&mut self, command: &Command) {
        *self = Self {
            input: command.input.iter().cloned().collect(),
            interrupt_after: command.interrupt_after,
            shell: self.shell.take(),
            ..Self::default()
        };
    }

    fn push(&mut self, voice: Voice, bytes: &[u8]) {
        match self.pieces.last_mut() {
            Some((last, text)) if *last == voice => text.extend_from_slice(bytes),
            _ => self.pieces.push((voice, bytes.to_vec())),
        }
    }

    fn print(&mut self, voice: Voice, bytes: &[u8]) {
        let room = LONGEST_OUTPUT - self.printed;
        let shown = bytes.get(..room).unwrap_or(bytes);
        self.printed += shown.len();
        if !shown.is_empty() {
            self.push(voice, shown);
        }
        if bytes.len() > room && !self.is_full {
            (self.is_full, self.is_interrupted) = (true, true);
            self.push(Voice::Notice, b"\n[more than the page shows: interrupted, as by Ctrl-C]\n");
        }
    }
}

/// The console of a simulated machine. Clones are handles of the same one.
#[derive(Clone, Default)]
pub(crate) struct Terminal(Rc<RefCell<Transcript>>);

impl Terminal {
    /// Whose mounts are looked at while something waits for input.
    pub(crate) fn watch(&self, shell: Process) {
        self.0.borrow_mut().shell = Some(shell);
    }

    pub(crate) fn begin(&self, command: &Command) {
        self.0.borrow_mut().begin(command);
    }

    /// Adds what the page has to say.
    pub(crate) fn note(&self, text: &str) {
        self.0.borrow_mut().push(Voice::Notice, text.as_bytes());
    }

    /// What was printed and typed since the beginning of the command.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let pieces = std::mem::take(&mut self.0.borrow_mut().pieces);
        let piece = |(voice, bytes): &(Voice, Vec<u8>)| Piece {
            voice: *voice,
            text: String::from_utf8_lossy(bytes).into_owned(),
        };
        pieces.iter().map(piece).collect()
    }

    /// The mounts as they were when something waited for what is not typed yet.
    pub(crate) fn take_waiting(&self) -> Option<Vec<MountTable>> {
        self.0.borrow_mut().waiting.take()
    }
}

impl Console for Terminal {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let voice = match stream {
            Stream::Output => Voice::Output,
            Stream::Error => Voice::Error,
        };
        self.0.borrow_mut().print(voice, bytes);
    }

    fn read(&mut self) -> cofferdam_shell::Input {
        let transcript = &mut *self.0.borrow_mut();
        match transcript.input.pop_front() {
            Some(Input::Line(line)) => {
                let line = format!("{line}\n");
                transcript.push(Voice::Typed, line.as_bytes());
                cofferdam_shell::Input::Bytes(line.into_bytes())
            }
            Some(Input::End) => cofferdam_shell::Input::Pause,
            Some(Input::Interrupt) => {
                transcript.push(Voice::Typed, b"^C");
                transcript.is_interrupted = true;
                cofferdam_shell::Input::Interrupt
            }
            None => {
                let seen = |shell: &Process| MountTable::seen_by(shell, Namespaces::All);
                transcript.waiting = transcript.shell.as_ref().map(seen);
                cofferdam_shell::Input::Abandon
            }
        }
    }

    fn is_terminal(&self) -> bool {
        true
    }

    fn take_interrupt(&mut self) -> bool {
        let transcript = &mut *self.0.borrow_mut();
        transcript.asked += 1;
        if transcript.interrupt_after.is_some_and(|after| transcript.asked >= after) {
            transcript.interrupt_after = None;
            transcript.push(Voice::Typed, b"^C");
            return true;
        }
        std::mem::take(&mut transcript.is_interrupted)
    }
}
