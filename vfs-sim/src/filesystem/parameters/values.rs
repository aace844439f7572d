//! Values of parameters by their kind (`fs_param_is_*()`).

use super::{ParameterValue, Refusal, numbers};
use crate::failure::{Failure, fail};
use crate::namespace::IdExtent;

/// A parameter that must have a text, or must not have an empty one.
pub(in crate::filesystem) const NO_TEXT: Failure =
    fail!(EINVAL, "fs_param_is_string()", "the parameter has no text as its value, or an empty one");

const NO_NUMBER: Failure =
    fail!(EINVAL, "fs_param_is_u32()", "the value of the parameter is no number, or does not fit into 32 bits");

const NO_SIGNED_NUMBER: Failure =
    fail!(EINVAL, "fs_param_is_s32()", "the value of the parameter is no number, or does not fit into 32 bits");

/// `Bad value for 'key'`
pub(in crate::filesystem) fn bad_value(key: &[u8], failure: Failure) -> Refusal {
    Refusal::Invalid(failure, format!("Bad value for '{}'", String::from_utf8_lossy(key)))
}

/// A parameter that must have no value.
pub(in crate::filesystem) fn flag(key: &[u8], value: ParameterValue<'_>) -> Result<(), Refusal> {
    match value {
        ParameterValue::Flag => Ok(()),
        _ => Err(Refusal::Invalid(
            fail!(EINVAL, "__fs_parse()", "the parameter takes no value"),
            format!("Unexpected value for '{}'", String::from_utf8_lossy(key)),
        )),
    }
}

/// A text that is not empty (`fs_param_is_string()`).
pub(in crate::filesystem) fn string<'a>(key: &[u8], value: ParameterValue<'a>) -> Result<&'a [u8], Refusal> {
    match value {
        ParameterValue::String(text) if !text.is_empty() => Ok(text),
        _ => Err(bad_value(key, NO_TEXT)),
    }
}

/// A number (`fs_param_is_u32()`).
pub(super) fn number(key: &[u8], value: ParameterValue<'_>, base: u32) -> Result<u32, Refusal> {
    match value {
        ParameterValue::String(text) => numbers::unsigned(text, base).ok_or_else(|| bad_value(key, NO_NUMBER)),
        _ => Err(bad_value(key, NO_NUMBER)),
    }
}

/// A signed number (`fs_param_is_s32()`).
pub(super) fn signed(key: &[u8], value: ParameterValue<'_>) -> Result<i32, Refusal> {
    match value {
        ParameterValue::String(text) => numbers::signed(text).ok_or_else(|| bad_value(key, NO_SIGNED_NUMBER)),
        _ => Err(bad_value(key, NO_SIGNED_NUMBER)),
    }
}

const NOT_MAPPED: Failure =
    fail!(EINVAL, "fs_param_is_uid()", "the id is not mapped in the user namespace of the process");

/// A user or a group with this map of the caller's namespace; the result is an id of the initial user namespace
/// (`fs_param_is_uid()`).
pub(super) fn id(key: &[u8], value: ParameterValue<'_>, map: &[IdExtent], kind: &str) -> Result<u32, Refusal> {
    let ParameterValue::String(text) = value else { return Err(twice_bad_value(key)) };
    let number = numbers::unsigned(text, 0).ok_or_else(|| twice_bad_value(key))?;
    map.iter()
        .find_map(|extent| extent.outside_of(number))
        .ok_or_else(|| Refusal::Invalid(NOT_MAPPED, format!("Invalid {kind} '{}'", String::from_utf8_lossy(text))))
}

/// A bad number of a user is complained about by the reader of numbers and by the one of users.
fn twice_bad_value(key: &[u8]) -> Refusal {
    Refusal::Twice(NO_NUMBER, format!("Bad value for '{}'", String::from_utf8_lossy(key)))
}
