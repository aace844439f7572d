//! What connects the simulated machine with the person, or the program, in front of it.

use cofferdam::kernel::{CloseRangeFlags, Errno, Fd, Kernel as _, OpenFlags};
use cofferdam_vfs_sim::Process;

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Who is in front of the machine.
pub trait Console {
    /// Takes what processes have written.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// Gives what there is to read, and waits for it; nothing at the end.
    fn read(&mut self) -> Vec<u8>;

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
        Ok(Self { console, input: Some(input), input_source, outputs })
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
        let bytes = self.console.read();
        if bytes.is_empty() {
            // Who reads now gets the end of the file, as nobody else writes.
            self.input = None;
            let _ = init.close(input);
            return true;
        }
        // The pipe is empty, or nobody would wait for input.
        init.write(input, &bytes).is_ok()
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
