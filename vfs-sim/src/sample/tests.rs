use cofferdam::kernel::{
    AtFlags, Bytes, CloneFlags, Fd, FileType, MountFlags, OpenFlags, OpenHow, OpenTreeFlags, ResolveFlags,
};

use super::*;

fn stat(process: &Process, path: &str) -> Option<FileType> {
    process.statx(Fd::CWD, UnixPath::new(path), AtFlags::AT_SYMLINK_NOFOLLOW).ok().map(|stat| stat.file_type)
}

#[test]
fn the_host_has_its_mounts_and_files() {
    let process = Process::init(host());
    assert_eq!(process.linux().mountinfo_table(process.task()).unwrap(), MOUNTINFO);
    process.linux().check().unwrap();
    for (path, file_type) in [
        ("/etc/passwd", FileType::Regular),
        ("/dev/sda2", FileType::BlockDevice),
        ("/dev/null", FileType::CharacterDevice),
        ("/bin/cat", FileType::Regular),
        ("/srv/busybox/mnt/mesos/sandbox", FileType::Directory),
        ("/srv/busybox/bin/sh", FileType::Symlink),
        ("/srv/evil/dev", FileType::Symlink),
        ("/home/alice", FileType::Directory),
    ] {
        assert_eq!(stat(&process, path), Some(file_type), "{path}");
    }
    assert_eq!(process.execve(UnixPath::new("/srv/busybox/bin/sh"), &[Bytes::from("sh")], &[]), Ok(()));
}

/// The descriptor that keeps the mount is closed by the execve(2), and the mount is there as long as the program is.
#[test]
fn a_program_on_a_detached_mount_keeps_it() {
    let process = Process::init(host());
    let mounts = process.linux().mounts().count();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = process.open_tree(Fd::CWD, UnixPath::new("/srv/busybox/bin/busybox"), flags).unwrap();
    let path = format!("/proc/self/fd/{}", mount.0);
    assert_eq!(process.execve(UnixPath::new(&path), &[Bytes::from("sh")], &[]), Ok(()));
    process.linux().check().unwrap();
    assert_eq!(process.linux().mounts().count(), mounts + 1);
    assert_eq!(process.execve(UnixPath::new("/srv/busybox/bin/sh"), &[Bytes::from("sh")], &[]), Ok(()));
    process.linux().check().unwrap();
    assert_eq!(process.linux().mounts().count(), mounts);
}

/// Of the host's own files none is replaced, and what was read-only is so again.
#[test]
fn another_host_keeps_what_it_has() {
    let table = b"22 1 8:2 / / ro,relatime shared:1 - ext4 /dev/sda2 ro\n\
                  23 22 0:21 / /proc rw - proc proc rw\n\
                  24 22 0:5 /null /etc/passwd rw - devtmpfs udev rw\n\
                  25 22 0:22 / /srv ro - tmpfs tmpfs ro\n";
    let process = Process::init(furnished(Linux::from_mountinfo(table).unwrap()).unwrap());
    assert_eq!(process.linux().mountinfo_table(process.task()).unwrap(), table);
    assert_eq!(stat(&process, "/etc/passwd"), Some(FileType::CharacterDevice));
    assert_eq!(stat(&process, "/srv/busybox/bin/busybox"), Some(FileType::Regular));
    for path in ["/new", "/srv/new"] {
        assert_eq!(process.mkdirat(Fd::CWD, UnixPath::new(path), Mode(0o755)), Err(Errno::EROFS), "{path}");
    }
    process.linux().check().unwrap();
}

#[test]
fn a_full_filesystem_is_told() {
    let table = b"22 1 0:20 / / rw - tmpfs tmpfs rw,nr_inodes=3\n";
    let error = furnished(Linux::from_mountinfo(table).unwrap()).unwrap_err();
    assert_eq!(error.errno, Errno::ENOSPC);
    assert!(error.to_string().starts_with("cannot furnish the simulated host with \"/"), "{error}");
}

#[test]
fn permissions_are_those_of_a_host() {
    let process = Process::init(host());
    process.setresgid(1000, 1000, 1000).unwrap();
    process.setresuid(1000, 1000, 1000).unwrap();
    let open = |path: &str| {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
        process.openat2(Fd::CWD, UnixPath::new(path), how)
    };
    assert!(open("/home/alice/notes").is_ok() && open("/etc/passwd").is_ok());
    assert_eq!(open("/etc/shadow"), Err(Errno::EACCES));
    assert_eq!(open("/root"), Err(Errno::EACCES));
}

/// What is mounted where the kernel has directories for it hides nothing of proc and sysfs (`mnt_already_visible()`).
#[test]
fn a_user_namespace_may_mount_proc_and_sysfs() {
    let process = Process::init(host());
    let namespaces =
        CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    process.unshare(namespaces).unwrap();
    let child = process.fork(CloneFlags::empty()).unwrap();
    let mount = |name: &str| {
        let (source, target) = (UnixPath::new(name), UnixPath::new("/mnt"));
        child.mount(Some(source), target, Some(name.as_bytes()), MountFlags::empty(), None)
    };
    assert_eq!((mount("proc"), mount("sysfs")), (Ok(()), Ok(())));
}
