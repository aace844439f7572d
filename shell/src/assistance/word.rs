//! The word of a line that is being typed: where it begins, and how it is quoted.

/// The last word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'l> {
    /// Where it begins, behind the quotation mark if it has one.
    pub(super) start: usize,
    /// Whether it is the name of a command.
    pub(super) is_command: bool,
    /// The quotation mark in front of it that is not closed yet.
    quote: Option<char>,
    text: &'l str,
}

impl<'l> Word<'l> {
    pub(super) fn last_of(line: &'l str) -> Self {
        let (mut start, mut quote) = (0, None);
        let mut characters = line.char_indices();
        while let Some((index, character)) = characters.next() {
            match (quote, character) {
                (Some(open), _) if character == open => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => drop(characters.next()),
                // Of a command substitution between quotation marks.
                (Some(_), '(') if line[..index].ends_with('$') => (start, quote) = (index + 1, None),
                (None, '"' | '\'') => (start, quote) = (index + 1, Some(character)),
                (None, ' ' | '\t' | '\n' | ';' | '|' | '&' | '(' | '=' | '<' | '>') => start = index + 1,
                _ => {}
            }
        }
        let before = line[..start].trim_end_matches([' ', '\t']);
        let is_command = before.is_empty() || before.ends_with(['\n', ';', '|', '&', '(']);
        Self { start, is_command, quote, text: &line[start..] }
    }

    /// What it stands for, without the marks that quote.
    pub(super) fn value(&self) -> String {
        if self.quote == Some('\'') {
            return self.text.to_owned();
        }
        let mut value = String::new();
        let mut characters = self.text.chars();
        while let Some(character) = characters.next() {
            value.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        value
    }

    /// How another value is written in its place.
    pub(super) fn quoted(&self, value: &str) -> String {
        let special = match self.quote {
            Some('\'') => "",
            Some(_) => "\\\"$`",
            None => " \t\n\\\"'$`&|;<>()*?[]#=!{}",
        };
        let mut quoted = String::new();
        for character in value.chars() {
            if special.contains(character) {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        quoted
    }

    /// What is written behind it when it is complete.
    pub(super) fn end(&self) -> String {
        self.quote.into_iter().chain([' ']).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Word;

    #[rstest]
    #[case("mou", 0, true)]
    #[case("mount /m", 6, false)]
    #[case("true; mou", 6, true)]
    #[case("ls|gr", 3, true)]
    #[case("x=$(mou", 4, true)]
    #[case("echo \"$(mou", 8, true)]
    #[case("echo >/t", 6, false)]
    #[case("", 0, true)]
    #[case("true\nmou", 5, true)]
    #[case("ls a\\ b", 3, false)]
    #[case("ls 'a b", 4, false)]
    #[case("ls 'a b' c", 9, false)]
    fn words(#[case] line: &str, #[case] start: usize, #[case] is_command: bool) {
        let word = Word::last_of(line);
        assert_eq!((word.start, word.is_command), (start, is_command));
    }

    #[rstest]
    #[case("ls a\\ b", "a b", "a\\ b\\$c ")]
    #[case("ls \"a b", "a b", "a b\\$c\" ")]
    #[case("ls 'a b", "a b", "a b$c' ")]
    fn quoting(#[case] line: &str, #[case] value: &str, #[case] completed: &str) {
        let word = Word::last_of(line);
        assert_eq!(word.value(), value);
        assert_eq!(word.quoted("a b$c") + &word.end(), completed);
    }
}
