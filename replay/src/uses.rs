//! Which descriptors a call uses.

use cofferdam::kernel::{Bytes, Call, Fd, FsConfig};

use crate::decode::Action;

/// The descriptors that a call uses. A directory does not count where a path is absolute.
pub(crate) fn descriptors_of(action: &Action) -> Vec<Fd> {
    match action {
        Action::Call(call) | Action::Exists(call) => of_call(call),
        Action::Duplicate { old: fd, .. } | Action::SetCloseOnExec { fd, .. } => vec![*fd],
        _ => Vec::new(),
    }
}

fn at(dirfd: Fd, path: &Bytes) -> Option<Fd> {
    (dirfd != Fd::CWD && !path.0.starts_with(b"/")).then_some(dirfd)
}

fn of_call(call: &Call) -> Vec<Fd> {
    match call {
        Call::OpenTree { dirfd, path, .. }
        | Call::OpenTreeAttr { dirfd, path, .. }
        | Call::Fspick { dirfd, path, .. }
        | Call::Openat2 { dirfd, path, .. }
        | Call::Mkdirat { dirfd, path, .. }
        | Call::Mknodat { dirfd, path, .. }
        | Call::Symlinkat { dirfd, path, .. }
        | Call::Unlinkat { dirfd, path, .. }
        | Call::Readlinkat { dirfd, path }
        | Call::Statx { dirfd, path, .. }
        | Call::Fchmodat { dirfd, path, .. }
        | Call::Fchownat { dirfd, path, .. } => at(*dirfd, path).into_iter().collect(),
        Call::MountSetattr { dirfd, path, attr, .. } => at(*dirfd, path).into_iter().chain(attr.userns_fd).collect(),
        Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, .. } => {
            at(*from_dirfd, from_path).into_iter().chain(at(*to_dirfd, to_path)).collect()
        }
        Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, .. }
        | Call::Renameat2 { old_dirfd, old_path, new_dirfd, new_path, .. } => {
            at(*old_dirfd, old_path).into_iter().chain(at(*new_dirfd, new_path)).collect()
        }
        Call::Fsconfig { fd, config } => {
            let other = match config {
                FsConfig::SetPath { dirfd, path, .. } => at(*dirfd, path),
                FsConfig::SetFd { fd, .. } => Some(*fd),
                _ => None,
            };
            [*fd].into_iter().chain(other).collect()
        }
        Call::Fsmount { fd, .. }
        | Call::Fstatfs { fd }
        | Call::Fchdir { fd }
        | Call::Setns { fd, .. }
        | Call::Close { fd }
        | Call::Fchmod { fd, .. }
        | Call::Getdents64 { fd }
        | Call::Write { fd, .. } => vec![*fd],
        _ => Vec::new(),
    }
}
