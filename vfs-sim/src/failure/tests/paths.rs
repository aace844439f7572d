//! Calls about files.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloseRangeFlags, DeviceNumber, Errno, Fd, FileType, Kernel as _, Mode, NodeMode, OpenFlags, OpenHow, Pid,
    Prctl, RenameFlags, ResolveFlags, Signal, Whence,
};
use rstest::rstest;

use super::assert_why;
use crate::handle::Process;

type Call = fn(&Process) -> Result<(), Errno>;

/// A user of the sample host.
const ALICE: u32 = 1000;

fn open(process: &Process, path: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let mode = Mode(if flags.contains(OpenFlags::O_CREAT) { 0o644 } else { 0 });
    process.openat2(Fd::CWD, UnixPath::new(path), OpenHow { flags, mode, resolve: ResolveFlags::empty() })
}

/// Opens what is there.
fn opened(process: &Process, path: &str, flags: OpenFlags) -> Fd {
    open(process, path, flags).unwrap()
}

fn unlink(process: &Process, path: &str) -> Result<(), Errno> {
    process.unlinkat(Fd::CWD, UnixPath::new(path), AtFlags::empty())
}

fn rmdir(process: &Process, path: &str) -> Result<(), Errno> {
    process.unlinkat(Fd::CWD, UnixPath::new(path), AtFlags::AT_REMOVEDIR)
}

fn rename(process: &Process, old: &str, new: &str, flags: RenameFlags) -> Result<(), Errno> {
    process.renameat2(Fd::CWD, UnixPath::new(old), Fd::CWD, UnixPath::new(new), flags)
}

fn link(process: &Process, old: &str, new: &str) -> Result<(), Errno> {
    process.linkat(Fd::CWD, UnixPath::new(old), Fd::CWD, UnixPath::new(new), AtFlags::empty())
}

fn mknod(process: &Process, path: &str, file_type: FileType, device: DeviceNumber) -> Result<(), Errno> {
    process.mknodat(Fd::CWD, UnixPath::new(path), NodeMode { file_type, mode: Mode(0o666) }, device)
}

fn chown(process: &Process, path: &str, owner: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
    process.fchownat(Fd::CWD, UnixPath::new(path), owner, group, AtFlags::empty())
}

/// The process, as a user without privilege.
fn as_alice(process: &Process) -> &Process {
    process.setresgid(ALICE, ALICE, ALICE).unwrap();
    process.setresuid(ALICE, ALICE, ALICE).unwrap();
    process
}

const NULL: DeviceNumber = DeviceNumber { major: 1, minor: 3 };

#[rstest]
// Opening.
#[case::directory_to_write(
    |process: &Process| open(process, "/mnt", OpenFlags::O_WRONLY).map(drop),
    Errno::EISDIR, "may_open()", "a directory can't be opened for writing"
)]
#[case::directory_to_make(
    |process: &Process| open(process, "/mnt", OpenFlags::O_CREAT).map(drop),
    Errno::EISDIR, "do_open()", "the path leads to a directory, and O_CREAT is given"
)]
#[case::device_without_devices(
    |process: &Process| {
        mknod(process, "/home/null", FileType::CharacterDevice, NULL).unwrap();
        open(process, "/home/null", OpenFlags::empty()).map(drop)
    },
    Errno::EACCES, "may_open_dev()", "the device node is on a mount with nodev"
)]
#[case::time_of_others(
    |process: &Process| open(as_alice(process), "/etc/passwd", OpenFlags::O_NOATIME).map(drop),
    Errno::EPERM, "may_open()", "O_NOATIME is given, the file is another user's, and the process has no CAP_FOWNER over it"
)]
#[case::no_terminal(
    |process: &Process| open(process, "/dev/tty", OpenFlags::O_RDWR).map(drop),
    Errno::ENXIO, "tty_open_current_tty()", "the process has no controlling terminal"
)]
#[case::nobody_reads(
    |process: &Process| {
        mknod(process, "/tmp/fifo", FileType::Fifo, DeviceNumber::NONE).unwrap();
        open(process, "/tmp/fifo", OpenFlags::O_WRONLY | OpenFlags::O_NONBLOCK).map(drop)
    },
    Errno::ENXIO, "fifo_open()", "O_NONBLOCK is given, and nobody has the fifo open for reading"
)]
// Removing.
#[case::rmdir_of_dots(
    |process: &Process| rmdir(process, "/mnt/.."),
    Errno::ENOTEMPTY, "do_rmdir()", "the last component of the path is `..`, which can't be removed"
)]
#[case::rmdir_of_a_full_one(|process: &Process| rmdir(process, "/etc"), Errno::ENOTEMPTY, "simple_rmdir()", "there is something in the directory")]
#[case::rmdir_of_the_root(|process: &Process| rmdir(process, "/"), Errno::EBUSY, "do_rmdir()", "the root directory can't be removed")]
#[case::rmdir_of_a_mount_point(
    |process: &Process| rmdir(process, "/boot"),
    Errno::EBUSY, "vfs_rmdir()", "the directory is a mount point in the process's mount namespace"
)]
#[case::unlink_with_a_slash(
    |process: &Process| unlink(process, "/mnt/"),
    Errno::EISDIR, "do_unlinkat()", "the path ends with a slash and leads to a directory"
)]
#[case::unlink_of_a_directory(
    |process: &Process| unlink(process, "/mnt"),
    Errno::EISDIR, "may_delete()", "what would be removed or replaced is a directory"
)]
#[case::unlink_in_a_sticky_directory(
    |process: &Process| {
        opened(process, "/tmp/file", OpenFlags::O_CREAT);
        unlink(as_alice(process), "/tmp/file")
    },
    Errno::EPERM, "check_sticky()",
    "the directory is sticky: only the owner, the directory's owner or CAP_FOWNER takes entries out"
)]
#[case::rmdir_of_a_process(
    |process: &Process| rmdir(process, "/proc/1"),
    Errno::EPERM, "may_delete()", "what the path leads to is immutable"
)]
#[case::rmdir_of_what_the_kernel_makes(
    |process: &Process| rmdir(process, "/proc/sys"),
    Errno::EPERM, "vfs_rmdir()", "the filesystem lets nobody remove directories here"
)]
// Making and changing.
#[case::rename_both_ways(
    |process: &Process| rename(process, "/a", "/b", RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_NOREPLACE),
    Errno::EINVAL, "do_renameat2()", "RENAME_EXCHANGE does not go with RENAME_NOREPLACE or RENAME_WHITEOUT"
)]
#[case::rename_into_itself(
    |process: &Process| rename(process, "/mnt", "/mnt/a", RenameFlags::empty()),
    Errno::EINVAL, "do_renameat2()", "a directory would be moved into itself"
)]
#[case::exchanged_into_itself(
    |process: &Process| rename(process, "/srv/busybox", "/srv", RenameFlags::RENAME_EXCHANGE),
    Errno::EINVAL, "do_renameat2()", "the directory at the new path would be moved into itself"
)]
#[case::rename_over_what_it_is_in(
    |process: &Process| rename(process, "/srv/busybox", "/srv", RenameFlags::empty()),
    Errno::ENOTEMPTY, "do_renameat2()", "what is to be renamed is below the directory at the new path"
)]
#[case::rename_over_a_full_one(
    |process: &Process| rename(process, "/mnt", "/srv", RenameFlags::empty()),
    Errno::ENOTEMPTY, "simple_rename()", "there is something in the directory at the new path"
)]
#[case::rename_of_a_mount_point(
    |process: &Process| rename(process, "/boot", "/b", RenameFlags::empty()),
    Errno::EBUSY, "vfs_rename()", "the old path is a mount point in the process's mount namespace"
)]
#[case::rename_over_a_mount_point(
    |process: &Process| rename(process, "/mnt", "/boot", RenameFlags::empty()),
    Errno::EBUSY, "vfs_rename()", "the new path is a mount point in the process's mount namespace"
)]
#[case::rename_over_dots(
    |process: &Process| rename(process, "/mnt", "/srv/..", RenameFlags::empty()),
    Errno::EBUSY, "do_renameat2()", "the last component of the new path is `.`, `..` or the root directory"
)]
#[case::second_name_of_a_directory(
    |process: &Process| link(process, "/mnt", "/m"),
    Errno::EPERM, "vfs_link()", "a directory has one name only"
)]
#[case::second_name_of_what_is_not_ones_own(
    |process: &Process| link(as_alice(process), "/etc/shadow", "/var/tmp/shadow"),
    Errno::EPERM, "may_linkat()",
    "the file is another user's, and is special, set-id, or not readable and writable for the process"
)]
#[case::mknod_without_capability(
    |process: &Process| mknod(as_alice(process), "/tmp/null", FileType::CharacterDevice, NULL),
    Errno::EPERM, "vfs_mknod()", "a device is to be made, and the process has no CAP_MKNOD in the initial user namespace"
)]
#[case::mknod_where_nobody_can(
    |process: &Process| mknod(process, "/dev/mqueue/null", FileType::CharacterDevice, NULL),
    Errno::EPERM, "vfs_mknod()", "the filesystem lets nobody make nodes here"
)]
#[case::chown_to_another_owner(
    |process: &Process| chown(as_alice(process), "/home/alice/notes", Some(0), None),
    Errno::EPERM, "chown_ok()", "the owner would change, and the process has no CAP_CHOWN over the file"
)]
#[case::chown_to_another_group(
    |process: &Process| chown(as_alice(process), "/home/alice/notes", None, Some(0)),
    Errno::EPERM, "chgrp_ok()",
    "the file is another user's, or the process is not in the group, and it has no CAP_CHOWN over the file"
)]
// Descriptors and processes.
#[case::not_to_read(
    |process: &Process| process.read(opened(process, "/etc/passwd", OpenFlags::O_WRONLY), 1).map(drop),
    Errno::EBADF, "vfs_read()", "the descriptor is not open for reading"
)]
#[case::not_to_write(
    |process: &Process| process.write(opened(process, "/etc/passwd", OpenFlags::empty()), b"a").map(drop),
    Errno::EBADF, "vfs_write()", "the descriptor is not open for writing"
)]
#[case::no_length(
    |process: &Process| process.ftruncate(opened(process, "/mnt", OpenFlags::empty()), 0),
    Errno::EINVAL, "do_ftruncate()", "only a regular file has a length that can be set"
)]
#[case::not_to_cut(
    |process: &Process| process.ftruncate(opened(process, "/etc/passwd", OpenFlags::empty()), 0),
    Errno::EINVAL, "do_ftruncate()", "the descriptor is not open for writing"
)]
#[case::before_the_start(
    |process: &Process| process.lseek(opened(process, "/etc/passwd", OpenFlags::empty()), -1, Whence::Start).map(drop),
    Errno::EINVAL, "vfs_setpos()", "the new position is negative, or too large"
)]
#[case::from_no_end(
    |process: &Process| process.lseek(opened(process, "/proc/self/mountinfo", OpenFlags::empty()), 0, Whence::End).map(drop),
    Errno::EINVAL, "seq_lseek()", "the file has no end to seek from: it is written as it is read"
)]
#[case::close_range_backwards(
    |process: &Process| process.close_range(4, 3, CloseRangeFlags::empty()),
    Errno::EINVAL, "sys_close_range()", "the first descriptor is greater than the last one"
)]
#[case::the_limit_before_what_is_copied(
    |process: &Process| process.dup3(Fd(99), Fd(-1), OpenFlags::empty()).map(drop),
    Errno::EBADF, "ksys_dup3()", "the new descriptor is negative, or not below the process's RLIMIT_NOFILE"
)]
#[case::no_process(
    |process: &Process| process.kill(Pid(99), Signal::PIPE),
    Errno::ESRCH, "kill_something_info()", "there is no process with this number in the process's pid namespace"
)]
#[case::no_group(
    |process: &Process| process.kill(Pid(-99), Signal::PIPE),
    Errno::ESRCH, "kill_something_info()", "there is no process group with this number in the process's pid namespace"
)]
#[case::not_inheritable(
    |process: &Process| process.prctl(Prctl::RaiseAmbientCapability(0)).map(drop),
    Errno::EPERM, "cap_task_prctl()", "the capability is not among the inheritable ones"
)]
#[case::not_permitted(
    |process: &Process| as_alice(process).prctl(Prctl::RaiseAmbientCapability(0)).map(drop),
    Errno::EPERM, "cap_task_prctl()", "the capability is not among the permitted ones"
)]
fn each_call_meets_its_rule(#[case] call: Call, #[case] errno: Errno, #[case] function: &str, #[case] sentence: &str) {
    assert_why(call, errno, function, sentence);
}
