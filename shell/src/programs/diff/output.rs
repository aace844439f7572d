//! How differences are shown: in the normal format, or with lines around them.

use std::ops::Range;

use super::lines::Change;

const NO_NEWLINE: &[u8] = b"\n\\ No newline at end of file\n";

/// The lines of a file, each with its newline.
pub(super) fn split(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').collect()
}

fn line(mark: &[u8], line: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(mark);
    match line.strip_suffix(b"\n") {
        Some(_) => text.extend_from_slice(line),
        None => text.extend([line, NO_NEWLINE].concat()),
    }
}

fn lines(mark: &[u8], all: &[&[u8]], range: &Range<usize>, text: &mut Vec<u8>) {
    for one in all.get(range.clone()).unwrap_or_default() {
        line(mark, one, text);
    }
}

/// `3` or `3,5`; of no lines the one before.
fn range(range: &Range<usize>) -> String {
    match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    }
}

/// The normal format.
pub(super) fn normal(old: &[&[u8]], new: &[&[u8]], changes: &[Change]) -> Vec<u8> {
    let mut text = Vec::new();
    for change in changes {
        let letter = match (change.old.is_empty(), change.new.is_empty()) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        text.extend(format!("{}{letter}{}\n", range(&change.old), range(&change.new)).into_bytes());
        lines(b"< ", old, &change.old, &mut text);
        if letter == 'c' {
            text.extend(b"---\n");
        }
        lines(b"> ", new, &change.new, &mut text);
    }
    text
}

/// The unified format, without its head.
pub(super) fn unified(old: &[&[u8]], new: &[&[u8]], changes: &[Change], context: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = changes;
    while let Some(first) = rest.first() {
        // Changes whose surroundings touch are shown together.
        let is_apart = |pair: &[Change]| match pair {
            [one, other] => other.old.start - one.old.end > context.saturating_mul(2),
            _ => false,
        };
        let count = rest.windows(2).position(is_apart).map_or(rest.len(), |index| index + 1);
        let (hunk, after) = rest.split_at(count);
        rest = after;
        let last = hunk.last().unwrap_or(first);
        let before = context.min(first.old.start);
        let behind = context.min(old.len() - last.old.end);
        let (old_range, new_range) =
            (first.old.start - before..last.old.end + behind, first.new.start - before..last.new.end + behind);
        let head = format!("@@ -{} +{} @@\n", unified_range(&old_range), unified_range(&new_range));
        text.extend(head.into_bytes());
        let mut place = old_range.start;
        for change in hunk {
            lines(b" ", old, &(place..change.old.start), &mut text);
            lines(b"-", old, &change.old, &mut text);
            lines(b"+", new, &change.new, &mut text);
            place = change.old.end;
        }
        lines(b" ", old, &(place..old_range.end), &mut text);
    }
    text
}

/// `3` or `3,2`: the first line, and how many there are; of no lines the one before.
fn unified_range(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        length => format!("{},{length}", range.start + 1),
    }
}
