//! The options of mounts and superblocks, as mountinfo shows them (`fs/proc_namespace.c`).

use cofferdam::kernel::MountFlags;

use crate::arena::Id;
use crate::filesystem::{FilesystemType, SuperBlock};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount};

/// The flags of a mount behind `ro` or `rw`, in the order of mountinfo (`show_vfsmnt_opts()`).
pub(crate) const MOUNT_OPTIONS: [(MntFlags, &[u8]); 7] = [
    (MntFlags::NOSUID, b",nosuid"),
    (MntFlags::NODEV, b",nodev"),
    (MntFlags::NOEXEC, b",noexec"),
    (MntFlags::NOATIME, b",noatime"),
    (MntFlags::NODIRATIME, b",nodiratime"),
    (MntFlags::RELATIME, b",relatime"),
    (MntFlags::NOSYMFOLLOW, b",nosymfollow"),
];

/// What stands behind them for an id-mapped mount.
pub(crate) const IDMAPPED: &[u8] = b",idmapped";

/// The flags of a superblock behind `ro` or `rw`, in the order of mountinfo (`show_sb_opts()`).
pub(crate) const SUPER_OPTIONS: [(MountFlags, &[u8]); 4] = [
    (MountFlags::MS_SYNCHRONOUS, b",sync"),
    (MountFlags::MS_DIRSYNC, b",dirsync"),
    (MountFlags::MS_MANDLOCK, b",mand"),
    (MountFlags::MS_LAZYTIME, b",lazytime"),
];

impl FilesystemType {
    /// The name of the type without what mountinfo shows behind a dot, and that (`s_subtype`).
    pub(crate) fn name_and_subtype(&self) -> (&[u8], &[u8]) {
        let name = self.name();
        match name.iter().position(|byte| *byte == b'.') {
            Some(dot) => (&name[..dot], &name[dot + 1..]),
            None => (name, &[]),
        }
    }
}

impl Linux {
    /// How the first of the options of a mount, or of a superblock, reads.
    pub(crate) fn read_only_text(is_read_only: bool) -> &'static [u8] {
        if is_read_only { b"ro" } else { b"rw" }
    }

    /// The options of a mount behind `ro` or `rw`, each with a comma in front (`show_vfsmnt_opts()`).
    pub(crate) fn push_mount_options(&self, mount: Id<Mount>, text: &mut Vec<u8>) {
        let object = &self.mounts[mount];
        for (flag, option) in MOUNT_OPTIONS {
            if object.flags.contains(flag) {
                text.extend_from_slice(option);
            }
        }
        if object.idmap.is_some() {
            text.extend_from_slice(IDMAPPED);
        }
    }

    /// The options of a superblock that are flags, from `ro` or `rw` on (`show_sb_opts()`).
    pub(crate) fn push_super_flags(&self, superblock: Id<SuperBlock>, text: &mut Vec<u8>) {
        let flags = self.superblocks[superblock].flags;
        text.extend_from_slice(Self::read_only_text(flags.contains(MountFlags::MS_RDONLY)));
        for (flag, option) in SUPER_OPTIONS {
            if flags.contains(flag) {
                text.extend_from_slice(option);
            }
        }
    }
}
