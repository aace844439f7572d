//! Short logs, each about one thing that a replay has to get right.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam_replay::{Beginning, Report, Trace, replay};
use cofferdam_vfs_sim::Linux;
use rstest::rstest;

const MOUNTINFO: &str = "\
29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
30 29 0:21 / /proc rw,relatime shared:2 - proc proc rw
31 29 0:31 / /srv rw,relatime shared:3 - tmpfs tmpfs rw
";

fn replayed_from(log: &str, beginning: &Beginning) -> Report {
    let machine = Linux::from_mountinfo(MOUNTINFO.as_bytes()).unwrap();
    replay(&Trace::parse(log.as_bytes()).unwrap(), &machine, beginning).unwrap()
}

fn replayed(log: &str) -> Report {
    replayed_from(log, &Beginning::default())
}

#[rstest]
#[case::files_are_there_if_they_were(
    r#"
9 stat("/etc/passwd", {st_mode=S_IFREG|0644, st_size=9, ...}) = 0
9 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
9 fstat(3, {st_mode=S_IFREG|0644, st_size=9, ...}) = 0
9 access("/etc/group", R_OK) = -1 ENOENT (No such file or directory)
9 mkdir("/etc/passwd", 0755) = -1 EEXIST (File exists)
9 rmdir("/etc/passwd") = -1 ENOTDIR (Not a directory)
9 openat(AT_FDCWD, "/etc/passwd/x", O_RDONLY) = -1 ENOTDIR (Not a directory)
9 mkdir("/there", 0755) = -1 EEXIST (File exists)
9 execve("/usr/bin/true", ["true"], 0x7ffe /* 9 vars */) = 0
9 unlink("/run/lock") = 0
9 openat(AT_FDCWD, "/run/lock", O_RDONLY) = -1 ENOENT (No such file or directory)
"#
)]
#[case::they_are_below_what_is_mounted_there(
    r#"
9 mkdir("/srv/a", 0755) = 0
9 mount("none", "/srv/a", "tmpfs", 0, NULL) = 0
9 stat("/srv/a/b", 0x7ffe) = -1 ENOENT (No such file or directory)
9 umount2("/srv/a", 0) = 0
9 openat(AT_FDCWD, "/srv/a/b", O_RDONLY) = 3
9 mount("none", "/srv/a", "tmpfs", 0, NULL) = 0
9 openat(AT_FDCWD, "/srv/a/b", O_RDONLY) = -1 ENOENT (No such file or directory)
"#
)]
#[case::what_was_opened_was_a_directory(
    r#"
9 openat(AT_FDCWD, "/data", O_RDONLY) = 3
9 fchdir(3) = 0
9 mount("none", "/data", "tmpfs", 0, NULL) = 0
"#
)]
#[case::what_a_path_leads_through_was_a_link(
    r#"
9 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY) = 3
9 openat(AT_FDCWD, "/usr/lib/libc.so.6", O_RDONLY) = 4
9 lstat("/lib", {st_mode=S_IFLNK|0777, st_size=7, ...}) = 0
9 readlink("/lib", "usr/lib", 4096) = 7
9 readlink("/proc/self/fd/3", "/usr/lib/libc.so.6", 4096) = 18
"#
)]
#[case::a_link_shows_in_the_path_of_what_was_opened(
    r#"
9 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY) = 3
9 readlink("/proc/self/fd/3", "/usr/lib/libc.so.6", 4096) = 18
9 chdir("/bin/plugins") = 0
9 getcwd("/usr/bin/plugins", 4096) = 17
"#
)]
#[case::both_ends_of_a_bind_mount_are_files(
    r#"
9 mount("/etc/hosts", "/run/hosts", NULL, MS_BIND, NULL) = 0
9 openat(AT_FDCWD, "/run/hosts", O_RDONLY) = 3
9 fstat(3, {st_mode=S_IFREG|0644, ...}) = 0
9 mount("/etc/hosts", "/srv", NULL, MS_BIND, NULL) = -1 ENOTDIR (Not a directory)
"#
)]
#[case::numbers_of_descriptors_are_those_of_the_log(
    r#"
9 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3
9 openat(AT_FDCWD, "/srv", O_RDONLY|O_DIRECTORY) = 7
9 fcntl(7, F_DUPFD, 20) = 20
9 readlink("/proc/self/fd/20", "/srv", 4096) = 4
9 dup2(7, 4) = 4
9 dup(4) = 5
9 close(7) = 0
9 mkdirat(5, "below", 0755) = 0
9 fcntl(4, F_SETFD, FD_CLOEXEC) = 0
9 execve("/bin/sh", ["sh"], 0x7ffe /* 9 vars */) = 0
9 mkdirat(4, "again", 0755) = -1 EBADF (Bad file descriptor)
9 fstatfs(20, {f_type=TMPFS_MAGIC, f_flags=ST_VALID|ST_RELATIME}) = 0
9 pipe2([3, 4], O_CLOEXEC) = 0
9 close(3) = 0
9 close(3) = -1 EBADF (Bad file descriptor)
"#
)]
#[case::descriptors_are_shared_if_that_was_asked_for(
    r#"
9 clone(child_stack=NULL, flags=CLONE_FILES|SIGCHLD) = 10
10 openat(AT_FDCWD, "/srv", O_RDONLY|O_DIRECTORY) = 5
9 fchdir(5) = 0
9 fork() = 11
11 close(5) = 0
9 fchdir(5) = 0
"#
)]
#[case::processes_have_their_numbers(
    r#"
9 clone(child_stack=NULL, flags=CLONE_NEWPID|CLONE_NEWNS|SIGCHLD) = 4711
4711 mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) = 0
4711 mount("proc", "/proc", "proc", 0, NULL) = 0
9 openat(AT_FDCWD, "/proc/4711/ns/mnt", O_RDONLY|O_CLOEXEC) = 3
4711 fork() = 2
4712 readlink("/proc/self", "2", 10) = 1
4712 +++ exited with 3 +++
4711 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 2
9 setns(3, CLONE_NEWNS) = 0
9 kill(4711, SIGKILL) = 0
4711 +++ killed by SIGKILL +++
9 wait4(4711, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 4711
"#
)]
#[case::threads_share_what_threads_share(
    r#"
9 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD, exit_signal=0} => {parent_tid=[10]}, 88) = 10
10 chdir("/srv") = 0
9 getcwd("/srv", 4096) = 5
9 unshare(CLONE_NEWNS) = 0
10 fork() = 11
11 +++ exited with 0 +++
9 wait4(11, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
"#
)]
#[case::a_call_takes_effect_before_another_that_needs_it(
    r#"
9 fork() = 10
9 mkdir("/srv/a", 0755 <unfinished ...>
10 mount("none", "/srv/a", "tmpfs", 0, NULL) = 0
9 <... mkdir resumed>) = 0
9 rmdir("/srv/a") = -1 EBUSY (Device or resource busy)
"#
)]
#[case::maps_of_a_user_namespace_are_written(
    r#"
9 unshare(CLONE_NEWNS|CLONE_NEWUSER) = 0
9 geteuid() = 65534
9 openat(AT_FDCWD, "/proc/self/setgroups", O_WRONLY) = 3
9 write(3, "deny", 4) = 4
9 openat(AT_FDCWD, "/proc/self/uid_map", O_WRONLY) = 4
9 write(4, "0 0 1", 5) = 5
9 geteuid() = 0
9 umount2("/srv", MNT_DETACH) = -1 EINVAL (Invalid argument)
"#
)]
#[case::without_lines_of_their_ends_processes_end_by_their_last_call(
    "
9 fork() = 10
10 exit_group(2) = ?
9 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 10
"
)]
#[case::paths_and_times_and_durations_may_be_printed(
    r#"
9 10:00:00.000001 openat(AT_FDCWD</root>, "/srv", O_RDONLY|O_DIRECTORY) = 3</srv> <0.000010>
9 10:00:00.000002 fchdir(3</srv>) = 0 <0.000010>
"#
)]
#[case::capabilities_that_were_missing_from_the_start(
    r#"
9 execve("/bin/sh", ["sh"], 0x7ffe /* 9 vars */) = 0
9 prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) = 0
9 mount("none", "/srv", "tmpfs", 0, NULL) = -1 EPERM (Operation not permitted)
"#
)]
#[case::what_the_kernel_lacks_in_proc(
    r#"
9 access("/proc/sysrq-trigger", W_OK) = -1 ENOENT (No such file or directory)
9 mount("/dev/null", "/proc/sysrq-trigger", NULL, MS_BIND, NULL) = -1 ENOENT (No such file or directory)
9 openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY) = 3
9 mount("/proc/self/fd/3", "/proc/self/fd/3", NULL, MS_BIND, NULL) = 0
"#
)]
fn everything_is_as_it_was_recorded(#[case] log: &str) {
    let report = replayed(log);
    assert_eq!(report.difference, None, "{report}");
    let events = log.lines().filter(|line| !line.is_empty() && !line.contains("+++") && !line.contains("unfinished"));
    assert_eq!(report.replayed + report.count_of_skipped(), events.count(), "{report}");
    assert!(report.count_of_skipped() <= 1, "{report}");
}

#[rstest]
#[case(r#"9 mount("none", "/srv", "tmpfs", 0, NULL) = -1 EINVAL (Invalid argument)"#, "0", None)]
#[case(r#"9 umount2("/srv/a", 0) = 0"#, "-1 EINVAL (Invalid argument)", Some("is not a mount point"))]
#[case(
    r#"9 mount("/srv", "/mnt", NULL, MS_MOVE, NULL) = 0"#,
    "-1 EINVAL (Invalid argument)",
    Some("make-private \"/\"")
)]
#[case(
    r#"9 mount("none", "/srv", "tmpfs", 0, "colour=red") = 0"#,
    "-1 EINVAL (Invalid argument)",
    Some("no such parameter")
)]
#[case(
    r#"9 mount(NULL, "/mnt", NULL, MS_PRIVATE, NULL) = 0"#,
    "-1 EINVAL (Invalid argument)",
    Some("is in the mount on \"/\"")
)]
#[case("9 geteuid() = 1000", "0", None)]
#[case(r#"9 readlink("/proc/self/ns/mnt", "pid:[4026531840]", 100) = 16"#, "16, \"mnt:[4026531832]\"", None)]
fn differences_are_told(#[case] log: &str, #[case] simulated: &str, #[case] reason: Option<&str>) {
    let difference = replayed(&format!("9 chdir(\"/\") = 0\n{log}\n9 chdir(\"/\") = 0\n")).difference.unwrap();
    assert_eq!((difference.line, difference.pid), (2, 9));
    assert_eq!(format!("9 {}", difference.call), log);
    assert_eq!(difference.simulated.split('[').next(), simulated.split('[').next(), "{difference}");
    if let Some(expected) = reason {
        let told = [&difference.reason, &difference.detail].map(|text| text.as_deref().unwrap_or_default()).join("\n");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn the_first_process_begins_as_it_is_said_to() {
    let log = r#"
9 geteuid() = 1000
9 getcwd("/home/alice", 4096) = 12
9 mkdir("work", 0755) = 0
9 mount("none", "/home/alice/work", "tmpfs", 0, NULL) = -1 EPERM (Operation not permitted)
9 setresuid(0, 0, 0) = -1 EPERM (Operation not permitted)
"#;
    let beginning = Beginning { user: Some((1000, 1000)), directory: Some("/home/alice".into()) };
    let report = replayed_from(log, &beginning);
    assert_eq!(report.difference, None, "{report}");
    let failure = &report.failures[0];
    assert!(failure.reason.as_ref().unwrap().ends_with("(may_mount())"), "{failure}");
    assert_eq!(failure.detail.as_deref(), Some("the process has no CAP_SYS_ADMIN"));
}

#[test]
fn what_is_not_replayed_is_counted_by_name_and_reason() {
    let log = r#"
9 brk(NULL) = 0x5555
9 socket(AF_UNIX, SOCK_STREAM, 0) = 3
9 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0
9 fstat(3, {st_mode=S_IFSOCK|0777, ...}) = 0
9 fstat(44, {st_mode=S_IFREG|0644, ...}) = 0
9 mount("/a"..., "/b", NULL, MS_BIND, NULL) = 0
9 mount("none", "/b", NULL, MS_WHATEVER, NULL) = 0
9 mount("cgroup", "/srv", "cgroup2", 0, NULL) = 0
"#;
    let report = replayed(log);
    let skipped: Vec<_> =
        report.skipped.iter().map(|skipped| format!("{} {}: {}", skipped.line, skipped.name, skipped.reason)).collect();
    let expected = [
        "2 brk: not replayed",
        "3 socket: makes what is not simulated",
        "4 connect: not replayed",
        "5 fstat: on a descriptor of what is not simulated",
        "6 fstat: on a descriptor that no call in the log has given",
        "7 mount: a string is cut: record with -s 4096",
        "8 mount: the name MS_WHATEVER is not known",
    ];
    assert_eq!(skipped, expected);
    assert_eq!(report.replaced[0].filesystem, "cgroup2");
    assert_eq!((report.replayed, &report.difference), (1, &None));
    let text = report.to_string();
    assert!(text.contains("  not replayed: 1 brk, 1 connect\n"), "{text}");
    let warning = "line 7: 1 call of mount left out, so that later ones may be different: a string is cut";
    assert!(text.contains(warning), "{text}");
    assert!(text.contains("line 9: a filesystem of type cgroup2 is not simulated"), "{text}");
}
