//! Calls as data.

use rstest::rstest;

use super::*;

fn openat2() -> Call {
    Call::Openat2 {
        dirfd: Fd::CWD,
        path: "/a b".into(),
        how: OpenHow {
            flags: OpenFlags::O_PATH | OpenFlags::O_CLOEXEC,
            mode: Mode(0),
            resolve: ResolveFlags::RESOLVE_BENEATH,
        },
    }
}

fn mount() -> Call {
    Call::Mount {
        source: None,
        target: (&b"/\xff"[..]).into(),
        filesystemtype: Some("tmpfs".into()),
        mountflags: MountFlags::MS_NOSUID | MountFlags::MS_RDONLY,
        data: None,
    }
}

#[rstest]
#[case(
    openat2(),
    Ok(Value::Descriptor(Fd(3))),
    r#"openat2(AT_FDCWD, "/a b", {flags=O_CLOEXEC|O_PATH, mode=0000, resolve=RESOLVE_BENEATH}) = 3"#
)]
#[case(mount(), Ok(Value::Done), r#"mount(NULL, "/\377", "tmpfs", MS_RDONLY|MS_NOSUID, NULL) = 0"#)]
#[case(
    Call::Umount2 { target: "/m".into(), flags: UmountFlags::MNT_DETACH },
    Err(Errno::EINVAL),
    r#"umount2("/m", MNT_DETACH) = -1 EINVAL (Invalid argument)"#
)]
#[case(
    Call::Fsconfig { fd: Fd(3), config: FsConfig::SetString { key: "mode".into(), value: "755".into() } },
    Ok(Value::Done),
    r#"fsconfig(3, FSCONFIG_SET_STRING, "mode", "755", 0) = 0"#
)]
#[case(
    Call::MountSetattr {
        dirfd: Fd::CWD,
        path: "/".into(),
        flags: AtFlags::AT_RECURSIVE,
        attr: MountAttr { propagation: MountFlags::MS_SLAVE, ..MountAttr::default() },
    },
    Ok(Value::Done),
    r#"mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {attr_set=0, attr_clr=0, propagation=MS_SLAVE}) = 0"#
)]
#[case(
    Call::OpenTreeAttr {
        dirfd: Fd::CWD,
        path: "/".into(),
        flags: OpenTreeFlags::OPEN_TREE_CLONE,
        attr: MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() },
    },
    Ok(Value::Descriptor(Fd(3))),
    r#"open_tree_attr(AT_FDCWD, "/", OPEN_TREE_CLONE, {attr_set=MOUNT_ATTR_RDONLY, attr_clr=0, propagation=0}) = 3"#
)]
#[case(Call::Read { fd: Fd(3), count: 10 }, Ok(Value::Bytes("abc".into())), r#"read(3, "abc", 10) = 3"#)]
#[case(Call::Read { fd: Fd(3), count: 10 }, Err(Errno::EBADF), "read(3, ..., 10) = -1 EBADF (Bad file descriptor)")]
#[case(Call::Getcwd {}, Ok(Value::Bytes("/x".into())), r#"getcwd("/x") = 2"#)]
#[case(
    Call::Fchownat { dirfd: Fd(4), path: "".into(), owner: Some(7), group: None, flags: AtFlags::AT_EMPTY_PATH },
    Ok(Value::Done),
    r#"fchownat(4, "", 7, -1, AT_EMPTY_PATH) = 0"#
)]
#[case(
    Call::Mknodat {
        dirfd: Fd(5),
        path: "null".into(),
        mode: NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) },
        device: DeviceNumber::NULL,
    },
    Ok(Value::Done),
    r#"mknodat(5, "null", S_IFCHR|0666, makedev(0x1, 0x3)) = 0"#
)]
#[case(
    Call::Wait4 { pid: Pid(-1), options: WaitOptions::WNOHANG },
    Ok(Value::Child(Some((Pid(7), WaitStatus::Exited(1))))),
    "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], WNOHANG) = 7"
)]
#[case(
    Call::Execve { path: "/bin/sh".into(), argv: vec!["sh".into(), "-c".into()], envp: vec![] },
    Err(Errno::ENOENT),
    r#"execve("/bin/sh", ["sh", "-c"], []) = -1 ENOENT (No such file or directory)"#
)]
#[case(
    Call::Sigprocmask { how: SignalMaskHow::Block, set: [Signal::INT, Signal::CHLD].into_iter().collect() },
    Ok(Value::Signals(SignalSet::default())),
    "sigprocmask(SIG_BLOCK, [INT CHLD], []) = 0"
)]
#[case(Call::Clone3 { flags: CloneFlags::CLONE_NEWPID }, Ok(Value::Process(Pid(2))), "clone3(CLONE_NEWPID) = 2")]
fn a_call_is_displayed_as_strace_prints_it(
    #[case] call: Call,
    #[case] result: Result<Value, Errno>,
    #[case] expected: &str,
) {
    assert_eq!(call.with_result(&result).to_string(), expected);
}

#[test]
fn a_path_is_printed_whole_and_data_is_cut() {
    let path = Call::Chdir { path: format!("/{}", "x".repeat(200)).into() };
    assert!(path.to_string().contains(&"x".repeat(200)));
    let data = Call::Write { fd: Fd(1), data: format!("line\n{}", "x".repeat(200)).into() };
    let shown = data.to_string();
    assert!(shown.contains("..."), "{shown}");
}

#[rstest]
#[case(openat2())]
#[case(mount())]
#[case(Call::Pipe2 { flags: OpenFlags::O_CLOEXEC })]
#[case(Call::Prctl { operation: Prctl::SetParentDeathSignal(Some(Signal::KILL)) })]
fn a_call_survives_json(#[case] call: Call) {
    let json = serde_json::to_string(&call).unwrap();
    assert_eq!(serde_json::from_str::<Call>(&json).unwrap(), call, "{json}");
}

#[test]
fn the_json_of_a_call_reads_like_the_call() {
    let json = serde_json::to_value(mount()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "call": "mount",
            "source": null,
            "target": [47, 255],
            "filesystemtype": "tmpfs",
            "mountflags": "MS_RDONLY | MS_NOSUID",
            "data": null,
        })
    );
}
