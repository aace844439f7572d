//! Changing the group of a whole tree that somebody else has filled.
//!
//! Everything is done on descriptors. No symbolic link is followed, and no other mount is entered. What vanishes meanwhile
//! is passed over, and so is what is put in its place: what is made in a directory that is done has its group already.

use std::collections::VecDeque;

use typed_path::{UnixPath, UnixPathBuf};

use super::change::Change;
use super::{GidError, VolumeKind};
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags, Stat,
};
use crate::root::{itself, open_path, stat};

/// How many directories are open at once. From deeper ones the way up is `..`, if that still leads where we came from.
const DEEPEST: usize = 64;

/// The tree of a volume: a directory with all that is below it, or a single file.
#[derive(Debug)]
pub(super) struct Tree<'k> {
    kernel: &'k dyn Kernel,
    path: &'k UnixPath,
    top: Descriptor<'k>,
}

impl<'k> Tree<'k> {
    /// Opens a tree. The way to a persistent volume is the agent's; a path in a sandbox must not contain a symbolic link.
    ///
    /// # Errors
    ///
    /// Those of openat2(2); what is neither a directory nor, in a sandbox, a regular file.
    pub(super) fn open(kernel: &'k dyn Kernel, path: &'k UnixPath, kind: VolumeKind) -> Result<Self, GidError> {
        let top = match kind {
            VolumeKind::Persistent => open_path(kernel, path, OpenFlags::O_DIRECTORY).doing("open volume", path)?,
            VolumeKind::SandboxPath => {
                open_without_links(kernel, path).doing("open volume", path).map_err(|error| {
                    let hint = "a component is a symbolic link, which is not followed in a sandbox";
                    if error.errno == Errno::ELOOP { error.with_hint(hint) } else { error }
                })?
            }
        };
        let tree = Self { kernel, path, top };
        match tree.stat()?.file_type {
            FileType::Directory | FileType::Regular => Ok(tree),
            _ => {
                Err(GidError::InvalidPath { path: path.into(), reason: "it is neither a directory nor a regular file" })
            }
        }
    }

    /// What its top is now.
    pub(super) fn stat(&self) -> Result<Stat, CallError> {
        stat(self.kernel, self.top.fd()).doing("look at", self.path)
    }

    /// Changes all of it. What is right already costs no call that changes something.
    ///
    /// # Errors
    ///
    /// The first one ends it.
    pub(super) fn change(&self, change: Change) -> Result<(), GidError> {
        let top = self.stat()?;
        let mut walk = Walk {
            kernel: self.kernel,
            path: self.path,
            change,
            owner: top.uid,
            levels: Vec::new(),
            open: VecDeque::new(),
            left: 0,
        };
        if top.file_type == FileType::Directory {
            let directory = open_directory(self.kernel, self.top.fd(), UnixPath::new("."));
            walk.enter(directory.doing("open directory", self.path)?, Bytes::default())?;
            walk.run()?;
        } else {
            walk.change_file(self.top.fd(), &top, &Bytes::default())?;
        }
        if walk.left > 0 {
            tracing::warn!(
                volume = %Bytes::from(self.path),
                files = walk.left,
                "some files keep their group: they have other names and do not belong to the owner of the volume"
            );
        }
        Ok(())
    }
}

/// A directory on the way from the top to where we are.
struct Level {
    name: Bytes,
    identity: Identity,
    /// Those in it that are not done.
    subdirectories: Vec<Bytes>,
}

/// Which directory it is.
#[derive(PartialEq, Eq)]
struct Identity {
    mount_id: u64,
    device: DeviceNumber,
    inode: u64,
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        Self { mount_id: stat.mount_id, device: stat.device, inode: stat.inode }
    }
}

struct Walk<'k> {
    kernel: &'k dyn Kernel,
    path: &'k UnixPath,
    change: Change,
    /// The owner of the top.
    owner: u32,
    levels: Vec<Level>,
    /// The descriptors of the last levels; that of the very last is always there.
    open: VecDeque<Descriptor<'k>>,
    /// How many files were left because of their links.
    left: u64,
}

impl<'k> Walk<'k> {
    /// Does what is below the directories that were entered.
    fn run(&mut self) -> Result<(), GidError> {
        while let (Some(level), Some(directory)) = (self.levels.last_mut(), self.open.back()) {
            let Some(name) = level.subdirectories.pop() else {
                self.leave()?;
                continue;
            };
            match open_directory(self.kernel, directory.fd(), name.as_path()) {
                Ok(opened) => self.enter(opened, name)?,
                Err(Errno::EXDEV) => self.log_mount(&name),
                // It is gone, or something else is in its place.
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => return Err(self.failed("open directory", &name, errno).into()),
            }
        }
        Ok(())
    }

    /// Changes a directory and all in it that is no directory.
    fn enter(&mut self, directory: Descriptor<'k>, name: Bytes) -> Result<(), GidError> {
        let fd = directory.fd();
        let found = stat(self.kernel, fd).map_err(|errno| self.failed("look at", &name, errno))?;
        self.change_directory(fd, &found, &name)?;
        if self.open.len() == DEEPEST {
            self.open.pop_front();
        }
        self.open.push_back(directory);
        self.levels.push(Level { name, identity: Identity::of(&found), subdirectories: Vec::new() });
        let subdirectories = self.change_entries(fd)?;
        if let Some(level) = self.levels.last_mut() {
            level.subdirectories = subdirectories;
        }
        Ok(())
    }

    /// Goes back to the directory above.
    fn leave(&mut self) -> Result<(), GidError> {
        let (_, left) = (self.levels.pop(), self.open.pop_back());
        let (Some(above), Some(left), true) = (self.levels.last(), left, self.open.is_empty()) else { return Ok(()) };
        let moved = || GidError::Moved { path: self.path_to(&Bytes::default()).into() };
        let directory = match open_above(self.kernel, left.fd()) {
            // It is out of the mount.
            Err(Errno::ENOENT | Errno::EXDEV) => return Err(moved()),
            opened => opened.map_err(|errno| self.failed("go back to directory", &Bytes::default(), errno))?,
        };
        let found = stat(self.kernel, directory.fd());
        let found = found.map_err(|errno| self.failed("look at", &Bytes::default(), errno))?;
        if Identity::of(&found) != above.identity {
            return Err(moved());
        }
        self.open.push_back(directory);
        Ok(())
    }

    /// Changes what is in a directory but no directory itself, and gives the names of the directories.
    fn change_entries(&mut self, directory: Fd) -> Result<Vec<Bytes>, GidError> {
        let mut subdirectories = Vec::new();
        loop {
            let entries = match self.kernel.getdents64(directory) {
                // It was removed.
                Err(Errno::ENOENT) => return Ok(subdirectories),
                entries => entries.map_err(|errno| self.failed("read directory", &Bytes::default(), errno))?,
            };
            if entries.is_empty() {
                return Ok(subdirectories);
            }
            for name in entries.into_iter().map(|entry| entry.name) {
                if name.0 != b"." && name.0 != b".." && self.change_entry(directory, &name)? == FileType::Directory {
                    subdirectories.push(name);
                }
            }
        }
    }

    /// Changes an entry if it is no directory, and gives what it is; [`FileType::Anonymous`] if there is nothing to change.
    fn change_entry(&mut self, directory: Fd, name: &Bytes) -> Result<FileType, GidError> {
        let found = match self.kernel.statx(directory, name.as_path(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Ok(FileType::Anonymous),
            found => found.map_err(|errno| self.failed("look at", name, errno))?,
        };
        if found.file_type == FileType::Directory || found.gid == self.change.gid() {
            return Ok(found.file_type);
        }
        // What the decision is about and what is changed must be the same file, whatever is renamed in between.
        let opened = match open_entry(self.kernel, directory, name.as_path()) {
            Ok(opened) => opened,
            Err(Errno::ENOENT) => return Ok(FileType::Anonymous),
            Err(Errno::EXDEV) => {
                self.log_mount(name);
                return Ok(FileType::Anonymous);
            }
            Err(errno) => return Err(self.failed("open", name, errno).into()),
        };
        let found = stat(self.kernel, opened.fd()).map_err(|errno| self.failed("look at", name, errno))?;
        if found.file_type != FileType::Directory {
            self.change_file(opened.fd(), &found, name)?;
        }
        Ok(found.file_type)
    }

    fn change_file(&mut self, file: Fd, found: &Stat, name: &Bytes) -> Result<(), GidError> {
        if found.gid == self.change.gid() {
            return Ok(());
        }
        if self.change.leaves(found, self.owner) {
            self.left += u64::from(found.links > 1);
            return Ok(());
        }
        Ok(self.set_group(file, found, name)?)
    }

    /// At no time may a group write for which that is not meant.
    fn change_directory(&self, directory: Fd, found: &Stat, name: &Bytes) -> Result<(), CallError> {
        match self.change {
            Change::Share { .. } => {
                self.set_group(directory, found, name)?;
                self.set_mode(directory, found, name)
            }
            Change::GiveBack { .. } => {
                self.set_mode(directory, found, name)?;
                self.set_group(directory, found, name)
            }
        }
    }

    fn set_group(&self, file: Fd, found: &Stat, name: &Bytes) -> Result<(), CallError> {
        let gid = self.change.gid();
        if found.gid == gid {
            return Ok(());
        }
        self.kernel
            .fchownat(file, itself(), None, Some(gid), AtFlags::AT_EMPTY_PATH)
            .map_err(|errno| self.failed("set the group of", name, errno))
    }

    fn set_mode(&self, directory: Fd, found: &Stat, name: &Bytes) -> Result<(), CallError> {
        let mode = self.change.mode_of_directory(found.mode);
        if found.mode == mode {
            return Ok(());
        }
        self.kernel.fchmod(directory, mode).map_err(|errno| self.failed("set the mode of directory", name, errno))
    }

    fn log_mount(&self, name: &Bytes) {
        let mountpoint = Bytes::from(self.path_to(name));
        tracing::debug!(%mountpoint, "what is mounted below a volume keeps its group");
    }

    fn failed(&self, action: &'static str, name: &Bytes, errno: Errno) -> CallError {
        let error = CallError::new(action, &self.path_to(name), errno);
        match errno {
            Errno::EROFS => error.with_hint("the filesystem is read-only, but a volume that users share must be writable"),
            Errno::EPERM => error.with_hint(
                "is it immutable (lsattr), or on a filesystem where root of this host may not change groups (root_squash)?",
            ),
            _ => error,
        }
    }

    /// The path of an entry of the directory that we are in, or with an empty name of that directory.
    fn path_to(&self, name: &Bytes) -> UnixPathBuf {
        let names = self.levels.iter().map(|level| &level.name).chain([name]);
        names.filter(|name| !name.0.is_empty()).fold(self.path.to_path_buf(), |path, name| path.join(name))
    }
}

fn open_without_links<'k>(kernel: &'k dyn Kernel, path: &UnixPath) -> Result<Descriptor<'k>, Errno> {
    let resolve = ResolveFlags::RESOLVE_NO_SYMLINKS | ResolveFlags::RESOLVE_NO_MAGICLINKS;
    open(kernel, Fd::CWD, path, OpenFlags::O_PATH, resolve)
}

/// With `O_PATH`, so that it may be anything, also a symbolic link.
fn open_entry<'k>(kernel: &'k dyn Kernel, directory: Fd, name: &UnixPath) -> Result<Descriptor<'k>, Errno> {
    open(kernel, directory, name, OpenFlags::O_PATH | OpenFlags::O_NOFOLLOW, below())
}

fn open_directory<'k>(kernel: &'k dyn Kernel, directory: Fd, name: &UnixPath) -> Result<Descriptor<'k>, Errno> {
    open(kernel, directory, name, OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW, below())
}

fn open_above(kernel: &dyn Kernel, directory: Fd) -> Result<Descriptor<'_>, Errno> {
    let resolve = below() - ResolveFlags::RESOLVE_BENEATH;
    open(kernel, directory, UnixPath::new(".."), OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW, resolve)
}

fn below() -> ResolveFlags {
    ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_NO_XDEV | ResolveFlags::RESOLVE_NO_SYMLINKS
}

fn open<'k>(
    kernel: &'k dyn Kernel,
    directory: Fd,
    path: &UnixPath,
    flags: OpenFlags,
    resolve: ResolveFlags,
) -> Result<Descriptor<'k>, Errno> {
    let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve };
    kernel.openat2(directory, path, how).map(|fd| Descriptor::new(kernel, fd))
}
