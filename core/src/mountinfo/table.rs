//! Queries on a whole table.

use std::borrow::Cow;
use std::cmp::Reverse;

use memchr::memchr_iter;
use typed_path::UnixPath;

use super::entry::Entry;
use super::escape::{skip_common, split_first_decoded};
use super::parse::{ParseError, entries};

/// The mounts that a process sees: a parsed mountinfo, borrowed from its text.
///
/// Paths given to the queries are absolute and resolved, as the kernel prints mountpoints:
/// repeated slashes, a slash at the end and `.` are ignored, but `..` and symbolic links are
/// taken for plain names. A relative path is in no mount and has none below it.
///
/// No query costs more than stated; n is the number of entries.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    text: &'a [u8],
    entries: Vec<Entry<'a>>,
}

impl<'a> Table<'a> {
    /// Parses the text of a mountinfo file; the first malformed line is the error.
    ///
    /// Allocates once. To use what is well-formed in a broken text, or to do without a table,
    /// iterate over [`entries`].
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        let mut parsed = Vec::with_capacity(memchr_iter(b'\n', text).count() + 1);
        for entry in entries(text) {
            parsed.push(entry?);
        }
        Ok(Self { text, entries: parsed })
    }

    /// The text as it was parsed.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The entries in the order of the text.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// The mount with this ID. O(n).
    pub fn by_id(&self, id: u32) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The mount that holds the process's root directory. O(n).
    ///
    /// `None` if that mount is not in the table, as for a process whose root directory
    /// (`chroot(2)`) is not the root of a mount: the kernel leaves out a mount whose mountpoint
    /// the process cannot reach. Then a mount stacked on that directory is taken for the root
    /// mount if no other mount in the table tells them apart.
    pub fn root(&self) -> Option<&Entry<'a>> {
        let at_root = || self.entries.iter().filter(|entry| entry.mountpoint == b"/");
        let mut ids: Vec<u32> = at_root().map(|entry| entry.id).collect();
        ids.sort_unstable();
        // Whatever else is mounted on `/` is, step by step, mounted on the root mount.
        let bottom =
            at_root().find(|entry| entry.parent_id == entry.id || ids.binary_search(&entry.parent_id).is_err())?;
        // The parent of the root mount is out of the process's reach, and so are its other
        // children. If there are some, `bottom` was mounted over the root directory of a
        // process that has it inside a mount.
        let is_overmount = bottom.parent_id != bottom.id
            && self.entries.iter().any(|entry| entry.parent_id == bottom.parent_id && entry.mountpoint != b"/");
        (!is_overmount).then_some(bottom)
    }

    /// The mount that `path` is in: where an absolute lookup by the process ends, if nothing on
    /// the way is a symbolic link. O(n) if, as usual, few mounts are above `path`, else
    /// O(n log n).
    ///
    /// Follows the kernel (`__traverse_mounts()` in `fs/namei.c`): from the root mount on, at
    /// each component the walk goes into a mount on it, and on into the mounts stacked on that
    /// one. So a mount that a later one hides is not found, although its mountpoint may be the
    /// longest. As in the kernel the walk starts below a mount that is stacked on `/`: no
    /// absolute path is in it.
    ///
    /// `None` if the path is relative, or is in a mount that is not in the table
    /// (see [`root`](Self::root)).
    pub fn containing(&self, path: &UnixPath) -> Option<&Entry<'a>> {
        self.walk(&normalize(path)?, RootStack::NotCrossed).pop()
    }

    /// The mounts stacked on exactly this mountpoint, bottom to top. Cost as
    /// [`containing`](Self::containing).
    ///
    /// Hidden mounts, which a lookup of the path doesn't come through, are not among them. On
    /// `/` it gives the root mount and all that is stacked on it.
    pub fn at(&self, path: &UnixPath) -> impl DoubleEndedIterator<Item = &Entry<'a>> {
        let path = normalize(path);
        let crossed = path.as_deref().map(|path| {
            let root_stack = if path == b"/" { RootStack::Crossed } else { RootStack::NotCrossed };
            self.walk(path, root_stack)
        });
        crossed
            .unwrap_or_default()
            .into_iter()
            .filter(move |entry| path.as_deref().is_some_and(|path| skip_common(entry.mountpoint, path) == (b"", b"")))
    }

    /// The mounts on `path` and below it, hidden ones too, in the order of the text. O(n).
    ///
    /// A mount mostly comes after the one it is mounted on, so reversed this is the order to
    /// unmount in; after a move (`MS_MOVE`) or under propagation it need not be.
    pub fn at_or_below(&self, path: &UnixPath) -> impl DoubleEndedIterator<Item = &Entry<'a>> {
        let path = normalize(path);
        self.entries
            .iter()
            .filter(move |entry| path.as_deref().is_some_and(|path| is_at_or_below(entry.mountpoint, path)))
    }

    /// Whether a lookup of the entry's own mountpoint ends in it: nothing is stacked on it, and
    /// it is not hidden by a mount further up. Cost as [`containing`](Self::containing).
    pub fn is_visible(&self, entry: &Entry<'_>) -> bool {
        self.containing(&entry.mountpoint()).is_some_and(|top| top.id == entry.id)
    }

    /// The mounts whose parent is the mount with this ID, in the order of the text. O(n).
    pub fn children(&self, id: u32) -> impl DoubleEndedIterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.parent_id == id && entry.id != id)
    }

    /// The mounts in this peer group, in the order of the text. O(n).
    ///
    /// A peer in another mount namespace, or out of the process's reach, is not in the table.
    pub fn peers(&self, group: u32) -> impl DoubleEndedIterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.peer_group() == Some(group))
    }

    /// The mounts that receive events straight from this peer group, in the order of the text.
    /// O(n).
    ///
    /// The masters of a mount are the [`peers`](Self::peers) of its [`Entry::master`].
    pub fn slaves(&self, group: u32) -> impl DoubleEndedIterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.master() == Some(group))
    }

    /// The mounts that a lookup of `path` comes through, first to last. `path` is normalized.
    fn walk(&self, path: &[u8], root_stack: RootStack) -> Vec<&Entry<'a>> {
        let root = self.root();
        // Every mount that can be crossed is on the path; sorted so that the next one to cross
        // is found by its parent. The kernel keeps one mount to a mountpoint and parent; should
        // a text have more, the last was mounted last.
        let mut on_path: Vec<_> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.id != entry.parent_id)
            .filter_map(|(index, entry)| {
                let length = length_if_at_or_above(entry.mountpoint, path)?;
                Some((entry.parent_id, length, Reverse(index)))
            })
            .collect();
        on_path.sort_unstable();

        let mut crossed: Vec<_> = root.into_iter().collect();
        let Some(mut current) = root.map(|root| root.id).or_else(|| self.hidden_root(&on_path)) else {
            return crossed;
        };
        // A mount on the current one is nowhere above it, so only the start needs a bound.
        let shortest = match root_stack {
            RootStack::Crossed => 0,
            RootStack::NotCrossed => "/".len() + 1,
        };
        // The bound is for a text in which mounts are each other's parents.
        for _ in 0..on_path.len() {
            let next = on_path.partition_point(|&(parent, length, _)| (parent, length) < (current, shortest));
            let Some(&(parent, _, Reverse(index))) = on_path.get(next) else {
                break;
            };
            let Some(entry) = self.entries.get(index).filter(|_| parent == current) else {
                break;
            };
            crossed.push(entry);
            current = entry.id;
        }
        crossed
    }

    /// The ID of the mount that holds the process's root directory, if that mount is not in the
    /// table but mounts on it are on the path.
    fn hidden_root(&self, on_path: &[(u32, usize, Reverse<usize>)]) -> Option<u32> {
        let mut ids: Vec<u32> =
            on_path.iter().filter_map(|&(_, _, Reverse(index))| Some(self.entries.get(index)?.id)).collect();
        ids.sort_unstable();
        on_path.iter().map(|&(parent, ..)| parent).find(|parent| ids.binary_search(parent).is_err())
    }
}

/// Whether a walk goes into a mount that is stacked on the process's root directory. A lookup
/// starts from the directory itself (`nd_jump_root()` in the kernel's `fs/namei.c`) and doesn't.
#[derive(Clone, Copy)]
enum RootStack {
    Crossed,
    NotCrossed,
}

/// `path` with single slashes and without `.`; `None` if it is relative.
fn normalize(path: &UnixPath) -> Option<Cow<'_, [u8]>> {
    let bytes = path.as_bytes();
    let inner = bytes.strip_prefix(b"/")?;
    let names = || inner.split(|&byte| byte == b'/');
    let is_name = |name: &&[u8]| !name.is_empty() && *name != b".";
    if inner.is_empty() || names().all(|name| is_name(&name)) {
        return Some(Cow::Borrowed(bytes));
    }
    let mut normalized = Vec::with_capacity(bytes.len());
    for name in names().filter(is_name) {
        normalized.push(b'/');
        normalized.extend_from_slice(name);
    }
    if normalized.is_empty() {
        normalized.push(b'/');
    }
    Some(Cow::Owned(normalized))
}

/// Whether a mountpoint, as it stands in its line, is `path` or below it.
fn is_at_or_below(mountpoint: &[u8], path: &[u8]) -> bool {
    let (below, rest) = skip_common(mountpoint, path);
    rest.is_empty() && (path == b"/" || matches!(split_first_decoded(below), None | Some((b'/', _))))
}

/// The length, decoded, of a mountpoint, as it stands in its line; `None` if `path` is neither it nor below it.
fn length_if_at_or_above(mountpoint: &[u8], path: &[u8]) -> Option<usize> {
    let (rest, below) = skip_common(mountpoint, path);
    let length = path.len() - below.len();
    let is_above = || below.is_empty() || below.starts_with(b"/") || path[..length] == *b"/";
    (rest.is_empty() && is_above()).then_some(length)
}
