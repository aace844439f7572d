//! sort(1)

use std::cmp::Ordering;

use cofferdam::kernel::{Mode, OpenFlags, OpenHow};

use crate::execution::Execution;
use crate::getopt::{Opt, Takes, option};

use super::support::options::not_simulated;
use super::utility::{Failure, files, options, status};

const KNOWN: &[Opt] = &[
    option("b", 'b', "ignore-leading-blanks", Takes::Nothing),
    not_simulated("!--dictionary-order", 'd', "dictionary-order", Takes::Nothing),
    option("f", 'f', "ignore-case", Takes::Nothing),
    not_simulated("!--general-numeric-sort", 'g', "general-numeric-sort", Takes::Nothing),
    not_simulated("!--ignore-nonprinting", 'i', "ignore-nonprinting", Takes::Nothing),
    not_simulated("!--month-sort", 'M', "month-sort", Takes::Nothing),
    not_simulated("!--human-numeric-sort", 'h', "human-numeric-sort", Takes::Nothing),
    option("n", 'n', "numeric-sort", Takes::Nothing),
    not_simulated("!--random-sort", 'R', "random-sort", Takes::Nothing),
    option("r", 'r', "reverse", Takes::Nothing),
    option("V", 'V', "version-sort", Takes::Nothing),
    option("check", 'c', "check", Takes::Optional),
    option("quiet-check", 'C', "", Takes::Nothing),
    option("key", 'k', "key", Takes::Argument),
    not_simulated("!--merge", 'm', "merge", Takes::Nothing),
    option("output", 'o', "output", Takes::Argument),
    option("stable", 's', "stable", Takes::Nothing),
    option("separator", 't', "field-separator", Takes::Argument),
    option("unique", 'u', "unique", Takes::Nothing),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
];

/// How keys are compared.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the letters of the options")]
struct Way {
    skips_blanks: bool,
    skips_blanks_at_end: bool,
    folds: bool,
    is_numeric: bool,
    is_version: bool,
    is_reverse: bool,
}

impl Way {
    fn is_default(self) -> bool {
        !(self.skips_blanks
            || self.skips_blanks_at_end
            || self.folds
            || self.is_numeric
            || self.is_version
            || self.is_reverse)
    }

    fn add(&mut self, letter: u8, is_end: bool) -> bool {
        match letter {
            b'b' if is_end => self.skips_blanks_at_end = true,
            b'b' => self.skips_blanks = true,
            b'f' => self.folds = true,
            b'n' => self.is_numeric = true,
            b'V' => self.is_version = true,
            b'r' => self.is_reverse = true,
            _ => return false,
        }
        true
    }

    fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        let order = if self.is_numeric {
            numbers(left, right)
        } else if self.is_version {
            versions(left, right)
        } else if self.folds {
            left.to_ascii_uppercase().cmp(&right.to_ascii_uppercase())
        } else {
            left.cmp(right)
        };
        if self.is_reverse { order.reverse() } else { order }
    }
}

/// `-k`
#[derive(Clone, Copy)]
struct Key {
    start: (usize, usize),
    /// The field, and how many of its bytes; 0 for all.
    end: Option<(usize, usize)>,
    way: Way,
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

impl Key {
    /// The part of a line that is compared.
    fn of<'a>(&self, line: &'a [u8], separator: Option<u8>) -> &'a [u8] {
        let mut start = field_start(line, self.start.0, separator);
        if self.way.skips_blanks {
            start += blanks(line.get(start..).unwrap_or_default());
        }
        let start = (start + self.start.1).min(line.len());
        let end = match self.end {
            None => line.len(),
            Some((field, 0)) => field_end(line, field, separator),
            Some((field, bytes)) => {
                let mut end = field_start(line, field, separator);
                if self.way.skips_blanks_at_end {
                    end += blanks(line.get(end..).unwrap_or_default());
                }
                (end + bytes).min(line.len())
            }
        };
        line.get(start..end).unwrap_or_default()
    }
}

/// Where the field with this number, from 0 on, begins.
fn field_start(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let mut at = 0;
    for _ in 0..field {
        let rest = line.get(at..).unwrap_or_default();
        if let Some(separator) = separator {
            match memchr::memchr(separator, rest) {
                Some(length) => at += length + 1,
                None => return line.len(),
            }
        } else {
            at += blanks(rest);
            let rest = line.get(at..).unwrap_or_default();
            at += rest.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        }
    }
    at.min(line.len())
}

fn field_end(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let next = field_start(line, field + 1, separator);
    let has_separator = separator.is_some() && next > 0 && line.get(next - 1).copied() == separator;
    if has_separator && field_start(line, field, separator) < next { next - 1 } else { next }
}

/// The numbers at the beginning of two texts, without limits.
fn numbers(left: &[u8], right: &[u8]) -> Ordering {
    fn parts(text: &[u8]) -> (bool, &[u8], &[u8]) {
        let text = text.get(blanks(text)..).unwrap_or_default();
        let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (whole, rest) = text.split_at(digits(text));
        let fraction =
            rest.strip_prefix(b".").map(|rest| rest.get(..digits(rest)).unwrap_or_default()).unwrap_or_default();
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let significant = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        (is_negative, whole.get(zeros..).unwrap_or_default(), fraction.get(..significant).unwrap_or_default())
    }
    let (left_negative, left_whole, left_fraction) = parts(left);
    let (right_negative, right_whole, right_fraction) = parts(right);
    let is_zero = |whole: &[u8], fraction: &[u8]| whole.is_empty() && fraction.is_empty();
    let left_negative = left_negative && !is_zero(left_whole, left_fraction);
    let right_negative = right_negative && !is_zero(right_whole, right_fraction);
    if left_negative != right_negative {
        return right_negative.cmp(&left_negative);
    }
    let magnitude = left_whole
        .len()
        .cmp(&right_whole.len())
        .then_with(|| left_whole.cmp(right_whole))
        .then_with(|| left_fraction.cmp(right_fraction));
    if left_negative { magnitude.reverse() } else { magnitude }
}

/// The order of versions: digits as numbers, `~` before everything, letters before the rest.
fn versions(left: &[u8], right: &[u8]) -> Ordering {
    let rank = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let (mut a, mut b) = (left, right);
    while !a.is_empty() || !b.is_empty() {
        while a.first().is_some_and(|byte| !byte.is_ascii_digit())
            || b.first().is_some_and(|byte| !byte.is_ascii_digit())
        {
            let order = rank(a.first()).cmp(&rank(b.first()));
            if order.is_ne() {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (a_number, a_rest) = a.split_at(digits(a));
        let (b_number, b_rest) = b.split_at(digits(b));
        let order = numbers(a_number, b_number);
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    left.cmp(right)
}

/// sort(1)
pub(crate) async fn sort(execution: &mut Execution) -> i32 {
    status(run(execution).await)
}

async fn run(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, KNOWN, 2).await?;
    let mut global = Way::default();
    for (id, _) in &parsed.options {
        if let [letter] = id.as_bytes() {
            global.add(*letter, false);
            if *letter == b'b' {
                global.skips_blanks_at_end = true;
            }
        }
    }
    let separator = match parsed.value("separator") {
        None => None,
        Some(b"\\0") => Some(0),
        Some([byte]) => Some(*byte),
        Some([]) => return Err(fail(execution, b"empty tab".to_vec()).await),
        Some(text) => return Err(fail(execution, [b"multi-character tab '", text, b"'"].concat()).await),
    };
    let mut keys = Vec::new();
    for (id, value) in &parsed.options {
        let (true, Some(text)) = (*id == "key", value) else { continue };
        match key(text) {
            Ok(mut key) => {
                if key.way.is_default() {
                    key.way = global;
                }
                keys.push(key);
            }
            Err(message) => return Err(fail(execution, message).await),
        }
    }
    let delimiter = if parsed.has("zero") { 0 } else { b'\n' };
    let by_keys = |left: &[u8], right: &[u8]| {
        if keys.is_empty() {
            let skip = |text: &'_ [u8]| if global.skips_blanks { blanks(text) } else { 0 };
            return global
                .compare(left.get(skip(left)..).unwrap_or_default(), right.get(skip(right)..).unwrap_or_default());
        }
        let order = |key: &Key| key.way.compare(key.of(left, separator), key.of(right, separator));
        keys.iter().map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let is_last_resort = !parsed.has("stable") && !parsed.has("unique");
    let compare = |left: &[u8], right: &[u8]| {
        by_keys(left, right).then_with(|| {
            let order = if is_last_resort { left.cmp(right) } else { Ordering::Equal };
            if global.is_reverse { order.reverse() } else { order }
        })
    };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let names = files(&parsed);
    for name in &names {
        let content = match super::lines::Source::open_operand(execution, name).await {
            Ok(mut source) => source.rest(execution).await.map_err(|errno| ("read failed", errno)),
            Err(errno) => Err(("cannot read", errno)),
        };
        match content {
            Ok(content) => {
                // The last delimiter begins no other line.
                let text = content.strip_suffix(&[delimiter]).unwrap_or(&content);
                if !content.is_empty() {
                    lines.extend(text.split(|byte| *byte == delimiter).map(<[u8]>::to_vec));
                }
            }
            Err((what, errno)) => {
                let message = [what.as_bytes(), b": ", name, b": ", errno.description().as_bytes()].concat();
                return Err(fail(execution, message).await);
            }
        }
    }
    if parsed.has("check") || parsed.has("quiet-check") {
        for (number, pair) in (2..).zip(lines.windows(2)) {
            let [left, right] = pair else { continue };
            let order = compare(left, right);
            if order.is_gt() || parsed.has("unique") && order.is_eq() {
                if parsed.has("check") && !matches!(parsed.value("check"), Some(b"quiet" | b"silent")) {
                    let name = names.first().cloned().unwrap_or_default();
                    execution.complain([&name[..], format!(":{number}: disorder: ").as_bytes(), right].concat()).await;
                }
                return Ok(1);
            }
        }
        return Ok(0);
    }
    lines.sort_by(|left, right| compare(left, right));
    if parsed.has("unique") {
        lines.dedup_by(|right, left| by_keys(left, right).is_eq());
    }
    write(execution, parsed.value("output"), &lines, delimiter).await
}

async fn fail(execution: &mut Execution, message: Vec<u8>) -> Failure {
    execution.complain(message).await;
    Failure(2)
}

async fn write(
    execution: &mut Execution,
    file: Option<&[u8]>,
    lines: &[Vec<u8>],
    delimiter: u8,
) -> Result<i32, Failure> {
    let Some(file) = file else {
        for line in lines {
            execution.put([&line[..], &[delimiter]].concat()).await?;
        }
        return Ok(0);
    };
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC;
    let fd = match execution.open(file, OpenHow { flags, mode: Mode(0o666), ..OpenHow::default() }).await {
        Ok(fd) => fd,
        Err(errno) => {
            let message = [b"open failed: ", file, b": ", errno.description().as_bytes()].concat();
            return Err(fail(execution, message).await);
        }
    };
    let mut content = Vec::new();
    for line in lines {
        content.extend_from_slice(line);
        content.push(delimiter);
    }
    if let Err(errno) = execution.machine.write(&execution.process, fd, &content).await {
        let message = [b"write failed: ", file, b": ", errno.description().as_bytes()].concat();
        return Err(fail(execution, message).await);
    }
    Ok(0)
}

/// Reads `-k`; the error is the message.
fn key(text: &[u8]) -> Result<Key, Vec<u8>> {
    let bad = |what: &str| [what.as_bytes(), b": invalid field specification '", text, b"'"].concat();
    let mut way = Way::default();
    let mut parts = text.splitn(2, |byte| *byte == b',');
    let mut position = |part: &[u8], is_end: bool| -> Result<(usize, usize), Vec<u8>> {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number =
            |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        let (field, mut rest) = part.split_at(digits(part));
        if field.is_empty() {
            let start: &[u8] = part;
            let what = if is_end { "invalid number after ','" } else { "invalid number at field start" };
            return Err([what.as_bytes(), b": invalid count at start of '", start, b"'"].concat());
        }
        let field = number(field);
        if field == 0 {
            return Err(bad("field number is zero"));
        }
        let mut byte = None;
        if let Some(after) = rest.strip_prefix(b".") {
            let (digits, after) = after.split_at(digits(after));
            if digits.is_empty() {
                return Err([b"invalid number after '.': invalid count at start of '", after, b"'"].concat());
            }
            byte = Some(number(digits));
            rest = after;
        }
        if byte == Some(0) && !is_end {
            return Err(bad("character offset is zero"));
        }
        for letter in rest {
            if !way.add(*letter, is_end) {
                return Err(bad("stray character in field spec"));
            }
        }
        Ok((field - 1, if is_end { byte.unwrap_or(0) } else { byte.unwrap_or(1) - 1 }))
    };
    let start = position(parts.next().unwrap_or_default(), false)?;
    let end = parts.next().map(|part| position(part, true)).transpose()?;
    Ok(Key { start, end, way })
}
