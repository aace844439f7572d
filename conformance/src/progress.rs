//! How far long work has come: on standard error, if that is a terminal, as long as it takes.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less shows nothing.
const DELAY: Duration = Duration::from_secs(1);
/// So often it is drawn in a second, at most.
const FREQUENCY: u8 = 5;

/// Work that may take long. Dropped, it leaves nothing on the terminal.
///
/// It is drawn when it advances, and by no thread of its own: real kernels are driven by processes that are forked from this one.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    is_shown: bool,
}

impl Progress {
    /// Work on so many things, which are called so.
    pub(crate) fn of(total: u64, what: &'static str) -> Self {
        Self::new(Some(total), what, "{wide_bar} {human_pos}/{human_len} {prefix}, {per_sec}{msg}, {eta} left")
    }

    /// The same, where nobody knows how much there is to do.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::new(None, what, "{spinner} {human_pos} {prefix}, {per_sec}{msg}, {elapsed}")
    }

    fn new(total: Option<u64>, what: &'static str, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_prefix(what);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, begun: Instant::now(), is_shown: false }
    }

    /// So many are done.
    pub(crate) fn reach(&mut self, done: u64) {
        self.bar.set_position(done);
        if !self.is_shown && self.begun.elapsed() >= DELAY {
            self.is_shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(FREQUENCY));
            self.bar.tick();
        }
    }

    /// The same, with what came of it.
    pub(crate) fn reach_with(&mut self, done: u64, outcome: &str) {
        self.bar.set_message(format!(", {outcome}"));
        self.reach(done);
    }

    /// Does something that prints.
    pub(crate) fn suspend<R>(&self, body: impl FnOnce() -> R) -> R {
        self.bar.suspend(body)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
