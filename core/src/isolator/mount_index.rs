//! What is mounted at one moment: who remembers many containers asks the table of that moment, and not the kernel for each
//! volume.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use typed_path::{UnixPath, UnixPathBuf};

use super::error::tells_what_is_there;
use crate::error::CallError;
use crate::kernel::{AtFlags, Fd, Kernel};
use crate::mountinfo::{Entry, Table};
use crate::root::real_path;
use crate::volumes::PersistentVolume;

/// The mounts of a table, by where they are.
pub(super) struct MountIndex<'t> {
    table: &'t Table<'t>,
    by_mountpoint: HashMap<Cow<'t, [u8]>, Found<'t>>,
    /// The directories that volumes lie in. Most lie in the same few.
    directories: RefCell<HashMap<Vec<u8>, Option<Directory>>>,
}

/// What is mounted in one place.
enum Found<'t> {
    One(&'t Entry<'t>),
    /// One on the other.
    Several,
}

/// A directory, by its real path and by what a mount of it shows in the table.
#[derive(Clone)]
struct Directory {
    path: UnixPathBuf,
    device: (u32, u32),
    root: UnixPathBuf,
}

impl<'t> MountIndex<'t> {
    pub(super) fn new(table: &'t Table<'t>) -> Self {
        let mut by_mountpoint = HashMap::with_capacity(table.entries().len());
        for mount in table.entries() {
            match by_mountpoint.entry(bytes(mount.mountpoint())) {
                Slot::Vacant(slot) => drop(slot.insert(Found::One(mount))),
                Slot::Occupied(mut slot) => drop(slot.insert(Found::Several)),
            }
        }
        Self { table, by_mountpoint, directories: RefCell::default() }
    }

    /// The mount that a sandbox is, by its id: its path has no symbolic links then. `None` if it is none, or more than one, or
    /// if the table does not tell.
    pub(super) fn sandbox(&self, kernel: &dyn Kernel, sandbox: &UnixPath) -> Result<Option<u32>, CallError> {
        let Some(Found::One(mount)) = self.by_mountpoint.get(sandbox.as_bytes()) else { return Ok(None) };
        // Another mount may be on the way to it by now.
        let found = mount_id(kernel, sandbox)?;
        Ok((found == Some(mount.id())).then(|| mount.id()))
    }

    /// Whether a volume is mounted in the sandbox that is the mount with this id. `None` if the table does not tell.
    pub(super) fn holds(
        &self,
        kernel: &dyn Kernel,
        (id, sandbox): (u32, &UnixPath),
        volume: &PersistentVolume,
    ) -> Result<Option<bool>, CallError> {
        Ok(match self.by_mountpoint.get(&*in_directory(sandbox, volume.name.as_bytes())) {
            None => Some(false),
            Some(Found::One(mount)) if mount.parent_id() == id && self.is_of(kernel, mount, &volume.source)? => {
                Some(true)
            }
            Some(_) => None,
        })
    }

    /// Whether a mount is one of a directory. `false` also if the table does not tell.
    fn is_of(&self, kernel: &dyn Kernel, mount: &Entry<'_>, source: &UnixPath) -> Result<bool, CallError> {
        let (Some(parent), Some(name)) = (source.parent(), source.file_name()) else { return Ok(false) };
        let mut directories = self.directories.borrow_mut();
        let directory = match directories.get(parent.as_bytes()) {
            Some(known) => known,
            None => directories.entry(parent.as_bytes().to_vec()).or_insert(self.directory(kernel, parent)?),
        };
        let Some(Directory { path, device, root }) = directory else { return Ok(false) };
        Ok(*device == (mount.major(), mount.minor())
            && mount.root().as_bytes() == in_directory(root, name)
            // Such as a disk.
            && !self.by_mountpoint.contains_key(&*in_directory(path, name)))
    }

    fn directory(&self, kernel: &dyn Kernel, path: &UnixPath) -> Result<Option<Directory>, CallError> {
        let real = match real_path(kernel, path) {
            Err(error) if tells_what_is_there(error.errno) => return Ok(None),
            real => real?,
        };
        let mount = mount_id(kernel, &real)?.and_then(|id| self.table.by_id(id));
        Ok(mount.and_then(|mount| {
            let root = match real.strip_prefix(&*mount.mountpoint()).ok()? {
                below if below.as_bytes().is_empty() => mount.root().into_owned(),
                below => mount.root().join(below),
            };
            Some(Directory { path: real, device: (mount.major(), mount.minor()), root })
        }))
    }
}

/// The path of a name in a directory, whose path is a real one: without the cost of taking paths apart by component.
fn in_directory(directory: &UnixPath, name: &[u8]) -> Vec<u8> {
    match directory.as_bytes() {
        b"/" => [b"/", name].concat(),
        directory => [directory, b"/", name].concat(),
    }
}

/// The mount that a directory is in; `None` if there is none at this path.
fn mount_id(kernel: &dyn Kernel, directory: &UnixPath) -> Result<Option<u32>, CallError> {
    match kernel.statx(Fd::CWD, directory, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(u32::try_from(stat.mount_id).ok()),
        Err(errno) if tells_what_is_there(errno) => Ok(None),
        Err(errno) => Err(CallError::new("look at", directory, errno)),
    }
}

fn bytes(path: Cow<'_, UnixPath>) -> Cow<'_, [u8]> {
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.as_bytes()),
        Cow::Owned(path) => Cow::Owned(path.into_vec()),
    }
}
