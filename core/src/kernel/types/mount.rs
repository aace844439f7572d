//! Mounts.

use serde::{Deserialize, Serialize};

use super::file::{DeviceNumber, Fd};
use crate::kernel::bytes::Bytes;
use crate::kernel::flags::{MountAttrFlags, MountFlags, StatMountMask};

/// The unique 64-bit id of a mount (statmount(2)), never reused; not the id that mountinfo shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UniqueMountId(pub u64);

impl UniqueMountId {
    /// `LSMT_ROOT`: where listmount(2) takes a mount, the root mount of the caller.
    pub const ROOT: Self = Self(u64::MAX);
}

/// What mount_setattr(2) changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MountAttr {
    /// Attributes to set.
    pub attr_set: MountAttrFlags,
    /// Attributes to clear, before those of `attr_set` are set.
    pub attr_clr: MountAttrFlags,
    /// The propagation type to change to: one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or empty.
    pub propagation: MountFlags,
    /// The user namespace of an id-mapped mount.
    pub userns_fd: Option<Fd>,
}

/// A command of fsconfig(2) with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FsConfig {
    /// `FSCONFIG_SET_FLAG`: a parameter without a value.
    SetFlag {
        /// The parameter.
        key: Bytes,
    },
    /// `FSCONFIG_SET_STRING`
    SetString {
        /// The parameter.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// `FSCONFIG_SET_BINARY`
    SetBinary {
        /// The parameter.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// `FSCONFIG_SET_PATH`
    SetPath {
        /// The parameter.
        key: Bytes,
        /// Where a relative path starts.
        dirfd: Fd,
        /// The path.
        path: Bytes,
    },
    /// `FSCONFIG_SET_FD`
    SetFd {
        /// The parameter.
        key: Bytes,
        /// The descriptor.
        fd: Fd,
    },
    /// `FSCONFIG_CMD_CREATE`: make, or find, the superblock.
    Create,
    /// `FSCONFIG_CMD_CREATE_EXCL`: make a new superblock (Linux 6.6).
    CreateExclusive,
    /// `FSCONFIG_CMD_RECONFIGURE`
    Reconfigure,
}

/// What statmount(2) tells of a mount. A field is present if the kernel's mask says that it filled it in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatMount {
    /// Which fields are filled in.
    pub mask: StatMountMask,
    /// The device of the filesystem (`STATMOUNT_SB_BASIC`).
    pub device: DeviceNumber,
    /// The magic number of the filesystem (`STATMOUNT_SB_BASIC`).
    pub magic: u64,
    /// `MS_*` flags of the filesystem (`STATMOUNT_SB_BASIC`).
    pub super_flags: MountFlags,
    /// The unique id (`STATMOUNT_MNT_BASIC`, like all up to `master`).
    pub mount_id: u64,
    /// The unique id of the parent.
    pub parent_id: u64,
    /// The id that mountinfo shows.
    pub old_mount_id: u32,
    /// The parent's id that mountinfo shows.
    pub old_parent_id: u32,
    /// Attributes.
    pub attributes: MountAttrFlags,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`.
    pub propagation: MountFlags,
    /// The peer group, 0 for none.
    pub peer_group: u64,
    /// The peer group that events come from, 0 for none.
    pub master: u64,
    /// The nearest dominating peer group below the caller's root (`STATMOUNT_PROPAGATE_FROM`).
    pub propagate_from: u64,
    /// The root of the mount in its filesystem (`STATMOUNT_MNT_ROOT`).
    pub root: Bytes,
    /// The mountpoint relative to the caller's root (`STATMOUNT_MNT_POINT`).
    pub mountpoint: Bytes,
    /// The type (`STATMOUNT_FS_TYPE`).
    pub filesystem_type: Bytes,
    /// What follows the type behind a dot in mountinfo (`STATMOUNT_FS_SUBTYPE`).
    pub filesystem_subtype: Bytes,
    /// The mount namespace, by the number that is never reused (`STATMOUNT_MNT_NS_ID`).
    pub namespace_id: u64,
    /// The options of the filesystem that are no flags, escaped as in mountinfo (`STATMOUNT_MNT_OPTS`).
    pub options: Bytes,
    /// The same, each by itself and without escapes (`STATMOUNT_OPT_ARRAY`).
    pub option_array: Vec<Bytes>,
    /// The options of security modules (`STATMOUNT_OPT_SEC_ARRAY`).
    pub security_option_array: Vec<Bytes>,
    /// The source (`STATMOUNT_SB_SOURCE`).
    pub source: Bytes,
    /// The lines of the map of users of an id-mapped mount (`STATMOUNT_MNT_UIDMAP`).
    pub uid_map: Vec<Bytes>,
    /// The lines of the map of groups of an id-mapped mount (`STATMOUNT_MNT_GIDMAP`).
    pub gid_map: Vec<Bytes>,
    /// Every field that the kernel knows (`STATMOUNT_SUPPORTED_MASK`).
    pub supported_mask: StatMountMask,
}
