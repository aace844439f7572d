//! kill(1)

use cofferdam::kernel::{Kernel as _, Pid, Signal};

use crate::execution::Execution;
use crate::interpreter::signals;

/// kill(1), with `-SIGNAL`, `-s SIGNAL`, `-l`.
pub(crate) async fn kill(execution: &mut Execution) -> i32 {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let mut signal = Signal::TERM;
    let mut operands = &arguments[..];
    if let [first, after @ ..] = operands {
        match &first[..] {
            b"--" => operands = after,
            b"-l" | b"--list" => return list(execution, after).await,
            b"-s" | b"--signal" => {
                let Some((name, after)) = after.split_first() else { return usage(execution).await };
                if let Some(named) = signals::parse(name) {
                    signal = named;
                } else {
                    execution.complain([b"unknown signal name ", &name[..]].concat()).await;
                    return 1;
                }
                operands = after;
            }
            [b'-', name @ ..] if !name.is_empty() => {
                if let Some(named) = signals::parse(name) {
                    signal = named;
                } else {
                    execution.complain([b"invalid argument ", name].concat()).await;
                    return 1;
                }
                operands = after;
            }
            _ => {}
        }
    }
    if operands.is_empty() {
        return usage(execution).await;
    }
    let mut status = 0;
    for operand in operands {
        let Some(pid) = std::str::from_utf8(operand).ok().and_then(|text| text.parse().ok()) else {
            execution.complain([b"failed to parse argument: '", &operand[..], b"'"].concat()).await;
            return 1;
        };
        if let Err(errno) = execution.process.kill(Pid(pid), signal) {
            execution.complain(format!("({pid}): {}", errno.description())).await;
            status = 1;
        }
    }
    status
}

async fn usage(execution: &mut Execution) -> i32 {
    execution.write_error(b"Usage: kill [-s SIGNAL | -SIGNAL] PID...\n       kill -l [SIGNAL]\n").await;
    1
}

async fn list(execution: &mut Execution, arguments: &[Vec<u8>]) -> i32 {
    let Some(word) = arguments.first() else {
        let names: Vec<&str> = signals::names().collect();
        execution.print(format!("{}\n", names.join(" ")));
        return 0;
    };
    let text = match signals::parse(word) {
        Some(signal) if word.first().is_some_and(u8::is_ascii_digit) => signals::name(signal).map(str::to_owned),
        Some(signal) => Some(signal.0.to_string()),
        None => None,
    };
    if let Some(text) = text {
        execution.print(format!("{text}\n"));
        0
    } else {
        execution.complain([b"unknown signal name ", &word[..]].concat()).await;
        1
    }
}
