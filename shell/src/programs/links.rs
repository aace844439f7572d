//! readlink(1) and realpath(1).

use cofferdam::kernel::Errno;

use super::support::canonical::{Existing, relative_path};
use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::quoted_if_needed;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const READLINK: &[Opt] = &[
    option("canonical", 'f', "canonicalize", Takes::Nothing),
    option("existing", 'e', "canonicalize-existing", Takes::Nothing),
    option("missing", 'm', "canonicalize-missing", Takes::Nothing),
    option("no-newline", 'n', "no-newline", Takes::Nothing),
    option("quiet", 'q', "quiet", Takes::Nothing),
    option("quiet", 's', "silent", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("zero", 'z', "zero", Takes::Nothing),
];

fn complain_of(execution: &mut Execution, path: &[u8], errno: Errno) {
    execution.report([&quoted_if_needed(path)[..], b": ", errno.description().as_bytes()].concat());
}

/// readlink(1)
pub(crate) async fn readlink(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, READLINK, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let mode = parsed.options.iter().rev().find_map(|(id, _)| match *id {
        "canonical" => Some(Existing::AllButLast),
        "existing" => Some(Existing::All),
        "missing" => Some(Existing::Nothing),
        _ => None,
    });
    let is_verbose = parsed.options.iter().rev().find(|(id, _)| matches!(*id, "quiet" | "verbose"));
    let is_verbose = is_verbose.is_some_and(|(id, _)| *id == "verbose");
    let mut has_end = !parsed.has("no-newline");
    if !has_end && parsed.operands.len() > 1 {
        execution.report("ignoring --no-newline with multiple arguments");
        has_end = true;
    }
    let end: &[u8] = if parsed.has("zero") { b"\0" } else { b"\n" };
    let mut status = 0;
    for path in &parsed.operands {
        let result = match mode {
            Some(existing) => execution.canonical(path, existing, true),
            None => execution.read_link(path),
        };
        match result {
            Ok(text) => execution.print([&text[..], if has_end { end } else { b"" }].concat()),
            Err(errno) => {
                status = 1;
                if is_verbose {
                    complain_of(execution, path, errno);
                }
            }
        }
    }
    status
}

const REALPATH: &[Opt] = &[
    option("existing", 'e', "canonicalize-existing", Takes::Nothing),
    option("missing", 'm', "canonicalize-missing", Takes::Nothing),
    option("physical", 'P', "physical", Takes::Nothing),
    option("quiet", 'q', "quiet", Takes::Nothing),
    option("no-symlinks", 's', "strip", Takes::Nothing),
    option("no-symlinks", '\0', "no-symlinks", Takes::Nothing),
    option("zero", 'z', "zero", Takes::Nothing),
    option("relative-to", '\0', "relative-to", Takes::Argument),
    option("relative-base", '\0', "relative-base", Takes::Argument),
    not_simulated("!-L", 'L', "logical", Takes::Nothing),
];

/// realpath(1)
pub(crate) async fn realpath(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, REALPATH, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let existing = parsed.options.iter().rev().find_map(|(id, _)| match *id {
        "existing" => Some(Existing::All),
        "missing" => Some(Existing::Nothing),
        _ => None,
    });
    let existing = existing.unwrap_or(Existing::AllButLast);
    let follows = !parsed.has("no-symlinks");
    let mut directories = [None, None];
    for (directory, id) in directories.iter_mut().zip(["relative-to", "relative-base"]) {
        let Some(path) = parsed.value(id) else { continue };
        match execution.canonical(path, existing, follows) {
            Ok(real) if existing == Existing::All && !execution.is_directory(&real) => {
                complain_of(execution, path, Errno::ENOTDIR);
                return 1;
            }
            Ok(real) => *directory = Some(real),
            Err(errno) => {
                complain_of(execution, path, errno);
                return 1;
            }
        }
    }
    let [to, base] = directories;
    let to = match (to, &base) {
        // A base that the directory is not below of is of no use to anybody.
        (Some(to), Some(base)) if !is_below(&to, base) => None,
        (None, Some(base)) => Some(base.clone()),
        (to, _) => to,
    };
    let end: &[u8] = if parsed.has("zero") { b"\0" } else { b"\n" };
    let mut status = 0;
    for path in &parsed.operands {
        match execution.canonical(path, existing, follows) {
            Ok(real) => {
                let text = match &to {
                    Some(to) if base.as_ref().is_none_or(|base| is_below(&real, base)) => relative_path(&real, to),
                    _ => real,
                };
                execution.print([&text[..], end].concat());
            }
            Err(errno) => {
                status = 1;
                if !parsed.has("quiet") {
                    complain_of(execution, path, errno);
                }
            }
        }
    }
    status
}

/// Whether a canonical path is a directory or below it.
fn is_below(path: &[u8], directory: &[u8]) -> bool {
    directory == b"/" || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
