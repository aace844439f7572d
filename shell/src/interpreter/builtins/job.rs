//! Jobs and signals: `wait`, `jobs`, `kill`.

use std::fmt::Write as _;

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
                let status = self.wait_for_job(pid).await;
                if self.traps.is_pending(&self.process) {
                    return Ok(status);
                }
            }
            return Ok(0);
        }
        let mut status = 0;
        for word in operands {
            let pid = if word.starts_with(b"%") { self.job(word)? } else { Pid(super::number(word)?) };
            status = if self.jobs.iter().any(|job| job.pid == pid) { self.wait_for_job(pid).await } else { 127 };
        }
        Ok(status)
    }

    fn job(&self, word: &[u8]) -> Result<Pid, Stop> {
        self.jobs.find(word).map(|job| job.pid).ok_or_else(|| Stop::fatal([b"No such job: ", word].concat()))
    }

    pub(super) async fn list_jobs(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, _) = options(arguments, b"lp")?;
        self.jobs_notice();
        let current = self.jobs.iter().last().map(|job| job.number);
        let previous = self.jobs.iter().rev().nth(1).map(|job| job.number);
        let mut text = String::new();
        let mut ended = Vec::new();
        for job in self.jobs.iter() {
            if given.contains(&b'p') {
                let _ = writeln!(text, "{}", job.pid.0);
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
            let _ = writeln!(text, "[{}] {mark} {pid}{state:<25} {}", job.number, job.text);
            if job.status.is_some() {
                ended.push(job.pid);
            }
        }
        for pid in ended {
            self.jobs.forget(pid);
        }
        self.print(text.as_bytes()).await?;
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
                self.job(operand)?
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
                    self.complain(format!("kill: {}\n", errno.description()).as_bytes()).await;
                    status = 1;
                }
            }
        }
        Ok(status)
    }

    async fn list_signals(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let Some(word) = arguments.first() else {
            let lines: Vec<String> = signals::names().map(|name| format!("{name}\n")).collect();
            self.print(lines.concat().as_bytes()).await?;
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
