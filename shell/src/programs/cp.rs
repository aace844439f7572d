//! cp(1)

use super::support::copy::{Copier, CopyOptions, Dereference};
use super::support::options::{not_simulated, take_options};
use super::support::paths::without_trailing_slashes;
use super::support::quote::quoted_as_in_c;
use super::support::targets::{TargetOptions, sources_and_targets};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("archive", 'a', "archive", Takes::Nothing),
    option("recursive", 'r', "recursive", Takes::Nothing),
    option("recursive", 'R', "", Takes::Nothing),
    option("preserve", 'p', "", Takes::Nothing),
    option("preserve", '\0', "preserve", Takes::Optional),
    option("no-dereference-links", 'd', "", Takes::Nothing),
    option("never", 'P', "no-dereference", Takes::Nothing),
    option("always", 'L', "dereference", Takes::Nothing),
    option("operands", 'H', "", Takes::Nothing),
    option("force", 'f', "force", Takes::Nothing),
    option("no-clobber", 'n', "no-clobber", Takes::Nothing),
    option("no-target-directory", 'T', "no-target-directory", Takes::Nothing),
    option("target-directory", 't', "target-directory", Takes::Argument),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("one", 'x', "one-file-system", Takes::Nothing),
    option("remove", '\0', "remove-destination", Takes::Nothing),
    option("strip", '\0', "strip-trailing-slashes", Takes::Nothing),
    // How blocks are shared and holes are made is nothing that can be seen in the simulation.
    option("reflink", '\0', "reflink", Takes::Optional),
    option("sparse", '\0', "sparse", Takes::Argument),
    not_simulated("!--attributes-only", '\0', "attributes-only", Takes::Nothing),
    not_simulated("!-b", 'b', "", Takes::Nothing),
    not_simulated("!--backup", '\0', "backup", Takes::Optional),
    not_simulated("!-S", 'S', "suffix", Takes::Argument),
    not_simulated("!--copy-contents", '\0', "copy-contents", Takes::Nothing),
    not_simulated("!-i", 'i', "interactive", Takes::Nothing),
    not_simulated("!-l", 'l', "link", Takes::Nothing),
    not_simulated("!-s", 's', "symbolic-link", Takes::Nothing),
    not_simulated("!-u", 'u', "update", Takes::Nothing),
    not_simulated("!-Z", 'Z', "context", Takes::Nothing),
    not_simulated("!--parents", '\0', "parents", Takes::Nothing),
    not_simulated("!--no-preserve", '\0', "no-preserve", Takes::Argument),
];

/// cp(1)
pub(crate) async fn cp(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let options = match copy_options(&parsed) {
        Ok(options) => options,
        Err(unknown) => {
            let text = [b"invalid argument ", &quoted_as_in_c(&unknown)[..], b" for '--preserve'"].concat();
            execution.report(text);
            execution.report_line("Valid arguments are:");
            for known in ["mode", "timestamps", "ownership", "links", "context", "xattr", "all"] {
                execution.report_line(format!("  - '{known}'"));
            }
            let hint = execution.help_hint();
            execution.report_line(hint);
            return 1;
        }
    };
    let targets = TargetOptions {
        directory: parsed.value("target-directory"),
        is_no_directory: parsed.has("no-target-directory"),
        ..TargetOptions::default()
    };
    let pairs = match sources_and_targets(execution, &parsed.operands, targets) {
        Ok(pairs) => pairs,
        Err(status) => return status,
    };
    let mut copier = Copier::new(execution, options);
    let mut status = 0;
    for (source, target) in &pairs {
        let source = if parsed.has("strip") { without_trailing_slashes(source) } else { source };
        if !copier.copy_operand(execution, source, target).await {
            status = 1;
        }
    }
    status
}

/// The error is what is none of the attributes that `--preserve` takes.
fn copy_options(parsed: &Parsed) -> Result<CopyOptions, Vec<u8>> {
    let is_archive = parsed.has("archive");
    let is_recursive = is_archive || parsed.has("recursive");
    let is_unfollowed = is_archive || parsed.has("no-dereference-links");
    let mut options = CopyOptions {
        dereference: if is_recursive || is_unfollowed { Dereference::Never } else { Dereference::Always },
        is_recursive,
        preserves_mode: is_archive,
        preserves_ownership: is_archive,
        preserves_links: is_unfollowed,
        is_forced: parsed.has("force"),
        keeps_existing: parsed.has("no-clobber"),
        removes_first: parsed.has("remove"),
        stays_on_filesystem: parsed.has("one"),
        is_verbose: parsed.has("verbose"),
        is_move: false,
    };
    for (id, value) in &parsed.options {
        match *id {
            // The last one counts.
            "archive" | "no-dereference-links" | "never" => options.dereference = Dereference::Never,
            "always" => options.dereference = Dereference::Always,
            "operands" => options.dereference = Dereference::Operands,
            "preserve" => preserve(&mut options, value.as_deref())?,
            _ => {}
        }
    }
    Ok(options)
}

fn preserve(options: &mut CopyOptions, attributes: Option<&[u8]>) -> Result<(), Vec<u8>> {
    for attribute in attributes.unwrap_or(b"mode,ownership,timestamps").split(|byte| *byte == b',') {
        match attribute {
            b"mode" => options.preserves_mode = true,
            b"ownership" => options.preserves_ownership = true,
            b"links" => options.preserves_links = true,
            // There are none in the simulation.
            b"timestamps" | b"context" | b"xattr" => {}
            b"all" => {
                options.preserves_mode = true;
                options.preserves_ownership = true;
                options.preserves_links = true;
            }
            unknown => return Err(unknown.to_vec()),
        }
    }
    Ok(())
}
