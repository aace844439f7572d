//! What connects the simulated machine with the person, or the program, in front of it.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, CloseRangeFlags, Errno, Fd, Kernel as _, OpenFlags};
use cofferdam_vfs_sim::Process;

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What a console gives to those who read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// The end of the file for who reads now, and more for who reads later: Ctrl-D at a terminal.
    Pause,
    /// The end, for all and for ever.
    End,
    /// Nothing yet: somebody has pressed Ctrl-C instead.
    Interrupt,
    /// Nothing, and nobody is there any more: whatever is at work stays where it is, for good. Only
    /// [`Machine::snapshot`](crate::Machine::snapshot) is of use afterwards. For those who begin anew, with more input.
    Abandon,
}

impl Input {
    /// All there is; the end if that is nothing.
    pub fn all(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::End } else { Self::Bytes(bytes) }
    }
}

/// Who is in front of the machine.
pub trait Console {
    /// Takes what processes have written.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// Gives what there is to read, and waits for it.
    fn read(&mut self) -> Input;

    /// Whether a person types the input: a shell that reads it prompts for it, and goes on after an error.
    fn is_terminal(&self) -> bool {
        false
    }

    /// Whether somebody has pressed Ctrl-C since this was last asked. It is asked between any two turns of processes.
    fn take_interrupt(&mut self) -> bool {
        false
    }

    /// A script of the host's, for `.` and `sh FILE` if the machine has no file of that name: a script can be executed with
    /// the libraries that lie beside it, without putting them on the simulated disk.
    fn script(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let _ = path;
        None
    }
}

/// How much is moved at a time: a pipe takes as much.
const CHUNK: usize = 65536;

/// The console, with the ends of the pipes that lead to it, which init holds.
pub(super) struct Terminal {
    console: Box<dyn Console>,
    /// Where init writes what processes read; none at the end of the input.
    input: Option<Fd>,
    input_source: Fd,
    /// Whether who reads now gets the end of the file, once.
    is_paused: bool,
    is_abandoned: bool,
    outputs: [Output; 2],
}

/// A stream of output.
struct Output {
    stream: Stream,
    /// Where init reads.
    source: Fd,
    /// Where processes write.
    sink: Fd,
}

impl Terminal {
    pub(super) fn new(init: &Process, console: Box<dyn Console>) -> Result<Self, Errno> {
        let flags = OpenFlags::O_CLOEXEC;
        let (input_source, input) = init.pipe2(flags)?;
        let output = |stream| {
            let (source, sink) = init.pipe2(flags)?;
            Ok(Output { stream, source, sink })
        };
        let outputs = [output(Stream::Output)?, output(Stream::Error)?];
        Ok(Self { console, input: Some(input), input_source, is_paused: false, is_abandoned: false, outputs })
    }

    /// Gives a process that was just made the standard streams, and nothing else.
    pub(super) fn connect(&self, process: &Process) -> Result<(), Errno> {
        // Beyond all that init has: the standard streams may be in the way of each other.
        const PARKED: i32 = 100;
        let ends = [self.input_source, self.outputs[0].sink, self.outputs[1].sink];
        for (number, end) in (PARKED..).zip(ends) {
            process.dup3(end, Fd(number), OpenFlags::O_CLOEXEC)?;
        }
        for (number, parked) in (0..).zip(PARKED..PARKED + 3) {
            process.dup3(Fd(parked), Fd(number), OpenFlags::empty())?;
        }
        process.close_range(3, u32::MAX, CloseRangeFlags::empty())
    }

    /// A script of the host's.
    pub(super) fn script(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.console.script(path)
    }

    /// Shows what processes have written.
    pub(super) fn drain(&mut self, init: &Process) {
        for output in &self.outputs {
            // An empty pipe would wait.
            while let Ok(bytes) = init.read(output.source, CHUNK) {
                if bytes.0.is_empty() {
                    break;
                }
                self.console.write(output.stream, &bytes.0);
            }
        }
    }

    /// Reads from the console for those who wait. False if there is no more to come.
    pub(super) fn feed(&mut self, init: &Process) -> bool {
        self.drain(init);
        let Some(input) = self.input else { return false };
        self.is_paused = false;
        match self.console.read() {
            // The pipe is empty, or nobody would wait for input.
            Input::Bytes(bytes) => init.write(input, &bytes).is_ok(),
            Input::Pause => {
                self.is_paused = true;
                true
            }
            Input::End => {
                self.end_input(init);
                true
            }
            Input::Interrupt => true,
            Input::Abandon => {
                self.is_abandoned = true;
                false
            }
        }
    }

    /// Whether nobody is there any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Gives nothing more to read: who reads gets the end of the file, as nobody else writes.
    pub(super) fn end_input(&mut self, init: &Process) {
        if let Some(input) = self.input.take() {
            let _ = init.close(input);
        }
    }

    /// Whether this descriptor is the console's input, typed in by a person.
    pub(super) fn is_typed(&self, init: &Process, process: &Process, fd: Fd) -> bool {
        self.console.is_terminal() && self.is_input(init, process, fd)
    }

    fn is_input(&self, init: &Process, process: &Process, fd: Fd) -> bool {
        let file = |process: &Process, fd| {
            let stat = process.statx(fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH).ok()?;
            Some((stat.device, stat.inode))
        };
        file(process, fd).is_some_and(|file_read| Some(file_read) == file(init, self.input_source))
    }

    /// Whether a process that waits for this descriptor gets the end of the file instead: once for each pause.
    pub(super) fn takes_pause(&mut self, init: &Process, process: &Process, fd: Fd) -> bool {
        let takes = self.is_paused && self.is_input(init, process, fd);
        self.is_paused &= !takes;
        takes
    }

    /// Whether Ctrl-C was pressed. What was typed in before, and nobody has read, is gone then, as with a terminal.
    pub(super) fn take_interrupt(&mut self, init: &Process) -> bool {
        if !self.console.take_interrupt() {
            return false;
        }
        self.is_paused = false;
        // An empty pipe would wait; there are no bytes at the end of the input.
        while init.read(self.input_source, CHUNK).is_ok_and(|bytes| !bytes.0.is_empty()) {}
        true
    }

    /// Closes init's ends.
    pub(super) fn disconnect(&mut self, init: &Process) {
        self.drain(init);
        let ends = self.outputs.iter().flat_map(|output| [output.source, output.sink]);
        for end in ends.chain(self.input.take()).chain([self.input_source]) {
            let _ = init.close(end);
        }
    }
}
