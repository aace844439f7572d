//! What is different between two mount tables.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};
use cofferdam::UnixPathBuf;
use cofferdam::kernel::Bytes;
use cofferdam::mountinfo::{Entry, Table};
use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::cells::{Cell, Look, columns, printable};
use crate::text::{propagation, source};

/// The mounts of two tables that are not the same. Mounts are told apart by where they are, what of which filesystem they show,
/// and in which order they are stacked; the numbers of mounts, peer groups and namespaces, which differ from boot to boot, do
/// not matter where they stand for the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Entries of the first table that the second one does not have.
    pub removed: Vec<usize>,
    /// Entries of the second table that the first one does not have.
    pub added: Vec<usize>,
    /// Entries of both that are different.
    pub changed: Vec<Change>,
    /// How many are the same.
    pub unchanged: usize,
}

/// A mount that is in both tables, and different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry of the first table.
    pub before: usize,
    /// The entry of the second table.
    pub after: usize,
    /// What is different.
    pub aspects: Vec<Aspect>,
}

/// What can be different of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aspect {
    /// What it is.
    pub what: What,
    /// In the first table.
    pub before: Bytes,
    /// In the second table.
    pub after: Bytes,
}

/// What can be different of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The mount's options.
    Options,
    /// The filesystem's options.
    SuperOptions,
    /// Whether it is shared, a slave, both, unbindable or none of it, and with whom.
    Propagation,
    /// The mount that it is mounted on, by its mountpoint.
    Parent,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty() && self.changed.is_empty()
    }

    /// What is different in the second table.
    pub fn between(before: &Table<'_>, after: &Table<'_>) -> Self {
        let matched = matched(before, after);
        let mut difference = Self::default();
        let (mut known, mut kept) = (vec![false; before.entries().len()], vec![false; after.entries().len()]);
        let groups = Groups::of(before, after, &matched);
        let counterparts: HashMap<usize, usize> = matched.iter().copied().collect();
        let parents = Parents { before: parents(before), after: parents(after), matched: &counterparts };
        for &(old, new) in &matched {
            (known[old], kept[new]) = (true, true);
            let aspects = aspects(before, after, (old, new), &groups, &parents);
            if aspects.is_empty() {
                difference.unchanged += 1;
            } else {
                difference.changed.push(Change { before: old, after: new, aspects });
            }
        }
        let missing =
            |found: Vec<bool>| found.into_iter().enumerate().filter(|(_, found)| !found).map(|(entry, _)| entry);
        difference.removed = missing(known).collect();
        difference.added = missing(kept).collect();
        difference
    }
}

/// The entries that are the same mount in both, in the order of the first table.
fn matched(before: &Table<'_>, after: &Table<'_>) -> Vec<(usize, usize)> {
    let by_mountpoint = |table: &Table<'_>| {
        let mut stacks: BTreeMap<UnixPathBuf, Vec<usize>> = BTreeMap::new();
        for (position, entry) in table.entries().iter().enumerate() {
            stacks.entry(entry.mountpoint().into_owned()).or_default().push(position);
        }
        stacks
    };
    let (old, new) = (by_mountpoint(before), by_mountpoint(after));
    let mut matched = Vec::new();
    for (mountpoint, old) in &old {
        let Some(new) = new.get(mountpoint) else { continue };
        let (first, second) = (identities(before, old), identities(after, new));
        for operation in capture_diff_slices(Algorithm::Myers, &first, &second) {
            if let DiffOp::Equal { old_index, new_index, len } = operation {
                matched.extend((0..len).map(|offset| (old[old_index + offset], new[new_index + offset])));
            }
        }
    }
    matched.sort_unstable();
    matched
}

fn identities<'t>(table: &Table<'t>, stack: &[usize]) -> Vec<Identity<'t>> {
    stack.iter().map(|position| identity(&table.entries()[*position])).collect()
}

/// The root, the filesystem's type, and the source of a mount.
type Identity<'t> = (&'t [u8], &'t [u8], &'t [u8]);

/// What a mount shows.
fn identity<'t>(mount: &Entry<'t>) -> Identity<'t> {
    let (root, filesystem) = (mount.root_raw(), mount.filesystem_type_raw());
    // `mnt:[4026532730]`: the number of a namespace is another one each time.
    let root = match root.iter().position(|byte| *byte == b'[') {
        Some(number) if filesystem == b"nsfs" => &root[..number],
        _ => root,
    };
    (root, filesystem, mount.source_raw())
}

/// Which peer groups stand for each other.
#[derive(Default)]
struct Groups {
    after: HashMap<u32, u32>,
    before: HashMap<u32, u32>,
}

impl Groups {
    fn of(before: &Table<'_>, after: &Table<'_>, matched: &[(usize, usize)]) -> Self {
        let mut groups = Self::default();
        let both = |(old, new): &(usize, usize)| (before.entries()[*old], after.entries()[*new]);
        let peers = matched.iter().map(both).map(|(old, new)| (old.peer_group(), new.peer_group()));
        let masters = matched.iter().map(both).map(|(old, new)| (old.master(), new.master()));
        for pair in peers.chain(masters) {
            if let (Some(old), Some(new)) = pair
                && !groups.after.contains_key(&old)
                && !groups.before.contains_key(&new)
            {
                groups.after.insert(old, new);
                groups.before.insert(new, old);
            }
        }
        groups
    }

    fn are_the_same(&self, old: Option<u32>, new: Option<u32>) -> bool {
        match (old, new) {
            (None, None) => true,
            (Some(old), Some(new)) => self.after.get(&old) == Some(&new),
            _ => false,
        }
    }
}

fn aspects(
    before: &Table<'_>,
    after: &Table<'_>,
    (old, new): (usize, usize),
    groups: &Groups,
    parents: &Parents<'_>,
) -> Vec<Aspect> {
    let (first, second) = (&before.entries()[old], &after.entries()[new]);
    let mut aspects = Vec::new();
    let mut differs = |what, before: &[u8], after: &[u8]| {
        aspects.push(Aspect { what, before: before.into(), after: after.into() });
    };
    if first.mount_options_raw() != second.mount_options_raw() {
        differs(What::Options, first.mount_options_raw(), second.mount_options_raw());
    }
    if first.super_options_raw() != second.super_options_raw() {
        differs(What::SuperOptions, first.super_options_raw(), second.super_options_raw());
    }
    let is_same = groups.are_the_same(first.peer_group(), second.peer_group())
        && groups.are_the_same(first.master(), second.master())
        && first.is_unbindable() == second.is_unbindable();
    if !is_same {
        differs(What::Propagation, propagation(first).as_bytes(), propagation(second).as_bytes());
    }
    if let Some((old, new)) = parents.differ(old, new) {
        let mountpoint = |entry: &Entry<'_>| entry.mountpoint().as_bytes().to_vec();
        differs(What::Parent, &mountpoint(&before.entries()[old]), &mountpoint(&after.entries()[new]));
    }
    aspects
}

/// Which mount of each table is on which.
struct Parents<'m> {
    before: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
    matched: &'m HashMap<usize, usize>,
}

impl Parents<'_> {
    /// The parents of a mount, if they are in both tables, and are not the same mount.
    fn differ(&self, old: usize, new: usize) -> Option<(usize, usize)> {
        let (old, new) = (self.before[old]?, self.after[new]?);
        let same = self.matched.get(&old)?;
        (*same != new).then_some((old, new))
    }
}

/// For each mount the one that it is on.
fn parents(table: &Table<'_>) -> Vec<Option<usize>> {
    let entries = table.entries();
    let positions: HashMap<u32, usize> =
        entries.iter().enumerate().map(|(position, entry)| (entry.id(), position)).collect();
    entries.iter().map(|entry| positions.get(&entry.parent_id()).copied()).collect()
}

/// For people: `+` for what is new, `-` for what is gone, `~` for what is different, in the order of mountpoints. Nothing if
/// there is no difference.
pub fn text(difference: &Difference, before: &Table<'_>, after: &Table<'_>, look: Look) -> String {
    let mut lines: BTreeMap<(UnixPathBuf, u8, usize), Vec<Vec<Cell>>> = BTreeMap::new();
    let mut add = |mark: &str, color: AnsiColor, order, table: &Table<'_>, entry: usize, more: &[Aspect]| {
        let mount = &table.entries()[entry];
        let style = color.on_default();
        let own = vec![
            Cell::new(style, mark),
            Cell::new(style, printable(mount.mountpoint().as_bytes())),
            Cell::from(printable(&source(mount))),
            Cell::from(printable(&mount.filesystem_type())),
            Cell::from(printable(mount.mount_options_raw())),
            Cell::from(propagation(mount)),
        ];
        let key = (mount.mountpoint().into_owned(), order, entry);
        lines.insert(key, std::iter::once(own).chain(more.iter().map(detail)).collect());
    };
    for &entry in &difference.removed {
        add("-", AnsiColor::Red, 0, before, entry, &[]);
    }
    for change in &difference.changed {
        add("~", AnsiColor::Yellow, 1, after, change.after, &change.aspects);
    }
    for &entry in &difference.added {
        add("+", AnsiColor::Green, 2, after, entry, &[]);
    }
    let mut text = String::new();
    // What is told of a change is no column of the others.
    let rows: Vec<_> = lines.values().flatten().cloned().collect();
    text.push_str(&columns(&rows, look));
    let Difference { removed, added, changed, unchanged } = difference;
    let _ = writeln!(
        text,
        "{} added (+), {} removed (-), {} changed (~), {unchanged} the same",
        added.len(),
        removed.len(),
        changed.len()
    );
    text
}

fn detail(aspect: &Aspect) -> Vec<Cell> {
    let what = match aspect.what {
        What::Options => "options",
        What::SuperOptions => "filesystem's options",
        What::Propagation => "propagation",
        What::Parent => "mounted on",
    };
    let mut cell = Cell::new(Effects::DIMMED.into(), format!("    {what}: "));
    cell.push(Style::new(), printable(aspect.before.as_ref()));
    cell.push(Effects::DIMMED.into(), " before, now ");
    cell.push(Style::new(), printable(aspect.after.as_ref()));
    vec![cell]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use rstest::rstest;

    use super::*;

    const BEFORE: &str = "\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw shared:2 - proc proc rw
22 20 8:1 /a /mnt rw shared:3 - ext4 /dev/sda1 rw
23 22 0:7 / /mnt rw master:3 - tmpfs one rw
24 20 0:8 / /srv rw shared:3 - tmpfs two rw,size=1k
25 20 0:4 mnt:[4026532730] /run/ns rw - nsfs nsfs rw
";

    fn shown(before: &str, after: &str) -> String {
        let (before, after) = (Table::parse(before.as_bytes()).unwrap(), Table::parse(after.as_bytes()).unwrap());
        text(&Difference::between(&before, &after), &before, &after, Look::default())
    }

    #[test]
    fn a_table_is_the_same_as_itself_after_a_reboot() {
        let summary = "0 added (+), 0 removed (-), 0 changed (~), 6 the same\n";
        assert_eq!(shown(BEFORE, BEFORE), summary);
        // Other numbers, in another order.
        let after = "\
50 1 8:1 / / rw shared:31 - ext4 /dev/sda1 rw
51 50 0:8 / /srv rw shared:33 - tmpfs two rw,size=1k
52 50 8:1 /a /mnt rw shared:33 - ext4 /dev/sda1 rw
53 52 0:7 / /mnt rw master:33 - tmpfs one rw
60 50 0:5 / /proc rw shared:32 - proc proc rw
61 50 0:4 mnt:[4026531840] /run/ns rw - nsfs nsfs rw
";
        assert_eq!(shown(BEFORE, after), summary);
    }

    #[rstest]
    #[case::gone(
        "22 20 8:1 /a /mnt rw shared:3 - ext4 /dev/sda1 rw\n",
        "",
        "\
-  /mnt  /dev/sda1[/a]  ext4  rw  shared 3
0 added (+), 1 removed (-), 0 changed (~), 5 the same
"
    )]
    #[case::new(
        "22 20 8:1 /a /mnt",
        "99 21 0:9 / /proc/x ro - tmpfs x rw\n22 20 8:1 /a /mnt",
        "\
+  /proc/x  x  tmpfs  ro  private
1 added (+), 0 removed (-), 0 changed (~), 6 the same
"
    )]
    #[case::options(
        "proc rw shared:2",
        "proc ro shared:2",
        "\
~  /proc  proc  proc  ro  shared 2
    options: rw before, now ro
0 added (+), 0 removed (-), 1 changed (~), 5 the same
"
    )]
    #[case::of_the_filesystem(
        "size=1k",
        "size=2k",
        "\
~  /srv  two  tmpfs  rw  shared 3
    filesystem's options: rw,size=1k before, now rw,size=2k
0 added (+), 0 removed (-), 1 changed (~), 5 the same
"
    )]
    #[case::no_longer_a_peer(
        "srv rw shared:3",
        "srv rw shared:4",
        "\
~  /srv  two  tmpfs  rw  shared 4
    propagation: shared 3 before, now shared 4
0 added (+), 0 removed (-), 1 changed (~), 5 the same
"
    )]
    #[case::unbindable(
        "proc rw shared:2",
        "proc rw unbindable",
        "\
~  /proc  proc  proc  rw  unbindable
    propagation: shared 2 before, now unbindable
0 added (+), 0 removed (-), 1 changed (~), 5 the same
"
    )]
    #[case::below_another(
        "23 22",
        "23 20",
        "\
~  /mnt  one  tmpfs  rw  slave of 3
    mounted on: /mnt before, now /
0 added (+), 0 removed (-), 1 changed (~), 5 the same
"
    )]
    #[case::another_filesystem(
        "tmpfs one",
        "tmpfs other",
        "\
-  /mnt  one    tmpfs  rw  slave of 3
+  /mnt  other  tmpfs  rw  slave of 3
1 added (+), 1 removed (-), 0 changed (~), 5 the same
"
    )]
    fn what_is_different(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
        assert!(BEFORE.contains(from));
        assert_eq!(shown(BEFORE, &BEFORE.replacen(from, to, 1)), expected);
    }
}
