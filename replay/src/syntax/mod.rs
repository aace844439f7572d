//! The text of strace(1), taken apart: lines, calls, arguments. What they mean is of no concern here.

mod line;
mod parser;
mod value;

pub use line::{Ending, Line, LineKind, parse_line};
pub use parser::{ParsedCall, Returned, parse_call};
pub(crate) use value::named;
pub use value::{Field, Value};

/// A line can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// It is nothing that strace writes.
    #[error("this is no line of strace, which has nothing else in its log with -o: {0:?}")]
    NoLine(String),
    /// The arguments of a call end too early, or are nested too deeply.
    #[error("the arguments of {name} cannot be read from {rest:?} on")]
    Arguments {
        /// The call.
        name: String,
        /// Where it went wrong.
        rest: String,
    },
    /// There is no result.
    #[error("{name} has no result that can be read: {rest:?}")]
    Result {
        /// The call.
        name: String,
        /// What is in its place.
        rest: String,
    },
}

/// The start of a text, for a message.
fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    String::from_utf8_lossy(text.get(..LONGEST).unwrap_or(text)).into_owned()
}
