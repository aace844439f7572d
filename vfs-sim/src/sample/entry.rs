//! A file of the sample host.

use cofferdam::error::CallError;
use cofferdam::kernel::{
    AtFlags, Descriptor, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, NodeMode, OpenFlags, OpenHow, ResolveFlags,
};
use cofferdam::{UnixPath, UnixPathBuf};

/// A file, directory or device, to be made where there is none.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    path: UnixPathBuf,
    owner: u32,
    mode: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Directory,
    File(Vec<u8>),
    Link(&'static str),
    Device(FileType, DeviceNumber),
}

pub(super) fn directory(path: &str, mode: u32) -> Entry {
    Entry { path: path.into(), owner: 0, mode, what: What::Directory }
}

pub(super) fn file(path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Entry {
    Entry { path: path.into(), owner: 0, mode, what: What::File(content.into()) }
}

pub(super) fn link(path: &str, target: &'static str) -> Entry {
    Entry { path: path.into(), owner: 0, mode: 0o777, what: What::Link(target) }
}

pub(super) fn device(path: &str, mode: u32, file_type: FileType, (major, minor): (u32, u32)) -> Entry {
    Entry { path: path.into(), owner: 0, mode, what: What::Device(file_type, DeviceNumber { major, minor }) }
}

impl Entry {
    /// The same, owned by a user with a group of the same number.
    pub(super) fn owned_by(self, owner: u32) -> Self {
        Self { owner, ..self }
    }

    /// The same below a directory.
    pub(super) fn below(self, directory: &str) -> Self {
        let path = self.path.strip_prefix("/").map(UnixPath::to_path_buf).unwrap_or(self.path);
        Self { path: UnixPath::new(directory).join(path), ..self }
    }

    /// Makes it, unless there is something at its place already.
    ///
    /// # Errors
    ///
    /// Those of the calls; `EEXIST` if there is something.
    pub(super) fn make(&self, kernel: &dyn Kernel) -> Result<(), CallError> {
        let failed = |errno| CallError::new("furnish the simulated host with", &self.path, errno);
        self.create(kernel).map_err(failed)?;
        if self.owner == 0 {
            return Ok(());
        }
        let (owner, flags) = (Some(self.owner), AtFlags::AT_SYMLINK_NOFOLLOW);
        kernel.fchownat(Fd::CWD, &self.path, owner, owner, flags).map_err(failed)
    }

    fn create(&self, kernel: &dyn Kernel) -> Result<(), Errno> {
        let (path, mode) = (&*self.path, Mode(self.mode));
        match &self.what {
            What::Directory => kernel.mkdirat(Fd::CWD, path, mode),
            What::Link(target) => kernel.symlinkat(UnixPath::new(target), Fd::CWD, path),
            What::Device(file_type, device) => {
                kernel.mknodat(Fd::CWD, path, NodeMode { file_type: *file_type, mode }, *device)
            }
            What::File(content) => {
                let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
                let opened = kernel.openat2(Fd::CWD, path, OpenHow { flags, mode, resolve: ResolveFlags::empty() })?;
                let opened = Descriptor::new(kernel, opened);
                match kernel.write(opened.fd(), content)? {
                    written if written < content.len() => Err(Errno::ENOSPC),
                    _ => opened.close(),
                }
            }
        }
    }
}
