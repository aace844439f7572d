//! Walks, namespaces, processes.

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, Pid, Prctl, ResolveFlags, Signal};
use cofferdam::kernel::{SignalAction, WaitOptions};
use rstest::rstest;

use super::assert_why;
use crate::handle::Process;

type Outcome = Result<(), Errno>;

const USER: CloneFlags = CloneFlags::CLONE_NEWUSER;
const MOUNT: CloneFlags = CloneFlags::CLONE_NEWNS;

fn open(process: &Process, path: &str, flags: OpenFlags, resolve: ResolveFlags) -> Result<Fd, Errno> {
    process.openat2(Fd::CWD, UnixPath::new(path), OpenHow { flags, mode: Mode(0), resolve })
}

fn read(process: &Process, path: &str) -> Result<Fd, Errno> {
    open(process, path, OpenFlags::empty(), ResolveFlags::empty())
}

/// Walks a path within limits.
fn resolve(process: &Process, path: &str, limits: ResolveFlags) -> Outcome {
    open(process, path, OpenFlags::empty(), limits).map(drop)
}

/// Opens `/` with these flags.
fn flags(process: &Process, flags: OpenFlags, limits: ResolveFlags) -> Outcome {
    open(process, "/", flags, limits).map(drop)
}

fn chdir(process: &Process, path: &str) -> Outcome {
    process.chdir(UnixPath::new(path))
}

fn execute(process: &Process, path: &str) -> Outcome {
    process.execve(UnixPath::new(path), &[], &[])
}

/// A process of a user who is not root.
fn alice(process: &Process) -> Process {
    let alice = process.fork(CloneFlags::empty()).unwrap();
    alice.setgroups(&[]).unwrap();
    alice.setresgid(1000, 1000, 1000).unwrap();
    alice.setresuid(1000, 1000, 1000).unwrap();
    alice.prctl(Prctl::SetDumpable(true)).unwrap();
    alice
}

/// A process of hers in a user namespace of her own.
fn alice_alone(process: &Process) -> Process {
    let alice = alice(process);
    alice.unshare(USER).unwrap();
    alice
}

/// Writes to a file of the process in proc.
fn write(process: &Process, name: &str, text: &str) -> Outcome {
    let fd = open(process, &format!("/proc/self/{name}"), OpenFlags::O_WRONLY, ResolveFlags::empty()).unwrap();
    process.write(fd, text.as_bytes()).map(drop)
}

fn join(process: &Process, name: &str, kind: CloneFlags) -> Outcome {
    let fd = read(process, &format!("/proc/self/ns/{name}")).unwrap();
    process.setns(fd, kind)
}

#[rstest]
#[case::missing(|p: &Process| chdir(p, "/missing"), Errno::ENOENT, "step_into()", "a component of the path does not exist")]
#[case::empty(|p: &Process| chdir(p, ""), Errno::ENOENT, "getname_flags()", "the path is empty")]
#[case::no_directory_between(
    |p: &Process| chdir(p, "/etc/passwd/x"), Errno::ENOTDIR,
    "link_path_walk()", "a component of the path is no directory"
)]
#[case::no_directory_at_the_end(
    |p: &Process| chdir(p, "/etc/passwd"), Errno::ENOTDIR,
    "path_lookupat()", "the path leads to something that is no directory"
)]
#[case::absolute(
    |p: &Process| resolve(p, "/etc", ResolveFlags::RESOLVE_BENEATH), Errno::EXDEV,
    "nd_jump_root()", "the path or a symbolic link in it is absolute, and RESOLVE_BENEATH is given"
)]
#[case::upwards(
    |p: &Process| resolve(p, "..", ResolveFlags::RESOLVE_BENEATH), Errno::EXDEV,
    "follow_dotdot()", "a .. leads out of the directory where the path starts, and RESOLVE_BENEATH is given"
)]
#[case::into_a_mount(
    |p: &Process| resolve(p, "/proc", ResolveFlags::RESOLVE_NO_XDEV), Errno::EXDEV,
    "handle_mounts()", "something is mounted on a component of the path, and RESOLVE_NO_XDEV is given"
)]
#[case::symbolic_link(
    |p: &Process| resolve(p, "/bin/cat", ResolveFlags::RESOLVE_NO_SYMLINKS), Errno::ELOOP,
    "pick_link()", "a component of the path is a symbolic link, and RESOLVE_NO_SYMLINKS is given"
)]
#[case::magic_link(
    |p: &Process| resolve(p, "/proc/self/root", ResolveFlags::RESOLVE_NO_MAGICLINKS), Errno::ELOOP,
    "nd_jump_link()", "a component of the path is a magic link, and RESOLVE_NO_MAGICLINKS is given"
)]
#[case::path_to_write(
    |p: &Process| flags(p, OpenFlags::O_PATH | OpenFlags::O_WRONLY, ResolveFlags::empty()), Errno::EINVAL,
    "build_open_flags()", "O_PATH goes with other flags than O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC"
)]
#[case::two_scopes(
    |p: &Process| {
        flags(p, OpenFlags::empty(), ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT)
    }, Errno::EINVAL,
    "build_open_flags()", "RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude each other"
)]
#[case::created_from_the_cache(
    |p: &Process| flags(p, OpenFlags::O_CREAT, ResolveFlags::RESOLVE_CACHED), Errno::EAGAIN,
    "build_open_flags()", "RESOLVE_CACHED goes with O_CREAT, O_TRUNC or O_TMPFILE, which do more than look up"
)]
#[case::not_in_the_cache(
    |p: &Process| resolve(p, "/missing", ResolveFlags::RESOLVE_CACHED), Errno::EAGAIN,
    "path_init()", "the path cannot be walked with what is cached alone, and RESOLVE_CACHED is given"
)]
#[case::not_searchable(
    |p: &Process| chdir(&alice(p), "/root"), Errno::EACCES,
    "generic_permission()", "the process has no search permission in a directory of the path"
)]
#[case::not_readable(
    |p: &Process| read(&alice(p), "/etc/shadow").map(drop), Errno::EACCES,
    "generic_permission()", "the mode of the file does not allow the process this access"
)]
#[case::not_mapped(
    |p: &Process| p.unshare(USER).and_then(|()| chdir(p, "/home/alice")), Errno::EACCES,
    "generic_permission()",
    "neither mode nor CAP_DAC_OVERRIDE allow it: the file's owner or group has no id in the user namespace"
)]
fn walks(#[case] call: fn(&Process) -> Outcome, #[case] errno: Errno, #[case] function: &str, #[case] sentence: &str) {
    assert_why(call, errno, function, sentence);
}

#[rstest]
#[case::unknown_flag(
    |p: &Process| p.unshare(CloneFlags::from_bits_retain(0x1000)), Errno::EINVAL,
    "check_unshare_flags()", "a flag is not one that unshare(2) knows"
)]
#[case::mounts_without_privilege(
    |p: &Process| alice(p).unshare(MOUNT), Errno::EPERM,
    "unshare_nsproxy_namespaces()", "the process has no CAP_SYS_ADMIN in its user namespace"
)]
#[case::user_in_a_chroot(
    |p: &Process| p.chroot(UnixPath::new("/home")).and_then(|()| p.unshare(USER)), Errno::EPERM,
    "create_user_ns()", "the root directory of the process is not that of its mount namespace (chroot)"
)]
#[case::user_without_an_id(
    |p: &Process| alice_alone(p).unshare(USER), Errno::EPERM,
    "create_user_ns()", "the effective user of the process has no id in its user namespace (uid_map)"
)]
#[case::no_namespace(
    |p: &Process| p.setns(read(p, "/etc").unwrap(), MOUNT), Errno::EINVAL,
    "sys_setns()", "the file descriptor is not one of a namespace"
)]
#[case::another_kind(
    |p: &Process| join(p, "uts", MOUNT), Errno::EINVAL,
    "sys_setns()", "the namespace is not of the type that is asked for"
)]
#[case::own_user_namespace(
    |p: &Process| join(p, "user", USER), Errno::EINVAL,
    "userns_install()", "the process is in that user namespace already"
)]
#[case::shared_root(
    |p: &Process| join(&p.fork(CloneFlags::CLONE_FS).unwrap(), "mnt", MOUNT), Errno::EINVAL,
    "mntns_install()", "the process shares root and working directory with another one (CLONE_FS)"
)]
#[case::mounts_of_others(
    |p: &Process| join(&alice_alone(p), "mnt", MOUNT), Errno::EPERM,
    "mntns_install()", "the process has no CAP_SYS_ADMIN in the user namespace that owns the namespace that it is to join"
)]
#[case::hostname_of_others(
    |p: &Process| join(&alice_alone(p), "uts", CloneFlags::CLONE_NEWUTS), Errno::EPERM,
    "utsns_install()", "the process has no CAP_SYS_ADMIN in the user namespace that owns the namespace that it is to join"
)]
#[case::groups_before_setgroups(
    |p: &Process| write(&alice_alone(p), "gid_map", "0 1000 1"), Errno::EPERM,
    "new_idmap_permitted()",
    "setgroups is not denied (/proc/PID/setgroups), and there is no CAP_SETGID in the parent user namespace"
)]
#[case::another_user(
    |p: &Process| write(&alice_alone(p), "uid_map", "0 1001 1"), Errno::EPERM,
    "new_idmap_permitted()", "more than the user itself is mapped, without CAP_SETUID in the parent user namespace"
)]
#[case::root_of_the_parent(
    |p: &Process| write(&alice_alone(p), "uid_map", "0 0 1"), Errno::EPERM,
    "verify_root_map()", "root of the parent user namespace is mapped, whose maker had no CAP_SETFCAP there"
)]
#[case::written_twice(
    |p: &Process| {
        let alice = alice_alone(p);
        write(&alice, "uid_map", "0 1000 1").and_then(|()| write(&alice, "uid_map", "0 1000 1"))
    }, Errno::EPERM,
    "map_write()", "the map is written already, which can be done once"
)]
#[case::no_map(
    |p: &Process| write(&alice_alone(p), "uid_map", "0 1000"), Errno::EINVAL,
    "map_write()", "a line of the map is not three numbers: the first id inside, the first one outside, and how many"
)]
#[case::no_ids(
    |p: &Process| write(&alice_alone(p), "uid_map", "0 1000 0"), Errno::EINVAL,
    "map_write()", "a line of the map is one of no ids"
)]
#[case::two_lines_for_an_id(
    |p: &Process| write(&alice_alone(p), "uid_map", "0 1000 2\n1 2000 1"), Errno::EINVAL,
    "map_write()", "an id is in two lines of the map"
)]
fn namespaces(
    #[case] call: fn(&Process) -> Outcome,
    #[case] errno: Errno,
    #[case] function: &str,
    #[case] sentence: &str,
) {
    assert_why(call, errno, function, sentence);
}

#[rstest]
#[case::unknown_flag(
    |p: &Process| p.fork(CloneFlags::from_bits_retain(1 << 33)).map(drop), Errno::EINVAL,
    "clone3_args_valid()", "a flag is not one that clone3(2) knows"
)]
#[case::root_in_two_mount_namespaces(
    |p: &Process| p.fork(CloneFlags::CLONE_FS | MOUNT).map(drop), Errno::EINVAL,
    "copy_process()", "CLONE_FS goes with CLONE_NEWNS, where root is another one"
)]
#[case::not_executable(
    |p: &Process| execute(p, "/etc/passwd"), Errno::EACCES,
    "generic_permission()", "the file has no execute permission for anybody"
)]
#[case::directory_executed(
    |p: &Process| execute(p, "/etc"), Errno::EACCES,
    "may_open()", "the program is no regular file"
)]
#[case::groups_without_privilege(
    |p: &Process| alice(p).setgroups(&[]), Errno::EPERM,
    "may_setgroups()", "the process has no CAP_SETGID in its user namespace"
)]
#[case::groups_without_a_map(
    |p: &Process| alice_alone(p).setgroups(&[]), Errno::EPERM,
    "userns_may_setgroups()", "gid_map of the user namespace is not written"
)]
#[case::user_without_privilege(
    |p: &Process| alice(p).setresuid(0, 0, 0), Errno::EPERM,
    "__sys_setresuid()", "a user id is none that the process has, and it has no CAP_SETUID in its user namespace"
)]
#[case::no_signal(
    |p: &Process| p.sigaction(Signal(65), SignalAction::Ignore), Errno::EINVAL,
    "do_sigaction()", "there is no signal with this number"
)]
#[case::kill_ignored(
    |p: &Process| p.sigaction(Signal::KILL, SignalAction::Ignore), Errno::EINVAL,
    "do_sigaction()", "what SIGKILL and SIGSTOP do cannot be changed"
)]
#[case::signal_to_another_user(
    |p: &Process| alice(p).kill(Pid(1), Signal::KILL), Errno::EPERM,
    "check_kill_permission()", "the process belongs to another user, and the sender has no CAP_KILL in its user namespace"
)]
#[case::no_child(
    |p: &Process| p.wait4(Pid(-1), WaitOptions::empty()).map(drop), Errno::ECHILD,
    "__do_wait()", "the process has no child that is meant"
)]
#[case::child_that_lives(
    |p: &Process| {
        let _child = p.fork(CloneFlags::empty()).unwrap();
        p.wait4(Pid(-1), WaitOptions::empty()).map(drop)
    }, Errno::EDEADLK,
    "schedule()", "the call would wait for another process, none of which acts meanwhile"
)]
#[case::not_open(
    |p: &Process| p.read(Fd(99), 1).map(drop), Errno::EBADF,
    "fdget_raw()", "the file descriptor is not open"
)]
#[case::open_as_a_path(
    |p: &Process| p.read(open(p, "/etc/passwd", OpenFlags::O_PATH, ResolveFlags::empty()).unwrap(), 1).map(drop),
    Errno::EBADF, "fdget()", "the file descriptor was opened with O_PATH"
)]
fn processes(
    #[case] call: fn(&Process) -> Outcome,
    #[case] errno: Errno,
    #[case] function: &str,
    #[case] sentence: &str,
) {
    assert_why(call, errno, function, sentence);
}
