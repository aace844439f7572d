//! Which lines of two files differ, and where the differences are shown.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// How lines are compared.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
pub(super) struct Comparison {
    pub(super) ignores_case: bool,
    /// How much white space there is (`-b`).
    pub(super) ignores_amount_of_space: bool,
    /// White space (`-w`).
    pub(super) ignores_space: bool,
    /// Changes of empty lines (`-B`).
    pub(super) ignores_blank_lines: bool,
}

/// A change: these lines of the old file are replaced by those of the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

impl Comparison {
    /// A line as it is compared.
    fn key(self, line: &[u8]) -> Vec<u8> {
        let mut key = line.to_vec();
        if self.ignores_case {
            key.make_ascii_lowercase();
        }
        let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == 11;
        if self.ignores_space {
            key.retain(|byte| !is_space(*byte));
        } else if self.ignores_amount_of_space {
            let end = key.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
            key.truncate(end);
            let mut squeezed = Vec::new();
            for byte in key {
                match (is_space(byte), squeezed.last()) {
                    (true, Some(b' ')) => {}
                    (true, _) => squeezed.push(b' '),
                    (false, _) => squeezed.push(byte),
                }
            }
            key = squeezed;
        }
        key
    }

    /// What differs.
    pub(super) fn changes(self, old: &[&[u8]], new: &[&[u8]], context: usize) -> Vec<Change> {
        // What is the same at both ends is left out, but for the context: diff(1) does so, and it decides where changes
        // can be shown.
        let prefix = old.iter().zip(new).take_while(|(one, other)| one == other).count();
        let (old_rest, new_rest) = (old.get(prefix..).unwrap_or_default(), new.get(prefix..).unwrap_or_default());
        let same = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other);
        let suffix = same.count().saturating_sub(context);
        let prefix = prefix.saturating_sub(context);
        let middle = |lines: &'_ [&[u8]]| prefix..lines.len() - suffix;
        let (old, new) = (old.get(middle(old)).unwrap_or_default(), new.get(middle(new)).unwrap_or_default());
        let mut changes = self.middle_changes(old, new);
        for change in &mut changes {
            change.old = change.old.start + prefix..change.old.end + prefix;
            change.new = change.new.start + prefix..change.new.end + prefix;
        }
        changes
    }

    fn middle_changes(self, old: &[&[u8]], new: &[&[u8]]) -> Vec<Change> {
        let keys = |lines: &[&[u8]]| lines.iter().map(|line| self.key(line)).collect::<Vec<_>>();
        let (old_keys, new_keys) = (keys(old), keys(new));
        let mut removed = vec![false; old.len()];
        let mut added = vec![false; new.len()];
        // The shorter one is the first, so that the result is the same, mirrored, if the files change places.
        let is_mirrored = old.len() > new.len();
        let (first, second) = if is_mirrored { (&new_keys, &old_keys) } else { (&old_keys, &new_keys) };
        for operation in capture_diff_slices(Algorithm::Myers, first, second) {
            if matches!(operation, DiffOp::Equal { .. }) {
                continue;
            }
            let (first, second) = (operation.old_range(), operation.new_range());
            let (from, to) = if is_mirrored { (second, first) } else { (first, second) };
            removed.get_mut(from).into_iter().flatten().for_each(|flag| *flag = true);
            added.get_mut(to).into_iter().flatten().for_each(|flag| *flag = true);
        }
        if is_mirrored {
            slide(&new_keys, &mut added, &removed);
            slide(&old_keys, &mut removed, &added);
        } else {
            slide(&old_keys, &mut removed, &added);
            slide(&new_keys, &mut added, &removed);
        }
        let mut changes = from_flags(&removed, &added);
        if self.ignores_blank_lines {
            let is_blank = |lines: &[&[u8]], range: &Range<usize>| {
                lines
                    .get(range.clone())
                    .unwrap_or_default()
                    .iter()
                    .all(|line| self.key(line).trim_ascii_end().is_empty())
            };
            changes.retain(|change| !(is_blank(old, &change.old) && is_blank(new, &change.new)));
        }
        changes
    }
}

fn from_flags(removed: &[bool], added: &[bool]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < removed.len() || j < added.len() {
        let count = |flags: &[bool], from: usize| flags.iter().skip(from).take_while(|flag| **flag).count();
        let (old, new) = (count(removed, i), count(added, j));
        if old + new == 0 {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        changes.push(Change { old: i..i + old, new: j..j + new });
        (i, j) = (i + old, j + new);
    }
    changes
}

/// Moves each run of changed lines, where it can be moved: together with a run next to it, or to one of the other file, or
/// else as far down as possible. That is where diff(1) shows it, and readers look for it.
fn slide(lines: &[Vec<u8>], changed: &mut [bool], other: &[bool]) {
    let is_changed = |flags: &[bool], index: usize| flags.get(index).copied().unwrap_or(false);
    // The number of unchanged lines before a line is the same in both files: it tells where in the other one we are.
    let mut index = 0;
    while index < lines.len() {
        if !is_changed(changed, index) {
            index += 1;
            continue;
        }
        let mut start = index;
        let mut end = start + changed.iter().skip(start).take_while(|flag| **flag).count();
        let mut together;
        loop {
            let length = end - start;
            while start > 0 && lines.get(start - 1) == lines.get(end - 1) {
                start -= 1;
                end -= 1;
                set(changed, start, true);
                set(changed, end, false);
                while start > 0 && is_changed(changed, start - 1) {
                    start -= 1;
                }
            }
            together = has_run_beside(changed, other, start).then_some(end);
            while end < lines.len() && lines.get(start) == lines.get(end) {
                set(changed, start, false);
                set(changed, end, true);
                start += 1;
                end += 1;
                while is_changed(changed, end) {
                    end += 1;
                }
                if has_run_beside(changed, other, start) {
                    together = Some(end);
                }
            }
            if end - start == length {
                break;
            }
        }
        while together.is_some_and(|place| place < end) {
            start -= 1;
            end -= 1;
            set(changed, start, true);
            set(changed, end, false);
        }
        index = end;
    }
}

fn set(flags: &mut [bool], index: usize, value: bool) {
    if let Some(flag) = flags.get_mut(index) {
        *flag = value;
    }
}

/// Whether there is a run in the other file beside the one that starts here.
fn has_run_beside(changed: &[bool], other: &[bool], start: usize) -> bool {
    let unchanged = changed.iter().take(start).filter(|flag| !**flag).count();
    let mut seen = 0;
    for flag in other {
        if seen == unchanged {
            return *flag;
        }
        if !*flag {
            seen += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    // An added line that is there already is shown as the last of them.
    #[case("a a", "a a a", &[(2..2, 2..3)])]
    #[case("a b c", "a x c", &[(1..2, 1..2)])]
    #[case("a b c", "a c", &[(1..2, 1..1)])]
    #[case("{ a } { b }", "{ a } { c } { b }", &[(4..4, 4..7)])]
    #[case("", "a", &[(0..0, 0..1)])]
    #[case("a", "a", &[])]
    fn changes(#[case] old: &str, #[case] new: &str, #[case] expected: &[(Range<usize>, Range<usize>)]) {
        let words = |text: &'static str| text.split_whitespace().map(str::as_bytes).collect::<Vec<_>>();
        let changes = Comparison::default().changes(&words(old.to_owned().leak()), &words(new.to_owned().leak()), 3);
        let expected: Vec<_> =
            expected.iter().map(|(old, new)| Change { old: old.clone(), new: new.clone() }).collect();
        assert_eq!(changes, expected);
    }
}
