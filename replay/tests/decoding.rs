//! Calls as strace prints them, and what they mean.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam::kernel::{
    AtFlags, Call, Capabilities, CapabilitySets, CloneFlags, DeviceNumber, Errno, Fd, FileType, FsConfig, Mode,
    MountAttr, MountAttrFlags, MountFlags, NodeMode, OpenFlags, OpenHow, Pid, Prctl, ResolveFlags, Signal, UmountFlags,
    WaitStatus,
};
use cofferdam_replay::decode::{Action, Decoded, Given, decode};
use cofferdam_replay::syntax::parse_call;
use rstest::rstest;

fn decoded(text: &str) -> Decoded {
    decode(&parse_call(text.as_bytes()).unwrap()).unwrap().unwrap()
}

#[rstest]
#[case(
    r#"mount(NULL, "/", NULL, MS_REC|MS_SLAVE|0x40000000, NULL)"#,
    Call::Mount {
        source: None,
        target: "/".into(),
        filesystemtype: None,
        mountflags: MountFlags::MS_REC | MountFlags::MS_SLAVE | MountFlags::from_bits_retain(1 << 30),
        data: None,
    }
)]
#[case(
    r#"umount2("/a", MNT_DETACH|UMOUNT_NOFOLLOW)"#,
    Call::Umount2 { target: "/a".into(), flags: UmountFlags::MNT_DETACH | UmountFlags::UMOUNT_NOFOLLOW }
)]
#[case(
    r#"mount_setattr(4, "", AT_EMPTY_PATH|AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY|MOUNT_ATTR_IDMAP, attr_clr=0, propagation=MS_PRIVATE, userns_fd=5}, 32)"#,
    Call::MountSetattr {
        dirfd: Fd(4),
        path: "".into(),
        flags: AtFlags::AT_EMPTY_PATH | AtFlags::AT_RECURSIVE,
        attr: MountAttr {
            attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_IDMAP,
            attr_clr: MountAttrFlags::empty(),
            propagation: MountFlags::MS_PRIVATE,
            userns_fd: Some(Fd(5)),
        },
    }
)]
#[case(
    r#"fsconfig(3, FSCONFIG_SET_FD, "upperdir+", NULL, 7)"#,
    Call::Fsconfig { fd: Fd(3), config: FsConfig::SetFd { key: "upperdir+".into(), fd: Fd(7) } }
)]
#[case("fsconfig(3, FSCONFIG_CMD_CREATE, NULL, NULL, 0)", Call::Fsconfig { fd: Fd(3), config: FsConfig::Create })]
#[case(
    r#"openat(AT_FDCWD, "/a", O_RDWR|O_CREAT|O_CLOEXEC, 0640)"#,
    Call::Openat2 {
        dirfd: Fd::CWD,
        path: "/a".into(),
        how: OpenHow {
            flags: OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_CLOEXEC,
            mode: Mode(0o640),
            resolve: ResolveFlags::empty(),
        },
    }
)]
#[case(
    r#"open("/a", O_RDONLY|O_PATH|O_NONBLOCK)"#,
    Call::Openat2 {
        dirfd: Fd::CWD,
        path: "/a".into(),
        how: OpenHow { flags: OpenFlags::O_PATH, ..OpenHow::default() },
    }
)]
#[case(
    r#"openat2(-1, "a", {flags=O_PATH, mode=0, resolve=RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS}, 24)"#,
    Call::Openat2 {
        dirfd: Fd(-1),
        path: "a".into(),
        how: OpenHow {
            flags: OpenFlags::O_PATH,
            mode: Mode(0),
            resolve: ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_NO_SYMLINKS,
        },
    }
)]
#[case(
    r#"mknod("/n", S_IFCHR|0666, makedev(0x1, 0x3))"#,
    Call::Mknodat {
        dirfd: Fd::CWD,
        path: "/n".into(),
        mode: NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) },
        device: DeviceNumber { major: 1, minor: 3 },
    }
)]
#[case(
    r#"fchownat(AT_FDCWD, "/a", -1, 7, AT_SYMLINK_NOFOLLOW)"#,
    Call::Fchownat {
        dirfd: Fd::CWD,
        path: "/a".into(),
        owner: None,
        group: Some(7),
        flags: AtFlags::AT_SYMLINK_NOFOLLOW,
    }
)]
#[case(
    "capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_SYS_ADMIN, permitted=0, inheritable=0})",
    Call::Capset {
        sets: CapabilitySets {
            effective: Capabilities::CAP_CHOWN | Capabilities::CAP_SYS_ADMIN,
            ..CapabilitySets::default()
        },
    }
)]
#[case("prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)", Call::Prctl { operation: Prctl::DropBoundingCapability(21) })]
#[case("prctl(PR_CAPBSET_DROP, 0x30 /* CAP_??? */)", Call::Prctl { operation: Prctl::DropBoundingCapability(48) })]
#[case("setgroups(2, [0, 5])", Call::Setgroups { groups: vec![0, 5] })]
#[case("setresuid(-1, 5, -1)", Call::Setresuid { real: u32::MAX, effective: 5, saved: u32::MAX })]
#[case("kill(12, SIGTERM)", Call::Kill { pid: Pid(12), signal: Signal(0) })]
#[case(
    r#"execveat(6, "", ["a"], 0x7ffe /* 8 vars */, AT_EMPTY_PATH)"#,
    Call::Execve { path: "/proc/self/fd/6".into(), argv: vec!["a".into()], envp: vec![] }
)]
fn calls(#[case] text: &str, #[case] expected: Call) {
    assert_eq!(decoded(&format!("{text} = 0")).action, Action::Call(expected));
}

#[rstest]
#[case("clone(child_stack=NULL, flags=CLONE_NEWNS|CLONE_PARENT|SIGCHLD) = 5", CloneFlags::CLONE_NEWNS, true, false)]
#[case(
    "clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD, exit_signal=0}, 88) = 5",
    CloneFlags::CLONE_FS | CloneFlags::CLONE_FILES,
    false,
    true
)]
#[case("vfork() = 5", CloneFlags::empty(), false, false)]
fn forks(#[case] text: &str, #[case] flags: CloneFlags, #[case] is_sibling: bool, #[case] is_thread: bool) {
    let decoded = decoded(text);
    assert_eq!(decoded.action, Action::Fork { flags, is_sibling, is_thread });
    assert_eq!(decoded.recorded, Ok(Given::Process(Pid(5))));
}

#[rstest]
#[case(r#"chdir("/a") = -1 ENOENT (No such file or directory)"#, Err(Errno::ENOENT))]
#[case("dup3(3, 9, O_CLOEXEC) = 9", Ok(Given::Descriptor(Fd(9))))]
#[case("pipe2([3, 4], O_CLOEXEC) = 0", Ok(Given::Descriptors(vec![Fd(3), Fd(4)])))]
#[case("socketpair(AF_UNIX, SOCK_STREAM, 0, [5, 6]) = 0", Ok(Given::Descriptors(vec![Fd(5), Fd(6)])))]
#[case(r#"getcwd("/a b", 4096) = 5"#, Ok(Given::Directory("/a b".into())))]
#[case(r#"readlink("/a", "bcd", 3) = 3"#, Ok(Given::Done))]
#[case(r#"readlinkat(AT_FDCWD, "/a", "bcd", 4) = 3"#, Ok(Given::Target("bcd".into())))]
#[case(
    r#"lstat("/n", {st_mode=S_IFCHR|0620, st_rdev=makedev(0x5, 0x2), ...}) = 0"#,
    Ok(Given::File {
        file_type: FileType::CharacterDevice,
        mode: 0o620,
        device: Some(DeviceNumber { major: 5, minor: 2 }),
    })
)]
#[case("wait4(-1, NULL, 0, NULL) = 7", Ok(Given::Child(Some((Pid(7), None)))))]
#[case("wait4(-1, 0x7ffe, WNOHANG, NULL) = 0", Ok(Given::Child(None)))]
#[case(
    "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL && WCOREDUMP(s)}], 0, NULL) = 7",
    Ok(Given::Child(Some((Pid(7), Some(WaitStatus::Signaled(Signal::KILL))))))
)]
#[case(
    "waitid(P_PID, 7, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=0, si_status=3, ...}, WEXITED, NULL) = 0",
    Ok(Given::Child(Some((Pid(7), Some(WaitStatus::Exited(3))))))
)]
fn what_was_given(#[case] text: &str, #[case] expected: Result<Given, Errno>) {
    assert_eq!(decoded(text).recorded, expected);
}

#[rstest]
#[case(r#"mount("/a"..., "/b", NULL, MS_BIND, NULL) = 0"#, "a string is cut: record with -s 4096")]
#[case(r#"umount2("/b", MNT_SOMETHING) = 0"#, "the name MNT_SOMETHING is not known")]
#[case("mount(NULL, 0x7ffe, NULL, 0, NULL) = -1 EFAULT (Bad address)", "there is no string where one should be")]
#[case("setns(3) = 0", "argument 2 is missing")]
#[case("chdir(\"/\") = -1 EWHATEVER (x)", "the name EWHATEVER is not known")]
fn what_can_not_be_understood(#[case] text: &str, #[case] message: &str) {
    assert_eq!(decode(&parse_call(text.as_bytes()).unwrap()).unwrap_err().to_string(), message);
}

#[rstest]
#[case("brk(NULL) = 0x5000")]
#[case("open(\"/a\", O_RDONLY) = ?")]
fn what_is_not_replayed(#[case] text: &str) {
    assert_eq!(decode(&parse_call(text.as_bytes()).unwrap()), Ok(None));
}
