//! Superblocks (`struct super_block`).

use cofferdam::kernel::{DeviceNumber, MountFlags};
use imbl::OrdSet;
use serde::{Deserialize, Serialize};

use super::{Dentry, Name, Overlay, Parameters};
use crate::arena::Id;
use crate::mount::Mount;
use crate::namespace::{OtherNamespace, PidNamespace, UserNamespace};

/// A type of filesystem (`struct file_system_type`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FilesystemType {
    /// What the kernel boots with: a tmpfs that can't be mounted by users.
    Rootfs,
    /// tmpfs(5)
    Tmpfs,
    /// `Documentation/filesystems/ramfs-rootfs-initramfs.rst`
    Ramfs,
    /// proc(5)
    Proc,
    /// sysfs(5)
    Sysfs,
    /// devpts, each mount an instance of its own
    Devpts,
    /// devtmpfs, one instance for all
    Devtmpfs,
    /// `Documentation/filesystems/overlayfs.rst`
    Overlay,
    /// POSIX message queues, one instance per ipc namespace
    Mqueue,
    /// The filesystem of namespace files; not for users.
    Nsfs,
    /// The filesystem of pipes; not for users.
    Pipefs,
    /// The filesystem of files that are none, such as contexts of fsopen(2); not for users.
    AnonInodeFs,
    /// A filesystem of a host that was loaded, of which only the mounts are known.
    Foreign(Name),
}

impl FilesystemType {
    /// Whether superblocks are looked for by this type.
    pub(crate) fn is_looked_for(&self) -> bool {
        matches!(self, Self::Proc | Self::Sysfs | Self::Devtmpfs | Self::Mqueue)
    }
}

/// A filesystem in use (`struct super_block`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as the kernel keeps")]
pub struct SuperBlock {
    /// A number that no other has.
    pub(crate) serial: u64,
    /// Its type.
    pub(crate) filesystem: FilesystemType,
    /// The device number, of the anonymous devices (major 0) for all that are simulated.
    pub(crate) device: DeviceNumber,
    /// `MS_RDONLY`, `MS_SYNCHRONOUS`, `MS_DIRSYNC`, `MS_LAZYTIME`, `MS_MANDLOCK`... as `s_flags` has them.
    pub(crate) flags: MountFlags,
    /// Device nodes do not work, whatever the mount says (`SB_I_NODEV`).
    pub(crate) no_devices: bool,
    /// Programs can't be run, whatever the mount says (`SB_I_NOEXEC`).
    pub(crate) no_programs: bool,
    /// Whether users can't mount it: a kernel's own (`SB_NOUSER`).
    pub(crate) is_internal: bool,
    /// The root.
    pub(crate) root: Id<Dentry>,
    /// The user namespace that it was mounted from (`s_user_ns`).
    pub(crate) user_namespace: Id<UserNamespace>,
    /// For proc, the pid namespace whose processes it shows.
    pub(crate) pid_namespace: Option<Id<PidNamespace>>,
    /// How many mounts and contexts use it (`s_active`). It goes with the last.
    pub(crate) active: u32,
    /// How many open files can write to it, through any mount.
    pub(crate) writers: u32,
    /// How many inodes without a name are kept by an open file (`s_remove_count`).
    pub(crate) removed: u32,
    /// How many pages the contents of its files take (`used_blocks` of tmpfs).
    pub(crate) used_pages: u64,
    /// How many inodes are used, where each further name of a file counts as one (`free_ispace` of tmpfs).
    pub(crate) used_inodes: u64,
    /// How many bytes what overlays note in its inodes takes, from the room that there is for inodes.
    pub(crate) used_by_marks: u64,
    /// The number of the next inode.
    pub(crate) next_inode: u64,
    /// The network namespace of a sysfs, the ipc namespace of an mqueue.
    pub(crate) kernel_namespace: Option<Id<OtherNamespace>>,
    /// Whether it is the mqueue of an ipc namespace that has gone (`mq_clear_sbinfo()`).
    pub(crate) is_orphan: bool,
    /// What its type keeps of its parameters.
    pub(crate) parameters: Parameters,
    /// The parameters as they were read of a host that was loaded, shown in the place of those above.
    pub(crate) options: Vec<(Name, Option<Name>)>,
    /// The state of an overlay.
    pub(crate) overlay: Option<Box<Overlay>>,
    /// The mounts of it that files are open for writing through.
    pub(crate) written_mounts: OrdSet<Id<Mount>>,
}
