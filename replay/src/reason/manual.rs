//! What the manual pages say of an error.

use cofferdam::kernel::Errno;

/// Calls, an error, and where it is given.
const SENTENCES: &[(&[&str], Errno, &str)] = &[
    (
        &["mount"],
        Errno::EBUSY,
        "the filesystem can't be remounted read-only, as files are open for writing, or it is mounted there already",
    ),
    (&["mount"], Errno::EINVAL, "the filesystem does not accept the options, or the mounts do not allow it"),
    (&["mount"], Errno::ELOOP, "a mount would be moved below itself, or a path has too many symbolic links"),
    (&["mount"], Errno::ENODEV, "the kernel does not know the type of filesystem"),
    (&["mount"], Errno::ENOTBLK, "the source is no block device, and should be one"),
    (&["mount"], Errno::ENXIO, "the device does not exist"),
    (
        &["mount"],
        Errno::EPERM,
        "flags are locked that would be cleared, or the filesystem can't be mounted in a user namespace",
    ),
    (&["mount", "open_tree", "move_mount"], Errno::ENOSPC, "the namespace would have more mounts than fs.mount-max"),
    (&["umount2"], Errno::EAGAIN, "MNT_EXPIRE has marked a mount that was not busy"),
    (&["umount2"], Errno::EBUSY, "the mount is in use, by processes or by mounts on it"),
    (&["umount2"], Errno::EINVAL, "the target is not a mount point, or is locked, or the flags exclude each other"),
    (&["pivot_root"], Errno::EBUSY, "the new or the old root is on the current root mount"),
    (
        &["pivot_root"],
        Errno::EINVAL,
        "the new root is no mount point, or a mount that is moved is on a shared one, or put_old is not below it",
    ),
    (
        &["move_mount"],
        Errno::EINVAL,
        "the source is no mount, or locked, or on a shared mount, or the target is in another namespace",
    ),
    (&["open_tree"], Errno::EINVAL, "the mount is unbindable, or in another namespace"),
    (&["mount_setattr"], Errno::EINVAL, "the path is no mount point, or the attributes exclude each other"),
    (
        &["mount_setattr"],
        Errno::EPERM,
        "an attribute is locked that would be cleared, or the filesystem can't be id-mapped",
    ),
    (&["mount_setattr"], Errno::EBUSY, "files are open for writing"),
    (&["fsopen"], Errno::ENODEV, "the kernel does not know the type of filesystem"),
    (&["fsconfig"], Errno::EBUSY, "the context is past that state, or the filesystem is in use"),
    (&["fsconfig"], Errno::EINVAL, "the filesystem does not know the parameter, or not this value of it"),
    (&["unshare", "clone3"], Errno::EINVAL, "the flags exclude each other, or the caller has several threads"),
    (&["unshare", "clone3"], Errno::ENOSPC, "there would be more namespaces than /proc/sys/user allows"),
    (
        &["unshare", "clone3"],
        Errno::EPERM,
        "a capability is missing, or the caller is in a chroot, or its ids are not mapped",
    ),
    (
        &["setns"],
        Errno::EINVAL,
        "the descriptor is of another kind of namespace, or the caller shares its root with others",
    ),
    (&["chroot", "chdir"], Errno::EACCES, "a directory on the way may not be searched"),
];

/// Where a call gives an error.
pub(super) fn sentence(call: &str, errno: Errno) -> Option<&'static str> {
    let row = SENTENCES.iter().find(|row| row.0.contains(&call) && row.1 == errno);
    row.map(|row| row.2)
}
