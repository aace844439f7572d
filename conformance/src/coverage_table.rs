//! Which errors the manual pages document for each call, as far as they can occur here.
//!
//! Left out are those that need what neither kernel is given: bad addresses (`EFAULT`, `E2BIG`), devices
//! (`ENOTBLK`, `EIO`, `ENXIO`), exhausted memory or tables (`ENOMEM`, `ENFILE`, `EMFILE`, `EDQUOT`,
//! `ENOSPC` of mount(2)), signals
//! that interrupt (`EINTR`), kernels without a call (`ENOSYS`), a program that is run, `EAGAIN` of openat2(2), which depends
//! on what others do, and what only other filesystems say (`EROFS` of mount(2), `EOPNOTSUPP` of fsconfig(2), `EINVAL` of
//! mkdir(2)).

use cofferdam::kernel::Errno;

macro_rules! possible {
    ($($call:ident: $($errno:ident)*;)*) => {
        &[$((stringify!($call), &[$(Errno::$errno),*])),*]
    };
}

/// The calls that are made only in ways in which they fail: a process that runs a program takes no more steps.
pub(crate) const NEVER_SUCCEED: &[&str] = &["execve"];

/// The calls with their errors.
pub(crate) const POSSIBLE: &[(&str, &[Errno])] = possible! {
    mount: EACCES EBUSY EINVAL ELOOP ENAMETOOLONG ENODEV ENOENT ENOTDIR EPERM;
    umount2: EAGAIN EBUSY EINVAL EACCES ENAMETOOLONG ENOENT ENOTDIR ELOOP EPERM;
    pivot_root: EBUSY EINVAL ENOTDIR ENOENT EPERM ELOOP EACCES;
    open_tree: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EPERM;
    open_tree_attr: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM;
    move_mount: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM;
    mount_setattr: EBADF EBUSY EINVAL ENOENT EPERM ENOTDIR ELOOP;
    fsopen: EINVAL ENODEV EPERM;
    fsconfig: EBUSY EINVAL EBADF EPERM;
    fsmount: EBADF EBUSY EINVAL EPERM;
    fspick: EACCES EBADF EINVAL ELOOP ENOENT ENOTDIR EPERM;
    statmount: ENOENT EINVAL EPERM;
    listmount: ENOENT EINVAL EPERM;
    statfs: EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR;
    fstatfs: EBADF;
    chroot: EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM;
    chdir: EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR;
    fchdir: EACCES EBADF ENOTDIR;
    getcwd: ENOENT;
    unshare: EINVAL ENOSPC EPERM;
    setns: EBADF EINVAL EPERM;
    openat2: EACCES EBADF EEXIST EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR ENXIO EPERM EROFS EXDEV;
    close: EBADF;
    close_range: EINVAL;
    dup3: EBADF EINVAL;
    mkdirat: EACCES EBADF EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EROFS;
    mknodat: EACCES EBADF EEXIST EINVAL ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EPERM EROFS;
    symlinkat: EACCES EBADF EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EROFS;
    linkat: EACCES EBADF EEXIST EINVAL ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EPERM EROFS EXDEV;
    unlinkat: EACCES EBADF EBUSY EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENOTEMPTY EPERM EROFS;
    renameat2: EACCES EBADF EBUSY EEXIST EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR ENOTEMPTY EPERM EROFS EXDEV;
    readlinkat: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR;
    statx: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR;
    fchmod: EBADF EPERM EROFS;
    fchmodat: EACCES EBADF ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS;
    fchownat: EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS;
    getdents64: EBADF ENOENT ENOTDIR;
    read: EAGAIN EBADF EINVAL EISDIR;
    write: EAGAIN EBADF EINVAL ENOSPC EPERM EPIPE;
    lseek: EBADF EINVAL ESPIPE;
    ftruncate: EBADF EINVAL;
    fsync: EBADF EINVAL;
    flock: EAGAIN EBADF EINVAL;
    pipe2: EINVAL;
    umask:;
    getpid:;
    getppid:;
    geteuid:;
    capget:;
    capset: EPERM;
    prctl: EINVAL EPERM;
    setgroups: EINVAL EPERM;
    setresgid: EINVAL EPERM;
    setresuid: EINVAL EPERM;
    setrlimit: EINVAL EPERM;
    sigaction: EINVAL;
    sigprocmask:;
    kill: EINVAL EPERM ESRCH;
    wait4: ECHILD EINVAL;
    execve: EACCES ELOOP ENAMETOOLONG ENOENT ENOEXEC ENOTDIR;
    fork: EINVAL ENOSPC EPERM;
    exit:;
};
