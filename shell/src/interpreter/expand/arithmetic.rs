//! Arithmetic, on 64-bit integers that wrap around, as in dash on a 64-bit machine.

use brush_parser::arithmetic;
use brush_parser::ast::{ArithmeticExpr, ArithmeticTarget, BinaryOperator, UnaryAssignmentOperator, UnaryOperator};

use super::Boxed;
use crate::interpreter::Shell;
use crate::interpreter::stop::Stop;

/// How deep an expression may be nested: it is evaluated recursively.
const MAX_NESTING: usize = 60;

impl Shell {
    /// The value of an expression, whose own expansions come first.
    pub(in crate::interpreter) fn arithmetic<'a>(&'a mut self, text: &'a str) -> Boxed<'a, i64> {
        Box::pin(async move {
            let expanded = self.document(&text.replace('"', "")).await?;
            let expanded = String::from_utf8_lossy(&expanded).into_owned();
            let expression = parse(&expanded)?;
            Evaluation { shell: self, text: &expanded }.value(&expression, 0)
        })
    }
}

fn parse(text: &str) -> Result<ArithmeticExpr, Stop> {
    let mut depth: usize = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'!' | b'~' | b'?' | b'=' => depth += 1,
            b')' | b']' | b':' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(error("nested too deeply", text));
        }
    }
    if text.trim().is_empty() {
        return Ok(ArithmeticExpr::Literal(0));
    }
    arithmetic::parse(text).map_err(|_| error(complaint(text), text))
}

/// What dash says of an expression that is none.
fn complaint(text: &str) -> &'static str {
    let ends_with_operator = text.trim_end().ends_with(|last: char| "+-*/%<>=&|^!~?:(,".contains(last));
    let starts_badly = text.trim_start().starts_with(|first: char| "*/%<>=&|^?:),".contains(first));
    if ends_with_operator || starts_badly || text.contains("()") {
        "expecting primary"
    } else if text.matches('(').count() > text.matches(')').count() {
        "expecting ')'"
    } else {
        "expecting EOF"
    }
}

fn error(what: &str, text: &str) -> Stop {
    Stop::fatal(format!("arithmetic expression: {what}: \"{text}\""))
}

struct Evaluation<'a> {
    shell: &'a mut Shell,
    text: &'a str,
}

impl Evaluation<'_> {
    fn value(&mut self, expression: &ArithmeticExpr, depth: usize) -> Result<i64, Stop> {
        // Additions in a row are nested too.
        if depth > 500 {
            return Err(error("nested too deeply", self.text));
        }
        let depth = depth + 1;
        match expression {
            ArithmeticExpr::Literal(number) => Ok(*number),
            ArithmeticExpr::Reference(target) => self.variable(target),
            ArithmeticExpr::UnaryOp(operator, operand) => {
                let value = self.value(operand, depth)?;
                Ok(match operator {
                    UnaryOperator::UnaryPlus => value,
                    UnaryOperator::UnaryMinus => value.wrapping_neg(),
                    UnaryOperator::BitwiseNot => !value,
                    UnaryOperator::LogicalNot => i64::from(value == 0),
                })
            }
            ArithmeticExpr::BinaryOp(BinaryOperator::LogicalAnd, left, right) => {
                Ok(i64::from(self.value(left, depth)? != 0 && self.value(right, depth)? != 0))
            }
            ArithmeticExpr::BinaryOp(BinaryOperator::LogicalOr, left, right) => {
                Ok(i64::from(self.value(left, depth)? != 0 || self.value(right, depth)? != 0))
            }
            ArithmeticExpr::BinaryOp(operator, left, right) => {
                let (left, right) = (self.value(left, depth)?, self.value(right, depth)?);
                self.binary(*operator, left, right)
            }
            ArithmeticExpr::Conditional(condition, yes, no) => {
                let chosen = if self.value(condition, depth)? != 0 { yes } else { no };
                self.value(chosen, depth)
            }
            ArithmeticExpr::Assignment(target, value) => {
                let value = self.value(value, depth)?;
                self.assign(target, value)
            }
            ArithmeticExpr::BinaryAssignment(operator, target, value) => {
                let right = self.value(value, depth)?;
                let left = self.variable(target)?;
                let value = self.binary(*operator, left, right)?;
                self.assign(target, value)
            }
            ArithmeticExpr::UnaryAssignment(operator, target) => {
                let before = self.variable(target)?;
                let after = match operator {
                    UnaryAssignmentOperator::PrefixIncrement | UnaryAssignmentOperator::PostfixIncrement => {
                        before.wrapping_add(1)
                    }
                    UnaryAssignmentOperator::PrefixDecrement | UnaryAssignmentOperator::PostfixDecrement => {
                        before.wrapping_sub(1)
                    }
                };
                self.assign(target, after)?;
                Ok(match operator {
                    UnaryAssignmentOperator::PrefixIncrement | UnaryAssignmentOperator::PrefixDecrement => after,
                    UnaryAssignmentOperator::PostfixIncrement | UnaryAssignmentOperator::PostfixDecrement => before,
                })
            }
        }
    }

    fn binary(&self, operator: BinaryOperator, left: i64, right: i64) -> Result<i64, Stop> {
        let shift = u32::try_from(right & 63).unwrap_or_default();
        Ok(match operator {
            BinaryOperator::Power => u32::try_from(right).map_or(0, |exponent| left.wrapping_pow(exponent)),
            BinaryOperator::Multiply => left.wrapping_mul(right),
            BinaryOperator::Divide | BinaryOperator::Modulo if right == 0 => {
                return Err(error("division by zero", self.text));
            }
            BinaryOperator::Divide => left.wrapping_div(right),
            BinaryOperator::Modulo => left.wrapping_rem(right),
            BinaryOperator::Comma => right,
            BinaryOperator::Add => left.wrapping_add(right),
            BinaryOperator::Subtract => left.wrapping_sub(right),
            BinaryOperator::ShiftLeft => left.wrapping_shl(shift),
            BinaryOperator::ShiftRight => left.wrapping_shr(shift),
            BinaryOperator::LessThan => i64::from(left < right),
            BinaryOperator::LessThanOrEqualTo => i64::from(left <= right),
            BinaryOperator::GreaterThan => i64::from(left > right),
            BinaryOperator::GreaterThanOrEqualTo => i64::from(left >= right),
            BinaryOperator::Equals => i64::from(left == right),
            BinaryOperator::NotEquals => i64::from(left != right),
            BinaryOperator::BitwiseAnd => left & right,
            BinaryOperator::BitwiseXor => left ^ right,
            BinaryOperator::BitwiseOr => left | right,
            BinaryOperator::LogicalAnd => i64::from(left != 0 && right != 0),
            BinaryOperator::LogicalOr => i64::from(left != 0 || right != 0),
        })
    }

    fn name<'t>(&self, target: &'t ArithmeticTarget) -> Result<&'t str, Stop> {
        match target {
            ArithmeticTarget::Variable(name) => Ok(name),
            ArithmeticTarget::ArrayElement(..) => Err(error("arrays are not simulated", self.text)),
        }
    }

    fn variable(&mut self, target: &ArithmeticTarget) -> Result<i64, Stop> {
        let name = self.name(target)?;
        if name == "LINENO" {
            return Ok(i64::try_from(self.shell.line).unwrap_or(i64::MAX));
        }
        match self.shell.variables.get(name.as_bytes()) {
            Some(value) => number(value),
            None if self.shell.options.has(b'u') => Err(Stop::fatal(format!("{name}: parameter not set"))),
            None => Ok(0),
        }
    }

    fn assign(&mut self, target: &ArithmeticTarget, value: i64) -> Result<i64, Stop> {
        let name = self.name(target)?;
        self.shell.set(name.as_bytes(), value.to_string())?;
        Ok(value)
    }
}

/// The value of a variable as a number; an expression is none, as in dash.
fn number(value: &[u8]) -> Result<i64, Stop> {
    let text = String::from_utf8_lossy(value);
    let trimmed = text.trim();
    let (is_negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let parsed = if trimmed.is_empty() {
        Some(0)
    } else if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i128::from_str_radix(digits, 16).ok()
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(digits, 8).ok()
    } else {
        digits.parse().ok()
    };
    let value =
        parsed.filter(|_| !digits.starts_with(['-', '+'])).map(|value: i128| if is_negative { -value } else { value });
    let clamped = value.map(|value| value.clamp(i64::MIN.into(), i64::MAX.into()));
    clamped.and_then(|value| i64::try_from(value).ok()).ok_or_else(|| Stop::fatal(format!("Illegal number: {text}")))
}
