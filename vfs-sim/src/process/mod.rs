//! Processes: what a call acts for.

mod capability;
mod credentials;
mod descriptors;
mod file;
mod task;

pub use credentials::Credentials;
pub use file::{FdTable, OpenFd, OpenFile, OpenFileKind};
pub use task::{FsState, Task, TaskState};
