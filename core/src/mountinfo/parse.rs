//! From text to entries.

use std::fmt;

use memchr::memchr;

use super::entry::{Entry, OptionalField};
use super::scan::{find, number_at_start};

/// Iterates over the entries of `text`, in the order of the file, without allocating.
///
/// A malformed line gives an error and the iteration goes on with the line after it, where
/// [`Table::parse`](super::Table::parse) gives up. The last line need not end in a newline.
pub fn entries(text: &[u8]) -> Entries<'_> {
    Entries { rest: text, line: 0 }
}

/// The iterator that [`entries`] returns.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = if let Some(end) = memchr(b'\n', self.rest) {
            let (line, rest) = self.rest.split_at(end);
            self.rest = &rest[1..];
            line
        } else {
            std::mem::take(&mut self.rest)
        };
        self.line += 1;
        Some(parse_line(line).map_err(|reason| ParseError { line: self.line, reason }))
    }
}

impl std::iter::FusedIterator for Entries<'_> {}

/// A line is not what `show_mountinfo()` prints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
#[non_exhaustive]
pub struct ParseError {
    /// Which line of the text, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub reason: Reason,
}

/// What is wrong with a line.
///
/// The text of a field is quoted escaped and cut to a length that fits in a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The line ends before this field, or has nothing where the kernel always prints something.
    #[error("{0} is missing")]
    MissingField(Field),
    /// A mount ID is not a decimal number that fits in 32 bits.
    #[error("{field} is not a number: \"{text}\"")]
    NotANumber {
        /// Which of the IDs.
        field: Field,
        /// What stands there.
        text: String,
    },
    /// The device is not two numbers.
    #[error("{} is not major:minor: \"{text}\"", Field::Device)]
    NotADevice {
        /// What stands there.
        text: String,
    },
    /// An optional field is empty, or is a propagation tag without the number of its peer group.
    #[error("{} has a malformed tag: \"{text}\"", Field::OptionalFields)]
    MalformedTag {
        /// The tag and its value.
        text: String,
    },
    /// No field after the mount options is a single hyphen.
    #[error("{} is missing: no \" - \" after the mount options", Field::Separator)]
    MissingSeparator,
}

/// A field of a line, numbered as in `proc_pid_mountinfo(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are those of the manual page")]
pub enum Field {
    MountId = 1,
    ParentId,
    Device,
    Root,
    Mountpoint,
    MountOptions,
    OptionalFields,
    Separator,
    FilesystemType,
    Source,
    SuperOptions,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::MountId => "mount ID",
            Self::ParentId => "parent ID",
            Self::Device => "device",
            Self::Root => "root",
            Self::Mountpoint => "mountpoint",
            Self::MountOptions => "mount options",
            Self::OptionalFields => "optional fields",
            Self::Separator => "separator",
            Self::FilesystemType => "filesystem type",
            Self::Source => "mount source",
            Self::SuperOptions => "super options",
        };
        write!(f, "field {} ({name})", *self as u8)
    }
}

/// Parses one line, which does not include its newline.
fn parse_line(line: &[u8]) -> Result<Entry<'_>, Reason> {
    let mut cursor = Cursor { line, position: 0 };
    let id = cursor.number(Field::MountId)?;
    let parent_id = cursor.number(Field::ParentId)?;
    let (major, minor) = cursor.device()?;
    let root = cursor.not_empty(Field::Root)?;
    let mountpoint = cursor.not_empty(Field::Mountpoint)?;
    let mount_options = cursor.not_empty(Field::MountOptions)?;
    let optional_fields = cursor.optional_fields()?;
    let filesystem_type = cursor.not_empty(Field::FilesystemType)?;
    // mount(2) takes an empty source, and the kernel prints it as it is.
    let source = cursor.next().ok_or(Reason::MissingField(Field::Source))?;
    // All that is left, spaces included: some filesystems print an option unescaped, as 9p does
    // `path=C:\Program Files` under WSL, and nothing comes after the super options.
    let super_options = cursor.rest().ok_or(Reason::MissingField(Field::SuperOptions))?;
    Ok(Entry {
        line,
        id,
        parent_id,
        major,
        minor,
        root,
        mountpoint,
        mount_options,
        optional_fields,
        filesystem_type,
        source,
        super_options,
    })
}

/// Where in a line the parser is; fields end in exactly one space, as `show_mountinfo()` prints
/// them.
struct Cursor<'a> {
    line: &'a [u8],
    /// Start of the next field; past the end of the line when there is none.
    position: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> Option<&'a [u8]> {
        self.line.get(self.position..)
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest()?;
        let field = &rest[..find(b' ', rest).unwrap_or(rest.len())];
        self.position += field.len() + 1;
        Some(field)
    }

    fn not_empty(&mut self, name: Field) -> Result<&'a [u8], Reason> {
        self.next().filter(|field| !field.is_empty()).ok_or(Reason::MissingField(name))
    }

    fn number(&mut self, name: Field) -> Result<u32, Reason> {
        if let Some((number, rest)) = self.rest().and_then(number_at_start)
            && self.skip_to_end_of_field(rest)
        {
            return Ok(number);
        }
        let field = self.not_empty(name)?;
        Err(Reason::NotANumber { field: name, text: excerpt(field) })
    }

    fn device(&mut self) -> Result<(u32, u32), Reason> {
        if let Some((major, rest)) = self.rest().and_then(number_at_start)
            && let Some((minor, rest)) = rest.strip_prefix(b":").and_then(number_at_start)
            && self.skip_to_end_of_field(rest)
        {
            return Ok((major, minor));
        }
        let field = self.not_empty(Field::Device)?;
        Err(Reason::NotADevice { text: excerpt(field) })
    }

    /// Goes on to behind the field that ends where `rest`, of the same line, starts; does nothing if none ends there.
    fn skip_to_end_of_field(&mut self, rest: &[u8]) -> bool {
        let ends = matches!(rest.first(), None | Some(b' '));
        if ends {
            self.position = self.line.len() - rest.len() + 1;
        }
        ends
    }

    /// The optional fields with the spaces between them; goes on to behind the separator.
    fn optional_fields(&mut self) -> Result<&'a [u8], Reason> {
        let start = self.position;
        loop {
            let end = self.position;
            let field = self.next().ok_or(Reason::MissingSeparator)?;
            if field == b"-" {
                // One less for the space in front of the separator.
                return Ok(self.line.get(start..end - 1).unwrap_or_default());
            }
            if OptionalField::parse(field).is_none() {
                return Err(Reason::MalformedTag { text: excerpt(field) });
            }
        }
    }
}

/// `field` as a message can show it.
fn excerpt(field: &[u8]) -> String {
    const LONGEST: usize = 60;
    match field.get(..LONGEST) {
        Some(start) if field.len() > LONGEST => format!("{}...", start.escape_ascii()),
        _ => field.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn error(text: &[u8]) -> String {
        entries(text).find_map(Result::err).unwrap().to_string()
    }

    #[rstest]
    #[case::empty_line(b"\n", "line 1: field 1 (mount ID) is missing")]
    #[case::id(b"x 35 98:0 / / rw - a b c", "line 1: field 1 (mount ID) is not a number: \"x\"")]
    #[case::signed(b"+6 35 98:0 / / rw - a b c", "line 1: field 1 (mount ID) is not a number: \"+6\"")]
    #[case::id_too_large(
        b"4294967296 35 98:0 / / rw - a b c",
        "line 1: field 1 (mount ID) is not a number: \"4294967296\""
    )]
    #[case::leading_space(b" 36 35 98:0 / / rw - a b c", "line 1: field 1 (mount ID) is missing")]
    #[case::no_parent(b"36", "line 1: field 2 (parent ID) is missing")]
    #[case::parent(b"36 \xff 98:0 / / rw - a b c", "line 1: field 2 (parent ID) is not a number: \"\\xff\"")]
    #[case::no_device(b"36 35", "line 1: field 3 (device) is missing")]
    #[case::device(b"36 35 98 / / rw - a b c", "line 1: field 3 (device) is not major:minor: \"98\"")]
    #[case::half_a_device(b"36 35 98: / / rw - a b c", "line 1: field 3 (device) is not major:minor: \"98:\"")]
    #[case::no_root(b"36 35 98:0", "line 1: field 4 (root) is missing")]
    #[case::no_mountpoint(b"36 35 98:0 /", "line 1: field 5 (mountpoint) is missing")]
    #[case::empty_mountpoint(b"36 35 98:0 /  rw - a b c", "line 1: field 5 (mountpoint) is missing")]
    #[case::no_options(b"36 35 98:0 / /", "line 1: field 6 (mount options) is missing")]
    #[case::peer_group(
        b"36 35 98:0 / / rw shared:x - a b c",
        "line 1: field 7 (optional fields) has a malformed tag: \"shared:x\""
    )]
    #[case::no_peer_group(
        b"36 35 98:0 / / rw master - a b c",
        "line 1: field 7 (optional fields) has a malformed tag: \"master\""
    )]
    #[case::two_spaces(b"36 35 98:0 / / rw  - a b c", "line 1: field 7 (optional fields) has a malformed tag: \"\"")]
    #[case::no_separator(
        b"36 35 98:0 / / rw shared:1 ext4 /dev/root rw",
        "line 1: field 8 (separator) is missing: no \" - \" after the mount options"
    )]
    #[case::no_type(b"36 35 98:0 / / rw -", "line 1: field 9 (filesystem type) is missing")]
    #[case::no_source(b"36 35 98:0 / / rw - a", "line 1: field 10 (mount source) is missing")]
    #[case::no_super_options(b"36 35 98:0 / / rw - a b", "line 1: field 11 (super options) is missing")]
    #[case::counts_lines(
        b"36 35 98:0 / / rw - a b c\n37 36 0:1 / /p rw - a b c\n3",
        "line 3: field 2 (parent ID) is missing"
    )]
    fn says_what_is_wrong(#[case] text: &[u8], #[case] message: &str) {
        assert_eq!(error(text), message);
    }

    #[test]
    fn cuts_what_it_quotes() {
        let message = error(&[b'x'; 4096]);
        assert!(message.ends_with("xxx...\""), "{message}");
        assert!(message.len() < 120, "{message}");
    }

    #[test]
    fn goes_on_after_a_malformed_line() {
        let text = b"36 35 98:0 / / rw - a b c\njunk\n37 36 0:1 / /p rw - a b c";
        let found: Vec<_> = entries(text).map(|entry| entry.map(|entry| entry.id())).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], Ok(36));
        assert_eq!(found[1].as_ref().map_err(|error| error.line), Err(2));
        assert_eq!(found[2], Ok(37));
    }

    #[test]
    fn empty_text_has_no_entries() {
        assert_eq!(entries(b"").count(), 0);
    }
}
