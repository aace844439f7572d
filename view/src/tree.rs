//! A mount table as a tree.

use std::collections::{HashMap, HashSet};

use cofferdam::UnixPath;
use cofferdam::mountinfo::Table;

/// How deep a tree is drawn. Where a mistake has stacked mounts by the thousand, each on the one before, nobody wants to see
/// thousands of lines beside each other.
pub const DEEPEST: usize = 24;

/// A mount in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which entry of the table it is.
    pub entry: usize,
    /// How many mounts that are shown it is below.
    pub depth: usize,
    /// For each mount above it that is shown, from the second on, and for itself: whether no other one comes after it on the
    /// same mount. Of one that is shown at the top, there is nothing; below [`DEEPEST`], there is no more.
    pub is_last: Vec<bool>,
}

/// The mounts that are chosen as a tree: each below the innermost chosen one that it is mounted on, step by step. Those on one
/// mount are in the order of their mountpoints, and of the table.
pub fn rows(table: &Table<'_>, is_chosen: impl Fn(usize) -> bool) -> Vec<Row> {
    let tree = Tree::new(table);
    let top = tree.chosen(&tree.roots, &is_chosen);
    let mut rows = Vec::new();
    // Tables with thousands of mounts, each on the one before, have been seen: no recursion.
    let mut pending: Vec<_> = top.into_iter().rev().map(|entry| Row { entry, depth: 0, is_last: Vec::new() }).collect();
    while let Some(row) = pending.pop() {
        let below = tree.chosen(tree.children(row.entry), &is_chosen);
        for (position, entry) in below.iter().enumerate().rev() {
            let mut is_last = row.is_last.clone();
            if row.depth < DEEPEST {
                is_last.push(position + 1 == below.len());
            }
            pending.push(Row { entry: *entry, depth: row.depth + 1, is_last });
        }
        rows.push(row);
    }
    rows
}

/// Whether each mount is hidden: a lookup of its mountpoint ends in another one, that is stacked on it or hides a directory on
/// the way. As [`Table::is_visible`] tells of one mount, in one pass over all of a table.
pub fn hidden(table: &Table<'_>) -> Vec<bool> {
    let tree = Tree::new(table);
    let mut hidden = vec![true; table.entries().len()];
    let root = table.root().and_then(|root| table.entries().iter().position(|entry| entry.id() == root.id()));
    let mut reached = root.map_or_else(|| entered(table, &tree.roots), |root| vec![root]);
    while let Some(entry) = reached.pop() {
        let children = entered(table, tree.children(entry));
        let mountpoint = table.entries()[entry].mountpoint();
        hidden[entry] = children.iter().any(|child| table.entries()[*child].mountpoint() == mountpoint);
        reached.extend(children);
    }
    hidden
}

/// Those of the mounts on one mount that a lookup of their mountpoint goes into. They are in the order of mountpoints.
fn entered(table: &Table<'_>, mounts: &[usize]) -> Vec<usize> {
    let mut entered: Vec<usize> = Vec::new();
    for &mount in mounts {
        let mountpoint = table.entries()[mount].mountpoint();
        let earlier = entered.last().map(|earlier| table.entries()[*earlier].mountpoint());
        match earlier {
            // A lookup begins in the root directory, and not in what is stacked on it.
            _ if mountpoint.as_bytes() == b"/" => {}
            // The kernel has one on each place; in a text that has more, the last was mounted last.
            Some(earlier) if mountpoint == earlier => {
                entered.pop();
                entered.push(mount);
            }
            Some(earlier) if mountpoint.starts_with(&*earlier) => {}
            _ => entered.push(mount),
        }
    }
    entered
}

/// The ids of the mount that a path is in, and of those that it is on, step by step. `None` if no mount of the table has it.
pub fn leading_to(table: &Table<'_>, path: &UnixPath) -> Option<HashSet<u32>> {
    let mut mount = table.containing(path)?;
    let mut ids = HashSet::from([mount.id()]);
    while let Some(parent) = table.by_id(mount.parent_id()).filter(|parent| ids.insert(parent.id())) {
        mount = parent;
    }
    Some(ids)
}

/// Which mount is on which.
struct Tree {
    /// Those that are on none in the table.
    roots: Vec<usize>,
    children: HashMap<usize, Vec<usize>>,
}

impl Tree {
    fn new(table: &Table<'_>) -> Self {
        let entries = table.entries();
        let positions: HashMap<u32, usize> =
            entries.iter().enumerate().map(|(position, entry)| (entry.id(), position)).collect();
        let parents: Vec<Option<usize>> = entries
            .iter()
            .enumerate()
            .map(|(position, entry)| positions.get(&entry.parent_id()).copied().filter(|parent| *parent != position))
            .collect();
        let mut tree = Self { roots: Vec::new(), children: HashMap::new() };
        for (entry, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => tree.children.entry(*parent).or_default().push(entry),
                None => tree.roots.push(entry),
            }
        }
        tree.break_circles(&parents);
        let by_mountpoint =
            |list: &mut Vec<usize>| list.sort_by_cached_key(|entry| entries[*entry].mountpoint().into_owned());
        by_mountpoint(&mut tree.roots);
        tree.children.values_mut().for_each(by_mountpoint);
        tree
    }

    /// In a text that no kernel has written, mounts may be on each other: one of them is taken for a root.
    fn break_circles(&mut self, parents: &[Option<usize>]) {
        let mut is_below_a_root = vec![false; parents.len()];
        let mut pending = self.roots.clone();
        for (candidate, parent) in parents.iter().enumerate() {
            while let Some(entry) = pending.pop() {
                is_below_a_root[entry] = true;
                pending.extend(self.children(entry));
            }
            if is_below_a_root[candidate] {
                continue;
            }
            if let Some(children) = parent.and_then(|parent| self.children.get_mut(&parent)) {
                children.retain(|child| *child != candidate);
            }
            self.roots.push(candidate);
            pending.push(candidate);
        }
    }

    fn children(&self, entry: usize) -> &[usize] {
        self.children.get(&entry).map_or(&[], Vec::as_slice)
    }

    /// These mounts, and in the place of those that are not chosen the ones that are mounted on them.
    fn chosen(&self, mounts: &[usize], is_chosen: &impl Fn(usize) -> bool) -> Vec<usize> {
        let mut chosen = Vec::new();
        let mut pending: Vec<_> = mounts.iter().rev().copied().collect();
        while let Some(entry) = pending.pop() {
            if is_chosen(entry) {
                chosen.push(entry);
            } else {
                pending.extend(self.children(entry).iter().rev());
            }
        }
        chosen
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn table(mounts: &[(u32, u32, &str)]) -> String {
        let mut text = String::new();
        for (id, parent, mountpoint) in mounts {
            writeln!(text, "{id} {parent} 0:1 / {mountpoint} rw - tmpfs none rw").unwrap();
        }
        text
    }

    fn shown(mounts: &[(u32, u32, &str)], is_chosen: impl Fn(usize) -> bool) -> Vec<(u32, String)> {
        let text = table(mounts);
        let table = Table::parse(text.as_bytes()).unwrap();
        let shape = |row: &Row| row.is_last.iter().map(|is_last| if *is_last { '`' } else { '|' }).collect();
        rows(&table, is_chosen).iter().map(|row| (table.entries()[row.entry].id(), shape(row))).collect()
    }

    #[test]
    fn a_tree_is_in_the_order_of_mountpoints() {
        let mounts =
            [(1, 0, "/"), (2, 1, "/sys"), (3, 1, "/dev"), (4, 3, "/dev/shm"), (5, 3, "/dev/pts"), (6, 4, "/dev/shm")];
        let expected = [(1, ""), (3, "|"), (5, "||"), (4, "|`"), (6, "|``"), (2, "`")];
        assert_eq!(shown(&mounts, |_| true), expected.map(|(id, shape)| (id, shape.to_owned())));
    }

    #[test]
    fn a_deep_tree_is_not_drawn_as_deep_as_it_is() {
        let mounts: Vec<_> = (0..5000).map(|id| (id + 10, id + 9, "/a")).collect();
        let text = table(&mounts);
        let rows = rows(&Table::parse(text.as_bytes()).unwrap(), |_| true);
        assert_eq!(rows.iter().map(|row| row.depth).collect::<Vec<_>>(), (0..5000).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.is_last.len() == row.depth.min(DEEPEST)));
    }

    #[test]
    fn what_is_left_out_leaves_its_place() {
        let mounts = [(1, 0, "/"), (2, 1, "/a"), (3, 2, "/a/b"), (4, 2, "/a/c"), (5, 1, "/d")];
        let expected = [(3, ""), (4, ""), (5, "")].map(|(id, shape)| (id, shape.to_owned()));
        assert_eq!(shown(&mounts, |entry| entry > 1), expected);
    }

    #[test]
    fn mounts_on_each_other_are_shown_once() {
        let mounts = [(1, 2, "/a"), (2, 1, "/b"), (3, 3, "/"), (4, 4, "/c"), (5, 2, "/b/d")];
        let mut ids: Vec<_> = shown(&mounts, |_| true).into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        assert_eq!(shown(&[], |_| true), []);
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_what_a_lookup_does_not_find(
            mounts in prop::collection::vec((0_usize..8, prop::sample::select(&["", "/a", "/a/b", "/a-b", "/b"][..])), 0..12),
            has_root: bool,
        ) {
            let mut made: Vec<(u32, u32, String)> = Vec::new();
            if has_root {
                made.push((1, 0, "/".into()));
            }
            for (parent, below) in mounts {
                // On the root mount, or on another one, at or below its mountpoint.
                let (parent, at) = match made.get(parent % (made.len() + 1)) {
                    Some((id, _, at)) => (*id, at.trim_end_matches('/').to_owned()),
                    None => (u32::from(has_root), String::new()),
                };
                let mountpoint = format!("{at}{below}");
                let mountpoint = if mountpoint.is_empty() { "/".to_owned() } else { mountpoint };
                let id = u32::try_from(made.len()).unwrap() + 10;
                made.push((id, parent, mountpoint));
            }
            let borrowed: Vec<_> = made.iter().map(|(id, parent, at)| (*id, *parent, at.as_str())).collect();
            let text = table(&borrowed);
            let table = Table::parse(text.as_bytes()).unwrap();
            let expected: Vec<_> = table.entries().iter().map(|entry| !table.is_visible(entry)).collect();
            prop_assert_eq!(hidden(&table), expected, "{}", text);
        }
    }
}
