//! The mounts of all namespaces, as a picture and as text.

use std::collections::{HashMap, HashSet};

use cofferdam::mountinfo::{Entry, ParseError, Table};
use cofferdam_shell::MountTable;
use cofferdam_view::difference::{self, Difference};
use cofferdam_view::graph::{self, svg};
use cofferdam_view::host::{Host, Namespace, Position};
use cofferdam_view::{Look, text};
use serde::Serialize;

/// What the namespace of the shell is called.
const SHELL: &str = "this shell";

/// So many mounts are named in a sentence.
const NAMED: usize = 4;

/// The mounts of a namespace, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamespaceTree {
    /// Who is in it.
    pub name: String,
    /// A mount to a line, as `cofferdam mounts` prints them.
    pub text: String,
}

/// Some mounts, as a picture and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// As SVG.
    pub svg: String,
    /// For those who do not see it.
    pub trees: Vec<NamespaceTree>,
    /// How many mounts are left out.
    pub left_out: usize,
}

/// The mounts of all namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pictures {
    /// Those that were made or changed since the machine began, and what they have to do with.
    pub session: Picture,
    /// All of them.
    pub all: Picture,
}

/// What is different from the moment before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// In a sentence; empty if nothing is.
    pub summary: String,
    /// Line by line, for each namespace in which anything is.
    pub details: Vec<NamespaceTree>,
}

/// Tables, parsed, the shell's own first.
fn namespaces(tables: &[MountTable]) -> Result<Vec<Namespace<'_>>, ParseError> {
    let name = |name: &str| if name.is_empty() { SHELL.to_owned() } else { name.to_owned() };
    tables.iter().map(|seen| Ok(Namespace { name: name(&seen.name), table: Table::parse(&seen.text)? })).collect()
}

impl Pictures {
    /// Of these tables; the first ones are those of the machine at its beginning.
    ///
    /// # Errors
    ///
    /// A table is none.
    pub(crate) fn of(beginning: &[MountTable], tables: &[MountTable]) -> Result<Self, ParseError> {
        let (before, now) = (namespaces(beginning)?, namespaces(tables)?);
        let host = Host::new(now);
        let own = before.first().map(|namespace| chosen(&namespace.table, &host)).unwrap_or_default();
        Ok(Self { session: Picture::of(&host, |position| own.contains(&position)), all: Picture::of(&host, |_| true) })
    }
}

/// The mounts that a session has made or changed, the roots, and those that share events with them.
fn chosen(beginning: &Table<'_>, host: &Host<'_>) -> HashSet<Position> {
    let mut chosen = HashSet::new();
    for (number, namespace) in host.namespaces().iter().enumerate() {
        let entries = namespace.table.entries();
        let is_root = |entry: usize| entries.get(entry).is_some_and(|mount| mount.mountpoint().as_bytes() == b"/");
        let Difference { added, changed, .. } = Difference::between(beginning, &namespace.table);
        // A container's root is another one: nothing in it is of the beginning, even if it has the same name.
        let has_own_root = added.iter().any(|entry| is_root(*entry));
        // A new namespace is a copy, of which all mounts may be, say, private.
        let is_copy = number > 0;
        let is_changed = |entry| changed.iter().any(|change| change.after == entry);
        let is_chosen =
            |entry: &usize| has_own_root || is_root(*entry) || added.contains(entry) || !is_copy && is_changed(*entry);
        let found = (0..entries.len()).filter(is_chosen);
        chosen.extend(found.map(|entry| Position { namespace: number, entry }));
    }
    let groups: HashSet<u32> = chosen
        .iter()
        .map(|position| host.mount(*position))
        .flat_map(|mount| [mount.peer_group(), mount.master()])
        .flatten()
        .collect();
    chosen.extend(groups.into_iter().flat_map(|group| host.group(group)).map(|receiver| receiver.position));
    chosen
}

impl Picture {
    fn of(host: &Host<'_>, is_chosen: impl Fn(Position) -> bool) -> Self {
        let drawn = graph::Picture::of(host, |position, _| is_chosen(position));
        let (mut trees, mut left_out) = (Vec::new(), 0);
        for (number, namespace) in host.namespaces().iter().enumerate() {
            let mut shown = HashSet::new();
            for (entry, mount) in namespace.table.entries().iter().enumerate() {
                if is_chosen(Position { namespace: number, entry }) {
                    shown.insert(mount.id());
                } else {
                    left_out += 1;
                }
            }
            // As somebody in it sees it: the others come after it.
            let mut rotated = host.namespaces().to_vec();
            rotated.rotate_left(number);
            let text = text::tree(&Host::new(rotated), |mount| shown.contains(&mount.id()), Look::default());
            trees.push(NamespaceTree { name: namespace.name.clone(), text });
        }
        Self { svg: svg(&drawn), trees, left_out }
    }
}

impl Changes {
    /// From one moment to the next.
    ///
    /// # Errors
    ///
    /// A table is none.
    pub(crate) fn between(before: &[MountTable], after: &[MountTable]) -> Result<Self, ParseError> {
        let (before, after) = (namespaces(before)?, namespaces(after)?);
        let mut old: HashMap<&str, &Table<'_>> =
            before.iter().map(|namespace| (&*namespace.name, &namespace.table)).collect();
        let (mut parts, mut details) = (Vec::new(), Vec::new());
        for Namespace { name, table } in &after {
            let Some(earlier) = old.remove(&**name) else {
                parts.push(format!("New mount namespace {name}, with {}.", mounts(table.entries().len())));
                continue;
            };
            let difference = Difference::between(earlier, table);
            if difference.is_none() {
                continue;
            }
            let changed: Vec<usize> = difference.changed.iter().map(|change| change.after).collect();
            let lists = [
                ("mounted", list(table, &difference.added)),
                ("no longer mounted", list(earlier, &difference.removed)),
                ("changed", list(table, &changed)),
            ];
            let lists: Vec<String> = lists
                .into_iter()
                .filter(|(_, mounts)| !mounts.is_empty())
                .map(|(what, mounts)| format!("{what}: {mounts}"))
                .collect();
            let place = if after.len() + before.len() > 2 { format!("In {name}, ") } else { String::new() };
            parts.push(sentence(&format!("{place}{}.", lists.join("; "))));
            let text = difference::text(&difference, earlier, table, Look::default());
            details.push(NamespaceTree { name: name.clone(), text });
        }
        let gone = before.iter().map(|namespace| &namespace.name).filter(|name| old.contains_key(&***name));
        parts.extend(gone.map(|name| format!("The mount namespace {name} is gone.")));
        Ok(Self { summary: parts.join(" "), details })
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}

fn mounts(count: usize) -> String {
    if count == 1 { "1 mount".to_owned() } else { format!("{count} mounts") }
}

/// The mountpoints of some entries; of many, the rest is counted.
fn list(table: &Table<'_>, entries: &[usize]) -> String {
    let mountpoint = |entry: &Entry<'_>| cofferdam_view::printable(entry.mountpoint().as_bytes());
    let found = entries.iter().filter_map(|entry| table.entries().get(*entry));
    let mut names: Vec<String> = found.take(NAMED).map(mountpoint).collect();
    if entries.len() > NAMED {
        names.push(format!("{} more", entries.len() - NAMED));
    }
    names.join(", ")
}
