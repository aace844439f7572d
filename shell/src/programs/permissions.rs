//! chmod(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, FileType, Kernel as _, Mode, Stat};

use super::support::mode::{ModeChange, permissions_text};
use super::support::options::{take_options, usage};
use super::support::paths::join;
use super::support::quote::{quoted_always, quoted_if_needed};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("changes", 'c', "changes", Takes::Nothing),
    option("quiet", 'f', "quiet", Takes::Nothing),
    option("quiet", '\0', "silent", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("recursive", 'R', "recursive", Takes::Nothing),
    option("reference", '\0', "reference", Takes::Argument),
    option("preserve-root", '\0', "preserve-root", Takes::Nothing),
    option("no-preserve-root", '\0', "no-preserve-root", Takes::Nothing),
];

#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Changer {
    change: ModeChange,
    umask: u32,
    /// Says what was changed (`-c`), and what was not (`-v`).
    says_changes: bool,
    is_verbose: bool,
    is_quiet: bool,
    is_recursive: bool,
    /// Whether the mode looked like an option: then a umask that is in its way is reported.
    reports_surprises: bool,
}

/// chmod(1)
pub(crate) async fn chmod(execution: &mut Execution) -> i32 {
    // What takes permissions away looks like an option.
    let is_mode = |word: &[u8]| {
        word.strip_prefix(b"-")
            .is_some_and(|letters| letters.first().is_some_and(|letter| b"rwxXstugoa,+=01234567".contains(letter)))
    };
    let mut given = None;
    let mut has_options = true;
    let name = execution.arguments.first().cloned();
    let mut arguments = Vec::from_iter(name);
    for word in execution.arguments.iter().skip(1) {
        has_options &= word != b"--";
        if has_options && is_mode(word) {
            given = Some(given.map_or_else(|| word.clone(), |before: Vec<u8>| [&before[..], b",", word].concat()));
        } else {
            arguments.push(word.clone());
        }
    }
    execution.arguments = arguments;
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut operands = parsed.operands.clone();
    let reports_surprises = given.is_some();
    let reference = parsed.value("reference");
    let text = match (&given, reference) {
        (Some(text), _) => text.clone(),
        (None, Some(_)) => Vec::new(),
        (None, None) if operands.is_empty() => return usage(execution, "missing operand", 1),
        (None, None) => operands.remove(0),
    };
    if operands.is_empty() {
        let after = if reference.is_some() { Vec::new() } else { [b" after ", &quoted_always(&text)[..]].concat() };
        return usage(execution, [b"missing operand", &after[..]].concat(), 1);
    }
    let change = match reference {
        Some(path) => match execution.stat(path) {
            Ok(stat) => Some(ModeChange::Octal { mode: stat.mode.0, has_all_digits: true }),
            Err(errno) => return execution.report_failure("failed to get attributes of", path, errno),
        },
        None => ModeChange::parse(&text),
    };
    let Some(change) = change else {
        return usage(execution, [b"invalid mode: ", &quoted_always(&text)[..]].concat(), 1);
    };
    let is_verbose = parsed.has("verbose");
    let changer = Changer {
        change,
        umask: execution.umask(),
        says_changes: is_verbose || parsed.has("changes"),
        is_verbose,
        is_quiet: parsed.has("quiet"),
        is_recursive: parsed.has("recursive"),
        reports_surprises,
    };
    let mut status = 0;
    for path in &operands {
        if !changer.change_operand(execution, path) {
            status = 1;
        }
    }
    status
}

impl Changer {
    fn change_operand(&self, execution: &mut Execution, path: &[u8]) -> bool {
        match execution.stat(path) {
            Ok(stat) => self.change_file(execution, path, &stat),
            Err(errno) => {
                if !self.is_quiet {
                    if errno == Errno::ENOENT && execution.lstat(path).is_ok() {
                        let text = [b"cannot operate on dangling symlink ", &quoted_always(path)[..]].concat();
                        execution.report(text);
                    } else {
                        execution.report_failure("cannot access", path, errno);
                    }
                }
                if self.is_verbose {
                    execution.print([&quoted_always(path)[..], b" could not be accessed\n"].concat());
                }
                false
            }
        }
    }

    fn change_file(&self, execution: &mut Execution, path: &[u8], stat: &Stat) -> bool {
        let is_directory = stat.file_type == FileType::Directory;
        let (old, new) = (stat.mode.0, self.change.apply(stat.mode.0, is_directory, self.umask));
        let name = quoted_always(path);
        let mut has_changed_all = true;
        if let Err(errno) = execution.process.fchmodat(Fd::CWD, UnixPath::new(path), Mode(new)) {
            has_changed_all = false;
            if !self.is_quiet {
                execution.report_failure("changing permissions of", path, errno);
            }
        }
        let modes = |from: u32, to: u32| {
            let (from_text, to_text) = (permissions_text(from), permissions_text(to));
            format!(" from {from:04o} ({from_text}) to {to:04o} ({to_text})\n")
        };
        if !has_changed_all && self.is_verbose {
            execution.print([b"failed to change mode of ", &name[..], modes(old, new).as_bytes()].concat());
        } else if has_changed_all && self.says_changes && old != new {
            execution.print([b"mode of ", &name[..], b" changed", modes(old, new).as_bytes()].concat());
        } else if has_changed_all && self.is_verbose {
            let text = format!(" retained as {new:04o} ({})\n", permissions_text(new));
            execution.print([b"mode of ", &name[..], text.as_bytes()].concat());
        }
        if has_changed_all && self.reports_surprises && self.change.surprises(old, is_directory, self.umask) {
            let naive = permissions_text(self.change.apply(old, is_directory, 0));
            let text = format!(": new permissions are {}, not {naive}", permissions_text(new));
            execution.report([&quoted_if_needed(path)[..], text.as_bytes()].concat());
            has_changed_all = false;
        }
        if self.is_recursive && is_directory {
            has_changed_all &= self.change_children(execution, path);
        }
        has_changed_all
    }

    fn change_children(&self, execution: &mut Execution, path: &[u8]) -> bool {
        let entries = match execution.entries(path) {
            Ok(entries) => entries,
            Err(errno) => {
                if !self.is_quiet {
                    execution.report_failure("cannot read directory", path, errno);
                }
                return false;
            }
        };
        let mut has_changed_all = true;
        for entry in entries {
            let child = join(path, &entry.name.0);
            match execution.lstat(&child) {
                // The permissions of symbolic links are never used.
                Ok(stat) if stat.file_type == FileType::Symlink => {}
                Ok(stat) => has_changed_all &= self.change_file(execution, &child, &stat),
                Err(_) => has_changed_all &= self.change_operand(execution, &child),
            }
        }
        has_changed_all
    }
}
