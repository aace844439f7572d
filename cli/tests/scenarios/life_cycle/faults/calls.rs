//! The system calls that the calls of [`Kernel`](cofferdam::kernel::Kernel) are, by their numbers.

use libc::c_long;

/// What libc does not name yet; these numbers are the same on all architectures (`scripts/syscall.tbl` of the kernel).
const SYS_STATMOUNT: c_long = 457;
const SYS_LISTMOUNT: c_long = 458;
const SYS_OPEN_TREE_ATTR: c_long = 467;

/// The first call of [`require_supported`](cofferdam_linux::require_supported), with which each of our programs begins. What comes
/// before is the C library's and Rust's.
pub(super) const FIRST: c_long = libc::SYS_uname;

/// Names as the rows of [`cofferdam_sequences::errors`] have them. The standard library opens files by openat(2).
const CALLS: &[(c_long, &str)] = &[
    (libc::SYS_mount, "mount"),
    (libc::SYS_umount2, "umount2"),
    (libc::SYS_pivot_root, "pivot_root"),
    (libc::SYS_open_tree, "open_tree"),
    (libc::SYS_move_mount, "move_mount"),
    (libc::SYS_mount_setattr, "mount_setattr"),
    (SYS_OPEN_TREE_ATTR, "open_tree_attr"),
    (libc::SYS_fsopen, "fsopen"),
    (libc::SYS_fsconfig, "fsconfig"),
    (libc::SYS_fsmount, "fsmount"),
    (libc::SYS_fspick, "fspick"),
    (SYS_STATMOUNT, "statmount"),
    (SYS_LISTMOUNT, "listmount"),
    (libc::SYS_statfs, "statfs"),
    (libc::SYS_fstatfs, "fstatfs"),
    (libc::SYS_chroot, "chroot"),
    (libc::SYS_chdir, "chdir"),
    (libc::SYS_fchdir, "fchdir"),
    (libc::SYS_getcwd, "getcwd"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_openat, "openat2"),
    (libc::SYS_close, "close"),
    (libc::SYS_close_range, "close_range"),
    (libc::SYS_dup3, "dup3"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_mknodat, "mknodat"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_readlinkat, "readlinkat"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchmodat, "fchmodat"),
    (libc::SYS_fchmodat2, "fchmodat"),
    (libc::SYS_fchownat, "fchownat"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_read, "read"),
    (libc::SYS_write, "write"),
    (libc::SYS_lseek, "lseek"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_pipe2, "pipe2"),
    (libc::SYS_umask, "umask"),
    (libc::SYS_uname, "uname"),
    (libc::SYS_getpid, "getpid"),
    (libc::SYS_getppid, "getppid"),
    (libc::SYS_geteuid, "geteuid"),
    (libc::SYS_capget, "capget"),
    (libc::SYS_capset, "capset"),
    (libc::SYS_prctl, "prctl"),
    (libc::SYS_setgroups, "setgroups"),
    (libc::SYS_setresgid, "setresgid"),
    (libc::SYS_setresuid, "setresuid"),
    (libc::SYS_prlimit64, "setrlimit"),
    (libc::SYS_rt_sigaction, "sigaction"),
    (libc::SYS_rt_sigprocmask, "sigprocmask"),
    (libc::SYS_rt_sigtimedwait, "sigwaitinfo"),
    (libc::SYS_kill, "kill"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_execve, "execve"),
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_exit_group, "exit"),
];

/// The call that has this number, if it is one of those that concern us.
pub(super) fn name(number: c_long) -> Option<&'static str> {
    CALLS.iter().find(|(other, _)| *other == number).map(|(_, name)| *name)
}

/// Every call that there is can be made to fail.
#[test]
fn all_calls_of_the_kernel_are_known() {
    for name in cofferdam::kernel::Call::NAMES {
        assert!(CALLS.iter().any(|(_, other)| other == name), "{name}");
    }
    for (_, name) in CALLS {
        assert!(cofferdam_sequences::errors::Row::of(name).is_some(), "{name}");
    }
}
