//! xargs(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel as _, OpenFlags, OpenHow, WaitStatus};

use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::quoted_if_needed;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("null", '0', "null", Takes::Nothing),
    option("delimiter", 'd', "delimiter", Takes::Argument),
    option("max", 'n', "max-args", Takes::Argument),
    option("replace", 'I', "", Takes::Argument),
    option("no-run-if-empty", 'r', "no-run-if-empty", Takes::Nothing),
    not_simulated("!-a", 'a', "arg-file", Takes::Argument),
    not_simulated("!-E", 'E', "", Takes::Argument),
    not_simulated("!-L", 'L', "max-lines", Takes::Argument),
    not_simulated("!-P", 'P', "max-procs", Takes::Argument),
    not_simulated("!-p", 'p', "interactive", Takes::Nothing),
    not_simulated("!-s", 's', "max-chars", Takes::Argument),
    not_simulated("!-t", 't', "verbose", Takes::Nothing),
    not_simulated("!-x", 'x', "exit", Takes::Nothing),
];

/// So many bytes of arguments are given to a command at a time.
const BATCH: usize = 128 * 1024;

/// xargs(1)
pub(crate) async fn xargs(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let max = match parsed.value("max").map(|text| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok())) {
        None => usize::MAX,
        Some(Some(max)) if max > 0 => max,
        Some(_) => {
            let text = parsed.value("max").unwrap_or_default();
            return usage(execution, [b"invalid number \"", text, b"\" for -n option"].concat(), 1);
        }
    };
    let input = match execution.read_to_end(Fd::STDIN).await {
        Ok(input) => input,
        Err(errno) => {
            execution.report(format!("standard input: {}", errno.description()));
            return 1;
        }
    };
    let replace = parsed.value("replace");
    let delimiter = if parsed.has("null") { Some(0) } else { parsed.value("delimiter").and_then(delimiter) };
    let arguments = match (delimiter, replace) {
        (Some(delimiter), _) => {
            let end = input.strip_suffix(&[delimiter]).unwrap_or(&input);
            if input.is_empty() {
                Vec::new()
            } else {
                end.split(|byte| *byte == delimiter).map(<[u8]>::to_vec).collect()
            }
        }
        (None, Some(_)) => {
            let lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_start);
            lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        }
        (None, None) => match words(&input) {
            Ok(words) => words,
            Err(message) => {
                execution.report(message);
                return 1;
            }
        },
    };
    let command = if parsed.operands.is_empty() { vec![b"echo".to_vec()] } else { parsed.operands.clone() };
    let commands = match replace {
        Some(pattern) => {
            let with = |argument: &Vec<u8>| command.iter().map(|word| replaced(word, pattern, argument)).collect();
            arguments.iter().map(with).collect()
        }
        None if arguments.is_empty() && parsed.has("no-run-if-empty") => Vec::new(),
        None => batches(&command, &arguments, max),
    };
    let mut status = 0;
    for command in commands {
        match run(execution, command).await {
            0 => {}
            failed @ (124..=127) => return failed,
            failed => status = failed,
        }
    }
    status
}

fn delimiter(text: &[u8]) -> Option<u8> {
    super::support::text::unescape(text).first().copied()
}

/// Words between blanks and newlines; quotes and backslashes keep them together.
fn words(input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = input.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' | 11 | 12 | b'\r' => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            b'\'' | b'"' => {
                let quoted = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(end) if end == byte => break,
                        Some(b'\n') | None => {
                            let kind = if *byte == b'"' { "double" } else { "single" };
                            return Err(format!(
                                "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
                            ));
                        }
                        Some(inner) => quoted.push(*inner),
                    }
                }
            }
            other => word.get_or_insert_default().push(*other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn replaced(word: &[u8], pattern: &[u8], argument: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = word;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(pattern).filter(|_| !pattern.is_empty()) {
            result.extend(argument);
            rest = after;
        } else {
            result.push(*byte);
            rest = after;
        }
    }
    result
}

fn batches(command: &[Vec<u8>], arguments: &[Vec<u8>], max: usize) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    let (mut current, mut size) = (command.to_vec(), 0);
    for argument in arguments {
        let count = current.len() - command.len();
        if count == max || count > 0 && size + argument.len() > BATCH {
            commands.push(std::mem::replace(&mut current, command.to_vec()));
            size = 0;
        }
        size += argument.len();
        current.push(argument.clone());
    }
    commands.push(current);
    commands
}

/// Runs a command; what xargs exits with because of its status.
async fn run(execution: &mut Execution, command: Vec<Vec<u8>>) -> i32 {
    let name = command.first().cloned().unwrap_or_default();
    let child = execution.fork(CloneFlags::empty(), |mut child| {
        Box::pin(async move {
            // The input is ours.
            let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
            if let Ok(null) = child.process.openat2(Fd::CWD, UnixPath::new("/dev/null"), how) {
                let _ = child.process.dup3(null, Fd::STDIN, OpenFlags::empty());
            } else {
                let _ = child.process.close(Fd::STDIN);
            }
            match child.execute(&command).await {
                Ok(status) => status,
                Err(errno) => {
                    let name = quoted_if_needed(command.first().map(Vec::as_slice).unwrap_or_default());
                    child.complain([&name[..], b": ", errno.description().as_bytes()].concat()).await;
                    if errno == Errno::ENOENT { 127 } else { 126 }
                }
            }
        })
    });
    let result = match child {
        Ok(pid) => execution.wait_for(pid).await,
        Err(errno) => Err(errno),
    };
    match result {
        Ok(WaitStatus::Exited(status @ (0 | 126 | 127))) => status,
        Ok(WaitStatus::Exited(255)) => {
            execution.report([&name[..], b": exited with status 255; aborting"].concat());
            124
        }
        Ok(WaitStatus::Exited(_)) => 123,
        Ok(WaitStatus::Signaled(signal)) => {
            execution.report([&name[..], format!(": terminated by signal {}", signal.0).as_bytes()].concat());
            125
        }
        Ok(_) => 125,
        Err(errno) => {
            execution.report(format!("cannot fork: {}", errno.description()));
            1
        }
    }
}
