use super::*;
use crate::filesystem::{Dentry, FilesystemType, Name};
use crate::handle::Process;
use crate::mount::Mount;
use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Call, CloneFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, MoveMountFlags, OpenFlags, OpenHow,
    OpenTreeFlags, UmountFlags, Value,
};
use rstest::rstest;

/// A process whose kernel is checked after each of its calls.
struct Checked(Process);

impl Checked {
    fn new() -> Self {
        Self(Process::init(Linux::new()))
    }

    fn call<R: fmt::Debug>(&self, call: impl FnOnce(&Process) -> Result<R, Errno>) -> R {
        let result = call(&self.0).unwrap();
        assert_eq!(self.0.linux().check(), Ok(()), "{result:?}");
        result
    }

    fn mkdir(&self, path: &str) {
        self.call(|kernel| kernel.mkdirat(Fd::CWD, UnixPath::new(path), Mode(0o755)));
    }

    fn mount(&self, source: Option<&str>, target: &str, flags: MountFlags) {
        let filesystem = flags.is_empty().then_some(&b"tmpfs"[..]);
        self.call(|kernel| kernel.mount(source.map(UnixPath::new), UnixPath::new(target), filesystem, flags, None));
    }

    fn umount(&self, target: &str, flags: UmountFlags) {
        self.call(|kernel| kernel.umount2(UnixPath::new(target), flags));
    }

    fn open_tree(&self, path: &str) -> Fd {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE;
        self.call(|kernel| kernel.open_tree(Fd::CWD, UnixPath::new(path), flags))
    }

    fn open(&self, path: &str, flags: OpenFlags) -> Fd {
        let mode = Mode(if flags.contains(OpenFlags::O_CREAT) { 0o644 } else { 0 });
        self.call(|kernel| kernel.openat2(Fd::CWD, UnixPath::new(path), OpenHow { flags, mode, ..OpenHow::default() }))
    }
}

#[test]
fn mounts_that_propagate_leave_no_contradiction() {
    let process = Checked::new();
    for path in ["/a", "/b", "/c"] {
        process.mkdir(path);
    }
    process.mount(None, "/a", MountFlags::empty());
    process.mount(None, "/a", MountFlags::MS_SHARED);
    process.mount(Some("/a"), "/b", MountFlags::MS_BIND);
    process.mount(Some("/a"), "/c", MountFlags::MS_BIND);
    process.mount(None, "/c", MountFlags::MS_SLAVE);
    process.mount(None, "/c", MountFlags::MS_SHARED);
    process.mkdir("/a/x");
    process.mount(None, "/b/x", MountFlags::empty());
    process.call(|kernel| kernel.unshare(CloneFlags::CLONE_NEWNS));
    process.mount(None, "/a/x", MountFlags::empty());
    process.umount("/b/x", UmountFlags::empty());
    process.mount(None, "/b", MountFlags::MS_PRIVATE);
    process.umount("/a", UmountFlags::MNT_DETACH);
    process.umount("/c", UmountFlags::MNT_DETACH);
}

#[test]
fn detached_and_used_mounts_leave_no_contradiction() {
    let process = Checked::new();
    for path in ["/a", "/b"] {
        process.mkdir(path);
    }
    process.mount(None, "/a", MountFlags::empty());
    process.mkdir("/a/x");
    process.mount(None, "/a/x", MountFlags::empty());
    let file = process.open("/a/x/file", OpenFlags::O_CREAT | OpenFlags::O_RDWR);
    let (first, second) = (process.open_tree("/a"), process.open_tree("/a"));
    let read_only = MountAttr { propagation: MountFlags::MS_SHARED, ..MountAttr::default() };
    process.call(|kernel| kernel.mount_setattr(first, UnixPath::new(""), AtFlags::AT_EMPTY_PATH, &read_only));
    process.umount("/a", UmountFlags::MNT_DETACH);
    process.call(|kernel| kernel.close(second));
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    process.call(|kernel| kernel.move_mount(first, UnixPath::new(""), Fd::CWD, UnixPath::new("/b"), flags));
    process.call(|kernel| kernel.close(first));
    process.call(|kernel| kernel.unlinkat(Fd::CWD, UnixPath::new("/b/x/file"), AtFlags::empty()));
    process.call(|kernel| kernel.close(file));
    process.call(|kernel| kernel.chdir(UnixPath::new("/b/x")));
    process.umount("/b", UmountFlags::MNT_DETACH);
    process.call(|kernel| kernel.chdir(UnixPath::new("/")));
}

#[test]
fn directories_that_are_removed_and_moved_leave_no_contradiction() {
    let process = Checked::new();
    for path in ["/a", "/a/b", "/c", "/c/d"] {
        process.mkdir(path);
    }
    process.mount(Some("/a"), "/c/d", MountFlags::MS_BIND);
    process.call(|kernel| kernel.chdir(UnixPath::new("/c/d/b")));
    process.call(|kernel| kernel.unlinkat(Fd::CWD, UnixPath::new("/a/b"), AtFlags::AT_REMOVEDIR));
    let (old, new) = (UnixPath::new("/c"), UnixPath::new("/a/c"));
    let none = cofferdam::kernel::RenameFlags::empty();
    process.call(|kernel| kernel.renameat2(Fd::CWD, old, Fd::CWD, new, none));
    process.call(|kernel| kernel.chroot(UnixPath::new("/a/c")));
    process.call(|kernel| kernel.chdir(UnixPath::new("/")));
}

#[rstest]
fn filesystems_that_the_kernel_keeps_one_of_leave_no_contradiction(
    #[values("devtmpfs", "mqueue", "sysfs")] filesystem: &str,
) {
    let process = Checked::new();
    process.mkdir("/a");
    for target in ["/a", "/"] {
        let filesystem = Some(filesystem.as_bytes());
        let target = UnixPath::new(target);
        process.call(|kernel| kernel.mount(None, target, filesystem, MountFlags::empty(), None));
    }
    process.umount("/a", UmountFlags::empty());
}

/// As was seen on Linux 6.18, with `RLIMIT_MSGQUEUE` at 0.
#[test]
fn an_mqueue_lives_as_long_as_its_ipc_namespace() {
    let mut linux = Linux::new();
    let init = linux.init();
    let call = |linux: &mut Linux, task, call: Call| {
        let result = linux.call(task, &call);
        linux.check().unwrap();
        result
    };
    let mount = || {
        let filesystemtype = Some("mqueue".into());
        Call::Mount { source: None, target: "/m".into(), filesystemtype, mountflags: MountFlags::empty(), data: None }
    };
    let umount = || Call::Umount2 { target: "/m".into(), flags: UmountFlags::empty() };
    let chmod = || Call::Fchmodat { dirfd: Fd::CWD, path: "/m".into(), mode: Mode(0o711) };
    let create = || {
        let how = OpenHow { flags: OpenFlags::O_CREAT, mode: Mode(0o600), ..OpenHow::default() };
        Call::Openat2 { dirfd: Fd::CWD, path: "/m/queue".into(), how }
    };
    let mode = |linux: &mut Linux| match linux
        .call(linux.init(), &Call::Statx { dirfd: Fd::CWD, path: "/m".into(), flags: AtFlags::empty() })
    {
        Ok(Value::Stat(stat)) => stat.mode.0,
        other => panic!("{other:?}"),
    };
    call(&mut linux, init, Call::Mkdirat { dirfd: Fd::CWD, path: "/m".into(), mode: Mode(0o755) }).unwrap();
    let child = linux.fork(init, CloneFlags::CLONE_NEWIPC).unwrap();
    for step in [mount(), chmod(), umount(), mount()] {
        call(&mut linux, child, step).unwrap();
    }
    assert_eq!(mode(&mut linux), 0o711, "nobody has it mounted meanwhile, but the namespace keeps it");
    assert_eq!(call(&mut linux, init, create()), Err(Errno::EMFILE), "nobody may have a queue");
    linux.exit(child, 0);
    linux.check().unwrap();
    assert_eq!(mode(&mut linux), 0o711, "it is mounted still");
    assert_eq!(call(&mut linux, init, create()), Err(Errno::EACCES), "it is nobody's");
    let other = linux.fork(init, CloneFlags::CLONE_NEWIPC).unwrap();
    call(&mut linux, other, mount()).unwrap();
    assert_eq!(mode(&mut linux), 0o1777, "another namespace has another one");
}

/// What makes a directory and its only entry wrong.
type BreakDirectory = fn(&mut Linux, Id<Dentry>, Id<Dentry>);

/// What is done to the directory `/a`, in which there is `/a/b`, and what the check says of it.
const BROKEN_DIRECTORIES: [(BreakDirectory, &str); 7] = [
    (|linux, a, _| linux.dentries[a].is_hashed = false, "the number of entries is 1, but there are 0"),
    (|linux, a, b| linux.dentries[b].parent = linux.dentries[a].parent, "the number of entries is 1, but there are 2"),
    (|linux, _, b| linux.dentries[b].name = Name::from("c"), "know their name"),
    (|linux, _, b| linux.dentries[b].order = 99, "are not given out again"),
    (|linux, a, b| linux.dentries[a].by_order = [(7_u64, b)].into_iter().collect(), "in their order"),
    (|linux, a, b| linux.dentries[a].by_offset = [(7_u64, b)].into_iter().collect(), "by their offsets"),
    (|linux, a, _| linux.dentries[a].children.clear(), "the number of entries is 0, but there are 1"),
];

#[test]
fn a_directory_that_is_wrong_is_found() {
    let machine = Checked::new();
    machine.mkdir("/a");
    machine.mkdir("/a/b");
    let linux = machine.0.linux();
    let only_entry = |directory| linux.dentries[directory].children.values().next().copied();
    let a = only_entry(linux.fs_states[linux.tasks[linux.init].fs].root.dentry).unwrap();
    let b = only_entry(a).unwrap();
    for (break_it, message) in BROKEN_DIRECTORIES {
        let mut broken = Linux::clone(&linux);
        break_it(&mut broken, a, b);
        let error = broken.check().unwrap_err().to_string();
        assert!(error.contains(message), "{error}, not {message}");
    }
}

/// What makes a kernel wrong.
type Break = fn(&mut Linux, Id<Mount>);

/// What is done to a kernel and to the root of its init, and what the check says of it.
const BROKEN: [(Break, &str); 13] = [
    (|linux, root| linux.mount_get(root), "the number of references is 4, but there are 3"),
    (|linux, root| linux.dentry_get(linux.mounts[root].root), "the number of references is 4, but there are 3"),
    (|linux, root| linux.mounts[root].writers += 1, "the number of writers is 1, but there are 0"),
    (|linux, root| linux.mounts[root].is_visible = false, "what has a parent is found there"),
    (|linux, root| linux.unlink_child(root), "every mount with a parent is in one"),
    (|linux, root| linux.mounts[root].is_listed = false, "it knows the namespace that lists it"),
    (
        |linux, root| {
            let parent = linux.mounts[root].parent;
            linux.mounts[parent].overmount = None;
        },
        "it knows the mount on its root",
    ),
    (|linux, root| linux.mounts[root].group = 7, "it has a peer group if it is shared"),
    (|linux, root| linux.mounts[root].master = Some(root), "a master is shared"),
    (|linux, root| linux.mounts[root].parent = Id::from_number(99), "the parent is gone"),
    (
        |linux, root| {
            let inode = linux.dentries[linux.mounts[root].root].inode;
            linux.inodes[inode].dentries += 1;
        },
        "the number of dentries is 2, but there are 1",
    ),
    (
        |linux, root| {
            let superblock = linux.mounts[root].superblock;
            linux.superblocks[superblock].written_mounts.insert(root);
        },
        "its filesystem knows whether it has writers",
    ),
    (
        |linux, _| {
            linux.new_superblock(FilesystemType::Proc, linux.initial_user_namespace);
            linux.superblocks_by_type.clear();
        },
        "it is found by its type",
    ),
];

#[test]
fn what_is_wrong_is_found() {
    let mut linux = Linux::new();
    assert_eq!(linux.check(), Ok(()));
    let root = linux.fs_states[linux.tasks[linux.init].fs].root.mount;
    for (break_it, message) in BROKEN {
        let mut broken = linux.clone();
        break_it(&mut broken, root);
        let error = broken.check().unwrap_err().to_string();
        assert!(error.contains(message), "{error}, not {message}");
    }
    linux.mounts[root].flags.insert(crate::mount::MntFlags::UMOUNT);
    assert!(linux.check().unwrap_err().to_string().contains("it is in a namespace until it is unmounted"));
}

/// The mount namespace of a machine that was loaded has taken the place of the one that it booted with.
#[test]
fn the_namespaces_of_a_loaded_host_are_counted() {
    let kernel = Process::init(crate::sample::host());
    assert_eq!(kernel.linux().check(), Ok(()));
    let flags = OpenTreeFlags::OPEN_TREE_CLONE;
    kernel.open_tree(Fd::CWD, UnixPath::new("/"), flags).unwrap();
    assert_eq!(kernel.linux().check(), Ok(()));
    kernel.clone3(CloneFlags::CLONE_NEWNS, &mut |_| 0).unwrap();
    assert_eq!(kernel.linux().check(), Ok(()));
}
