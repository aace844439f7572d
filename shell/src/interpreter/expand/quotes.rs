//! What backslashes mean in `$'...'` and in backquotes.

/// `$'...'`, as bash has it.
pub(super) fn ansi_c(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [letter, after @ ..] = rest else {
            bytes.push(b'\\');
            break;
        };
        rest = after;
        match letter {
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'e' | b'E' => bytes.push(27),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'0'..=b'7' => {
                let (value, length) = number(&[&[*letter], rest].concat(), 8, 3);
                bytes.push(u8::try_from(value & 0xff).unwrap_or_default());
                rest = rest.get(length - 1..).unwrap_or_default();
            }
            b'x' => {
                let (value, length) = number(rest, 16, 2);
                if length == 0 {
                    bytes.extend_from_slice(b"\\x");
                } else {
                    bytes.push(u8::try_from(value).unwrap_or_default());
                }
                rest = rest.get(length..).unwrap_or_default();
            }
            b'u' | b'U' => {
                let (value, length) = number(rest, 16, if *letter == b'u' { 4 } else { 8 });
                match char::from_u32(value).filter(|_| length > 0) {
                    Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => bytes.extend_from_slice(&[b'\\', *letter]),
                }
                rest = rest.get(length..).unwrap_or_default();
            }
            b'c' => {
                if let [control, after @ ..] = rest {
                    bytes.push(control & 0x1f);
                    rest = after;
                }
            }
            b'\\' | b'\'' | b'"' | b'?' => bytes.push(*letter),
            other => bytes.extend_from_slice(&[b'\\', *other]),
        }
    }
    // A string ends at a NUL byte.
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A number with so many digits at most, and how many it has.
fn number(text: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let digits = text.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
    digits.fold((0_u32, 0), |(value, length), digit| (value.wrapping_mul(radix).wrapping_add(digit), length + 1))
}

/// The text of a command in backquotes, in which a backslash quotes `$`, a backquote and itself, and a double quote if the
/// whole is in double quotes.
pub(super) fn backquoted(text: &str, is_quoted: bool) -> String {
    let mut command = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\'
            && characters.peek().is_some_and(|next| matches!(next, '$' | '`' | '\\') || is_quoted && *next == '"');
        if is_escape {
            command.extend(characters.next());
        } else {
            command.push(character);
        }
    }
    command
}
