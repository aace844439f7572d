//! Which lines match.

use std::ops::Range;

use crate::programs::regular_expression::{Error, Flavor, RegularExpression, Syntax};

use super::options::{Grammar, Options};

/// The patterns, ready to be searched for.
pub(super) struct Matcher {
    expressions: Vec<RegularExpression>,
    whole_words: bool,
    whole_lines: bool,
}

impl Matcher {
    /// The error is the message for the user.
    pub(super) fn new(options: &Options) -> Result<Self, Vec<u8>> {
        let flavor = if options.grammar == Grammar::Extended { Flavor::Extended } else { Flavor::Basic };
        let syntax = Syntax {
            ignores_case: options.ignores_case,
            is_lenient: flavor == Flavor::Extended,
            ..Syntax::new(flavor)
        };
        let mut expressions = Vec::new();
        for pattern in &options.patterns {
            let pattern = if options.grammar == Grammar::Fixed { quoted(pattern) } else { pattern.clone() };
            // People forget the outer brackets.
            if options.grammar != Grammar::Fixed && is_lone_class(&pattern) {
                return Err(b"character class syntax is [[:space:]], not [:space:]".to_vec());
            }
            let expression =
                RegularExpression::new(&pattern, syntax).map_err(|error| error.to_string().into_bytes())?;
            expressions.push(expression);
        }
        Ok(Self { expressions, whole_words: options.whole_words, whole_lines: options.whole_lines })
    }

    /// Whether a line matches.
    pub(super) fn is_match(&self, line: &[u8]) -> Result<bool, Error> {
        if self.whole_words || self.whole_lines {
            return Ok(self.find(line, 0)?.is_some());
        }
        for expression in &self.expressions {
            if expression.is_match(line)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first match at or after `start`, the longest one there.
    pub(super) fn find(&self, line: &[u8], start: usize) -> Result<Option<Range<usize>>, Error> {
        let mut best: Option<Range<usize>> = None;
        for expression in &self.expressions {
            let Some(found) = self.find_one(expression, line, start)? else { continue };
            let is_better = best
                .as_ref()
                .is_none_or(|best| found.start < best.start || found.start == best.start && found.end > best.end);
            if is_better {
                best = Some(found);
            }
        }
        Ok(best)
    }

    fn find_one(
        &self,
        expression: &RegularExpression,
        line: &[u8],
        start: usize,
    ) -> Result<Option<Range<usize>>, Error> {
        let Some(found) = expression.find(line, start)? else { return Ok(None) };
        if self.whole_lines {
            return Ok((found.range == (0..line.len())).then_some(found.range));
        }
        if !self.whole_words {
            return Ok(Some(found.range));
        }
        let mut found = found.range;
        loop {
            // Shorter matches may be words where the longest one is none.
            let mut end = found.end;
            loop {
                if is_word(line, found.start, end) {
                    return Ok(Some(found.start..end));
                }
                let Some(shorter) = end.checked_sub(1).filter(|shorter| *shorter >= found.start) else { break };
                match expression.find(line.get(..shorter).unwrap_or_default(), found.start)? {
                    Some(other) if other.range.start == found.start => end = other.range.end,
                    _ => break,
                }
            }
            match expression.find(line, found.start + 1)? {
                Some(next) => found = next.range,
                None => return Ok(None),
            }
        }
    }
}

/// Whether no part of a word is before or after.
fn is_word(line: &[u8], start: usize, end: usize) -> bool {
    let is_part = |index: Option<usize>| {
        index.and_then(|index| line.get(index)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    !is_part(start.checked_sub(1)) && !is_part(Some(end))
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::new();
    for byte in text {
        if b".[]*^$\\".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted
}

fn is_lone_class(pattern: &[u8]) -> bool {
    pattern.len() > 4
        && pattern.starts_with(b"[:")
        && pattern.ends_with(b":]")
        && !pattern.get(1..).unwrap_or_default().contains(&b'[')
}
