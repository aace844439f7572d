//! ln(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _};

use super::support::canonical::{Existing, relative_path};
use super::support::files::is_same_file;
use super::support::options::{not_simulated, take_options};
use super::support::paths::{base_name, directory_name};
use super::support::quote::{quoted_always, quoted_if_needed};
use super::support::targets::{TargetOptions, sources_and_targets};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("symbolic", 's', "symbolic", Takes::Nothing),
    option("force", 'f', "force", Takes::Nothing),
    option("no-dereference", 'n', "no-dereference", Takes::Nothing),
    option("no-target-directory", 'T', "no-target-directory", Takes::Nothing),
    option("target-directory", 't', "target-directory", Takes::Argument),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("relative", 'r', "relative", Takes::Nothing),
    option("logical", 'L', "logical", Takes::Nothing),
    option("physical", 'P', "physical", Takes::Nothing),
    not_simulated("!-b", 'b', "", Takes::Nothing),
    not_simulated("!--backup", '\0', "backup", Takes::Optional),
    not_simulated("!-S", 'S', "suffix", Takes::Argument),
    not_simulated("!-i", 'i', "interactive", Takes::Nothing),
    not_simulated("!-d", 'd', "directory", Takes::Nothing),
    not_simulated("!-F", 'F', "", Takes::Nothing),
];

#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Linker {
    is_symbolic: bool,
    is_forced: bool,
    is_relative: bool,
    is_verbose: bool,
    follows_source: bool,
    has_many: bool,
}

/// ln(1)
pub(crate) async fn ln(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let is_relative = parsed.has("relative");
    if is_relative && !parsed.has("symbolic") {
        execution.report("cannot do --relative without --symbolic");
        return 1;
    }
    let options = TargetOptions {
        directory: parsed.value("target-directory"),
        is_no_directory: parsed.has("no-target-directory"),
        follows_no_link: parsed.has("no-dereference"),
        is_link: true,
    };
    let pairs = match sources_and_targets(execution, &parsed.operands, options) {
        Ok(pairs) => pairs,
        Err(status) => return status,
    };
    let manner = parsed.options.iter().rev().find(|(id, _)| matches!(*id, "logical" | "physical"));
    let linker = Linker {
        is_symbolic: parsed.has("symbolic"),
        is_forced: parsed.has("force"),
        is_relative,
        is_verbose: parsed.has("verbose"),
        follows_source: manner.is_some_and(|(id, _)| *id == "logical"),
        has_many: pairs.len() > 1,
    };
    let mut made = Vec::new();
    let mut status = 0;
    for (source, target) in pairs {
        if linker.has_many && made.contains(&target) {
            let (to, from) = (quoted_always(&target), quoted_always(&source));
            execution.report([b"will not overwrite just-created ", &to[..], b" with ", &from].concat());
            status = 1;
        } else if linker.link(execution, &source, &target) {
            made.push(target);
        } else {
            status = 1;
        }
    }
    status
}

impl Linker {
    /// Makes a link; false if it failed, which was reported.
    fn link(&self, execution: &mut Execution, source: &[u8], target: &[u8]) -> bool {
        let Some(content) = self.content(execution, source, target) else { return false };
        let mut result = self.make(execution, &content, target);
        if result == Err(Errno::EEXIST) && self.is_forced {
            if !self.may_remove(execution, source, target) {
                return false;
            }
            result = match execution.process.unlinkat(Fd::CWD, UnixPath::new(target), AtFlags::empty()) {
                Ok(()) | Err(Errno::ENOENT) => self.make(execution, &content, target),
                Err(errno) => {
                    execution.report_failure("cannot remove", target, errno);
                    return false;
                }
            };
        }
        match result {
            Ok(()) => {
                if self.is_verbose {
                    let arrow: &[u8] = if self.is_symbolic { b" -> " } else { b" => " };
                    execution.print([&quoted_always(target)[..], arrow, &quoted_always(&content), b"\n"].concat());
                }
                true
            }
            Err(errno) => {
                self.report(execution, source, target, errno);
                false
            }
        }
    }

    /// What the link is to be made to; for a hard link, that there is something.
    fn content(&self, execution: &mut Execution, source: &[u8], target: &[u8]) -> Option<Vec<u8>> {
        if self.is_symbolic {
            return Some(if self.is_relative { relative(execution, source, target) } else { source.to_vec() });
        }
        let stat = if self.follows_source { execution.stat(source) } else { execution.lstat(source) };
        match stat {
            Ok(stat) if stat.file_type == FileType::Directory => {
                execution.report([&quoted_if_needed(source)[..], b": hard link not allowed for directory"].concat());
                None
            }
            Ok(_) => Some(source.to_vec()),
            Err(errno) => {
                execution.report_failure("failed to access", source, errno);
                None
            }
        }
    }

    fn make(&self, execution: &Execution, content: &[u8], target: &[u8]) -> Result<(), Errno> {
        let (content, target) = (UnixPath::new(content), UnixPath::new(target));
        if self.is_symbolic {
            return execution.process.symlinkat(content, Fd::CWD, target);
        }
        let flags = if self.follows_source { AtFlags::AT_SYMLINK_FOLLOW } else { AtFlags::empty() };
        execution.process.linkat(Fd::CWD, content, Fd::CWD, target, flags)
    }

    fn may_remove(&self, execution: &mut Execution, source: &[u8], target: &[u8]) -> bool {
        let Ok(existing) = execution.lstat(target) else { return true };
        if existing.file_type == FileType::Directory {
            execution.report([&quoted_if_needed(target)[..], b": cannot overwrite directory"].concat());
            return false;
        }
        let Ok(stat) = (if self.is_symbolic { execution.stat(source) } else { execution.lstat(source) }) else {
            return true;
        };
        // A hard link that is there already can be made again, but for under the same name.
        let is_same =
            is_same_file(&stat, &existing) && (existing.links == 1 || is_same_name(execution, source, target));
        if is_same {
            let (from, to) = (quoted_always(source), quoted_always(target));
            execution.report([&from[..], b" and ", &to, b" are the same file"].concat());
        }
        !is_same
    }

    fn report(&self, execution: &mut Execution, source: &[u8], target: &[u8], errno: Errno) {
        let (from, to) = (quoted_always(source), quoted_always(target));
        let description = errno.description().as_bytes();
        let text = if self.is_symbolic {
            let from = if errno != Errno::ENAMETOOLONG && !source.is_empty() {
                Vec::new()
            } else {
                [b" -> ", &from[..]].concat()
            };
            [b"failed to create symbolic link ", &to[..], &from, b": ", description].concat()
        } else {
            match errno {
                Errno::EMLINK => [b"failed to create hard link to ", &from[..], b": ", description].concat(),
                Errno::EDQUOT | Errno::EEXIST | Errno::ENOSPC | Errno::EROFS => {
                    [b"failed to create hard link ", &to[..], b": ", description].concat()
                }
                _ => [b"failed to create hard link ", &to[..], b" => ", &from, b": ", description].concat(),
            }
        };
        execution.report(text);
    }
}

fn is_same_name(execution: &Execution, source: &[u8], target: &[u8]) -> bool {
    let (one, other) = (execution.stat(directory_name(source)), execution.stat(directory_name(target)));
    let is_same_directory = matches!((one, other), (Ok(one), Ok(other)) if is_same_file(&one, &other));
    is_same_directory && base_name(source) == base_name(target)
}

/// The source as seen from the directory of the link (`-r`).
fn relative(execution: &Execution, source: &[u8], target: &[u8]) -> Vec<u8> {
    let directory = execution.canonical(directory_name(target), Existing::Nothing, true);
    let real = execution.canonical(source, Existing::Nothing, true);
    match (real, directory) {
        (Ok(real), Ok(directory)) => relative_path(&real, &directory),
        _ => source.to_vec(),
    }
}
