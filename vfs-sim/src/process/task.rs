//! Processes (`struct task_struct`).

use std::sync::Arc;

use cofferdam::kernel::{Bytes, Signal, WaitStatus};
use serde::{Deserialize, Serialize};

use super::{Credentials, FdTable, Limits, Signals};
use crate::arena::Id;
use crate::mount::Path;
use crate::namespace::{MountNamespace, Namespaces, PidNamespace, UserNamespace};

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
    /// It does; it may be [stopped](Signals::stop).
    Running,
    /// It has ended, as the init process of its pid namespace, but not all others of the namespace are gone: they have
    /// parents outside that have not waited for them. Until then it is no zombie.
    Exiting(WaitStatus),
    /// It has ended, and nobody has waited for it yet. It has its ids and its credentials; `fs`, `files`, `memory` and all
    /// namespaces but the user and the pid namespace are gone, as before, and what the task says of them means nothing.
    Zombie(WaitStatus),
}

/// What execve(2) replaces (`struct mm_struct`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The program that was executed last, which stays where it is mounted (`exe_file`).
    pub(crate) executable: Option<Path>,
    /// What interprets it, if it is linked dynamically.
    pub(crate) interpreter: Option<Path>,
    /// The last name of the path that was executed, the first 15 bytes (`comm`).
    pub(crate) name: Bytes,
    /// The arguments of the program.
    pub(crate) arguments: Arc<Vec<Bytes>>,
    /// Its environment.
    pub(crate) environment: Arc<Vec<Bytes>>,
}

/// A process (`struct task_struct`); it has one thread.
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as the kernel keeps")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The process id in the initial pid namespace.
    pub(crate) pid: i32,
    /// The ids in the pid namespaces that it is seen in, the initial one first.
    pub(crate) pids: Vec<i32>,
    /// The innermost of them, that of its own view.
    pub(crate) pid_namespace: Id<PidNamespace>,
    /// Which process of all that ever were it is.
    pub(crate) serial: u64,
    /// The parent; only init has none.
    pub(crate) parent: Option<Id<Task>>,
    /// The children that have not been waited for, the oldest first.
    pub(crate) children: Vec<Id<Task>>,
    pub(crate) state: TaskState,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) fs: Id<FsState>,
    pub(crate) files: Id<FdTable>,
    pub(crate) mount_namespace: Id<MountNamespace>,
    /// The namespaces besides that, its user and its pid namespace.
    pub(crate) namespaces: Namespaces,
    pub(crate) memory: Memory,
    /// The user namespace in which one needs `CAP_SYS_PTRACE` to look into it when it is not dumpable: that of the last
    /// execve(2), or one above (`mm->user_ns`).
    pub(crate) memory_namespace: Id<UserNamespace>,
    /// Whether others may look into its `/proc/<pid>` (`PR_SET_DUMPABLE`).
    pub(crate) is_dumpable: bool,
    pub(crate) no_new_privileges: bool,
    /// The signal that it gets when its parent ends (`PR_SET_PDEATHSIG`).
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) signals: Signals,
    pub(crate) limits: Limits,
    /// Its user had more processes than allowed when it became that user: it can't execute anything
    /// (`PF_NPROC_EXCEEDED`).
    pub(crate) has_too_many_processes: bool,
    /// The exit status of a program that came to its end while the process was stopped.
    pub(crate) postponed_exit: Option<i32>,
}
