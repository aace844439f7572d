//! Mounts and the tree that they form (`fs/namespace.c`, `fs/mount.h`).

mod attach;
mod copy;
mod flags;
mod lock;
mod namespace;
mod propagate_mount;
mod propagate_umount;
mod propagation;
mod references;
#[cfg(test)]
mod tests;
mod tree;
mod unmount;
mod writers;

pub(crate) use copy::CopyFlags;
pub use flags::MntFlags;
pub(crate) use unmount::UmountTree;

use serde::{Deserialize, Serialize};

use crate::arena::Id;
use crate::filesystem::{Dentry, Name, SuperBlock};
use crate::list::{Chain, Link, List};
use crate::namespace::{MountNamespace, UserNamespace};

/// A place in the tree of a process: a dentry as seen through a mount (`struct path`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// The mount.
    pub mount: Id<Mount>,
    /// The dentry, in the filesystem of that mount.
    pub dentry: Id<Dentry>,
}

/// A mount (`struct mount`).
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as the kernel keeps")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// The id that mountinfo shows: the lowest that is free (`mnt_id`).
    pub(crate) id: u32,
    /// The id that is never reused (`mnt_id_unique`).
    pub(crate) unique_id: u64,
    /// The filesystem.
    pub(crate) superblock: Id<SuperBlock>,
    /// What of it is mounted.
    pub(crate) root: Id<Dentry>,
    /// The mount that this one is mounted on; itself for the root of a tree (`mnt_parent`).
    pub(crate) parent: Id<Mount>,
    /// Where in the parent's filesystem; [`root`](Self::root) for the root of a tree (`mnt_mountpoint`).
    pub(crate) mountpoint: Id<Dentry>,
    /// Flags of the mount and locks on them.
    pub(crate) flags: MntFlags,
    /// What the source was called (`mnt_devname`).
    pub(crate) source: Name,
    /// The namespace; none once it is unmounted, or while it is a copy that is not attached yet (`mnt_ns`).
    pub(crate) namespace: Option<Id<MountNamespace>>,
    /// Whether the namespace lists it (`mnt_ns_attached()`).
    pub(crate) is_listed: bool,
    /// How many references there are: one of the tree that it is in, and one each of processes (root and working
    /// directory), open files and kernel objects (`mnt_count`, without those of running calls). It goes with the last.
    pub(crate) count: u32,
    /// How many open files can write through it (`mnt_writers`).
    pub(crate) writers: u32,
    /// Marked by `MNT_EXPIRE` (`mnt_expiry_mark`).
    pub(crate) expiry_mark: bool,
    /// The user namespace of an id-mapped mount (`mnt_idmap`).
    pub(crate) idmap: Option<Id<UserNamespace>>,
    /// The mount on this one's root (`overmount`).
    pub(crate) overmount: Option<Id<Mount>>,

    /// The mounts on this one, in the order in which they were attached (`mnt_mounts`).
    pub(crate) children: List<Mount>,
    pub(crate) child: Link<Mount>,
    pub(crate) at_mountpoint: Link<Mount>,
    /// Whether it is linked at its mountpoint (`mnt_mp`).
    pub(crate) is_attached: bool,
    /// Whether path walks find it (`mnt_hash`).
    pub(crate) is_visible: bool,

    /// The peer group, 0 for none (`mnt_group_id`).
    pub(crate) group: u32,
    /// Whether events are shared with the peers (`T_SHARED`).
    pub(crate) is_shared: bool,
    /// Whether it can't be bind mounted (`T_UNBINDABLE`).
    pub(crate) is_unbindable: bool,
    /// The ring of peers: itself when it has none (`mnt_share`).
    pub(crate) peers: Ring,
    /// Those that receive events from this one (`mnt_slave_list`).
    pub(crate) slaves: List<Mount>,
    pub(crate) slave: Link<Mount>,
    /// The mount that events come from (`mnt_master`).
    pub(crate) master: Option<Id<Mount>>,
    /// A mark of propagation (`T_MARKED`).
    pub(crate) is_marked: bool,
    /// A mark of propagation of an unmount (`T_UMOUNT_CANDIDATE`).
    pub(crate) is_candidate: bool,
}

/// A place in a circular list without a head.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ring {
    pub(crate) next: Id<Mount>,
    pub(crate) previous: Id<Mount>,
}

macro_rules! chains {
    ($($(#[doc = $doc:literal])* $chain:ident: $field:ident;)*) => {
        $(
            $(#[doc = $doc])*
            pub(crate) struct $chain;

            impl Chain<Mount> for $chain {
                fn link(member: &Mount) -> &Link<Mount> {
                    &member.$field
                }

                fn link_mut(member: &mut Mount) -> &mut Link<Mount> {
                    &mut member.$field
                }
            }
        )*
    };
}

chains! {
    /// The mounts on a mount.
    Children: child;
    /// The mounts that receive events from a mount.
    Slaves: slave;
    /// The mounts on a dentry, newest first (`mnt_mp_list`).
    AtMountpoint: at_mountpoint;
}
