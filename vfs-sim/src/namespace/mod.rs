//! Namespaces.

mod counts;
mod create;
mod map_text;
mod maps;
mod mount;
mod other;
mod pid;
mod references;
mod user;

pub use counts::{Counted, Tally};
pub(crate) use create::{NEW_NAMESPACES, Owner};
pub use mount::MountNamespace;
pub use other::{OtherKind, OtherNamespace};
pub use pid::PidNamespace;
pub use user::{IdExtent, UserNamespace};

use serde::{Deserialize, Serialize};

use crate::arena::Id;

/// A namespace of any kind (`struct ns_common`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NamespaceRef {
    /// mount_namespaces(7)
    Mount(Id<MountNamespace>),
    /// user_namespaces(7)
    User(Id<UserNamespace>),
    /// pid_namespaces(7)
    Pid(Id<PidNamespace>),
    /// One of the kinds that have nothing to do with files and processes.
    Other(Id<OtherNamespace>),
}

/// The namespaces of a process, besides its user, mount and pid namespace (`struct nsproxy`). It keeps each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    pub(crate) uts: Id<OtherNamespace>,
    pub(crate) ipc: Id<OtherNamespace>,
    pub(crate) network: Id<OtherNamespace>,
    pub(crate) cgroup: Id<OtherNamespace>,
    pub(crate) time: Id<OtherNamespace>,
    /// That of children, and of the process itself once it has called execve(2).
    pub(crate) time_for_children: Id<OtherNamespace>,
    /// That of children; the process itself stays where it was born.
    pub(crate) pid_for_children: Id<PidNamespace>,
}
