//! Facts about the calls on files, as an experiment on Linux 6.18 shows them.

use std::sync::Arc;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Capabilities, CloseRangeFlags, DeviceNumber, Errno, Fd, FileType, FlockOperation, Kernel, Mode,
    MountFlags, NodeMode, OpenFlags, OpenHow, RenameFlags, ResolveFlags, Stat, Whence,
};
use rstest::rstest;

use crate::handle::Process;
use crate::linux::Linux;
use crate::namespace::IdExtent;

fn machine() -> Process {
    Process::init(Linux::new())
}

fn path(path: &str) -> &UnixPath {
    UnixPath::new(path)
}

fn open(process: &Process, name: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let mode = if flags.contains(OpenFlags::O_CREAT) { Mode(0o666) } else { Mode(0) };
    process.openat2(Fd::CWD, path(name), OpenHow { flags, mode, resolve: ResolveFlags::empty() })
}

fn touch(process: &Process, name: &str) -> Result<(), Errno> {
    let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o666) };
    process.mknodat(Fd::CWD, path(name), mode, DeviceNumber::NONE)
}

fn mkdir(process: &Process, name: &str) -> Result<(), Errno> {
    process.mkdirat(Fd::CWD, path(name), Mode(0o755))
}

fn unlink(process: &Process, name: &str) -> Result<(), Errno> {
    process.unlinkat(Fd::CWD, path(name), AtFlags::empty())
}

fn rename(process: &Process, old: &str, new: &str, flags: RenameFlags) -> Result<(), Errno> {
    process.renameat2(Fd::CWD, path(old), Fd::CWD, path(new), flags)
}

fn stat(process: &Process, name: &str) -> Result<Stat, Errno> {
    process.statx(Fd::CWD, path(name), AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn chown(process: &Process, name: &str, owner: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
    process.fchownat(Fd::CWD, path(name), owner, group, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn chmod(process: &Process, name: &str, mode: u32) -> Result<(), Errno> {
    process.fchmodat(Fd::CWD, path(name), Mode(mode))
}

/// The entries besides `.` and `..`.
fn names(process: &Process, directory: &str) -> String {
    let fd = open(process, directory, OpenFlags::O_DIRECTORY).unwrap();
    let entries = process.getdents64(fd).unwrap();
    process.close(fd).unwrap();
    entries[2..].iter().map(|entry| String::from_utf8_lossy(&entry.name.0).into_owned()).collect()
}

/// From now on the process is one of a user without privileges.
fn become_user(process: &Process, user: u32) {
    let mut linux = process.linux();
    let task = process.task();
    let mut credentials = (*linux.tasks[task].credentials).clone();
    credentials.filesystem_uid = user;
    credentials.filesystem_gid = user;
    credentials.groups = Arc::default();
    credentials.effective = Capabilities::empty();
    linux.tasks[task].credentials = Arc::new(credentials);
}

#[rstest]
#[case::tmpfs("tmpfs")]
#[case::ramfs("ramfs")]
fn the_entry_that_came_last_is_read_first(#[case] filesystem: &str) {
    let process = machine();
    mkdir(&process, "m").unwrap();
    process.mount(Some(path("x")), path("m"), Some(filesystem.as_bytes()), MountFlags::empty(), None).unwrap();
    process.chdir(path("m")).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        touch(&process, name).unwrap();
    }
    assert_eq!(names(&process, "."), "edcba");
    rename(&process, "b", "f", RenameFlags::empty()).unwrap();
    assert_eq!(names(&process, "."), "fedca");
    rename(&process, "f", "d", RenameFlags::empty()).unwrap();
    assert_eq!(names(&process, "."), "deca");
    rename(&process, "a", "e", RenameFlags::RENAME_EXCHANGE).unwrap();
    assert_eq!(names(&process, "."), "eadc");
}

#[test]
fn a_whiteout_takes_the_name_of_what_is_renamed() {
    let process = machine();
    touch(&process, "a").unwrap();
    rename(&process, "a", "w", RenameFlags::RENAME_WHITEOUT).unwrap();
    let whiteout = stat(&process, "a").unwrap();
    assert_eq!((whiteout.file_type, whiteout.rdev), (FileType::CharacterDevice, DeviceNumber::NONE));
    assert_eq!(whiteout.mode, Mode(0));
    assert_eq!(names(&process, "."), "wa");
}

#[test]
fn a_reader_sees_what_its_position_says() {
    let process = machine();
    mkdir(&process, "d").unwrap();
    for name in ["a", "b", "c"] {
        touch(&process, &format!("d/{name}")).unwrap();
    }
    let fd = open(&process, "d", OpenFlags::O_DIRECTORY).unwrap();
    assert_eq!(process.getdents64(fd).unwrap().len(), 5);
    touch(&process, "d/new").unwrap();
    assert_eq!(process.getdents64(fd).unwrap(), []);
    assert_eq!(process.lseek(fd, 0, Whence::Current), Ok(0x7FFF_FFFF));
    // `a` has 3, `b` 4, `c` 5, `new` 6.
    assert_eq!(process.lseek(fd, 4, Whence::Start), Ok(4));
    assert_eq!(process.getdents64(fd).unwrap().len(), 2);
    assert_eq!(process.lseek(fd, 0, Whence::End), Err(Errno::EINVAL));
}

#[test]
fn slashes_are_checked_before_ancestry() {
    let process = machine();
    mkdir(&process, "a").unwrap();
    touch(&process, "a/f").unwrap();
    assert_eq!(rename(&process, "a/f/", "a", RenameFlags::empty()), Err(Errno::ENOTDIR));
    assert_eq!(rename(&process, "a/f", "a", RenameFlags::empty()), Err(Errno::ENOTEMPTY));
    assert_eq!(rename(&process, "a", "a/x", RenameFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(rename(&process, "a/f", "a", RenameFlags::RENAME_EXCHANGE), Err(Errno::EINVAL));
}

#[test]
fn set_id_bits_go_with_the_owner_and_with_the_content() {
    let process = machine();
    chmod(&process, "/", 0o777).unwrap();
    touch(&process, "f").unwrap();
    chown(&process, "f", Some(7), Some(7)).unwrap();
    chmod(&process, "f", 0o6777).unwrap();
    let fd = open(&process, "f", OpenFlags::O_WRONLY).unwrap();
    process.write(fd, b"root may").unwrap();
    assert_eq!(stat(&process, "f").unwrap().mode, Mode(0o6777));
    chown(&process, "f", None, None).unwrap();
    assert_eq!(stat(&process, "f").unwrap().mode, Mode(0o777));
    chmod(&process, "f", 0o6777).unwrap();
    become_user(&process, 1000);
    process.write(fd, b"").unwrap();
    assert_eq!(stat(&process, "f").unwrap().mode, Mode(0o6777));
    process.write(fd, b"x").unwrap();
    assert_eq!(stat(&process, "f").unwrap().mode, Mode(0o777));
    assert_eq!(chown(&process, "f", None, None), Ok(()));
    assert_eq!(chown(&process, "f", None, Some(1000)), Err(Errno::EPERM));
}

#[test]
fn others_are_kept_from_links_and_from_sticky_directories() {
    let process = machine();
    chmod(&process, "/", 0o777).unwrap();
    mkdir(&process, "sticky").unwrap();
    chmod(&process, "sticky", 0o1777).unwrap();
    touch(&process, "sticky/f").unwrap();
    touch(&process, "readable").unwrap();
    become_user(&process, 1000);
    assert_eq!(unlink(&process, "sticky/f"), Err(Errno::EPERM));
    assert_eq!(rename(&process, "sticky/f", "x", RenameFlags::empty()), Err(Errno::EPERM));
    let link = process.linkat(Fd::CWD, path("readable"), Fd::CWD, path("l"), AtFlags::empty());
    assert_eq!(link, Err(Errno::EPERM));
    let node = |minor| {
        let mode = NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) };
        process.mknodat(Fd::CWD, path("node"), mode, DeviceNumber { major: 0, minor })
    };
    assert_eq!(node(3), Err(Errno::EPERM));
    assert_eq!(node(0), Ok(()));
}

/// Root of the filesystem is 1000 through the mount `i`, up to 99 and 1099.
fn id_mapped_mount() -> Process {
    let process = machine();
    mkdir(&process, "s").unwrap();
    chmod(&process, "s", 0o777).unwrap();
    for (name, owner, group) in [("root", 0, 0), ("a", 5, 5), ("b", 500, 500), ("c", 5, 500)] {
        let name = format!("s/{name}");
        touch(&process, &name).unwrap();
        chown(&process, &name, Some(owner), Some(group)).unwrap();
    }
    mkdir(&process, "i").unwrap();
    process.mount(Some(path("s")), path("i"), None, MountFlags::MS_BIND, None).unwrap();
    let id = stat(&process, "i").unwrap().mount_id;
    {
        let mut linux = process.linux();
        let map = vec![IdExtent { inside: 0, outside: 1000, count: 100 }];
        let mut namespace = linux.user_namespaces[linux.initial_user_namespace].clone();
        namespace.uid_map = map.clone();
        namespace.gid_map = map;
        namespace.references = 1;
        let namespace = linux.user_namespaces.insert(namespace);
        let mount = linux.mounts.iter().find(|(_, mount)| u64::from(mount.id) == id).map(|(mount, _)| mount).unwrap();
        linux.mounts[mount].idmap = Some(namespace);
    }
    process
}

#[test]
fn through_an_id_mapped_mount_owners_are_others() {
    let process = id_mapped_mount();
    let owner = |name: &str| stat(&process, name).map(|stat| (stat.uid, stat.gid));
    assert_eq!(owner("i/root"), Ok((1000, 1000)));
    assert_eq!(owner("i/b"), Ok((65534, 65534)));
    assert_eq!(owner("i/c"), Ok((1005, 65534)));
    assert_eq!(chmod(&process, "i/b", 0o600), Err(Errno::EOVERFLOW));
    assert_eq!(chmod(&process, "i/a", 0o600), Ok(()));
    assert_eq!(chown(&process, "i/a", Some(5), Some(5)), Err(Errno::EOVERFLOW));
    assert_eq!(chown(&process, "i/a", Some(1003), Some(1003)), Ok(()));
    assert_eq!(owner("s/a"), Ok((3, 3)));
    // Half an owner is worse than none.
    assert_eq!(chown(&process, "i/c", Some(1001), Some(1001)), Err(Errno::EPERM));
    assert_eq!(chown(&process, "i/b", Some(1000), Some(1000)), Ok(()));
    assert_eq!(unlink(&process, "i/c"), Err(Errno::EOVERFLOW));
    assert_eq!(unlink(&process, "i/a"), Ok(()));
}

#[test]
fn through_an_id_mapped_mount_only_who_has_a_number_makes_files() {
    let process = id_mapped_mount();
    assert_eq!(touch(&process, "i/f"), Err(Errno::EOVERFLOW));
    become_user(&process, 1000);
    assert_eq!(touch(&process, "i/f"), Ok(()));
    assert_eq!(stat(&process, "s/f").map(|stat| (stat.uid, stat.gid)), Ok((0, 0)));
    assert_eq!(touch(&process, "s/direct"), Ok(()));
    assert_eq!(unlink(&process, "i/direct"), Err(Errno::EOVERFLOW));
    assert_eq!(unlink(&process, "i/f"), Ok(()));
}

#[test]
fn a_lock_is_lost_when_it_can_not_be_converted() {
    let process = machine();
    touch(&process, "f").unwrap();
    let open = || open(&process, "f", OpenFlags::empty()).unwrap();
    let (one, two) = (open(), open());
    let flock = |fd, operation| process.flock(fd, operation);
    let (shared, exclusive) = (FlockOperation::LOCK_SH, FlockOperation::LOCK_EX);
    let at_once = FlockOperation::LOCK_NB;
    assert_eq!(flock(one, shared | at_once), Ok(()));
    assert_eq!(flock(two, shared | at_once), Ok(()));
    assert_eq!(flock(one, exclusive | at_once), Err(Errno::EAGAIN));
    assert_eq!(flock(two, exclusive | at_once), Ok(()));
    assert_eq!(flock(one, shared), Err(Errno::EDEADLK));
    process.close(two).unwrap();
    assert_eq!(flock(one, shared), Ok(()));
}

#[test]
fn a_pipe_ends_with_its_last_writer_and_breaks_with_its_last_reader() {
    let process = machine();
    let (read, write) = process.pipe2(OpenFlags::empty()).unwrap();
    assert_eq!(process.write(write, b"abc"), Ok(3));
    assert_eq!(process.read(read, 2).unwrap().0, b"ab");
    assert_eq!(process.read(read, 2).unwrap().0, b"c");
    assert_eq!(process.read(read, 2), Err(Errno::EDEADLK));
    process.close(write).unwrap();
    assert_eq!(process.read(read, 2).unwrap().0, b"");
    process.close(read).unwrap();
    let (read, write) = process.pipe2(OpenFlags::empty()).unwrap();
    process.close(read).unwrap();
    assert_eq!(process.write(write, b"x"), Err(Errno::EPIPE));
    process.close(write).unwrap();
    assert!(process.linux().pipes.is_empty());
}

#[test]
fn a_call_that_would_wait_leaves_off_where_a_signal_would_interrupt_it() {
    let process = machine();
    let (read, write) = process.pipe2(OpenFlags::empty()).unwrap();
    let much = vec![b'x'; 70_000];
    assert_eq!(process.write(write, &much), Ok(65_536));
    assert_eq!(process.write(write, &much), Err(Errno::EDEADLK));
    assert_eq!(process.read(read, 100_000).unwrap().0.len(), 65_536);
    let mode = NodeMode { file_type: FileType::Fifo, mode: Mode(0o600) };
    process.mknodat(Fd::CWD, path("/fifo"), mode, DeviceNumber::NONE).unwrap();
    assert_eq!(open(&process, "/fifo", OpenFlags::O_WRONLY), Err(Errno::EDEADLK));
    assert_eq!(open(&process, "/fifo", OpenFlags::empty()), Err(Errno::EDEADLK));
    assert_eq!(open(&process, "/fifo", OpenFlags::O_WRONLY | OpenFlags::O_NONBLOCK), Err(Errno::ENXIO));
    let both = open(&process, "/fifo", OpenFlags::O_RDWR).unwrap();
    assert!(open(&process, "/fifo", OpenFlags::O_WRONLY).is_ok());
    let other = open(&process, "/fifo", OpenFlags::empty()).unwrap();
    process.flock(both, FlockOperation::LOCK_SH).unwrap();
    process.flock(other, FlockOperation::LOCK_SH).unwrap();
    // The lock that it had is gone, so that the other one gets what it wants.
    assert_eq!(process.flock(both, FlockOperation::LOCK_EX), Err(Errno::EDEADLK));
    assert_eq!(process.flock(other, FlockOperation::LOCK_EX), Ok(()));
}

#[test]
fn the_lowest_descriptor_is_used_first() {
    let process = machine();
    let next = || open(&process, "/", OpenFlags::empty()).unwrap().0;
    let first = next();
    assert_eq!((1..10).map(|_| next() - first).collect::<Vec<_>>(), (1..10).collect::<Vec<_>>());
    process.close(Fd(first + 4)).unwrap();
    process.close(Fd(first + 2)).unwrap();
    assert_eq!([next() - first, next() - first, next() - first], [2, 4, 10]);
    let range = [first + 5, first + 7].map(|fd| u32::try_from(fd).unwrap());
    process.close_range(range[0], range[1], CloseRangeFlags::empty()).unwrap();
    process.dup3(Fd(first), Fd(first + 6), OpenFlags::empty()).unwrap();
    assert_eq!([next() - first, next() - first, next() - first], [5, 7, 11]);
}

#[test]
fn a_removed_file_lives_as_long_as_it_is_open() {
    let process = machine();
    let fd = open(&process, "f", OpenFlags::O_CREAT | OpenFlags::O_RDWR).unwrap();
    let before = process.linux().inodes.len();
    unlink(&process, "f").unwrap();
    let by_descriptor = |process: &Process| process.statx(fd, path(""), AtFlags::AT_EMPTY_PATH);
    assert_eq!(by_descriptor(&process).map(|stat| stat.links), Ok(0));
    let link = process.linkat(fd, path(""), Fd::CWD, path("g"), AtFlags::AT_EMPTY_PATH);
    assert_eq!(link, Err(Errno::ENOENT));
    let remount = || process.mount(None, path("/"), None, MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY, None);
    assert_eq!(remount(), Err(Errno::EBUSY));
    process.close(fd).unwrap();
    assert_eq!(process.linux().inodes.len(), before - 1);
    assert_eq!(remount(), Ok(()));
    assert_eq!(touch(&process, "f"), Err(Errno::EROFS));
}
