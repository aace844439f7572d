//! Jobs and signals: `wait`, `jobs`, `kill`.

use cofferdam::kernel::{Errno, Kernel as _, Pid, Signal, WaitStatus};

use super::options;
use crate::interpreter::Shell;
use crate::interpreter::signals;
use crate::interpreter::stop::{Executed, Stop};

const KILL_USAGE: &str = "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]";

impl Shell {
    pub(super) async fn wait(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (_, operands) = options(arguments, b"")?;
        if operands.is_empty() {
            let pids: Vec<Pid> = self.jobs.iter().map(|job| job.pid).collect();
            for pid in pids {
                let status = self.wait_for_job(pid, false).await;
                if self.traps.is_pending(&self.process) {
                    return Ok(status);
                }
            }
            self.jobs.mark_ended();
            return Ok(0);
        }
        let mut status = 0;
        for word in operands {
            let pid = if word.starts_with(b"%") { self.job(word)? } else { Pid(super::number(word)?) };
            status = if self.jobs.iter().any(|job| job.pid == pid) { self.wait_for_job(pid, true).await } else { 127 };
            self.jobs.mark_ended();
        }
        Ok(status)
    }

    /// `bg`, `fg`: there is no job control, as there is no terminal.
    pub(super) fn continue_job(&self, arguments: &[Vec<u8>]) -> Executed {
        let word = match arguments.first() {
            Some(word) => word.clone(),
            None if self.jobs.iter().next().is_none() => return Err(Stop::fatal("No current job")),
            None => b"%%".to_vec(),
        };
        self.job(&word)?;
        Err(Stop::fatal([b"job ", &word[..], b" not created under job control"].concat()))
    }

    fn job(&self, word: &[u8]) -> Result<Pid, Stop> {
        self.jobs.find(word).map(|job| job.pid).ok_or_else(|| Stop::fatal([b"No such job: ", word].concat()))
    }

    pub(super) async fn list_jobs(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, _) = options(arguments, b"lp")?;
        self.jobs_notice();
        let current = self.jobs.iter().last().map(|job| job.number);
        let previous = self.jobs.iter().rev().nth(1).map(|job| job.number);
        let mut lines = Vec::new();
        let mut ended = Vec::new();
        for job in self.jobs.iter().rev() {
            if given.contains(&b'p') {
                lines.push(job.pid.0.to_string());
                continue;
            }
            let mark = match Some(job.number) {
                number if number == current => '+',
                number if number == previous => '-',
                _ => ' ',
            };
            let state = match job.status {
                None | Some(WaitStatus::Continued) => "Running".to_owned(),
                Some(WaitStatus::Exited(0)) => "Done".to_owned(),
                Some(WaitStatus::Exited(status)) => format!("Done({status})"),
                Some(WaitStatus::Signaled(signal) | WaitStatus::Stopped(signal)) => signals::description(signal),
            };
            let pid = if given.contains(&b'l') { format!("{} ", job.pid.0) } else { String::new() };
            let state = format!("[{}] {mark} {pid}{state}", job.number);
            let command = if self.is_interactive { &job.text } else { "" };
            lines.push(format!("{state:<33}{command}"));
            if job.status.is_some() {
                ended.push(job.pid);
            }
        }
        for pid in ended {
            self.jobs.forget(pid);
        }
        lines.push(String::new());
        self.print(lines.join("\n").as_bytes()).await?;
        Ok(0)
    }

    pub(super) async fn kill(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let mut signal = Signal::TERM;
        let mut operands = arguments;
        if let [first, after @ ..] = arguments {
            match &first[..] {
                b"--" => operands = after,
                b"-l" => return self.list_signals(after).await,
                b"-s" => {
                    let [name, after @ ..] = after else { return Err(Stop::fatal("No arg for -s option")) };
                    signal = signals::parse(name)
                        .ok_or_else(|| Stop::fatal([b"invalid signal number or name: ", &name[..]].concat()))?;
                    operands = after.strip_prefix(&[b"--".to_vec()]).unwrap_or(after);
                }
                [b'-', name @ ..] if !name.is_empty() => {
                    signal = signals::parse(name).ok_or_else(|| {
                        Stop::fatal([b"Illegal option -", name.get(..1).unwrap_or_default()].concat())
                    })?;
                    operands = after.strip_prefix(&[b"--".to_vec()]).unwrap_or(after);
                }
                _ => {}
            }
        }
        if operands.is_empty() {
            return Err(Stop::fatal(KILL_USAGE));
        }
        let mut status = 0;
        for operand in operands {
            let pid = if operand.starts_with(b"%") {
                // A job is a process group. There is none without job control, in dash too.
                let pid = self.job(operand)?;
                if self.options.has(b'm') { pid } else { Pid(-pid.0) }
            } else {
                let (is_group, digits) =
                    operand.strip_prefix(b"-").map_or((false, &operand[..]), |digits| (true, digits));
                let number =
                    super::number(digits).map_err(|_| Stop::fatal([b"Illegal number: ", &operand[..]].concat()))?;
                Pid(if is_group { -number } else { number })
            };
            if let Err(errno) = self.process.kill(pid, signal) {
                // A job that has ended, and that nobody has waited for, is still there.
                let is_known = errno == Errno::ESRCH && self.jobs.iter().any(|job| job.pid == pid);
                if !is_known {
                    self.complain(format!("{}\n", errno.description()).as_bytes()).await;
                    status = 1;
                }
            }
        }
        Ok(status)
    }

    async fn list_signals(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let Some(word) = arguments.first() else {
            let text: String = signals::names().flat_map(|name| [name, "\n"]).collect();
            self.print(text.as_bytes()).await?;
            return Ok(0);
        };
        let number = super::number(word)?;
        let number = if number > 128 { number - 128 } else { number };
        let name = signals::name(Signal(number))
            .ok_or_else(|| Stop::fatal([b"invalid signal number or exit status: ", &word[..]].concat()))?;
        self.print(format!("{name}\n").as_bytes()).await?;
        Ok(0)
    }
}
