//! The flags of a mount inside the kernel (`include/linux/mount.h`).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// `mnt_flags`. The values are our own: nobody outside sees them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct MntFlags: u32 {
        /// No set-user-id.
        const NOSUID = 1;
        /// No device nodes.
        const NODEV = 1 << 1;
        /// No programs.
        const NOEXEC = 1 << 2;
        /// Access times are left alone.
        const NOATIME = 1 << 3;
        /// Access times of directories are left alone.
        const NODIRATIME = 1 << 4;
        /// Access times are written if they are older than the modification.
        const RELATIME = 1 << 5;
        /// Read-only.
        const READONLY = 1 << 6;
        /// Symbolic links are not followed.
        const NOSYMFOLLOW = 1 << 7;

        /// A mount of the kernel's own.
        const INTERNAL = 1 << 14;
        /// The access time kind can't be changed.
        const LOCK_ATIME = 1 << 18;
        /// `NOEXEC` can't be cleared.
        const LOCK_NOEXEC = 1 << 19;
        /// `NOSUID` can't be cleared.
        const LOCK_NOSUID = 1 << 20;
        /// `NODEV` can't be cleared.
        const LOCK_NODEV = 1 << 21;
        /// `READONLY` can't be cleared.
        const LOCK_READONLY = 1 << 22;
        /// It can't be unmounted or moved by itself.
        const LOCKED = 1 << 23;
        /// The last reference is gone.
        const DOOMED = 1 << 24;
        /// Unmounted while nothing used it.
        const SYNC_UMOUNT = 1 << 25;
        /// It is, or is being, unmounted.
        const UMOUNT = 1 << 27;

        /// The access time kinds (`MNT_ATIME_MASK`).
        const ATIME_MASK = Self::NOATIME.bits() | Self::NODIRATIME.bits() | Self::RELATIME.bits();
        /// What users choose (`MNT_USER_SETTABLE_MASK`).
        const USER_SETTABLE = Self::NOSUID.bits() | Self::NODEV.bits() | Self::NOEXEC.bits() | Self::ATIME_MASK.bits()
            | Self::READONLY.bits() | Self::NOSYMFOLLOW.bits();
        /// What no copy inherits (`MNT_INTERNAL_FLAGS`).
        const INTERNAL_FLAGS = Self::INTERNAL.bits() | Self::DOOMED.bits() | Self::SYNC_UMOUNT.bits()
            | Self::LOCKED.bits() | Self::UMOUNT.bits();
    }
}
