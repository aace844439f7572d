//! sh(1): the shell as a program.

use cofferdam::kernel::{Errno, Fd, FileType, OpenFlags, OpenHow};

use super::stop::{Executed, Stop, interrupted};
use super::{Shell, source};
use crate::execution::Execution;

/// sh(1)
pub(crate) async fn sh(execution: &mut Execution) -> i32 {
    let name = execution.arguments.first().cloned().unwrap_or_default();
    let mut shell =
        Shell::new(execution.machine.clone(), execution.process.clone(), name, Vec::new(), &execution.environment);
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let executed = shell.invoked(&arguments).await;
    shell.finish(executed).await
}

/// What a shell was called with.
#[derive(Debug, Default)]
struct Invocation {
    /// `-c`
    is_command: bool,
    /// `-s`
    reads_input: bool,
    /// `-i`
    is_interactive: bool,
    operands: Vec<Vec<u8>>,
}

impl Shell {
    async fn invoked(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let invocation = match self.take_invocation(arguments).await {
            Ok(invocation) => invocation,
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                return Err(Stop::Error(2));
            }
            Err(stop) => return Err(stop),
        };
        let has_person = !invocation.is_command
            && (invocation.reads_input || invocation.operands.is_empty())
            && self.machine.is_typed(&self.process, Fd::STDIN);
        if invocation.is_interactive || has_person {
            self.become_interactive();
        }
        let mut operands = invocation.operands.into_iter();
        if invocation.is_command {
            let Some(text) = operands.next() else {
                self.complain(b"-c requires an argument").await;
                return Err(Stop::Error(2));
            };
            if let Some(name) = operands.next() {
                self.name = name;
            }
            self.parameters = operands.collect();
            self.is_file = false;
            return self.run_text(&source::encode(&text)).await;
        }
        if invocation.reads_input {
            self.parameters = operands.collect();
            return self.run_input().await;
        }
        let Some(path) = operands.next() else { return self.run_input().await };
        self.parameters = operands.collect();
        match self.script_file(&path).await {
            Ok(content) => {
                self.name = path;
                self.run_text(&source::encode(&content)).await
            }
            Err(reason) => {
                self.complain(&[b"cannot open ", &path[..], b": ", reason.as_bytes()].concat()).await;
                Err(Stop::Error(2))
            }
        }
    }

    /// Takes options and operands apart.
    async fn take_invocation(&mut self, arguments: &[Vec<u8>]) -> Result<Invocation, Stop> {
        let mut invocation = Invocation::default();
        let mut rest = arguments;
        while let [first, after @ ..] = rest {
            if !matches!(&first[..], [b'-' | b'+', _, ..]) || first == b"--" {
                break;
            }
            // Long options, and login shells, are of bash.
            let mut letters = first.clone();
            let known_here = |letter: &u8| matches!(letter, b'c' | b'l' | b'i') && first.starts_with(b"-");
            invocation.is_interactive |= first.starts_with(b"-") && first.contains(&b'i') && !first.ends_with(b"o");
            invocation.is_command |= first.starts_with(b"-") && first.contains(&b'c') && !first.ends_with(b"o");
            invocation.reads_input |= first.starts_with(b"-") && first.contains(&b's');
            letters.retain(|letter| !known_here(letter));
            rest = after;
            if letters.len() < 2 {
                continue;
            }
            let mut set = vec![letters.clone()];
            if letters.ends_with(b"o")
                && let [name, after @ ..] = rest
            {
                set.push(name.clone());
                rest = after;
            }
            self.take_options(&set).await?;
        }
        rest = rest.strip_prefix(&[b"--".to_vec()]).or_else(|| rest.strip_prefix(&[b"-".to_vec()])).unwrap_or(rest);
        invocation.operands = rest.to_vec();
        Ok(invocation)
    }

    /// A script of the simulated machine, or of the one in front of it.
    async fn script_file(&mut self, path: &[u8]) -> Result<Vec<u8>, &'static str> {
        let found = match self.stat(path, true) {
            Ok(stat) if stat.file_type == FileType::Directory => return Err("Is a directory"),
            found => found,
        };
        match found {
            Ok(_) => {
                let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
                let fd = self.open(path, how).await.map_err(Errno::description)?;
                let content = self.read_all(fd).await;
                let _ = cofferdam::kernel::Kernel::close(&self.process, fd);
                content.map_err(Errno::description)
            }
            Err(errno) => match self.machine.script(path) {
                Some(content) => Ok(content),
                None if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) => Err("No such file"),
                None => Err(errno.description()),
            },
        }
    }

    async fn read_all(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        loop {
            let bytes = self.machine.read(&self.process, fd, 65536).await?;
            if bytes.is_empty() {
                return Ok(all);
            }
            all.extend(bytes);
        }
    }

    /// Executes what comes from standard input, each command as soon as it is complete: it may read what follows it.
    async fn run_input(&mut self) -> Executed {
        let mut text = String::new();
        let mut lines = 0;
        loop {
            if self.is_interactive {
                self.prompt(if text.is_empty() { "PS1" } else { "PS2" }).await;
            }
            let Ok((line, is_end)) = self.input_line().await else {
                // What was typed in so far is given up.
                self.take_signals().await.or_else(interrupted)?;
                self.end_line().await;
                text.clear();
                continue;
            };
            text.push_str(&source::encode(&line));
            let is_ready = match source::parse(&text) {
                Ok(_) => super::script::has_ended(&text),
                Err(error) => !error.is_incomplete,
            };
            if is_ready || is_end {
                if !text.is_empty() {
                    self.line_base = lines;
                    if self.is_interactive {
                        self.run_typed(&text).await?
                    } else {
                        self.run_text(&text).await?
                    };
                }
                lines += text.matches('\n').count();
                if self.is_interactive && !text.is_empty() {
                    // The end of a file that a person has not finished is no end of the shell.
                    text.clear();
                    continue;
                }
                text.clear();
            }
            if is_end {
                if self.is_interactive {
                    self.write_error(b"\n").await;
                }
                return Ok(self.status);
            }
        }
    }

    /// A line of standard input, and whether that is the end of it. The error is Ctrl-C.
    async fn input_line(&self) -> Result<(Vec<u8>, bool), Errno> {
        let mut line = Vec::new();
        loop {
            match self.read_from(Fd::STDIN, 1).await {
                Ok(bytes) if !bytes.is_empty() => {
                    line.extend_from_slice(&bytes);
                    if bytes == b"\n" {
                        return Ok((line, false));
                    }
                }
                Err(Errno::EINTR) => return Err(Errno::EINTR),
                _ => return Ok((line, true)),
            }
        }
    }
}
