//! Processes: what a call acts for.

mod access;
mod capability;
mod clone_flags;
mod credentials;
mod descriptors;
mod execute;
mod exit;
mod file;
mod fork;
mod gain;
mod init;
mod limits;
mod program;
mod sharing;
mod signal;
mod task;
mod user;
mod wait;
mod waiting;

pub(crate) use credentials::ALL_CAPABILITIES;
pub use credentials::Credentials;
#[cfg(test)]
pub(crate) use execute::tests::make_program;
pub use file::{FdTable, OpenFd, OpenFile, OpenFileKind};
pub use limits::Limits;
pub(crate) use limits::RlimitValue;
pub use program::{PROGRAM, named_program, program_name};
pub use signal::Signals;
pub(crate) use signal::is_valid_signal;
pub use task::{FsState, Memory, Task, TaskState};
pub(crate) use waiting::WOULD_WAIT;
