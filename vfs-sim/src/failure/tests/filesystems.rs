//! Filesystems, their parameters, and overlays.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel, Mode, MountFlags, OpenFlags, OpenHow, RenameFlags};
use rstest::rstest;

use super::assert_why;
use crate::handle::Process;

fn path(path: &str) -> &UnixPath {
    UnixPath::new(path)
}

fn mount(process: &Process, filesystem: &str, target: &str, flags: MountFlags, data: &str) -> Result<(), Errno> {
    process.mount(Some(path("none")), path(target), Some(filesystem.as_bytes()), flags, Some(data.as_bytes()))
}

fn open(process: &Process, name: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let mode = if flags.contains(OpenFlags::O_CREAT) { Mode(0o644) } else { Mode(0) };
    process.openat2(Fd::CWD, path(name), OpenHow { flags, mode, ..OpenHow::default() })
}

/// A tmpfs on /mnt with directories for layers, for work, and to mount on, and a file.
fn layers(process: &Process) {
    mount(process, "tmpfs", "/mnt", MountFlags::empty(), "size=64k").unwrap();
    for name in ["l", "l/inner", "k", "u", "w", "u/w", "m"] {
        process.mkdirat(Fd::CWD, path(&format!("/mnt/{name}")), Mode(0o755)).unwrap();
    }
    process.close(open(process, "/mnt/file", OpenFlags::O_CREAT | OpenFlags::O_WRONLY).unwrap()).unwrap();
}

/// An overlay on /mnt/m of all of them.
fn overlay(process: &Process) {
    layers(process);
    let data = "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w";
    mount(process, "overlay", "/mnt/m", MountFlags::empty(), data).unwrap();
}

#[rstest]
#[case::no_lower("upperdir=/mnt/u,workdir=/mnt/w", "ovl_fill_super()", "no lower layer is given (lowerdir)")]
#[case::one_lower(
    "lowerdir=/mnt/l",
    "ovl_get_lowerstack()",
    "one lower layer only is given, and no upperdir: without one there must be two"
)]
#[case::no_work("lowerdir=/mnt/l,upperdir=/mnt/u", "ovl_fill_super()", "an upperdir is given, but no workdir")]
#[case::work_inside(
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/u/w",
    "ovl_get_workdir()",
    "workdir and upperdir are the same, or one is inside of the other"
)]
#[case::work_elsewhere(
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/dev/shm",
    "ovl_get_workdir()",
    "workdir and upperdir are not on the same mount"
)]
#[case::colon_before("lowerdir=:/mnt/l", "ovl_parse_param_lowerdir()", "lowerdir starts with a colon")]
#[case::colon_behind("lowerdir=/mnt/l:", "ovl_parse_param_split_lowerdirs()", "lowerdir ends with a colon")]
#[case::colons(
    "lowerdir=/mnt/l:::/mnt/k",
    "ovl_parse_param_split_lowerdirs()",
    "lowerdir has more than two colons after each other"
)]
#[case::file("lowerdir=/mnt/file", "ovl_mount_dir_check()", "what is given as a layer, or as workdir, is no directory")]
#[case::no_word(
    "index=perhaps",
    "fs_param_is_enum()",
    "the value of the parameter is none of the words that it can be"
)]
#[case::value_of_flag("volatile=1", "__fs_parse()", "the parameter takes no value")]
#[case::unknown("lower=/mnt/l", "vfs_parse_fs_param()", "the filesystem type has no such parameter")]
#[case::conflict(
    "lowerdir=/mnt/l:/mnt/k,metacopy=on,redirect_dir=nofollow",
    "ovl_fs_params_verify()",
    "metacopy=on is given with a redirect_dir other than on"
)]
#[case::not_simulated(
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,index=on",
    "ovl_fill_super()",
    "overlays with index=on are not simulated"
)]
fn why_an_overlay_is_invalid(#[case] data: &str, #[case] function: &str, #[case] sentence: &str) {
    let call = |process: &Process| {
        layers(process);
        mount(process, "overlay", "/mnt/m", MountFlags::empty(), data)
    };
    assert_why(call, Errno::EINVAL, function, sentence);
}

#[rstest]
#[case::twice(
    "lowerdir=/mnt/l:/mnt/l",
    "ovl_get_trap_inode()",
    "one directory is given twice as upperdir, workdir or layer of lowerdir"
)]
#[case::inside(
    "lowerdir=/mnt/l:/mnt/l/inner",
    "ovl_check_layer()",
    "a lower layer is inside of another layer, or of workdir"
)]
fn why_layers_overlap(#[case] data: &str, #[case] function: &str, #[case] sentence: &str) {
    let call = |process: &Process| {
        layers(process);
        mount(process, "overlay", "/mnt/m", MountFlags::empty(), data)
    };
    assert_why(call, Errno::ELOOP, function, sentence);
}

#[rstest]
#[case::lower_directory_moved(
    |process: &Process| {
        overlay(process);
        process.renameat2(Fd::CWD, path("/mnt/m/inner"), Fd::CWD, path("/mnt/m/other"), RenameFlags::empty())
    },
    Errno::EXDEV,
    "ovl_rename()",
    "the directory to be renamed is in a lower layer, or merged with one"
)]
#[case::upper_changed(
    |process: &Process| {
        overlay(process);
        process.mkdirat(Fd::CWD, path("/mnt/m/new"), Mode(0o755)).unwrap();
        process.unlinkat(Fd::CWD, path("/mnt/u/new"), AtFlags::AT_REMOVEDIR).unwrap();
        process.unlinkat(Fd::CWD, path("/mnt/m/new"), AtFlags::AT_REMOVEDIR)
    },
    Errno::ESTALE,
    "ovl_remove_upper()",
    "the upper layer was changed behind the overlay: what is to be removed is not what the overlay knows"
)]
#[case::remounted_writable(
    |process: &Process| {
        layers(process);
        mount(process, "overlay", "/mnt/m", MountFlags::empty(), "lowerdir=/mnt/l:/mnt/k").unwrap();
        mount(process, "overlay", "/mnt/m", MountFlags::MS_REMOUNT, "")
    },
    Errno::EROFS,
    "ovl_reconfigure()",
    "the overlay is to become writable, and has no upper layer or no directory for work"
)]
#[case::written_to(
    |process: &Process| {
        layers(process);
        open(process, "/mnt/file", OpenFlags::O_WRONLY).unwrap();
        mount(process, "tmpfs", "/mnt", MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY, "")
    },
    Errno::EBUSY,
    "sb_prepare_remount_readonly()",
    "the filesystem is to become read-only, and a file of it is open for writing"
)]
#[case::removed_and_in_use(
    |process: &Process| {
        layers(process);
        open(process, "/mnt/file", OpenFlags::empty()).unwrap();
        process.unlinkat(Fd::CWD, path("/mnt/file"), AtFlags::empty()).unwrap();
        mount(process, "tmpfs", "/mnt", MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY, "")
    },
    Errno::EBUSY,
    "sb_prepare_remount_readonly()",
    "the filesystem is to become read-only, and a file that was removed from it is in use"
)]
#[case::size(
    |process: &Process| mount(process, "tmpfs", "/mnt", MountFlags::empty(), "size=much"),
    Errno::EINVAL,
    "shmem_parse_one()",
    "size is no number of bytes, with a suffix such as k or % if any"
)]
#[case::inodes_in_use(
    |process: &Process| {
        layers(process);
        mount(process, "tmpfs", "/mnt", MountFlags::MS_REMOUNT, "nr_inodes=2")
    },
    Errno::EINVAL,
    "shmem_reconfigure()",
    "more inodes of the tmpfs are in use than the new nr_inodes"
)]
#[case::no_inode_left(
    |process: &Process| {
        mount(process, "tmpfs", "/mnt", MountFlags::empty(), "nr_inodes=1").unwrap();
        process.mkdirat(Fd::CWD, path("/mnt/a"), Mode(0o755))
    },
    Errno::ENOSPC,
    "shmem_reserve_inode()",
    "the filesystem has as many inodes and names of files as it may have (nr_inodes)"
)]
#[case::hidepid(
    |process: &Process| mount(process, "proc", "/mnt", MountFlags::empty(), "hidepid=3"),
    Errno::EINVAL,
    "proc_parse_hidepid_param()",
    "hidepid is none of 0, 1, 2, 4, off, noaccess, invisible, ptraceable"
)]
#[case::not_a_device(
    |process: &Process| {
        process.mount(Some(path("/etc/passwd")), path("/mnt"), Some(b"ext4"), MountFlags::empty(), None)
    },
    Errno::ENOTBLK,
    "lookup_bdev()",
    "the source is no block device"
)]
#[case::no_process(
    |process: &Process| process.chdir(path("/proc/4000000")),
    Errno::ENOENT,
    "proc_root_lookup()",
    "proc has no entry of this name, and its PID namespace no process with this number"
)]
#[case::no_descriptor(
    |process: &Process| process.readlinkat(Fd::CWD, path("/proc/1/fd/1000")).map(drop),
    Errno::ENOENT,
    "proc_lookupfd_common()",
    "the process has no such file descriptor open"
)]
#[case::no_setting(
    |process: &Process| process.chdir(path("/proc/sys/nothing")),
    Errno::ENOENT,
    "proc_sys_lookup()",
    "there is no such setting of sysctl(5)"
)]
#[case::mode_of_setting(
    |process: &Process| {
        process.fchmodat(Fd::CWD, path("/proc/sys/fs/mount-max"), Mode(0))
    },
    Errno::EPERM,
    "proc_sys_setattr()",
    "the mode, owner and group of a setting of sysctl(5) can't be changed"
)]
#[case::mode_of_process(
    |process: &Process| process.fchmodat(Fd::CWD, path("/proc/1"), Mode(0)),
    Errno::EPERM,
    "may_setattr()",
    "the file of a namespace, or the directory of a process, is immutable"
)]
#[case::map_of_initial_namespace(
    |process: &Process| {
        let fd = open(process, "/proc/1/uid_map", OpenFlags::O_WRONLY)?;
        process.write(fd, b"0 0 1").map(drop)
    },
    Errno::EPERM,
    "proc_uid_map_write()",
    "the maps of the initial user namespace can't be written"
)]
fn why_calls_fail(
    #[case] call: fn(&Process) -> Result<(), Errno>,
    #[case] errno: Errno,
    #[case] function: &str,
    #[case] sentence: &str,
) {
    assert_why(call, errno, function, sentence);
}
