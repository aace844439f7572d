//! Patterns: `*`, `?`, `[...]`, on bytes, with what is quoted taken as it is.

use std::fmt::Write as _;

/// A text of which every byte is quoted or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::interpreter) struct Text(Vec<(u8, bool)>);

impl Text {
    pub(super) fn push(&mut self, bytes: &[u8], is_quoted: bool) {
        self.0.extend(bytes.iter().map(|byte| (*byte, is_quoted)));
    }

    /// The text, whatever of it is quoted.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_iter().map(|(byte, _)| byte).collect()
    }

    /// Whether there is a special character in it.
    pub(super) fn is_pattern(&self) -> bool {
        self.0.iter().any(|(byte, is_quoted)| !is_quoted && matches!(byte, b'*' | b'?' | b'['))
    }

    /// The parts between slashes.
    pub(super) fn components(&self) -> impl Iterator<Item = Self> {
        self.0.split(|(byte, _)| *byte == b'/').map(|part| Self(part.to_vec()))
    }

    /// As a regular expression in which what is quoted is taken literally.
    pub(in crate::interpreter) fn to_regex(&self) -> String {
        let mut regex = String::from("(?s-u)");
        for (byte, is_quoted) in &self.0 {
            if byte.is_ascii_alphanumeric() || !is_quoted && byte.is_ascii() {
                regex.push(char::from(*byte));
            } else {
                let _ = write!(regex, "\\x{byte:02x}");
            }
        }
        regex
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        let mut text = Self::default();
        text.push(bytes, false);
        text
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    Byte(u8),
    Any,
    Many,
    Class { is_negated: bool, members: Vec<Member> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    Range(u8, u8),
    Named(Vec<u8>),
}

impl Member {
    fn has(&self, byte: u8) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&byte),
            Self::Named(name) => match &name[..] {
                b"alnum" => byte.is_ascii_alphanumeric(),
                b"alpha" => byte.is_ascii_alphabetic(),
                b"blank" => matches!(byte, b' ' | b'\t'),
                b"cntrl" => byte.is_ascii_control(),
                b"digit" => byte.is_ascii_digit(),
                b"graph" => byte.is_ascii_graphic(),
                b"lower" => byte.is_ascii_lowercase(),
                b"print" => byte.is_ascii_graphic() || byte == b' ',
                b"punct" => byte.is_ascii_punctuation(),
                b"space" => byte.is_ascii_whitespace() || byte == 11,
                b"upper" => byte.is_ascii_uppercase(),
                b"xdigit" => byte.is_ascii_hexdigit(),
                _ => false,
            },
        }
    }
}

/// A pattern, ready to be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::interpreter) struct Pattern(Vec<Element>);

impl Pattern {
    pub(in crate::interpreter) fn new(text: &Text) -> Self {
        let mut elements = Vec::new();
        let mut rest = &text.0[..];
        while let [(byte, is_quoted), after @ ..] = rest {
            rest = after;
            match byte {
                b'\\' if !is_quoted => match rest {
                    // A backslash that came out of a variable quotes too.
                    [(escaped, _), after @ ..] => {
                        elements.push(Element::Byte(*escaped));
                        rest = after;
                    }
                    [] => elements.push(Element::Byte(b'\\')),
                },
                b'*' if !is_quoted => {
                    if elements.last() != Some(&Element::Many) {
                        elements.push(Element::Many);
                    }
                }
                b'?' if !is_quoted => elements.push(Element::Any),
                b'[' if !is_quoted => match class(rest) {
                    Some((class, after)) => {
                        elements.push(class);
                        rest = after;
                    }
                    None => elements.push(Element::Byte(b'[')),
                },
                byte => elements.push(Element::Byte(*byte)),
            }
        }
        Self(elements)
    }

    /// Whether the pattern matches all of the text.
    pub(in crate::interpreter) fn is_match(&self, text: &[u8]) -> bool {
        let (mut at, mut in_text) = (0, 0);
        // Where the last `*` is, and how much it has taken.
        let mut star: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match self.0.get(at) {
                Some(Element::Many) => {
                    star = Some((at, in_text));
                    at += 1;
                    continue;
                }
                Some(element) if text.get(in_text).is_some_and(|byte| element.has(*byte)) => {
                    at += 1;
                    in_text += 1;
                    continue;
                }
                _ => {}
            }
            let Some((many, taken)) = star else { return false };
            star = Some((many, taken + 1));
            at = many + 1;
            in_text = taken + 1;
        }
        self.0.get(at..).unwrap_or_default().iter().all(|element| *element == Element::Many)
    }

    /// Whether a name that begins with a dot can match: only if the pattern begins with one.
    pub(super) fn begins_with_dot(&self) -> bool {
        self.0.first() == Some(&Element::Byte(b'.'))
    }

    /// How long the part at the beginning is that matches: the longest, or the shortest.
    pub(super) fn prefix(&self, text: &[u8], is_longest: bool) -> Option<usize> {
        let matches = |length: &usize| self.is_match(text.get(..*length).unwrap_or_default());
        if is_longest { (0..=text.len()).rev().find(matches) } else { (0..=text.len()).find(matches) }
    }

    /// Where the part at the end begins that matches: the longest, or the shortest.
    pub(super) fn suffix(&self, text: &[u8], is_longest: bool) -> Option<usize> {
        let matches = |start: &usize| self.is_match(text.get(*start..).unwrap_or_default());
        if is_longest { (0..=text.len()).find(matches) } else { (0..=text.len()).rev().find(matches) }
    }
}

impl Element {
    fn has(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => true,
            Self::Many => false,
            Self::Class { is_negated, members } => members.iter().any(|member| member.has(byte)) != *is_negated,
        }
    }
}

/// What is behind `[`, up to `]`; none if that is missing.
fn class(text: &[(u8, bool)]) -> Option<(Element, &[(u8, bool)])> {
    let mut rest = text;
    let is_negated = matches!(rest.first(), Some((b'!' | b'^', false)));
    if is_negated {
        rest = rest.get(1..)?;
    }
    let mut members = Vec::new();
    loop {
        let (&(byte, is_quoted), after) = rest.split_first()?;
        match byte {
            b']' if !is_quoted && !members.is_empty() => return Some((Element::Class { is_negated, members }, after)),
            b'[' if !is_quoted && matches!(after.first(), Some((b':', false))) => {
                let name: Vec<u8> =
                    after.get(1..)?.iter().map(|(byte, _)| *byte).take_while(|byte| *byte != b':').collect();
                let end = after.get(name.len() + 1..)?;
                if matches!(end, [(b':', _), (b']', _), ..]) {
                    rest = end.get(2..)?;
                    members.push(Member::Named(name));
                    continue;
                }
                members.push(Member::Range(b'[', b'['));
                rest = after;
                continue;
            }
            _ => {}
        }
        let (byte, after) = match (byte, is_quoted, after.split_first()) {
            (b'\\', false, Some(((escaped, _), after))) => (*escaped, after),
            _ => (byte, after),
        };
        match after {
            [(b'-', false), (last, last_is_quoted), beyond @ ..] if *last != b']' || *last_is_quoted => {
                members.push(Member::Range(byte, *last));
                rest = beyond;
            }
            _ => {
                members.push(Member::Range(byte, byte));
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*", "", true)]
    #[case("*", "abc", true)]
    #[case("a*c", "abbc", true)]
    #[case("a*c", "abbd", false)]
    #[case("a?c", "abc", true)]
    #[case("a?c", "ac", false)]
    #[case("[a-c]x", "bx", true)]
    #[case("[!a-c]x", "bx", false)]
    #[case("[^a-c]x", "dx", true)]
    #[case("[]a]", "]", true)]
    #[case("[a-]", "-", true)]
    #[case("[[:digit:]]*", "7x", true)]
    #[case("[[:digit:]]*", "x7", false)]
    #[case("[a", "[a", true)]
    #[case("\\*", "*", true)]
    #[case("\\*", "a", false)]
    #[case("*a*b*c", "xxaxxbxxc", true)]
    #[case("*a*b*c", "xxaxxbxx", false)]
    fn matching(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Pattern::new(&Text::from(pattern.as_bytes())).is_match(text.as_bytes()), expected);
    }

    #[test]
    fn what_is_quoted_is_not_special() {
        let mut text = Text::default();
        text.push(b"*", true);
        let pattern = Pattern::new(&text);
        assert!(pattern.is_match(b"*"));
        assert!(!pattern.is_match(b"a"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(40) + "b";
        assert!(!Pattern::new(&Text::from(pattern.as_bytes())).is_match("a".repeat(2000).as_bytes()));
    }
}
