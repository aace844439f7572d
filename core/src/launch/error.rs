//! Why a launch failed.

use crate::error::CallError;
use crate::kernel::{Bytes, DeviceNumber, Errno, FileType};
use crate::mountinfo::ParseError;

/// A launch failed. Nothing outside the container's namespaces has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The request asks for what we don't do.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// A mount of the request makes no sense.
    #[error("cannot mount on {target}: {reason}")]
    InvalidMount {
        /// Its target.
        target: Bytes,
        /// What is wrong.
        reason: String,
    },
    /// The rootfs, or a directory that is not trusted, is given by a path of which it can't be told what lies below it.
    #[error("cannot tell what lies below {0}; the path must be absolute, and without \"..\"")]
    UnclearDirectory(Bytes),
    /// A path of the request does not lie below the rootfs.
    #[error("cannot {action} {path}: the path is not below the root filesystem {rootfs}")]
    OutsideRootfs {
        /// What for.
        action: &'static str,
        /// The path.
        path: Bytes,
        /// The root filesystem.
        rootfs: Bytes,
    },
    /// A bidirectional mount has a source whose mount is not shared, so that nothing would reach the host.
    #[error(
        "cannot make the mount of {origin} bidirectional: {mountpoint}, which it is in, is not a shared mount; on the host, \
         make it one: mount --make-shared {mountpoint}"
    )]
    NotShared {
        /// The source.
        origin: Bytes,
        /// Where the mount is that it is in.
        mountpoint: Bytes,
    },
    /// What is to be done in the container would be done to the host as well.
    #[error(
        "cannot {action} {path}: {shared} is a bidirectional mount, and so the host would get it as well; choose a path that is \
         not below it"
    )]
    ReachesHost {
        /// What for.
        action: &'static str,
        /// The path.
        path: Bytes,
        /// The target of the bidirectional mount.
        shared: Bytes,
    },
    /// A bidirectional mount would be moved to another path.
    #[error("cannot {action} {path}: {shared}, which lies below it, is a bidirectional mount, and keeps its path")]
    MovesShared {
        /// What for.
        action: &'static str,
        /// The path.
        path: Bytes,
        /// The target of the bidirectional mount.
        shared: Bytes,
    },
    /// The mount table has a line that we do not understand.
    #[error("cannot understand the mount table (/proc/thread-self/mountinfo): {0}")]
    MountTable(#[from] ParseError),
    /// A file operation has not the parameters that it names.
    #[error("a file operation {0} has no parameters of that kind")]
    IncompleteOperation(&'static str),
    /// What should be the null device is something else, and what is masked with it would not be hidden.
    #[error(
        "cannot mask {masked}: \"/dev/null\" is {found} with the numbers {}:{}, not the null device, the character device \
         1:3; restore it (mknod -m 666 /dev/null c 1 3)",
        .rdev.major,
        .rdev.minor
    )]
    NullDevice {
        /// The path to be masked.
        masked: Bytes,
        /// What `/dev/null` is.
        found: FileType,
        /// Its device number.
        rdev: DeviceNumber,
    },
    /// The working directory lies outside the container.
    #[error("the working directory {0} is outside the container's root")]
    WorkingDirectoryOutside(Bytes),
    /// The process that stands for the parent container is in no container.
    #[error(
        "cannot join the {namespace} namespace of process {pid}: it is the one that this process is in, and not that of a \
         container; has the parent container ended?"
    )]
    NotInContainer {
        /// The process.
        pid: i32,
        /// The kind of namespace.
        namespace: &'static str,
    },
    /// The process that the container was to die with has died before it was launched.
    #[error("the process that started the launch has died")]
    ParentDied,
    /// Whoever was to say that the program may be executed has not.
    #[error("the program was not executed")]
    NotReleased,
    /// The request names no program.
    #[error("no command to execute")]
    NoCommand,
    /// There is no such program.
    #[error("{0}: command not found")]
    CommandNotFound(Bytes),
    /// The program is there, but not what is to interpret it.
    #[error("{0}: the interpreter that it needs (its #! line, or the dynamic linker) is not found in the container")]
    InterpreterNotFound(Bytes),
    /// The program can't be executed.
    #[error("{command}: cannot execute: {errno}")]
    NotExecutable {
        /// The program.
        command: Bytes,
        /// Why.
        errno: Errno,
    },
}

impl LaunchError {
    /// The exit status that tells of it, as that of env(1).
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::CommandNotFound(_) | Self::InterpreterNotFound(_) => 127,
            Self::NotExecutable { .. } => 126,
            _ => 125,
        }
    }
}
