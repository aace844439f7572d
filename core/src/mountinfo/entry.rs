//! One line of the table.

use std::borrow::Cow;
use std::fmt;

use typed_path::{UnixPath, UnixPathBuf};

use super::escape::decode;
use super::scan::{find, parse_number};

/// A mount: one line of mountinfo, borrowed from the text it was parsed from.
///
/// Two entries are equal if their lines are. The methods whose names end in `_raw` give a field
/// as it stands in the line; the others undo the kernel's escapes, and allocate only if there
/// are any.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    pub(super) line: &'a [u8],
    pub(super) id: u32,
    pub(super) parent_id: u32,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) root: &'a [u8],
    pub(super) mountpoint: &'a [u8],
    pub(super) mount_options: &'a [u8],
    pub(super) optional_fields: &'a [u8],
    pub(super) filesystem_type: &'a [u8],
    pub(super) source: &'a [u8],
    pub(super) super_options: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The mount's ID, unique until it is unmounted.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The ID of the mount that this one is mounted on.
    ///
    /// The parent of a process's root mount is not in the process's table, except that the root
    /// of a mount namespace is its own parent.
    pub fn parent_id(&self) -> u32 {
        self.parent_id
    }

    /// The major number of the filesystem's device.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The minor number of the filesystem's device.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// What of the filesystem is mounted, mostly a path inside it.
    ///
    /// A filesystem may print something else: nsfs prints `net:[4026531840]`. If the file or
    /// directory was deleted its path ends in `//deleted`, see [`root_is_deleted`].
    ///
    /// [`root_is_deleted`]: Self::root_is_deleted
    pub fn root(&self) -> Cow<'a, UnixPath> {
        decode_path(self.root)
    }

    /// [`root`](Self::root) as it stands in the line.
    pub fn root_raw(&self) -> &'a [u8] {
        self.root
    }

    /// Whether the mounted file or directory was deleted from its filesystem
    /// (`dentry_path()` in the kernel's `fs/d_path.c`).
    ///
    /// A comparison of paths would not tell: by component `/a//deleted` is `/a/deleted`.
    pub fn root_is_deleted(&self) -> bool {
        self.root.ends_with(b"//deleted")
    }

    /// Where the mount is, seen from the root directory of the process whose table this is.
    pub fn mountpoint(&self) -> Cow<'a, UnixPath> {
        decode_path(self.mountpoint)
    }

    /// [`mountpoint`](Self::mountpoint) as it stands in the line.
    pub fn mountpoint_raw(&self) -> &'a [u8] {
        self.mountpoint
    }

    /// The options of this mount, such as `ro` and `nodev`, in the kernel's order.
    pub fn mount_options(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.mount_options.split(|&byte| byte == b',')
    }

    /// [`mount_options`](Self::mount_options) as they stand in the line.
    pub fn mount_options_raw(&self) -> &'a [u8] {
        self.mount_options
    }

    /// Whether `option` is among the options of this mount.
    pub fn has_mount_option(&self, option: &[u8]) -> bool {
        self.mount_options().any(|other| other == option)
    }

    /// The optional fields, in the order of the line.
    pub fn optional_fields(&self) -> impl Iterator<Item = OptionalField<'a>> + use<'a> {
        self.optional_fields.split(|&byte| byte == b' ').filter_map(OptionalField::parse)
    }

    /// [`optional_fields`](Self::optional_fields) as they stand in the line.
    pub fn optional_fields_raw(&self) -> &'a [u8] {
        self.optional_fields
    }

    /// The peer group that the mount shares events with; `None` if the mount is not shared.
    pub fn peer_group(&self) -> Option<u32> {
        self.optional_fields().find_map(|field| match field {
            OptionalField::Shared(group) => Some(group),
            _ => None,
        })
    }

    /// The peer group that the mount receives events from; `None` if the mount is not a slave.
    pub fn master(&self) -> Option<u32> {
        self.optional_fields().find_map(|field| match field {
            OptionalField::Master(group) => Some(group),
            _ => None,
        })
    }

    /// The nearest peer group above a slave that has a mount under the process's root.
    ///
    /// The kernel prints it only if it is not the [`master`](Self::master) itself.
    pub fn propagate_from(&self) -> Option<u32> {
        self.optional_fields().find_map(|field| match field {
            OptionalField::PropagateFrom(group) => Some(group),
            _ => None,
        })
    }

    /// Whether the mount cannot be bind mounted.
    pub fn is_unbindable(&self) -> bool {
        self.optional_fields().any(|field| field == OptionalField::Unbindable)
    }

    /// The type of the filesystem, with its subtype if it has one: `fuse.sshfs`.
    pub fn filesystem_type(&self) -> Cow<'a, [u8]> {
        decode(self.filesystem_type)
    }

    /// [`filesystem_type`](Self::filesystem_type) as it stands in the line.
    pub fn filesystem_type_raw(&self) -> &'a [u8] {
        self.filesystem_type
    }

    /// The source given to mount(2), often a device or a name without a meaning; may be empty,
    /// and is `none` if no source was given.
    pub fn source(&self) -> Cow<'a, [u8]> {
        decode(self.source)
    }

    /// [`source`](Self::source) as it stands in the line.
    pub fn source_raw(&self) -> &'a [u8] {
        self.source
    }

    /// The options of the filesystem, as they stand in the line, in the kernel's order.
    ///
    /// They are not decoded, so that a `,` or `=` inside a value stays apart from the ones
    /// around it; [`super_option`](Self::super_option) decodes.
    pub fn super_options(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        // An empty field has no options, where splitting it would give one.
        self.super_options.split(|&byte| byte == b',').skip(usize::from(self.super_options.is_empty()))
    }

    /// [`super_options`](Self::super_options) with the commas between them.
    pub fn super_options_raw(&self) -> &'a [u8] {
        self.super_options
    }

    /// Whether `option` is among the options of the filesystem, compared as it stands in the
    /// line and with its value, if any.
    pub fn has_super_option(&self, option: &[u8]) -> bool {
        self.super_options().any(|other| other == option)
    }

    /// The decoded value of the filesystem's option `name`; `None` if there is none, or if it
    /// has no value.
    pub fn super_option(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.super_options().find_map(|option| option.strip_prefix(name)?.strip_prefix(b"=")).map(decode)
    }

    /// The line as it was parsed, without its newline.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.line
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.line.escape_ascii())
    }
}

/// A field between the mount options and the separator, mostly about propagation
/// (`mount_namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionalField<'a> {
    /// `shared:N`: the mount is in peer group N.
    Shared(u32),
    /// `master:N`: the mount is a slave of peer group N.
    Master(u32),
    /// `propagate_from:N`: the nearest peer group with a mount under the process's root.
    PropagateFrom(u32),
    /// `unbindable`: the mount cannot be bind mounted.
    Unbindable,
    /// A tag that this version doesn't know; the kernel may add some.
    Unknown {
        /// What stands before the first colon.
        tag: &'a [u8],
        /// What stands behind it.
        value: Option<&'a [u8]>,
    },
}

impl<'a> OptionalField<'a> {
    /// `None` if the field is malformed, which for an unknown tag it is only when empty.
    pub(super) fn parse(field: &'a [u8]) -> Option<Self> {
        let (tag, value) = match find(b':', field) {
            Some(colon) => (&field[..colon], Some(&field[colon + 1..])),
            None => (field, None),
        };
        match (tag, value) {
            (b"", None) => None,
            (b"shared", _) => parse_number(value?).map(Self::Shared),
            (b"master", _) => parse_number(value?).map(Self::Master),
            (b"propagate_from", _) => parse_number(value?).map(Self::PropagateFrom),
            (b"unbindable", None) => Some(Self::Unbindable),
            _ => Some(Self::Unknown { tag, value }),
        }
    }
}

fn decode_path(raw: &[u8]) -> Cow<'_, UnixPath> {
    match decode(raw) {
        Cow::Borrowed(bytes) => Cow::Borrowed(UnixPath::new(bytes)),
        Cow::Owned(bytes) => Cow::Owned(UnixPathBuf::from(bytes)),
    }
}
