//! Mount tables.

use std::collections::HashSet;
use std::fmt;

use cofferdam::mountinfo::{Entry, OptionalField, Table};

use super::layout::Columns;

/// So many mounts that stay as they are are shown; of a longer table only what changes.
const SHOWN_UNCHANGED: usize = 40;

/// A table of mounts, in its order.
pub(super) struct Mounts<'t>(pub(super) &'t [Entry<'t>]);

impl fmt::Display for Mounts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|entry| row(entry).to_vec());
        Columns(std::iter::once(HEADINGS.map(String::from).to_vec()).chain(rows).collect()).fmt(f)
    }
}

const HEADINGS: [&str; 5] = ["TARGET", "TYPE", "PROPAGATION", "OPTIONS", "SOURCE"];

/// The columns of a mount, as findmnt(8) fills them.
fn row(entry: &Entry<'_>) -> [String; 5] {
    let source = match (text(entry.source_raw()), text(entry.root_raw())) {
        (source, root) if root == "/" => source,
        (source, root) => format!("{source}[{root}]"),
    };
    [text(entry.mountpoint_raw()), text(entry.filesystem_type_raw()), propagation(entry), options(entry), source]
}

/// The options of the mount, and of its filesystem those that these do not say already, as mount(8) prints them.
fn options(entry: &Entry<'_>) -> String {
    let own = entry.super_options().filter(|option| !matches!(*option, b"rw" | b"ro"));
    let options: Vec<_> = entry.mount_options().chain(own).map(text).collect();
    options.join(",")
}

fn propagation(entry: &Entry<'_>) -> String {
    let fields: Vec<_> = entry
        .optional_fields()
        .filter_map(|field| match field {
            OptionalField::Shared(group) => Some(format!("shared:{group}")),
            OptionalField::Master(group) => Some(format!("master:{group}")),
            OptionalField::Unbindable => Some("unbindable".to_owned()),
            _ => None,
        })
        .collect();
    if fields.is_empty() { "private".to_owned() } else { fields.join(" ") }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// What became of a host's table.
pub(super) struct Changes {
    /// With the mark of what happened: `+` for what is new, `-` for what is gone.
    rows: Vec<(char, [String; 5])>,
    /// What was there only while the container was.
    meanwhile: Vec<[String; 5]>,
}

impl Changes {
    pub(super) fn new<'t>(before: &Table<'t>, during: &Table<'t>, after: &Table<'t>) -> Self {
        let lines = |table: &Table<'t>| -> HashSet<&'t [u8]> { table.entries().iter().map(Entry::as_bytes).collect() };
        let (old, new) = (lines(before), lines(after));
        let is_old = |entry: &&Entry<'_>| old.contains(entry.as_bytes());
        let is_new = |entry: &&Entry<'_>| new.contains(entry.as_bytes());
        let kept = before.entries().iter().map(|entry| (if is_new(&entry) { ' ' } else { '-' }, row(entry)));
        let added = after.entries().iter().filter(|entry| !is_old(entry)).map(|entry| ('+', row(entry)));
        let rows = kept.chain(added).collect();
        let meanwhile = during.entries().iter().filter(|entry| !is_old(entry) && !is_new(entry));
        Self { rows, meanwhile: meanwhile.map(row).collect() }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |mark| self.rows.iter().filter(|(other, _)| *other == mark).count();
        let (unchanged, removed, added) = (count(' '), count('-'), count('+'));
        let marked = |mark: char, row: &[String; 5]| {
            std::iter::once(mark.to_string()).chain(row.iter().cloned()).collect::<Vec<_>>()
        };
        let shows_unchanged = unchanged <= SHOWN_UNCHANGED;
        let shown = self.rows.iter().filter(|(mark, _)| shows_unchanged || *mark != ' ');
        let rows: Vec<_> = shown.map(|(mark, row)| marked(*mark, row)).collect();
        if !rows.is_empty() {
            let headings = marked(' ', &HEADINGS.map(String::from));
            Columns(std::iter::once(headings).chain(rows).collect()).fmt(f)?;
        }
        let hidden = if shows_unchanged { "" } else { " (not shown)" };
        writeln!(
            f,
            "{}: {unchanged} unchanged{hidden}, {added} added (+), {removed} removed (-).",
            mounts(self.rows.len())
        )?;
        if !self.meanwhile.is_empty() {
            writeln!(f, "While the container was there, {} more:", mounts(self.meanwhile.len()))?;
            Columns(self.meanwhile.iter().map(|row| marked(' ', row)).collect()).fmt(f)?;
        }
        Ok(())
    }
}

fn mounts(count: usize) -> String {
    if count == 1 { "1 mount".to_owned() } else { format!("{count} mounts") }
}
