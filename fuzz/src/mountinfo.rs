//! The parser of mount tables, on any bytes.
//!
//! Nothing panics; what parses is written again as it was; what is made of values parses to these values; escapes round
//! trip.

use cofferdam::UnixPath;
use cofferdam::mountinfo::{Entry, OptionalField, OwnedEntry, Table, entries, escape};

/// Parses the input, and writes it again.
pub fn run(input: &[u8]) {
    for entry in entries(input).filter_map(Result::ok) {
        check_entry(&entry);
    }
    if let Ok(table) = Table::parse(input) {
        check_table(&table);
    } else {
        assert!(entries(input).any(|entry| entry.is_err()), "a table that does not parse has a line that does not");
    }
    check_escapes(input);
}

fn check_entry(entry: &Entry<'_>) {
    let mut line = Vec::new();
    entry.write_to(&mut line);
    assert_eq!(line, entry.as_bytes());
    assert_eq!(entries(&line).collect::<Vec<_>>(), [Ok(*entry)], "a line parses alone as in its table");

    // By way of the values, only what the kernel prints is written in the same way; the values are always the same.
    let owned = OwnedEntry::from(entry);
    let mut written = Vec::new();
    owned.write_to(&mut written);
    let again = match entries(&written).collect::<Result<Vec<_>, _>>() {
        Ok(again) => again,
        Err(error) => panic!("{}: {error}", written.escape_ascii()),
    };
    let [again] = again.as_slice() else { panic!("{} is one line", written.escape_ascii()) };
    assert_eq!(OwnedEntry::from(again), owned);
    let _ = (entry.to_string(), owned.to_string(), format!("{entry:?}"));
    for option in entry.super_options() {
        assert!(entry.has_super_option(option));
        let name = option.split(|byte| *byte == b'=').next().unwrap_or_default();
        let _ = entry.super_option(name);
    }
    for option in entry.mount_options() {
        assert!(entry.has_mount_option(option));
    }
    for field in entry.optional_fields() {
        if let OptionalField::Shared(_) = field {
            assert!(entry.peer_group().is_some());
        }
    }
}

fn check_table(table: &Table<'_>) {
    let mut text = Vec::new();
    table.write_to(&mut text);
    assert_eq!(text, table.as_bytes());
    let _ = (table.to_string(), table.root());
    for entry in table.entries() {
        assert!(table.by_id(entry.id()).is_some());
        let mountpoint = entry.mountpoint();
        if let Some(found) = table.containing(&mountpoint) {
            assert!(mountpoint.starts_with(&*found.mountpoint()) || found.mountpoint().as_bytes() == b"/");
        }
        // In a text in which mounts are each other's parents, the stack goes round.
        let is_below = |mount: &Entry<'_>| table.at_or_below(&mountpoint).any(|other| other == mount);
        assert!(table.at(&mountpoint).all(is_below), "what is at a path is at or below it");
        if let Some(group) = entry.peer_group() {
            assert!(table.peers(group).any(|peer| peer == entry));
        }
        if let Some(master) = entry.master() {
            assert!(table.slaves(master).any(|slave| slave == entry));
        }
    }
    assert!(table.containing(UnixPath::new("relative")).is_none());
}

fn check_escapes(input: &[u8]) {
    for set in [escape::PATH, escape::NAME, escape::OPTION_NAME, escape::OPTION_VALUE] {
        let encoded = escape::encode(input, set);
        assert_eq!(&*escape::decode(&encoded), input);
        let stays = |byte: &u8| *byte == b'\\' || !set.contains(byte);
        assert!(encoded.iter().all(stays), "what is special is escaped");
    }
    let _ = escape::decode(input);
}
