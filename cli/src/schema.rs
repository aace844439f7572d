//! `cofferdam schema`: the JSON Schemas of the messages.

use std::io::{self, Write as _};

use cofferdam::schema::{NAMES, schema};

use crate::arguments::SchemaArguments;
use crate::run::Failure;

/// A schema can't be printed.
#[derive(Debug, thiserror::Error)]
enum SchemaError {
    #[error("there is no schema {0}")]
    Unknown(String),
    #[error("cannot print the schema: {0}")]
    Print(io::Error),
}

/// Prints a schema to standard output, or the names of all. Gives the exit status.
pub(crate) fn print(arguments: &SchemaArguments) -> Result<i32, Failure> {
    let text = match &arguments.name {
        Some(name) => serde_json::to_string_pretty(&schema(name).ok_or_else(|| SchemaError::Unknown(name.clone()))?)?,
        None => NAMES.join("\n"),
    };
    match io::stdout().write_all(format!("{text}\n").as_bytes()) {
        // Who reads no further has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(SchemaError::Print(error).into()),
        _ => Ok(0),
    }
}
