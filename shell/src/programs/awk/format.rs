//! printf(3), as far as awk has it.

use super::value::Value;

/// The largest integer that mawk prints as one.
const MAXIMUM: f64 = 2_147_483_647.0;
/// How wide a field may be: more is a mistake of the program.
const WIDTH_LIMIT: usize = 1 << 20;

/// What is wrong with a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    NotEnoughArguments,
    /// The number of the conversion.
    BadConversion(usize),
}

/// A number as a string: integers as such, others in this format.
pub(super) fn format_number(number: f64, format: &[u8]) -> Vec<u8> {
    if number.fract() == 0.0 && number.abs() <= MAXIMUM {
        return format!("{}", clamp(number)).into_bytes();
    }
    if format == b"%.6g" {
        return general(number, 6, false).into_bytes();
    }
    let mut output = Vec::new();
    // A format of the program that is wrong shows in what is printed.
    let _ = format_into(&mut output, format, &[Value::Number(number)], format);
    output
}

#[allow(clippy::cast_possible_truncation, reason = "it is in range")]
fn clamp(number: f64) -> i64 {
    if number.is_nan() { i64::from(i32::MIN) } else { number.clamp(-MAXIMUM, MAXIMUM) as i64 }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
fn clamp_unsigned(number: f64) -> u64 {
    number.clamp(0.0, f64::from(u32::MAX)) as u64
}

/// A conversion of a format.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the flags of printf(3)")]
struct Conversion {
    is_left: bool,
    has_sign: bool,
    has_blank: bool,
    is_alternate: bool,
    has_zeros: bool,
    width: usize,
    precision: Option<usize>,
}

/// Appends what a format makes of values; what comes before a mistake is kept.
pub(super) fn format_into(
    output: &mut Vec<u8>,
    format: &[u8],
    values: &[Value],
    number_format: &[u8],
) -> Result<(), Mistake> {
    let mut values = values.iter();
    let mut rest = format;
    let mut count = 0;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            output.push(*byte);
            continue;
        }
        if let Some(after) = rest.strip_prefix(b"%") {
            output.push(b'%');
            rest = after;
            continue;
        }
        count += 1;
        let mut conversion = Conversion::default();
        while let Some((flag, after)) = rest.split_first() {
            match flag {
                b'-' => conversion.is_left = true,
                b'+' => conversion.has_sign = true,
                b' ' => conversion.has_blank = true,
                b'#' => conversion.is_alternate = true,
                b'0' => conversion.has_zeros = true,
                _ => break,
            }
            rest = after;
        }
        let mut number = |rest: &mut &[u8]| -> Result<Option<i64>, Mistake> {
            if let Some(after) = rest.strip_prefix(b"*") {
                *rest = after;
                return Ok(Some(clamp(values.next().ok_or(Mistake::NotEnoughArguments)?.number())));
            }
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (text, after) = rest.split_at(digits);
            *rest = after;
            let value = |value: i64, digit: &u8| value.saturating_mul(10).saturating_add(i64::from(*digit - b'0'));
            Ok((digits > 0).then(|| text.iter().fold(0, value)))
        };
        if let Some(width) = number(&mut rest)? {
            conversion.is_left |= width < 0;
            conversion.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDTH_LIMIT).min(WIDTH_LIMIT);
        }
        if let Some(after) = rest.strip_prefix(b".") {
            rest = after;
            let precision = number(&mut rest)?.unwrap_or(0);
            conversion.precision = usize::try_from(precision).ok().map(|precision| precision.min(WIDTH_LIMIT));
        }
        while let Some(after) = rest.strip_prefix(b"l").or_else(|| rest.strip_prefix(b"h")) {
            rest = after;
        }
        let Some((letter, after)) = rest.split_first() else { return Err(Mistake::BadConversion(count)) };
        rest = after;
        if !b"dicouxXeEfFgGs".contains(letter) {
            // `%5%` takes an argument for mawk.
            let error = if *letter == b'%' { Mistake::NotEnoughArguments } else { Mistake::BadConversion(count) };
            return Err(error);
        }
        let value = values.next().ok_or(Mistake::NotEnoughArguments)?;
        convert(output, conversion, *letter, value, number_format);
    }
    Ok(())
}

fn convert(output: &mut Vec<u8>, conversion: Conversion, letter: u8, value: &Value, number_format: &[u8]) {
    match letter {
        b'c' => {
            let byte = match value {
                Value::Number(number) => u8::try_from(clamp(*number).rem_euclid(256)).unwrap_or(0),
                other => other.text(number_format).first().copied().unwrap_or(0),
            };
            pad(output, conversion, b"", &[byte], false);
        }
        b's' => {
            let text = value.text(number_format);
            let text = text.get(..conversion.precision.unwrap_or(usize::MAX)).unwrap_or(&text);
            pad(output, conversion, b"", text, false);
        }
        b'd' | b'i' => {
            let number = clamp(value.number());
            let digits = with_precision(number.unsigned_abs().to_string(), conversion.precision);
            pad(output, conversion, sign(number < 0, conversion), digits.as_bytes(), conversion.precision.is_none());
        }
        b'o' | b'u' | b'x' | b'X' => {
            let number = clamp_unsigned(value.number());
            let (prefix, digits) = match letter {
                b'o' => ("0", format!("{number:o}")),
                b'x' => ("0x", format!("{number:x}")),
                b'X' => ("0X", format!("{number:X}")),
                _ => ("", number.to_string()),
            };
            let prefix = if conversion.is_alternate && number != 0 { prefix } else { "" };
            let digits = with_precision(digits, conversion.precision);
            pad(output, conversion, prefix.as_bytes(), digits.as_bytes(), conversion.precision.is_none());
        }
        letter => {
            let number = value.number();
            let is_upper = letter.is_ascii_uppercase();
            let precision = conversion.precision.unwrap_or(6);
            let magnitude = number.abs();
            let mut digits = if magnitude.is_finite() {
                match letter.to_ascii_lowercase() {
                    b'f' => format!("{magnitude:.precision$}"),
                    b'e' => exponential(magnitude, precision),
                    _ => general(magnitude, precision, conversion.is_alternate),
                }
            } else {
                special(magnitude)
            };
            if is_upper {
                digits.make_ascii_uppercase();
            }
            let sign = sign(number.is_sign_negative(), conversion);
            pad(output, conversion, sign, digits.as_bytes(), magnitude.is_finite());
        }
    }
}

fn sign(is_negative: bool, conversion: Conversion) -> &'static [u8] {
    match (is_negative, conversion.has_sign, conversion.has_blank) {
        (true, _, _) => b"-",
        (false, true, _) => b"+",
        (false, false, true) => b" ",
        _ => b"",
    }
}

fn with_precision(digits: String, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len()))),
        None => digits,
    }
}

fn pad(output: &mut Vec<u8>, conversion: Conversion, prefix: &[u8], text: &[u8], may_have_zeros: bool) {
    let missing = conversion.width.saturating_sub(prefix.len() + text.len());
    let (blanks, zeros, after) = match (conversion.is_left, conversion.has_zeros && may_have_zeros) {
        (true, _) => (0, 0, missing),
        (false, true) => (0, missing, 0),
        (false, false) => (missing, 0, 0),
    };
    output.resize(output.len() + blanks, b' ');
    output.extend_from_slice(prefix);
    output.resize(output.len() + zeros, b'0');
    output.extend_from_slice(text);
    output.resize(output.len() + after, b' ');
}

fn special(number: f64) -> String {
    if number.is_nan() { "nan".into() } else { "inf".into() }
}

/// `%e`
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// `%g`
fn general(number: f64, precision: usize, keeps_zeros: bool) -> String {
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", special(number));
    }
    let precision = precision.max(1);
    let rounded = format!("{number:.*e}", precision - 1);
    let exponent: i64 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let trimmed = |text: String| {
        if keeps_zeros || !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    let limit = i64::try_from(precision).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= limit {
        let text = exponential(number, precision - 1);
        return match text.split_once('e') {
            Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits.to_string())),
            None => text,
        };
    }
    let digits = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    trimmed(format!("{number:.digits$}"))
}
