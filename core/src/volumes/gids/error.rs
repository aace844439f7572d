//! Why an operation of the volume gid manager failed.

use crate::agent::GidRange;
use crate::error::CallError;
use crate::kernel::Bytes;
use crate::user::UnknownUser;

/// An operation of the [`GidManager`](super::GidManager) failed. It can be repeated: what it has not finished is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GidError {
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The path can't be one of a volume.
    #[error("{path} cannot be the path of a volume: {reason}")]
    InvalidPath {
        /// The path.
        path: Bytes,
        /// What is wrong.
        reason: &'static str,
    },
    /// The record says what it can't say.
    #[error(
        "cannot understand {file}, the record of the gids of volumes: {reason}; restore it from a backup, or remove it if \
         no volume of this agent has a group of the range {range} any more"
    )]
    Damaged {
        /// The record.
        file: Bytes,
        /// What is wrong.
        reason: String,
        /// The configured range.
        range: GidRange,
    },
    /// No gid is left.
    #[error(
        "no gid is left for volume {path}: all {} of the range {range} are in use; configure a larger range, or remove \
         volumes that are not needed any more",
        .range.count()
    )]
    RangeUsedUp {
        /// The volume.
        path: Bytes,
        /// The configured range.
        range: GidRange,
    },
    /// The user whose group a volume is to have again is not known.
    #[error("cannot give volume {path} back to the group of its owner: {error}")]
    Owner {
        /// The volume.
        path: Bytes,
        /// Who is not known.
        error: UnknownUser,
    },
    /// A directory went elsewhere while we were below it.
    #[error(
        "directory {path} was moved while the group of what is below it was being set; stop what moves directories there, \
         and try again"
    )]
    Moved {
        /// Where it was.
        path: Bytes,
    },
    /// The gids of some volumes could not be freed. Those of the others were.
    #[error("{} volumes keep their gids: {}", .0.len(), list(.0))]
    NotFreed(Vec<GidError>),
}

fn list(errors: &[GidError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
