//! The types of filesystems that can be mounted, and what the kernel says of each (`struct file_system_type`).

use super::{FilesystemType, Name};

/// The types on block devices that the kernel has: mounting one ends at its device, as there is none.
pub(super) const ON_BLOCK_DEVICES: [&str; 6] = ["ext3", "ext2", "ext4", "squashfs", "xfs", "btrfs"];

/// The type that goes by a name in mount(2) and fsopen(2) (`get_fs_type()`); `ENODEV` if there is none.
///
/// A kernel without cgroups, debugfs, fuse and the like is simulated: those are not known.
pub(crate) fn filesystem_type(name: &[u8]) -> Option<FilesystemType> {
    Some(match name {
        b"tmpfs" => FilesystemType::Tmpfs,
        b"ramfs" => FilesystemType::Ramfs,
        b"proc" => FilesystemType::Proc,
        b"sysfs" => FilesystemType::Sysfs,
        b"devpts" => FilesystemType::Devpts,
        b"devtmpfs" => FilesystemType::Devtmpfs,
        b"overlay" => FilesystemType::Overlay,
        b"mqueue" => FilesystemType::Mqueue,
        b"pipefs" => FilesystemType::Pipefs,
        _ if ON_BLOCK_DEVICES.iter().any(|known| known.as_bytes() == name) => FilesystemType::Foreign(Name::from(name)),
        _ => return None,
    })
}

impl FilesystemType {
    /// The name, as mountinfo shows it.
    pub(crate) fn name(&self) -> &[u8] {
        match self {
            Self::Rootfs => b"rootfs",
            Self::Tmpfs => b"tmpfs",
            Self::Ramfs => b"ramfs",
            Self::Proc => b"proc",
            Self::Sysfs => b"sysfs",
            Self::Devpts => b"devpts",
            Self::Devtmpfs => b"devtmpfs",
            Self::Overlay => b"overlay",
            Self::Mqueue => b"mqueue",
            Self::Nsfs => b"nsfs",
            Self::Pipefs => b"pipefs",
            Self::AnonInodeFs => b"anon_inodefs",
            Self::Foreign(name) => name.as_bytes(),
        }
    }

    /// The magic number of statfs(2); 0 for a type of which nothing is known (`include/uapi/linux/magic.h`).
    pub(crate) fn magic(&self) -> u64 {
        match self {
            Self::Tmpfs | Self::Devtmpfs | Self::Rootfs => 0x0102_1994,
            Self::Ramfs => 0x8584_58f6,
            Self::Proc => 0x9fa0,
            Self::Sysfs => 0x6265_6572,
            Self::Devpts => 0x1cd1,
            Self::Overlay => 0x794c_7630,
            Self::Mqueue => 0x1980_0202,
            Self::Nsfs => 0x6e73_6673,
            Self::Pipefs => 0x5049_5045,
            Self::AnonInodeFs => 0x0904_1934,
            Self::Foreign(name) => foreign_magic(name.as_bytes()),
        }
    }

    /// Whether a user namespace other than the initial one can mount it (`FS_USERNS_MOUNT`).
    pub(crate) fn can_be_mounted_in_user_namespaces(&self) -> bool {
        matches!(
            self,
            Self::Tmpfs | Self::Ramfs | Self::Proc | Self::Sysfs | Self::Devpts | Self::Overlay | Self::Mqueue
        )
    }

    /// Whether mounts of it can be id-mapped (`FS_ALLOW_IDMAP`).
    pub(crate) fn allows_idmap(&self) -> bool {
        match self {
            Self::Tmpfs => true,
            Self::Foreign(name) => matches!(
                name.as_bytes(),
                b"ext2"
                    | b"ext3"
                    | b"ext4"
                    | b"xfs"
                    | b"btrfs"
                    | b"squashfs"
                    | b"erofs"
                    | b"f2fs"
                    | b"exfat"
                    | b"vfat"
                    | b"msdos"
                    | b"ntfs3"
                    | b"ceph"
                    | b"fuse"
                    | b"fuseblk"
                    | b"virtiofs"
                    | b"hugetlbfs"
            ),
            _ => false,
        }
    }
}

/// The magic numbers of types of which a loaded host may have mounts.
fn foreign_magic(name: &[u8]) -> u64 {
    match name {
        b"ext2" | b"ext3" | b"ext4" => 0xef53,
        b"xfs" => 0x5846_5342,
        b"btrfs" => 0x9123_683e,
        b"squashfs" => 0x7371_7368,
        b"erofs" => 0xe0f5_e1e2,
        b"f2fs" => 0xf2f5_2010,
        b"vfat" | b"msdos" => 0x4d44,
        b"cgroup" => 0x0027_e0eb,
        b"cgroup2" => 0x6367_7270,
        b"debugfs" => 0x6462_6720,
        b"tracefs" => 0x7472_6163,
        b"securityfs" => 0x7363_6673,
        b"bpf" => 0xcafe_4a11,
        b"hugetlbfs" => 0x9584_58f6,
        b"autofs" => 0x0187,
        b"fuse" | b"fuseblk" | b"virtiofs" => 0x6573_5546,
        b"fusectl" => 0x6573_5543,
        b"binfmt_misc" => 0x4249_4e4d,
        b"pstore" => 0x6165_676c,
        b"configfs" => 0x6265_6570,
        b"efivarfs" => 0xde5e_81e4,
        b"nfs" | b"nfs4" => 0x6969,
        b"iso9660" => 0x9660,
        _ => 0,
    }
}
