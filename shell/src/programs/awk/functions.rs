//! The functions of awk that neither read nor write.

use std::rc::Rc;

use crate::programs::regular_expression::RegularExpression;

use super::code::{Place, Separator};
use super::format::{Mistake, format_into};
use super::record::split;
use super::state::{State, Stop};
use super::syntax::{Arithmetic, Builtin, Variable, special};
use super::value::Value;

/// Arithmetic, with the NaN of the processor: a negative one where there was none before.
pub(super) fn arithmetic(operator: Arithmetic, left: f64, right: f64) -> f64 {
    let result = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => left % right,
        Arithmetic::Power => libm::pow(left, right),
    };
    negative_nan(result, left.is_nan() || right.is_nan())
}

fn negative_nan(result: f64, was_nan: bool) -> f64 {
    if result.is_nan() && !was_nan { -f64::NAN.abs() } else { result }
}

/// A length or position as awk counts.
#[allow(clippy::cast_precision_loss, reason = "no text is that long")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

/// What a format makes of values; the mistake with what came before it.
pub(super) fn formatted(state: &State, function: &str, values: &[Value]) -> Result<Vec<u8>, (Vec<u8>, Stop)> {
    let number_format = state.convfmt();
    let mut output = Vec::new();
    let Some((format, values)) = values.split_first() else { return Ok(output) };
    let format = state.text(format);
    match format_into(&mut output, &format, values, &number_format) {
        Ok(()) => Ok(output),
        Err(mistake) => {
            let shown = String::from_utf8_lossy(&format).into_owned();
            let message = match mistake {
                Mistake::NotEnoughArguments => format!("not enough arguments passed to {function}(\"{shown}\")"),
                Mistake::BadConversion(number) => {
                    format!("improper conversion(number {number}) in {function}(\"{shown}\")")
                }
            };
            Err((output, Stop::RunTime(message.into_bytes())))
        }
    }
}

impl State {
    pub(super) fn call_builtin(&mut self, builtin: Builtin, arguments: usize) -> Result<(), Stop> {
        let at = self.stack.len().saturating_sub(arguments);
        let values = self.stack.split_off(at);
        let number = |index: usize| values.get(index).map_or(0.0, Value::number);
        let text = |state: &Self, index: usize| values.get(index).map_or(Rc::from(&b""[..]), |value| state.text(value));
        let result = match builtin {
            Builtin::Length => {
                let text = if values.is_empty() { self.record_text() } else { text(self, 0) };
                count(text.len())
            }
            Builtin::Atan2 => libm::atan2(number(0), number(1)),
            Builtin::Cos => libm::cos(number(0)),
            Builtin::Sin => libm::sin(number(0)),
            Builtin::Exp => libm::exp(number(0)),
            Builtin::Log => negative_nan(libm::log(number(0)), number(0).is_nan()),
            Builtin::Sqrt => negative_nan(number(0).sqrt(), number(0).is_nan()),
            Builtin::Int => number(0).trunc(),
            Builtin::Rand => self.next_random(),
            Builtin::Srand => {
                // Without a number, it is the time; that of a simulated machine does not pass by itself.
                let seed = if values.is_empty() { 0.0 } else { number(0) };
                self.random = seed.to_bits();
                std::mem::replace(&mut self.seed, seed)
            }
            Builtin::Index => {
                let (text, wanted) = (text(self, 0), text(self, 1));
                memchr::memmem::find(&text, &wanted).map_or(0.0, |at| count(at + 1))
            }
            Builtin::Substr => {
                let text = text(self, 0);
                let part = substring(&text, number(1), values.get(2).map(Value::number));
                self.stack.push(Value::string(part));
                return Ok(());
            }
            Builtin::Tolower | Builtin::Toupper => {
                let text = text(self, 0);
                let changed =
                    if builtin == Builtin::Tolower { text.to_ascii_lowercase() } else { text.to_ascii_uppercase() };
                self.stack.push(Value::string(&changed));
                return Ok(());
            }
            Builtin::Sprintf => {
                let text = formatted(self, "sprintf", &values).map_err(|(_, stop)| stop)?;
                self.stack.push(Value::string(&text));
                return Ok(());
            }
            // Those are instructions of their own, or read and write.
            _ => 0.0,
        };
        self.push_number(result);
        Ok(())
    }

    /// The generator of drand48(3).
    fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & 0xffff_ffff_ffff;
        let bits = u32::try_from(self.random >> 16).unwrap_or(0);
        f64::from(bits) / 4_294_967_296.0
    }

    pub(super) fn split(&mut self, array: Variable, separator: Separator) -> Result<(), Stop> {
        let separator = match separator {
            Separator::Default => self.separator(&self.special(special::FS))?,
            Separator::Pattern(number) => super::record::FieldSeparator::Pattern(self.pattern(Some(number))?),
            Separator::Dynamic => {
                let value = self.pop();
                self.separator(&value)?
            }
        };
        let text = self.pop_text();
        let pieces = split(&text, &separator);
        let array = self.array(array)?;
        let mut array = array.borrow_mut();
        array.clear();
        let length = pieces.len();
        for (number, piece) in (1..).zip(pieces) {
            array.insert(format!("{number}").into_bytes().into(), Value::Input(piece));
        }
        self.push_number(count(length));
        Ok(())
    }

    pub(super) fn match_position(&mut self, pattern: Option<usize>) -> Result<(), Stop> {
        let expression = self.pattern(pattern)?;
        let text = self.pop_text();
        let found = expression.find(&text, 0).map_err(|error| Stop::RunTime(error.to_string().into_bytes()))?;
        let (start, length) =
            found.map_or((0.0, -1.0), |found| (count(found.range.start + 1), count(found.range.len())));
        self.set_special(special::RSTART, Value::Number(start));
        self.set_special(special::RLENGTH, Value::Number(length));
        self.push_number(start);
        Ok(())
    }

    pub(super) fn substitute(&mut self, pattern: Option<usize>, place: Place, is_global: bool) -> Result<(), Stop> {
        let replacement = self.pop_text();
        let expression = self.pattern(pattern)?;
        let key = self.pop_key(place);
        let value = self.load(place, &key)?;
        let text = self.text(&value);
        let (output, number) = substituted(&expression, &text, &replacement, is_global)?;
        if number > 0 {
            self.store(place, &key, Value::string(&output))?;
        }
        self.push_number(count(number));
        Ok(())
    }
}

fn substring(text: &[u8], start: f64, length: Option<f64>) -> &[u8] {
    // mawk 1.3.4 does not round, and what is before the first byte takes nothing from the length.
    let first = if start.is_nan() { start } else { start.trunc().max(1.0) };
    let end =
        length.map_or(f64::INFINITY, |length| if length.is_nan() { f64::NEG_INFINITY } else { first + length.trunc() });
    let index = |position: f64| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within the text")]
        let index = (position - 1.0).clamp(0.0, count(text.len())) as usize;
        index
    };
    if first.is_nan() || end <= first {
        return &[];
    }
    text.get(index(first)..index(end)).unwrap_or_default()
}

fn substituted(
    expression: &RegularExpression,
    text: &[u8],
    replacement: &[u8],
    is_global: bool,
) -> Result<(Vec<u8>, usize), Stop> {
    let (mut output, mut copied, mut start, mut number) = (Vec::new(), 0, 0, 0);
    let mut previous_end = None;
    loop {
        let found = expression.find(text, start).map_err(|error| Stop::RunTime(error.to_string().into_bytes()))?;
        let Some(range) = found.map(|found| found.range) else { break };
        start = if range.is_empty() { range.end + 1 } else { range.end };
        if range.is_empty() && previous_end == Some(range.start) {
            continue;
        }
        previous_end = Some(range.end);
        number += 1;
        output.extend_from_slice(text.get(copied..range.start).unwrap_or_default());
        replace(&mut output, replacement, text.get(range.clone()).unwrap_or_default());
        copied = range.end;
        if !is_global {
            break;
        }
    }
    output.extend_from_slice(text.get(copied..).unwrap_or_default());
    Ok((output, number))
}

/// Appends a replacement, where `&` is what was matched.
fn replace(output: &mut Vec<u8>, replacement: &[u8], matched: &[u8]) {
    let mut rest = replacement;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => output.extend_from_slice(matched),
            b'\\' => match rest.first() {
                Some(next @ (b'&' | b'\\')) => {
                    output.push(*next);
                    rest = rest.get(1..).unwrap_or_default();
                }
                _ => output.push(b'\\'),
            },
            byte => output.push(*byte),
        }
    }
}
