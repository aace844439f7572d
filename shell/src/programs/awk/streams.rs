//! Files and commands that a program reads and writes.

use std::collections::HashMap;

use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel as _, Mode, OpenFlags, OpenHow, Pid, Signal, WaitStatus};

use crate::execution::Execution;
use crate::programs::lines::Source;
use crate::programs::regular_expression::RegularExpression;

use super::code::Destination;

/// How much is kept before a file is written.
const BUFFER_SIZE: usize = 4096;

/// What ends a record.
pub(super) enum RecordSeparator<'a> {
    Byte(u8),
    /// Empty lines.
    Paragraph,
    Pattern(&'a RegularExpression),
}

/// Reads a record; nothing at the end.
pub(super) async fn read_record(
    execution: &mut Execution,
    source: &mut Source,
    separator: &RecordSeparator<'_>,
) -> Result<Option<Vec<u8>>, Errno> {
    match separator {
        RecordSeparator::Byte(byte) => Ok(source.line(execution, *byte).await?.map(|line| line.text)),
        RecordSeparator::Paragraph => {
            let mut record: Option<Vec<u8>> = None;
            while let Some(line) = source.line(execution, b'\n').await? {
                match (&mut record, line.text.is_empty()) {
                    (None, true) => {}
                    (Some(_), true) => break,
                    (None, false) => record = Some(line.text),
                    (Some(record), false) => {
                        record.push(b'\n');
                        record.extend(line.text);
                    }
                }
            }
            Ok(record)
        }
        RecordSeparator::Pattern(expression) => loop {
            let pending = source.pending();
            let found = expression.find(pending, 0).ok().flatten().filter(|found| !found.range.is_empty());
            // A match up to the end of what is there may go on.
            let found = found.map(|found| found.range).filter(|range| range.end < pending.len());
            if let Some(range) = found {
                let record = pending.get(..range.start).unwrap_or_default().to_vec();
                source.consume(range.end);
                return Ok(Some(record));
            }
            if !source.fill(execution).await? {
                let pending = source.pending().to_vec();
                source.consume(pending.len());
                let found = expression.find(&pending, 0).ok().flatten().filter(|found| !found.range.is_empty());
                let end = found.map_or(pending.len(), |found| found.range.start);
                return Ok((!pending.is_empty()).then(|| pending.get(..end).unwrap_or_default().to_vec()));
            }
        },
    }
}

struct Output {
    fd: Fd,
    buffer: Vec<u8>,
    command: Option<Pid>,
}

struct Input {
    source: Source,
    command: Option<Pid>,
}

/// All that is open, by name.
#[derive(Default)]
pub(super) struct Streams {
    outputs: HashMap<Vec<u8>, Output>,
    /// In the order of their opening.
    order: Vec<Vec<u8>>,
    inputs: HashMap<Vec<u8>, Input>,
}

/// What a status of wait(2) is for awk.
fn status(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(status) => status,
        WaitStatus::Signaled(Signal(number)) | WaitStatus::Stopped(Signal(number)) => 256 + number,
        WaitStatus::Continued => 0,
    }
}

/// Runs a command with the shell, one of its standard streams being this descriptor.
fn start(execution: &mut Execution, command: &[u8], stream: Option<(Fd, Fd)>) -> Result<Pid, Errno> {
    let arguments = vec![b"/bin/sh".to_vec(), b"-c".to_vec(), command.to_vec()];
    execution.fork(CloneFlags::empty(), move |mut child| {
        Box::pin(async move {
            if let Some((end, number)) = stream
                && let Err(errno) = child.process.dup3(end, number, OpenFlags::empty())
            {
                child.warn(format!("cannot redirect ({})", errno.description())).await;
                return 2;
            }
            match child.execute(&arguments).await {
                Ok(status) => status,
                Err(errno) => {
                    child.warn(format!("cannot execute /bin/sh ({})", errno.description())).await;
                    127
                }
            }
        })
    })
}

impl Streams {
    /// Writes.
    pub(super) async fn write(
        &mut self,
        execution: &mut Execution,
        name: &[u8],
        destination: Destination,
        text: &[u8],
    ) -> Result<(), Errno> {
        match (destination, name) {
            (Destination::Standard, _) | (Destination::File | Destination::Append, b"/dev/stdout" | b"-") => {
                return execution.put(text).await;
            }
            (Destination::File | Destination::Append, b"/dev/stderr") => {
                execution.write_error(text).await;
                return Ok(());
            }
            _ => {}
        }
        let output = if let Some(output) = self.outputs.get_mut(name) {
            output
        } else {
            let output = Self::open_output(execution, name, destination).await?;
            self.order.push(name.to_vec());
            self.outputs.entry(name.to_vec()).or_insert(output)
        };
        output.buffer.extend_from_slice(text);
        if output.buffer.len() >= BUFFER_SIZE {
            let buffer = std::mem::take(&mut output.buffer);
            execution.machine.write(&execution.process, output.fd, &buffer).await?;
        }
        Ok(())
    }

    async fn open_output(execution: &mut Execution, name: &[u8], destination: Destination) -> Result<Output, Errno> {
        if matches!(destination, Destination::Command) {
            execution.flush().await?;
            let (source, sink) = execution.process.pipe2(OpenFlags::O_CLOEXEC)?;
            let command = start(execution, name, Some((source, Fd::STDIN)))?;
            execution.process.close(source)?;
            return Ok(Output { fd: sink, buffer: Vec::new(), command: Some(command) });
        }
        let kept = if matches!(destination, Destination::Append) { OpenFlags::O_APPEND } else { OpenFlags::O_TRUNC };
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_CLOEXEC | kept;
        let fd = execution.open(name, OpenHow { flags, mode: Mode(0o666), ..OpenHow::default() }).await?;
        Ok(Output { fd, buffer: Vec::new(), command: None })
    }

    /// The source for a file, which is opened if it is not yet.
    pub(super) async fn file(&mut self, execution: &mut Execution, name: &[u8]) -> Result<&mut Source, Errno> {
        if !self.inputs.contains_key(name) {
            let source = if name == b"/dev/stdin" {
                Source::new(Fd::STDIN)
            } else {
                Source::open_operand(execution, name).await?
            };
            self.inputs.insert(name.to_vec(), Input { source, command: None });
        }
        self.inputs.get_mut(name).map(|input| &mut input.source).ok_or(Errno::EBADF)
    }

    /// The source for the output of a command, which is started if it is not yet.
    pub(super) async fn command(&mut self, execution: &mut Execution, name: &[u8]) -> Result<&mut Source, Errno> {
        if !self.inputs.contains_key(name) {
            self.flush(execution).await?;
            let (source, sink) = execution.process.pipe2(OpenFlags::O_CLOEXEC)?;
            let command = start(execution, name, Some((sink, Fd::STDOUT)))?;
            execution.process.close(sink)?;
            self.inputs.insert(name.to_vec(), Input { source: Source::new(source), command: Some(command) });
        }
        self.inputs.get_mut(name).map(|input| &mut input.source).ok_or(Errno::EBADF)
    }

    /// `system`
    pub(super) async fn system(&mut self, execution: &mut Execution, command: &[u8]) -> Result<i32, Errno> {
        self.flush(execution).await?;
        let pid = start(execution, command, None)?;
        Ok(status(execution.wait_for(pid).await?))
    }

    /// Writes all that was kept.
    pub(super) async fn flush(&mut self, execution: &mut Execution) -> Result<(), Errno> {
        execution.flush().await?;
        for output in self.outputs.values_mut() {
            let buffer = std::mem::take(&mut output.buffer);
            execution.machine.write(&execution.process, output.fd, &buffer).await?;
        }
        Ok(())
    }

    /// Whether there is such an output.
    pub(super) fn has_output(&self, name: &[u8]) -> bool {
        self.outputs.contains_key(name)
    }

    /// `close`
    pub(super) async fn close(&mut self, execution: &mut Execution, name: &[u8]) -> Result<i32, Errno> {
        let mut result = -1;
        if let Some(output) = self.outputs.remove(name) {
            self.order.retain(|known| known != name);
            execution.flush().await?;
            // Whoever does not read it, has ended by itself.
            let _ = execution.machine.write(&execution.process, output.fd, &output.buffer).await;
            let _ = execution.process.close(output.fd);
            result = match output.command {
                Some(pid) => status(execution.wait_for(pid).await?),
                None => 0,
            };
        }
        if let Some(input) = self.inputs.remove(name) {
            input.source.close(execution);
            result = match input.command {
                Some(pid) => status(execution.wait_for(pid).await?),
                None => 0,
            };
        }
        Ok(result)
    }

    /// Closes everything, in the order of opening.
    pub(super) async fn close_all(&mut self, execution: &mut Execution) -> Result<(), Errno> {
        execution.flush().await?;
        for name in self.order.clone() {
            self.close(execution, &name).await?;
        }
        let mut names: Vec<Vec<u8>> = self.inputs.keys().cloned().collect();
        names.sort();
        for name in names {
            self.close(execution, &name).await?;
        }
        Ok(())
    }
}
