//! Processes that measure something each time they are asked to: a line on standard input, a number of nanoseconds on
//! standard output. `benches/peers/launch.c` is one as well.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// A process that measures.
pub struct Racer {
    name: String,
    child: Child,
    /// `None` when it has been told to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    greeting: String,
}

impl Racer {
    /// Starts it, and waits until it is ready. What it has to complain about it writes to our standard error.
    pub fn start(name: &str, command: &mut Command) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name} ({}): {error}", command.get_program().display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{name} has no standard input and output").into());
        };
        let output = BufReader::new(output);
        let mut racer = Self { name: name.into(), child, input: Some(input), output, greeting: String::new() };
        racer.greeting = racer.read_line()?;
        Ok(racer)
    }

    /// The first line that it has written, when it was ready.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Has it measure once.
    pub fn measure(&mut self, what: &str) -> Result<Duration, Failure> {
        if let Some(input) = &mut self.input {
            writeln!(input, "{what}").map_err(|error| format!("{} has ended: {error}", self.name))?;
        }
        let line = self.read_line()?;
        let nanoseconds = line.parse().map_err(|_| format!("{what} on {}: {line}", self.name))?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn read_line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(format!("{} has ended early; what it said is above", self.name).into()),
            Ok(_) => Ok(line.trim_end().into()),
            Err(error) => Err(format!("cannot read from {}: {error}", self.name).into()),
        }
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        // It ends when there is nothing left to read.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The other side: says that it is ready, and measures for each line.
pub fn serve(greeting: &str, mut measure: impl FnMut(&str) -> Result<Duration, Failure>) -> Result<(), Failure> {
    println!("{greeting}");
    for line in io::stdin().lock().lines() {
        match measure(&line?) {
            Ok(elapsed) => println!("{}", elapsed.as_nanos()),
            // A line, as all answers are.
            Err(error) => println!("error: {}", error.to_string().replace('\n', " ")),
        }
        io::stdout().flush()?;
    }
    Ok(())
}
