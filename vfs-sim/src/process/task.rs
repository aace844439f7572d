//! Processes (`struct task_struct`).

use std::sync::Arc;

use cofferdam::kernel::WaitStatus;
use serde::{Deserialize, Serialize};

use super::{Credentials, FdTable};
use crate::arena::Id;
use crate::mount::Path;
use crate::namespace::MountNamespace;

/// Root, working directory and umask, which processes can share (`struct fs_struct`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsState {
    /// How many processes share it.
    pub(crate) references: u32,
    /// The root directory.
    pub(crate) root: Path,
    /// The working directory.
    pub(crate) cwd: Path,
    /// Permission bits that new files do not get.
    pub(crate) umask: u32,
}

/// Whether a process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// It does.
    Running,
    /// It has ended, and nobody has waited for it yet.
    Zombie(WaitStatus),
}

/// A process (`struct task_struct`); it has one thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The process id.
    pub(crate) pid: i32,
    /// The parent.
    pub(crate) parent: Option<Id<Task>>,
    pub(crate) state: TaskState,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) fs: Id<FsState>,
    pub(crate) files: Id<FdTable>,
    pub(crate) mount_namespace: Id<MountNamespace>,
    /// Whether others may look into its `/proc/<pid>` (`PR_SET_DUMPABLE`).
    pub(crate) is_dumpable: bool,
    pub(crate) no_new_privileges: bool,
}
