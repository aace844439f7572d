//! ls(1), as it prints to a pipe: a name a line, names as they are.

mod format;

use cofferdam::kernel::{Errno, FileType, Stat};

use super::support::options::{not_simulated, take_options};
use super::support::paths::join;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("all", 'a', "all", Takes::Nothing),
    option("almost-all", 'A', "almost-all", Takes::Nothing),
    option("directory", 'd', "directory", Takes::Nothing),
    option("classify", 'F', "classify", Takes::Optional),
    option("no-group", 'G', "no-group", Takes::Nothing),
    option("no-owner", 'g', "", Takes::Nothing),
    option("no-group-long", 'o', "", Takes::Nothing),
    option("human", 'h', "human-readable", Takes::Nothing),
    option("follow-operands", 'H', "dereference-command-line", Takes::Nothing),
    option("inode", 'i', "inode", Takes::Nothing),
    option("kibibytes", 'k', "kibibytes", Takes::Nothing),
    option("long", 'l', "", Takes::Nothing),
    option("follow", 'L', "dereference", Takes::Nothing),
    option("numeric", 'n', "numeric-uid-gid", Takes::Nothing),
    option("literal", 'N', "literal", Takes::Nothing),
    option("slash", 'p', "", Takes::Nothing),
    option("reverse", 'r', "reverse", Takes::Nothing),
    option("recursive", 'R', "recursive", Takes::Nothing),
    option("blocks", 's', "size", Takes::Nothing),
    option("by-size", 'S', "", Takes::Nothing),
    option("by-time", 't', "", Takes::Nothing),
    option("unsorted", 'U', "", Takes::Nothing),
    option("unsorted-all", 'f', "", Takes::Nothing),
    option("one", '1', "", Takes::Nothing),
    option("escape", 'b', "escape", Takes::Nothing),
    option("color", '\0', "color", Takes::Optional),
    // Which of the times, and how, does not matter as there are none.
    option("change-time", 'c', "", Takes::Nothing),
    option("access-time", 'u', "", Takes::Nothing),
    not_simulated("!-B", 'B', "ignore-backups", Takes::Nothing),
    not_simulated("!-C", 'C', "", Takes::Nothing),
    not_simulated("!-D", 'D', "dired", Takes::Nothing),
    not_simulated("!-I", 'I', "ignore", Takes::Argument),
    not_simulated("!-m", 'm', "", Takes::Nothing),
    not_simulated("!-q", 'q', "hide-control-chars", Takes::Nothing),
    not_simulated("!-Q", 'Q', "quote-name", Takes::Nothing),
    not_simulated("!-T", 'T', "tabsize", Takes::Argument),
    not_simulated("!-v", 'v', "", Takes::Nothing),
    not_simulated("!-w", 'w', "width", Takes::Argument),
    not_simulated("!-x", 'x', "", Takes::Nothing),
    not_simulated("!-X", 'X', "", Takes::Nothing),
    not_simulated("!-Z", 'Z', "context", Takes::Nothing),
    not_simulated("!--author", '\0', "author", Takes::Nothing),
    not_simulated("!--block-size", '\0', "block-size", Takes::Argument),
    not_simulated("!--file-type", '\0', "file-type", Takes::Nothing),
    not_simulated("!--format", '\0', "format", Takes::Argument),
    not_simulated("!--full-time", '\0', "full-time", Takes::Nothing),
    not_simulated("!--group-directories-first", '\0', "group-directories-first", Takes::Nothing),
    not_simulated("!--hide", '\0', "hide", Takes::Argument),
    not_simulated("!--indicator-style", '\0', "indicator-style", Takes::Argument),
    not_simulated("!--quoting-style", '\0', "quoting-style", Takes::Argument),
    not_simulated("!--sort", '\0', "sort", Takes::Argument),
    not_simulated("!--time", '\0', "time", Takes::Argument),
    not_simulated("!--time-style", '\0', "time-style", Takes::Argument),
    not_simulated("!--zero", '\0', "zero", Takes::Nothing),
];

/// A file that is listed.
pub(super) struct Entry {
    /// As it is printed.
    name: Vec<u8>,
    path: Vec<u8>,
    stat: Stat,
    /// Where a symbolic link points, if that was asked for.
    target: Option<Vec<u8>>,
}

struct Listing {
    parsed: Parsed,
    format: format::Format,
    status: i32,
    /// Whether something was printed before.
    has_printed: bool,
}

/// ls(1)
pub(crate) async fn ls(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 2) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if !matches!(parsed.value("color"), None | Some(b"never" | b"auto" | b"tty" | b"if-tty" | b"no" | b"none"))
        || parsed.options.iter().any(|(id, value)| *id == "color" && value.is_none())
    {
        execution.report("option '--color=always' is not simulated");
        return 2;
    }
    let format = format::Format::new(execution, &parsed);
    let mut listing = Listing { parsed, format, status: 0, has_printed: false };
    listing.list_operands(execution);
    listing.status
}

impl Listing {
    fn has(&self, id: &str) -> bool {
        self.parsed.has(id)
    }

    fn list_operands(&mut self, execution: &mut Execution) {
        let operands = std::mem::take(&mut self.parsed.operands);
        let operands = if operands.is_empty() { vec![b".".to_vec()] } else { operands };
        let has_several = operands.len() > 1;
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for path in &operands {
            match self.stat_operand(execution, path) {
                Ok(stat) if stat.file_type == FileType::Directory && !self.has("directory") => {
                    directories.push(self.entry(execution, path.clone(), path.clone(), stat));
                }
                Ok(stat) => files.push(self.entry(execution, path.clone(), path.clone(), stat)),
                Err(errno) => {
                    execution.report_failure("cannot access", path, errno);
                    self.status = 2;
                }
            }
        }
        self.sort(&mut files);
        self.sort(&mut directories);
        if !files.is_empty() {
            self.print(execution, &files);
        }
        let has_heading = has_several || self.has("recursive");
        let device_path = Vec::new();
        for directory in directories {
            self.list_directory(execution, &directory.path, has_heading, true, &device_path);
        }
    }

    /// Operands are followed, but for what would be shown of a link itself.
    fn stat_operand(&self, execution: &Execution, path: &[u8]) -> Result<Stat, Errno> {
        if self.has("follow") {
            return execution.stat(path);
        }
        if self.has("follow-operands") {
            return execution.stat(path).or_else(|_| execution.lstat(path));
        }
        let shows_links = self.format.is_long || self.has("directory") || self.has("classify");
        match execution.stat(path) {
            Ok(stat) if !shows_links && stat.file_type == FileType::Directory => Ok(stat),
            _ => execution.lstat(path),
        }
    }

    fn entry(&self, execution: &Execution, name: Vec<u8>, path: Vec<u8>, stat: Stat) -> Entry {
        let shows_target = self.format.is_long && stat.file_type == FileType::Symlink;
        let target = if shows_target { execution.read_link(&path).ok() } else { None };
        Entry { name, path, stat, target }
    }

    fn list_directory(
        &mut self,
        execution: &mut Execution,
        path: &[u8],
        has_heading: bool,
        is_operand: bool,
        ancestors: &[(cofferdam::kernel::DeviceNumber, u64)],
    ) {
        let all = match execution.all_entries(path) {
            Ok(all) => all,
            Err(errno) => {
                execution.report_failure("cannot open directory", path, errno);
                self.status = self.status.max(if is_operand { 2 } else { 1 });
                return;
            }
        };
        let mut entries = Vec::new();
        let is_unsorted_all = self.has("unsorted-all");
        for listed in all {
            let name = listed.name.0;
            let is_dots = name == b"." || name == b"..";
            let shows_all = self.has("all") || is_unsorted_all;
            if name.starts_with(b".") && !(shows_all || self.has("almost-all") && !is_dots) {
                continue;
            }
            let child = join(path, &name);
            let stat = if self.has("follow") { execution.stat(&child) } else { execution.lstat(&child) };
            match stat {
                Ok(stat) => entries.push(self.entry(execution, name, child, stat)),
                // A link that leads nowhere is shown as such, though links are followed.
                Err(errno) => {
                    if self.format.is_long || self.has("inode") || self.has("blocks") {
                        execution.report_failure("cannot access", &child, errno);
                        self.status = self.status.max(1);
                    }
                    if let Ok(stat) = execution.lstat(&child) {
                        entries.push(self.entry(execution, name, child, stat));
                    }
                }
            }
        }
        self.sort(&mut entries);
        if has_heading {
            let space: &[u8] = if self.has_printed { b"\n" } else { b"" };
            let name = self.format.name(path);
            execution.print([space, &name, b":\n"].concat());
            self.has_printed = true;
        }
        if self.format.is_long || self.has("blocks") {
            let total = self.format.total(&entries);
            execution.print(total);
        }
        self.print(execution, &entries);
        if !self.has("recursive") {
            return;
        }
        for entry in &entries {
            let id = (entry.stat.device, entry.stat.inode);
            if entry.stat.file_type != FileType::Directory || entry.name == b"." || entry.name == b".." {
                continue;
            }
            if ancestors.contains(&id) {
                let text = [&entry.path[..], b": not listing already-listed directory"].concat();
                execution.report(text);
                self.status = 2;
                continue;
            }
            let below = [ancestors, &[id]].concat();
            self.list_directory(execution, &entry.path, true, false, &below);
        }
    }

    /// By bytes, as without a locale; or by size, the largest first.
    fn sort(&self, entries: &mut [Entry]) {
        let last = self.parsed.options.iter().rev().map(|(id, _)| *id);
        let mut manner = last.filter(|id| matches!(*id, "by-size" | "by-time" | "unsorted" | "unsorted-all"));
        match manner.next() {
            Some("unsorted" | "unsorted-all") => return,
            Some("by-size") => {
                entries.sort_by(|one, other| (other.stat.size, &one.name).cmp(&(one.stat.size, &other.name)));
            }
            // All times are the same.
            _ => entries.sort_by(|one, other| one.name.cmp(&other.name)),
        }
        if self.has("reverse") {
            entries.reverse();
        }
    }

    fn print(&mut self, execution: &mut Execution, entries: &[Entry]) {
        let text = self.format.lines(execution, entries);
        self.has_printed |= !text.is_empty();
        execution.print(text);
    }
}
