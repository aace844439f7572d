//! Sizes as users type them, and as GNU programs show them to people (gnulib's xstrtol and human_readable).

/// A number with one of these letters, which stand for powers of 1024; `KiB` is the same, and `KB` one of 1000. `b` is a
/// block of 512, `c` a byte, `w` two. `None` if it is none of that; too large a number is the largest.
pub(crate) fn multiple(text: &[u8], letters: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = text.split_at_checked(digits)?;
    if digits.is_empty() {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    let Some((letter, unit)) = suffix.split_first() else { return Some(number) };
    if !letters.contains(letter) {
        return None;
    }
    let base: u64 = match unit {
        b"" | b"iB" => 1024,
        b"B" => 1000,
        _ => return None,
    };
    let factor = match (letter, unit) {
        (b'b', b"") => 512,
        (b'c', b"") => 1,
        (b'w', b"") => 2,
        _ => {
            let power = b"KMGTPE".iter().position(|known| *known == letter.to_ascii_uppercase())?;
            base.saturating_pow(u32::try_from(power + 1).ok()?)
        }
    };
    Some(u64::saturating_mul(number, factor))
}

/// How a size is made shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    Up,
    Nearest,
}

/// A size as a number and the power of the base that it counts; a digit behind the point if there is one before it.
fn scale(size: u64, base: u64, rounding: Rounding) -> (String, usize) {
    let base = u128::from(base);
    let size = u128::from(size);
    let (mut unit, mut power) = (1_u128, 0);
    while size / unit >= base && power < 6 {
        unit *= base;
        power += 1;
    }
    if power == 0 {
        return (size.to_string(), 0);
    }
    let divide = |dividend: u128| match rounding {
        Rounding::Up => dividend.div_ceil(unit),
        Rounding::Nearest => (dividend + unit / 2) / unit,
    };
    let tenths = divide(size * 10);
    if tenths < 100 {
        return (format!("{}.{}", tenths / 10, tenths % 10), power);
    }
    match divide(size) {
        whole if whole == base && power < 6 => ("1.0".to_owned(), power + 1),
        whole => (whole.to_string(), power),
    }
}

fn letter(letters: [&'static str; 7], power: usize) -> &'static str {
    letters.get(power).copied().unwrap_or_default()
}

/// A size with one of the letters K, M, G, rounded up, as the option `-h` shows it.
pub(crate) fn human(size: u64) -> String {
    let (number, power) = scale(size, 1024, Rounding::Up);
    format!("{number}{}", letter(["", "K", "M", "G", "T", "P", "E"], power))
}

/// A size in powers of 1000, rounded up, as the option `--si` shows it.
pub(crate) fn human_decimal(size: u64) -> String {
    let (number, power) = scale(size, 1000, Rounding::Up);
    format!("{number}{}", letter(["", "k", "M", "G", "T", "P", "E"], power))
}

/// A number of bytes in powers of 1000 and of 1024, rounded to the nearest one, as dd(1) tells it.
pub(crate) fn decimal_and_binary(size: u64) -> (String, String) {
    let (decimal, power) = scale(size, 1000, Rounding::Nearest);
    let decimal = format!("{decimal} {}B", letter(["", "k", "M", "G", "T", "P", "E"], power));
    let (binary, power) = scale(size, 1024, Rounding::Nearest);
    (decimal, format!("{binary} {}B", letter(["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], power)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("12", Some(12))]
    #[case("1kB", Some(1000))]
    #[case("1K", Some(1024))]
    #[case("1KiB", Some(1024))]
    #[case("2M", Some(2 << 20))]
    #[case("1MB", Some(1_000_000))]
    #[case("3b", Some(1536))]
    #[case("1g", None)]
    #[case("1Kx", None)]
    #[case("K", None)]
    #[case("", None)]
    #[case("99999999999999999999", Some(u64::MAX))]
    #[case("99E", Some(u64::MAX))]
    fn typed(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(multiple(text.as_bytes(), b"bkKmMGTPE"), expected);
    }

    #[rstest]
    #[case(1023, "1023", "1.1k", "1.0 kB", "1023 B")]
    #[case(1024, "1.0K", "1.1k", "1.0 kB", "1.0 KiB")]
    #[case(1_500_000, "1.5M", "1.5M", "1.5 MB", "1.4 MiB")]
    #[case(1_048_575, "1.0M", "1.1M", "1.0 MB", "1.0 MiB")]
    #[case(10_241, "11K", "11k", "10 kB", "10 KiB")]
    fn shown(
        #[case] size: u64,
        #[case] up: &str,
        #[case] decimal_up: &str,
        #[case] decimal: &str,
        #[case] binary: &str,
    ) {
        assert_eq!((&human(size)[..], &human_decimal(size)[..]), (up, decimal_up));
        assert_eq!(decimal_and_binary(size), (decimal.to_owned(), binary.to_owned()));
    }
}
