//! timeout(1) and nohup(1).

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cofferdam::kernel::{CloneFlags, Errno, Kernel as _, Pid, Signal, SignalAction, WaitStatus};

use super::environment::run_command;
use super::sleep::duration;
use super::support::options::{take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};
use crate::interpreter::signals;

/// What is wrong is not the command's.
const FAILED: i32 = 125;
/// The command has taken too long.
const TIMED_OUT: i32 = 124;

/// nohup(1): no stream is a terminal, so that only the signal is left.
pub(crate) async fn nohup(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, &[], Order::Strict, FAILED) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", FAILED);
    }
    if let Err(errno) = execution.process.sigaction(Signal::HUP, SignalAction::Ignore) {
        execution.report([b"cannot ignore hangups: ", errno.description().as_bytes()].concat());
        return FAILED;
    }
    run_command(execution, &parsed.operands).await
}

const TIMEOUT: &[Opt] = &[
    option("foreground", '\0', "foreground", Takes::Nothing),
    option("kill-after", 'k', "kill-after", Takes::Argument),
    option("preserve-status", '\0', "preserve-status", Takes::Nothing),
    option("signal", 's', "signal", Takes::Argument),
    option("verbose", 'v', "verbose", Takes::Nothing),
];

/// How long a command may take, and what happens then.
struct Limit {
    time: Duration,
    signal: Signal,
    kill_after: Option<Duration>,
    preserves_status: bool,
    /// Whether only the command gets the signal, not its children.
    is_alone: bool,
    is_verbose: bool,
}

/// timeout(1)
pub(crate) async fn timeout(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, TIMEOUT, Order::Strict, FAILED) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (limit, command) = match limit(execution, &parsed) {
        Ok(limit) => limit,
        Err(status) => return status,
    };
    let name = command.first().cloned().unwrap_or_default();
    let child = execution.fork(CloneFlags::empty(), |mut execution| {
        Box::pin(async move {
            let status = run_command(&mut execution, &command).await;
            super::finish(execution, status).await
        })
    });
    let ended = match child {
        Ok(child) => limit.watch(execution, child, &name).await,
        Err(errno) => {
            execution.report([b"fork system call failed: ", errno.description().as_bytes()].concat());
            return FAILED;
        }
    };
    match ended {
        Ok((WaitStatus::Exited(status), has_timed_out)) => {
            if has_timed_out && !limit.preserves_status {
                TIMED_OUT
            } else {
                status
            }
        }
        Ok((WaitStatus::Signaled(signal), false)) => die(execution, signal).await,
        Ok((WaitStatus::Signaled(signal), true)) => {
            let was_killed = signal == Signal::KILL;
            if was_killed && !limit.is_alone {
                return die(execution, signal).await;
            }
            if was_killed || limit.preserves_status { 128 + signal.0 } else { TIMED_OUT }
        }
        Ok(_) => FAILED,
        Err(errno) => {
            execution.report([b"error waiting for command: ", errno.description().as_bytes()].concat());
            FAILED
        }
    }
}

/// What the arguments say. The error is the status, after a report.
fn limit(execution: &mut Execution, parsed: &Parsed) -> Result<(Limit, Vec<Vec<u8>>), i32> {
    let mut time = |text: &[u8]| {
        let text_of_mistake = || [b"invalid time interval ", &quoted_as_in_c(text)[..]].concat();
        duration(text).ok_or_else(|| usage(execution, text_of_mistake(), FAILED))
    };
    let kill_after = parsed.value("kill-after").map(&mut time).transpose()?;
    let signal = match parsed.value("signal") {
        None => Signal::TERM,
        Some(name) => match signals::parse(name).filter(|signal| signal.0 > 0) {
            Some(signal) => signal,
            None => return Err(usage(execution, [&quoted_as_in_c(name)[..], b": invalid signal"].concat(), FAILED)),
        },
    };
    let [time, command @ ..] = &parsed.operands[..] else { return Err(usage_only(execution)) };
    if command.is_empty() {
        return Err(usage_only(execution));
    }
    let text_of_mistake = || [b"invalid time interval ", &quoted_as_in_c(time)[..]].concat();
    let time = duration(time).ok_or_else(|| usage(execution, text_of_mistake(), FAILED))?;
    let limit = Limit {
        time,
        signal,
        kill_after,
        preserves_status: parsed.has("preserve-status"),
        is_alone: parsed.has("foreground"),
        is_verbose: parsed.has("verbose"),
    };
    Ok((limit, command.to_vec()))
}

fn usage_only(execution: &mut Execution) -> i32 {
    let hint = execution.help_hint();
    execution.report_line(hint);
    FAILED
}

/// Ends as the command has ended.
async fn die(execution: &mut Execution, signal: Signal) -> i32 {
    execution.write_error(b"").await;
    if let Ok(own) = execution.process.getpid() {
        let _ = execution.process.kill(own, signal);
    }
    // If it is ignored.
    128 + signal.0
}

impl Limit {
    /// Waits for the command, and sends it signals when it takes too long. Gives how it ended, and whether it was late.
    async fn watch(&self, execution: &mut Execution, child: Pid, name: &[u8]) -> Result<(WaitStatus, bool), Errno> {
        let mut signals = vec![(self.time, self.signal)];
        signals.extend(self.kill_after.map(|time| (time, Signal::KILL)));
        let mut has_timed_out = false;
        for (time, signal) in signals {
            // No time is no limit.
            if time.is_zero() {
                break;
            }
            if let Some(status) = wait_until(execution, child, time).await? {
                return Ok((status, has_timed_out));
            }
            has_timed_out = true;
            if self.is_verbose {
                let signal = signals::name(signal).map_or_else(|| signal.0.to_string(), str::to_owned);
                let text = format!("sending signal {signal} to command ");
                execution.report([text.as_bytes(), &quoted_always(name)].concat());
            }
            self.send(execution, child, signal).await;
        }
        Ok((execution.wait_for(child).await?, has_timed_out))
    }

    /// Sends a signal to the command, and to the processes that it has started: they are a group of their own.
    async fn send(&self, execution: &mut Execution, child: Pid, signal: Signal) {
        let mut group = vec![child];
        if !self.is_alone {
            let processes = super::ps::process::all(execution).await.unwrap_or_default();
            let parents: Vec<(Pid, Pid)> =
                processes.iter().filter_map(|process| Some((pid(process.pid)?, pid(process.parent)?))).collect();
            let mut next = 0;
            while let Some(parent) = group.get(next).copied() {
                group.extend(parents.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
                next += 1;
            }
        }
        for process in group {
            // It may have ended meanwhile.
            let _ = execution.process.kill(process, signal);
        }
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().map(Pid)
}

/// How long a turn of all the others counts at least. No simulated time passes while somebody works, and a command that never
/// stops working would never be late.
const TURN: Duration = Duration::from_micros(100);

/// Waits for a process for some time; nothing if it takes longer.
async fn wait_until(execution: &mut Execution, pid: Pid, time: Duration) -> Result<Option<WaitStatus>, Errno> {
    let machine = execution.machine.clone();
    let mut end = pin!(execution.wait_for(pid));
    let mut late = pin!(machine.sleep(time));
    let mut worked = Duration::ZERO;
    std::future::poll_fn(|context| match end.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(ended.map(Some)),
        Poll::Pending if worked >= time => Poll::Ready(Ok(None)),
        Poll::Pending => {
            worked = worked.saturating_add(TURN);
            late.as_mut().poll(context).map(|()| Ok(None))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::testing::Trial;

    #[rstest]
    #[case("timeout 1 true", 0, "")]
    #[case("timeout 1 false", 1, "")]
    #[case("timeout 1 sleep 2", 124, "")]
    #[case("timeout 0 sleep 2", 0, "")]
    #[case("timeout --preserve-status 1 sleep 2", 143, "")]
    #[case("timeout -s KILL --foreground 1 sleep 2", 137, "")]
    #[case("timeout -v 1 sleep 2", 124, "timeout: sending signal TERM to command 'sleep'\n")]
    #[case("timeout -k 1 1 nohup sleep 9", 124, "")]
    #[case("timeout 0.1 dd if=/dev/zero of=/dev/null", 124, "")]
    #[case("timeout 1 nosuch", 127, "timeout: failed to run command 'nosuch': No such file or directory\n")]
    #[case("timeout 1 /tmp", 126, "timeout: failed to run command '/tmp': Permission denied\n")]
    #[case("timeout", 125, "Try 'timeout --help' for more information.\n")]
    #[case("timeout 1", 125, "Try 'timeout --help' for more information.\n")]
    #[case("timeout x true", 125, "timeout: invalid time interval 'x'\nTry 'timeout --help' for more information.\n")]
    #[case(
        "timeout -s FOO 1 true",
        125,
        "timeout: 'FOO': invalid signal\nTry 'timeout --help' for more information.\n"
    )]
    #[case("nohup", 125, "nohup: missing operand\nTry 'nohup --help' for more information.\n")]
    #[case("nohup nosuch", 127, "nohup: failed to run command 'nosuch': No such file or directory\n")]
    #[case("nohup sh -c 'kill -HUP $$'", 0, "")]
    fn time_is_limited(#[case] command: &str, #[case] status: i32, #[case] error: &str) {
        let trial = Trial::new();
        let words: Vec<&str> = match command.split_once(" -c ") {
            Some((start, script)) => start.split(' ').chain(["-c", script.trim_matches('\'')]).collect(),
            None => command.split(' ').collect(),
        };
        assert_eq!(trial.run_words(&words), (status, String::new(), error.to_owned()));
    }

    /// What the command has started gets the signal, too, so that it does not hold a pipe open.
    #[test]
    fn what_the_command_has_started_ends_with_it() {
        let trial = Trial::new();
        let before = trial.machine.clock();
        assert_eq!(trial.run_words(&["sh", "-c", "timeout 1 sh -c 'sleep 100; true' | cat"]).0, 0);
        assert_eq!(trial.machine.clock().saturating_sub(before).as_secs(), 1);
    }
}
