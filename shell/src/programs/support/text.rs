//! Formats with `%` and escapes with `\`, as stat(1) and find(1) take them.

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Vec<u8>),
    Conversion(Conversion),
}

/// `%`, flags, width, precision, a modifier and a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    is_left: bool,
    has_zeros: bool,
    /// `#`
    pub(crate) is_alternate: bool,
    width: usize,
    precision: Option<usize>,
    /// `H` or `L` before `d` or `r`.
    pub(crate) modifier: Option<u8>,
    pub(crate) letter: u8,
    /// As it was written.
    pub(crate) source: Vec<u8>,
}

impl Conversion {
    /// A value in its column.
    pub(crate) fn pad(&self, value: &[u8]) -> Vec<u8> {
        let value = self.precision.and_then(|precision| value.get(..precision)).unwrap_or(value);
        let is_number = value.iter().all(u8::is_ascii_hexdigit) && !value.is_empty();
        let filler = if self.has_zeros && is_number && !self.is_left { b'0' } else { b' ' };
        let padding = vec![filler; self.width.saturating_sub(value.len())];
        if self.is_left { [value, &padding].concat() } else { [&padding, value].concat() }
    }
}

/// Takes a format apart. `%%` is text.
pub(crate) fn pieces(format: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut rest = format;
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            text.push(*byte);
            rest = after;
            continue;
        }
        if let Some(after) = after.strip_prefix(b"%") {
            text.push(b'%');
            rest = after;
            continue;
        }
        let Some((conversion, after)) = conversion(after) else {
            text.push(b'%');
            rest = after;
            continue;
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Conversion(conversion));
        rest = after;
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

fn conversion(after_percent: &[u8]) -> Option<(Conversion, &[u8])> {
    let mut conversion = Conversion::default();
    let mut rest = after_percent;
    while let [flag @ (b'-' | b'0' | b'#' | b'+' | b' ' | b'\''), after @ ..] = rest {
        match flag {
            b'-' => conversion.is_left = true,
            b'0' => conversion.has_zeros = true,
            b'#' => conversion.is_alternate = true,
            _ => {}
        }
        rest = after;
    }
    (conversion.width, rest) = number(rest);
    if let Some(after) = rest.strip_prefix(b".") {
        let (precision, after) = number(after);
        conversion.precision = Some(precision);
        rest = after;
    }
    if let [modifier @ (b'H' | b'L'), b'd' | b'r', ..] = rest {
        conversion.modifier = Some(*modifier);
        rest = rest.get(1..)?;
    }
    let (letter, after) = rest.split_first()?;
    conversion.letter = *letter;
    let length = after_percent.len() - after.len();
    conversion.source = [b"%", after_percent.get(..length)?].concat();
    Some((conversion, after))
}

/// A number at the beginning; 0 if there is none. Beyond a thousand columns there is nothing to see.
fn number(text: &[u8]) -> (usize, &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let value = digits.iter().fold(0_usize, |value, digit| (value * 10 + usize::from(digit - b'0')).min(1000));
    (value, rest)
}

/// Replaces the escapes of C. An unknown one stays as it is, without the backslash.
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let (b'\\', Some((letter, after))) = (*byte, rest.split_first()) else {
            result.push(*byte);
            continue;
        };
        rest = after;
        match letter {
            b'0'..=b'7' => {
                let digits = 1 + rest.iter().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                let (more, after) = rest.split_at(digits - 1);
                let value =
                    more.iter().fold(u32::from(letter - b'0'), |value, digit| value * 8 + u32::from(digit - b'0'));
                result.push(value.to_le_bytes()[0]);
                rest = after;
            }
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let (hex, after) = rest.split_at(digits);
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default();
                let value = hex.iter().fold(0, |value, byte| value * 16 + digit(byte));
                result.push(value.to_le_bytes()[0]);
                rest = after;
            }
            b'a' => result.push(7),
            b'b' => result.push(8),
            b'e' => result.push(27),
            b'f' => result.push(12),
            b'n' => result.push(b'\n'),
            b'r' => result.push(b'\r'),
            b't' => result.push(b'\t'),
            b'v' => result.push(11),
            other => result.push(*other),
        }
    }
    result
}
