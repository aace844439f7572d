//! Background jobs, and waiting for children.

use cofferdam::kernel::{Errno, Kernel as _, Pid, Signal, WaitOptions, WaitStatus};

use super::{Shell, signals};
use crate::execution::shell_status;

/// A job in the background: one process, which waits for those that it starts.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) pid: Pid,
    pub(super) text: String,
    /// How it has ended.
    pub(super) status: Option<WaitStatus>,
    /// Whether `wait` has waited for it: it is listed once more, unless another job comes first.
    is_waited_for: bool,
}

/// All jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    all: Vec<Job>,
    /// `$!`
    last: Option<Pid>,
}

impl Jobs {
    /// What a subshell has: no jobs of its own yet.
    pub(super) fn of_child(&self) -> Self {
        Self { all: Vec::new(), last: self.last }
    }

    pub(super) fn add(&mut self, pid: Pid, text: String) {
        self.all.retain(|job| !job.is_waited_for);
        let is_free = |number: &usize| self.all.iter().all(|job| job.number != *number);
        let number = (1..=self.all.len() + 1).find(is_free).unwrap_or_default();
        self.all.push(Job { number, pid, text, status: None, is_waited_for: false });
        self.last = Some(pid);
    }

    /// `$!`
    pub(super) fn last(&self) -> Option<Pid> {
        self.last
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.all.iter()
    }

    pub(super) fn forget(&mut self, pid: Pid) {
        self.all.retain(|job| job.pid != pid);
    }

    /// All that have ended have been waited for.
    pub(super) fn mark_ended(&mut self) {
        for job in &mut self.all {
            job.is_waited_for |= job.status.is_some();
        }
    }

    fn end(&mut self, pid: Pid, status: WaitStatus) {
        if let Some(job) = self.all.iter_mut().find(|job| job.pid == pid) {
            job.status = Some(status);
        }
    }

    /// The job of `%1`, `%%`, `%+`, `%-`, `%text` or `%?text`.
    pub(super) fn find(&self, word: &[u8]) -> Option<&Job> {
        let text = String::from_utf8_lossy(word.strip_prefix(b"%")?).into_owned();
        match text.as_str() {
            "" | "%" | "+" => self.all.last(),
            "-" => self.all.iter().rev().nth(1),
            text => match text.parse::<usize>() {
                Ok(number) => self.all.iter().find(|job| job.number == number),
                Err(_) => self.all.iter().find(|job| match text.strip_prefix('?') {
                    Some(part) => job.text.contains(part),
                    None => job.text.starts_with(text),
                }),
            },
        }
    }
}

impl Shell {
    /// Looks which jobs have ended.
    pub(super) fn jobs_notice(&mut self) {
        let running: Vec<Pid> = self.jobs.iter().filter(|job| job.status.is_none()).map(|job| job.pid).collect();
        for pid in running {
            match self.process.wait4(pid, WaitOptions::WNOHANG) {
                Ok(Some((_, status))) => self.jobs.end(pid, status),
                Err(Errno::ECHILD) => self.jobs.end(pid, WaitStatus::Exited(127)),
                _ => {}
            }
        }
    }

    /// Waits for a child to end; gives the status that `$?` has then.
    pub(super) async fn wait_for(&mut self, pid: Pid) -> i32 {
        self.end_of(pid).await.map_or(127, shell_status)
    }

    async fn end_of(&mut self, pid: Pid) -> Option<WaitStatus> {
        let process = &self.process;
        loop {
            match self.machine.waiting(|| process.wait4(pid, WaitOptions::empty())).await {
                Ok(Some((_, status))) => return Some(status),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for a child in the foreground, and says by which signal it was killed.
    pub(super) async fn wait_for_foreground(&mut self, pid: Pid) -> i32 {
        let status = self.end_of(pid).await;
        // Others that have ended by now are reaped as well, and nothing is said of them.
        self.jobs_notice();
        if matches!(status, Some(WaitStatus::Signaled(Signal::INT))) {
            self.traps.settle_interrupt(&self.process, true);
        } else if self.machine.was_interrupted(pid) {
            self.traps.settle_interrupt(&self.process, false);
        }
        if let Some(WaitStatus::Signaled(signal)) = status {
            self.report_signal(signal).await;
        }
        status.map_or(127, shell_status)
    }

    pub(super) async fn report_signal(&mut self, signal: Signal) {
        if !matches!(signal, Signal::INT | Signal::PIPE) {
            self.write_error(format!("{}\n", signals::description(signal)).as_bytes()).await;
        }
    }

    /// Waits for a job to end, or for a signal that is trapped: then the status is that of the signal.
    pub(super) async fn wait_for_job(&mut self, pid: Pid, reports: bool) -> i32 {
        let known = self.jobs.iter().find(|job| job.pid == pid).and_then(|job| job.status);
        if let Some(status) = known {
            return shell_status(status);
        }
        let process = &self.process;
        let traps = &self.traps;
        let waited = self.machine.waiting(|| {
            if traps.is_pending(process) {
                return Err(Errno::EINTR);
            }
            process.wait4(pid, WaitOptions::empty())
        });
        match waited.await {
            Err(Errno::EINTR) => 128 + self.traps.pending(&self.process).map_or(0, |signal| signal.0),
            Ok(Some((_, status))) => {
                self.jobs.end(pid, status);
                if let (WaitStatus::Signaled(signal), true) = (status, reports) {
                    self.report_signal(signal).await;
                }
                shell_status(status)
            }
            _ => {
                self.jobs.end(pid, WaitStatus::Exited(127));
                127
            }
        }
    }

    /// The status of this shell's process, which somebody has killed.
    pub(super) fn status_of_death(&self) -> i32 {
        let linux = self.process.linux();
        linux.task(self.process.task()).and_then(|task| task.status()).map_or(128 + Signal::KILL.0, shell_status)
    }
}
