//! tr(1)

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option, parse};

use super::lines::Source;
use super::utility::{Failure, misuse, status};

const KNOWN: &[Opt] = &[
    option("complement", 'c', "complement", Takes::Nothing),
    option("complement", 'C', "", Takes::Nothing),
    option("delete", 'd', "delete", Takes::Nothing),
    option("squeeze", 's', "squeeze-repeats", Takes::Nothing),
    option("truncate", 't', "truncate-set1", Takes::Nothing),
];

/// tr(1)
pub(crate) async fn tr(execution: &mut Execution) -> i32 {
    status(run(execution).await)
}

/// An element of a set.
enum Element {
    Bytes(Vec<u8>),
    /// `[:upper:]` or `[:lower:]`, which may change the case.
    Case(bool),
    /// `[x*N]`; 0 for as many as are needed.
    Repeat(u8, usize),
}

fn class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"space" => |byte| byte.is_ascii_whitespace() || byte == 0x0b,
        b"blank" => |byte| byte == b' ' || byte == b'\t',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

/// The bytes of a set, with whether each was escaped.
fn unescape(text: &[u8]) -> Vec<(u8, bool)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push((*byte, false));
            continue;
        }
        let digits: Vec<u32> = rest.iter().take(3).map_while(|byte| char::from(*byte).to_digit(8)).collect();
        let (value, length) = match rest.first() {
            None => (b'\\', 0),
            Some(b'a') => (0x07, 1),
            Some(b'b') => (0x08, 1),
            Some(b'f') => (0x0c, 1),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b't') => (b'\t', 1),
            Some(b'v') => (0x0b, 1),
            Some(_) if !digits.is_empty() => {
                let value = digits.iter().fold(0, |value, digit| value * 8 + digit);
                (u8::try_from(value & 0xff).unwrap_or(0), digits.len())
            }
            Some(other) => (*other, 1),
        };
        bytes.push((value, true));
        rest = rest.get(length..).unwrap_or_default();
    }
    bytes
}

/// Takes a set apart; the error is the message.
fn elements(text: &[u8]) -> Result<Vec<Element>, Vec<u8>> {
    let bytes = unescape(text);
    let mut rest = &bytes[..];
    let mut elements = Vec::new();
    while let Some(((byte, is_escaped), after)) = rest.split_first() {
        let plain: Vec<u8> = rest.iter().map(|(byte, _)| *byte).collect();
        if *byte == b'[' && !is_escaped {
            if let Some(end) =
                plain.windows(2).skip(2).position(|pair| pair == b":]").filter(|_| plain.get(1) == Some(&b':'))
            {
                let name = plain.get(2..end + 2).unwrap_or_default();
                match (name, class(name)) {
                    (b"upper", _) => elements.push(Element::Case(true)),
                    (b"lower", _) => elements.push(Element::Case(false)),
                    (_, Some(has)) => elements.push(Element::Bytes((0..=u8::MAX).filter(|byte| has(*byte)).collect())),
                    (name, None) => return Err([b"invalid character class '", name, b"'"].concat()),
                }
                rest = rest.get(end + 4..).unwrap_or_default();
                continue;
            }
            if let [_, b'=', only, b'=', b']', ..] = plain[..] {
                elements.push(Element::Bytes(vec![only]));
                rest = rest.get(5..).unwrap_or_default();
                continue;
            }
            if let [_, repeated, b'*', tail @ ..] = &plain[..]
                && let Some(end) = tail.iter().position(|byte| *byte == b']')
                && tail.iter().take(end).all(u8::is_ascii_digit)
            {
                let digits = String::from_utf8_lossy(tail.get(..end).unwrap_or_default()).into_owned();
                let base = if digits.starts_with('0') { 8 } else { 10 };
                let count = usize::from_str_radix(&digits, base).unwrap_or(0);
                elements.push(Element::Repeat(*repeated, count.min(1 << 16)));
                rest = rest.get(end + 4..).unwrap_or_default();
                continue;
            }
        }
        if let [(b'-', false), (last, _), tail @ ..] = after {
            if last < byte {
                let message =
                    [b"range-endpoints of '", &[*byte, b'-', *last][..], b"' are in reverse collating sequence order"];
                return Err(message.concat());
            }
            elements.push(Element::Bytes((*byte..=*last).collect()));
            rest = tail;
            continue;
        }
        elements.push(Element::Bytes(vec![*byte]));
        rest = after;
    }
    Ok(elements)
}

/// The bytes of a set in their order; repetitions without a number become as long as needed.
fn expand(elements: &[Element], wanted: usize) -> Vec<u8> {
    let length = |element: &Element| match element {
        Element::Bytes(bytes) => bytes.len(),
        Element::Case(_) => 26,
        Element::Repeat(_, count) => *count,
    };
    let missing = wanted.saturating_sub(elements.iter().map(length).sum());
    let mut set = Vec::new();
    for element in elements {
        match element {
            Element::Bytes(bytes) => set.extend_from_slice(bytes),
            Element::Case(true) => set.extend(b'A'..=b'Z'),
            Element::Case(false) => set.extend(b'a'..=b'z'),
            Element::Repeat(byte, 0) => set.resize(set.len() + missing, *byte),
            Element::Repeat(byte, count) => set.resize(set.len() + count, *byte),
        }
    }
    set
}

async fn run(execution: &mut Execution) -> Result<i32, Failure> {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let parsed = match parse(KNOWN, Order::Strict, &arguments) {
        Ok(parsed) => parsed,
        Err(message) => return Err(misuse(execution, message, 1).await),
    };
    let (deletes, squeezes) = (parsed.has("delete"), parsed.has("squeeze"));
    let needed = if deletes == squeezes { 2 } else { 1 };
    let most = if deletes && !squeezes { 1 } else { 2 };
    let operands = &parsed.operands;
    if operands.len() < needed {
        let message = match operands.last() {
            None => b"missing operand".to_vec(),
            Some(last) => [b"missing operand after '", &last[..], b"'"].concat(),
        };
        execution.complain(message).await;
        if !operands.is_empty() {
            let why = if deletes {
                "Two strings must be given when both deleting and squeezing repeats.\n"
            } else {
                "Two strings must be given when translating.\n"
            };
            execution.write_error(why.as_bytes()).await;
        }
        let hint = execution.help_hint();
        execution.report_line(hint);
        return Err(Failure(1));
    }
    if let Some(extra) = operands.get(most) {
        execution.complain([b"extra operand '", &extra[..], b"'"].concat()).await;
        if most == 1 && operands.len() == 2 {
            execution.write_error(b"Only one string may be given when deleting without squeezing repeats.\n").await;
        }
        let hint = execution.help_hint();
        execution.report_line(hint);
        return Err(Failure(1));
    }
    let mut sets = Vec::new();
    for operand in operands {
        match elements(operand) {
            Ok(elements) => sets.push(elements),
            Err(message) => {
                execution.complain(message).await;
                return Err(Failure(1));
            }
        }
    }
    let first = expand(sets.first().map(Vec::as_slice).unwrap_or_default(), 0);
    let first: Vec<u8> =
        if parsed.has("complement") { (0..=u8::MAX).filter(|byte| !first.contains(byte)).collect() } else { first };
    let mut second = sets.get(1).map(|elements| expand(elements, first.len()));
    let translates = !deletes && second.is_some();
    let mut table: Vec<u8> = (0..=u8::MAX).collect();
    if let (true, Some(second)) = (translates, &mut second) {
        let Some(last) = second.last().copied() else {
            if parsed.has("truncate") || first.is_empty() {
                return filter(execution, &table, None, None).await;
            }
            execution.complain("when not truncating set1, string2 must be non-empty").await;
            return Err(Failure(1));
        };
        let pairs = first.iter().enumerate().map(|(index, from)| (*from, second.get(index).copied()));
        for (from, to) in pairs {
            let to = match to {
                Some(to) => to,
                None if parsed.has("truncate") => continue,
                None => last,
            };
            if let Some(place) = table.get_mut(usize::from(from)) {
                *place = to;
            }
        }
    }
    let to_delete = deletes.then_some(&first[..]);
    let to_squeeze = squeezes.then(|| second.as_deref().unwrap_or(&first));
    filter(execution, &table, to_delete, to_squeeze).await
}

async fn filter(
    execution: &mut Execution,
    table: &[u8],
    deleted: Option<&[u8]>,
    squeezed: Option<&[u8]>,
) -> Result<i32, Failure> {
    let mut source = Source::new(cofferdam::kernel::Fd::STDIN);
    let mut previous = None;
    loop {
        match source.fill(execution).await {
            Ok(true) => {}
            Ok(false) => return Ok(0),
            Err(errno) => {
                execution.complain(format!("read error: {}", errno.description())).await;
                return Err(Failure(1));
            }
        }
        let mut output = Vec::new();
        for byte in source.pending() {
            if deleted.is_some_and(|deleted| deleted.contains(byte)) {
                continue;
            }
            let byte = table.get(usize::from(*byte)).copied().unwrap_or(*byte);
            if previous == Some(byte) && squeezed.is_some_and(|squeezed| squeezed.contains(&byte)) {
                continue;
            }
            previous = Some(byte);
            output.push(byte);
        }
        source.consume(usize::MAX / 2);
        execution.put(output).await?;
    }
}
