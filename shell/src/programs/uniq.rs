//! uniq(1) and comm(1)

use cofferdam::kernel::{Mode, OpenFlags, OpenHow};

use crate::execution::Execution;
use crate::getopt::{Opt, Takes, option};

use super::lines::Line;
use super::support::options::not_simulated;
use super::utility::{Failure, decimal, misuse, open, options, status};

const UNIQ: &[Opt] = &[
    option("count", 'c', "count", Takes::Nothing),
    option("repeated", 'd', "repeated", Takes::Nothing),
    not_simulated("!--all-repeated", 'D', "all-repeated", Takes::Optional),
    option("fields", 'f', "skip-fields", Takes::Argument),
    not_simulated("!--group", '\0', "group", Takes::Optional),
    option("ignore-case", 'i', "ignore-case", Takes::Nothing),
    option("chars", 's', "skip-chars", Takes::Argument),
    option("unique", 'u', "unique", Takes::Nothing),
    option("check", 'w', "check-chars", Takes::Argument),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
];

/// uniq(1)
pub(crate) async fn uniq(execution: &mut Execution) -> i32 {
    status(run_uniq(execution).await)
}

async fn run_uniq(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, UNIQ, 1).await?;
    let mut numbers = [0, 0, usize::MAX];
    for (place, (id, what)) in numbers.iter_mut().zip([
        ("fields", "fields to skip"),
        ("chars", "bytes to skip"),
        ("check", "bytes to compare"),
    ]) {
        let Some(text) = parsed.value(id) else { continue };
        if let Some(number) = decimal(text) {
            *place = usize::try_from(number).unwrap_or(usize::MAX);
        } else {
            execution.complain([text, b": invalid number of ", what.as_bytes()].concat()).await;
            return Err(Failure(1));
        }
    }
    let [fields, chars, check] = numbers;
    if let Some(extra) = parsed.operands.get(2) {
        return Err(misuse(execution, [b"extra operand '", &extra[..], b"'"].concat(), 1).await);
    }
    let delimiter = if parsed.has("zero") { 0 } else { b'\n' };
    let input = parsed.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let Some(mut source) = open(execution, &input, "").await else { return Ok(1) };
    let output = match parsed.operands.get(1).filter(|name| *name != b"-") {
        None => cofferdam::kernel::Fd::STDOUT,
        Some(name) => {
            let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC;
            match execution.open(name, OpenHow { flags, mode: Mode(0o666), ..OpenHow::default() }).await {
                Ok(fd) => fd,
                Err(errno) => {
                    super::utility::complain_of(execution, name, errno).await;
                    return Ok(1);
                }
            }
        }
    };
    let key = |line: &Line| {
        let mut rest = &line.text[..];
        for _ in 0..fields {
            let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
            let blanks = rest.iter().take_while(is_blank).count();
            rest = rest.get(blanks..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| !is_blank(byte)).count();
            rest = rest.get(length..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
        let rest = rest.get(chars..).unwrap_or_default();
        let rest = rest.get(..check).unwrap_or(rest);
        if parsed.has("ignore-case") { rest.to_ascii_lowercase() } else { rest.to_vec() }
    };
    let show = |line: &Line, count: u64| {
        let is_wanted = match (parsed.has("repeated"), parsed.has("unique")) {
            (true, true) => false,
            (true, false) => count > 1,
            (false, true) => count == 1,
            (false, false) => true,
        };
        let number = if parsed.has("count") { format!("{count:7} ") } else { String::new() };
        is_wanted.then(|| [number.as_bytes(), &line.text, &[delimiter]].concat())
    };
    let mut group: Option<(Line, Vec<u8>, u64)> = None;
    loop {
        let line = match source.line(execution, delimiter).await {
            Ok(line) => line,
            Err(errno) => {
                let name = [b"error reading '", &input[..], b"'"].concat();
                super::utility::complain_of(execution, &name, errno).await;
                return Ok(1);
            }
        };
        let this = line.as_ref().map(&key);
        if let (Some((_, known, count)), Some(this)) = (&mut group, &this)
            && known == this
        {
            *count += 1;
            continue;
        }
        if let Some((first, _, count)) = group.take()
            && let Some(text) = show(&first, count)
        {
            if output == cofferdam::kernel::Fd::STDOUT {
                execution.put(text).await?;
            } else {
                execution.machine.write(&execution.process, output, &text).await?;
            }
        }
        match (line, this) {
            (Some(line), Some(this)) => group = Some((line, this, 1)),
            _ => break,
        }
    }
    Ok(0)
}

const COMM: &[Opt] = &[
    option("1", '1', "", Takes::Nothing),
    option("2", '2', "", Takes::Nothing),
    option("3", '3', "", Takes::Nothing),
    not_simulated("!--check-order", '\0', "check-order", Takes::Nothing),
    option("nocheck", '\0', "nocheck-order", Takes::Nothing),
    option("delimiter", '\0', "output-delimiter", Takes::Argument),
    not_simulated("!--total", '\0', "total", Takes::Nothing),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
];

/// comm(1)
pub(crate) async fn comm(execution: &mut Execution) -> i32 {
    status(run_comm(execution).await)
}

async fn run_comm(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, COMM, 1).await?;
    let [first, second] = &parsed.operands[..] else {
        let message = match &parsed.operands[..] {
            [] => b"missing operand".to_vec(),
            [only] => [b"missing operand after '", &only[..], b"'"].concat(),
            [_, _, extra, ..] => [b"extra operand '", &extra[..], b"'"].concat(),
            _ => Vec::new(),
        };
        return Err(misuse(execution, message, 1).await);
    };
    let end = if parsed.has("zero") { 0 } else { b'\n' };
    let mark = parsed.value("delimiter").unwrap_or(b"\t").to_vec();
    let (Some(mut left), Some(mut right)) = (open(execution, first, "").await, open(execution, second, "").await)
    else {
        return Ok(1);
    };
    let shows = |column: &str| !parsed.has(column);
    let (mut a, mut b) = (left.line(execution, end).await?, right.line(execution, end).await?);
    let (mut unsorted, mut has_difference) = ([false, false], false);
    loop {
        let order = match (&a, &b) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.text.cmp(&b.text),
        };
        has_difference |= order.is_ne();
        let (column, text) = match order {
            std::cmp::Ordering::Less => ("1", &a),
            std::cmp::Ordering::Greater => ("2", &b),
            std::cmp::Ordering::Equal => ("3", &a),
        };
        if shows(column) {
            let before = match column {
                "1" => 0,
                "2" => usize::from(shows("1")),
                _ => usize::from(shows("1")) + usize::from(shows("2")),
            };
            let text = text.as_ref().map(|line| &line.text[..]).unwrap_or_default();
            execution.put([&mark.repeat(before)[..], text, &[end]].concat()).await?;
        }
        for (number, (source, line)) in [(&mut left, &mut a), (&mut right, &mut b)].into_iter().enumerate() {
            let advances = order.is_eq() || (number == 0) == order.is_lt();
            if !advances {
                continue;
            }
            let next = source.line(execution, end).await?;
            let is_unsorted = matches!((&*line, &next), (Some(line), Some(next)) if next.text < line.text);
            if is_unsorted
                && has_difference
                && !parsed.has("nocheck")
                && let Some(known) = unsorted.get_mut(number)
                && !std::mem::replace(known, true)
            {
                execution.complain(format!("file {} is not in sorted order", number + 1)).await;
            }
            *line = next;
        }
    }
    if unsorted.contains(&true) {
        execution.complain("input is not in sorted order").await;
        return Ok(1);
    }
    Ok(0)
}
