//! The record and its fields.

use std::rc::Rc;

use crate::programs::regular_expression::RegularExpression;

use super::value::Value;

/// What separates fields.
#[derive(Clone)]
pub(super) enum FieldSeparator {
    /// Blanks and newlines, also at the ends.
    Blanks,
    Byte(u8),
    /// Every byte is a field.
    Nothing,
    Pattern(Rc<RegularExpression>),
}

/// Splits a text into pieces.
pub(super) fn split(text: &[u8], separator: &FieldSeparator) -> Vec<Rc<[u8]>> {
    if text.is_empty() {
        return Vec::new();
    }
    match separator {
        FieldSeparator::Blanks => {
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
            text.split(is_blank).filter(|piece| !piece.is_empty()).map(Rc::from).collect()
        }
        FieldSeparator::Byte(byte) => text.split(|here| here == byte).map(Rc::from).collect(),
        FieldSeparator::Nothing => text.chunks(1).map(Rc::from).collect(),
        FieldSeparator::Pattern(expression) => {
            let (mut pieces, mut start, mut from) = (Vec::new(), 0, 0);
            while let Ok(Some(found)) = expression.find(text, from) {
                if found.range.is_empty() {
                    from = found.range.end + 1;
                    continue;
                }
                pieces.push(text.get(start..found.range.start).unwrap_or_default());
                start = found.range.end;
                from = start;
            }
            pieces.push(text.get(start..).unwrap_or_default());
            pieces.into_iter().map(Rc::from).collect()
        }
    }
}

/// How many fields a record may have.
pub(super) const FIELD_LIMIT: usize = 1 << 20;

/// The record: as a whole, as fields, or both.
#[derive(Default)]
pub(super) struct Record {
    text: Option<Rc<[u8]>>,
    fields: Option<Vec<Value>>,
}

impl Record {
    pub(super) fn set(&mut self, text: Rc<[u8]>) {
        self.text = Some(text);
        self.fields = None;
    }

    /// Whether the fields are known.
    pub(super) fn is_split(&self) -> bool {
        self.fields.is_some()
    }

    pub(super) fn set_fields(&mut self, fields: Vec<Rc<[u8]>>) {
        self.fields = Some(fields.into_iter().map(Value::Input).collect());
    }

    pub(super) fn raw(&self) -> Rc<[u8]> {
        self.text.clone().unwrap_or_else(|| Rc::from(&b""[..]))
    }

    /// The whole; made of the fields if one was changed.
    pub(super) fn text(&mut self, separator: &[u8], format: &[u8]) -> Rc<[u8]> {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let fields = self.fields.as_deref().unwrap_or_default();
        let texts: Vec<Rc<[u8]>> = fields.iter().map(|field| field.text(format)).collect();
        let text: Rc<[u8]> = texts.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>().join(separator).into();
        self.text = Some(text.clone());
        text
    }

    /// The number of fields.
    pub(super) fn count(&self) -> usize {
        self.fields.as_ref().map_or(0, Vec::len)
    }

    /// A field, from 1 on.
    pub(super) fn field(&self, number: usize) -> Value {
        let fields = self.fields.as_deref().unwrap_or_default();
        number.checked_sub(1).and_then(|index| fields.get(index)).cloned().unwrap_or(Value::Uninitialized)
    }

    pub(super) fn set_field(&mut self, number: usize, value: Value) {
        let fields = self.fields.get_or_insert_default();
        if fields.len() < number {
            fields.resize(number, Value::string(b""));
        }
        if let Some(place) = number.checked_sub(1).and_then(|index| fields.get_mut(index)) {
            *place = value;
        }
        self.text = None;
    }

    pub(super) fn set_count(&mut self, count: usize) {
        self.fields.get_or_insert_default().resize(count, Value::string(b""));
        self.text = None;
    }
}
