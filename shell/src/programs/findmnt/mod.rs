//! findmnt(8) of util-linux 2.38.1, of the kernel's mount table.

mod columns;
mod output;
mod select;

use cofferdam::kernel::Kernel as _;

use super::util_linux::table::{Direction, MountTable, OWN_TABLE};
use super::util_linux::{Usage, number, number_or_end, warn, warn_errno};
use crate::execution::Execution;
use crate::getopt::{Order, Parsed, Takes, option};
use columns::Column;
use output::Output;
use select::{Format, Selection, keep_last_on_each_target};

const USAGE: Usage = Usage {
    options: &[
        option("all", 'A', "all", Takes::Nothing),
        option("ascii", 'a', "ascii", Takes::Nothing),
        option("bytes", 'b', "bytes", Takes::Nothing),
        option("canonicalize", 'c', "canonicalize", Takes::Nothing),
        option("direction", 'd', "direction", Takes::Argument),
        option("df", 'D', "df", Takes::Nothing),
        option("evaluate", 'e', "evaluate", Takes::Nothing),
        option("first-only", 'f', "first-only", Takes::Nothing),
        option("fstab", 's', "fstab", Takes::Nothing),
        option("help", 'h', "help", Takes::Nothing),
        option("invert", 'i', "invert", Takes::Nothing),
        option("json", 'J', "json", Takes::Nothing),
        option("kernel", 'k', "kernel", Takes::Nothing),
        option("list", 'l', "list", Takes::Nothing),
        option("mountpoint", 'M', "mountpoint", Takes::Argument),
        option("mtab", 'm', "mtab", Takes::Nothing),
        option("noheadings", 'n', "noheadings", Takes::Nothing),
        option("notruncate", 'u', "notruncate", Takes::Nothing),
        option("options", 'O', "options", Takes::Argument),
        option("output", 'o', "output", Takes::Argument),
        option("output-all", '\0', "output-all", Takes::Nothing),
        option("poll", 'p', "poll", Takes::Optional),
        option("pairs", 'P', "pairs", Takes::Nothing),
        option("raw", 'r', "raw", Takes::Nothing),
        option("types", 't', "types", Takes::Argument),
        option("nocanonicalize", 'C', "nocanonicalize", Takes::Nothing),
        option("nofsroot", 'v', "nofsroot", Takes::Nothing),
        option("submounts", 'R', "submounts", Takes::Nothing),
        option("source", 'S', "source", Takes::Argument),
        option("tab-file", 'F', "tab-file", Takes::Argument),
        option("task", 'N', "task", Takes::Argument),
        option("target", 'T', "target", Takes::Argument),
        option("timeout", 'w', "timeout", Takes::Argument),
        option("uniq", 'U', "uniq", Takes::Nothing),
        option("verify", 'x', "verify", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
        option("shell", 'y', "shell", Takes::Nothing),
        option("verbose", '\0', "verbose", Takes::Nothing),
        option("tree", '\0', "tree", Takes::Nothing),
        option("real", '\0', "real", Takes::Nothing),
        option("pseudo", '\0', "pseudo", Takes::Nothing),
        option("vfs-all", '\0', "vfs-all", Takes::Nothing),
        option("shadowed", '\0', "shadowed", Takes::Nothing),
    ],
    order: Order::Permute,
    exclusive: &[
        &["nocanonicalize", "canonicalize"],
        &["nocanonicalize", "evaluate"],
        &["json", "pairs", "raw", "verify"],
        &["mountpoint", "target"],
        &["task", "kernel", "mtab", "fstab"],
        &["pairs", "list", "raw", "verify"],
        &["poll", "verify"],
        &["mtab", "poll", "fstab"],
        &["pseudo", "real"],
    ],
    refused: &["fstab", "tab-file", "poll", "timeout", "verify", "verbose"],
    mistake: FAILED,
    synopsis: &[
        "[options]",
        "[options] <device> | <mountpoint>",
        "[options] <device> <mountpoint>",
        "[options] [--source <device>] [--target <path> | --mountpoint <dir>]",
    ],
};

const FAILED: i32 = 1;

/// findmnt(8)
pub(super) async fn findmnt(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut selection = match selection(execution, &parsed).await {
        Ok(selection) => selection,
        Err(status) => return status,
    };
    let mut table = match read_table(execution, &parsed, &mut selection).await {
        Ok(table) => table,
        Err(status) => return status,
    };
    let process = execution.process.clone();
    if parsed.has("uniq") {
        keep_last_on_each_target(&process, &mut table);
    }
    let Some(lines) = selection.lines(&process, &table) else { return FAILED };
    let text = Output::new(execution, &selection, &table, &lines).text();
    execution.print(text);
    0
}

async fn read_table(execution: &mut Execution, parsed: &Parsed, selection: &mut Selection) -> Result<MountTable, i32> {
    let mut path = OWN_TABLE.to_vec();
    if let Some(task) = parsed.value("task") {
        let task = number_or_end(execution, task, "invalid TID argument").await?;
        selection.task = task;
        path = format!("/proc/{task}/mountinfo").into_bytes();
    }
    match MountTable::read(execution, &path).await {
        Ok(table) => Ok(table),
        Err(errno) => {
            // The other file that is looked for is not there either.
            let path = if path == OWN_TABLE { b"/proc/mounts".to_vec() } else { path };
            warn_errno(execution, [b"can't read ", &path[..]].concat(), errno).await;
            Err(FAILED)
        }
    }
}

async fn selection(execution: &mut Execution, parsed: &Parsed) -> Result<Selection, i32> {
    let text = |id| parsed.value(id).map(<[u8]>::to_vec);
    let has = |id| parsed.has(id);
    let format = if has("json") {
        Format::Json
    } else if has("pairs") {
        Format::Pairs
    } else if has("raw") {
        Format::Raw
    } else {
        Format::Human
    };
    let own = execution.process.getpid().map_or(0, |pid| pid.0);
    let mut selection = Selection {
        columns: columns(execution, parsed).await?,
        format,
        is_tree: !["df", "pairs", "mtab", "raw", "list"].iter().any(|id| parsed.has(id)),
        has_headings: !has("noheadings"),
        is_ascii: has("ascii"),
        has_shell_names: has("shell"),
        has_plain_sizes: has("bytes"),
        hides_root: has("nofsroot"),
        canonicalizes_output: has("canonicalize"),
        shows_all_vfs_options: has("vfs-all"),
        task: u32::try_from(own).unwrap_or(0),
        direction: direction(execution, parsed.value("direction")).await?,
        has_submounts: has("submounts"),
        is_first_only: has("first-only"),
        is_strict_target: has("mountpoint"),
        may_swap: !has("source") && !has("target") && !has("mountpoint"),
        keeps_paths: has("nocanonicalize"),
        is_inverted: has("invert"),
        is_df: has("df"),
        shows_all: has("all"),
        is_real_only: has("real"),
        is_pseudo_only: has("pseudo"),
        is_shadowed_only: has("shadowed"),
        source: None,
        device: None,
        target: text("mountpoint").or_else(|| text("target")),
        types: text("types"),
        options: text("options"),
    };
    if let Some(source) = parsed.value("source") {
        selection.take_source(source);
    }
    take_operands(execution, &mut selection, &parsed.operands).await?;
    selection.settle_shape(parsed.has("tree"));
    Ok(selection)
}

async fn take_operands(execution: &mut Execution, selection: &mut Selection, operands: &[Vec<u8>]) -> Result<(), i32> {
    let Some(first) = operands.first() else { return Ok(()) };
    if selection.source.is_some() || selection.target.is_some() {
        let text =
            "options --target and --source can't be used together with command line element that is not an option";
        warn(execution, text).await;
        return Err(FAILED);
    }
    selection.take_source(first);
    if let Some(target) = operands.get(1) {
        selection.target = Some(target.clone());
    }
    Ok(())
}

impl Selection {
    /// A source can be the number of a device.
    fn take_source(&mut self, source: &[u8]) {
        let mut parts = source.splitn(2, |byte| *byte == b':').map(number);
        if let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) {
            self.device = Some((major, minor));
            self.may_swap = false;
        } else {
            self.source = Some(source.to_vec());
        }
    }

    /// Whether there is a tree, after all.
    fn settle_shape(&mut self, is_tree_wanted: bool) {
        if self.is_list_of_all() {
            self.has_submounts = false;
        }
        let is_narrow = self.is_first_only || self.target.is_some() || self.source.is_some() || self.device.is_some();
        if !self.has_submounts && is_narrow {
            self.is_tree = false;
        }
        self.is_tree |= is_tree_wanted;
        let tags: [&[u8]; 4] = [b"LABEL=", b"UUID=", b"PARTLABEL=", b"PARTUUID="];
        if self.source.as_ref().is_some_and(|source| tags.iter().any(|tag| source.starts_with(tag))) {
            self.may_swap = false;
        }
    }
}

async fn direction(execution: &mut Execution, word: Option<&[u8]>) -> Result<Direction, i32> {
    match word {
        None | Some(b"forward") => Ok(Direction::Forward),
        Some(b"backward") => Ok(Direction::Backward),
        Some(word) => {
            warn(execution, [b"unknown direction '", word, b"'"].concat()).await;
            Err(FAILED)
        }
    }
}

async fn columns(execution: &mut Execution, parsed: &Parsed) -> Result<Vec<Column>, i32> {
    let default: Vec<Column> = if parsed.has("output-all") {
        Column::all().collect()
    } else if parsed.has("df") {
        Column::DF.to_vec()
    } else {
        Column::DEFAULT.to_vec()
    };
    let Some(list) = parsed.value("output") else { return Ok(default) };
    let (mut columns, names) = match list.strip_prefix(b"+") {
        Some(names) => (default, names),
        None => (Vec::new(), list),
    };
    // A comma at the end is taken for a part of the last name.
    let (names, end) = match names.strip_suffix(b",") {
        Some(names) => (names, &b","[..]),
        None => (names, &b""[..]),
    };
    let count = names.split(|byte| *byte == b',').count();
    for (place, name) in (1..).zip(names.split(|byte| *byte == b',')) {
        let name = if place == count { [name, end].concat() } else { name.to_vec() };
        match Column::by_name(&name) {
            Some(column) => columns.push(column),
            None if name.is_empty() => return Err(FAILED),
            None => {
                warn(execution, [b"unknown column: ", &name[..]].concat()).await;
                return Err(FAILED);
            }
        }
    }
    Ok(columns)
}
