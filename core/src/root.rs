//! Paths below a directory that we do not trust, resolved on descriptors.
//!
//! A rootfs and a sandbox are written by somebody else. Nothing below them is ever named by a path from outside: each
//! path is resolved by the kernel below a descriptor of the directory, in one step, without following a symbolic link
//! and without leaving it (openat2(2): `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`).

use typed_path::{Component as _, UnixPath, UnixPathBuf};

use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, NodeMode, OpenFlags, OpenHow,
    ResolveFlags, Stat,
};

/// openat2(2) gives `EAGAIN` when a rename elsewhere makes it unsure that it stayed below; again is what it asks for.
const ATTEMPTS: usize = 128;

/// A directory below which paths are resolved.
#[derive(Debug)]
pub struct Root<'k> {
    kernel: &'k dyn Kernel,
    descriptor: Descriptor<'k>,
    path: UnixPathBuf,
}

impl<'k> Root<'k> {
    /// Opens a directory by a path that is trusted: symbolic links in it are followed.
    ///
    /// # Errors
    ///
    /// Those of openat2(2).
    pub fn open(kernel: &'k dyn Kernel, path: &UnixPath) -> Result<Self, CallError> {
        let descriptor = open_path(kernel, path, OpenFlags::O_DIRECTORY).doing("open directory", path)?;
        Ok(Self::from_descriptor(kernel, descriptor, path.to_path_buf()))
    }

    /// A directory that is open already; the path is for messages.
    pub fn from_descriptor(kernel: &'k dyn Kernel, descriptor: Descriptor<'k>, path: UnixPathBuf) -> Self {
        Self { kernel, descriptor, path }
    }

    /// The directory's descriptor.
    pub fn fd(&self) -> Fd {
        self.descriptor.fd()
    }

    /// The directory, as it was opened.
    pub fn path(&self) -> &UnixPath {
        &self.path
    }

    /// Opens what is at a relative path, with `O_PATH`. The empty path is the directory itself.
    ///
    /// # Errors
    ///
    /// Those of openat2(2). `ELOOP`, with a message that says where, if a component is a symbolic link.
    pub fn resolve(&self, path: &UnixPath, flags: OpenFlags) -> Result<Descriptor<'k>, CallError> {
        self.try_resolve(path, flags | OpenFlags::O_PATH).map_err(|errno| self.explain("open", path, errno))
    }

    /// Opens the directory at a relative path; makes it, and missing ones above it, with mode 0755.
    ///
    /// # Errors
    ///
    /// Those of mkdirat(2), and of [`resolve`](Self::resolve).
    pub fn create_directory(&self, path: &UnixPath) -> Result<Descriptor<'k>, CallError> {
        let flags = OpenFlags::O_PATH | OpenFlags::O_DIRECTORY;
        match self.try_resolve(path, flags) {
            Ok(descriptor) => return Ok(descriptor),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(self.explain("open directory", path, errno)),
        }
        let (parent, name) = self.create_parent(path)?;
        match self.kernel.mkdirat(parent.fd(), name, Mode(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.explain("create directory", path, errno)),
        }
        self.try_resolve(path, flags).map_err(|errno| self.explain("open directory", path, errno))
    }

    /// Opens, with `O_PATH`, what is at a relative path; makes an empty file, and missing directories above it, if there
    /// is nothing.
    ///
    /// # Errors
    ///
    /// Those of mknodat(2), and of [`resolve`](Self::resolve).
    pub fn create_file(&self, path: &UnixPath) -> Result<Descriptor<'k>, CallError> {
        match self.try_resolve(path, OpenFlags::O_PATH) {
            Ok(descriptor) => return Ok(descriptor),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(self.explain("open", path, errno)),
        }
        let (parent, name) = self.create_parent(path)?;
        let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o644) };
        match self.kernel.mknodat(parent.fd(), name, mode, DeviceNumber::NONE) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.explain("create file", path, errno)),
        }
        self.resolve(path, OpenFlags::empty())
    }

    /// Opens the directory above the last component of a relative path, and gives that component.
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](Self::resolve); `EINVAL` for a path without a last component.
    pub fn parent<'p>(&self, path: &'p UnixPath) -> Result<(Descriptor<'k>, &'p UnixPath), CallError> {
        let (parent, name) = self.split(path)?;
        Ok((self.resolve(parent, OpenFlags::O_DIRECTORY)?, name))
    }

    fn create_parent<'p>(&self, path: &'p UnixPath) -> Result<(Descriptor<'k>, &'p UnixPath), CallError> {
        let (parent, name) = self.split(path)?;
        Ok((self.create_directory(parent)?, name))
    }

    fn split<'p>(&self, path: &'p UnixPath) -> Result<(&'p UnixPath, &'p UnixPath), CallError> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok((parent, UnixPath::new(name))),
            _ => Err(self.explain("find the directory above", path, Errno::EINVAL)),
        }
    }

    fn try_resolve(&self, path: &UnixPath, flags: OpenFlags) -> Result<Descriptor<'k>, Errno> {
        let how = OpenHow {
            flags: flags | OpenFlags::O_CLOEXEC,
            mode: Mode(0),
            resolve: ResolveFlags::RESOLVE_BENEATH
                | ResolveFlags::RESOLVE_NO_SYMLINKS
                | ResolveFlags::RESOLVE_NO_MAGICLINKS,
        };
        let path = if path.as_bytes().is_empty() { UnixPath::new(".") } else { path };
        let mut result = Err(Errno::EAGAIN);
        for _ in 0..ATTEMPTS {
            result = self.kernel.openat2(self.fd(), path, how);
            if result != Err(Errno::EAGAIN) {
                break;
            }
        }
        result.map(|fd| Descriptor::new(self.kernel, fd))
    }

    /// The error of a call on a path below, saying which component is to blame if that can be told.
    pub(crate) fn explain(&self, action: &'static str, path: &UnixPath, errno: Errno) -> CallError {
        let error = CallError::new(action, &self.path.join(path), errno);
        match errno {
            Errno::ELOOP => match self.first_symlink(path) {
                Some(link) => error.with_hint(format!(
                    "{} is a symbolic link, which is not followed here: replace it by a directory or a file, or name what it \
                     leads to",
                    Bytes::from(link)
                )),
                None => error,
            },
            Errno::EROFS => error.with_hint("the filesystem is read-only: create it there beforehand"),
            Errno::ENOTDIR => error.with_hint("a component of the path is no directory"),
            _ => error,
        }
    }

    fn first_symlink(&self, path: &UnixPath) -> Option<UnixPathBuf> {
        let mut walked = UnixPathBuf::new();
        for component in path.components() {
            walked.push(component.as_bytes());
            let (parent, name) = self.parent(&walked).ok()?;
            let stat = self.kernel.statx(parent.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
            if stat.file_type == FileType::Symlink {
                return Some(self.path.join(&walked));
            }
        }
        None
    }
}

/// Opens a trusted path with `O_PATH`.
pub(crate) fn open_path<'k>(
    kernel: &'k dyn Kernel,
    path: &UnixPath,
    flags: OpenFlags,
) -> Result<Descriptor<'k>, Errno> {
    let how = OpenHow {
        flags: flags | OpenFlags::O_PATH | OpenFlags::O_CLOEXEC,
        mode: Mode(0),
        resolve: ResolveFlags::empty(),
    };
    kernel.openat2(Fd::CWD, path, how).map(|fd| Descriptor::new(kernel, fd))
}

/// The path of an existing directory without symbolic links, as mount tables show it.
///
/// # Errors
///
/// Those of openat2(2); `ENOTDIR` for what is no directory.
pub fn real_path(kernel: &dyn Kernel, path: &UnixPath) -> Result<UnixPathBuf, CallError> {
    let opened = open_path(kernel, path, OpenFlags::O_DIRECTORY).doing("open directory", path)?;
    real_path_of(kernel, opened.fd(), path)
}

/// The path of what is open, without symbolic links. `path` is for messages.
pub(crate) fn real_path_of(kernel: &dyn Kernel, opened: Fd, path: &UnixPath) -> Result<UnixPathBuf, CallError> {
    let Bytes(real) = kernel.readlinkat(Fd::CWD, &descriptor_path(opened)).doing("find the real path of", path)?;
    Ok(UnixPathBuf::from(real))
}

/// The path of a descriptor of the calling thread, for calls that take nothing but a path: a link that leads to what is open
/// (proc(5)).
pub(crate) fn descriptor_path(Fd(number): Fd) -> UnixPathBuf {
    UnixPathBuf::from(format!("/proc/thread-self/fd/{number}"))
}

/// The path that, with `AT_EMPTY_PATH`, names what a descriptor is open on.
pub(crate) fn itself() -> &'static UnixPath {
    UnixPath::new("")
}

/// statx(2) of an open descriptor.
pub(crate) fn stat(kernel: &dyn Kernel, fd: Fd) -> Result<Stat, Errno> {
    kernel.statx(fd, itself(), AtFlags::AT_EMPTY_PATH)
}

/// Makes a directory and missing ones above it by a trusted path, as `mkdir -p` with these permissions. Gives those that it
/// made, the uppermost first.
///
/// # Errors
///
/// Those of mkdirat(2). What it has made by then is removed again.
pub fn create_directories(
    kernel: &dyn Kernel,
    path: &UnixPath,
    permissions: Mode,
) -> Result<Vec<UnixPathBuf>, CallError> {
    let mut made = Vec::new();
    let mut result = Err(Errno::ENOENT);
    for _ in 0..ATTEMPTS {
        result = create_missing(kernel, path, permissions, &mut made);
        // Another container's clean-up may have removed an empty directory between two of our calls.
        if result != Err(Errno::ENOENT) {
            break;
        }
    }
    if let Err(errno) = result {
        remove_empty_directories(kernel, &made);
        return Err(CallError::new("create directory", path, errno));
    }
    Ok(made)
}

fn create_missing(
    kernel: &dyn Kernel,
    path: &UnixPath,
    permissions: Mode,
    made: &mut Vec<UnixPathBuf>,
) -> Result<(), Errno> {
    let mut missing = Vec::new();
    for directory in path.ancestors() {
        match kernel.statx(Fd::CWD, directory, AtFlags::empty()) {
            Ok(stat) if stat.file_type == FileType::Directory => break,
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) => missing.push(directory),
            Err(errno) => return Err(errno),
        }
    }
    for directory in missing.into_iter().rev() {
        match kernel.mkdirat(Fd::CWD, directory, permissions) {
            Ok(()) => made.push(directory.to_path_buf()),
            // Somebody else was faster.
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Removes directories that [`create_directories`] made, as far as they are empty: what is in use by now stays.
pub fn remove_empty_directories(kernel: &dyn Kernel, made: &[UnixPathBuf]) {
    for directory in made.iter().rev() {
        let _ = kernel.unlinkat(Fd::CWD, directory, AtFlags::AT_REMOVEDIR);
    }
}
