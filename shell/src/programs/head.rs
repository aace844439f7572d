//! head(1) and tail(1)

use std::collections::VecDeque;

use crate::execution::Execution;
use crate::getopt::{Opt, Parsed, Takes, option};

use super::lines::{Line, Source};
use super::support::options::not_simulated;
use super::support::size::multiple;
use super::utility::{Failure, complain_of, files, open, options, status};

const HEAD: &[Opt] = &[
    option("bytes", 'c', "bytes", Takes::Argument),
    option("lines", 'n', "lines", Takes::Argument),
    option("quiet", 'q', "quiet", Takes::Nothing),
    option("quiet", '\0', "silent", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
    not_simulated("!--follow", 'f', "follow", Takes::Nothing),
    not_simulated("!--retry", 'F', "retry", Takes::Nothing),
];

/// How much of a file is wanted.
#[derive(Clone, Copy)]
struct Amount {
    number: u64,
    in_bytes: bool,
    /// `-` for head: all but the last; `+` for tail: all from there on.
    is_other_end: bool,
    delimiter: u8,
}

/// head(1)
pub(crate) async fn head(execution: &mut Execution) -> i32 {
    status(run(execution, true).await)
}

/// tail(1)
pub(crate) async fn tail(execution: &mut Execution) -> i32 {
    status(run(execution, false).await)
}

async fn run(execution: &mut Execution, is_head: bool) -> Result<i32, Failure> {
    // `-5` is an option from before there were others.
    if let Some(first) = execution.arguments.get_mut(1)
        && let [b'-' | b'+', digits @ ..] = &first[..]
        && digits.iter().all(u8::is_ascii_digit)
        && !digits.is_empty()
        && (first.starts_with(b"-") || !is_head)
    {
        let keeps_sign = if first.starts_with(b"+") { &first[..] } else { digits };
        *first = [b"-n", keeps_sign].concat();
    }
    let parsed = options(execution, HEAD, 1).await?;
    let amount = amount(execution, &parsed, is_head).await?;
    let files = files(&parsed);
    let (mut result, mut is_first) = (0, true);
    for file in &files {
        let Some(mut source) = open(execution, file, "cannot open").await else {
            result = 1;
            continue;
        };
        if (files.len() > 1 || parsed.has("verbose")) && !parsed.has("quiet") {
            let name: &[u8] = if file == b"-" { b"standard input" } else { file };
            let gap: &[u8] = if is_first { b"" } else { b"\n" };
            execution.put([gap, b"==> ", name, b" <==\n"].concat()).await?;
        }
        is_first = false;
        let done = match (is_head, amount.is_other_end) {
            (true, false) => first(execution, &mut source, amount).await,
            (true, true) => but_last(execution, &mut source, amount).await,
            (false, true) => from(execution, &mut source, amount).await,
            (false, false) => last(execution, &mut source, amount).await,
        };
        if let Err(errno) = done {
            if errno == cofferdam::kernel::Errno::EPIPE {
                return Ok(1);
            }
            result = 1;
            complain_of(execution, &[b"error reading '", &file[..], b"'"].concat(), errno).await;
        }
        source.close(execution);
    }
    Ok(result)
}

async fn amount(execution: &mut Execution, parsed: &Parsed, is_head: bool) -> Result<Amount, Failure> {
    let delimiter = if parsed.has("zero") { 0 } else { b'\n' };
    let given = parsed.options.iter().rev().find(|(id, _)| matches!(*id, "bytes" | "lines"));
    let Some((id, Some(text))) = given else {
        return Ok(Amount { number: 10, in_bytes: false, is_other_end: false, delimiter });
    };
    let mark = if is_head { b'-' } else { b'+' };
    let (is_other_end, digits) = match &text[..] {
        [sign, rest @ ..] if *sign == mark => (true, rest),
        [b'-' | b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if let Some(number) = multiple(digits, b"bkKmMGTPE") {
        Ok(Amount { number, in_bytes: *id == "bytes", is_other_end, delimiter })
    } else {
        let what = format!("invalid number of {id}: '");
        execution.complain([what.as_bytes(), text, b"'"].concat()).await;
        Err(Failure(1))
    }
}

type Done = Result<(), cofferdam::kernel::Errno>;

fn whole(line: &Line, delimiter: u8) -> Vec<u8> {
    let mut text = line.text.clone();
    if line.is_terminated {
        text.push(delimiter);
    }
    text
}

async fn first(execution: &mut Execution, source: &mut Source, amount: Amount) -> Done {
    let mut left = amount.number;
    while left > 0 {
        if amount.in_bytes {
            if source.pending().is_empty() && !source.fill(execution).await? {
                break;
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(source.pending().len());
            let bytes = source.pending().get(..count).unwrap_or_default().to_vec();
            source.consume(count);
            left -= count as u64;
            execution.put(bytes).await?;
        } else {
            let Some(line) = source.line(execution, amount.delimiter).await? else { break };
            execution.put(whole(&line, amount.delimiter)).await?;
            left -= 1;
        }
    }
    Ok(())
}

async fn but_last(execution: &mut Execution, source: &mut Source, amount: Amount) -> Done {
    if amount.in_bytes {
        let all = source.rest(execution).await?;
        let kept = all.len().saturating_sub(usize::try_from(amount.number).unwrap_or(usize::MAX));
        return execution.put(all.get(..kept).unwrap_or_default()).await;
    }
    let mut held = VecDeque::new();
    while let Some(line) = source.line(execution, amount.delimiter).await? {
        held.push_back(line);
        if held.len() as u64 > amount.number
            && let Some(line) = held.pop_front()
        {
            execution.put(whole(&line, amount.delimiter)).await?;
        }
    }
    Ok(())
}

async fn from(execution: &mut Execution, source: &mut Source, amount: Amount) -> Done {
    let mut skipped = amount.number.saturating_sub(1);
    if amount.in_bytes {
        let all = source.rest(execution).await?;
        return execution.put(all.get(usize::try_from(skipped).unwrap_or(usize::MAX)..).unwrap_or_default()).await;
    }
    while let Some(line) = source.line(execution, amount.delimiter).await? {
        if skipped > 0 {
            skipped -= 1;
        } else {
            execution.put(whole(&line, amount.delimiter)).await?;
        }
    }
    Ok(())
}

async fn last(execution: &mut Execution, source: &mut Source, amount: Amount) -> Done {
    if amount.in_bytes {
        let all = source.rest(execution).await?;
        let start = all.len().saturating_sub(usize::try_from(amount.number).unwrap_or(usize::MAX));
        return execution.put(all.get(start..).unwrap_or_default()).await;
    }
    let mut held = VecDeque::new();
    while let Some(line) = source.line(execution, amount.delimiter).await? {
        held.push_back(line);
        if held.len() as u64 > amount.number {
            held.pop_front();
        }
    }
    for line in held {
        execution.put(whole(&line, amount.delimiter)).await?;
    }
    Ok(())
}
