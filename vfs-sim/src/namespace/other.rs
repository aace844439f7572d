//! The namespaces of which the simulation knows no more than that they exist.

use cofferdam::kernel::CloneFlags;
use serde::{Deserialize, Serialize};

use super::UserNamespace;
use crate::arena::Id;
use crate::linux::Linux;

/// What a namespace is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OtherKind {
    /// uts_namespaces(7)
    Uts,
    /// ipc_namespaces(7)
    Ipc,
    /// network_namespaces(7)
    Network,
    /// cgroup_namespaces(7)
    Cgroup,
    /// time_namespaces(7)
    Time,
}

/// A namespace of one of these kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtherNamespace {
    /// The kind.
    pub(crate) kind: OtherKind,
    /// The number that `/proc/<pid>/ns` shows.
    pub(crate) inode: u64,
    /// The user namespace that owns it.
    pub(crate) user_namespace: Id<UserNamespace>,
    /// The user that it counts for; none for those that the kernel boots with.
    pub(crate) creator: Option<u32>,
    /// Who made it, by the ids for filesystems: the owner of the root of an mqueue (`mq_init_ns()`).
    pub(crate) maker: (u32, u32),
    /// How many processes and files keep it. One for children counts on its own.
    pub(crate) references: u32,
}

/// `CLONE_NEWTIME`
pub(crate) const CLONE_NEWTIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

impl OtherKind {
    /// The flag that makes one.
    pub(crate) fn clone_flag(self) -> CloneFlags {
        match self {
            Self::Uts => CloneFlags::CLONE_NEWUTS,
            Self::Ipc => CloneFlags::CLONE_NEWIPC,
            Self::Network => CloneFlags::CLONE_NEWNET,
            Self::Cgroup => CloneFlags::CLONE_NEWCGROUP,
            Self::Time => CLONE_NEWTIME,
        }
    }

    /// What the file of such a namespace is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Network => "net",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The number of the one that the kernel boots with (`include/uapi/linux/nsfs.h`).
    pub(crate) fn initial_inode(self) -> u64 {
        match self {
            Self::Ipc => 0xEFFF_FFFF,
            Self::Uts => 0xEFFF_FFFE,
            Self::Cgroup => 0xEFFF_FFFB,
            Self::Time => 0xEFFF_FFFA,
            Self::Network => 0xEFFF_FFF9,
        }
    }
}

impl Linux {
    /// A namespace with one reference.
    pub(crate) fn new_other_namespace(
        &mut self,
        kind: OtherKind,
        inode: u64,
        user_namespace: Id<UserNamespace>,
        creator: Option<u32>,
        maker: (u32, u32),
    ) -> Id<OtherNamespace> {
        self.user_namespaces[user_namespace].references += 1;
        self.other_namespaces.insert(OtherNamespace { kind, inode, user_namespace, creator, maker, references: 1 })
    }
}
