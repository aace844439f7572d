//! Why an operation of the isolator failed.

use super::Recovery;
use crate::agent::InvalidConfig;
use crate::error::CallError;
use crate::kernel::{Bytes, Errno, FileType, UnsupportedKernel, quoted};
use crate::messages::ContainerId;
use crate::mountinfo::ParseError;
use crate::record::RecordError;
use crate::user::UnknownUser;
use crate::volumes::{GidError, VolumeError};

/// What can fail in every operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsolatorError {
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The mount table has a line that we do not understand.
    #[error("cannot understand the mount table (/proc/thread-self/mountinfo): {0}")]
    MountTable(#[from] ParseError),
    /// A directory is not the sandbox of the container that it is said to be: what is mounted or lies in it is not for us to
    /// take away.
    #[error(
        "{directory} can't be the sandbox of container {id}: that is runs/{id} of an executor below work_dir {work_dir}, or \
         {work_dir}/containers/{id}"
    )]
    SandboxElsewhere {
        /// Which container.
        id: ContainerId,
        /// The directory, without symbolic links.
        directory: Bytes,
        /// The agent's work_dir.
        work_dir: Bytes,
    },
    /// What is written down of a container is damaged.
    #[error("cannot understand {path}: {reason}")]
    Record {
        /// Which file.
        path: Bytes,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<RecordError> for IsolatorError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Call(error) => error.into(),
            RecordError::Damaged { path, reason } => Self::Record { path, reason },
        }
    }
}

impl IsolatorError {
    /// Whether a system call failed for a reason that says nothing of what it was to look at, such as `EMFILE` or `EIO`: that
    /// may be as it should be. It is told of a path, on the other hand, that it is missing or not what it was: whoever may
    /// write in a sandbox can put links in the place of its directories. And what was read and is damaged is no refusal.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Call(error) if !tells_what_is_there(error.errno))
    }
}

/// Whether an error on the way to a path tells what is there, and not that nothing could be told.
pub(super) fn tells_what_is_there(errno: Errno) -> bool {
    [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::ENAMETOOLONG, Errno::EXDEV].contains(&errno)
}

/// [`Isolator::create`](super::Isolator::create) failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// We may not mount.
    #[error("isolating filesystems needs root: effective uid 0, but it is {0}; run it as root, or with sudo")]
    NotRoot(u32),
    /// We are root, but may not mount.
    #[error(
        "isolating filesystems needs CAP_SYS_ADMIN over the mount namespace, which this process of root lacks; it may run \
         in a container, or in a user namespace without a mount namespace (unshare -m)"
    )]
    NotCapable,
    /// The kernel has no mount namespaces.
    #[error("this kernel has no mount namespaces (there is no /proc/self/ns/mnt); is /proc mounted?")]
    NoMountNamespaces,
    /// The kernel lacks what is needed.
    #[error(transparent)]
    Kernel(#[from] UnsupportedKernel),
    /// A directory of the agent is not given by an absolute path.
    #[error("{name} must be an absolute path, but is {path}")]
    RelativeDirectory {
        /// Which one.
        name: &'static str,
        /// Its path.
        path: Bytes,
    },
    /// work_dir does not exist.
    #[error("work_dir {0} does not exist; create it, on a filesystem that outlives reboots")]
    MissingWorkDir(Bytes),
    /// The agent's configuration makes no sense.
    #[error("the agent's configuration is invalid: {0}")]
    Config(#[from] InvalidConfig),
    /// The mount that a directory is in is not in the mount table.
    #[error("the mount table does not show the mount that {0} is in; was the root changed without mounting anything?")]
    MountNotFound(Bytes),
    /// A common failure.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

/// [`Isolator::prepare`](super::Isolator::prepare) failed. It has left nothing behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The container is known already.
    #[error("container {0} is prepared already, or known from before a reboot; clean it up before it is prepared anew")]
    AlreadyPrepared(ContainerId),
    /// The container has a runtime directory.
    #[error(
        "container {id} exists already: its runtime directory {directory} is there; if it is left from one that was \
         killed, recover cleans up after it"
    )]
    Exists {
        /// Which container.
        id: ContainerId,
        /// Its runtime directory.
        directory: Bytes,
    },
    /// The container that it is nested in is not known.
    #[error("container {0} can't be prepared: the container that it is nested in is not known; prepare that first")]
    UnknownParent(ContainerId),
    /// The container that it is nested in is only a session.
    #[error("container {0} can't be prepared: the container that it is nested in is one of class DEBUG")]
    NestedInDebug(ContainerId),
    /// A container of class DEBUG that is not nested.
    #[error("container {0} of class DEBUG is nested in no container that it could join")]
    DebugWithoutParent(ContainerId),
    /// A container of class DEBUG that asks for a filesystem of its own.
    #[error("container {id} of class DEBUG sees the filesystem of its parent and can't have {what}")]
    DebugWithFilesystem {
        /// Which container.
        id: ContainerId,
        /// What it can't have.
        what: &'static str,
    },
    /// A container that can't have persistent volumes.
    #[error("container {id} can't have persistent volumes: {reason}")]
    PersistentVolumes {
        /// Which container.
        id: ContainerId,
        /// Why.
        reason: &'static str,
    },
    /// A persistent volume of the executor that the container would not get.
    #[error(
        "persistent volume {volume} on {name} is a resource of the executor (executor_info), but not of container {id}, whose \
         resources decide what is mounted; add it to them, or take it from the executor"
    )]
    ExecutorVolume {
        /// Which container.
        id: ContainerId,
        /// The persistence id.
        volume: String,
        /// The volume's name in the sandbox.
        name: Bytes,
    },
    /// A nested container whose sandbox is not where it belongs.
    #[error("the sandbox of nested container {id} must be {expected}, but is {found}")]
    NestedSandbox {
        /// Which container.
        id: ContainerId,
        /// Where it should be.
        expected: Bytes,
        /// What the configuration says.
        found: Bytes,
    },
    /// Whether a container shares the host's pid namespace can't be told.
    #[error("the configuration of container {id}, in which this one is nested, can't be read: {error}")]
    ParentConfig {
        /// The container above.
        id: ContainerId,
        /// Why.
        error: IsolatorError,
    },
    /// The sandbox is no directory.
    #[error("the sandbox {path} is {found}, not a directory")]
    SandboxNotDirectory {
        /// Its path.
        path: Bytes,
        /// What it is.
        found: FileType,
    },
    /// The root filesystem is no directory.
    #[error("the root filesystem {path} is {found}, not a directory")]
    RootfsNotDirectory {
        /// Its path.
        path: Bytes,
        /// What it is.
        found: FileType,
    },
    /// The root filesystem is the host's own.
    #[error("the root filesystem is the host's root directory; leave it out to share the host's filesystem")]
    RootfsIsRoot,
    /// A path of the configuration is relative.
    #[error("the {name} of the container must be an absolute path, but is {path}")]
    RelativePath {
        /// Which one.
        name: &'static str,
        /// The path.
        path: Bytes,
    },
    /// A standard device of the host is no device.
    #[error("the standard device {path} of this host is {found}, not a device")]
    NoDevice {
        /// Its path.
        path: Bytes,
        /// What it is.
        found: FileType,
    },
    /// The user is unknown.
    #[error(transparent)]
    User(#[from] UnknownUser),
    /// A volume that is a path of the host or of a sandbox can't be had.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The volumes could not be mounted.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A common failure.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

/// [`Isolator::update`](super::Isolator::update) failed. What is remembered is what is mounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The container is not known.
    #[error("container {0} is not known")]
    UnknownContainer(ContainerId),
    /// Nested containers have no volumes of their own.
    #[error("container {0} is nested in another one: its volumes are those of the top-level container")]
    Nested(ContainerId),
    /// Standalone containers have no persistent volumes.
    #[error("container {0} belongs to no executor, and can't have persistent volumes")]
    Standalone(ContainerId),
    /// A resource can't be a persistent volume.
    #[error("persistent volume {}: {reason}", quoted(.id))]
    InvalidVolume {
        /// The persistence id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Something else is mounted where a volume is to be.
    #[error("cannot mount volume {volume} on {target}: something else is mounted there; unmount it first")]
    TargetInUse {
        /// The volume's path.
        volume: Bytes,
        /// Where it should be.
        target: Bytes,
    },
    /// A volume that is a path of the host or of a sandbox is where the volume would be, or below.
    #[error(
        "cannot mount persistent volume {id} on {name}, while the container has the volume at {container_path}: one would hide \
         the other; choose another name, or prepare the container anew with both"
    )]
    OtherVolume {
        /// The persistence id.
        id: String,
        /// The volume's name in the sandbox.
        name: Bytes,
        /// The container path of the other one.
        container_path: Bytes,
    },
    /// A volume gets no group of its own.
    #[error(transparent)]
    Gid(#[from] GidError),
    /// A common failure.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

/// [`Isolator::cleanup`](super::Isolator::cleanup) failed. The container is still known, and can be cleaned up again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CleanupError {
    /// Nested containers go first.
    #[error("container {id} still has the nested container {child}; clean that up first")]
    HasChild {
        /// The container.
        id: ContainerId,
        /// One of its children.
        child: ContainerId,
    },
    /// Some mounts could not be detached.
    #[error("{} mounts of container {id} are left: {}", .errors.len(), list(.errors))]
    MountsLeft {
        /// The container.
        id: ContainerId,
        /// Why, for each.
        errors: Vec<CallError>,
    },
    /// Paths in its sandbox, from which nothing is mounted any more, keep their gids.
    #[error(transparent)]
    Gid(#[from] GidError),
    /// The runtime directory of a container that nobody knows could not be removed.
    #[error("the runtime directory of container {id} is left: {error}")]
    Runtime {
        /// The container.
        id: ContainerId,
        /// Why.
        error: Box<RemoveError>,
    },
    /// A common failure.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

/// [`Isolator::recover`](super::Isolator::recover) has met errors. Everything else is recovered; it can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} containers were not recovered: {}", .errors.len(), .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RecoverError {
    /// What was found nevertheless.
    pub recovery: Recovery,
    /// What has failed, container by container.
    pub errors: Vec<CleanupError>,
}

/// [`Isolator::remove`](super::Isolator::remove) failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// The container is still known.
    #[error("container {0} is not cleaned up yet; its sandbox may hold the data of volumes")]
    NotCleanedUp(ContainerId),
    /// A mount is left below.
    #[error("cannot remove {directory}: {mountpoint} is mounted below it, whose data would be lost; unmount it first")]
    MountLeft {
        /// What was to be removed.
        directory: Bytes,
        /// The mount.
        mountpoint: Bytes,
    },
    /// A common failure.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

fn list(errors: &[CallError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The errors that are common to all operations are also reached from a failed call.
macro_rules! from_call_error {
    ($($error:ty),*) => {$(
        impl From<CallError> for $error {
            fn from(error: CallError) -> Self {
                Self::Isolator(error.into())
            }
        }

        impl From<ParseError> for $error {
            fn from(error: ParseError) -> Self {
                Self::Isolator(error.into())
            }
        }
    )*};
}

from_call_error!(CreateError, PrepareError, UpdateError, CleanupError, RemoveError);
