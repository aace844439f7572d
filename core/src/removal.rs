//! Removing a directory tree that somebody else has filled.

use typed_path::UnixPath;

use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, DirectoryEntry, Errno, Fd, FileType, Kernel, Mode, OpenFlags, OpenHow, RenameFlags,
    ResolveFlags, Whence,
};
use crate::root::open_path;

/// How many directories are open at once. Deeper ones are first moved up, so that no tree is too deep for us.
const DEEPEST: usize = 64;

/// A directory that is being emptied.
struct Level<'k> {
    descriptor: Descriptor<'k>,
    name: Bytes,
    /// What was read of it and not looked at yet.
    entries: Vec<DirectoryEntry>,
}

/// Removes a directory with all that is in it; nothing is done if it does not exist.
///
/// It works on descriptors, follows no symbolic link below the directory, and does not enter another mount: it fails with
/// `EXDEV` or `EBUSY` instead, and what is left is left.
pub(crate) fn remove_tree(kernel: &dyn Kernel, directory: &UnixPath) -> Result<(), CallError> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Err(CallError::new("remove", directory, Errno::EINVAL));
    };
    let parent = match open_path(kernel, parent, OpenFlags::O_DIRECTORY) {
        Err(Errno::ENOENT) => return Ok(()),
        parent => parent.doing("open directory", parent_of(directory))?,
    };
    remove_tree_in(kernel, &parent, UnixPath::new(name), directory)
}

/// The same, of a directory in one that is open already; the path is for messages.
pub(crate) fn remove_tree_in(
    kernel: &dyn Kernel,
    parent: &Descriptor<'_>,
    name: &UnixPath,
    directory: &UnixPath,
) -> Result<(), CallError> {
    let top = match open_directory(kernel, parent.fd(), name) {
        Err(Errno::ENOENT) => return Ok(()),
        top => top.doing("open directory", directory)?,
    };
    empty(kernel, top, directory)?;
    kernel.unlinkat(parent.fd(), name, AtFlags::AT_REMOVEDIR).doing("remove directory", directory)
}

fn parent_of(directory: &UnixPath) -> &UnixPath {
    directory.parent().unwrap_or(directory)
}

/// Empties a directory, depth first, without recursion.
fn empty(kernel: &dyn Kernel, top: Descriptor<'_>, path: &UnixPath) -> Result<(), CallError> {
    let mut levels = vec![Level { descriptor: top, name: Bytes::default(), entries: Vec::new() }];
    let mut moved_up = 0_u64;
    loop {
        let path = levels.iter().fold(path.to_path_buf(), |path, level| path.join(&level.name));
        let Some(level) = levels.last_mut() else { break };
        let directory = level.descriptor.fd();
        match remove_files(kernel, level, &path)? {
            Some(name) if levels.len() == DEEPEST => {
                move_up(kernel, directory, &name, levels[0].descriptor.fd(), &mut moved_up)
                    .doing("move up for removal", &path.join(&name))?;
            }
            Some(name) => {
                let opened = open_directory(kernel, directory, name.as_path())
                    .doing("open directory", &path.join(&name))
                    .map_err(|error| match error.errno {
                        Errno::EXDEV => error.with_hint("something is mounted there; unmount it first"),
                        _ => error,
                    })?;
                levels.push(Level { descriptor: opened, name, entries: Vec::new() });
            }
            None => {
                let Some(Level { name, .. }) = levels.pop() else { break };
                if let Some(above) = levels.last() {
                    kernel
                        .unlinkat(above.descriptor.fd(), name.as_path(), AtFlags::AT_REMOVEDIR)
                        .doing("remove directory", &path)?;
                }
            }
        }
    }
    Ok(())
}

/// Moves a directory into the top one, under the next name that is free there: a hostile tree may have brought some.
fn move_up(kernel: &dyn Kernel, from: Fd, name: &Bytes, top: Fd, moved_up: &mut u64) -> Result<(), Errno> {
    loop {
        let to = Bytes::from(format!(".cofferdam-removing-{moved_up}"));
        *moved_up += 1;
        match kernel.renameat2(from, name.as_path(), top, to.as_path(), RenameFlags::RENAME_NOREPLACE) {
            Err(Errno::EEXIST) => {}
            result => return result,
        }
    }
}

/// Removes what is no directory until it comes to one, whose name it gives; `None` once the directory is empty.
fn remove_files(kernel: &dyn Kernel, level: &mut Level<'_>, path: &UnixPath) -> Result<Option<Bytes>, CallError> {
    let directory = level.descriptor.fd();
    loop {
        if level.entries.is_empty() {
            // From the start each time: what a position means after entries were removed differs between filesystems.
            kernel.lseek(directory, 0, Whence::Start).doing("read directory", path)?;
            level.entries = kernel.getdents64(directory).doing("read directory", path)?;
            level.entries.retain(|entry| entry.name.0 != b"." && entry.name.0 != b"..");
        }
        let Some(DirectoryEntry { name, file_type, .. }) = level.entries.pop() else { return Ok(None) };
        if file_type == Some(FileType::Directory) {
            return Ok(Some(name));
        }
        match kernel.unlinkat(directory, name.as_path(), AtFlags::empty()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::EISDIR) => return Ok(Some(name)),
            Err(errno) => return Err(CallError::new("remove", &path.join(&name), errno)),
        }
    }
}

fn open_directory<'k>(kernel: &'k dyn Kernel, parent: Fd, name: &UnixPath) -> Result<Descriptor<'k>, Errno> {
    let how = OpenHow {
        flags: OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC,
        mode: Mode(0),
        resolve: ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_NO_XDEV | ResolveFlags::RESOLVE_NO_SYMLINKS,
    };
    kernel.openat2(parent, name, how).map(|fd| Descriptor::new(kernel, fd))
}
