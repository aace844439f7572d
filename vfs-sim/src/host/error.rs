//! Why a table of mounts can't be loaded.

use cofferdam::mountinfo::ParseError;

/// A text is not a table of mounts that a process can see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A line is not one of mountinfo.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// A line makes no sense, by itself or among the others.
    #[error("line {line}: {error}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        error: LineError,
    },
    /// There is no mount.
    #[error("the table is empty")]
    Empty,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// An id, a device number or the number of a peer group is not one that a kernel has.
    #[error("{0} is too large a number, or 0")]
    Number(u32),
    /// Another mount has the same id.
    #[error("a mount with the id {0} is there already")]
    DuplicateId(u32),
    /// The parent is not in the table, and the mount is not at the top either.
    #[error("the parent, {0}, is not in the table")]
    Orphan(u32),
    /// A mount is mounted on itself by way of others.
    #[error("the mount is on one that is on it")]
    MountCycle,
    /// The mountpoint is not an absolute path below that of the parent.
    #[error("the mountpoint is not below that of the parent: \"{0}\"")]
    Mountpoint(String),
    /// There is a mount on the same parent at the same mountpoint.
    #[error("another mount is mounted on the same place of the same parent: \"{0}\"")]
    Occupied(String),
    /// The root is not an absolute path.
    #[error("the root is no path in a filesystem: \"{0}\"")]
    Root(String),
    /// A part of the root or the mountpoint is known to be no directory.
    #[error("\"{0}\" is no directory")]
    NotADirectory(String),
    /// Only a directory can be mounted on a directory, and nothing else on anything else.
    #[error("one of what is mounted and its mountpoint is a directory, and the other is none: \"{0}\"")]
    MixedKinds(String),
    /// Nothing is in a directory that was removed, so that nothing is mounted there.
    #[error("there can be no \"{0}\" in a directory that was removed")]
    Removed(String),
    /// What is mounted on a directory is unmounted when that is removed, and nothing can be mounted on it any more.
    #[error("nothing can be mounted on \"{0}\": it is a directory that was removed")]
    MountedOnRemoved(String),
    /// The kernel has no such option of a mount.
    #[error("unknown option of a mount: \"{0}\"")]
    MountOption(String),
    /// The options of the filesystem do not start with `ro` or `rw`.
    #[error("the options of the filesystem start with neither ro nor rw: \"{0}\"")]
    SuperOptions(String),
    /// A mount can't be both shared and unbindable.
    #[error("the mount is shared and unbindable")]
    SharedAndUnbindable,
    /// Peers receive events from the same group, or none does.
    #[error("not all mounts of the peer group {0} receive events from the same group")]
    Peers(u32),
    /// The group that `propagate_from` names is not the one that events come from.
    #[error("no events come from the peer group {0}")]
    PropagateFrom(u32),
    /// A peer group receives its own events by way of others.
    #[error("the peer group {0} receives its own events")]
    PropagationCycle(u32),
}

/// A text of a line, for a message.
pub(super) fn quote(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    match text.get(..LONGEST) {
        Some(start) if text.len() > LONGEST => format!("{}...", start.escape_ascii()),
        _ => text.escape_ascii().to_string(),
    }
}
