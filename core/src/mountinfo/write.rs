//! From entries to text.

use std::fmt::{self, Write as _};

use typed_path::UnixPathBuf;

use super::entry::Entry;
use super::escape;
use super::table::Table;

impl Entry<'_> {
    /// Appends the line as it was parsed, without a newline.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.line);
    }
}

/// The line without a newline; bytes that are not UTF-8 become U+FFFD. For the exact bytes there
/// is [`Entry::write_to`].
impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lossy(self.line, f)
    }
}

impl Table<'_> {
    /// Appends the text as it was parsed.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

/// The text; bytes that are not UTF-8 become U+FFFD. For the exact bytes there is
/// [`Table::write_to`].
impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lossy(self.as_bytes(), f)
    }
}

/// A line of mountinfo made of values that are not escaped.
///
/// [`write_to`](Self::write_to) prints it as `show_mountinfo()` in the kernel's
/// `fs/proc_namespace.c` does. Made from an [`Entry`] it keeps all but optional fields of an
/// unknown tag, of which that function has none.
///
/// ```
/// use cofferdam::UnixPathBuf;
/// use cofferdam::mountinfo::OwnedEntry;
///
/// let mut entry = OwnedEntry {
///     id: 36,
///     parent_id: 29,
///     mountpoint: UnixPathBuf::from("/srv/run 1"),
///     peer_group: Some(7),
///     filesystem_type: b"overlay".to_vec(),
///     source: b"#1".to_vec(),
///     ..OwnedEntry::default()
/// };
/// entry.push_super_option(b"lowerdir", Some(b"/a,b"));
/// assert_eq!(
///     entry.to_string(),
///     r"36 29 0:0 / /srv/run\0401 rw shared:7 - overlay \0431 rw,lowerdir=/a\054b"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnedEntry {
    /// See [`Entry::id`].
    pub id: u32,
    /// See [`Entry::parent_id`].
    pub parent_id: u32,
    /// See [`Entry::major`].
    pub major: u32,
    /// See [`Entry::minor`].
    pub minor: u32,
    /// See [`Entry::root`].
    pub root: UnixPathBuf,
    /// See [`Entry::mountpoint`].
    pub mountpoint: UnixPathBuf,
    /// See [`Entry::mount_options`]; with commas between them, the first is `ro` or `rw`. The
    /// kernel doesn't escape them, none needs it.
    pub mount_options: Vec<u8>,
    /// See [`Entry::peer_group`].
    pub peer_group: Option<u32>,
    /// See [`Entry::master`].
    pub master: Option<u32>,
    /// See [`Entry::propagate_from`].
    pub propagate_from: Option<u32>,
    /// See [`Entry::is_unbindable`].
    pub unbindable: bool,
    /// See [`Entry::filesystem_type`].
    pub filesystem_type: Vec<u8>,
    /// See [`Entry::source`].
    pub source: Vec<u8>,
    /// See [`Entry::super_options`]; with commas between them, the first is `ro` or `rw`. They
    /// are printed as they stand here, so one that may need an escape is to be added with
    /// [`push_super_option`](Self::push_super_option).
    pub super_options: Vec<u8>,
}

impl OwnedEntry {
    /// Adds an option of the filesystem behind those there are, escaped as `seq_show_option()`
    /// in the kernel's `include/linux/seq_file.h` does.
    pub fn push_super_option(&mut self, name: &[u8], value: Option<&[u8]>) {
        if !self.super_options.is_empty() {
            self.super_options.push(b',');
        }
        escape::encode_into(name, escape::OPTION_NAME, &mut self.super_options);
        if let Some(value) = value {
            self.super_options.push(b'=');
            escape::encode_into(value, escape::OPTION_VALUE, &mut self.super_options);
        }
    }

    /// Appends the line, without a newline.
    ///
    /// A space or newline in the mount options, and a newline in the super options, which would
    /// tear the line, is escaped although the kernel wouldn't.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (id, parent_id, major, minor) = (self.id, self.parent_id, self.major, self.minor);
        let optional_fields = OptionalFields(self);
        // A `String` takes all that is formatted, so there is no error to lose.
        let mut numbers = String::new();
        let _ = write!(numbers, "{id} {parent_id} {major}:{minor} ");
        out.extend_from_slice(numbers.as_bytes());
        escape::encode_into(self.root.as_bytes(), escape::PATH, out);
        out.push(b' ');
        escape::encode_into(self.mountpoint.as_bytes(), escape::PATH, out);
        out.push(b' ');
        escape::encode_into(&self.mount_options, b" \n", out);
        numbers.clear();
        let _ = write!(numbers, "{optional_fields} - ");
        out.extend_from_slice(numbers.as_bytes());
        escape::encode_into(&self.filesystem_type, escape::NAME, out);
        out.push(b' ');
        escape::encode_into(&self.source, escape::NAME, out);
        out.push(b' ');
        escape::encode_into(&self.super_options, b"\n", out);
    }
}

/// The root of a filesystem without a type or device, mounted on `/`, writable, from the source
/// `none`: what there is to start from.
impl Default for OwnedEntry {
    fn default() -> Self {
        Self {
            id: 0,
            parent_id: 0,
            major: 0,
            minor: 0,
            root: UnixPathBuf::from("/"),
            mountpoint: UnixPathBuf::from("/"),
            mount_options: b"rw".to_vec(),
            peer_group: None,
            master: None,
            propagate_from: None,
            unbindable: false,
            filesystem_type: b"none".to_vec(),
            source: b"none".to_vec(),
            super_options: b"rw".to_vec(),
        }
    }
}

impl From<&Entry<'_>> for OwnedEntry {
    fn from(entry: &Entry<'_>) -> Self {
        Self {
            id: entry.id(),
            parent_id: entry.parent_id(),
            major: entry.major(),
            minor: entry.minor(),
            root: entry.root().into_owned(),
            mountpoint: entry.mountpoint().into_owned(),
            mount_options: entry.mount_options_raw().to_vec(),
            peer_group: entry.peer_group(),
            master: entry.master(),
            propagate_from: entry.propagate_from(),
            unbindable: entry.is_unbindable(),
            filesystem_type: entry.filesystem_type().into_owned(),
            source: entry.source().into_owned(),
            super_options: entry.super_options_raw().to_vec(),
        }
    }
}

/// The line without a newline; bytes that are not UTF-8 become U+FFFD. For the exact bytes there
/// is [`OwnedEntry::write_to`].
impl fmt::Display for OwnedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Vec::new();
        self.write_to(&mut line);
        write_lossy(&line, f)
    }
}

/// The optional fields in the kernel's order, each with a space in front.
struct OptionalFields<'a>(&'a OwnedEntry);

impl fmt::Display for OptionalFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.0;
        let groups = [("shared", entry.peer_group), ("master", entry.master), ("propagate_from", entry.propagate_from)];
        for (tag, group) in groups {
            if let Some(group) = group {
                write!(f, " {tag}:{group}")?;
            }
        }
        if entry.unbindable { f.write_str(" unbindable") } else { Ok(()) }
    }
}

fn write_lossy(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            f.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}
