//! Input that is read as it comes, line by line.

use cofferdam::kernel::{Errno, Fd, Kernel as _, OpenFlags, OpenHow};

use crate::execution::Execution;

/// A line of input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// What is in it, without the delimiter.
    pub(crate) text: Vec<u8>,
    /// Whether the delimiter follows; the last line may lack it.
    pub(crate) is_terminated: bool,
}

/// Something that is open for reading.
pub(crate) struct Source {
    fd: Fd,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    start: usize,
    is_at_end: bool,
}

impl Source {
    /// Reads from a descriptor.
    pub(crate) fn new(fd: Fd) -> Self {
        Self { fd, buffer: Vec::new(), start: 0, is_at_end: false }
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub(crate) async fn open(execution: &mut Execution, path: &[u8]) -> Result<Self, Errno> {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        Ok(Self::new(execution.open(path, how).await?))
    }

    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub(crate) async fn open_operand(execution: &mut Execution, path: &[u8]) -> Result<Self, Errno> {
        if path == b"-" { Ok(Self::new(Fd::STDIN)) } else { Self::open(execution, path).await }
    }

    /// What has been read and not given out.
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Takes what [`pending`](Self::pending) has at its beginning.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
    }

    /// Reads more; false at the end.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn fill(&mut self, execution: &mut Execution) -> Result<bool, Errno> {
        if self.is_at_end {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let bytes = execution.read(self.fd).await?;
        self.is_at_end = bytes.is_empty();
        self.buffer.extend(bytes);
        // A file never lets anybody wait, even if it has no end.
        execution.machine.yield_now().await;
        Ok(!self.is_at_end)
    }

    /// The next line; nothing at the end.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn line(&mut self, execution: &mut Execution, delimiter: u8) -> Result<Option<Line>, Errno> {
        let mut searched = 0;
        loop {
            let pending = self.pending();
            if let Some(end) = memchr::memchr(delimiter, pending.get(searched..).unwrap_or_default()) {
                let end = searched + end;
                let text = pending.get(..end).unwrap_or_default().to_vec();
                self.consume(end + 1);
                return Ok(Some(Line { text, is_terminated: true }));
            }
            searched = pending.len();
            if !self.fill(execution).await? {
                let text = self.pending().to_vec();
                self.consume(text.len());
                return Ok((!text.is_empty()).then_some(Line { text, is_terminated: false }));
            }
        }
    }

    /// Whether there is nothing left.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn is_over(&mut self, execution: &mut Execution) -> Result<bool, Errno> {
        Ok(self.pending().is_empty() && !self.fill(execution).await?)
    }

    /// All that is left.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn rest(&mut self, execution: &mut Execution) -> Result<Vec<u8>, Errno> {
        while self.fill(execution).await? {}
        let rest = self.pending().to_vec();
        self.consume(rest.len());
        Ok(rest)
    }

    /// Closes it; standard input stays open.
    pub(crate) fn close(&self, execution: &Execution) {
        if self.fd != Fd::STDIN {
            // Nothing was written to it that could be lost.
            let _ = execution.process.close(self.fd);
        }
    }
}
