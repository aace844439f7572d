//! Escapes of scripts, and the replacements of `s`.

use crate::programs::regular_expression::Match;

use super::reader::Reader;
use super::script::{Case, Part};

/// The byte of an escape that stands for one; with what follows `\`. The second value is how much of it was taken.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let digits = |base: u32, most: usize| {
        let digits: Vec<u32> =
            rest.iter().skip(1).take(most).map_while(|byte| char::from(*byte).to_digit(base)).collect();
        let value = digits.iter().fold(0, |value, digit| value * base + digit);
        (!digits.is_empty()).then_some((u8::try_from(value & 0xff).unwrap_or(0), 1 + digits.len()))
    };
    match rest.first()? {
        b'a' => Some((0x07, 1)),
        b'f' => Some((0x0c, 1)),
        b't' => Some((b'\t', 1)),
        b'r' => Some((b'\r', 1)),
        b'v' => Some((0x0b, 1)),
        b'd' => digits(10, 3),
        b'o' => digits(8, 3),
        b'x' => digits(16, 2),
        b'c' => rest.get(1).map(|byte| (byte.to_ascii_uppercase() ^ 0x40, 2)),
        _ => None,
    }
}

/// A pattern whose escapes of single bytes are replaced; those that mean something in a pattern stay escaped.
pub(super) fn unescape_pattern(text: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            pattern.push(*byte);
            continue;
        }
        if let Some((value, length)) = escape(rest) {
            if b"*.[]^$\\/".contains(&value) {
                pattern.push(b'\\');
            }
            pattern.push(value);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            pattern.push(b'\\');
            if let Some((next, after)) = rest.split_first() {
                pattern.push(*next);
                rest = after;
            }
        }
    }
    pattern
}

/// What an escaped byte in the text of `a`, `i`, `c` stands for.
pub(super) fn unescape_text(reader: &mut Reader, escaped: u8) -> Vec<u8> {
    match escaped {
        b'a' | b'f' | b't' | b'r' | b'v' => escape(&[escaped]).map(|(byte, _)| vec![byte]).unwrap_or_default(),
        b'd' | b'o' | b'x' => {
            let mut sequence = vec![escaped];
            while let Some(byte) = reader.peek().filter(|byte| byte.is_ascii_hexdigit() && sequence.len() < 4) {
                sequence.push(byte);
                match escape(&sequence) {
                    Some((_, length)) if length == sequence.len() => drop(reader.next()),
                    _ => {
                        sequence.pop();
                        break;
                    }
                }
            }
            escape(&sequence).map_or(sequence, |(byte, _)| vec![byte])
        }
        other => vec![other],
    }
}

/// The bytes of a set of `y`.
pub(super) fn unescape_set(text: &[u8]) -> Vec<u8> {
    let mut set = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            set.push(*byte);
        } else if let Some((value, length)) = escape(rest) {
            set.push(value);
            rest = rest.get(length..).unwrap_or_default();
        } else if let Some((next, after)) = rest.split_first() {
            set.push(if *next == b'n' { b'\n' } else { *next });
            rest = after;
        }
    }
    set
}

/// Takes a replacement apart; the second value is the highest group that it refers to.
pub(super) fn parse(text: &[u8]) -> (Vec<Part>, usize) {
    let (mut parts, mut literal, mut highest) = (Vec::new(), Vec::new(), 0);
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let part = match byte {
            b'&' => Some(Part::Group(0)),
            b'\\' => {
                let Some((next, after)) = rest.split_first() else { break };
                let escaped = escape(rest);
                rest = after;
                match next {
                    b'0'..=b'9' => Some(Part::Group(usize::from(next - b'0'))),
                    b'U' => Some(Part::Case(Case::Upper)),
                    b'L' => Some(Part::Case(Case::Lower)),
                    b'u' => Some(Part::Case(Case::UpperOnce)),
                    b'l' => Some(Part::Case(Case::LowerOnce)),
                    b'E' => Some(Part::Case(Case::End)),
                    b'n' => {
                        literal.push(b'\n');
                        None
                    }
                    next => {
                        let (value, length) = escaped.unwrap_or((*next, 1));
                        literal.push(value);
                        rest = rest.get(length - 1..).unwrap_or_default();
                        None
                    }
                }
            }
            byte => {
                literal.push(*byte);
                None
            }
        };
        if let Some(part) = part {
            if let Part::Group(number) = part {
                highest = highest.max(number);
            }
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(part);
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    (parts, highest)
}

/// Appends what a match is replaced by.
pub(super) fn expand(parts: &[Part], text: &[u8], found: &Match, output: &mut Vec<u8>) {
    let (mut lasting, mut once) = (Case::End, None);
    for part in parts {
        let piece = match part {
            Part::Text(piece) => piece,
            Part::Group(number) => found.group(*number).and_then(|range| text.get(range)).unwrap_or_default(),
            Part::Case(case @ (Case::UpperOnce | Case::LowerOnce)) => {
                once = Some(*case);
                continue;
            }
            Part::Case(case) => {
                lasting = *case;
                continue;
            }
        };
        let mut piece = match lasting {
            Case::Upper => piece.to_ascii_uppercase(),
            Case::Lower => piece.to_ascii_lowercase(),
            _ => piece.to_vec(),
        };
        if let Some(first) = piece.first_mut()
            && let Some(case) = once.take()
        {
            *first = if case == Case::UpperOnce { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() };
        }
        output.extend(piece);
    }
}
