//! A line that somebody completes.

use cofferdam_shell::Completion;
use serde::Serialize;

/// What a line becomes when somebody completes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completed {
    /// The line, as far as it is sure.
    pub line: String,
    /// What there is to choose from.
    pub candidates: Vec<String>,
}

impl Completed {
    pub(crate) fn unchanged(line: &str) -> Self {
        Self { line: line.to_owned(), candidates: Vec::new() }
    }

    pub(crate) fn new(line: &str, completion: &Completion) -> Self {
        let replacements = completion.candidates.iter().map(|candidate| candidate.replacement.clone());
        let Some(sure) = replacements.reduce(|one, other| common(&one, &other).to_owned()) else {
            return Self::unchanged(line);
        };
        let before = line.get(..completion.start).unwrap_or(line);
        let candidates = completion.candidates.iter().map(|candidate| candidate.shown.clone()).collect();
        Self { line: format!("{before}{sure}"), candidates }
    }
}

/// What both begin with.
fn common<'t>(one: &'t str, other: &str) -> &'t str {
    let same = one.char_indices().zip(other.chars()).find(|((_, first), second)| first != second);
    let end = same.map_or(one.len().min(other.len()), |((index, _), _)| index);
    one.get(..end).unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::common;

    #[rstest]
    #[case("/tmp/one", "/tmp/other", "/tmp/o")]
    #[case("/tmp", "/tmp/x", "/tmp")]
    #[case("\u{e4}b", "\u{e4}c", "\u{e4}")]
    #[case("a", "b", "")]
    fn what_both_begin_with(#[case] one: &str, #[case] other: &str, #[case] both: &str) {
        assert_eq!(common(one, other), both);
        assert_eq!(common(other, one), both);
    }
}
