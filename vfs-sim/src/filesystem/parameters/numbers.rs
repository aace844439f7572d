//! Numbers in texts, as the kernel reads them (`lib/kstrtox.c`, `lib/cmdline.c`).

/// A whole text that is a number of at most 32 bits (`kstrtouint()`); base 0 takes the base from the prefix.
pub(super) fn unsigned(text: &[u8], base: u32) -> Option<u32> {
    long(text, base).and_then(|number| u32::try_from(number).ok())
}

/// A whole text that is a number of at most 64 bits (`kstrtoull()`): a plus before it and a newline behind it are allowed.
pub(super) fn long(text: &[u8], base: u32) -> Option<u64> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (base, digits) = prefix(text, base);
    let digits = digits.strip_suffix(b"\n").unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(base)?;
        number.checked_mul(base.into())?.checked_add(digit.into())
    })
}

/// A whole text that is a signed number of at most 32 bits (`kstrtoint()`).
pub(super) fn signed(text: &[u8]) -> Option<i32> {
    match text.strip_prefix(b"-") {
        // Only one sign.
        Some([b'+', ..]) => None,
        Some(rest) => long(rest, 0).and_then(|number| i64::try_from(number).ok()).and_then(|n| i32::try_from(-n).ok()),
        None => long(text, 0).and_then(|number| i32::try_from(number).ok()),
    }
}

/// A size with a suffix such as `k`, and what is behind it (`memparse()`). It wraps around.
pub(super) fn size(text: &[u8]) -> (u64, &[u8]) {
    let (base, digits) = prefix(text, 0);
    let length = digits.iter().take_while(|byte| char::from(**byte).is_digit(base)).count();
    let number = digits[..length].iter().fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(base).unwrap_or(0);
        number.wrapping_mul(base.into()).wrapping_add(digit.into())
    });
    let rest = &digits[length..];
    let shift = match rest.first() {
        Some(b'E' | b'e') => 60,
        Some(b'P' | b'p') => 50,
        Some(b'T' | b't') => 40,
        Some(b'G' | b'g') => 30,
        Some(b'M' | b'm') => 20,
        Some(b'K' | b'k') => 10,
        _ => return (number, rest),
    };
    (number << shift, &rest[1..])
}

/// The base of a number, if it is not given, and the number without what says so (`_parse_integer_fixup_radix()`).
fn prefix(text: &[u8], base: u32) -> (u32, &[u8]) {
    let is_hexadecimal = matches!(text, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    match base {
        0 if is_hexadecimal => (16, &text[2..]),
        0 if text.first() == Some(&b'0') => (8, text),
        0 => (10, text),
        base => (base, text),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"5", Some(5))]
    #[case(b"+7", Some(7))]
    #[case(b"0x10", Some(16))]
    #[case(b"010", Some(8))]
    #[case(b"5\n", Some(5))]
    #[case(b"4294967295", Some(u32::MAX))]
    #[case(b"4294967296", None)]
    #[case(b" 5", None)]
    #[case(b"-1", None)]
    #[case(b"08", None)]
    #[case(b"0x", None)]
    #[case(b"", None)]
    fn numbers(#[case] text: &[u8], #[case] expected: Option<u32>) {
        assert_eq!(unsigned(text, 0), expected);
    }

    #[rstest]
    #[case(b"-5", Some(-5))]
    #[case(b"-+5", None)]
    #[case(b"2147483648", None)]
    #[case(b"-2147483648", Some(i32::MIN))]
    fn signed_numbers(#[case] text: &[u8], #[case] expected: Option<i32>) {
        assert_eq!(signed(text), expected);
    }

    #[rstest]
    #[case(b"10k", 10 << 10, b"")]
    #[case(b"1E", 1 << 60, b"")]
    #[case(b"0x10M", 16 << 20, b"")]
    #[case(b"010k", 8 << 10, b"")]
    #[case(b"50%", 50, b"%")]
    #[case(b"abc", 0, b"abc")]
    #[case(b"1kk", 1 << 10, b"k")]
    #[case(b"18446744073709551616", 0, b"")]
    fn sizes(#[case] text: &[u8], #[case] expected: u64, #[case] rest: &[u8]) {
        assert_eq!(size(text), (expected, rest));
    }
}
