//! Floating-point numbers as printf(3) writes them.

/// The digits of a number that is not negative, for a conversion of this letter; `keeps_zeros` is the flag `#`.
pub(crate) fn digits(value: f64, letter: u8, precision: usize, keeps_zeros: bool) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan" } else { "inf" }.to_owned();
    }
    let with_exponent = |digits: usize| {
        let text = format!("{value:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        (mantissa.to_owned(), exponent)
    };
    let write = |mantissa: &str, exponent: i32| {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    };
    let text = match letter.to_ascii_lowercase() {
        b'f' => format!("{value:.precision$}"),
        b'e' => {
            let (mantissa, exponent) = with_exponent(precision);
            write(&mantissa, exponent)
        }
        _ => {
            let significant = precision.max(1);
            let (mantissa, exponent) = with_exponent(significant - 1);
            let limit = i32::try_from(significant).unwrap_or(i32::MAX);
            let trim = |text: &str| {
                if keeps_zeros || !text.contains('.') {
                    text.to_owned()
                } else {
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                }
            };
            if exponent < -4 || exponent >= limit {
                write(&trim(&mantissa), exponent)
            } else {
                let digits = usize::try_from(limit - 1 - exponent).unwrap_or_default();
                trim(&format!("{value:.digits$}"))
            }
        }
    };
    if letter.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}
