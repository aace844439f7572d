//! cut(1) and paste(1)

use crate::execution::Execution;
use crate::getopt::{Opt, Parsed, Takes, option};

use super::utility::{Failure, complain_of, files, misuse, open, options, status};

const CUT: &[Opt] = &[
    option("bytes", 'b', "bytes", Takes::Argument),
    option("characters", 'c', "characters", Takes::Argument),
    option("delimiter", 'd', "delimiter", Takes::Argument),
    option("fields", 'f', "fields", Takes::Argument),
    option("nothing", 'n', "", Takes::Nothing),
    option("complement", '\0', "complement", Takes::Nothing),
    option("only", 's', "only-delimited", Takes::Nothing),
    option("output", '\0', "output-delimiter", Takes::Argument),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
];

/// The numbers that a list has, from 1 on.
struct List {
    ranges: Vec<(u64, u64)>,
    is_complement: bool,
}

impl List {
    /// The error is the message.
    fn parse(text: &[u8], is_fields: bool, is_complement: bool) -> Result<Self, Vec<u8>> {
        let mut ranges = Vec::new();
        for part in text.split(|byte| matches!(byte, b',' | b' ' | b'\t')) {
            let number = |digits: &[u8]| -> Result<Option<u64>, Vec<u8>> {
                if digits.is_empty() {
                    return Ok(None);
                }
                super::utility::decimal(digits).map(Some).ok_or_else(|| {
                    let kind = if is_fields { "field value" } else { "byte/character position" };
                    [b"invalid ", kind.as_bytes(), b" '", digits, b"'"].concat()
                })
            };
            let mut ends = part.splitn(2, |byte| *byte == b'-');
            let first = number(ends.next().unwrap_or_default())?;
            let range = match ends.next() {
                None => {
                    let zero = if is_fields {
                        "fields are numbered from 1"
                    } else {
                        "byte/character positions are numbered from 1"
                    };
                    let only = first.ok_or_else(|| zero.as_bytes().to_vec())?;
                    (only, only)
                }
                Some(last) => match (first, number(last)?) {
                    (None, None) => return Err(b"invalid range with no endpoint: -".to_vec()),
                    (first, last) => (first.unwrap_or(1), last.unwrap_or(u64::MAX)),
                },
            };
            if range.0 == 0 {
                let plural = if is_fields { "fields" } else { "byte/character positions" };
                return Err(format!("{plural} are numbered from 1").into_bytes());
            }
            if range.1 < range.0 {
                return Err(b"invalid decreasing range".to_vec());
            }
            ranges.push(range);
        }
        Ok(Self { ranges, is_complement })
    }

    fn has(&self, number: u64) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&number)) != self.is_complement
    }

    /// Whether a range begins here that does not go on from the number before.
    fn begins(&self, number: u64) -> bool {
        if self.is_complement {
            return !self.has(number - 1);
        }
        self.ranges.iter().any(|(first, _)| *first == number)
            && !self.ranges.iter().any(|(first, last)| *first < number && number <= *last)
    }
}

/// cut(1)
pub(crate) async fn cut(execution: &mut Execution) -> i32 {
    status(run_cut(execution).await)
}

async fn run_cut(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, CUT, 1).await?;
    let lists: Vec<_> =
        parsed.options.iter().filter(|(id, _)| matches!(*id, "bytes" | "characters" | "fields")).collect();
    let (id, text) = match &lists[..] {
        [] => {
            let message = "you must specify a list of bytes, characters, or fields";
            return Err(misuse(execution, message, 1).await);
        }
        [(id, text)] => (*id, text.clone().unwrap_or_default()),
        _ => return Err(misuse(execution, "only one list may be specified", 1).await),
    };
    let is_fields = id == "fields";
    let delimiter = match parsed.value("delimiter") {
        None => b'\t',
        Some(_) if !is_fields => {
            let message = "an input delimiter may be specified only when operating on fields";
            return Err(misuse(execution, message, 1).await);
        }
        Some([]) => 0,
        Some([byte]) => *byte,
        Some(_) => return Err(misuse(execution, "the delimiter must be a single character", 1).await),
    };
    if parsed.has("only") && !is_fields {
        let message = "suppressing non-delimited lines makes sense\n\tonly when operating on fields";
        return Err(misuse(execution, message, 1).await);
    }
    let list = match List::parse(&text, is_fields, parsed.has("complement")) {
        Ok(list) => list,
        Err(message) => return Err(misuse(execution, message, 1).await),
    };
    let end = if parsed.has("zero") { 0 } else { b'\n' };
    let output = parsed.value("output").map(<[u8]>::to_vec);
    let mut result = 0;
    for file in files(&parsed) {
        let Some(mut source) = open(execution, &file, "").await else {
            result = 1;
            continue;
        };
        loop {
            let line = match source.line(execution, end).await {
                Ok(Some(line)) => line.text,
                Ok(None) => break,
                Err(errno) => {
                    complain_of(execution, &file, errno).await;
                    result = 1;
                    break;
                }
            };
            let cut = if is_fields {
                cut_fields(&line, delimiter, &list, output.as_deref(), parsed.has("only"))
            } else {
                Some(cut_bytes(&line, &list, output.as_deref()))
            };
            if let Some(mut text) = cut {
                text.push(end);
                execution.put(text).await?;
            }
        }
        source.close(execution);
    }
    Ok(result)
}

fn cut_fields(line: &[u8], delimiter: u8, list: &List, output: Option<&[u8]>, only: bool) -> Option<Vec<u8>> {
    if !line.contains(&delimiter) {
        return (!only).then(|| line.to_vec());
    }
    let fields = (1..).zip(line.split(|byte| *byte == delimiter));
    let chosen: Vec<&[u8]> = fields.filter(|(number, _)| list.has(*number)).map(|(_, field)| field).collect();
    Some(chosen.join(output.unwrap_or(&[delimiter])))
}

fn cut_bytes(line: &[u8], list: &List, output: Option<&[u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for (number, byte) in (1..).zip(line).filter(|(number, _)| list.has(*number)) {
        if !text.is_empty() && list.begins(number) {
            text.extend_from_slice(output.unwrap_or_default());
        }
        text.push(*byte);
    }
    text
}

const PASTE: &[Opt] = &[
    option("delimiters", 'd', "delimiters", Takes::Argument),
    option("serial", 's', "serial", Takes::Nothing),
    option("zero", 'z', "zero-terminated", Takes::Nothing),
];

/// paste(1)
pub(crate) async fn paste(execution: &mut Execution) -> i32 {
    status(run_paste(execution).await)
}

/// The delimiters between columns, one after the other; an empty one is none.
fn delimiters(text: &[u8]) -> Vec<Vec<u8>> {
    let mut delimiters = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        delimiters.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b"\n".to_vec(),
                Some(b't') => b"\t".to_vec(),
                Some(b'0') => Vec::new(),
                Some(other) => vec![*other],
                None => b"\\".to_vec(),
            },
            byte => vec![*byte],
        });
    }
    if delimiters.is_empty() { vec![Vec::new()] } else { delimiters }
}

async fn run_paste(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed: Parsed = options(execution, PASTE, 1).await?;
    let delimiters = delimiters(parsed.value("delimiters").unwrap_or(b"\t"));
    let end = if parsed.has("zero") { 0 } else { b'\n' };
    let mut columns: Vec<Option<Vec<Vec<u8>>>> = Vec::new();
    let names = files(&parsed);
    let mut result = 0;
    let inputs = names.iter().filter(|name| *name == b"-").count();
    let mut standard: Option<Vec<Vec<u8>>> = None;
    for name in &names {
        if name == b"-" && standard.is_some() {
            columns.push(None);
            continue;
        }
        let Some(mut source) = open(execution, name, "").await else {
            if !parsed.has("serial") {
                return Ok(1);
            }
            result = 1;
            continue;
        };
        let mut lines = Vec::new();
        while let Some(line) = source.line(execution, end).await? {
            lines.push(line.text);
        }
        source.close(execution);
        if name == b"-" && inputs > 1 && !parsed.has("serial") {
            standard = Some(lines);
            columns.push(None);
        } else {
            if name == b"-" {
                standard = Some(Vec::new());
            }
            columns.push(Some(lines));
        }
    }
    let join = |parts: &[Vec<u8>]| {
        let mut text = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            text.extend_from_slice(part);
            if number + 1 < parts.len() {
                text.extend_from_slice(
                    delimiters.get(number % delimiters.len()).map(Vec::as_slice).unwrap_or_default(),
                );
            }
        }
        text.push(end);
        text
    };
    if parsed.has("serial") {
        for column in columns {
            execution.put(join(&column.unwrap_or_default())).await?;
        }
        return Ok(result);
    }
    // Standard input that is named several times gives its lines in turns.
    let mut shared = standard.unwrap_or_default().into_iter();
    let mut columns: Vec<Option<std::vec::IntoIter<Vec<u8>>>> =
        columns.into_iter().map(|column| column.map(Vec::into_iter)).collect();
    loop {
        let mut next = |column: &mut Option<std::vec::IntoIter<Vec<u8>>>| match column {
            Some(lines) => lines.next(),
            None => shared.next(),
        };
        let parts: Vec<Option<Vec<u8>>> = columns.iter_mut().map(&mut next).collect();
        if parts.iter().all(Option::is_none) {
            return Ok(result);
        }
        let parts: Vec<Vec<u8>> = parts.into_iter().map(Option::unwrap_or_default).collect();
        execution.put(join(&parts)).await?;
    }
}
