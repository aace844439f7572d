//! Arguments of a call, as the types that the kernel takes.

use cofferdam::kernel::{Bytes, DeviceNumber, Fd, Mode};

use super::DecodeError;
use super::constants::constant;
use crate::syntax::{Field, ParsedCall, Value};

/// The arguments of a call.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a ParsedCall);

impl<'a> Arguments<'a> {
    pub(super) fn len(self) -> usize {
        self.0.arguments.len()
    }

    pub(super) fn value(self, index: usize) -> Result<&'a Value, DecodeError> {
        self.0.arguments.get(index).map(|field| &field.value).ok_or(DecodeError::Missing(index + 1))
    }

    /// The argument with this name, or the field of this name in the first one.
    pub(super) fn named(self, name: &str) -> Option<&'a Value> {
        let named = |fields: &'a [Field]| fields.iter().find(|field| field.name.as_deref() == Some(name));
        let first = self.0.arguments.first().and_then(|field| field.value.field(name));
        named(&self.0.arguments).map(|field| &field.value).or(first)
    }

    pub(super) fn number(self, index: usize) -> Result<i128, DecodeError> {
        number(self.value(index)?)
    }

    pub(super) fn id(self, index: usize) -> Result<u32, DecodeError> {
        id(self.value(index)?)
    }

    pub(super) fn bits32(self, index: usize) -> Result<u32, DecodeError> {
        Ok(low_bits(self.number(index)?))
    }

    pub(super) fn bits64(self, index: usize) -> Result<u64, DecodeError> {
        bits64(self.value(index)?)
    }

    pub(super) fn mode(self, index: usize) -> Result<Mode, DecodeError> {
        Ok(Mode(self.bits32(index)?))
    }

    pub(super) fn fd(self, index: usize) -> Result<Fd, DecodeError> {
        fd(self.value(index)?)
    }

    pub(super) fn bytes(self, index: usize) -> Result<Bytes, DecodeError> {
        bytes(self.value(index)?)
    }

    /// `None` for `NULL`, and for the address of something that strace has not printed.
    pub(super) fn optional_bytes(self, index: usize) -> Result<Option<Bytes>, DecodeError> {
        match self.value(index)? {
            Value::Name(name) if name == "NULL" => Ok(None),
            Value::Number(_) => Ok(None),
            value => bytes(value).map(Some),
        }
    }

    /// None where strace has not printed one, as for a fifo.
    pub(super) fn device(self, index: usize) -> DeviceNumber {
        self.value(index).ok().and_then(device).unwrap_or(DeviceNumber::NONE)
    }

    pub(super) fn list(self, index: usize) -> Result<&'a [Value], DecodeError> {
        match self.value(index)? {
            Value::List(values) => Ok(values),
            _ => Ok(&[]),
        }
    }
}

/// What a value amounts to.
pub(super) fn number(value: &Value) -> Result<i128, DecodeError> {
    let unreadable = || match value {
        Value::Other(text) => DecodeError::NoNumber(text.escape_ascii().to_string()),
        _ => DecodeError::NoNumber("an argument".into()),
    };
    match value {
        Value::Number(number) => Ok(*number),
        Value::Name(name) => constant(name).ok_or_else(|| DecodeError::UnknownName(name.clone())),
        Value::Described { value, .. } => number(value),
        Value::Union(terms) => terms.iter().try_fold(0, |bits, term| Ok(bits | number(term)?)),
        Value::Shifted(one, by) => match &**by {
            // The name of a capability has the bit as its value here.
            Value::Name(_) => number(by),
            by => {
                let by = u32::try_from(number(by)?).ok().filter(|by| *by < 64).ok_or_else(unreadable)?;
                Ok(number(one)? << by)
            }
        },
        Value::Product(left, right) => number(left)?.checked_mul(number(right)?).ok_or_else(unreadable),
        _ => Err(unreadable()),
    }
}

pub(super) fn bits64(value: &Value) -> Result<u64, DecodeError> {
    Ok(u64::try_from(number(value)? & i128::from(u64::MAX)).unwrap_or_default())
}

fn low_bits(number: i128) -> u32 {
    u32::try_from(number & i128::from(u32::MAX)).unwrap_or_default()
}

pub(super) fn id(value: &Value) -> Result<u32, DecodeError> {
    number(value).map(low_bits)
}

pub(super) fn fd(value: &Value) -> Result<Fd, DecodeError> {
    // Where they are printed raw, negative numbers are not always.
    Ok(Fd(low_bits(number(value)?).cast_signed()))
}

pub(super) fn bytes(value: &Value) -> Result<Bytes, DecodeError> {
    match value {
        Value::Text { is_cut: true, .. } => Err(DecodeError::Cut),
        Value::Text { bytes, is_cut: false } => Ok(Bytes(bytes.clone())),
        _ => Err(DecodeError::NoText),
    }
}

pub(super) fn device(value: &Value) -> Option<DeviceNumber> {
    match value {
        Value::Applied(name, numbers) if name == "makedev" => match &numbers[..] {
            [major, minor] => Some(DeviceNumber { major: id(major).ok()?, minor: id(minor).ok()? }),
            _ => None,
        },
        _ => None,
    }
}
