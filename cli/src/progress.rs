//! How far long work has come: on standard error, if that is a terminal, as long as it takes.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam::kernel::{Call, Errno, Intercepted, Interceptor, Kernel, Value};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less shows nothing.
const DELAY: Duration = Duration::from_secs(1);

/// The bar on the terminal, if there is one: other lines must not be written into it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Work that may take long. Dropped, it leaves nothing on the terminal.
///
/// It is drawn when it advances, and by no thread of its own: most work is over before there is anything to draw.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    delay: Duration,
    /// Where it is to be drawn once it has taken long enough.
    target: Cell<Option<ProgressDrawTarget>>,
}

impl Progress {
    /// Work on so many things, which are called so.
    pub(crate) fn of(total: usize, what: &'static str) -> Self {
        Self::new(Some(total as u64), what, DELAY, ProgressDrawTarget::stderr())
    }

    /// Work on things of which nobody knows how many there will be.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::new(None, what, DELAY, ProgressDrawTarget::stderr())
    }

    fn new(total: Option<u64>, what: &'static str, delay: Duration, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_message(what);
        let template = match total {
            Some(_) => "[{wide_bar}] {human_pos}/{human_len} {msg}, {eta} left",
            None => "{spinner} {human_pos} {msg}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
        }
        Self { bar, begun: Instant::now(), delay, target: Cell::new(Some(target)) }
    }

    /// One more is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
        self.show_if_due();
    }

    /// So many are done. Fewer than before are no progress.
    pub(crate) fn reach(&self, done: usize) {
        if done as u64 > self.bar.position() {
            self.bar.set_position(done as u64);
        }
        self.show_if_due();
    }

    fn show_if_due(&self) {
        if self.begun.elapsed() >= self.delay
            && let Some(target) = self.target.take()
        {
            self.bar.set_draw_target(target);
            *shown() = Some(self.bar.clone());
            self.bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *shown() = None;
        self.bar.finish_and_clear();
    }
}

/// Each system call is a step.
impl Interceptor for Progress {
    fn after(&self, _: &dyn Kernel, _: &Call, _: &Result<Value, Errno>) {
        self.advance();
    }
}

/// Does something on a kernel that takes as many calls as there are containers, and files of theirs.
pub(crate) fn counted<R>(kernel: &dyn Kernel, body: impl FnOnce(&dyn Kernel) -> R) -> R {
    body(&Intercepted::new(kernel, &Progress::counting("system calls")))
}

/// Standard error, on which what is written is never mixed with a bar.
pub(crate) struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bar = shown().clone();
        let write = || io::stderr().write(bytes);
        bar.map_or_else(write, |bar| bar.suspend(write))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn progress(total: Option<u64>, delay: Duration) -> (Progress, InMemoryTerm) {
        let terminal = InMemoryTerm::new(5, 60);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        (Progress::new(total, "files", delay, target), terminal)
    }

    #[test]
    fn what_takes_long_is_shown_until_it_is_over() {
        let (progress, terminal) = progress(Some(2000), Duration::ZERO);
        assert_eq!(terminal.contents(), "");
        progress.reach(1000);
        let drawn = terminal.contents();
        assert!(
            drawn.starts_with("[====") && drawn.contains("=>   ") && drawn.contains("] 1,000/2,000 files, "),
            "{drawn}"
        );
        progress.reach(1);
        assert_eq!(progress.bar.position(), 1000);
        drop(progress);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn what_has_no_known_end_is_counted() {
        let (progress, terminal) = progress(None, Duration::ZERO);
        progress.advance();
        let drawn = terminal.contents();
        assert!(drawn.contains(" 1 files, "), "{drawn}");
        drop(progress);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn what_is_soon_over_is_never_shown() {
        let (progress, terminal) = progress(Some(3), Duration::from_secs(3600));
        for _ in 0..3 {
            progress.advance();
        }
        drop(progress);
        assert_eq!(terminal.moves_since_last_check(), "");
    }
}
