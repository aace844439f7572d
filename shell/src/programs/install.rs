//! install(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, Kernel as _, Mode};

use super::support::copy::{Copier, CopyOptions, Dereference};
use super::support::mode::ModeChange;
use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::{directory_name, without_trailing_slashes};
use super::support::quote::{quoted_always, quoted_as_in_c};
use super::support::targets::{TargetOptions, sources_and_targets};
use super::support::users::Names;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("directory", 'd', "directory", Takes::Nothing),
    option("parents", 'D', "", Takes::Nothing),
    option("group", 'g', "group", Takes::Argument),
    option("mode", 'm', "mode", Takes::Argument),
    option("owner", 'o', "owner", Takes::Argument),
    // There are no times in the simulation.
    option("timestamps", 'p', "preserve-timestamps", Takes::Nothing),
    option("target-directory", 't', "target-directory", Takes::Argument),
    option("no-target-directory", 'T', "no-target-directory", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("ignored", 'c', "", Takes::Nothing),
    not_simulated("!-b", 'b', "", Takes::Nothing),
    not_simulated("!--backup", '\0', "backup", Takes::Optional),
    not_simulated("!-C", 'C', "compare", Takes::Nothing),
    not_simulated("!-s", 's', "strip", Takes::Nothing),
    not_simulated("!--strip-program", '\0', "strip-program", Takes::Argument),
    not_simulated("!-S", 'S', "suffix", Takes::Argument),
    not_simulated("!--preserve-context", '\0', "preserve-context", Takes::Nothing),
    not_simulated("!-Z", 'Z', "", Takes::Nothing),
    not_simulated("!--context", '\0', "context", Takes::Optional),
];

/// What an installed file is like.
struct Installer {
    mode: ModeChange,
    owner: Option<u32>,
    group: Option<u32>,
    is_verbose: bool,
}

/// install(1)
pub(crate) async fn install(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let installer = match Installer::new(execution, &parsed) {
        Ok(installer) => installer,
        Err(status) => return status,
    };
    if parsed.has("directory") {
        if parsed.operands.is_empty() {
            return usage(execution, "missing file operand", 1);
        }
        let made: Vec<bool> = parsed.operands.iter().map(|path| installer.make_directory(execution, path)).collect();
        return i32::from(made.contains(&false));
    }
    let has_parents = parsed.has("parents");
    if let (true, Some(directory)) = (has_parents, parsed.value("target-directory"))
        && !make_all(execution, directory, installer.is_verbose)
    {
        return 1;
    }
    let targets = TargetOptions {
        directory: parsed.value("target-directory"),
        // The directories of the only target may be missing yet.
        is_no_directory: parsed.has("no-target-directory"),
        ..TargetOptions::default()
    };
    let pairs = match (&parsed.operands[..], has_parents && targets.directory.is_none()) {
        ([source, target], true) if !execution.is_directory(target) => vec![(source.clone(), target.clone())],
        (operands, _) => match sources_and_targets(execution, operands, targets) {
            Ok(pairs) => pairs,
            Err(status) => return status,
        },
    };
    let mut copier = Copier::new(execution, copy_options(installer.is_verbose));
    let mut status = 0;
    for (source, target) in &pairs {
        let has_room = !has_parents || make_all(execution, directory_name(target), installer.is_verbose);
        if !has_room || !installer.install(execution, &mut copier, source, target).await {
            status = 1;
        }
    }
    status
}

fn copy_options(is_verbose: bool) -> CopyOptions {
    CopyOptions {
        dereference: Dereference::Always,
        is_recursive: false,
        preserves_mode: false,
        preserves_ownership: false,
        preserves_links: false,
        is_forced: false,
        keeps_existing: false,
        removes_first: true,
        stays_on_filesystem: false,
        is_verbose,
        is_move: false,
    }
}

/// Makes a directory and those above it, where they are missing; false if it failed, which was reported.
fn make_all(execution: &mut Execution, path: &[u8], is_verbose: bool) -> bool {
    let path = without_trailing_slashes(path);
    if execution.is_directory(path) {
        return true;
    }
    let parent = directory_name(path);
    if parent != path && parent != b"." && !make_all(execution, parent, is_verbose) {
        return false;
    }
    match execution.process.mkdirat(Fd::CWD, UnixPath::new(path), Mode(0o755)) {
        Ok(()) => {
            if is_verbose {
                let text = [&execution.name[..], b": creating directory ", &quoted_always(path), b"\n"].concat();
                execution.print(text);
            }
            true
        }
        Err(errno) => {
            execution.report_failure("cannot create directory", path, errno);
            false
        }
    }
}

/// A user or a group of an option. The error is the status, after a report.
fn number(execution: &mut Execution, names: &Names, name: Option<&[u8]>, what: &str) -> Result<Option<u32>, i32> {
    let Some(name) = name else { return Ok(None) };
    let found = names.number(name);
    if found.is_none() {
        execution.report([b"invalid ", what.as_bytes(), b" ", &quoted_as_in_c(name)].concat());
        return Err(1);
    }
    Ok(found)
}

impl Installer {
    /// The error is the status, after a report.
    fn new(execution: &mut Execution, parsed: &Parsed) -> Result<Self, i32> {
        let text = parsed.value("mode").unwrap_or(b"755");
        let Some(mode) = ModeChange::parse(text) else {
            execution.report([b"invalid mode ", &quoted_as_in_c(text)[..]].concat());
            return Err(1);
        };
        let (users, groups) = (Names::users(&execution.process), Names::groups(&execution.process));
        let owner = number(execution, &users, parsed.value("owner"), "user")?;
        let group = number(execution, &groups, parsed.value("group"), "group")?;
        // What files and directories are to be like does not depend on it.
        let _ = execution.process.umask(Mode(0));
        Ok(Self { mode, owner, group, is_verbose: parsed.has("verbose") })
    }

    fn make_directory(&self, execution: &mut Execution, path: &[u8]) -> bool {
        make_all(execution, path, self.is_verbose) && self.finish(execution, path, true)
    }

    async fn install(&self, execution: &mut Execution, copier: &mut Copier, source: &[u8], target: &[u8]) -> bool {
        if execution.is_directory(source) {
            execution.report([b"omitting directory ", &quoted_always(source)[..]].concat());
            return false;
        }
        copier.copy_operand(execution, source, target).await && self.finish(execution, target, false)
    }

    /// Gives a file its owner and its permissions.
    fn finish(&self, execution: &mut Execution, path: &[u8], is_directory: bool) -> bool {
        let place = UnixPath::new(path);
        if self.owner.is_some() || self.group.is_some() {
            let changed = execution.process.fchownat(Fd::CWD, place, self.owner, self.group, AtFlags::empty());
            if let Err(errno) = changed {
                execution.report_failure("cannot change ownership of", path, errno);
                return false;
            }
        }
        match execution.process.fchmodat(Fd::CWD, place, Mode(self.mode.apply(0, is_directory, 0))) {
            Ok(()) => true,
            Err(errno) => {
                execution.report_failure("cannot change permissions of", path, errno);
                false
            }
        }
    }
}
