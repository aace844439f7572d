//! cmp(1)

use cofferdam::kernel::{Errno, Fd};

use super::support::options::{not_simulated, take_options_with_named_help};
use super::support::quote::quoted_always;
use crate::execution::Execution;
use crate::getopt::{Opt, Takes, option};

const OPTIONS: &[Opt] = &[
    option("silent", 's', "quiet", Takes::Nothing),
    option("silent", '\0', "silent", Takes::Nothing),
    option("list", 'l', "verbose", Takes::Nothing),
    option("bytes", 'n', "bytes", Takes::Argument),
    not_simulated("!-b", 'b', "print-bytes", Takes::Nothing),
    not_simulated("!-i", 'i', "ignore-initial", Takes::Argument),
];

/// cmp(1)
pub(crate) async fn cmp(execution: &mut Execution) -> i32 {
    let parsed = match take_options_with_named_help(execution, OPTIONS, 2) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (old, new) = match &parsed.operands[..] {
        [old] => (old.clone(), b"-".to_vec()),
        [old, new] => (old.clone(), new.clone()),
        [] => return mistake(execution, &[b"missing operand after ", &quoted_always(b"cmp")[..]].concat()),
        [_, _, skipped, ..] => {
            execution.report([b"operand ", &quoted_always(skipped)[..], b" is not simulated"].concat());
            return 2;
        }
    };
    let limit = match parsed.value("bytes") {
        None => usize::MAX,
        Some(text) => match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            Some(limit) => limit,
            None => return mistake(execution, &[b"invalid --bytes value ", &quoted_always(text)[..]].concat()),
        },
    };
    let mut contents = Vec::new();
    for path in [&old, &new] {
        let content =
            if path == b"-" { execution.read_to_end(Fd::STDIN).await } else { execution.read_file(path).await };
        match content {
            Ok(content) => contents.push(content.get(..limit).unwrap_or(&content).to_vec()),
            Err(errno) => return fail(execution, path, errno, parsed.has("silent")),
        }
    }
    let [one, other] = &contents[..] else { return 2 };
    compare(execution, (&old, one), (&new, other), (parsed.has("silent"), parsed.has("list")))
}

fn mistake(execution: &mut Execution, text: &[u8]) -> i32 {
    execution.report(text);
    let hint = execution.help_hint();
    execution.report(hint);
    2
}

fn fail(execution: &mut Execution, path: &[u8], errno: Errno, is_silent: bool) -> i32 {
    if !is_silent || errno != Errno::ENOENT {
        execution.report([path, b": ", errno.description().as_bytes()].concat());
    }
    2
}

fn compare(execution: &mut Execution, old: (&[u8], &[u8]), new: (&[u8], &[u8]), manner: (bool, bool)) -> i32 {
    let (is_silent, lists) = manner;
    if old.1 == new.1 {
        return 0;
    }
    if is_silent {
        return 1;
    }
    let common = old.1.len().min(new.1.len());
    let differs = |index: &usize| old.1.get(*index) != new.1.get(*index);
    if lists {
        let width = common.to_string().len();
        for index in (0..common).filter(differs) {
            let byte = |content: &[u8]| content.get(index).copied().unwrap_or_default();
            execution.print(format!("{:>width$} {:3o} {:3o}\n", index + 1, byte(old.1), byte(new.1)));
        }
    } else if let Some(index) = (0..common).find(differs) {
        let before = old.1.get(..index).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let place = format!(" differ: char {}, line {line}\n", index + 1);
        execution.print([old.0, b" ", new.0, place.as_bytes()].concat());
        return 1;
    }
    if old.1.len() != new.1.len() {
        let (path, content) = if old.1.len() < new.1.len() { old } else { new };
        let lines = content.split(|byte| *byte == b'\n').count() - 1;
        let text = match (content.len(), content.last()) {
            (0, _) => " which is empty".to_owned(),
            (bytes, _) if lists => format!(" after byte {bytes}"),
            (bytes, Some(b'\n')) => format!(" after byte {bytes}, line {lines}"),
            (bytes, _) => format!(" after byte {bytes}, in line {}", lines + 1),
        };
        execution.report([b"EOF on ", path, text.as_bytes()].concat());
    }
    1
}
