//! rm(1)

use super::support::files::is_same_file;
use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::ends_in_dots;
use super::support::quote::quoted_always;
use super::support::removal::Removal;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("recursive", 'r', "recursive", Takes::Nothing),
    option("recursive", 'R', "", Takes::Nothing),
    option("force", 'f', "force", Takes::Nothing),
    option("directory", 'd', "dir", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("one", '\0', "one-file-system", Takes::Nothing),
    option("no-preserve-root", '\0', "no-preserve-root", Takes::Nothing),
    option("preserve-root", '\0', "preserve-root", Takes::Nothing),
    option("interactive", 'i', "", Takes::Nothing),
    option("interactive", 'I', "", Takes::Nothing),
    option("interactive", '\0', "interactive", Takes::Optional),
    not_simulated("!---presume-input-tty", '\0', "-presume-input-tty", Takes::Nothing),
];

/// rm(1)
pub(crate) async fn rm(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    // The last one counts.
    let manner = parsed.options.iter().rev().find(|(id, _)| matches!(*id, "force" | "interactive"));
    if manner.is_some_and(|(id, when)| *id == "interactive" && when.as_deref() != Some(b"never")) {
        execution.report("option '-i' is not simulated");
        return 1;
    }
    let removal = Removal {
        ignores_missing: manner.is_some_and(|(id, _)| *id == "force"),
        is_recursive: parsed.has("recursive"),
        removes_empty_directories: parsed.has("directory"),
        stays_on_filesystem: parsed.has("one"),
        is_verbose: parsed.has("verbose"),
    };
    if parsed.operands.is_empty() {
        return if removal.ignores_missing { 0 } else { usage(execution, "missing operand", 1) };
    }
    let preserves_root = !parsed.has("no-preserve-root");
    let mut status = 0;
    for path in &parsed.operands {
        let is_refused = removal.is_recursive && is_refused(execution, path, preserves_root);
        if is_refused || !removal.remove(execution, path) {
            status = 1;
        }
    }
    status
}

/// Whether a path is one of those that must not be removed with all that is in them, which is reported.
fn is_refused(execution: &mut Execution, path: &[u8], preserves_root: bool) -> bool {
    let name = quoted_always(path);
    if ends_in_dots(path) {
        execution.report([b"refusing to remove '.' or '..' directory: skipping ", &name[..]].concat());
        return true;
    }
    let is_root = match (execution.lstat(path), execution.lstat(b"/")) {
        (Ok(one), Ok(root)) => is_same_file(&one, &root),
        _ => false,
    };
    if !is_root || !preserves_root {
        return false;
    }
    let alias: &[u8] = if path == b"/" { b"" } else { b" (same as '/')" };
    execution.report([b"it is dangerous to operate recursively on ", &name[..], alias].concat());
    execution.report("use --no-preserve-root to override this failsafe");
    true
}
