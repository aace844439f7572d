//! What has to be there for a call to give what it has given.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Errno, Fd, FileType, FsConfig, FspickFlags, MountFlags, MoveMountFlags, OpenFlags,
    OpenTreeFlags, RenameFlags, UmountFlags,
};

use crate::decode::Given;

/// A path that leads somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) dirfd: Fd,
    pub(crate) path: Bytes,
    /// Whether a symbolic link at the end is followed.
    pub(crate) follow: bool,
    pub(crate) what: What,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A directory in which the last name need not be.
    Parent,
    /// A directory, for certain.
    Directory,
    /// Most likely a directory.
    LikelyDirectory,
    /// Most likely a regular file.
    LikelyRegular,
    /// A program.
    Program,
    /// A symbolic link.
    Symlink(Bytes),
    /// What stat(2) told.
    File { file_type: FileType, mode: u32, device: Option<cofferdam::kernel::DeviceNumber> },
}

fn wanted(dirfd: Fd, path: &Bytes, follow: bool, what: What) -> Wanted {
    Wanted { dirfd, path: path.clone(), follow, what }
}

/// What a call finds that has given this.
pub(crate) fn wanted_by(call: &Call, recorded: &Result<Given, Errno>) -> Vec<Wanted> {
    let mut all = by_path(call, recorded);
    let starts = all.iter().filter(|wanted| wanted.dirfd != Fd::CWD && !wanted.path.0.is_empty());
    let starts = starts.filter(|wanted| !wanted.path.0.starts_with(b"/")).map(|wanted| wanted.dirfd);
    let own = match call {
        Call::Fchdir { fd } | Call::Getdents64 { fd } => Some(*fd),
        _ => None,
    };
    let directories: Vec<Fd> = starts.chain(own).collect();
    let directory = |fd| wanted(fd, &Bytes::default(), false, What::Directory);
    all.extend(directories.into_iter().map(directory));
    all
}

fn by_path(call: &Call, recorded: &Result<Given, Errno>) -> Vec<Wanted> {
    let existed = recorded == &Err(Errno::EEXIST);
    let here = |path, what| wanted(Fd::CWD, path, true, what);
    match call {
        Call::Mount { source, target, filesystemtype, mountflags, data } => {
            let source = source.as_ref().filter(|_| mountflags.intersects(MountFlags::MS_BIND | MountFlags::MS_MOVE));
            let source = source.filter(|_| !mountflags.contains(MountFlags::MS_REMOUNT));
            let layers = layers(filesystemtype.as_ref(), data.as_ref());
            let mut all: Vec<_> = source.into_iter().map(|source| here(source, What::LikelyDirectory)).collect();
            all.extend(layers.iter().map(|layer| here(layer, What::Directory)));
            all.push(here(target, What::LikelyDirectory));
            all
        }
        Call::Umount2 { target, flags } => {
            let follow = !flags.contains(UmountFlags::UMOUNT_NOFOLLOW);
            vec![wanted(Fd::CWD, target, follow, What::LikelyDirectory)]
        }
        Call::PivotRoot { new_root, put_old } => vec![here(new_root, What::Directory), here(put_old, What::Directory)],
        Call::OpenTree { dirfd, path, flags } | Call::OpenTreeAttr { dirfd, path, flags, .. } => {
            let follow = !flags.contains(OpenTreeFlags::AT_SYMLINK_NOFOLLOW);
            vec![wanted(*dirfd, path, follow, What::LikelyDirectory)]
        }
        Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags } => vec![
            wanted(
                *from_dirfd,
                from_path,
                flags.contains(MoveMountFlags::MOVE_MOUNT_F_SYMLINKS),
                What::LikelyDirectory,
            ),
            wanted(*to_dirfd, to_path, flags.contains(MoveMountFlags::MOVE_MOUNT_T_SYMLINKS), What::LikelyDirectory),
        ],
        Call::MountSetattr { dirfd, path, flags, .. } => {
            vec![wanted(*dirfd, path, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW), What::LikelyDirectory)]
        }
        Call::Fspick { dirfd, path, flags } => {
            let follow = !flags.contains(FspickFlags::FSPICK_SYMLINK_NOFOLLOW);
            vec![wanted(*dirfd, path, follow, What::LikelyDirectory)]
        }
        Call::Fsconfig { config: FsConfig::SetPath { dirfd, path, .. }, .. } => {
            vec![wanted(*dirfd, path, true, What::LikelyDirectory)]
        }
        Call::Chroot { path } | Call::Chdir { path } => vec![here(path, What::Directory)],
        Call::Statfs { path } => vec![here(path, What::LikelyDirectory)],
        Call::Execve { path, .. } => vec![here(path, What::Program)],
        Call::Openat2 { .. } | Call::Statx { .. } | Call::Readlinkat { .. } => looking(call, recorded),
        Call::Mkdirat { dirfd, path, .. } => {
            vec![wanted(*dirfd, path, false, if existed { What::LikelyDirectory } else { What::Parent })]
        }
        Call::Mknodat { dirfd, path, .. } | Call::Symlinkat { dirfd, path, .. } => {
            vec![wanted(*dirfd, path, false, if existed { What::LikelyRegular } else { What::Parent })]
        }
        Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, flags } => vec![
            wanted(*old_dirfd, old_path, flags.contains(AtFlags::AT_SYMLINK_FOLLOW), What::LikelyRegular),
            wanted(*new_dirfd, new_path, false, if existed { What::LikelyRegular } else { What::Parent }),
        ],
        Call::Unlinkat { dirfd, path, flags } => {
            let is_directory = flags.contains(AtFlags::AT_REMOVEDIR) || recorded == &Err(Errno::EISDIR);
            let what = if is_directory { What::LikelyDirectory } else { What::LikelyRegular };
            vec![wanted(*dirfd, path, false, what)]
        }
        Call::Renameat2 { old_dirfd, old_path, new_dirfd, new_path, flags } => {
            let is_there = existed || flags.contains(RenameFlags::RENAME_EXCHANGE);
            vec![
                wanted(*old_dirfd, old_path, false, What::LikelyRegular),
                wanted(*new_dirfd, new_path, false, if is_there { What::LikelyRegular } else { What::Parent }),
            ]
        }
        Call::Fchmodat { dirfd, path, .. } => vec![wanted(*dirfd, path, true, What::LikelyRegular)],
        Call::Fchownat { dirfd, path, flags, .. } => {
            vec![wanted(*dirfd, path, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW), What::LikelyRegular)]
        }
        _ => Vec::new(),
    }
}

/// What those find that tell of what is there.
fn looking(call: &Call, recorded: &Result<Given, Errno>) -> Vec<Wanted> {
    match call {
        Call::Openat2 { dirfd, path, how } => {
            let has = |flag| how.flags.contains(flag);
            let makes = has(OpenFlags::O_CREAT);
            let what = if has(OpenFlags::O_DIRECTORY) {
                What::Directory
            } else if makes && recorded != &Err(Errno::EEXIST) {
                What::Parent
            } else if has(OpenFlags::O_PATH) || recorded == &Err(Errno::EISDIR) || path.0.ends_with(b"/") {
                What::LikelyDirectory
            } else {
                What::LikelyRegular
            };
            vec![wanted(*dirfd, path, !has(OpenFlags::O_NOFOLLOW), what)]
        }
        Call::Statx { dirfd, path, flags } => {
            let what = match recorded {
                Ok(Given::File { file_type, mode, device }) => {
                    What::File { file_type: *file_type, mode: *mode, device: *device }
                }
                _ => What::LikelyRegular,
            };
            vec![wanted(*dirfd, path, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW), what)]
        }
        Call::Readlinkat { dirfd, path } => {
            let what = match recorded {
                Ok(Given::Target(target)) => What::Symlink(target.clone()),
                _ => What::LikelyDirectory,
            };
            vec![wanted(*dirfd, path, false, what)]
        }
        _ => Vec::new(),
    }
}

/// The directories of an overlay.
fn layers(filesystem: Option<&Bytes>, data: Option<&Bytes>) -> Vec<Bytes> {
    let (Some(Bytes(filesystem)), Some(Bytes(data))) = (filesystem, data) else { return Vec::new() };
    if filesystem != b"overlay" {
        return Vec::new();
    }
    let mut layers = Vec::new();
    for option in data.split(|byte| *byte == b',') {
        if let Some(lower) = option.strip_prefix(b"lowerdir=") {
            let paths = lower.split(|byte| *byte == b':').filter(|path| !path.is_empty());
            layers.extend(paths.map(|path| Bytes(path.to_vec())));
        }
        let upper = option.strip_prefix(b"upperdir=").or_else(|| option.strip_prefix(b"workdir="));
        layers.extend(upper.map(|path| Bytes(path.to_vec())));
    }
    layers
}
