//! Variables, the record, and expressions that are compiled: what instructions without input or output work on.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::programs::regular_expression::{Error, Flavor, RegularExpression, Syntax};

use super::code::Place;
use super::record::{FIELD_LIMIT, FieldSeparator, Record, split};
use super::syntax::{Function, Variable, special};
use super::value::Value;

/// An array. Its order is that of the keys, which is the same in every run.
pub(super) type Array = Rc<RefCell<BTreeMap<Rc<[u8]>, Value>>>;

/// What a variable has.
#[derive(Clone, Debug, Default)]
pub(super) enum Cell {
    #[default]
    Unset,
    Scalar(Value),
    Array(Array),
}

/// Why a program ends.
#[derive(Debug)]
pub(super) enum Stop {
    /// A message about what the program did, with the place in its input.
    RunTime(Vec<u8>),
    /// Another message.
    Fatal(Vec<u8>),
    Errno(cofferdam::kernel::Errno),
}

impl From<cofferdam::kernel::Errno> for Stop {
    fn from(errno: cofferdam::kernel::Errno) -> Self {
        Self::Errno(errno)
    }
}

/// All that a program has.
#[derive(Default)]
pub(super) struct State {
    pub(super) globals: Vec<Cell>,
    pub(super) locals: Vec<Cell>,
    /// Where the variables of the function that is running begin.
    pub(super) base: usize,
    pub(super) record: Record,
    pub(super) stack: Vec<Value>,
    pub(super) patterns: Vec<Rc<RegularExpression>>,
    pub(super) compiled: HashMap<Rc<[u8]>, Rc<RegularExpression>>,
    pub(super) functions: Vec<Function>,
    pub(super) seed: f64,
    pub(super) random: u64,
}

/// How many expressions are kept: a program may make ever new ones.
const COMPILED_LIMIT: usize = 1000;

/// Compiles a regular expression of awk.
pub(super) fn compile(text: &[u8]) -> Result<RegularExpression, Vec<u8>> {
    RegularExpression::new(text, Syntax { is_lenient: true, ..Syntax::new(Flavor::Awk) }).map_err(|error| {
        let reason = match error {
            Error::UnmatchedOpening => "missing ')'".to_string(),
            Error::UnmatchedBracket | Error::Invalid => "bad class -- [], [^] or [".to_string(),
            Error::NothingToRepeat => "missing operand".to_string(),
            other => other.to_string(),
        };
        [b"regular expression compile failed (", reason.as_bytes(), b")\n", text].concat()
    })
}

impl State {
    pub(super) fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Uninitialized)
    }

    pub(super) fn push_number(&mut self, number: f64) {
        self.stack.push(Value::Number(number));
    }

    fn cell(&mut self, variable: Variable) -> Option<&mut Cell> {
        match variable {
            Variable::Global(index) => self.globals.get_mut(index),
            Variable::Local(index) => self.locals.get_mut(self.base + index),
        }
    }

    /// A variable that awk knows, as it is.
    pub(super) fn special(&self, index: usize) -> Value {
        match self.globals.get(index) {
            Some(Cell::Scalar(value)) => value.clone(),
            _ => Value::Uninitialized,
        }
    }

    pub(super) fn set_special(&mut self, index: usize, value: Value) {
        if let Some(cell) = self.globals.get_mut(index) {
            *cell = Cell::Scalar(value);
        }
    }

    pub(super) fn convfmt(&self) -> Rc<[u8]> {
        self.special(special::CONVFMT).text(b"%.6g")
    }

    /// A value as a string.
    pub(super) fn text(&self, value: &Value) -> Rc<[u8]> {
        match value {
            Value::Number(_) => value.text(&self.convfmt()),
            other => other.text(b""),
        }
    }

    pub(super) fn pop_text(&mut self) -> Rc<[u8]> {
        let value = self.pop();
        self.text(&value)
    }

    /// The array that a variable is.
    pub(super) fn array(&mut self, variable: Variable) -> Result<Array, Stop> {
        match self.cell(variable) {
            Some(Cell::Array(array)) => Ok(array.clone()),
            Some(cell @ Cell::Unset) => {
                let array = Array::default();
                *cell = Cell::Array(array.clone());
                Ok(array)
            }
            _ => Err(Stop::RunTime(b"a scalar is used as an array".to_vec())),
        }
    }

    /// What is passed to a function for a variable.
    pub(super) fn argument(&mut self, variable: Variable, function: usize, position: usize) -> Result<Cell, Stop> {
        let is_array =
            self.functions.get(function).and_then(|function| function.arrays.get(position)).copied().unwrap_or(false);
        if is_array {
            return match self.array(variable) {
                Ok(array) => Ok(Cell::Array(array)),
                Err(_) => Err(self.bad_argument(function, position)),
            };
        }
        if variable == Variable::Global(special::NF) {
            return Ok(Cell::Scalar(self.load_variable(variable)?));
        }
        Ok(self.cell(variable).cloned().unwrap_or_default())
    }

    pub(super) fn bad_argument(&self, function: usize, position: usize) -> Stop {
        let name = self.functions.get(function).map(|function| function.name.clone()).unwrap_or_default();
        let text = [format!("type error in arg({}) in call to ", position + 1).as_bytes(), &name[..]].concat();
        Stop::RunTime(text)
    }

    fn load_variable(&mut self, variable: Variable) -> Result<Value, Stop> {
        if variable == Variable::Global(special::NF) {
            self.split_record()?;
            #[allow(clippy::cast_precision_loss, reason = "the number of fields has a limit")]
            return Ok(Value::Number(self.record.count() as f64));
        }
        match self.cell(variable) {
            Some(Cell::Scalar(value)) => Ok(value.clone()),
            Some(Cell::Array(_)) => Err(Stop::RunTime(b"an array is used as a scalar".to_vec())),
            _ => Ok(Value::Uninitialized),
        }
    }

    pub(super) fn store_variable(&mut self, variable: Variable, value: Value) -> Result<(), Stop> {
        if variable == Variable::Global(special::NF) {
            self.split_record()?;
            let count = field_number(&value)?;
            self.record.set_count(count);
            return Ok(());
        }
        match self.cell(variable) {
            Some(Cell::Array(_)) => Err(Stop::RunTime(b"an array is used as a scalar".to_vec())),
            Some(cell) => {
                *cell = Cell::Scalar(value);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What a place needs from the stack, as a value to come back with.
    pub(super) fn pop_key(&mut self, place: Place) -> Value {
        match place {
            Place::Variable(_) => Value::Uninitialized,
            Place::Field | Place::Element(_) => self.pop(),
        }
    }

    pub(super) fn load(&mut self, place: Place, key: &Value) -> Result<Value, Stop> {
        match place {
            Place::Variable(variable) => self.load_variable(variable),
            Place::Field => match field_number(key)? {
                0 => {
                    let text = self.record_text();
                    Ok(Value::Input(text))
                }
                number => {
                    self.split_record()?;
                    Ok(self.record.field(number))
                }
            },
            Place::Element(array) => {
                let key = self.text(key);
                let array = self.array(array)?;
                Ok(array.borrow_mut().entry(key).or_insert(Value::Uninitialized).clone())
            }
        }
    }

    pub(super) fn store(&mut self, place: Place, key: &Value, value: Value) -> Result<(), Stop> {
        match place {
            Place::Variable(variable) => self.store_variable(variable, value),
            Place::Field => match field_number(key)? {
                0 => {
                    let text = self.text(&value);
                    self.record.set(text);
                    Ok(())
                }
                number => {
                    self.split_record()?;
                    // It is a string from now on, unless it looks like a number.
                    self.record.set_field(number, value);
                    Ok(())
                }
            },
            Place::Element(array) => {
                let key = self.text(key);
                self.array(array)?.borrow_mut().insert(key, value);
                Ok(())
            }
        }
    }

    pub(super) fn record_text(&mut self) -> Rc<[u8]> {
        let (separator, format) = (self.text(&self.special(special::OFS)), self.convfmt());
        self.record.text(&separator, &format)
    }

    fn split_record(&mut self) -> Result<(), Stop> {
        if self.record.is_split() {
            return Ok(());
        }
        let separator = self.separator(&self.special(special::FS))?;
        let fields = split(&self.record.raw(), &separator);
        if fields.len() > FIELD_LIMIT {
            return Err(Stop::RunTime(b"too many fields".to_vec()));
        }
        self.record.set_fields(fields);
        Ok(())
    }

    /// What a value means as a separator of fields.
    pub(super) fn separator(&mut self, value: &Value) -> Result<FieldSeparator, Stop> {
        let text = self.text(value);
        Ok(match &text[..] {
            b" " => FieldSeparator::Blanks,
            [] => FieldSeparator::Nothing,
            [byte] => FieldSeparator::Byte(*byte),
            [b'\\', byte] if !byte.is_ascii_alphanumeric() => FieldSeparator::Byte(*byte),
            _ => FieldSeparator::Pattern(self.dynamic(&text)?),
        })
    }

    /// Compiles a string as a regular expression.
    pub(super) fn dynamic(&mut self, text: &Rc<[u8]>) -> Result<Rc<RegularExpression>, Stop> {
        if let Some(expression) = self.compiled.get(text) {
            return Ok(expression.clone());
        }
        let expression = Rc::new(compile(text).map_err(|message| Stop::Fatal([b"line 1: ", &message[..]].concat()))?);
        if self.compiled.len() >= COMPILED_LIMIT {
            self.compiled.clear();
        }
        self.compiled.insert(text.clone(), expression.clone());
        Ok(expression)
    }

    /// The expression with this number, or that of the string on the stack.
    pub(super) fn pattern(&mut self, number: Option<usize>) -> Result<Rc<RegularExpression>, Stop> {
        if let Some(number) = number {
            match self.patterns.get(number) {
                Some(expression) => Ok(expression.clone()),
                None => Err(Stop::RunTime(b"no such regular expression".to_vec())),
            }
        } else {
            let text = self.pop_text();
            self.dynamic(&text)
        }
    }
}

/// The number of a field.
fn field_number(value: &Value) -> Result<usize, Stop> {
    let number = value.number();
    if number < 0.0 {
        return Err(Stop::RunTime(format!("negative field index ${}", number.trunc()).into_bytes()));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no negative number, and has a limit"
    )]
    let index = number as usize;
    if index > FIELD_LIMIT {
        return Err(Stop::RunTime(format!("maximum number of fields exceeded ({FIELD_LIMIT})").into_bytes()));
    }
    Ok(index)
}
