//! Why a volume can't be had.

use crate::error::CallError;
use crate::kernel::Bytes;
use crate::mountinfo::ParseError;

/// A volume of a container can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("volume at {container_path}: {problem}")]
pub struct VolumeError {
    /// Which volume.
    pub container_path: Bytes,
    /// What is wrong with it.
    #[source]
    pub problem: VolumeProblem,
}

/// What is wrong with a volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeProblem {
    /// It has both a `host_path` and a `source`.
    #[error("it has a host_path and a source; leave one of them out")]
    TwoSources,
    /// The type of its source names a field that is absent.
    #[error("its source is of type {kind}, but has no {field}")]
    IncompleteSource {
        /// The type.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A path of it has a `..`.
    #[error("its {name} {path} contains \"..\", which may lead elsewhere than it seems; name the path without it")]
    ParentComponent {
        /// Which path.
        name: &'static str,
        /// The path.
        path: Bytes,
    },
    /// The host path is relative.
    #[error("its host path {0} must be absolute")]
    RelativeHostPath(Bytes),
    /// The host path does not exist, and may not be made.
    #[error(
        "its host path {0} does not exist; create it, or add a directory above it to those below which the agent may create \
         host paths (host_path_creation)"
    )]
    MissingHostPath(Bytes),
    /// The path in a sandbox is not relative.
    #[error("its sandbox path {0} must be relative to the sandbox, and not empty")]
    NotInSandbox(Bytes),
    /// The source is in the sandbox of a parent, but there is none.
    #[error("its source is in the sandbox of the parent container, but the container is nested in no other one")]
    NoParent,
    /// The container path must exist, and does not.
    #[error(
        "there is no {0} on the host; a container without a root filesystem sees that of the host, so create it there, or \
         choose a relative path, which is created in the sandbox"
    )]
    MissingContainerPath(Bytes),
    /// The volume would be mounted on the root directory.
    #[error("mounted there, it would hide the container's root directory; choose a path below it")]
    HidesRoot,
    /// The volume would be mounted on the sandbox, or above it.
    #[error("mounted there, it would hide the container's sandbox, which is at {0}; choose another path")]
    HidesSandbox(Bytes),
    /// Another volume is to be at the same path.
    #[error("another volume of the container is at the same path ({0}); a path can have one volume")]
    SamePath(Bytes),
    /// Another volume hides its source.
    #[error(
        "its source {origin} lies below {above}, where another volume is mounted before it, which hides it; choose another \
         container path for that one"
    )]
    HiddenSource {
        /// The source.
        origin: Bytes,
        /// Where the other volume is mounted.
        above: Bytes,
    },
    /// It lies below a bidirectional volume, so that the host would get it as well.
    #[error(
        "it lies below {0}, a volume whose mounts propagate in both directions, and so the host would get it as well; choose \
         another path"
    )]
    BelowBidirectional(Bytes),
    /// It is to be bidirectional, and something of the container's own would be made, or masked, below it.
    #[error(
        "mounts below it propagate in both directions, and {0}, which is masked or made for the container, lies there, so that \
         the host would get it as well; choose another path"
    )]
    CoversOwn(Bytes),
    /// It is to be bidirectional, but the host path is not in a shared mount.
    #[error(
        "mounts below its host path {host_path} can't propagate to the host, because the mount that it is in, \
         {mountpoint}, is not shared; make it shared: mount --make-shared {mountpoint}"
    )]
    NotShared {
        /// The host path.
        host_path: Bytes,
        /// Where the mount is that it is in.
        mountpoint: Bytes,
    },
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The mount table has a line that we do not understand.
    #[error("cannot understand the mount table (/proc/thread-self/mountinfo): {0}")]
    MountTable(#[from] ParseError),
}
