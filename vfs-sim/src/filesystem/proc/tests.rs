//! proc through the calls.

use cofferdam::kernel::{
    AtFlags, Bytes, CloneFlags, Errno, Fd, Mode, MountFlags, OpenFlags, OpenHow, ResolveFlags, StatFs, Whence,
};

use crate::Question;
use crate::arena::Id;
use crate::failure::Failure;
use crate::linux::Linux;
use crate::process::Task;

/// A machine with a proc and its first process.
fn machine() -> (Linux, Id<Task>) {
    let mut linux = Linux::new();
    let task = linux.init();
    for directory in [b"/proc".as_slice(), b"/sys", b"/m"] {
        linux.mkdirat(task, Fd::CWD, directory, Mode(0o755)).unwrap();
    }
    linux.mount(task, Some(b"proc"), b"/proc", Some(b"proc"), MountFlags::empty(), None).unwrap();
    (linux, task)
}

fn open(linux: &mut Linux, path: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let how = OpenHow { flags, mode: Mode(0), resolve: ResolveFlags::empty() };
    linux.openat2(linux.init(), Fd::CWD, path.as_bytes(), how).map_err(Failure::errno)
}

fn read(linux: &mut Linux, path: &str) -> String {
    let fd = open(linux, path, OpenFlags::empty()).unwrap();
    let bytes = linux.read(linux.init(), fd, 4096).unwrap();
    linux.close(linux.init(), fd).unwrap();
    String::from_utf8(bytes.0).unwrap()
}

fn link(linux: &mut Linux, path: &str) -> Result<String, Errno> {
    let Bytes(bytes) = linux.readlinkat(linux.init(), Fd::CWD, path.as_bytes()).map_err(Failure::errno)?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn names(linux: &mut Linux, path: &str) -> Vec<String> {
    let fd = open(linux, path, OpenFlags::O_DIRECTORY).unwrap();
    let mut names = Vec::new();
    loop {
        let entries = linux.getdents64(linux.init(), fd).unwrap();
        if entries.is_empty() {
            linux.close(linux.init(), fd).unwrap();
            return names;
        }
        names.extend(entries.into_iter().map(|entry| String::from_utf8(entry.name.0).unwrap()));
    }
}

#[test]
fn a_process_looks_at_itself() {
    let (mut linux, _) = machine();
    assert_eq!(link(&mut linux, "/proc/self").unwrap(), "1");
    assert_eq!(link(&mut linux, "/proc/thread-self").unwrap(), "1/task/1");
    assert_eq!(link(&mut linux, "/proc/mounts").unwrap(), "self/mounts");
    assert_eq!(link(&mut linux, "/proc/self/ns/mnt").unwrap(), "mnt:[4026531832]");
    assert_eq!(link(&mut linux, "/proc/self/cwd").unwrap(), "/");
    assert_eq!(link(&mut linux, "/proc/self/exe"), Err(Errno::ENOENT));
    assert!(read(&mut linux, "/proc/mounts").ends_with("proc /proc proc rw,relatime 0 0\n"));
    assert_eq!(read(&mut linux, "/proc/self/uid_map"), "         0          0 4294967295\n");
    let fd = open(&mut linux, "/proc/self/fd", OpenFlags::O_DIRECTORY).unwrap();
    assert_eq!(link(&mut linux, &format!("/proc/self/fd/{}", fd.0)).unwrap(), "/proc/1/fd");
    assert_eq!(names(&mut linux, "/proc/self/fd"), [".", "..", "0", "1"]);
    assert_eq!(names(&mut linux, "/proc/self/ns")[2..5], ["net", "uts", "ipc"]);
    assert_eq!(names(&mut linux, "/proc/sys")[2..], ["abi", "debug", "dev", "fs", "kernel", "net", "user", "vm"]);
}

#[test]
fn names_that_are_not_there_can_t_be_made() {
    let (mut linux, task) = machine();
    for directory in ["/proc", "/proc/self", "/proc/sys/kernel", "/proc/self/fd"] {
        let path = format!("{directory}/zz");
        assert_eq!(
            linux.mkdirat(task, Fd::CWD, path.as_bytes(), Mode(0o700)).map_err(Failure::errno),
            Err(Errno::ENOENT)
        );
        let fd = open(&mut linux, &path, OpenFlags::O_CREAT | OpenFlags::O_WRONLY);
        assert_eq!(fd, Err(Errno::ENOENT));
    }
    let unlink = |linux: &mut Linux, path: &str| linux.unlinkat(task, Fd::CWD, path.as_bytes(), AtFlags::empty());
    assert_eq!(unlink(&mut linux, "/proc/version").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(unlink(&mut linux, "/proc/self/status").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(unlink(&mut linux, "/proc/sys/kernel/osrelease").map_err(Failure::errno), Err(Errno::EACCES));
    let chmod = |linux: &mut Linux, path: &str| linux.fchmodat(task, Fd::CWD, path.as_bytes(), Mode(0o777));
    assert_eq!(chmod(&mut linux, "/proc/self/status").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(chmod(&mut linux, "/proc/sys/kernel/osrelease").map_err(Failure::errno), Err(Errno::EPERM));
    let chown = |linux: &mut Linux, path: &str| {
        linux.fchownat(task, Fd::CWD, path.as_bytes(), Some(0), Some(0), AtFlags::empty())
    };
    assert_eq!(chown(&mut linux, "/proc/self").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(chown(&mut linux, "/proc/self/status"), Ok(()));
    assert_eq!(chown(&mut linux, "/proc/sys/kernel").map_err(Failure::errno), Err(Errno::EPERM));
}

#[test]
fn files_are_opened_and_sought_by_the_rules_of_each() {
    let (mut linux, task) = machine();
    assert_eq!(open(&mut linux, "/proc/self/ns/mnt", OpenFlags::O_WRONLY), Err(Errno::EPERM));
    assert_eq!(open(&mut linux, "/proc/sys/kernel/osrelease", OpenFlags::O_RDWR), Err(Errno::EACCES));
    let version = open(&mut linux, "/proc/version", OpenFlags::empty()).unwrap();
    assert_eq!(linux.lseek(task, version, 0, Whence::End).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(linux.lseek(task, version, 6, Whence::Start), Ok(6));
    assert_eq!(linux.read(task, version, 7), Ok("version".into()));
    assert_eq!(linux.lseek(task, version, 5000, Whence::Start), Ok(5000));
    assert_eq!(linux.read(task, version, 7), Ok("".into()));
    let number = open(&mut linux, "/proc/sys/fs/mount-max", OpenFlags::O_RDWR).unwrap();
    assert_eq!(linux.lseek(task, number, 0, Whence::End), Ok(0));
    assert_eq!(linux.lseek(task, number, 5, Whence::Start), Ok(5));
    assert_eq!(linux.read(task, number, 10), Ok("".into()));
    assert_eq!(linux.lseek(task, number, 0, Whence::Start), Ok(0));
    assert_eq!(linux.write(task, number, b"7\n"), Ok(2));
    assert_eq!(read(&mut linux, "/proc/sys/fs/mount-max"), "7\n");
    let namespace = open(&mut linux, "/proc/self/ns/mnt", OpenFlags::empty()).unwrap();
    assert_eq!(linux.lseek(task, namespace, 0, Whence::Start).map_err(Failure::errno), Err(Errno::ESPIPE));
    assert_eq!(linux.read(task, namespace, 10).map_err(Failure::errno), Err(Errno::EINVAL));
    let stat = linux.statx(task, namespace, b"", AtFlags::AT_EMPTY_PATH).unwrap();
    assert_eq!((stat.inode, stat.mode, stat.links), (4_026_531_832, Mode(0o444), 1));
    let statfs = linux.fstatfs(task, namespace).unwrap();
    let StatFs { magic, block_size, blocks, files, name_length, flags, .. } = statfs;
    assert_eq!((magic, block_size, name_length, flags), (0x6e73_6673, 4096, 255, 0x20));
    assert_eq!((blocks, files), (0, 0));
    let table = open(&mut linux, "/proc/self/mounts", OpenFlags::empty()).unwrap();
    let length = linux.read(task, table, 4096).unwrap().0.len();
    assert_eq!(linux.read(task, table, 4096), Ok("".into()));
    linux.mount(task, Some(b"x"), b"/m", Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
    assert_eq!(linux.read(task, table, 4096), Ok("x /m tmpfs rw,relatime 0 0\n".into()));
    assert_eq!(linux.lseek(task, table, 0, Whence::Current), Ok(length as u64 + 27));
}

#[test]
fn what_a_descriptor_is_of_can_be_told() {
    let (mut linux, task) = machine();
    let directory = open(&mut linux, "/m", OpenFlags::O_PATH).unwrap();
    let (reading, _) = linux.pipe2(task, OpenFlags::empty()).unwrap();
    assert_eq!(link(&mut linux, &format!("/proc/self/fd/{}", directory.0)).unwrap(), "/m");
    let pipe = link(&mut linux, &format!("/proc/self/fd/{}", reading.0)).unwrap();
    assert!(pipe.starts_with("pipe:["), "{pipe}");
    let of_link = |linux: &mut Linux, fd: Fd| {
        let path = format!("/proc/self/fd/{}", fd.0);
        linux.statx(task, Fd::CWD, path.as_bytes(), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap()
    };
    assert_eq!((of_link(&mut linux, directory).mode, of_link(&mut linux, directory).size), (Mode(0), 64));
    assert_eq!(of_link(&mut linux, reading).mode, Mode(0o500));
    let info = read(&mut linux, &format!("/proc/self/fdinfo/{}", reading.0));
    assert!(info.starts_with("pos:\t0\nflags:\t00\n"), "{info}");
    linux.close(task, reading).unwrap();
    let gone = format!("/proc/self/fd/{}", reading.0);
    assert_eq!(link(&mut linux, &gone), Err(Errno::ENOENT));
    linux.unlinkat(task, Fd::CWD, b"/m", AtFlags::AT_REMOVEDIR).unwrap();
    assert_eq!(link(&mut linux, &format!("/proc/self/fd/{}", directory.0)).unwrap(), "/m (deleted)");
}

#[test]
fn sysfs_has_its_directories_and_no_others() {
    let (mut linux, task) = machine();
    linux.mount(task, Some(b"sysfs"), b"/sys", Some(b"sysfs"), MountFlags::empty(), None).unwrap();
    assert_eq!(names(&mut linux, "/sys")[2..5], ["kernel", "power", "class"]);
    assert_eq!(linux.mkdirat(task, Fd::CWD, b"/sys/zz", Mode(0o700)).map_err(Failure::errno), Err(Errno::EPERM));
    let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY;
    assert_eq!(open(&mut linux, "/sys/zz", flags), Err(Errno::EACCES));
    let remove = |linux: &mut Linux, path: &[u8]| linux.unlinkat(task, Fd::CWD, path, AtFlags::AT_REMOVEDIR);
    assert_eq!(remove(&mut linux, b"/sys/kernel").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(remove(&mut linux, b"/sys/zz").map_err(Failure::errno), Err(Errno::ENOENT));
}

#[test]
fn a_kernel_is_restored_with_what_is_open() {
    let (mut linux, task) = machine();
    let table = open(&mut linux, "/proc/self/mountinfo", OpenFlags::empty()).unwrap();
    let namespace = open(&mut linux, "/proc/self/ns/user", OpenFlags::empty()).unwrap();
    let json = serde_json::to_string(&linux).unwrap();
    let mut restored: Linux = serde_json::from_str(&json).unwrap();
    assert_eq!(restored.read(task, table, 4096), linux.read(task, table, 4096));
    let name = format!("/proc/self/fd/{}", namespace.0);
    assert_eq!(link(&mut restored, &name).unwrap(), "user:[4026531837]");
    restored.close(task, namespace).unwrap();
    assert!(restored.internal.namespace_files.is_empty());
}

/// As [`open`], for another process.
fn open_as(linux: &mut Linux, task: Id<Task>, path: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let how = OpenHow { flags, mode: Mode(0), resolve: ResolveFlags::empty() };
    linux.openat2(task, Fd::CWD, path.as_bytes(), how).map_err(Failure::errno)
}

#[test]
fn a_proc_shows_the_processes_of_its_pid_namespace() {
    let (mut linux, _) = machine();
    let child = linux.fork(linux.init(), CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS).unwrap();
    let own = linux.fork(child, CloneFlags::empty()).unwrap();
    assert_eq!(link(&mut linux, "/proc/2/ns/user").unwrap(), "user:[4026531837]");
    assert_eq!(link(&mut linux, "/proc/3/cwd").unwrap(), "/");
    linux.mount(child, Some(b"proc"), b"/m", Some(b"proc"), MountFlags::empty(), None).unwrap();
    let read_link = |linux: &mut Linux, task, path: &str| {
        linux.readlinkat(task, Fd::CWD, path.as_bytes()).map(|bytes| String::from_utf8(bytes.0).unwrap())
    };
    assert_eq!(read_link(&mut linux, child, "/m/self").unwrap(), "1");
    assert_eq!(read_link(&mut linux, own, "/m/thread-self").unwrap(), "2/task/2");
    assert_eq!(read_link(&mut linux, child, "/proc/self").unwrap(), "2");
    let of_namespace = read_link(&mut linux, child, "/m/self/ns/pid").unwrap();
    assert_eq!(link(&mut linux, "/proc/2/ns/pid").unwrap(), of_namespace);
    assert_eq!(link(&mut linux, "/proc/1/ns/pid").unwrap(), "pid:[4026531836]");
    let status = open_as(&mut linux, own, "/m/self/status", OpenFlags::empty()).unwrap();
    let text = String::from_utf8(linux.read(own, status, 4096).unwrap().0).unwrap();
    assert!(text.contains("\nPid:\t2\nPPid:\t1\n") && text.contains("\nNSpid:\t2\n"), "{text}");
    assert!(read(&mut linux, "/proc/3/status").contains("\nNSpid:\t3\t2\n"));
    // One that has ended is still there, with nothing to look into.
    linux.exit(own, 0);
    assert_eq!(read_link(&mut linux, child, "/m/2/cwd").map_err(Failure::errno), Err(Errno::ENOENT));
    assert_eq!(read_link(&mut linux, child, "/m/2/ns/mnt").map_err(Failure::errno), Err(Errno::ENOENT));
    assert_eq!(open_as(&mut linux, child, "/m/2/mountinfo", OpenFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(open_as(&mut linux, child, "/m/2/environ", OpenFlags::empty()), Err(Errno::ESRCH));
    let directory = open_as(&mut linux, child, "/m/2", OpenFlags::O_DIRECTORY).unwrap();
    linux.wait4(child, cofferdam::kernel::Pid(-1), cofferdam::kernel::WaitOptions::empty()).unwrap();
    assert_eq!(open_as(&mut linux, child, "/m/2", OpenFlags::O_PATH), Err(Errno::ENOENT));
    assert_eq!(linux.getdents64(child, directory).map_err(Failure::errno), Err(Errno::ENOENT));
}

#[test]
fn a_user_namespace_is_set_up_through_proc() {
    let (mut linux, task) = machine();
    let child = linux.fork(task, CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
    let mount = |linux: &mut Linux| linux.mount(child, None, b"/m", Some(b"proc"), MountFlags::empty(), None);
    // The pid namespace is another's.
    assert_eq!(mount(&mut linux).map_err(Failure::errno), Err(Errno::EPERM));
    let write = |linux: &mut Linux, task, path: &str, text: &[u8]| {
        let fd = open_as(linux, task, path, OpenFlags::O_WRONLY)?;
        let result = linux.write(task, fd, text).map_err(Failure::errno);
        linux.close(task, fd).unwrap();
        result
    };
    assert_eq!(write(&mut linux, task, "/proc/2/setgroups", b"deny\n"), Ok(5));
    assert_eq!(write(&mut linux, task, "/proc/2/uid_map", b"0 100 10\n"), Ok(9));
    assert_eq!(write(&mut linux, task, "/proc/2/uid_map", b"0 100 10\n"), Err(Errno::EPERM));
    assert_eq!(write(&mut linux, task, "/proc/1/uid_map", b"0 100 10\n"), Err(Errno::EPERM));
    assert_eq!(read(&mut linux, "/proc/2/uid_map"), "         0        100         10\n");
    assert_eq!(read(&mut linux, "/proc/2/setgroups"), "deny\n");
    let fd = open_as(&mut linux, child, "/proc/self/uid_map", OpenFlags::empty()).unwrap();
    assert_eq!(linux.read(child, fd, 100), Ok("         0        100         10\n".into()));
    // Its owner is the user that made it.
    assert_eq!(write(&mut linux, child, "/proc/1/comm", b"x"), Err(Errno::EINVAL));
    assert_eq!(linux.readlinkat(child, Fd::CWD, b"/proc/1/cwd").map_err(Failure::errno), Err(Errno::EACCES));
}

#[test]
fn namespaces_are_joined_and_kept_through_their_files() {
    let (mut linux, task) = machine();
    let child = linux.fork(task, CloneFlags::CLONE_NEWNS).unwrap();
    let name = link(&mut linux, "/proc/2/ns/mnt").unwrap();
    linux
        .mknodat(
            task,
            Fd::CWD,
            b"/file",
            cofferdam::kernel::NodeMode { file_type: cofferdam::kernel::FileType::Regular, mode: Mode(0o600) },
            cofferdam::kernel::DeviceNumber::NONE,
        )
        .unwrap();
    linux.mount(task, Some(b"/proc/2/ns/mnt"), b"/file", None, MountFlags::MS_BIND, None).unwrap();
    assert!(read(&mut linux, "/proc/self/mountinfo").contains(&format!(" {name} /file rw - nsfs nsfs rw\n")));
    let namespace = linux.tasks[child].mount_namespace;
    linux.exit(child, 0);
    linux.wait4(task, cofferdam::kernel::Pid(-1), cofferdam::kernel::WaitOptions::empty()).unwrap();
    assert_eq!(linux.mount_namespaces[namespace].references, 1);
    let fd = open(&mut linux, "/file", OpenFlags::empty()).unwrap();
    assert_eq!(linux.setns(task, fd, CloneFlags::CLONE_NEWUSER).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(linux.setns(task, fd, CloneFlags::CLONE_NEWNS), Ok(()));
    assert_eq!(link(&mut linux, "/proc/self/ns/mnt").unwrap(), name);
}

/// What is mounted on the directory of a process goes with it, and what is in use below keeps its name.
#[test]
fn what_is_left_of_a_process_that_is_gone() {
    let (mut linux, task) = machine();
    let child = linux.fork(task, CloneFlags::empty()).unwrap();
    let bind = MountFlags::MS_BIND;
    linux.mkdirat(task, Fd::CWD, b"/ns", cofferdam::kernel::Mode(0o755)).unwrap();
    linux.mount(task, Some(b"/proc/2/ns"), b"/ns", None, bind, None).unwrap();
    linux.mount(task, Some(b"/proc/2"), b"/m", None, bind, None).unwrap();
    linux.mount(task, None, b"/m", Some(b"proc"), MountFlags::empty(), None).unwrap();
    linux.exit(child, 0);
    linux.wait4(task, cofferdam::kernel::Pid(2), cofferdam::kernel::WaitOptions::empty()).unwrap();
    let table = read(&mut linux, "/proc/self/mountinfo");
    assert!(table.contains(" /2/ns /ns "), "{table}");
    assert!(table.contains(" /2//deleted /m "), "{table}");
    assert_eq!(table.lines().filter(|line| line.contains(" /m ")).count(), 1, "{table}");
    linux.umount2(task, b"/m", cofferdam::kernel::UmountFlags::empty()).unwrap();
    linux.umount2(task, b"/ns", cofferdam::kernel::UmountFlags::empty()).unwrap();
}

#[test]
fn a_kernel_may_be_built_without_some_of_it() {
    let (mut linux, _) = machine();
    linux.omit_in_proc(["sysrq-trigger", "irq"]);
    for name in ["sysrq-trigger", "irq"] {
        assert!(!names(&mut linux, "/proc").iter().any(|other| other == name), "{name} is listed");
        assert_eq!(open(&mut linux, &format!("/proc/{name}"), OpenFlags::O_PATH), Err(Errno::ENOENT), "{name}");
    }
    assert!(open(&mut linux, "/proc/fs", OpenFlags::O_PATH).is_ok());
}

#[test]
fn a_kernel_may_have_more() {
    let (mut linux, task) = machine();
    linux.add_in_proc("kcore", false);
    linux.add_in_proc("scsi", true);
    linux.add_in_proc("fs", false);
    let listed = names(&mut linux, "/proc");
    for name in ["kcore", "scsi", "fs"] {
        assert_eq!(listed.iter().filter(|other| *other == name).count(), 1, "{name}");
        assert!(open(&mut linux, &format!("/proc/{name}"), OpenFlags::O_PATH).is_ok(), "{name}");
    }
    assert!(open(&mut linux, "/proc/scsi", OpenFlags::O_DIRECTORY).is_ok());
    assert!(open(&mut linux, "/proc/fs", OpenFlags::O_DIRECTORY).is_ok(), "what is there stays");
    let fd = open(&mut linux, "/proc/kcore", OpenFlags::empty()).unwrap();
    assert_eq!(linux.read(task, fd, 9), Ok("".into()));
    linux.check().unwrap();
}

#[test]
fn kernels_differ_in_what_is_deep_in_proc() {
    let (mut linux, task) = machine();
    linux.note_questions();
    let paths = ["fs/jbd2/sda2", "fs/jbd2/sda2/info", "sys/kernel/random", "sys/kernel/random/boot_id"];
    for (path, is_directory) in paths.into_iter().zip([true, false, true, false]) {
        linux.add_in_proc(path, is_directory);
    }
    linux.add_in_proc("sys/kernel/hostname", true);
    linux.omit_in_proc(["fs/xfs", "sys/user/max_mnt_namespaces"]);
    assert_eq!(names(&mut linux, "/proc/fs").join(" "), ". .. ext4 jbd2 nfsd");
    assert_eq!(names(&mut linux, "/proc/fs/jbd2").join(" "), ". .. sda2");
    let listed = names(&mut linux, "/proc/sys/kernel");
    assert_eq!(listed.iter().filter(|name| *name == "random" || *name == "hostname").count(), 2);
    // Whatever instance it is.
    linux.mount(task, None, b"/m", Some(b"proc"), MountFlags::empty(), None).unwrap();
    for proc in ["/proc", "/m"] {
        for path in paths {
            assert!(open(&mut linux, &format!("{proc}/{path}"), OpenFlags::O_PATH).is_ok(), "{path}");
        }
        for path in ["fs/xfs", "sys/user/max_mnt_namespaces", "fs/sda2", "sda2", "sys/kernel/boot_id"] {
            assert_eq!(open(&mut linux, &format!("{proc}/{path}"), OpenFlags::O_PATH), Err(Errno::ENOENT), "{path}");
        }
    }
    assert!(open(&mut linux, "/m/sys/kernel/random", OpenFlags::O_DIRECTORY).is_ok());
    linux.check().unwrap();
    let is_asked = |path: &str| linux.questions().any(|question| *question == Question::InProc(path.to_owned()));
    for path in ["fs/xfs", "fs/sda2", "fs/jbd2/sda2", "sys/kernel/random/boot_id"] {
        assert!(is_asked(path), "{path}");
    }
    // It is known what is in the root.
    assert!(!is_asked("fs") && !is_asked("sda2"));
}
