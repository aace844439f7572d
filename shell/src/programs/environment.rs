//! env(1), printenv(1), yes(1) and seq(1).

use cofferdam::kernel::Errno;

use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::quoted_always;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

/// Runs a command in the place of the program; 127 if it is not found, 126 if it can't be executed.
pub(super) async fn run_instead(execution: &mut Execution, command: &[Vec<u8>]) -> i32 {
    match execution.execute(command).await {
        Ok(status) => status,
        Err(errno) => {
            let name = quoted_always(command.first().map(Vec::as_slice).unwrap_or_default());
            execution.complain([&name[..], b": ", errno.description().as_bytes()].concat()).await;
            if errno == Errno::ENOENT { 127 } else { 126 }
        }
    }
}

/// As [`run_instead`], with a message that says what failed, as chroot(1), nohup(1) and timeout(1) have it.
pub(super) async fn run_command(execution: &mut Execution, command: &[Vec<u8>]) -> i32 {
    match execution.execute(command).await {
        Ok(status) => status,
        Err(errno) => {
            let name = command.first().map(Vec::as_slice).unwrap_or_default();
            execution.report_failure("failed to run command", name, errno);
            if errno == Errno::ENOENT { 127 } else { 126 }
        }
    }
}

/// env(1)
pub(crate) async fn env(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("empty", 'i', "ignore-environment", Takes::Nothing),
        option("unset", 'u', "unset", Takes::Argument),
        option("chdir", 'C', "chdir", Takes::Argument),
        option("null", '0', "null", Takes::Nothing),
        not_simulated("!-S", 'S', "split-string", Takes::Argument),
        not_simulated("!-v", 'v', "debug", Takes::Nothing),
    ];
    use cofferdam::kernel::Kernel as _;
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 125) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut operands = &parsed.operands[..];
    let mut is_empty = parsed.has("empty");
    if let [first, rest @ ..] = operands
        && first == b"-"
    {
        (is_empty, operands) = (true, rest);
    }
    if is_empty {
        execution.environment.clear();
    }
    for (_, name) in parsed.options.iter().filter(|(id, _)| *id == "unset") {
        let name = name.clone().unwrap_or_default();
        execution.environment.retain(|entry| entry.split(|byte| *byte == b'=').next() != Some(&name[..]));
    }
    while let [entry, rest @ ..] = operands {
        let Some(equals) = entry.iter().position(|byte| *byte == b'=') else { break };
        let start = entry.get(..=equals).unwrap_or_default().to_vec();
        match execution.environment.iter_mut().find(|known| known.starts_with(&start)) {
            Some(known) => known.clone_from(entry),
            None => execution.environment.push(entry.clone()),
        }
        operands = rest;
    }
    if let Some(directory) = parsed.value("chdir")
        && let Err(errno) = execution.process.chdir(cofferdam::UnixPath::new(directory))
    {
        execution.report_failure("cannot change directory to", directory, errno);
        return 125;
    }
    if !operands.is_empty() {
        return run_instead(execution, operands).await;
    }
    let end: &[u8] = if parsed.has("null") { b"\0" } else { b"\n" };
    for entry in execution.environment.clone() {
        execution.print([&entry[..], end].concat());
    }
    0
}

/// printenv(1)
pub(crate) async fn printenv(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[option("null", '0', "null", Takes::Nothing)];
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 2) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let end: &[u8] = if parsed.has("null") { b"\0" } else { b"\n" };
    let mut status = 0;
    for entry in execution.environment.clone() {
        if parsed.operands.is_empty() {
            execution.print([&entry[..], end].concat());
        }
    }
    for name in &parsed.operands {
        let start = [&name[..], b"="].concat();
        match execution.environment.iter().find_map(|entry| entry.strip_prefix(&start[..])).map(<[u8]>::to_vec) {
            Some(value) => execution.print([&value[..], end].concat()),
            None => status = 1,
        }
    }
    status
}

/// yes(1): it lets the others act after each page of text, and ends when nobody reads it.
pub(crate) async fn yes(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, &[], Order::Strict, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let words = if parsed.operands.is_empty() { vec![b"y".to_vec()] } else { parsed.operands };
    let line = [words.join(&b' '), b"\n".to_vec()].concat();
    let page = line.repeat(4096_usize.div_ceil(line.len()));
    loop {
        execution.print(&page);
        if let Err(errno) = execution.flush().await {
            if errno != Errno::EPIPE {
                execution.complain(format!("standard output: {}", errno.description())).await;
            }
            return 1;
        }
        execution.machine.yield_now().await;
    }
}

/// seq(1) of whole numbers.
pub(crate) async fn seq(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("separator", 's', "separator", Takes::Argument),
        option("equal", 'w', "equal-width", Takes::Nothing),
        not_simulated("!-f", 'f', "format", Takes::Argument),
    ];
    // A negative number is no option.
    let is_number = |word: &Vec<u8>| matches!(&word[..], [b'-', digit, ..] if digit.is_ascii_digit() || *digit == b'.');
    let first = execution.arguments.iter().skip(1).position(is_number).map(|index| index + 1);
    let is_option = |word: &Vec<u8>| word.starts_with(b"-") && word != b"--";
    if let Some(index) = first
        && execution.arguments.iter().take(index).skip(1).all(is_option)
    {
        execution.arguments.insert(index, b"--".to_vec());
    }
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut numbers: Vec<i64> = Vec::new();
    for operand in &parsed.operands {
        match std::str::from_utf8(operand).ok().and_then(|text| text.parse().ok()) {
            Some(number) => numbers.push(number),
            None if std::str::from_utf8(operand).is_ok_and(|text| text.parse::<f64>().is_ok()) => {
                execution.report([b"number ", &quoted_always(operand)[..], b" is not simulated"].concat());
                return 1;
            }
            None => {
                let text = [b"invalid floating point argument: ", &quoted_always(operand)[..]].concat();
                return usage(execution, text, 1);
            }
        }
    }
    let (first, step, last) = match numbers[..] {
        [] => return usage(execution, "missing operand", 1),
        [last] => (1, 1, last),
        [first, last] => (first, 1, last),
        [first, step, last] => (first, step, last),
        _ => {
            let extra = quoted_always(parsed.operands.get(3).map(Vec::as_slice).unwrap_or_default());
            return usage(execution, [b"extra operand ", &extra[..]].concat(), 1);
        }
    };
    if step == 0 {
        return usage(execution, "invalid Zero increment value: '0'", 1);
    }
    let width = if parsed.has("equal") { first.to_string().len().max(last.to_string().len()) } else { 0 };
    let separator = parsed.value("separator").unwrap_or(b"\n").to_vec();
    let mut number = first;
    let mut has_printed = false;
    while if step > 0 { number <= last } else { number >= last } {
        if has_printed {
            execution.print(&separator);
        }
        execution.print(format!("{number:0width$}"));
        has_printed = true;
        match number.checked_add(step) {
            Some(next) => number = next,
            None => break,
        }
    }
    if has_printed {
        execution.print("\n");
    }
    0
}
