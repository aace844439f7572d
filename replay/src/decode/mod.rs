//! What a recorded call means: the call of the kernel that it is, and what it gave.

mod arguments;
mod constants;
mod files;
mod given;
mod mounts;
mod processes;

pub(crate) use constants::signal;

use cofferdam::kernel::{Bytes, Call, CloneFlags, Errno, Fd, FileType, Pid, WaitStatus};

use self::arguments::Arguments;
use crate::syntax::{ParsedCall, Returned};

/// A call that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it does.
    pub action: Action,
    /// What came of it on the traced machine.
    pub recorded: Result<Given, Errno>,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// What the simulated kernel has a call for.
    Call(Call),
    /// A call of [`Action::Call`] of which only is known whether the file exists: access(2).
    Exists(Call),
    /// Makes a process.
    Fork {
        /// What is not shared, or is.
        flags: CloneFlags,
        /// Whether the parent of the caller is the parent of the child.
        is_sibling: bool,
        /// Whether it is a thread.
        is_thread: bool,
    },
    /// Makes another descriptor of what one is for.
    Duplicate {
        /// The one.
        old: Fd,
        /// Whether execve(2) closes the new one.
        close_on_exec: bool,
    },
    /// Says whether execve(2) closes a descriptor.
    SetCloseOnExec {
        /// The descriptor.
        fd: Fd,
        /// Whether.
        on: bool,
    },
    /// Makes descriptors of what is not simulated.
    Foreign {
        /// Whether execve(2) closes them.
        close_on_exec: bool,
    },
    /// Waits for a child.
    Wait,
    /// Ends the process, or one of its threads.
    Exit {
        /// With this status.
        status: i32,
    },
    /// Nothing that is replayed.
    Nothing,
}

/// What a call gave, as far as that is compared, or tells of the traced machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Success.
    Done,
    /// A descriptor.
    Descriptor(Fd),
    /// Descriptors.
    Descriptors(Vec<Fd>),
    /// A process.
    Process(Pid),
    /// What stat(2) and its kin tell.
    File {
        /// The kind.
        file_type: FileType,
        /// The permissions.
        mode: u32,
        /// The number of a device.
        device: Option<cofferdam::kernel::DeviceNumber>,
    },
    /// The flags of statfs(2).
    MountFlags(u64),
    /// The target of a symbolic link.
    Target(Bytes),
    /// The working directory.
    Directory(Bytes),
    /// A number.
    Number(i64),
    /// A child that has changed state; none with `WNOHANG`.
    Child(Option<(Pid, Option<WaitStatus>)>),
}

/// A call can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A string is not complete.
    #[error("a string is cut: record with -s 4096")]
    Cut,
    /// There are too few arguments.
    #[error("argument {0} is missing")]
    Missing(usize),
    /// A name stands for a number that is not known here.
    #[error("the name {0} is not known")]
    UnknownName(String),
    /// There should be a number.
    #[error("{0} is no number")]
    NoNumber(String),
    /// There should be a string.
    #[error("there is no string where one should be")]
    NoText,
}

/// Finds out what a call means. None if it is no call that is replayed.
///
/// # Errors
///
/// If it is one, and its arguments are not what they should be.
pub fn decode(call: &ParsedCall) -> Result<Option<Decoded>, DecodeError> {
    let arguments = Arguments(call);
    let action = match mounts::decode(arguments).transpose() {
        Some(action) => Some(action?),
        None => match files::decode(arguments).transpose() {
            Some(action) => Some(action?),
            None => processes::decode(arguments)?,
        },
    };
    let Some(action) = action else { return Ok(None) };
    let recorded = match &call.returned {
        Returned::Error(name) => match Errno::from_name(name) {
            Some(errno) => Err(errno),
            None => return Err(DecodeError::UnknownName(name.clone())),
        },
        Returned::Value(value) => Ok(given::given(arguments, &action, *value)?),
        Returned::Nothing if matches!(action, Action::Exit { .. }) => Ok(Given::Done),
        Returned::Nothing => return Ok(None),
    };
    Ok(Some(Decoded { action, recorded }))
}
