//! What commands are told on standard input, and what they say on standard output.

use std::io::{IsTerminal as _, Read as _, Write as _};

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LifeCycleError;
use crate::run::Failure;

/// Reads JSON from standard input.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str) -> Result<T, Failure> {
    let text = text(what)?;
    parse(what, &text)
}

/// The same, of standard input that may be empty, or a terminal, at which nobody types JSON.
pub(crate) fn read_if_there<T: DeserializeOwned>(what: &'static str) -> Result<Option<T>, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let text = text(what)?;
    if text.iter().all(u8::is_ascii_whitespace) { Ok(None) } else { parse(what, &text).map(Some) }
}

fn text(what: &'static str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut text);
    read.map_err(|error| LifeCycleError::Input { what, error: format!("it can't be read: {error}") })?;
    Ok(text)
}

fn parse<T: DeserializeOwned>(what: &'static str, text: &[u8]) -> Result<T, Failure> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut parser);
    let value = value.map_err(|error| LifeCycleError::Input { what, error: error.to_string() })?;
    parser.end().map_err(|error| LifeCycleError::Input { what, error: error.to_string() })?;
    Ok(value)
}

/// Writes JSON to standard output, in one line.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<(), Failure> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    Ok(print(&text)?)
}

/// Writes text to standard output.
pub(crate) fn print(text: &[u8]) -> Result<(), CallError> {
    let mut output = std::io::stdout().lock();
    output.write_all(text).and_then(|()| output.flush()).map_err(|error| {
        // Of a file that takes no more, though nothing is wrong with it, there is no number.
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        let error = CallError::new("write to", UnixPath::new("standard output"), errno);
        match errno {
            Errno::EPIPE => error.with_hint("whoever reads it must do so to the end; repeat the command"),
            Errno::ENOSPC | Errno::EDQUOT => {
                error.with_hint("make room where it is written to, and repeat the command")
            }
            _ => error.with_hint("direct it elsewhere, and repeat the command"),
        }
    })
}
