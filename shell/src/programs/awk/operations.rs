//! The instructions that need nothing but values.

use std::rc::Rc;

use super::code::Instruction;
use super::functions::{arithmetic, count};
use super::state::{Cell, State, Stop};
use super::syntax::{Comparison, special};
use super::value::Value;

impl State {
    /// What needs nothing but values.
    #[allow(clippy::too_many_lines, reason = "a table of instructions")]
    pub(super) fn operate(&mut self, instruction: &Instruction) -> Result<(), Stop> {
        match instruction {
            Instruction::Push(value) => self.stack.push(value.clone()),
            Instruction::Pop => drop(self.pop()),
            Instruction::Load(place) => {
                let key = self.pop_key(*place);
                let value = self.load(*place, &key)?;
                self.stack.push(value);
            }
            Instruction::Assign(operator, place) => {
                let mut value = self.pop();
                let key = self.pop_key(*place);
                if let Some(operator) = operator {
                    let old = self.load(*place, &key)?.number();
                    value = Value::Number(arithmetic(*operator, old, value.number()));
                }
                self.store(*place, &key, value.clone())?;
                self.stack.push(value);
            }
            Instruction::Increment { place, by, is_prefix } => {
                let key = self.pop_key(*place);
                let old = self.load(*place, &key)?.number();
                self.store(*place, &key, Value::Number(old + by))?;
                self.push_number(if *is_prefix { old + by } else { old });
            }
            Instruction::Key(1) => {}
            Instruction::Key(parts) => {
                let at = self.stack.len().saturating_sub(*parts);
                let values = self.stack.split_off(at);
                let separator = self.text(&self.special(special::SUBSEP));
                let texts: Vec<Rc<[u8]>> = values.iter().map(|value| self.text(value)).collect();
                let key = texts.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>().join(&separator[..]);
                self.stack.push(Value::string(&key));
            }
            Instruction::In(array) => {
                let key = self.pop_text();
                let has = self.array(*array)?.borrow().contains_key(&key);
                self.stack.push(Value::truth(has));
            }
            Instruction::Arithmetic(operator) => {
                let (right, left) = (self.pop().number(), self.pop().number());
                self.push_number(arithmetic(*operator, left, right));
            }
            Instruction::Compare(comparison) => {
                let (right, left) = (self.pop(), self.pop());
                let order = left.compare(&right, &self.convfmt());
                let holds = match comparison {
                    Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
                    Comparison::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
                    Comparison::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
                    Comparison::NotEqual => order.is_none_or(std::cmp::Ordering::is_ne),
                    Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
                    Comparison::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
                };
                self.stack.push(Value::truth(holds));
            }
            Instruction::Concatenate => {
                let (right, left) = (self.pop_text(), self.pop_text());
                self.stack.push(Value::string(&[&left[..], &right[..]].concat()));
            }
            Instruction::Match { pattern, is_negated } => {
                let expression = self.pattern(*pattern)?;
                let text = self.pop_text();
                self.stack.push(Value::truth(expression.is_match(&text).unwrap_or(false) != *is_negated));
            }
            Instruction::MatchRecord(pattern) => {
                let text = self.record_text();
                let is_match = self.pattern(Some(*pattern))?.is_match(&text).unwrap_or(false);
                self.stack.push(Value::truth(is_match));
            }
            Instruction::Not => {
                let value = self.pop();
                self.stack.push(Value::truth(!value.is_true()));
            }
            Instruction::Truth => {
                let value = self.pop();
                self.stack.push(Value::truth(value.is_true()));
            }
            Instruction::Negative => {
                let number = self.pop().number();
                self.push_number(-number);
            }
            Instruction::Positive => {
                let number = self.pop().number();
                self.push_number(number);
            }
            Instruction::Delete(array) => {
                let key = self.pop_text();
                self.array(*array)?.borrow_mut().remove(&key);
            }
            Instruction::DeleteAll(array) => self.array(*array)?.borrow_mut().clear(),
            Instruction::Builtin(builtin, arguments) => self.call_builtin(*builtin, *arguments)?,
            Instruction::Length(variable) => {
                let length = match self.argument(*variable, usize::MAX, 0)? {
                    Cell::Array(array) => array.borrow().len(),
                    Cell::Scalar(value) => self.text(&value).len(),
                    Cell::Unset => 0,
                };
                self.push_number(count(length));
            }
            Instruction::Split(array, separator) => self.split(*array, *separator)?,
            Instruction::Substitute { pattern, place, is_global } => self.substitute(*pattern, *place, *is_global)?,
            Instruction::MatchPosition(pattern) => self.match_position(*pattern)?,
            // The others are done by the interpreter.
            _ => {}
        }
        Ok(())
    }
}
