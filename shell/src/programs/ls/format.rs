//! The lines of ls(1).

use cofferdam::kernel::{FileType, Stat};

use super::Entry;
use crate::execution::Execution;
use crate::getopt::Parsed;
use crate::programs::support::files::blocks;
use crate::programs::support::mode::mode_text;
use crate::programs::support::size::human;
use crate::programs::support::users::Names;

/// There are no dates in the simulation: all files are as old as the epoch.
const DATE: &str = "Jan  1  1970";

/// What a line shows.
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
pub(super) struct Format {
    pub(super) is_long: bool,
    has_inode: bool,
    has_blocks: bool,
    has_owner: bool,
    has_group: bool,
    is_human: bool,
    classifies: bool,
    marks_directories: bool,
    escapes: bool,
    users: Names,
    groups: Names,
}

impl Format {
    pub(super) fn new(execution: &Execution, parsed: &Parsed) -> Self {
        let is_numeric = parsed.has("numeric");
        let (users, groups) = if is_numeric {
            (Names::default(), Names::default())
        } else {
            (Names::users(&execution.process), Names::groups(&execution.process))
        };
        let is_long = ["long", "numeric", "no-owner", "no-group-long"].iter().any(|id| parsed.has(id));
        let classifies = parsed.has("classify")
            && !matches!(parsed.value("classify"), Some(b"never" | b"none" | b"no" | b"auto" | b"tty" | b"if-tty"));
        Self {
            is_long,
            has_inode: parsed.has("inode"),
            has_blocks: parsed.has("blocks"),
            has_owner: !parsed.has("no-owner"),
            has_group: !parsed.has("no-group") && !parsed.has("no-group-long"),
            is_human: parsed.has("human"),
            classifies,
            marks_directories: parsed.has("slash"),
            escapes: parsed.has("escape"),
            users,
            groups,
        }
    }

    pub(super) fn total(&self, entries: &[Entry]) -> String {
        let total = entries.iter().map(|entry| blocks(&entry.stat)).sum::<u64>();
        format!("total {}\n", self.blocks(total))
    }

    fn blocks(&self, blocks: u64) -> String {
        if self.is_human { human(blocks * 512) } else { blocks.div_ceil(2).to_string() }
    }

    fn size(&self, stat: &Stat) -> String {
        match stat.file_type {
            FileType::CharacterDevice | FileType::BlockDevice => String::new(),
            _ if self.is_human => human(stat.size),
            _ => stat.size.to_string(),
        }
    }

    pub(super) fn lines(&self, execution: &Execution, entries: &[Entry]) -> Vec<u8> {
        let width = |column: &dyn Fn(&Entry) -> usize| entries.iter().map(column).max().unwrap_or_default();
        let is_device = |stat: &Stat| matches!(stat.file_type, FileType::CharacterDevice | FileType::BlockDevice);
        let digits = |number: u32| number.to_string().len();
        let widths = Widths {
            inode: width(&|entry| entry.stat.inode.to_string().len()),
            blocks: width(&|entry| self.blocks(blocks(&entry.stat)).len()),
            links: width(&|entry| entry.stat.links.to_string().len()),
            owner: width(&|entry| self.users.name_or_number(entry.stat.uid).len()),
            group: width(&|entry| self.groups.name_or_number(entry.stat.gid).len()),
            major: width(&|entry| if is_device(&entry.stat) { digits(entry.stat.rdev.major) } else { 0 }),
            minor: width(&|entry| if is_device(&entry.stat) { digits(entry.stat.rdev.minor) } else { 0 }),
            size: width(&|entry| self.size(&entry.stat).len()),
        };
        let mut text = Vec::new();
        for entry in entries {
            self.line(execution, entry, &widths, &mut text);
        }
        text
    }

    fn line(&self, execution: &Execution, entry: &Entry, widths: &Widths, text: &mut Vec<u8>) {
        let stat = &entry.stat;
        if self.has_inode {
            let width = widths.inode;
            text.extend(format!("{:>width$} ", stat.inode).into_bytes());
        }
        if self.has_blocks {
            text.extend(format!("{:>width$} ", self.blocks(blocks(stat)), width = widths.blocks).into_bytes());
        }
        if self.is_long {
            self.long(stat, widths, text);
        }
        text.extend(self.name(&entry.name));
        match &entry.target {
            Some(target) => {
                text.extend(b" -> ");
                text.extend(self.name(target));
                if let Ok(stat) = execution.stat(&entry.path) {
                    text.extend(self.indicator(&stat));
                }
            }
            None => text.extend(self.indicator(stat)),
        }
        text.push(b'\n');
    }

    fn long(&self, stat: &Stat, widths: &Widths, text: &mut Vec<u8>) {
        text.extend(format!("{} {:>width$} ", mode_text(stat), stat.links, width = widths.links).into_bytes());
        let mut column = |name: Vec<u8>, width: usize| {
            let padding = width.saturating_sub(name.len());
            text.extend(name);
            text.extend(std::iter::repeat_n(b' ', padding + 1));
        };
        if self.has_owner {
            column(self.users.name_or_number(stat.uid), widths.owner);
        }
        if self.has_group {
            column(self.groups.name_or_number(stat.gid), widths.group);
        }
        // Devices have two numbers where the others have a size: as wide as the wider one.
        let device_width = if widths.minor == 0 { 0 } else { widths.major + 2 + widths.minor };
        let width = widths.size.max(device_width);
        let size = match stat.file_type {
            FileType::CharacterDevice | FileType::BlockDevice => {
                let blanks = width - device_width;
                let (major, minor) = (widths.major + blanks, widths.minor);
                format!("{:>major$}, {:>minor$}", stat.rdev.major, stat.rdev.minor)
            }
            _ => format!("{:>width$}", self.size(stat)),
        };
        text.extend(format!("{size} {DATE} ").into_bytes());
    }

    /// A name as it is printed: as it is, or with escapes.
    pub(super) fn name(&self, name: &[u8]) -> Vec<u8> {
        if !self.escapes {
            return name.to_vec();
        }
        let quoted = crate::programs::support::quote::quoted_as_in_c(name);
        let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let mut text = Vec::new();
        let mut bytes = inner.iter().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' if bytes.peek() == Some(&&b'\'') => {}
                b' ' => text.extend(b"\\ "),
                _ => text.push(*byte),
            }
        }
        text
    }

    fn indicator(&self, stat: &Stat) -> &'static [u8] {
        match stat.file_type {
            FileType::Directory if self.classifies || self.marks_directories => b"/",
            _ if !self.classifies => b"",
            FileType::Symlink => b"@",
            FileType::Fifo => b"|",
            FileType::Socket => b"=",
            FileType::Regular if stat.mode.0 & 0o111 != 0 => b"*",
            _ => b"",
        }
    }
}

struct Widths {
    inode: usize,
    blocks: usize,
    links: usize,
    owner: usize,
    group: usize,
    major: usize,
    minor: usize,
    size: usize,
}
