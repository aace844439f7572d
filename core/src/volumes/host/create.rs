//! Directories that are made for volumes, below directories that we do not trust.

use typed_path::{Component as _, UnixPath, UnixPathBuf};

use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Descriptor, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags};
use crate::root::{Root, itself};

/// The permissions of what is made.
const PERMISSIONS: Mode = Mode(0o755);

/// A directory that was made.
#[derive(Clone, Debug)]
pub(super) struct MadeDirectory {
    /// The directory below which it was made, by a path that is trusted.
    base: UnixPathBuf,
    /// Its path relative to that.
    path: UnixPathBuf,
}

/// Whom new directories are given to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// Nobody: they stay ours.
    Ourselves,
    /// All of them to a user and a group.
    All(u32, u32),
    /// The last one to a user and a group. Those above it may come to hold directories of other users.
    Last(u32, u32),
}

impl Owner {
    fn of(self, is_last: bool) -> Option<(u32, u32)> {
        match self {
            Self::All(uid, gid) => Some((uid, gid)),
            Self::Last(uid, gid) if is_last => Some((uid, gid)),
            _ => None,
        }
    }
}

/// Makes the directory at a relative path, and missing ones above it, and adds them to `made`.
pub(super) fn create(
    kernel: &dyn Kernel,
    root: &Root<'_>,
    path: &UnixPath,
    owner: Owner,
    made: &mut Vec<MadeDirectory>,
) -> Result<(), CallError> {
    let last = path.components().count();
    let mut walked = UnixPathBuf::new();
    for (number, component) in path.components().enumerate() {
        walked.push(component.as_bytes());
        let (parent, name) = root.parent(&walked)?;
        match kernel.mkdirat(parent.fd(), name, PERMISSIONS) {
            // What it is, if it is no directory, is found out by whoever opens what is below.
            Err(Errno::EEXIST) => continue,
            result => result.map_err(|errno| root.explain("create directory", &walked, errno))?,
        }
        made.push(MadeDirectory { base: root.path().to_path_buf(), path: walked.clone() });
        finish(kernel, parent.fd(), name, owner.of(number + 1 == last), &root.path().join(&walked))?;
    }
    Ok(())
}

/// Gives a new directory the permissions that the umask may have taken, and an owner.
fn finish(
    kernel: &dyn Kernel,
    parent: Fd,
    name: &UnixPath,
    owner: Option<(u32, u32)>,
    path: &UnixPath,
) -> Result<(), CallError> {
    let how = OpenHow {
        flags: OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC,
        mode: Mode(0),
        resolve: ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_NO_SYMLINKS | ResolveFlags::RESOLVE_NO_XDEV,
    };
    let directory = kernel.openat2(parent, name, how).doing("open the new directory", path)?;
    let directory = Descriptor::new(kernel, directory);
    // Whoever can write to the directory above may have put another one in its place, which is not ours to give away.
    let entries = kernel.getdents64(directory.fd()).doing("read the new directory", path)?;
    if entries.iter().any(|entry| entry.name.0 != b"." && entry.name.0 != b"..") {
        let error = CallError::new("create directory", path, Errno::EEXIST);
        return Err(error.with_hint("somebody has put another directory in its place at the same time"));
    }
    kernel.fchmod(directory.fd(), PERMISSIONS).doing("set the mode of", path)?;
    if let Some((uid, gid)) = owner {
        kernel
            .fchownat(directory.fd(), itself(), Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
            .doing("change the owner of", path)?;
    }
    Ok(())
}

/// Removes directories again, as far as they are empty: what is in use by now stays.
pub(super) fn remove(kernel: &dyn Kernel, made: &[MadeDirectory]) {
    for MadeDirectory { base, path } in made.iter().rev() {
        let removed = Root::open(kernel, base).and_then(|root| {
            let (parent, name) = root.parent(path)?;
            kernel.unlinkat(parent.fd(), name, AtFlags::AT_REMOVEDIR).doing("remove directory", &base.join(path))
        });
        if let Err(error) = removed {
            tracing::warn!(%error, "a directory that was made for a volume stays");
        }
    }
}
