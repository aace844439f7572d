//! Which error number comes back from arguments that are wrong. The calls are made as data, by `Call::apply`.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, CloseRangeFlags, DeviceNumber, Errno, Fd, FileType, FlockOperation, FsConfig,
    FsopenFlags, Kernel, Mode, MountAttr, MountFlags, MoveMountFlags, NodeMode, OpenFlags, OpenHow, OpenTreeFlags, Pid,
    Prctl, RenameFlags, ResolveFlags, Signal, SignalAction, UmountFlags, WaitOptions, Whence,
};
use cofferdam_linux::LinuxKernel;

fn expect(errno: Errno, calls: Vec<Call>) {
    for call in calls {
        assert_eq!(call.apply(&LinuxKernel), Err(errno), "{call}");
    }
}

/// Every call with a path relative to a directory that needs no privilege to get as far as the directory.
fn calls_relative_to(dirfd: Fd, path: &Bytes) -> Vec<Call> {
    let path = || path.clone();
    let file = NodeMode { file_type: FileType::Regular, mode: Mode(0o600) };
    vec![
        Call::Openat2 { dirfd, path: path(), how: OpenHow::default() },
        Call::OpenTree { dirfd, path: path(), flags: OpenTreeFlags::empty() },
        Call::Mkdirat { dirfd, path: path(), mode: Mode(0o700) },
        Call::Mknodat { dirfd, path: path(), mode: file, device: DeviceNumber::NONE },
        Call::Symlinkat { target: "target".into(), dirfd, path: path() },
        Call::Linkat {
            old_dirfd: dirfd,
            old_path: path(),
            new_dirfd: dirfd,
            new_path: path(),
            flags: AtFlags::empty(),
        },
        Call::Unlinkat { dirfd, path: path(), flags: AtFlags::empty() },
        Call::Renameat2 {
            old_dirfd: dirfd,
            old_path: path(),
            new_dirfd: dirfd,
            new_path: path(),
            flags: RenameFlags::empty(),
        },
        Call::Readlinkat { dirfd, path: path() },
        Call::Statx { dirfd, path: path(), flags: AtFlags::empty() },
        Call::Fchmodat { dirfd, path: path(), mode: Mode(0o700) },
        Call::Fchownat { dirfd, path: path(), owner: None, group: None, flags: AtFlags::empty() },
    ]
}

fn calls_on(fd: Fd) -> Vec<Call> {
    vec![
        Call::Close { fd },
        Call::Dup3 { oldfd: fd, newfd: Fd(800), flags: OpenFlags::empty() },
        Call::Fchdir { fd },
        Call::Fchmod { fd, mode: Mode(0o700) },
        Call::Fstatfs { fd },
        Call::Getdents64 { fd },
        Call::Read { fd, count: 1 },
        Call::Write { fd, data: "x".into() },
        Call::Lseek { fd, offset: 0, whence: Whence::Start },
        Call::Ftruncate { fd, length: 0 },
        Call::Fsync { fd },
        Call::Flock { fd, operation: FlockOperation::LOCK_SH },
        Call::Setns { fd, nstype: CloneFlags::empty() },
    ]
}

fn fsconfig_calls_on(fd: Fd) -> Vec<Call> {
    let configs = [FsConfig::Create, FsConfig::Reconfigure, FsConfig::SetFlag { key: "ro".into() }];
    configs.into_iter().map(|config| Call::Fsconfig { fd, config }).collect()
}

fn calls_with(path: &Bytes) -> Vec<Call> {
    let path = || path.clone();
    let mut calls = calls_relative_to(Fd::CWD, &path());
    calls.extend([
        Call::Chdir { path: path() },
        Call::Chroot { path: path() },
        Call::Statfs { path: path() },
        Call::Execve { path: path(), argv: vec![], envp: vec![] },
        Call::Symlinkat { target: path(), dirfd: Fd::CWD, path: "link".into() },
    ]);
    calls
}

#[test]
fn a_number_that_is_not_open_is_ebadf() {
    for fd in [Fd(-1), Fd(-2), Fd(-99), Fd(-101), Fd(i32::MIN), Fd(9999), Fd(i32::MAX)] {
        expect(Errno::EBADF, calls_on(fd));
        expect(Errno::EBADF, calls_relative_to(fd, &"name".into()));
    }
    expect(Errno::EBADF, fsconfig_calls_on(Fd(9999)));
    expect(Errno::EINVAL, fsconfig_calls_on(Fd(-1)));
    let newfd = Fd(-1);
    expect(Errno::EBADF, vec![Call::Dup3 { oldfd: Fd::STDIN, newfd, flags: OpenFlags::empty() }]);
}

#[test]
fn the_working_directory_is_no_descriptor_to_be_closed_or_read() {
    expect(Errno::EBADF, calls_on(Fd::CWD));
}

#[test]
fn an_absolute_path_makes_the_directory_irrelevant() {
    for dirfd in [Fd(-1), Fd(9999)] {
        let root = LinuxKernel.statx(Fd::CWD, Bytes::from("/").as_path(), AtFlags::empty()).unwrap();
        assert_eq!(LinuxKernel.statx(dirfd, Bytes::from("/").as_path(), AtFlags::empty()), Ok(root));
    }
}

#[test]
fn a_path_that_is_too_long_is_enametoolong() {
    expect(Errno::ENAMETOOLONG, calls_with(&"a/".repeat(2048).into()));
}

#[test]
fn a_name_that_is_too_long_is_enametoolong() {
    let name = Bytes::from("a".repeat(256));
    expect(
        Errno::ENAMETOOLONG,
        vec![
            Call::Mkdirat { dirfd: Fd::CWD, path: name.clone(), mode: Mode(0o700) },
            Call::Openat2 { dirfd: Fd::CWD, path: name, how: OpenHow::default() },
        ],
    );
}

#[test]
fn an_empty_path_is_enoent() {
    expect(Errno::ENOENT, calls_with(&"".into()));
}

#[test]
fn a_nul_cannot_be_passed_and_is_einval() {
    let nul = || Bytes::from("a\0b");
    expect(Errno::EINVAL, calls_with(&nul()));
    let mount = |source, filesystemtype, data| Call::Mount {
        source,
        target: "/".into(),
        filesystemtype,
        mountflags: MountFlags::empty(),
        data,
    };
    let fd = Fd(9999);
    expect(
        Errno::EINVAL,
        vec![
            mount(Some(nul()), None, None),
            mount(None, Some(nul()), None),
            mount(None, None, Some(nul())),
            Call::Mount {
                source: None,
                target: nul(),
                filesystemtype: None,
                mountflags: MountFlags::empty(),
                data: None,
            },
            Call::Umount2 { target: nul(), flags: UmountFlags::empty() },
            Call::PivotRoot { new_root: nul(), put_old: "/".into() },
            Call::PivotRoot { new_root: "/".into(), put_old: nul() },
            Call::MoveMount {
                from_dirfd: fd,
                from_path: nul(),
                to_dirfd: fd,
                to_path: "/".into(),
                flags: MoveMountFlags::empty(),
            },
            Call::MountSetattr { dirfd: fd, path: nul(), flags: AtFlags::empty(), attr: MountAttr::default() },
            Call::Fsopen { fsname: nul(), flags: FsopenFlags::empty() },
            Call::Fsconfig { fd, config: FsConfig::SetFlag { key: nul() } },
            Call::Fsconfig { fd, config: FsConfig::SetString { key: "size".into(), value: nul() } },
            Call::Execve { path: "/nonexistent".into(), argv: vec![nul()], envp: vec![] },
            Call::Execve { path: "/nonexistent".into(), argv: vec![], envp: vec![nul()] },
        ],
    );
}

#[test]
fn flags_without_a_name_reach_the_kernel() {
    let path = || Bytes::from("/");
    let how = |how| Call::Openat2 { dirfd: Fd::CWD, path: path(), how };
    expect(
        Errno::EINVAL,
        vec![
            how(OpenHow { flags: OpenFlags::from_bits_retain(1 << 30), ..OpenHow::default() }),
            how(OpenHow { resolve: ResolveFlags::from_bits_retain(1 << 63), ..OpenHow::default() }),
            Call::OpenTree { dirfd: Fd::CWD, path: path(), flags: OpenTreeFlags::from_bits_retain(1 << 30) },
            Call::Statx { dirfd: Fd::CWD, path: path(), flags: AtFlags::from_bits_retain(1 << 30) },
            Call::Unlinkat { dirfd: Fd::CWD, path: path(), flags: AtFlags::from_bits_retain(1 << 30) },
            Call::Fchownat {
                dirfd: Fd::CWD,
                path: path(),
                owner: None,
                group: None,
                flags: AtFlags::from_bits_retain(1 << 30),
            },
            Call::Linkat {
                old_dirfd: Fd::CWD,
                old_path: path(),
                new_dirfd: Fd::CWD,
                new_path: path(),
                flags: AtFlags::from_bits_retain(1 << 30),
            },
            Call::Renameat2 {
                old_dirfd: Fd::CWD,
                old_path: path(),
                new_dirfd: Fd::CWD,
                new_path: path(),
                flags: RenameFlags::from_bits_retain(1 << 30),
            },
            Call::Umount2 { target: path(), flags: UmountFlags::from_bits_retain(1 << 30) },
            Call::Unshare { flags: CloneFlags::from_bits_retain(1 << 3) },
            Call::Unshare { flags: CloneFlags::from_bits_retain(1 << 31) },
            Call::Unshare { flags: CloneFlags::from_bits_retain(1 << 63) },
            Call::Pipe2 { flags: OpenFlags::O_CREAT },
            Call::Dup3 { oldfd: Fd::STDIN, newfd: Fd(801), flags: OpenFlags::O_NONBLOCK },
            Call::CloseRange { first: 900, last: 899, flags: CloseRangeFlags::empty() },
            Call::Wait4 { pid: Pid(-1), options: WaitOptions::from_bits_retain(1 << 20) },
            Call::Flock { fd: Fd::STDIN, operation: FlockOperation::from_bits_retain(1 << 20) },
        ],
    );
}

#[test]
fn a_mode_that_openat2_has_no_use_for_is_einval() {
    let how = |flags, mode| OpenHow { flags, mode: Mode(mode), ..OpenHow::default() };
    let open = |path: &str, how| Call::Openat2 { dirfd: Fd::CWD, path: path.into(), how };
    expect(
        Errno::EINVAL,
        vec![open("/", how(OpenFlags::empty(), 0o600)), open("/nonexistent/file", how(OpenFlags::O_CREAT, 0o200_000))],
    );
}

#[test]
fn numbers_that_are_no_signal_or_capability_are_einval() {
    let action = SignalAction::Ignore;
    expect(
        Errno::EINVAL,
        vec![
            Call::Sigaction { signal: Signal(0), action },
            Call::Sigaction { signal: Signal(-1), action },
            Call::Sigaction { signal: Signal(65), action },
            Call::Sigaction { signal: Signal::KILL, action },
            Call::Sigaction { signal: Signal::KILL, action: SignalAction::Default },
            Call::Kill { pid: LinuxKernel.getpid().unwrap(), signal: Signal(65) },
            Call::Prctl { operation: Prctl::SetParentDeathSignal(Some(Signal(65))) },
            Call::Prctl { operation: Prctl::SetParentDeathSignal(Some(Signal(-1))) },
            Call::Prctl { operation: Prctl::ReadBoundingCapability(64) },
            Call::Prctl { operation: Prctl::ReadBoundingCapability(u32::MAX) },
            Call::Prctl { operation: Prctl::RaiseAmbientCapability(u32::MAX) },
        ],
    );
    expect(Errno::ESRCH, vec![Call::Kill { pid: Pid(i32::MAX), signal: Signal(0) }]);
}
