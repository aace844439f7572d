//! A shell that a person types into: an error, or Ctrl-C, ends what it does and not the shell.

use std::pin::pin;
use std::task::Poll;

use cofferdam::kernel::{Errno, Fd};

use super::Shell;
use super::stop::{Executed, INTERRUPTED, Stop};

impl Shell {
    pub(super) fn become_interactive(&mut self) {
        self.is_interactive = true;
        self.options.set(b'i', true);
        self.catch_interrupts();
    }

    /// Executes a text that somebody has typed in. Whatever stops it is over then, but for an `exit`.
    pub(super) async fn run_typed(&mut self, text: &str) -> Executed {
        // An empty line leaves the status as it is.
        let mut executed = if text.trim().is_empty() { Ok(self.status) } else { self.run_text(text).await };
        if executed.is_ok() {
            executed = self.take_signals().await.map(|()| self.status);
        }
        match executed {
            Err(Stop::Exit(status)) => return Err(Stop::Exit(status)),
            // In front of the prompt, who edits lines has ended this one.
            Err(Stop::Interrupt) if text.is_empty() => self.status = INTERRUPTED,
            Err(Stop::Interrupt) => self.end_line().await,
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                self.status = 2;
            }
            Err(Stop::Error(status)) => self.status = status,
            Ok(_) | Err(Stop::Break(_) | Stop::Continue(_) | Stop::Return(_)) => {}
        }
        Ok(self.status)
    }

    /// What comes after Ctrl-C: the terminal has shown it at the end of some line.
    pub(super) async fn end_line(&mut self) {
        self.write_error(b"\n").await;
        self.status = INTERRUPTED;
    }

    /// Shows a prompt, such as `PS1`.
    pub(super) async fn prompt(&mut self, variable: &str) {
        let text = self.get(variable).unwrap_or_default().to_vec();
        let shown = self.document(&super::source::encode(&text)).await;
        self.write_error(&shown.unwrap_or(text)).await;
    }

    /// read(2), which waits for something to be there, or for Ctrl-C.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(super) async fn read_from(&self, fd: Fd, count: usize) -> Result<Vec<u8>, Errno> {
        self.interruptible(self.machine.read(&self.process, fd, count)).await
    }

    /// Does something that may wait; `EINTR` if somebody interrupts the shell meanwhile.
    pub(super) async fn interruptible<T>(&self, work: impl Future<Output = Result<T, Errno>>) -> Result<T, Errno> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Pending if self.traps.has_interrupt(&self.process) => Poll::Ready(Err(Errno::EINTR)),
            polled => polled,
        })
        .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
