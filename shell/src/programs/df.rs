//! df(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{DeviceNumber, FileType, Kernel as _};

use super::support::canonical::Existing;
use super::support::options::{not_simulated, take_options};
use super::support::quote::{quoted_as_in_c, quoted_if_needed};
use super::support::size::{human, human_decimal};
use super::util_linux::table::{Mount, MountTable, OWN_TABLE};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("all", 'a', "all", Takes::Nothing),
    option("human", 'h', "human-readable", Takes::Nothing),
    option("si", 'H', "si", Takes::Nothing),
    option("inodes", 'i', "inodes", Takes::Nothing),
    option("kibibytes", 'k', "", Takes::Nothing),
    option("mebibytes", 'm', "", Takes::Nothing),
    option("portability", 'P', "portability", Takes::Nothing),
    option("no-sync", '\0', "no-sync", Takes::Nothing),
    option("sync", '\0', "sync", Takes::Nothing),
    option("type", 't', "type", Takes::Argument),
    option("print-type", 'T', "print-type", Takes::Nothing),
    option("exclude-type", 'x', "exclude-type", Takes::Argument),
    not_simulated("!-B", 'B', "block-size", Takes::Argument),
    not_simulated("!-l", 'l', "local", Takes::Nothing),
    not_simulated("!--output", '\0', "output", Takes::Optional),
    not_simulated("!--total", '\0', "total", Takes::Nothing),
];

/// Types of filesystems that hold no files of anybody's (`ME_DUMMY` of gnulib).
const WITHOUT_FILES: [&[u8]; 13] = [
    b"autofs",
    b"proc",
    b"subfs",
    b"debugfs",
    b"devpts",
    b"fusectl",
    b"fuse.portal",
    b"mqueue",
    b"rpc_pipefs",
    b"sysfs",
    b"devfs",
    b"kernfs",
    b"ignore",
];

fn is_without_files(mount: &Mount) -> bool {
    WITHOUT_FILES.contains(&&mount.kind[..]) || mount.kind == b"none"
}

/// How sizes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Kibibytes,
    Mebibytes,
    Human,
    HumanDecimal,
}

impl Unit {
    fn show(self, bytes: u64) -> String {
        match self {
            Self::Kibibytes => bytes.div_ceil(1024).to_string(),
            Self::Mebibytes => bytes.div_ceil(1 << 20).to_string(),
            Self::Human => human(bytes),
            Self::HumanDecimal => human_decimal(bytes),
        }
    }
}

/// What the options say.
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Options {
    unit: Unit,
    shows_all: bool,
    shows_inodes: bool,
    is_portable: bool,
    shows_type: bool,
    types: Vec<Vec<u8>>,
    excluded: Vec<Vec<u8>>,
}

impl Options {
    fn new(parsed: &Parsed) -> Self {
        let list = |id: &str| {
            let given = parsed.options.iter().filter(|(given, _)| *given == id);
            given.filter_map(|(_, value)| value.clone()).collect()
        };
        let unit = parsed.options.iter().rev().find_map(|(id, _)| match *id {
            "human" => Some(Unit::Human),
            "si" => Some(Unit::HumanDecimal),
            "kibibytes" => Some(Unit::Kibibytes),
            "mebibytes" => Some(Unit::Mebibytes),
            _ => None,
        });
        Self {
            unit: unit.unwrap_or(Unit::Kibibytes),
            shows_all: parsed.has("all"),
            shows_inodes: parsed.has("inodes"),
            is_portable: parsed.has("portability"),
            shows_type: parsed.has("print-type"),
            types: list("type"),
            excluded: list("exclude-type"),
        }
    }

    fn selects(&self, mount: &Mount) -> bool {
        (self.types.is_empty() || self.types.contains(&mount.kind)) && !self.excluded.contains(&mount.kind)
    }

    fn heading(&self) -> Vec<Vec<u8>> {
        let words: [&str; 4] = match (self.shows_inodes, self.unit, self.is_portable) {
            (true, ..) => ["Inodes", "IUsed", "IFree", "IUse%"],
            (_, Unit::Human | Unit::HumanDecimal, false) => ["Size", "Used", "Avail", "Use%"],
            (_, Unit::Human | Unit::HumanDecimal, true) => ["Size", "Used", "Avail", "Capacity"],
            (_, Unit::Kibibytes, false) => ["1K-blocks", "Used", "Available", "Use%"],
            (_, Unit::Kibibytes, true) => ["1024-blocks", "Used", "Available", "Capacity"],
            (_, Unit::Mebibytes, false) => ["1M-blocks", "Used", "Available", "Use%"],
            (_, Unit::Mebibytes, true) => ["1048576-blocks", "Used", "Available", "Capacity"],
        };
        let kind = self.shows_type.then_some("Type");
        let words = ["Filesystem"].into_iter().chain(kind).chain(words).chain(["Mounted on"]);
        words.map(|word| word.as_bytes().to_vec()).collect()
    }
}

/// df(1)
pub(crate) async fn df(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let options = Options::new(&parsed);
    if let Some(both) = options.types.iter().find(|kind| options.excluded.contains(*kind)) {
        let name = quoted_as_in_c(both);
        execution.report([b"file system type ", &name[..], b" both selected and excluded"].concat());
        return 1;
    }
    let table = match MountTable::read(execution, OWN_TABLE).await {
        Ok(table) => table,
        Err(errno) => {
            execution.report([b"cannot read table of mounted file systems: ", errno.description().as_bytes()].concat());
            return 1;
        }
    };
    let mut rows = vec![options.heading()];
    let mut status = 0;
    if parsed.operands.is_empty() {
        all(execution, &options, &table, &mut rows);
    }
    for path in &parsed.operands {
        match find(execution, &table, path) {
            Ok(mount) if options.selects(mount) => rows.extend(row(execution, &options, mount, None, true)),
            Ok(_) => {}
            Err(errno) => {
                execution.report([&quoted_if_needed(path)[..], b": ", errno.description().as_bytes()].concat());
                status = 1;
            }
        }
    }
    if rows.len() > 1 {
        let text = table_text(&options, &rows);
        execution.print(text);
    } else if status == 0 {
        execution.report("no file systems processed");
        status = 1;
    }
    status
}

/// All mounts; but of each filesystem only one, unless all were asked for (`filter_mount_list()`).
fn all(execution: &Execution, options: &Options, table: &MountTable, rows: &mut Vec<Vec<Vec<u8>>>) {
    let is_shown = |mount: &&Mount| options.selects(mount) && (options.shows_all || !is_without_files(mount));
    let device = |mount: &Mount| execution.stat(&mount.target).map_or(own_device(mount), |stat| stat.device);
    let mut chosen: Vec<(DeviceNumber, &Mount)> = Vec::new();
    for mount in table.mounts.iter().filter(is_shown) {
        let device = device(mount);
        match chosen.iter_mut().find(|(known, _)| *known == device) {
            None => chosen.push((device, mount)),
            Some((_, seen)) if is_better(mount, seen) => *seen = mount,
            Some(_) => {}
        }
    }
    if !options.shows_all {
        rows.extend(chosen.into_iter().filter_map(|(_, mount)| row(execution, options, mount, None, false)));
        return;
    }
    for mount in table.mounts.iter().filter(is_shown) {
        let over = chosen.iter().find(|(known, _)| *known == device(mount)).map(|(_, seen)| *seen);
        rows.extend(row(execution, options, mount, over, true));
    }
}

fn own_device(mount: &Mount) -> DeviceNumber {
    DeviceNumber { major: mount.device.0, minor: mount.device.1 }
}

/// Whether a mount tells more of a filesystem than another one of it: it has a real device, or is nearer to the root.
fn is_better(mount: &Mount, seen: &Mount) -> bool {
    let is_path = |mount: &Mount| mount.source.contains(&b'/');
    let is_nearer = seen.target.len() > mount.target.len();
    let is_inner = seen.root.len() < mount.root.len();
    is_path(mount) && !is_path(seen)
        || is_nearer && !is_inner
        || seen.source != mount.source && seen.target == mount.target
}

/// The mount that a file is on; of a device, that of its filesystem.
fn find<'a>(execution: &Execution, table: &'a MountTable, path: &[u8]) -> Result<&'a Mount, cofferdam::kernel::Errno> {
    let stat = execution.stat(path)?;
    let canonical = execution.canonical(path, Existing::All, true)?;
    if matches!(stat.file_type, FileType::BlockDevice | FileType::CharacterDevice) {
        let of_device = table.mounts.iter().filter(|mount| mount.source == canonical);
        if let Some(mount) = of_device.min_by_key(|mount| mount.target.len()) {
            return Ok(mount);
        }
    }
    let is_above = |mount: &&Mount| {
        let below = canonical.strip_prefix(&mount.target[..]);
        mount.target == b"/" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    // Of those on the same directory, the last one is on top.
    let nearest = table.mounts.iter().filter(is_above).max_by_key(|mount| mount.target.len());
    let has_device = |mount: &&Mount| execution.stat(&mount.target).is_ok_and(|mounted| mounted.device == stat.device);
    let other = || table.mounts.iter().find(|mount| own_device(mount) == stat.device);
    nearest.filter(has_device).or_else(other).ok_or(cofferdam::kernel::Errno::ENOENT)
}

/// A line; none for a filesystem of no size, unless it was asked for. `seen` is the mount that shows the same filesystem.
fn row(
    execution: &Execution,
    options: &Options,
    mount: &Mount,
    seen: Option<&Mount>,
    is_wanted: bool,
) -> Option<Vec<Vec<u8>>> {
    let statfs = execution.process.statfs(UnixPath::new(&mount.target));
    // Another mount covers it, so that what is told is not of this one.
    let is_hidden = seen.is_some_and(|seen| seen.source != mount.source);
    let mut cells = vec![mount.source.clone()];
    let kind: &[u8] = if is_hidden { b"-" } else { &mount.kind };
    cells.extend(options.shows_type.then(|| kind.to_vec()));
    match statfs {
        Ok(statfs) if !is_hidden => {
            if statfs.blocks == 0 && !is_wanted {
                return None;
            }
            let bytes = |blocks: u64| blocks.saturating_mul(statfs.fragment_size);
            let (total, free, available) = if options.shows_inodes {
                (statfs.files, statfs.free_files, statfs.free_files)
            } else {
                (bytes(statfs.blocks), bytes(statfs.free_blocks), bytes(statfs.available_blocks))
            };
            let used = total.saturating_sub(free);
            let show = |number: u64| match (options.shows_inodes, options.unit) {
                (true, Unit::Human) => human(number),
                (true, Unit::HumanDecimal) => human_decimal(number),
                (true, _) => number.to_string(),
                (false, unit) => unit.show(number),
            };
            let whole = u128::from(used) + u128::from(available);
            let share =
                if whole == 0 { "-".to_owned() } else { format!("{}%", (u128::from(used) * 100).div_ceil(whole)) };
            cells.extend([show(total), show(used), show(available), share].map(String::into_bytes));
        }
        _ if !is_wanted => return None,
        _ => cells.extend(std::iter::repeat_n(b"-".to_vec(), 4)),
    }
    cells.push(mount.target.clone());
    Some(cells)
}

/// The cells in columns that are as wide as what is in them.
fn table_text(options: &Options, rows: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let texts = if options.shows_type { 2 } else { 1 };
    let least = |column: usize| match column {
        0 => 14,
        1 if options.shows_type => 4,
        column if column == texts + 3 => 4,
        _ => 5,
    };
    let width = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(Vec::len).max();
        widest.unwrap_or_default().max(least(column))
    };
    let mut text = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == row.len() {
                text.extend_from_slice(cell);
                break;
            }
            let padding = vec![b' '; width(column).saturating_sub(cell.len())];
            let parts: [&[u8]; 3] = if column < texts { [cell, &padding, b" "] } else { [&padding, cell, b" "] };
            text.extend(parts.concat());
        }
        text.push(b'\n');
    }
    text
}
