//! What the small programs of GNU coreutils have in common.

use cofferdam::kernel::Errno;

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, parse};

use super::lines::Source;

/// Options that all of them have.
const EVERYWHERE: &[Opt] = &[
    crate::getopt::option("--help", '\0', "help", crate::getopt::Takes::Nothing),
    crate::getopt::option("--version", '\0', "version", crate::getopt::Takes::Nothing),
];

/// Why a program ends with this status; what there was to say has been said.
pub(super) struct Failure(pub(super) i32);

/// Says how to get help, after a message.
pub(super) async fn misuse(execution: &mut Execution, message: impl AsRef<[u8]>, status: i32) -> Failure {
    execution.complain(message).await;
    let hint = [b"Try '", &execution.name[..], b" --help' for more information.\n"].concat();
    execution.write_error(&hint).await;
    Failure(status)
}

/// Takes the arguments apart; options whose id begins with `--` are those that are not simulated.
pub(super) async fn options(execution: &mut Execution, known: &[Opt], status: i32) -> Result<Parsed, Failure> {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    match parse(&[known, EVERYWHERE].concat(), Order::Permute, &arguments) {
        Ok(parsed) => {
            if let Some((id, _)) = parsed.options.iter().find(|(id, _)| id.starts_with("--")) {
                execution.complain(format!("option '{id}' is not simulated")).await;
                return Err(Failure(status));
            }
            Ok(parsed)
        }
        Err(message) => Err(misuse(execution, message, status).await),
    }
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
