//! Values, and how they become numbers and strings.

use std::cmp::Ordering;
use std::rc::Rc;

use super::format::format_number;

/// A value of awk.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Uninitialized,
    Number(f64),
    String(Rc<[u8]>),
    /// Input that may be a number; what it is, is found out when it matters.
    Input(Rc<[u8]>),
}

impl Value {
    pub(super) fn string(text: &[u8]) -> Self {
        Self::String(text.into())
    }

    pub(super) fn truth(condition: bool) -> Self {
        Self::Number(f64::from(u8::from(condition)))
    }

    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Uninitialized => 0.0,
            Self::Number(number) => *number,
            Self::String(text) | Self::Input(text) => parse_prefix(text).0,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Uninitialized => false,
            Self::Number(number) => *number != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Input(text) => numeric(text).map_or(!text.is_empty(), |number| number != 0.0),
        }
    }

    /// As a string; numbers that are no integers in this format.
    pub(super) fn text(&self, format: &[u8]) -> Rc<[u8]> {
        match self {
            Self::Uninitialized => Rc::from(&b""[..]),
            Self::Number(number) => format_number(*number, format).into(),
            Self::String(text) | Self::Input(text) => text.clone(),
        }
    }

    /// The value of input that looks like a number.
    fn numeric(&self) -> Option<f64> {
        match self {
            Self::Uninitialized => Some(0.0),
            Self::Number(number) => Some(*number),
            Self::String(_) => None,
            Self::Input(text) => numeric(text),
        }
    }

    /// How two values compare: as numbers if both are numbers or look like such, or as strings.
    pub(super) fn compare(&self, other: &Self, format: &[u8]) -> Option<Ordering> {
        match (self.numeric(), other.numeric()) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(self.text(format).cmp(&other.text(format))),
        }
    }
}

/// The number that a whole text is, with blanks around it.
fn numeric(text: &[u8]) -> Option<f64> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    // Only input that is decimal looks like a number.
    if text.iter().any(|byte| matches!(byte, b'x' | b'X' | b'n' | b'N')) {
        return None;
    }
    let (number, length) = parse_prefix(text);
    let rest = text.get(length..)?;
    (length > 0 && rest.iter().all(u8::is_ascii_whitespace)).then_some(number)
}

/// The number at the beginning of a text, as strtod(3) reads it, and how much of the text it is.
pub(super) fn parse_prefix(text: &[u8]) -> (f64, usize) {
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    let signed = text.get(blanks..).unwrap_or_default();
    let (is_negative, sign) = match signed.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let rest = signed.get(sign..).unwrap_or_default();
    let start = blanks + sign;
    let with_sign = |number: f64| if is_negative { -number } else { number };
    let starts = |word: &[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts(b"infinity") {
        return (with_sign(f64::INFINITY), start + 8);
    }
    if starts(b"inf") {
        return (with_sign(f64::INFINITY), start + 3);
    }
    if starts(b"nan") {
        return (with_sign(f64::NAN), start + 3);
    }
    if starts(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
        let digits: Vec<u32> = rest.iter().skip(2).map_while(|byte| char::from(*byte).to_digit(16)).collect();
        let number = digits.iter().fold(0.0, |number, digit| number * 16.0 + f64::from(*digit));
        return (with_sign(number), start + 2 + digits.len());
    }
    let digits = |from: usize| rest.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut length = whole;
    let mut count = whole;
    if rest.get(length) == Some(&b'.') {
        let fraction = digits(length + 1);
        count += fraction;
        if count > 0 {
            length += 1 + fraction;
        }
    }
    if count == 0 {
        return (0.0, 0);
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let exponent_sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + exponent_sign);
        if exponent > 0 {
            length += 1 + exponent_sign + exponent;
        }
    }
    let number = std::str::from_utf8(rest.get(..length).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
    (with_sign(number.unwrap_or(0.0)), start + length)
}
