//! Mount namespaces (`struct mnt_namespace`).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::UserNamespace;
use crate::arena::Id;
use crate::mount::Mount;

/// A mount namespace, or the one of a detached tree (`struct mnt_namespace`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MountNamespace {
    /// The number that `/proc/<pid>/ns/mnt` shows; 0 for the namespace of a detached tree.
    pub(crate) inode: u64,
    /// The number that is never reused, rising with the age (`ns_id`).
    pub(crate) sequence: u64,
    /// For a detached tree, the [`sequence`](Self::sequence) of the namespace that it was copied from; 0 if it was not
    /// (`seq_origin`).
    pub(crate) origin: u64,
    /// Whether it is the namespace of a detached tree (`is_anon`).
    pub(crate) is_anonymous: bool,
    /// The user namespace that owns it.
    pub(crate) user_namespace: Id<UserNamespace>,
    /// The user that it counts for; none for the initial one.
    pub(crate) creator: Option<u32>,
    /// The root of the tree.
    pub(crate) root: Id<Mount>,
    /// Every mount by its unique id, the order of mountinfo.
    pub(crate) mounts: OrdMap<u64, Id<Mount>>,
    /// How many mounts count against fs.mount-max (`nr_mounts`).
    pub(crate) count: u32,
    /// How many are about to be added (`pending_mounts`).
    pub(crate) pending: u32,
    /// How many processes, files and mounts of its file keep it.
    pub(crate) references: u32,
}
