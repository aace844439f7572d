//! From the text of a program to tokens.

use std::rc::Rc;

use super::syntax::{Arithmetic, Builtin};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    String(Rc<[u8]>),
    Pattern(Rc<[u8]>),
    Name(Vec<u8>),
    /// A name with a `(` right behind it.
    Function(Vec<u8>),
    Builtin(Builtin),
    Keyword(&'static str),
    Operator(&'static str),
    Assign(Arithmetic),
    Newline,
    End,
}

const KEYWORDS: &[&str] = &[
    "BEGIN", "END", "break", "continue", "delete", "do", "else", "exit", "for", "function", "func", "getline", "if",
    "in", "next", "nextfile", "print", "printf", "return", "while",
];

const BUILTINS: &[(&str, Builtin)] = &[
    ("atan2", Builtin::Atan2),
    ("close", Builtin::Close),
    ("cos", Builtin::Cos),
    ("exp", Builtin::Exp),
    ("fflush", Builtin::Fflush),
    ("gsub", Builtin::Gsub),
    ("index", Builtin::Index),
    ("int", Builtin::Int),
    ("length", Builtin::Length),
    ("log", Builtin::Log),
    ("match", Builtin::Match),
    ("rand", Builtin::Rand),
    ("sin", Builtin::Sin),
    ("split", Builtin::Split),
    ("sprintf", Builtin::Sprintf),
    ("sqrt", Builtin::Sqrt),
    ("srand", Builtin::Srand),
    ("sub", Builtin::Sub),
    ("substr", Builtin::Substr),
    ("system", Builtin::System),
    ("tolower", Builtin::Tolower),
    ("toupper", Builtin::Toupper),
];

/// Longer ones come first.
const OPERATORS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", ">>", "++", "--", "!~", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*",
    "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
];

const ASSIGNMENTS: &[(&str, Arithmetic)] = &[
    ("+=", Arithmetic::Add),
    ("-=", Arithmetic::Subtract),
    ("*=", Arithmetic::Multiply),
    ("/=", Arithmetic::Divide),
    ("%=", Arithmetic::Remainder),
    ("^=", Arithmetic::Power),
];

/// What is wrong with a program: the line, and the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) message: Vec<u8>,
    /// The message has the form `awk: LINE: ...` instead of `awk: line LINE: ...`.
    pub(super) is_short: bool,
}

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    pub(super) line: usize,
    /// Whether a `/` after the last token divides.
    divides: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, position: 0, line: 1, divides: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn wrong<T>(&self, message: impl Into<Vec<u8>>) -> Result<T, Mistake> {
        Err(Mistake { line: self.line, message: message.into(), is_short: false })
    }

    pub(super) fn next(&mut self) -> Result<Token, Mistake> {
        let token = self.read()?;
        self.divides = match &token {
            Token::Number(_) | Token::String(_) | Token::Pattern(_) | Token::Name(_) | Token::Builtin(_) => true,
            Token::Operator(operator) => matches!(*operator, ")" | "]" | "$" | "++" | "--"),
            _ => false,
        };
        Ok(token)
    }

    fn read(&mut self) -> Result<Token, Mistake> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.position += 1,
                [b'\\', b'\n', ..] => {
                    self.position += 2;
                    self.line += 1;
                }
                [b'\\', b'\r', b'\n', ..] => {
                    self.position += 3;
                    self.line += 1;
                }
                [b'#', ..] => self.position += self.rest().iter().take_while(|byte| **byte != b'\n').count(),
                _ => break,
            }
        }
        let rest = self.rest();
        match rest {
            [] => Ok(Token::End),
            [b'\n', ..] => {
                self.position += 1;
                self.line += 1;
                Ok(Token::Newline)
            }
            [b'"', ..] => self.string(),
            [b'/', ..] if !self.divides => self.pattern(),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => Ok(self.number()),
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => Ok(self.word()),
            [first, ..] => {
                if let Some((text, operator)) = ASSIGNMENTS.iter().find(|(text, _)| rest.starts_with(text.as_bytes())) {
                    self.position += text.len();
                    return Ok(Token::Assign(*operator));
                }
                let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(operator.as_bytes())) else {
                    let shown = String::from_utf8_lossy(&[*first]).into_owned();
                    let message = format!("unexpected character '{shown}'").into_bytes();
                    return Err(Mistake { line: self.line, message, is_short: true });
                };
                self.position += operator.len();
                Ok(Token::Operator(operator))
            }
        }
    }

    /// A decimal number.
    fn number(&mut self) -> Token {
        let rest = self.rest();
        let digits = |from: usize| rest.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = digits(0);
        if rest.get(length) == Some(&b'.') {
            length += 1 + digits(length + 1);
        }
        if matches!(rest.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(length + 1 + sign);
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
        self.position += length;
        let text = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
        Token::Number(text.parse().unwrap_or(0.0))
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        self.position += length;
        let word = rest.get(..length).unwrap_or_default();
        if let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.as_bytes() == word) {
            return Token::Keyword(if *keyword == "func" { "function" } else { keyword });
        }
        if let Some((_, builtin)) = BUILTINS.iter().find(|(name, _)| name.as_bytes() == word) {
            return Token::Builtin(*builtin);
        }
        if rest.get(length) == Some(&b'(') { Token::Function(word.to_vec()) } else { Token::Name(word.to_vec()) }
    }

    fn string(&mut self) -> Result<Token, Mistake> {
        let start = self.position + 1;
        let mut at = start;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.line += usize::from(self.text.get(at + 1) == Some(&b'\n'));
                    at += 2;
                }
                None | Some(b'\n') => {
                    let beginning: Vec<u8> = self.text.iter().skip(start).take(10).copied().collect();
                    return self.wrong([b"runaway string constant \"", &beginning[..], b" ..."].concat());
                }
                Some(_) => at += 1,
            }
        }
        self.position = at + 1;
        Ok(Token::String(unescape(self.text.get(start..at).unwrap_or_default()).into()))
    }

    fn pattern(&mut self) -> Result<Token, Mistake> {
        let start = self.position + 1;
        let mut at = start;
        let mut bracket = None;
        loop {
            match (self.text.get(at), bracket) {
                (None | Some(b'\n'), _) => {
                    let beginning: Vec<u8> =
                        self.text.iter().skip(start - 1).take(at.min(start + 9) - start + 1).copied().collect();
                    return self.wrong([b"runaway regular expression ", &beginning[..], b" ..."].concat());
                }
                (Some(b'\\'), _) => at += 2,
                (Some(b'['), None) => {
                    at += 1;
                    at += usize::from(self.text.get(at) == Some(&b'^'));
                    bracket = Some(at);
                }
                (Some(b'['), Some(_)) if self.text.get(at + 1) == Some(&b':') => {
                    let inside = self.text.get(at + 2..).unwrap_or_default();
                    at += inside.windows(2).position(|pair| pair == b":]").map_or(1, |end| end + 4);
                }
                (Some(b']'), Some(first)) if at > first => {
                    bracket = None;
                    at += 1;
                }
                (Some(b'/'), None) => break,
                (Some(_), _) => at += 1,
            }
        }
        self.position = at + 1;
        // A slash needs its backslash for the lexer only.
        let text = self.text.get(start..at).unwrap_or_default();
        Ok(Token::Pattern(text.into()))
    }
}

/// A string with the escapes of awk.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            output.push(*byte);
            continue;
        }
        let digits = |base: u32, skip: usize, most: usize| -> (u32, usize) {
            let digits: Vec<u32> =
                rest.iter().skip(skip).take(most).map_while(|byte| char::from(*byte).to_digit(base)).collect();
            (digits.iter().fold(0, |value, digit| value * base + digit), digits.len())
        };
        let (value, length) = match rest.first() {
            None => (b'\\', 0),
            Some(b'"') => (b'"', 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'a') => (0x07, 1),
            Some(b'b') => (0x08, 1),
            Some(b'f') => (0x0c, 1),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b't') => (b'\t', 1),
            Some(b'v') => (0x0b, 1),
            Some(b'\n') => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            Some(b'0'..=b'7') => {
                let (value, count) = digits(8, 0, 3);
                (u8::try_from(value & 0xff).unwrap_or(0), count)
            }
            Some(b'x') if digits(16, 1, 2).1 > 0 => {
                let (value, count) = digits(16, 1, 2);
                (u8::try_from(value & 0xff).unwrap_or(0), count + 1)
            }
            // Other escapes stay as they are: the string may become a regular expression.
            Some(other) => {
                output.push(b'\\');
                (*other, 1)
            }
        };
        output.push(value);
        rest = rest.get(length..).unwrap_or_default();
    }
    output
}
