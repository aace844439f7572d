//! What tests of programs need: a machine that has booted, and what one command on it prints.

use std::cell::RefCell;
use std::rc::Rc;

use crate::machine::{Console, Machine, Stream};

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

    fn read(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input.borrow_mut())
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
        let machine = Machine::new(Machine::boot().unwrap(), Box::new(recorder.clone())).unwrap();
        Self { machine, recorder }
    }

    /// Runs a program; the words are separated by blanks.
    pub(crate) fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.run_words(&words)
    }

    /// Runs a program with these arguments, its name first.
    pub(crate) fn run_words(&self, words: &[&str]) -> Outcome {
        self.run_with(words, &["PATH=/usr/bin"])
    }

    /// Runs a program with these arguments, its name first, and this environment.
    pub(crate) fn run_with(&self, words: &[&str], environment: &[&str]) -> Outcome {
        let strings = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let (arguments, environment) = (strings(words), strings(environment));
        let process = self.machine.new_process().unwrap();
        let work = crate::programs::execute_in_path(&self.machine, &process, b"/usr/bin", &arguments, &environment);
        let status = self.machine.run(work).unwrap().unwrap_or_else(|errno| panic!("{words:?}: {errno}"));
        process.exit(status);
        let (output, error) = std::mem::take(&mut *self.recorder.written.borrow_mut());
        (status, String::from_utf8(output).unwrap(), String::from_utf8(error).unwrap())
    }

    /// Runs a program that has to succeed and print nothing.
    pub(crate) fn quietly(&self, command: &str) {
        assert_eq!(self.run(command), (0, String::new(), String::new()), "{command}");
    }
}
