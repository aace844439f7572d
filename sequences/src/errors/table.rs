//! What the kernel can return for each call, on the filesystems that are modelled: what a run has to produce, and what none
//! does, with the reason. It is read off Linux 6.18.

use cofferdam::kernel::Errno;

use super::reasons::{
    ADDRESSES, COPY_UP, DEVICES, EXISTS, FILE_TABLE, INTERRUPTION, LAYERS, MACHINE_LIMIT, MEMORY, MOUNTED_OVERLAY,
    NO_HOLDERS, NOT_IN_THE_TRAIT, NUMBERS, OTHER_FILESYSTEMS, PROCESS_FD, QUOTA, RACE, SELDOM, SIZES, WIDE,
};

/// What can come of a call.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub call: &'static str,
    /// The errors that it shares with others, and its own. A run has to produce them, and success.
    errors: [&'static [Errno]; 2],
    /// Errors that no run has to produce, and why.
    unexpected: &'static [(&'static str, &'static [Errno])],
}

impl Row {
    /// The row of a call.
    pub fn of(call: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.call == call)
    }

    /// All errors that the kernel can return, whatever a run can do to produce them. Left out are those of arguments that
    /// [`Kernel`](cofferdam::kernel::Kernel) does not let anybody make.
    pub fn possible(&self) -> impl Iterator<Item = Errno> {
        let is_argument = |reason: &str| [SIZES, NOT_IN_THE_TRAIT, ADDRESSES].contains(&reason);
        let others = self.unexpected().filter(move |(reason, _)| !is_argument(reason)).map(|(_, errno)| errno);
        self.expected().chain(others)
    }

    /// The errors that a run has to produce.
    pub fn expected(&self) -> impl Iterator<Item = Errno> {
        self.errors.into_iter().flatten().copied()
    }

    /// What no run has to produce, as it is seldom, and when it occurs.
    pub fn seldom(&self) -> impl Iterator<Item = (&'static str, Errno)> {
        let walks = if self.errors[0].is_empty() { &[] } else { WALK_IN_LAYERS };
        let of_walk = walks.iter().filter(|errno| !self.errors[1].contains(errno)).map(|errno| (LAYERS, *errno));
        self.unexpected().filter(|(reason, _)| SELDOM.contains(reason)).chain(of_walk)
    }

    /// What no run produces, and why.
    pub fn never(&self) -> impl Iterator<Item = (&'static str, Errno)> {
        self.unexpected().filter(|(reason, _)| !SELDOM.contains(reason))
    }

    fn unexpected(&self) -> impl Iterator<Item = (&'static str, Errno)> {
        self.unexpected.iter().flat_map(|(reason, errors)| errors.iter().map(move |errno| (*reason, *errno)))
    }
}

/// What no call ever returns, and why, if its row does not say otherwise.
pub const NO_CALL: &[(Errno, &str)] =
    &[(Errno::EFAULT, ADDRESSES), (Errno::ENOMEM, MEMORY), (Errno::ENOSYS, EXISTS), (Errno::EINTR, INTERRUPTION)];

/// A call that takes no path.
const NONE: &[Errno] = &[];
/// A walk from the root or the working directory; `ESRCH` from a directory of proc whose process is gone.
const PATH: &[Errno] = &[Errno::EACCES, Errno::ELOOP, Errno::ENAMETOOLONG, Errno::ENOENT, Errno::ENOTDIR, Errno::ESRCH];
/// A walk from a descriptor.
const AT: &[Errno] =
    &[Errno::EACCES, Errno::EBADF, Errno::ELOOP, Errno::ENAMETOOLONG, Errno::ENOENT, Errno::ENOTDIR, Errno::ESRCH];

/// What a walk can come to in an overlay whose layers were changed.
const WALK_IN_LAYERS: &[Errno] = &[Errno::EIO, Errno::EROFS, Errno::ESTALE];

macro_rules! rows {
    ($($call:ident: $shared:ident $($errno:ident)* $(, $reason:ident $($never:ident)+)*;)*) => {
        &[$(Row {
            call: stringify!($call),
            errors: [$shared, &[$(Errno::$errno),*]],
            unexpected: &[$(($reason, &[$(Errno::$never),+])),*],
        }),*]
    };
}

/// The calls.
pub const ROWS: &[Row] = rows! {
    mount: PATH EBUSY EINVAL ENODEV EPERM EROFS, MOUNTED_OVERLAY ENOSPC, DEVICES ENOTBLK ENXIO, NUMBERS EMFILE, RACE EAGAIN;
    umount2: PATH EAGAIN EBUSY EINVAL EPERM;
    pivot_root: PATH EBUSY EINVAL EPERM;
    open_tree: AT EINVAL EMFILE EPERM ENOSPC, FILE_TABLE ENFILE;
    move_mount: AT EINVAL EPERM, MACHINE_LIMIT ENOSPC, RACE EBUSY;
    mount_setattr: AT EBUSY EINVAL EPERM, SIZES E2BIG, NUMBERS ENOSPC;
    open_tree_attr: AT EBUSY EINVAL EMFILE EPERM ENOSPC, SIZES E2BIG, FILE_TABLE ENFILE;
    fsopen: NONE EINVAL EMFILE ENODEV EPERM, FILE_TABLE ENFILE;
    fsconfig: NONE EBADF EBUSY EINVAL ENAMETOOLONG ENOENT EPERM,
        NUMBERS EMFILE, MOUNTED_OVERLAY EACCES EIO ELOOP ENOSPC ENOTDIR EROFS ESRCH,
        DEVICES ENOTBLK ENXIO, OTHER_FILESYSTEMS EOPNOTSUPP;
    fsmount: NONE EBADF EBUSY EINVAL EMFILE EPERM ENOSPC, FILE_TABLE ENFILE;
    fspick: AT EINVAL EMFILE EPERM, FILE_TABLE ENFILE, OTHER_FILESYSTEMS EOPNOTSUPP;
    statmount: NONE EINVAL ENOENT EPERM, SIZES E2BIG EOVERFLOW, RACE EAGAIN;
    listmount: NONE EINVAL ENOENT EPERM, SIZES E2BIG EOVERFLOW;
    statfs: PATH, WIDE EOVERFLOW;
    fstatfs: NONE EBADF, OTHER_FILESYSTEMS EIO, WIDE EOVERFLOW;
    chroot: PATH EPERM;
    chdir: PATH;
    fchdir: NONE EACCES EBADF ENOTDIR ESRCH;
    getcwd: NONE ENAMETOOLONG ENOENT, SIZES ERANGE;
    unshare: NONE EINVAL EPERM ENOSPC;
    setns: NONE EBADF EINVAL EPERM, NOT_IN_THE_TRAIT ESRCH;
    openat2: AT EEXIST EINVAL EISDIR EMFILE ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS EXDEV ENOSPC,
        SIZES E2BIG, FILE_TABLE ENFILE, QUOTA EDQUOT, RACE EAGAIN, NO_HOLDERS ETXTBSY, DEVICES EBUSY ENODEV, COPY_UP EFBIG,
        LAYERS ENOTEMPTY;
    close: NONE EBADF, OTHER_FILESYSTEMS EIO ENOSPC, QUOTA EDQUOT;
    close_range: NONE EINVAL;
    dup3: NONE EBADF EINVAL, RACE EBUSY;
    mkdirat: AT EEXIST EOVERFLOW EPERM EROFS ENOSPC, QUOTA EDQUOT, OTHER_FILESYSTEMS EINVAL EMLINK, LAYERS ENOTEMPTY;
    mknodat: AT EEXIST EINVAL EMFILE EOVERFLOW EPERM EROFS ENOSPC, QUOTA EDQUOT, LAYERS ENOTEMPTY;
    symlinkat: AT EEXIST EOVERFLOW EPERM EROFS ENOSPC, QUOTA EDQUOT, LAYERS ENOTEMPTY;
    linkat: AT EEXIST EINVAL EOVERFLOW EPERM EROFS EXDEV ENOSPC, QUOTA EDQUOT, COPY_UP EFBIG, OTHER_FILESYSTEMS EMLINK,
        LAYERS ENOTEMPTY;
    unlinkat: AT EBUSY EINVAL EISDIR ENOTEMPTY EOVERFLOW EPERM EROFS, NO_HOLDERS ETXTBSY;
    renameat2: AT EBUSY EEXIST EINVAL EISDIR ENOTEMPTY EOVERFLOW EPERM EROFS EXDEV ENOSPC,
        QUOTA EDQUOT, COPY_UP EFBIG, NO_HOLDERS ETXTBSY, OTHER_FILESYSTEMS EMLINK;
    readlinkat: AT EINVAL;
    statx: AT EINVAL, WIDE EOVERFLOW;
    fchmod: NONE EBADF EOPNOTSUPP EOVERFLOW EPERM EROFS, NO_HOLDERS ETXTBSY,
        LAYERS EIO ENOENT ESTALE, COPY_UP EEXIST EFBIG ENOSPC;
    fchmodat: AT EOPNOTSUPP EOVERFLOW EPERM EROFS, COPY_UP EEXIST EFBIG ENOSPC, NO_HOLDERS ETXTBSY;
    fchownat: AT EINVAL EOPNOTSUPP EOVERFLOW EPERM EROFS, QUOTA EDQUOT, COPY_UP EEXIST EFBIG ENOSPC,
        NO_HOLDERS ETXTBSY;
    getdents64: NONE EBADF ENOENT ENOTDIR, LAYERS EACCES EIO ELOOP ESTALE, SIZES EINVAL, WIDE EOVERFLOW;
    read: NONE EAGAIN EBADF EINVAL EISDIR ENODATA, OTHER_FILESYSTEMS EIO, WIDE EOVERFLOW, SIZES EMSGSIZE;
    write: NONE EAGAIN EBADF EFBIG EINVAL EPERM EPIPE ENOSPC,
        QUOTA EDQUOT, OTHER_FILESYSTEMS EIO, NO_HOLDERS ETXTBSY, NOT_IN_THE_TRAIT EDESTADDRREQ;
    lseek: NONE EBADF EINVAL ESPIPE, WIDE EOVERFLOW, NOT_IN_THE_TRAIT ENXIO;
    ftruncate: NONE EBADF EFBIG EINVAL, NO_HOLDERS ETXTBSY, NOT_IN_THE_TRAIT EPERM, OTHER_FILESYSTEMS EIO;
    fsync: NONE EBADF EINVAL, OTHER_FILESYSTEMS EIO ENOSPC EROFS, QUOTA EDQUOT;
    flock: NONE EAGAIN EBADF EINVAL, MEMORY ENOLCK;
    pipe2: NONE EINVAL EMFILE ENOPKG, FILE_TABLE ENFILE;
    umask: NONE;
    uname: NONE;
    getpid: NONE;
    getppid: NONE;
    geteuid: NONE;
    capget: NONE, NOT_IN_THE_TRAIT EINVAL EPERM ESRCH;
    capset: NONE EPERM, NOT_IN_THE_TRAIT EINVAL;
    prctl: NONE EINVAL EPERM, NOT_IN_THE_TRAIT EACCES EBADF EBUSY ENODEV ENXIO EOPNOTSUPP;
    setgroups: NONE EINVAL EPERM;
    setresgid: NONE EINVAL EPERM;
    setresuid: NONE EINVAL EPERM, MEMORY EAGAIN;
    setrlimit: NONE EINVAL EPERM;
    sigaction: NONE EINVAL;
    sigprocmask: NONE, SIZES EINVAL;
    sigwaitinfo: NONE, NOT_IN_THE_TRAIT EAGAIN, SIZES EINVAL;
    kill: NONE EINVAL EPERM ESRCH;
    wait4: NONE ECHILD EINVAL ESRCH;
    execve: PATH E2BIG EINVAL EIO ELIBBAD ENOEXEC ETXTBSY,
        MACHINE_LIMIT EAGAIN, OTHER_FILESYSTEMS EISDIR, NOT_IN_THE_TRAIT EPERM, FILE_TABLE ENFILE;
    clone3: NONE EFAULT EINVAL ENOMEM EPERM ENOSPC,
        MACHINE_LIMIT EAGAIN, NOT_IN_THE_TRAIT EBADF EBUSY EEXIST EOPNOTSUPP, PROCESS_FD EMFILE, SIZES E2BIG;
    exit: NONE;
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cofferdam::kernel::Call;

    use super::*;

    #[test]
    fn every_call_has_a_row() {
        let calls: Vec<_> = ROWS.iter().map(|row| row.call).collect();
        let unique: BTreeSet<_> = calls.iter().copied().collect();
        assert_eq!(calls.len(), unique.len());
        let all: BTreeSet<_> = Call::NAMES.iter().copied().chain(["exit"]).collect();
        assert_eq!(unique, all);
    }

    #[test]
    fn nothing_is_both_expected_and_impossible_or_said_twice() {
        for row in ROWS {
            let others = row.never().chain(row.seldom()).map(|(_, errno)| errno);
            let errors: Vec<_> = row.expected().chain(others).collect();
            let unique: BTreeSet<_> = errors.iter().copied().collect();
            assert_eq!(errors.len(), unique.len(), "{}", row.call);
        }
    }
}
