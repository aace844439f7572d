//! A container while it runs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::{Outcome, Run};

impl Run {
    /// Starts a shell script in the container. What it reads is what [`Running::say`] gives it.
    pub(crate) fn start(self, script: &str) -> Running {
        self.start_program(&["/bin/sh", "-c", script])
    }

    /// The same with any program.
    pub(crate) fn start_program(mut self, argv: &[&str]) -> Running {
        self.command.arg("--").args(argv);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Running { child, input, output: output.unwrap() }
    }
}

/// A container that runs, with its standard input and output in our hands. Dropped, its input ends, and with it a
/// script that reads.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// The next line that the container prints, without its newline.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line.pop(), Some(b'\n'), "the container has ended: {}", self.rest_of_stderr());
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The lines that the container prints before the line `end`, each with its newline.
    #[track_caller]
    pub(crate) fn lines_until(&mut self, end: &str) -> String {
        let mut lines = String::new();
        loop {
            match self.line() {
                line if line == end => return lines,
                line => lines.extend([&line, "\n"]),
            }
        }
    }

    /// Gives the container a line to read.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Gives the container one more line, and no more after that, and waits for its end.
    pub(crate) fn finish(mut self) -> Outcome {
        self.say("");
        self.input = None;
        let mut stdout = Vec::new();
        self.output.read_to_end(&mut stdout).unwrap();
        let stderr = self.rest_of_stderr();
        Outcome { status: self.child.wait().unwrap().code().unwrap(), stdout, stderr }
    }

    /// The processes in the container's pid namespace, by the host's numbers.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let pid_namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let mut found = Vec::new();
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            for child in children(parent) {
                parents.push(child);
                if pid_namespace(child) != pid_namespace(std::process::id()) {
                    found.push(child);
                }
            }
        }
        found
    }

    fn rest_of_stderr(&mut self) -> String {
        let mut text = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{parent}\n");
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&parent)))
        .collect()
}
