//! Tables and the questions they answer.

use typed_path::UnixPath;

use super::{Entry, OwnedEntry, Table};

fn ids<'t, 'a: 't>(found: impl IntoIterator<Item = &'t Entry<'a>>) -> Vec<u32> {
    found.into_iter().map(Entry::id).collect()
}

fn containing(table: &Table<'_>, path: &str) -> Option<u32> {
    table.containing(UnixPath::new(path)).map(Entry::id)
}

/// `lines` are ID, parent and mountpoint.
fn text(lines: &[(u32, u32, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for &(id, parent_id, mountpoint) in lines {
        let mountpoint = mountpoint.into();
        OwnedEntry { id, parent_id, mountpoint, ..OwnedEntry::default() }.write_to(&mut text);
        text.push(b'\n');
    }
    text
}

#[test]
fn finds_the_mount_by_component() {
    let text = text(&[(20, 1, "/"), (21, 20, "/runs/c1"), (22, 21, "/runs/c1/up per")]);
    let table = Table::parse(&text).unwrap();
    for (path, id) in [
        ("/", Some(20)),
        ("/runs", Some(20)),
        ("/runs/c1", Some(21)),
        ("/runs/c1/", Some(21)),
        ("//runs/./c1//x", Some(21)),
        ("/runs/c10", Some(20)),
        ("/runs/c1/up per/x", Some(22)),
        ("/runs/c1/up", Some(21)),
        ("runs/c1", None),
        ("", None),
    ] {
        assert_eq!(containing(&table, path), id, "{path}");
    }
}

#[test]
fn finds_the_top_of_a_stack() {
    // 23 went beneath 22 by propagation, so the order of the text is not that of the stack.
    let text = text(&[(20, 1, "/"), (21, 20, "/a"), (22, 23, "/a"), (23, 21, "/a"), (24, 22, "/a/b")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(containing(&table, "/a/x"), Some(22));
    assert_eq!(containing(&table, "/a/b/x"), Some(24));
    assert_eq!(ids(table.at(UnixPath::new("/a"))), [21, 23, 22]);
    let visible = |id| table.is_visible(table.by_id(id).unwrap());
    assert_eq!([20, 21, 22, 23, 24].map(visible), [true, false, true, false, true]);
}

#[test]
fn does_not_find_a_hidden_mount() {
    // 21 was there first; 22 then hid it, and 23 was mounted in 22 on the same path.
    let text = text(&[(20, 1, "/"), (21, 20, "/a/b"), (22, 20, "/a")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(containing(&table, "/a/b/x"), Some(22));
    assert_eq!(ids(table.at(UnixPath::new("/a/b"))), [0; 0]);
    assert_eq!(ids(table.at_or_below(UnixPath::new("/a/b"))), [21]);
    assert!(!table.is_visible(&table.entries()[1]));

    let text = [text, b"23 22 0:0 / /a/b rw - none none rw".to_vec()].concat();
    let table = Table::parse(&text).unwrap();
    assert_eq!(containing(&table, "/a/b/x"), Some(23));
    assert_eq!(ids(table.at(UnixPath::new("/a/b"))), [23]);
}

#[test]
fn does_not_cross_what_is_stacked_on_the_root() {
    // As after pivot_root(".", "."): the old root is on the new one, and has mounts of its own.
    let text = text(&[(30, 9, "/"), (20, 30, "/"), (21, 20, "/a"), (31, 30, "/b")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(table.root().map(Entry::id), Some(30));
    assert_eq!(containing(&table, "/"), Some(30));
    assert_eq!(containing(&table, "/a/x"), Some(30));
    assert_eq!(containing(&table, "/b/x"), Some(31));
    assert_eq!(ids(table.at(UnixPath::new("/"))), [30, 20]);
    assert_eq!(ids(table.at(UnixPath::new("/a"))), [0; 0]);
    assert_eq!(ids(table.at(UnixPath::new("/b"))), [31]);
}

#[test]
fn takes_a_root_that_is_its_own_parent() {
    let text = text(&[(20, 1, "/"), (21, 1, "/b"), (1, 1, "/")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(containing(&table, "/x"), Some(1));
    assert_eq!(containing(&table, "/b/x"), Some(21));
    assert_eq!(ids(table.at(UnixPath::new("/"))), [1, 20]);
    assert_eq!(ids(table.children(1)), [20, 21]);
}

#[test]
fn has_no_root_when_the_process_is_inside_a_mount() {
    let text = text(&[(21, 20, "/proc"), (22, 21, "/proc/x"), (23, 20, "/")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(table.root(), None);
    assert_eq!(containing(&table, "/"), None);
    assert_eq!(containing(&table, "/etc"), None);
    assert_eq!(containing(&table, "/proc/1"), Some(21));
    assert_eq!(containing(&table, "/proc/x/y"), Some(22));
    assert_eq!(ids(table.at(UnixPath::new("/"))), [23]);
}

#[test]
fn ends_on_mounts_that_are_each_others_parents() {
    let text = text(&[(20, 1, "/"), (21, 22, "/a"), (22, 21, "/a"), (23, 20, "/a"), (21, 23, "/a")]);
    let table = Table::parse(&text).unwrap();
    assert!(table.containing(UnixPath::new("/a")).is_some());
}

#[test]
fn lists_what_is_at_or_below() {
    let text = text(&[(20, 1, "/"), (21, 20, "/a"), (22, 21, "/a/b"), (23, 20, "/ab"), (24, 21, "/a")]);
    let table = Table::parse(&text).unwrap();
    assert_eq!(ids(table.at_or_below(UnixPath::new("/a"))), [21, 22, 24]);
    assert_eq!(ids(table.at_or_below(UnixPath::new("/a/")).rev()), [24, 22, 21]);
    assert_eq!(ids(table.at_or_below(UnixPath::new("/"))), [20, 21, 22, 23, 24]);
    assert_eq!(ids(table.at_or_below(UnixPath::new("a"))), [0; 0]);
    assert_eq!(ids(table.at_or_below(UnixPath::new("/c"))), [0; 0]);
}

#[test]
fn lists_propagation() {
    let table = Table::parse(
        b"20 1 8:1 / / rw shared:1 - ext4 a rw\n\
          21 20 8:1 /x /x rw shared:1 - ext4 a rw\n\
          22 20 8:1 /y /y rw shared:2 master:1 - ext4 a rw\n",
    )
    .unwrap();
    assert_eq!(ids(table.peers(1)), [20, 21]);
    assert_eq!(ids(table.slaves(1)), [22]);
    assert_eq!(ids(table.peers(3)), [0; 0]);
    assert_eq!(ids(table.entries()), [20, 21, 22]);
}

#[test]
fn says_which_line_of_a_table_is_wrong() {
    let error = Table::parse(b"20 1 8:1 / / rw - ext4 a rw\n20 1 8:1 / / rw\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: field 8 (separator) is missing: no \" - \" after the mount options");
}

#[cfg(target_os = "linux")]
mod on_linux {
    use super::super::entries;
    use super::*;

    #[test]
    fn reads_the_table_of_this_process() {
        let text = std::fs::read("/proc/self/mountinfo").unwrap();
        let table = Table::parse(&text).unwrap();
        let mut written = Vec::new();
        table.write_to(&mut written);
        assert_eq!(written, text);
        for entry in table.entries() {
            let owned = OwnedEntry::from(entry);
            let mut line = Vec::new();
            owned.write_to(&mut line);
            assert_eq!(OwnedEntry::from(&entries(&line).next().unwrap().unwrap()), owned);
        }
        assert!(table.containing(UnixPath::new("/proc/self")).is_some());
    }
}
