//! du(1)

use std::collections::HashSet;

use cofferdam::kernel::{DeviceNumber, FileType, Stat};

use super::support::files::blocks;
use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::join;
use super::support::quote::quoted_as_in_c;
use super::support::size::human;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("all", 'a', "all", Takes::Nothing),
    option("apparent-size", '\0', "apparent-size", Takes::Nothing),
    option("bytes", 'b', "bytes", Takes::Nothing),
    option("total", 'c', "total", Takes::Nothing),
    option("operands", 'D', "dereference-args", Takes::Nothing),
    option("operands", 'H', "", Takes::Nothing),
    option("max-depth", 'd', "max-depth", Takes::Argument),
    option("human", 'h', "human-readable", Takes::Nothing),
    option("kibibytes", 'k', "", Takes::Nothing),
    option("follow", 'L', "dereference", Takes::Nothing),
    option("count-links", 'l', "count-links", Takes::Nothing),
    option("mebibytes", 'm', "", Takes::Nothing),
    option("no-follow", 'P', "no-dereference", Takes::Nothing),
    option("separate", 'S', "separate-dirs", Takes::Nothing),
    option("summarize", 's', "summarize", Takes::Nothing),
    option("one", 'x', "one-file-system", Takes::Nothing),
    option("null", '0', "null", Takes::Nothing),
    not_simulated("!-B", 'B', "block-size", Takes::Argument),
    not_simulated("!-t", 't', "threshold", Takes::Argument),
    not_simulated("!-X", 'X', "exclude-from", Takes::Argument),
    not_simulated("!--exclude", '\0', "exclude", Takes::Argument),
    not_simulated("!--files0-from", '\0', "files0-from", Takes::Argument),
    not_simulated("!--inodes", '\0', "inodes", Takes::Nothing),
    not_simulated("!--si", '\0', "si", Takes::Nothing),
    not_simulated("!--time", '\0', "time", Takes::Optional),
    not_simulated("!--time-style", '\0', "time-style", Takes::Argument),
];

/// How sizes are shown.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Bytes(u64),
    Human,
}

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    Nothing,
    Operands,
    All,
}

#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Usage {
    unit: Unit,
    follow: Follow,
    shows_all: bool,
    is_apparent: bool,
    max_depth: usize,
    counts_links: bool,
    /// Every file is counted once, also one that has no other name.
    remembers_all: bool,
    is_separate: bool,
    stays_on_filesystem: bool,
    end: u8,
    seen: HashSet<(DeviceNumber, u64)>,
    has_failed: bool,
}

/// du(1)
pub(crate) async fn du(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut counter = match counter(execution, &parsed) {
        Ok(counter) => counter,
        Err(status) => return status,
    };
    let operands = if parsed.operands.is_empty() { vec![b".".to_vec()] } else { parsed.operands.clone() };
    let mut total = 0;
    for path in &operands {
        total += counter.count_operand(execution, path);
        // A tree may be large.
        execution.machine.yield_now().await;
    }
    if parsed.has("total") {
        counter.print(execution, total, b"total");
    }
    i32::from(counter.has_failed)
}

/// What the options say. The error is the status, after a report.
fn counter(execution: &mut Execution, parsed: &Parsed) -> Result<Usage, i32> {
    let mut max_depth = None;
    if let Some(text) = parsed.value("max-depth") {
        max_depth = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        if max_depth.is_none() {
            return Err(usage(execution, [b"invalid maximum depth ", &quoted_as_in_c(text)[..]].concat(), 1));
        }
    }
    if parsed.has("summarize") {
        if parsed.has("all") {
            return Err(usage(execution, "cannot both summarize and show all entries", 1));
        }
        match max_depth {
            None => {}
            Some(0) => execution.report("warning: summarizing is the same as using --max-depth=0"),
            Some(depth) => {
                let text = format!("warning: summarizing conflicts with --max-depth={depth}");
                return Err(usage(execution, text, 1));
            }
        }
        max_depth = Some(0);
    }
    let (mut unit, mut follow, mut is_apparent) = (Unit::Bytes(1024), Follow::Nothing, false);
    for (id, _) in &parsed.options {
        match *id {
            // The last one counts.
            "bytes" => (unit, is_apparent) = (Unit::Bytes(1), true),
            "kibibytes" => unit = Unit::Bytes(1024),
            "mebibytes" => unit = Unit::Bytes(1 << 20),
            "human" => unit = Unit::Human,
            "apparent-size" => is_apparent = true,
            "operands" => follow = Follow::Operands,
            "follow" => follow = Follow::All,
            "no-follow" => follow = Follow::Nothing,
            _ => {}
        }
    }
    Ok(Usage {
        unit,
        follow,
        shows_all: parsed.has("all"),
        is_apparent,
        max_depth: max_depth.unwrap_or(usize::MAX),
        counts_links: parsed.has("count-links"),
        remembers_all: follow == Follow::All || parsed.operands.len() > 1,
        is_separate: parsed.has("separate"),
        stays_on_filesystem: parsed.has("one"),
        end: if parsed.has("null") { 0 } else { b'\n' },
        seen: HashSet::new(),
        has_failed: false,
    })
}

impl Usage {
    fn fail(&mut self, execution: &mut Execution, action: &str, path: &[u8], errno: cofferdam::kernel::Errno) {
        execution.report_failure(action, path, errno);
        self.has_failed = true;
    }

    fn stat(&self, execution: &Execution, path: &[u8], is_operand: bool) -> Result<Stat, cofferdam::kernel::Errno> {
        match self.follow {
            Follow::All => execution.stat(path),
            Follow::Operands if is_operand => execution.stat(path),
            _ => execution.lstat(path),
        }
    }

    fn count_operand(&mut self, execution: &mut Execution, path: &[u8]) -> u64 {
        match self.stat(execution, path, true) {
            Ok(stat) => self.count(execution, path, &stat, &mut Vec::new(), stat.device),
            Err(errno) => {
                self.fail(execution, "cannot access", path, errno);
                0
            }
        }
    }

    /// Counts a file and what is below it, and prints it if that was asked for.
    fn count(
        &mut self,
        execution: &mut Execution,
        path: &[u8],
        stat: &Stat,
        above: &mut Vec<(DeviceNumber, u64)>,
        device: DeviceNumber,
    ) -> u64 {
        let id = (stat.device, stat.inode);
        let is_directory = stat.file_type == FileType::Directory;
        // A loop of symbolic links, or of mounts.
        if above.contains(&id) || self.stays_on_filesystem && stat.device != device {
            return 0;
        }
        if !self.counts_links && (self.remembers_all || !is_directory && stat.links > 1) && !self.seen.insert(id) {
            return 0;
        }
        let own = if !self.is_apparent {
            blocks(stat) * 512
        } else if is_directory || matches!(stat.file_type, FileType::Regular | FileType::Symlink) {
            stat.size
        } else {
            0
        };
        let depth = above.len();
        if !is_directory {
            if depth == 0 || self.shows_all && depth <= self.max_depth {
                self.print(execution, own, path);
            }
            return own;
        }
        above.push(id);
        let (all, of_directories) = self.count_below(execution, path, above, device);
        above.pop();
        let total = own + all;
        if depth <= self.max_depth {
            let shown = if self.is_separate { total - of_directories } else { total };
            self.print(execution, shown, path);
        }
        total
    }

    /// Counts what is in a directory: all of it, and the directories alone.
    fn count_below(
        &mut self,
        execution: &mut Execution,
        path: &[u8],
        above: &mut Vec<(DeviceNumber, u64)>,
        device: DeviceNumber,
    ) -> (u64, u64) {
        let entries = match execution.entries(path) {
            Ok(entries) => entries,
            Err(errno) => {
                self.fail(execution, "cannot read directory", path, errno);
                return (0, 0);
            }
        };
        let (mut all, mut of_directories) = (0, 0);
        for entry in entries {
            let path = join(path, &entry.name.0);
            match self.stat(execution, &path, false) {
                Ok(stat) => {
                    let count = self.count(execution, &path, &stat, above, device);
                    all += count;
                    if stat.file_type == FileType::Directory {
                        of_directories += count;
                    }
                }
                Err(errno) => self.fail(execution, "cannot access", &path, errno),
            }
        }
        (all, of_directories)
    }

    fn print(&self, execution: &mut Execution, bytes: u64, path: &[u8]) {
        let size = match self.unit {
            Unit::Bytes(unit) => bytes.div_ceil(unit).to_string(),
            Unit::Human => human(bytes),
        };
        execution.print([size.as_bytes(), b"\t", path, &[self.end]].concat());
    }
}
