//! printf(1), as a program and as a builtin of the shell.

use crate::execution::Execution;

/// Whose messages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// dash
    Shell,
    /// GNU
    Program,
}

/// What was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) output: Vec<u8>,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) status: i32,
}

/// printf(1) of GNU
pub(crate) async fn printf(execution: &mut Execution) -> i32 {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let arguments = arguments.strip_prefix(&[b"--".to_vec()]).unwrap_or(&arguments);
    let Some((text, arguments)) = arguments.split_first() else {
        execution.complain("missing operand").await;
        let hint = execution.help_hint();
        execution.report_line(hint);
        return 1;
    };
    let printed = format(text, arguments, Dialect::Program);
    execution.print(&printed.output);
    for message in printed.messages {
        execution.complain(message).await;
    }
    printed.status
}

/// Formats arguments, again and again as long as there are some.
pub(crate) fn format(text: &[u8], arguments: &[Vec<u8>], dialect: Dialect) -> Printed {
    let mut formatter = Formatter { arguments, dialect, printed: Printed::default(), is_over: false };
    loop {
        let before = formatter.arguments.len();
        formatter.once(text);
        if formatter.is_over || formatter.arguments.is_empty() {
            return formatter.printed;
        }
        if formatter.arguments.len() == before {
            if let (Dialect::Program, Some(first)) = (dialect, formatter.arguments.first()) {
                let message = [b"warning: ignoring excess arguments, starting with '", &first[..], b"'"].concat();
                formatter.printed.messages.push(message);
            }
            return formatter.printed;
        }
    }
}

struct Formatter<'a> {
    arguments: &'a [Vec<u8>],
    dialect: Dialect,
    printed: Printed,
    /// Whether nothing more is to be printed.
    is_over: bool,
}

/// Flags, width and precision of a conversion.
#[derive(Clone, Debug, Default)]
struct Conversion {
    flags: Vec<u8>,
    width: usize,
    precision: Option<usize>,
}

impl Formatter<'_> {
    fn complain(&mut self, shell: &[&[u8]], program: &[&[u8]]) {
        let message = match self.dialect {
            Dialect::Shell => shell.concat(),
            Dialect::Program => program.concat(),
        };
        self.printed.messages.push(message);
        self.printed.status = 1;
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let (first, rest) = self.arguments.split_first()?;
        self.arguments = rest;
        Some(first.clone())
    }

    fn once(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            match first {
                b'\\' => {
                    let (bytes, length, ends) = one_escape(after, false, self.dialect == Dialect::Program);
                    self.printed.output.extend(bytes);
                    rest = after.get(length..).unwrap_or_default();
                    if ends {
                        self.is_over = true;
                    }
                }
                b'%' if after.first() == Some(&b'%') => {
                    self.printed.output.push(b'%');
                    rest = after.get(1..).unwrap_or_default();
                }
                b'%' => rest = self.conversion(after),
                byte => {
                    self.printed.output.push(*byte);
                    rest = after;
                }
            }
            if self.is_over {
                return;
            }
        }
    }

    /// What is behind `%`; gives what follows it.
    fn conversion<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let mut conversion = Conversion::default();
        let mut rest = text;
        while let Some((flag, after)) = rest.split_first().filter(|(flag, _)| b"-+ #0".contains(flag)) {
            conversion.flags.push(*flag);
            rest = after;
        }
        let (width, after) = self.size(rest);
        rest = after;
        match width {
            Some(width) if width < 0 => {
                conversion.flags.push(b'-');
                conversion.width = usize::try_from(width.unsigned_abs()).unwrap_or_default();
            }
            width => conversion.width = usize::try_from(width.unwrap_or_default()).unwrap_or_default(),
        }
        if let Some(after) = rest.strip_prefix(b".") {
            let (precision, after) = self.size(after);
            conversion.precision = usize::try_from(precision.unwrap_or_default()).ok();
            rest = after;
        }
        // Lengths of types mean nothing here.
        while let Some((_, after)) =
            rest.split_first().filter(|(byte, _)| b"hlLjzt".contains(byte) && self.dialect == Dialect::Program)
        {
            rest = after;
        }
        let whole = |rest: &[u8]| {
            let length = (text.len() - rest.len() + 1).min(text.len());
            [b"%", text.get(..length).unwrap_or_default()].concat()
        };
        let Some((letter, after)) = rest.split_first() else {
            self.complain(&[b"missing format character"], &[&whole(rest), b": invalid conversion specification"]);
            self.is_over = true;
            return &[];
        };
        if !self.convert(&conversion, *letter) {
            let directive = whole(rest);
            self.complain(&[&directive, b": invalid directive"], &[&directive, b": invalid conversion specification"]);
            self.is_over = true;
        }
        after
    }

    /// A width or a precision: digits, or `*`, which is an argument.
    fn size<'t>(&mut self, text: &'t [u8]) -> (Option<i64>, &'t [u8]) {
        if let Some(rest) = text.strip_prefix(b"*") {
            let argument = self.next().unwrap_or_default();
            return (Some(self.integer(&argument).clamp(-100_000, 100_000)), rest);
        }
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(text.get(..digits).unwrap_or_default()).unwrap_or_default();
        let number = number.parse::<i64>().ok().map(|number| number.min(100_000));
        (number, text.get(digits..).unwrap_or_default())
    }

    /// Converts the next argument. False if there is no such conversion.
    fn convert(&mut self, conversion: &Conversion, letter: u8) -> bool {
        match letter {
            b's' => {
                let argument = self.next().unwrap_or_default();
                self.string(conversion, &argument);
            }
            b'b' => {
                let argument = self.next().unwrap_or_default();
                let (text, ends) = escape(&argument, true);
                self.string(conversion, &text);
                self.is_over |= ends;
            }
            b'c' => {
                let argument = self.next().unwrap_or_default();
                self.string(
                    &Conversion { precision: None, ..conversion.clone() },
                    argument.get(..1).unwrap_or_default(),
                );
            }
            b'q' if self.dialect == Dialect::Program => {
                let argument = self.next().unwrap_or_default();
                self.string(conversion, &quoted(&argument));
            }
            b'd' | b'i' => {
                let argument = self.next().unwrap_or_default();
                let value = self.integer(&argument);
                let sign = sign_of(conversion, value < 0);
                self.number(conversion, sign, &value.unsigned_abs().to_string());
            }
            b'u' | b'o' | b'x' | b'X' => {
                let argument = self.next().unwrap_or_default();
                let value = self.unsigned(&argument);
                let is_marked = conversion.flags.contains(&b'#') && value != 0;
                let (prefix, digits) = match letter {
                    b'u' => ("", value.to_string()),
                    b'o' => (if is_marked { "0" } else { "" }, format!("{value:o}")),
                    b'x' => (if is_marked { "0x" } else { "" }, format!("{value:x}")),
                    _ => (if is_marked { "0X" } else { "" }, format!("{value:X}")),
                };
                self.number(conversion, prefix, &digits);
            }
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let argument = self.next().unwrap_or_default();
                let value = self.float(&argument);
                let digits = float_digits(value.abs(), letter, conversion.precision.unwrap_or(6), conversion);
                let sign = sign_of(conversion, value.is_sign_negative());
                self.number(&Conversion { precision: None, ..conversion.clone() }, sign, &digits);
            }
            _ => return false,
        }
        true
    }

    fn string(&mut self, conversion: &Conversion, text: &[u8]) {
        let text = text.get(..conversion.precision.unwrap_or(text.len())).unwrap_or(text);
        self.pad(conversion, text);
    }

    fn pad(&mut self, conversion: &Conversion, text: &[u8]) {
        let blanks = vec![b' '; conversion.width.saturating_sub(text.len())];
        let parts = if conversion.flags.contains(&b'-') { [text, &blanks] } else { [&blanks, text] };
        self.printed.output.extend(parts.concat());
    }

    fn number(&mut self, conversion: &Conversion, prefix: &str, digits: &str) {
        let mut digits = digits.to_owned();
        if let Some(precision) = conversion.precision {
            digits = "0".repeat(precision.saturating_sub(digits.len())) + &digits;
        } else if conversion.flags.contains(&b'0') && !conversion.flags.contains(&b'-') {
            digits = "0".repeat(conversion.width.saturating_sub(digits.len() + prefix.len())) + &digits;
        }
        self.pad(conversion, format!("{prefix}{digits}").as_bytes());
    }

    fn integer(&mut self, argument: &[u8]) -> i64 {
        let value = self.wide(argument);
        if i64::try_from(value).is_err() {
            self.out_of_range(argument);
        }
        i64::try_from(value.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or_default()
    }

    fn unsigned(&mut self, argument: &[u8]) -> u64 {
        let value = self.wide(argument);
        if value > u64::MAX.into() || value < i64::MIN.into() {
            self.out_of_range(argument);
            return u64::MAX;
        }
        // A negative number wraps around.
        u64::try_from(value).or_else(|_| i64::try_from(value).map(i64::cast_unsigned)).unwrap_or(u64::MAX)
    }

    fn out_of_range(&mut self, argument: &[u8]) {
        self.complain(
            &[argument, b": Numerical result out of range"],
            &[b"'", argument, b"': Numerical result out of range"],
        );
    }

    /// An integer as C has it, or the number of a character behind a quote.
    fn wide(&mut self, argument: &[u8]) -> i128 {
        if let [b'"' | b'\'', byte, ..] = argument {
            return i128::from(*byte);
        }
        let text = String::from_utf8_lossy(argument).into_owned();
        let trimmed = text.trim_start();
        let (is_negative, unsigned) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let lower = unsigned.to_ascii_lowercase();
        let (radix, digits) = match lower.strip_prefix("0x") {
            Some(digits) if digits.starts_with(|first: char| first.is_ascii_hexdigit()) => (16, digits),
            _ if lower.starts_with('0') => (8, lower.as_str()),
            _ => (10, lower.as_str()),
        };
        let length = digits.chars().take_while(|digit| digit.is_digit(radix)).count();
        let number = digits.get(..length).unwrap_or_default();
        let value =
            i128::from_str_radix(number, radix).unwrap_or(if length == 0 { 0 } else { i128::from(u64::MAX) + 1 });
        self.check(argument, length > 0 || argument.is_empty(), length == digits.len());
        if is_negative { -value } else { value }
    }

    fn float(&mut self, argument: &[u8]) -> f64 {
        if let [b'"' | b'\'', byte, ..] = argument {
            return f64::from(*byte);
        }
        let text = String::from_utf8_lossy(argument).into_owned();
        let trimmed = text.trim_start();
        let found = (0..=trimmed.len()).rev().find_map(|end| {
            let prefix = trimmed.get(..end)?;
            prefix.parse::<f64>().ok().map(|value| (value, end))
        });
        let (value, end) = found.unwrap_or((0.0, 0));
        self.check(argument, end > 0 || argument.is_empty(), end == trimmed.len());
        value
    }

    fn check(&mut self, argument: &[u8], is_number: bool, is_complete: bool) {
        if !is_number {
            self.complain(&[argument, b": expected numeric value"], &[b"'", argument, b"': expected a numeric value"]);
        } else if !is_complete {
            self.complain(
                &[argument, b": not completely converted"],
                &[b"'", argument, b"': value not completely converted"],
            );
        }
    }
}

fn sign_of(conversion: &Conversion, is_negative: bool) -> &'static str {
    if is_negative {
        "-"
    } else if conversion.flags.contains(&b'+') {
        "+"
    } else if conversion.flags.contains(&b' ') {
        " "
    } else {
        ""
    }
}

/// The digits of a number as printf(3) has them.
fn float_digits(value: f64, letter: u8, precision: usize, conversion: &Conversion) -> String {
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
                if conversion.flags.contains(&b'#') || !text.contains('.') {
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
fn one_escape(text: &[u8], has_leading_zero: bool, is_gnu: bool) -> (Vec<u8>, usize, bool) {
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
fn quoted(word: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:=+@%".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return word.to_vec();
    }
    let inner: Vec<u8> = word.split(|byte| *byte == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]);
    [b"'", &inner[..], b"'"].concat()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn words(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[rstest]
    #[case("%d %d\\n", &["0x10", "010"], "16 8\n")]
    #[case("%d", &["\"a"], "97")]
    #[case("%s %s\\n", &["a", "b", "c"], "a b\nc \n")]
    #[case("%5.2s|%-5d|%05d|%+d", &["abc", "3", "4", "5"], "   ab|3    |00004|+5")]
    #[case("%x|%X|%#x|%o|%c", &["255", "255", "255", "8", "xyz"], "ff|FF|0xff|10|x")]
    #[case("%e|%g|%f", &["1.5", "1.5", "1.5"], "1.500000e+00|1.5|1.500000")]
    #[case("%g %g %g", &["100000", "1000000", "0.00001"], "100000 1e+06 1e-05")]
    #[case("\\101\\n%b%s", &["a\\0101\\c", "never"], "A\naA")]
    #[case("%*d|%.*s", &["5", "3", "2", "abc"], "    3|ab")]
    #[case("%%%i %u", &["3", "-1"], "%3 18446744073709551615")]
    #[case("%.3d", &["5"], "005")]
    #[case("plain", &["a", "b"], "plain")]
    fn formats(#[case] text: &str, #[case] arguments: &[&str], #[case] expected: &str) {
        let printed = format(text.as_bytes(), &words(arguments), Dialect::Shell);
        assert_eq!((String::from_utf8(printed.output).unwrap(), printed.status), (expected.to_owned(), 0));
    }

    #[rstest]
    #[case("%d", &["x"], "0", "x: expected numeric value")]
    #[case("%d", &["12x"], "12", "12x: not completely converted")]
    #[case("%z", &[], "", "%z: invalid directive")]
    #[case("%", &[], "", "missing format character")]
    #[case("%d", &["99999999999999999999"], "9223372036854775807", "99999999999999999999: Numerical result out of range")]
    fn mistakes(#[case] text: &str, #[case] arguments: &[&str], #[case] output: &str, #[case] message: &str) {
        let printed = format(text.as_bytes(), &words(arguments), Dialect::Shell);
        let expected = Printed { output: output.into(), messages: vec![message.as_bytes().to_vec()], status: 1 };
        assert_eq!(printed, expected);
    }
}
