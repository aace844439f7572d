//! Options of GNU programs, and what these say of mistakes.

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option, parse};

/// What the id of an option starts with that the real program has and ours has not; the option follows.
const NOT_SIMULATED: &str = "!";

/// An option that the real program has and ours has not; its id is `!` and what the user typed.
pub(crate) const fn not_simulated(id: &'static str, short: char, long: &'static str, argument: Takes) -> Opt {
    option(id, short, long, argument)
}

/// The options `--help` and `--version`, which GNU programs have, and ours have not.
const COMMON: [Opt; 2] = [
    not_simulated("!--help", '\0', "help", Takes::Nothing),
    not_simulated("!--version", '\0', "version", Takes::Nothing),
];

impl Execution {
    /// Where help is to be had, which follows the message about a mistake in the arguments.
    pub(crate) fn help_hint(&self) -> Vec<u8> {
        [b"Try '", &self.name[..], b" --help' for more information."].concat()
    }
}

/// As [`take_options`], for the programs of diffutils: they have their name before the line with the help, too.
pub(crate) fn take_options_with_named_help(
    execution: &mut Execution,
    known: &[Opt],
    status: i32,
) -> Result<Parsed, i32> {
    let known = [known, &COMMON].concat();
    let arguments = execution.arguments.get(1..).unwrap_or_default();
    match parse(&known, Order::Permute, arguments) {
        Ok(parsed) => refuse_unknown(execution, parsed, status),
        Err(message) => {
            execution.report(message);
            let help = execution.help_hint();
            execution.report(help);
            Err(status)
        }
    }
}

/// Takes the arguments of a program apart. A mistake is reported; the error is the status that the program exits with.
pub(crate) fn take_options(execution: &mut Execution, known: &[Opt], order: Order, status: i32) -> Result<Parsed, i32> {
    let known = [known, &COMMON].concat();
    let arguments = execution.arguments.get(1..).unwrap_or_default();
    let parsed = match parse(&known, order, arguments) {
        Ok(parsed) => parsed,
        Err(message) => return Err(usage(execution, message, status)),
    };
    refuse_unknown(execution, parsed, status)
}

/// Refuses what the real program has and ours has not.
fn refuse_unknown(execution: &mut Execution, parsed: Parsed, status: i32) -> Result<Parsed, i32> {
    match parsed.options.iter().find_map(|(id, _)| id.strip_prefix(NOT_SIMULATED)) {
        Some(name) => {
            execution.report(format!("option '{name}' is not simulated"));
            Err(status)
        }
        None => Ok(parsed),
    }
}

/// Reports a mistake in the arguments and where there is help, as GNU programs do; comes to the status.
pub(crate) fn usage(execution: &mut Execution, message: impl AsRef<[u8]>, status: i32) -> i32 {
    execution.report(message);
    let hint = execution.help_hint();
    execution.report_line(hint);
    status
}
