//! What the small programs of GNU coreutils have in common.

use cofferdam::kernel::Errno;

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed};

use super::lines::Source;
use super::support::options::{take_options, usage};

/// Why a program ends with this status; what there was to say has been said.
pub(super) struct Failure(pub(super) i32);

/// Says how to get help, after a message.
#[allow(clippy::unused_async, reason = "so are the others that may fail")]
pub(super) async fn misuse(execution: &mut Execution, message: impl AsRef<[u8]>, status: i32) -> Failure {
    Failure(usage(execution, message, status))
}

/// Takes the arguments apart.
#[allow(clippy::unused_async, reason = "so are the others that may fail")]
pub(super) async fn options(execution: &mut Execution, known: &[Opt], status: i32) -> Result<Parsed, Failure> {
    take_options(execution, known, Order::Permute, status).map_err(Failure)
}

/// Says what is the matter with a file.
pub(super) async fn complain_of(execution: &mut Execution, file: &[u8], errno: Errno) {
    execution.complain([file, b": ", errno.description().as_bytes()].concat()).await;
}

/// The operands, or standard input.
pub(super) fn files(parsed: &Parsed) -> Vec<Vec<u8>> {
    if parsed.operands.is_empty() { vec![b"-".to_vec()] } else { parsed.operands.clone() }
}

/// Opens a file; says so if it can't be.
pub(super) async fn open(execution: &mut Execution, file: &[u8], what: &str) -> Option<Source> {
    match Source::open_operand(execution, file).await {
        Ok(source) => Some(source),
        Err(errno) => {
            if what.is_empty() {
                complain_of(execution, file, errno).await;
            } else {
                let reason = errno.description();
                execution
                    .complain([what.as_bytes(), b" '", file, b"' for reading: ", reason.as_bytes()].concat())
                    .await;
            }
            None
        }
    }
}

/// A number in decimal; `None` if it is none.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok().map(|text| text.parse().unwrap_or(u64::MAX))
}

#[allow(clippy::needless_pass_by_value, reason = "it is what a program came to")]
/// The status of a program that a failure, or a write that failed, has ended.
pub(super) fn status(result: Result<i32, Failure>) -> i32 {
    match result {
        Ok(status) | Err(Failure(status)) => status,
    }
}

impl From<Errno> for Failure {
    /// A write that failed: the reader is gone, and the process with it.
    fn from(_: Errno) -> Self {
        Self(1)
    }
}
