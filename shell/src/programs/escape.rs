//! Backslashes in what echo(1) and printf(1) print, and words in quotes.

/// A text with its escapes replaced, and whether `\c` ended it.
pub(crate) fn escape(text: &[u8], has_leading_zero: bool) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'\\' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (escaped, length, ends) = one_escape(after, has_leading_zero, false);
        bytes.extend(escaped);
        if ends {
            return (bytes, true);
        }
        rest = after.get(length..).unwrap_or_default();
    }
    (bytes, false)
}

/// What is behind a backslash: the bytes it stands for, its length, whether it ends all output. Octal numbers have a zero in
/// front in `%b` and in `echo`; only GNU has hexadecimal ones.
pub(crate) fn one_escape(text: &[u8], has_leading_zero: bool, is_gnu: bool) -> (Vec<u8>, usize, bool) {
    let Some(letter) = text.first() else { return (vec![b'\\'], 0, false) };
    let simple = |byte: u8| (vec![byte], 1, false);
    let number = |text: &[u8], radix: u32, most: usize| {
        let digits = text.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
        let (value, length) = digits.fold((0_u32, 0), |(value, length), digit| (value * radix + digit, length + 1));
        (u8::try_from(value & 0xff).unwrap_or_default(), length)
    };
    match letter {
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(11),
        b'\\' => simple(b'\\'),
        b'e' if is_gnu => simple(27),
        b'"' if is_gnu => simple(b'"'),
        b'c' if has_leading_zero || is_gnu => (Vec::new(), 1, true),
        b'0' if has_leading_zero => {
            let (byte, length) = number(text.get(1..).unwrap_or_default(), 8, 3);
            (vec![byte], length + 1, false)
        }
        b'0'..=b'7' => {
            let (byte, length) = number(text, 8, 3);
            (vec![byte], length, false)
        }
        b'x' if is_gnu => {
            let (byte, length) = number(text.get(1..).unwrap_or_default(), 16, 2);
            if length == 0 { (b"\\x".to_vec(), 1, false) } else { (vec![byte], length + 1, false) }
        }
        letter => (vec![b'\\', *letter], 1, false),
    }
}

/// A word as a shell takes it for itself (`%q`).
pub(crate) fn quoted(word: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:=+@%".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return word.to_vec();
    }
    let inner: Vec<u8> = word.split(|byte| *byte == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]);
    [b"'", &inner[..], b"'"].concat()
}
