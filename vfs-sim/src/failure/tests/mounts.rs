//! Calls about mounts.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, Errno, Fd, FsConfig, FsmountFlags, FsopenFlags, Kernel, MountAttr, MountAttrFlags, MountFlags,
    MoveMountFlags, OpenTreeFlags, UmountFlags,
};
use rstest::rstest;

use super::assert_why;
use crate::handle::Process;

type Result = std::result::Result<(), Errno>;

fn mount(process: &Process, source: &str, target: &str, flags: MountFlags) -> Result {
    process.mount(Some(UnixPath::new(source)), UnixPath::new(target), None, flags, None)
}

fn mount_new(process: &Process, filesystem: &str, target: &str) -> Result {
    let none = MountFlags::empty();
    process.mount(Some(UnixPath::new("none")), UnixPath::new(target), Some(filesystem.as_bytes()), none, None)
}

fn umount(process: &Process, target: &str, flags: UmountFlags) -> Result {
    process.umount2(UnixPath::new(target), flags)
}

fn pivot_root(process: &Process, new_root: &str, put_old: &str) -> Result {
    process.pivot_root(UnixPath::new(new_root), UnixPath::new(put_old))
}

/// Makes all mounts private and puts a tmpfs of its own at /mnt.
fn private(process: &Process) -> &Process {
    mount(process, "none", "/", MountFlags::MS_PRIVATE | MountFlags::MS_REC).unwrap();
    mount_new(process, "tmpfs", "/mnt").unwrap();
    process
}

/// Puts the process into user and mount namespaces of its own, where it has all capabilities.
fn contained(process: &Process) -> &Process {
    process.unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
    process
}

fn set_attributes(process: &Process, attr_set: MountAttrFlags, attr_clr: MountAttrFlags) -> Result {
    let attr = MountAttr { attr_set, attr_clr, ..MountAttr::default() };
    process.mount_setattr(Fd::CWD, UnixPath::new("/home"), AtFlags::empty(), &attr)
}

fn move_mount(process: &Process, from: &str, to: &str, flags: MoveMountFlags) -> Result {
    process.move_mount(Fd::CWD, UnixPath::new(from), Fd::CWD, UnixPath::new(to), flags)
}

fn open_tree(process: &Process, path: &str, flags: OpenTreeFlags) -> Result {
    process.open_tree(Fd::CWD, UnixPath::new(path), flags).map(drop)
}

#[rstest]
#[case(|p: &Process| mount(p, "/etc", "/mnt", MountFlags::MS_MOVE), Errno::EINVAL,
    "do_move_mount()", "nothing is mounted at the source: it is not the root of a mount")]
#[case(|p: &Process| mount(p, "/home", "/mnt", MountFlags::MS_MOVE), Errno::EINVAL,
    "do_move_mount()", "the mount that the source is mounted on, its parent, is shared")]
#[case(|p: &Process| mount(private(p), "/mnt", "/etc/passwd", MountFlags::MS_MOVE), Errno::EINVAL,
    "do_move_mount()", "the source is a directory, and the target is not")]
#[case(|p: &Process| {
    mount(private(p), "none", "/mnt", MountFlags::MS_UNBINDABLE)?;
    mount(p, "none", "/home", MountFlags::MS_SHARED)?;
    mount(p, "/mnt", "/home", MountFlags::MS_MOVE)
}, Errno::EINVAL,
    "do_move_mount()", "the mount at the target is shared, and an unbindable mount is in the tree at the source")]
#[case(|p: &Process| mount(contained(p), "/home", "/mnt", MountFlags::MS_MOVE), Errno::EINVAL,
    "do_move_mount()", "the mount at the source is locked: it came from a more privileged mount namespace")]
#[case(|p: &Process| mount(private(p), "/dev", "/dev/shm", MountFlags::MS_MOVE), Errno::ELOOP,
    "do_move_mount()", "the target is on the mount at the source, or below it")]
#[case(|p: &Process| mount(p, "", "/mnt", MountFlags::MS_MOVE), Errno::EINVAL,
    "do_move_mount_old()", "there is no source to move, or its path is empty")]
#[case(|p: &Process| move_mount(private(p), "/mnt", "/etc", MoveMountFlags::MOVE_MOUNT_BENEATH), Errno::EINVAL,
    "do_lock_mount()", "the target is not the root of a mount: there is no beneath")]
#[case(|p: &Process| move_mount(private(p), "/mnt", "/home", MoveMountFlags::MOVE_MOUNT_SET_GROUP), Errno::EINVAL,
    "do_set_group()", "the mounts at source and target are of different filesystems")]
#[case(|p: &Process| move_mount(p, "/mnt", "/home", MoveMountFlags::from_bits_retain(0x800)), Errno::EINVAL,
    "sys_move_mount()", "a flag is not one that the call knows")]
fn moves(#[case] call: fn(&Process) -> Result, #[case] errno: Errno, #[case] function: &str, #[case] sentence: &str) {
    assert_why(call, errno, function, sentence);
}

#[rstest]
#[case(|p: &Process| {
    mount(p, "none", "/home", MountFlags::MS_UNBINDABLE)?;
    mount(p, "/home", "/mnt", MountFlags::MS_BIND)
}, Errno::EINVAL, "__do_loopback()", "the mount at the source is unbindable")]
#[case(|p: &Process| mount(contained(p), "/", "/mnt", MountFlags::MS_BIND), Errno::EINVAL, "__do_loopback()",
    "a mount below the source is locked: a copy that is not recursive would uncover what it hides")]
#[case(|p: &Process| mount(p, "/proc/self/ns/mnt", "/etc/passwd", MountFlags::MS_BIND), Errno::EINVAL,
    "do_loopback()", "the source is the file of the process's own mount namespace, or of an older one")]
#[case(|p: &Process| mount(p, "/home", "/etc/passwd", MountFlags::MS_BIND), Errno::ENOTDIR,
    "graft_tree()", "what is mounted is a directory, and the target is not")]
#[case(|p: &Process| mount(p, "/etc/passwd", "/mnt", MountFlags::MS_BIND), Errno::ENOTDIR,
    "graft_tree()", "the target is a directory, and what is mounted is not")]
#[case(|p: &Process| open_tree(p, "/home", OpenTreeFlags::AT_RECURSIVE), Errno::EINVAL,
    "vfs_open_tree()", "AT_RECURSIVE is given without OPEN_TREE_CLONE")]
#[case(|p: &Process| p.mount(None, UnixPath::new("/mnt"), None, MountFlags::empty(), None), Errno::EINVAL,
    "do_new_mount()", "neither a filesystem type is given nor MS_BIND, MS_MOVE, MS_REMOUNT or a propagation type")]
#[case(|p: &Process| mount_new(p, "nosuchfs", "/mnt"), Errno::ENODEV,
    "get_fs_type()", "the kernel knows no filesystem type of this name")]
#[case(|p: &Process| { mount_new(p, "sysfs", "/mnt")?; mount_new(p, "sysfs", "/mnt") }, Errno::EBUSY,
    "do_add_mount()", "the same filesystem is mounted at the target already")]
#[case(|p: &Process| { p.unshare(CloneFlags::CLONE_NEWUSER)?; mount_new(p, "tmpfs", "/mnt") }, Errno::EPERM,
    "may_mount()", "the process has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace")]
#[case(|p: &Process| mount_new(contained(p), "proc", "/mnt"), Errno::EPERM,
    "mount_capable()", "the process has no CAP_SYS_ADMIN in the user namespace that the filesystem would belong to")]
#[case(|p: &Process| mount_new(contained(p), "devtmpfs", "/mnt"), Errno::EPERM,
    "mount_capable()", "a filesystem of this type is mounted only with CAP_SYS_ADMIN in the initial user namespace")]
fn mounts(#[case] call: fn(&Process) -> Result, #[case] errno: Errno, #[case] function: &str, #[case] sentence: &str) {
    assert_why(call, errno, function, sentence);
}

#[rstest]
#[case(|p: &Process| mount(p, "none", "/etc", MountFlags::MS_PRIVATE), Errno::EINVAL,
    "do_change_type()", "the target is not the root of a mount")]
#[case(|p: &Process| mount(p, "none", "/home", MountFlags::MS_PRIVATE | MountFlags::MS_SHARED), Errno::EINVAL,
    "flags_to_propagation_type()", "more than one propagation type is given")]
#[case(|p: &Process| mount(p, "none", "/home", MountFlags::MS_PRIVATE | MountFlags::MS_RDONLY), Errno::EINVAL,
    "flags_to_propagation_type()", "a propagation type is given together with flags other than MS_REC and MS_SILENT")]
#[case(|p: &Process| mount(contained(p), "none", "/tmp", MountFlags::MS_REMOUNT | MountFlags::MS_BIND), Errno::EPERM,
    "can_change_locked_flags()",
    "nodev would be cleared, which is locked: the mount came from a more privileged mount namespace")]
#[case(|p: &Process| {
    let flags = MountFlags::MS_REMOUNT | MountFlags::MS_NODEV | MountFlags::MS_NOSUID;
    mount(contained(p), "none", "/tmp", flags)
}, Errno::EPERM, "do_remount()",
    "CAP_SYS_ADMIN in the user namespace that owns the filesystem is missing (MS_BIND changes only the mount)")]
#[case(|p: &Process| mount(p, "none", "/etc", MountFlags::MS_REMOUNT), Errno::EINVAL,
    "do_remount()", "the target is not the root of a mount")]
#[case(|p: &Process| set_attributes(p, MountAttrFlags::MOUNT_ATTR_NOATIME, MountAttrFlags::empty()), Errno::EINVAL,
    "build_mount_kattr()", "attr_set says what access times do, and attr_clr lacks MOUNT_ATTR__ATIME")]
#[case(|p: &Process| set_attributes(p, MountAttrFlags::empty(), MountAttrFlags::MOUNT_ATTR_IDMAP), Errno::EINVAL,
    "build_mount_idmapped()",
    "attr_clr has MOUNT_ATTR_IDMAP: only open_tree_attr() with OPEN_TREE_CLONE takes away an id map")]
fn changes(#[case] call: fn(&Process) -> Result, #[case] errno: Errno, #[case] function: &str, #[case] sentence: &str) {
    assert_why(call, errno, function, sentence);
}

#[rstest]
#[case(|p: &Process| umount(p, "/etc", UmountFlags::empty()), Errno::EINVAL,
    "can_umount()", "nothing is mounted at the target: it is not the root of a mount")]
#[case(|p: &Process| umount(contained(p), "/home", UmountFlags::empty()), Errno::EINVAL, "can_umount()",
    "the mount is locked: it came from a more privileged mount namespace, and hides what is below it")]
#[case(|p: &Process| umount(p, "/home", UmountFlags::MNT_EXPIRE | UmountFlags::MNT_DETACH), Errno::EINVAL,
    "do_umount()", "MNT_EXPIRE is given together with MNT_FORCE or MNT_DETACH")]
#[case(|p: &Process| umount(p, "/home", UmountFlags::MNT_EXPIRE), Errno::EAGAIN, "do_umount()",
    "the mount is marked as expired now: MNT_EXPIRE unmounts it next time, if nothing uses it until then")]
#[case(|p: &Process| umount(p, "/dev", UmountFlags::empty()), Errno::EBUSY, "propagate_mount_busy()",
    "another mount is mounted on this one, or below it, and MNT_DETACH is not given")]
#[case(|p: &Process| {
    p.chdir(UnixPath::new("/home"))?;
    umount(p, "/home", UmountFlags::empty())
}, Errno::EBUSY, "propagate_mount_busy()",
    "a process has a file, its working directory or its root on the mount, and MNT_DETACH is not given")]
#[case(|p: &Process| pivot_root(p, "/home", "/home"), Errno::EINVAL,
    "sys_pivot_root()", "the mount at put_old is shared")]
#[case(|p: &Process| {
    mount(p, "none", "/home", MountFlags::MS_PRIVATE)?;
    pivot_root(p, "/home", "/home")
}, Errno::EINVAL, "sys_pivot_root()", "the mount that new_root is mounted on, its parent, is shared")]
#[case(|p: &Process| pivot_root(private(p), "/etc", "/home"), Errno::EBUSY,
    "sys_pivot_root()", "new_root is on the same mount as the current root")]
#[case(|p: &Process| pivot_root(private(p), "/home", "/etc"), Errno::EBUSY,
    "sys_pivot_root()", "put_old is on the same mount as the current root")]
#[case(|p: &Process| pivot_root(private(p), "/dev/pts", "/home"), Errno::EINVAL,
    "sys_pivot_root()", "put_old is not at or below new_root")]
#[case(|p: &Process| pivot_root(private(p), "/proc/sys", "/proc/sys"), Errno::EINVAL,
    "sys_pivot_root()", "new_root is not the root of a mount: it would be after a bind mount onto itself")]
#[case(|p: &Process| {
    mount_new(private(p), "tmpfs", "/srv/busybox")?;
    p.chroot(UnixPath::new("/srv"))?;
    pivot_root(p, "/busybox", "/busybox")
}, Errno::EINVAL, "sys_pivot_root()", "the current root is not the root of a mount")]
fn unmounts(
    #[case] call: fn(&Process) -> Result,
    #[case] errno: Errno,
    #[case] function: &str,
    #[case] sentence: &str,
) {
    assert_why(call, errno, function, sentence);
}

fn context(process: &Process, commands: &[FsConfig]) -> std::result::Result<Fd, Errno> {
    let fd = process.fsopen(b"tmpfs", FsopenFlags::empty())?;
    commands.iter().try_for_each(|command| process.fsconfig(fd, command))?;
    Ok(fd)
}

fn fsmount(process: &Process, fd: Fd) -> Result {
    process.fsmount(fd, FsmountFlags::empty(), MountAttrFlags::empty()).map(drop)
}

#[rstest]
#[case(|p: &Process| fsmount(p, context(p, &[])?), Errno::EINVAL,
    "sys_fsmount()", "the context has no filesystem: FSCONFIG_CMD_CREATE comes first")]
#[case(|p: &Process| {
    let fd = context(p, &[FsConfig::Create])?;
    fsmount(p, fd)?;
    fsmount(p, fd)
}, Errno::EBUSY, "sys_fsmount()", "the context has made its one mount already, or comes from fspick()")]
#[case(|p: &Process| context(p, &[FsConfig::Create, FsConfig::Create]).map(drop), Errno::EBUSY,
    "vfs_cmd_create()", "the context has its filesystem already")]
#[case(|p: &Process| context(p, &[FsConfig::Reconfigure]).map(drop), Errno::EBUSY,
    "vfs_cmd_reconfigure()", "the filesystem is not mounted: fsmount(), or fspick() on a mount of it, comes first")]
#[case(|p: &Process| context(p, &[FsConfig::Create, FsConfig::SetFlag { key: "ro".into() }]).map(drop), Errno::EBUSY,
    "vfs_fsconfig_locked()", "the filesystem is created: the context takes no parameters until fsmount()")]
fn contexts(
    #[case] call: fn(&Process) -> Result,
    #[case] errno: Errno,
    #[case] function: &str,
    #[case] sentence: &str,
) {
    assert_why(call, errno, function, sentence);
}
