//! mv(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, RenameFlags};

use super::support::copy::{Copier, CopyOptions, Dereference};
use super::support::files::is_same_file;
use super::support::options::{not_simulated, take_options};
use super::support::paths::without_trailing_slashes;
use super::support::quote::quoted_always;
use super::support::removal::Removal;
use super::support::targets::{TargetOptions, sources_and_targets};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("force", 'f', "force", Takes::Nothing),
    option("no-clobber", 'n', "no-clobber", Takes::Nothing),
    option("no-target-directory", 'T', "no-target-directory", Takes::Nothing),
    option("target-directory", 't', "target-directory", Takes::Argument),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("strip", '\0', "strip-trailing-slashes", Takes::Nothing),
    not_simulated("!-b", 'b', "", Takes::Nothing),
    not_simulated("!--backup", '\0', "backup", Takes::Optional),
    not_simulated("!-S", 'S', "suffix", Takes::Argument),
    not_simulated("!-i", 'i', "interactive", Takes::Nothing),
    not_simulated("!-u", 'u', "update", Takes::Nothing),
    not_simulated("!-Z", 'Z', "context", Takes::Nothing),
];

struct Mover {
    keeps_existing: bool,
    is_verbose: bool,
    /// What copies to other filesystems.
    copier: Copier,
    /// What was moved where: a later operand must not be moved there too.
    made: Vec<Vec<u8>>,
}

/// mv(1)
pub(crate) async fn mv(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let strip = |path: &Vec<u8>| without_trailing_slashes(path).to_vec();
    let operands =
        if parsed.has("strip") { parsed.operands.iter().map(strip).collect() } else { parsed.operands.clone() };
    let options = TargetOptions {
        directory: parsed.value("target-directory"),
        is_no_directory: parsed.has("no-target-directory"),
        ..TargetOptions::default()
    };
    let pairs = match sources_and_targets(execution, &operands, options) {
        Ok(pairs) => pairs,
        Err(status) => return status,
    };
    let manner = parsed.options.iter().rev().find(|(id, _)| matches!(*id, "force" | "no-clobber"));
    let is_verbose = parsed.has("verbose");
    let copying = CopyOptions {
        dereference: Dereference::Never,
        is_recursive: true,
        preserves_mode: true,
        preserves_ownership: true,
        preserves_links: true,
        is_forced: false,
        keeps_existing: false,
        removes_first: false,
        stays_on_filesystem: false,
        is_verbose,
        is_move: true,
    };
    let mut mover = Mover {
        keeps_existing: manner.is_some_and(|(id, _)| *id == "no-clobber"),
        is_verbose,
        copier: Copier::new(execution, copying),
        made: Vec::new(),
    };
    let mut status = 0;
    for (source, target) in &pairs {
        if !mover.move_one(execution, source, target).await {
            status = 1;
        }
        mover.made.push(target.clone());
    }
    status
}

impl Mover {
    /// Moves a file; false if it failed, which was reported.
    async fn move_one(&mut self, execution: &mut Execution, source: &[u8], target: &[u8]) -> bool {
        let rename = |execution: &Execution, flags| {
            execution.process.renameat2(Fd::CWD, UnixPath::new(source), Fd::CWD, UnixPath::new(target), flags)
        };
        let mut result = rename(execution, RenameFlags::RENAME_NOREPLACE);
        if result == Err(Errno::EEXIST) {
            match self.may_replace(execution, source, target) {
                Ok(()) => result = rename(execution, RenameFlags::empty()),
                Err(is_done) => return is_done,
            }
        }
        let Err(errno) = result else {
            self.say(execution, b"renamed ", source, target);
            return true;
        };
        let stat = match execution.lstat(source) {
            Ok(stat) => stat,
            Err(errno) => {
                execution.report_failure("cannot stat", source, errno);
                return false;
            }
        };
        let (from, to) = (quoted_always(source), quoted_always(target));
        let description = errno.description().as_bytes();
        match errno {
            Errno::EXDEV => {}
            Errno::EINVAL => {
                execution.report([b"cannot move ", &from[..], b" to a subdirectory of itself, ", &to].concat());
                return false;
            }
            _ => {
                execution.report([b"cannot move ", &from[..], b" to ", &to, b": ", description].concat());
                return false;
            }
        }
        let is_directory = stat.file_type == FileType::Directory;
        let flags = if is_directory { AtFlags::AT_REMOVEDIR } else { AtFlags::empty() };
        match execution.process.unlinkat(Fd::CWD, UnixPath::new(target), flags) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => {
                let description = errno.description().as_bytes();
                let text = [b"inter-device move failed: ", &from[..], b" to ", &to];
                execution.report([&text.concat()[..], b"; unable to remove target: ", description].concat());
                return false;
            }
        }
        if !self.copier.copy_operand(execution, source, target).await {
            return false;
        }
        let removal =
            Removal { ignores_missing: true, is_recursive: true, is_verbose: self.is_verbose, ..Removal::default() };
        removal.remove(execution, source)
    }

    fn say(&self, execution: &mut Execution, what: &[u8], source: &[u8], target: &[u8]) {
        if self.is_verbose {
            execution.print([what, &quoted_always(source), b" -> ", &quoted_always(target), b"\n"].concat());
        }
    }

    /// Whether what is there may be replaced. The error is whether nothing is left to do.
    fn may_replace(&self, execution: &mut Execution, source: &[u8], target: &[u8]) -> Result<(), bool> {
        let stat = execution.lstat(source).map_err(|errno| {
            execution.report_failure("cannot stat", source, errno);
            false
        })?;
        // If there is an error, the rename tells.
        let Ok(existing) = execution.lstat(target) else { return Ok(()) };
        if self.keeps_existing {
            return Err(true);
        }
        let (from, to) = (quoted_always(source), quoted_always(target));
        let text = match (stat.file_type, existing.file_type) {
            _ if is_same_file(&stat, &existing) => [&from[..], b" and ", &to, b" are the same file"].concat(),
            (FileType::Directory, other) if other != FileType::Directory => {
                [b"cannot overwrite non-directory ", &to[..], b" with directory ", &from].concat()
            }
            (other, FileType::Directory) if other != FileType::Directory => {
                [b"cannot overwrite directory ", &to[..], b" with non-directory"].concat()
            }
            _ if self.made.iter().any(|made| made == target) => {
                [b"will not overwrite just-created ", &to[..], b" with ", &from].concat()
            }
            _ => return Ok(()),
        };
        execution.report(text);
        Err(false)
    }
}
