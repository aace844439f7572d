//! The calls that need no privilege, in a temporary directory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, Call, Capabilities, CapabilitySets, CloneFlags, CloseRangeFlags, DeviceNumber, Errno, Fd, FileType,
    FlockOperation, Kernel, Mode, NodeMode, OpenFlags, OpenHow, OpenTreeFlags, Prctl, RenameFlags, ResolveFlags,
    Signal, SignalMaskHow, SignalSet, Value, Whence,
};
use cofferdam::mountinfo::Table;
use cofferdam_linux::LinuxKernel;
use nix::fcntl::{FcntlArg, FdFlag};
use tempfile::TempDir;

const KERNEL: LinuxKernel = LinuxKernel;
const NONE: AtFlags = AtFlags::empty();

fn path<T: AsRef<[u8]> + ?Sized>(path: &T) -> &UnixPath {
    UnixPath::new(path)
}

fn how(flags: OpenFlags) -> OpenHow {
    OpenHow { flags, ..OpenHow::default() }
}

fn open(dirfd: Fd, name: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    KERNEL.openat2(dirfd, path(name), how(flags))
}

fn create(dirfd: Fd, name: &[u8]) -> Fd {
    let how = OpenHow { mode: Mode(0o600), ..how(OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_RDWR) };
    KERNEL.openat2(dirfd, path(name), how).unwrap()
}

/// A directory of the test's own, and a descriptor of it.
fn directory() -> (TempDir, Fd) {
    let directory = tempfile::tempdir().unwrap();
    let fd =
        KERNEL.openat2(Fd::CWD, path(directory.path().as_os_str().as_bytes()), how(OpenFlags::O_DIRECTORY)).unwrap();
    (directory, fd)
}

fn is_close_on_exec(fd: Fd) -> bool {
    // SAFETY: the test has opened it, and closes it later.
    let fd = unsafe { BorrowedFd::borrow_raw(fd.0) };
    FdFlag::from_bits_retain(nix::fcntl::fcntl(fd, FcntlArg::F_GETFD).unwrap()).contains(FdFlag::FD_CLOEXEC)
}

#[test]
fn a_file_is_written_read_and_truncated() {
    let (_guard, dir) = directory();
    let fd = create(dir, b"file");
    assert_eq!(KERNEL.write(fd, b"hello world"), Ok(11));
    assert_eq!(KERNEL.lseek(fd, 6, Whence::Start), Ok(6));
    assert_eq!(KERNEL.read(fd, 100), Ok("world".into()));
    assert_eq!(KERNEL.read(fd, 100), Ok("".into()));
    assert_eq!(KERNEL.lseek(fd, -5, Whence::Current), Ok(6));
    assert_eq!(KERNEL.read(fd, 3), Ok("wor".into()));
    assert_eq!(KERNEL.read(fd, 0), Ok("".into()));
    assert_eq!(KERNEL.lseek(fd, -1, Whence::Start), Err(Errno::EINVAL));
    assert_eq!(KERNEL.ftruncate(fd, 5), Ok(()));
    assert_eq!(KERNEL.ftruncate(fd, u64::MAX), Err(Errno::EINVAL));
    assert_eq!(KERNEL.fsync(fd), Ok(()));
    assert_eq!(KERNEL.lseek(fd, 0, Whence::End), Ok(5));
    assert_eq!(KERNEL.close(fd), Ok(()));
    assert_eq!(KERNEL.read(dir, 1), Err(Errno::EISDIR));
}

#[test]
fn a_large_read_is_as_large_as_the_kernel_likes() {
    let zero = open(Fd::CWD, "/dev/zero", OpenFlags::empty()).unwrap();
    assert_eq!(KERNEL.read(zero, 100_000).unwrap().0.len(), 100_000);
    assert!(!KERNEL.read(zero, usize::MAX).unwrap().0.is_empty());
}

#[test]
fn resolution_is_limited_as_asked() {
    let (_guard, dir) = directory();
    KERNEL.symlinkat(path("."), dir, path("here")).unwrap();
    let open = |name: &str, resolve| KERNEL.openat2(dir, path(name), OpenHow { resolve, ..OpenHow::default() });
    assert_eq!(open("..", ResolveFlags::RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("/", ResolveFlags::RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert!(open("here", ResolveFlags::RESOLVE_BENEATH).is_ok());
    assert_eq!(open("here", ResolveFlags::RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    assert_eq!(open("/proc", ResolveFlags::RESOLVE_NO_XDEV), Err(Errno::EXDEV));
    assert_eq!(open("/proc/self/cwd", ResolveFlags::RESOLVE_NO_MAGICLINKS), Err(Errno::ELOOP));
    let root = open("/../..", ResolveFlags::RESOLVE_IN_ROOT).unwrap();
    let stat = |fd| KERNEL.statx(fd, path(""), AtFlags::AT_EMPTY_PATH).unwrap();
    assert_eq!(stat(root), stat(dir));
}

#[test]
fn open_flags_mean_what_their_names_say() {
    let (_guard, dir) = directory();
    let fd = create(dir, b"file");
    KERNEL.symlinkat(path("file"), dir, path("link")).unwrap();
    assert_eq!(open(dir, "file", OpenFlags::O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open(dir, "link", OpenFlags::O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(open(dir, ".", OpenFlags::O_WRONLY), Err(Errno::EISDIR));
    assert!(open(dir, "file", OpenFlags::O_LARGEFILE | OpenFlags::O_NOATIME).is_ok());
    let link = open(dir, "link", OpenFlags::O_PATH | OpenFlags::O_NOFOLLOW).unwrap();
    assert_eq!(KERNEL.statx(link, path(""), AtFlags::AT_EMPTY_PATH).unwrap().file_type, FileType::Symlink);
    let append = open(dir, "file", OpenFlags::O_WRONLY | OpenFlags::O_APPEND).unwrap();
    KERNEL.write(fd, b"one").unwrap();
    KERNEL.write(append, b"two").unwrap();
    KERNEL.lseek(fd, 0, Whence::Start).unwrap();
    assert_eq!(KERNEL.read(fd, 10), Ok("onetwo".into()));
}

#[test]
fn descriptors_are_closed_on_exec_only_if_asked() {
    let (_guard, dir) = directory();
    for flags in [OpenFlags::empty(), OpenFlags::O_CLOEXEC] {
        let cloexec = !flags.is_empty();
        let (reader, writer) = KERNEL.pipe2(flags).unwrap();
        let file = open(dir, ".", flags).unwrap();
        let tree = if cloexec { OpenTreeFlags::OPEN_TREE_CLOEXEC } else { OpenTreeFlags::empty() };
        let tree = KERNEL.open_tree(dir, path("."), tree).unwrap();
        let duplicate = KERNEL.dup3(dir, Fd(810), flags).unwrap();
        assert_eq!(duplicate, Fd(810));
        for fd in [reader, writer, file, tree, duplicate] {
            assert_eq!(is_close_on_exec(fd), cloexec, "{fd:?} with {flags}");
            KERNEL.close(fd).unwrap();
        }
    }
}

#[test]
fn numbers_are_duplicated_and_closed_by_range() {
    let (_guard, dir) = directory();
    assert_eq!(KERNEL.dup3(dir, dir, OpenFlags::empty()), Err(Errno::EINVAL));
    for number in 820..824 {
        assert_eq!(KERNEL.dup3(dir, Fd(number), OpenFlags::empty()), Ok(Fd(number)));
    }
    KERNEL.close_range(821, 822, CloseRangeFlags::CLOSE_RANGE_CLOEXEC).unwrap();
    assert_eq!([820, 821, 822, 823].map(|fd| is_close_on_exec(Fd(fd))), [false, true, true, false]);
    KERNEL.close_range(821, 822, CloseRangeFlags::empty()).unwrap();
    let close = [820, 821, 822, 823].map(|fd| KERNEL.close(Fd(fd)));
    assert_eq!(close, [Ok(()), Err(Errno::EBADF), Err(Errno::EBADF), Ok(())]);
}

#[test]
fn nodes_and_links_are_made_renamed_and_removed() {
    let (_guard, dir) = directory();
    let node = |file_type| NodeMode { file_type, mode: Mode(0o600) };
    KERNEL.mkdirat(dir, path("directory"), Mode(0o700)).unwrap();
    assert_eq!(KERNEL.mkdirat(dir, path("directory"), Mode(0o700)), Err(Errno::EEXIST));
    KERNEL.mknodat(dir, path("fifo"), node(FileType::Fifo), DeviceNumber::NONE).unwrap();
    KERNEL.mknodat(dir, path("file"), node(FileType::Regular), DeviceNumber::NONE).unwrap();
    KERNEL.linkat(dir, path("file"), dir, path("hard"), NONE).unwrap();
    let stat = |name: &str| KERNEL.statx(dir, path(name), AtFlags::AT_SYMLINK_NOFOLLOW);
    assert_eq!(stat("fifo").unwrap().file_type, FileType::Fifo);
    assert_eq!(stat("file").unwrap().links, 2);
    assert_eq!(stat("file"), stat("hard"));

    let rename = |old: &str, new: &str, flags| KERNEL.renameat2(dir, path(old), dir, path(new), flags);
    assert_eq!(rename("fifo", "file", RenameFlags::RENAME_NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(rename("fifo", "directory", RenameFlags::RENAME_EXCHANGE), Ok(()));
    assert_eq!(stat("fifo").unwrap().file_type, FileType::Directory);
    assert_eq!(rename("hard", "directory", RenameFlags::empty()), Ok(()));
    assert_eq!(stat("hard"), Err(Errno::ENOENT));

    let unlink = |name: &str, flags| KERNEL.unlinkat(dir, path(name), flags);
    assert_eq!(unlink("fifo", NONE), Err(Errno::EISDIR));
    assert_eq!(unlink("file", AtFlags::AT_REMOVEDIR), Err(Errno::ENOTDIR));
    assert_eq!(unlink("fifo", AtFlags::AT_REMOVEDIR), Ok(()));
    assert_eq!(unlink("file", NONE), Ok(()));
    assert_eq!(unlink("file", NONE), Err(Errno::ENOENT));
}

#[test]
fn a_link_is_read_whole() {
    let (_guard, dir) = directory();
    for target in [&b"short"[..], b"not \xff UTF-8", &[b'a'; 255], &[b'a'; 256], &[b'/'; 4095]] {
        KERNEL.symlinkat(path(target), dir, path("link")).unwrap();
        assert_eq!(KERNEL.readlinkat(dir, path("link")), Ok(target.into()));
        KERNEL.unlinkat(dir, path("link"), NONE).unwrap();
    }
    assert_eq!(KERNEL.readlinkat(dir, path(".")), Err(Errno::EINVAL));
}

#[test]
fn a_directory_is_listed_batch_by_batch() {
    let (_guard, dir) = directory();
    let mut expected = BTreeMap::from([(".".into(), FileType::Directory), ("..".into(), FileType::Directory)]);
    for number in 0..2000 {
        let name = [format!("{number:050} ").as_bytes(), b"\xff\n"].concat();
        KERNEL.close(create(dir, &name)).unwrap();
        expected.insert(Bytes::from(name), FileType::Regular);
    }
    let mut found = BTreeMap::new();
    let mut batches = 0;
    loop {
        let batch = KERNEL.getdents64(dir).unwrap();
        if batch.is_empty() {
            break;
        }
        batches += 1;
        for entry in batch {
            let inode = KERNEL.statx(dir, entry.name.as_path(), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap().inode;
            assert_eq!(entry.inode, inode);
            assert_eq!(found.insert(entry.name, entry.file_type.unwrap()), None);
        }
    }
    assert_eq!(found, expected);
    assert!(batches > 1);
    let file = open(dir, "..", OpenFlags::O_PATH).unwrap();
    assert_eq!(KERNEL.getdents64(file), Err(Errno::EBADF));
    assert_eq!(KERNEL.getdents64(create(dir, b"file")), Err(Errno::ENOTDIR));
}

#[test]
fn modes_and_owners_are_changed() {
    let (_guard, dir) = directory();
    let fd = create(dir, b"file");
    KERNEL.symlinkat(path("file"), dir, path("link")).unwrap();
    let stat = |name: &str| KERNEL.statx(dir, path(name), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
    assert_eq!(stat("file").mode, Mode(0o600));
    KERNEL.fchmod(fd, Mode(0o4711)).unwrap();
    assert_eq!(stat("file").mode, Mode(0o4711));
    KERNEL.fchmodat(dir, path("link"), Mode(0o640)).unwrap();
    assert_eq!(stat("file").mode, Mode(0o640));
    assert_eq!(stat("link").mode, Mode(0o777));
    let (uid, gid) = (stat("file").uid, stat("file").gid);
    assert_eq!(uid, KERNEL.geteuid().unwrap());
    KERNEL.fchownat(dir, path("file"), None, None, NONE).unwrap();
    KERNEL.fchownat(dir, path("link"), Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
    assert_eq!((stat("link").uid, stat("link").gid), (uid, gid));
}

#[test]
fn statx_tells_the_mount_that_mountinfo_shows() {
    let mountinfo = fs::read("/proc/thread-self/mountinfo").unwrap();
    let table = Table::parse(&mountinfo).unwrap();
    for name in ["/", "/proc", "/proc/self/status", "/dev/null", "/tmp"] {
        let stat = KERNEL.statx(Fd::CWD, path(name), NONE).unwrap();
        let mount = table.containing(path(name)).unwrap();
        assert_eq!(stat.mount_id, u64::from(mount.id()), "{name}");
        assert_eq!(stat.is_mount_root, *mount.mountpoint() == *path(name), "{name}");
    }
    let null = KERNEL.statx(Fd::CWD, path("/dev/null"), NONE).unwrap();
    assert_eq!((null.file_type, null.rdev), (FileType::CharacterDevice, DeviceNumber::NULL));
}

#[test]
fn statfs_tells_the_filesystem() {
    const PROC_SUPER_MAGIC: u64 = 0x9fa0;
    let stat = KERNEL.statfs(path("/proc")).unwrap();
    assert_eq!((stat.magic, stat.name_length), (PROC_SUPER_MAGIC, 255));
    let fd = open(Fd::CWD, "/proc", OpenFlags::O_PATH).unwrap();
    assert_eq!(KERNEL.fstatfs(fd), Ok(stat));
}

#[test]
fn a_lock_excludes_another() {
    let (_guard, dir) = directory();
    create(dir, b"file");
    let [one, two] = [(); 2].map(|()| open(dir, "file", OpenFlags::empty()).unwrap());
    assert_eq!(KERNEL.flock(one, FlockOperation::LOCK_EX), Ok(()));
    let attempt = || KERNEL.flock(two, FlockOperation::LOCK_SH | FlockOperation::LOCK_NB);
    assert_eq!(attempt(), Err(Errno::EAGAIN));
    assert_eq!(KERNEL.flock(one, FlockOperation::LOCK_UN), Ok(()));
    assert_eq!(attempt(), Ok(()));
}

#[test]
fn a_pipe_carries_bytes() {
    let (reader, writer) = KERNEL.pipe2(OpenFlags::O_NONBLOCK).unwrap();
    assert_eq!(KERNEL.read(reader, 10), Err(Errno::EAGAIN));
    assert_eq!(KERNEL.write(writer, b"\0\xff"), Ok(2));
    assert_eq!(KERNEL.read(reader, 10), Ok(Bytes(vec![0, 0xff])));
    assert_eq!(KERNEL.lseek(reader, 0, Whence::Start), Err(Errno::ESPIPE));
    KERNEL.close(reader).unwrap();
    assert_eq!(KERNEL.write(writer, b"x"), Err(Errno::EPIPE));
}

#[test]
fn the_working_directory_is_the_kernels() {
    // So that it is this thread's alone.
    KERNEL.unshare(CloneFlags::CLONE_FS).unwrap();
    let (guard, dir) = directory();
    let here = fs::canonicalize(guard.path()).unwrap();
    KERNEL.chdir(path(here.as_os_str().as_bytes())).unwrap();
    assert_eq!(KERNEL.getcwd(), Ok(here.as_os_str().as_bytes().into()));
    let name = [b'\xff'; 200];
    KERNEL.mkdirat(Fd::CWD, path(&name), Mode(0o700)).unwrap();
    KERNEL.chdir(path(&name)).unwrap();
    assert!(KERNEL.getcwd().unwrap().0.ends_with(&name));
    KERNEL.fchdir(dir).unwrap();
    assert_eq!(KERNEL.getcwd(), Ok(here.as_os_str().as_bytes().into()));
    drop(guard);
    assert_eq!(KERNEL.getcwd(), Err(Errno::ENOENT));
}

#[test]
fn the_process_knows_itself() {
    assert_eq!(KERNEL.getpid().unwrap().0.cast_unsigned(), std::process::id());
    let name = KERNEL.uname().unwrap();
    assert_eq!(name.sysname, "Linux".into());
    let release = fs::read("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(name.release.0, release.trim_ascii_end());
    assert_ne!(name.machine, Bytes::default());
}

#[test]
fn capabilities_are_those_of_the_thread() {
    let sets = KERNEL.capget().unwrap();
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let bits = [sets.inheritable, sets.permitted, sets.effective].map(|set| set.bits());
    assert_eq!(bits, [field("CapInh:"), field("CapPrm:"), field("CapEff:")]);
    for number in 0..=40 {
        let bounding = KERNEL.prctl(Prctl::ReadBoundingCapability(number));
        assert_eq!(bounding, Ok(i32::from(field("CapBnd:") >> number & 1 == 1)));
    }
    assert_eq!(KERNEL.capset(sets), Ok(()));
    let more = CapabilitySets { effective: Capabilities::CAP_CHOWN, ..CapabilitySets::default() };
    assert_eq!(KERNEL.capset(more), Err(Errno::EPERM), "more is effective than permitted");
}

#[test]
fn the_signal_mask_is_the_threads_and_spares_what_c_needs() {
    let realtime = Signal(34);
    let set: SignalSet = [Signal::USR1, realtime, Signal(32), Signal(33), Signal(64)].into_iter().collect();
    let before = KERNEL.sigprocmask(SignalMaskHow::SetMask, set).unwrap();
    let allowed: SignalSet = [Signal::USR1, realtime, Signal(64)].into_iter().collect();
    let unblocked = [Signal::USR1].into_iter().collect();
    assert_eq!(KERNEL.sigprocmask(SignalMaskHow::Unblock, unblocked), Ok(allowed));
    let rest: SignalSet = [realtime, Signal(64)].into_iter().collect();
    assert_eq!(KERNEL.sigprocmask(SignalMaskHow::Block, SignalSet::ALL), Ok(rest));
    let all = KERNEL.sigprocmask(SignalMaskHow::SetMask, before).unwrap();
    let never_blocked = [Signal::KILL, Signal(19), Signal(32), Signal(33)];
    assert!(SignalSet::ALL.iter().all(|signal| all.contains(signal) != never_blocked.contains(&signal)));
}

#[test]
fn a_call_as_data_gives_what_the_method_gives() {
    let (_guard, dir) = directory();
    KERNEL.symlinkat(path("target"), dir, path("link")).unwrap();
    let name = || Bytes::from("link");
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
    let stat = KERNEL.statx(dir, path("link"), flags).map(Value::from);
    assert_eq!(Call::Statx { dirfd: dir, path: name(), flags }.apply(&KERNEL), stat);
    let link = KERNEL.readlinkat(dir, path("link")).map(Value::from);
    assert_eq!(Call::Readlinkat { dirfd: dir, path: name() }.apply(&KERNEL), link);
    // Of a filesystem in which nobody else makes files meanwhile.
    let proc = open(Fd::CWD, "/proc", OpenFlags::O_PATH).unwrap();
    assert_eq!(Call::Fstatfs { fd: proc }.apply(&KERNEL), KERNEL.fstatfs(proc).map(Value::from));
    assert_eq!(Call::Getdents64 { fd: dir }.apply(&KERNEL).map(|value| matches!(value, Value::Entries(_))), Ok(true));
    assert_eq!(Call::Uname {}.apply(&KERNEL), KERNEL.uname().map(Value::from));
    assert_eq!(Call::Capget {}.apply(&KERNEL), KERNEL.capget().map(Value::from));
    let how = OpenHow::default();
    assert_eq!(Call::Openat2 { dirfd: dir, path: name(), how }.apply(&KERNEL), Err(Errno::ENOENT));
    assert_eq!(KERNEL.openat2(dir, path("link"), how), Err(Errno::ENOENT));
}
