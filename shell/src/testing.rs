//! What tests of programs need: a machine that has booted, and what one command on it prints.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, Fd, Kernel as _, Mode, OpenFlags, OpenHow};
use cofferdam_vfs_sim::Process;

use crate::machine::{Console, Input, Machine, Stream};

/// For real programs, that they run while no other test's do.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that could be wrong.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A console that remembers what was written to it.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    written: Rc<RefCell<(Vec<u8>, Vec<u8>)>>,
    input: Rc<RefCell<Vec<u8>>>,
}

impl Console for Recorder {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut written = self.written.borrow_mut();
        match stream {
            Stream::Output => written.0.extend_from_slice(bytes),
            Stream::Error => written.1.extend_from_slice(bytes),
        }
    }

    fn read(&mut self) -> Input {
        Input::all(self.input.take())
    }
}

/// A machine that was booted, to try programs on.
pub(crate) struct Trial {
    pub(crate) machine: Machine,
    recorder: Recorder,
}

/// What a command did: exit status, standard output, standard error.
pub(crate) type Outcome = (i32, String, String);

impl Trial {
    pub(crate) fn new() -> Self {
        let recorder = Recorder::default();
        let machine = Machine::new(Machine::boot(), Box::new(recorder.clone())).unwrap();
        Self { machine, recorder }
    }

    /// Runs a program; the words are separated by blanks.
    pub(crate) fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.run_words(&words)
    }

    /// Runs a program with these arguments, its name first.
    pub(crate) fn run_words(&self, words: &[&str]) -> Outcome {
        self.run_in("/", words)
    }

    /// Runs a program with these arguments, its name first, in a directory.
    pub(crate) fn run_in(&self, directory: &str, words: &[&str]) -> Outcome {
        self.execute(directory, words, &["PATH=/usr/bin"])
    }

    /// Runs a program with these arguments, its name first, and this environment.
    pub(crate) fn run_with(&self, words: &[&str], environment: &[&str]) -> Outcome {
        self.execute("/", words, environment)
    }

    fn execute(&self, directory: &str, words: &[&str], environment: &[&str]) -> Outcome {
        let process = self.machine.new_process().unwrap();
        process.chdir(UnixPath::new(directory)).unwrap();
        self.execute_as(&process, words, environment)
    }

    /// Runs a program as a child of a process; the words are separated by blanks.
    pub(crate) fn run_as(&self, process: &Process, command: &str) -> Outcome {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.execute_as(&process.fork(CloneFlags::empty()).unwrap(), &words, &["PATH=/usr/bin"])
    }

    fn execute_as(&self, process: &Process, words: &[&str], environment: &[&str]) -> Outcome {
        let strings = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let (arguments, environment) = (strings(words), strings(environment));
        let work = crate::programs::execute_in_path(&self.machine, process, b"/usr/bin", &arguments, &environment);
        let result = self.machine.run(work).unwrap_or_else(|deadlock| panic!("{words:?}: {deadlock}"));
        let status = result.unwrap_or_else(|errno| panic!("{words:?}: {errno}"));
        process.exit(status);
        let (output, error) = std::mem::take(&mut *self.recorder.written.borrow_mut());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (status, text(output), text(error))
    }

    /// Runs a program with this standard input.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &[u8]) -> Outcome {
        *self.recorder.input.borrow_mut() = input.to_vec();
        self.run_words(words)
    }

    /// Runs a program that has to succeed and print nothing.
    pub(crate) fn quietly(&self, command: &str) {
        assert_eq!(self.run(command), (0, String::new(), String::new()), "{command}");
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        let process = self.machine.new_process().unwrap();
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
        let how = OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() };
        let fd = process.openat2(Fd::CWD, UnixPath::new(path), how).unwrap();
        self.machine.run(self.machine.write(&process, fd, content)).unwrap().unwrap();
        process.exit(0);
    }
}
