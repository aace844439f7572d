//! Mount tables as text that can be compared: without the numbers that differ from run to run.

use std::path::Path;

use cofferdam::mountinfo::{Entry, Table};

use super::unix;

/// What Linux adds to the options of a tmpfs as it is configured, or as its security modules say.
const ADDED_BY_THE_HOST: [&str; 3] = ["inode64", "inode32", "seclabel"];

/// A mount table, one line to a mount in the order of the table:
///
/// `MOUNTPOINT on PARENT: TYPE SOURCE DEVICE:ROOT OPTIONS SUPEROPTIONS PROPAGATION`
///
/// PARENT is a mount point; DEVICE is the mount point of a mount of the same filesystem, the first in the alphabet, or
/// `host` and that of the first one in the host's table.
pub(crate) fn lines(table: &Table<'_>, host: &Table<'_>) -> Vec<String> {
    table.entries().iter().map(|entry| line(entry, table, host)).collect()
}

fn line(entry: &Entry<'_>, table: &Table<'_>, host: &Table<'_>) -> String {
    let parent = table.by_id(entry.parent_id()).filter(|parent| parent.id() != entry.id());
    let parent = parent.map_or_else(|| "nothing".into(), |parent| text(parent.mountpoint_raw()));
    format!(
        "{} on {parent}: {} {} {}:{} {} {} {}",
        text(entry.mountpoint_raw()),
        text(entry.filesystem_type_raw()),
        text(entry.source_raw()),
        device(entry, table, host),
        root(entry),
        text(entry.mount_options_raw()),
        super_options(entry),
        match text(entry.optional_fields_raw()) {
            fields if fields.is_empty() => "private".into(),
            fields => fields,
        },
    )
}

/// A namespace is shown without its number.
fn root(entry: &Entry<'_>) -> String {
    let root = text(entry.root_raw());
    match root.split_once(':') {
        Some((kind, _)) if entry.filesystem_type_raw() == b"nsfs" => kind.into(),
        _ => root,
    }
}

fn device(entry: &Entry<'_>, table: &Table<'_>, host: &Table<'_>) -> String {
    let is_same = |other: &&Entry<'_>| (other.major(), other.minor()) == (entry.major(), entry.minor());
    let first = table.entries().iter().filter(is_same).min_by_key(|other| other.mountpoint_raw());
    match (host.entries().iter().find(is_same), first) {
        (Some(on_host), _) => format!("host{}", text(on_host.mountpoint_raw())),
        (None, Some(first)) => text(first.mountpoint_raw()),
        (None, None) => unreachable!("the entry itself is in the table"),
    }
}

/// The options of a mount's filesystem, without those that depend on how the host's kernel is configured.
pub(crate) fn super_options(entry: &Entry<'_>) -> String {
    let options = entry.super_options().map(text).filter(|option| !ADDED_BY_THE_HOST.contains(&option.as_str()));
    options.collect::<Vec<_>>().join(",")
}

/// What [`lines`] says of a bind of one of the host's files or directories between the mount points and the mount
/// options: `TYPE SOURCE DEVICE:ROOT`; and the super options.
pub(crate) fn bound(path: &Path, host: &Table<'_>) -> (String, String) {
    let mount = host.containing(unix(path)).unwrap();
    let below = path.strip_prefix(Path::new(&text(mount.mountpoint_raw()))).unwrap();
    let root = Path::new(&text(mount.root_raw())).join(below);
    // Of a file, `join` makes a path that ends in a slash.
    let root = root.to_str().unwrap().trim_end_matches('/').to_string();
    let root = if root.is_empty() { "/".into() } else { root };
    let what = format!(
        "{} {} {}:{root}",
        text(mount.filesystem_type_raw()),
        text(mount.source_raw()),
        device(mount, host, host)
    );
    (what, super_options(mount))
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}
