//! How a script's text is nested, found without recursion: before the parser, which is recursive, sees it.

mod scanner;

/// What is open at some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// `(`, `$(`
    Parenthesis,
    /// `{`
    Brace,
    /// `${`
    Parameter,
    /// `"`
    Quote,
    /// A backquote.
    Backquote,
    /// `if`, `for`, `while`, `until`, `case`, and which word came last: `then`, `do`.
    Keyword(String),
}

/// What a scan has found.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// How deep it is at most.
    pub(super) deepest: usize,
    /// On which line.
    pub(super) deepest_line: usize,
    /// A line with a number of a descriptor, or of a tilde, that no integer holds.
    pub(super) bad_number: Option<usize>,
    /// The blanks in `${...}` that are not in quotes there.
    pub(super) blanks: Vec<usize>,
    /// What the grammar needs where it would misunderstand: a parenthesis before patterns of `case` that are in those of
    /// something else and have none of their own; an empty expansion for the words that a `for` does not have.
    pub(super) insertions: Vec<(usize, &'static str)>,
    /// Whether a command has begun since the last reserved word.
    pub(super) has_command: bool,
    /// The first reserved word that closes what is not open: its line, itself, and what was expected.
    pub(super) unexpected: Option<(usize, String, &'static str)>,
    /// What is open at the end.
    pub(super) open: Vec<Open>,
}

impl Nesting {
    pub(super) fn of(text: &str) -> Self {
        scanner::scan(text.as_bytes())
    }
}

impl Nesting {
    /// What would close what is open at the end; empty if nothing is.
    pub(super) fn expected(&self) -> &'static str {
        match self.open.last() {
            Some(Open::Parenthesis) => ")",
            Some(Open::Brace | Open::Parameter) => "}",
            Some(Open::Keyword(word)) => match word.as_str() {
                "if" | "elif" => "then",
                "then" | "else" => "fi",
                "while" | "until" | "for" => "do",
                "do" => "done",
                "case" => "in",
                "in" => ")",
                _ => ";;",
            },
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("if true; then", "fi")]
    #[case("if true; then for x in a", "do")]
    #[case("while :; do (", ")")]
    #[case("case x", "in")]
    #[case("case x in", ")")]
    #[case("case x in a) b;; (c) d", ";;")]
    #[case("f() {", "}")]
    #[case("echo ${x", "}")]
    #[case("echo 'if (' \"{\" # while (\n", "")]
    #[case("cat <<E\nif (\nE\n", "")]
    #[case("x=$(case a in a) b;; esac); echo if", "")]
    fn what_is_open(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Nesting::of(text).expected(), expected);
    }

    #[rstest]
    #[case("done", Some(("done", "")))]
    #[case("if true; fi", Some(("fi", "then")))]
    #[case("{ echo; done", Some(("done", "}")))]
    #[case("echo done; case done in done) ;; esac", None)]
    fn what_closes_nothing(#[case] text: &str, #[case] expected: Option<(&str, &str)>) {
        let found = Nesting::of(text).unexpected.map(|(_, word, expected)| (word, expected));
        assert_eq!(found, expected.map(|(word, expected)| (word.to_owned(), expected)));
    }

    #[test]
    fn patterns_that_parentheses_would_end() {
        let text = "case a in a) ;; esac; x=$(case a in b) ;; (c) ;; d|e) ;; esac)";
        let found: Vec<&str> =
            Nesting::of(text).insertions.iter().filter_map(|(at, _)| text.get(*at..*at + 1)).collect();
        assert_eq!(found, ["b", "d"]);
    }
}
