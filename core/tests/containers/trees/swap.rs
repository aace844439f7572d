//! Somebody who changes a tree while it is worked on.

use std::cell::Cell;
use std::fmt;

use cofferdam::kernel::{
    AtFlags, Call, CloneFlags, DeviceNumber, Errno, Fd, FileType, Interceptor, Kernel, Mode, NodeMode, OpenFlags,
    OpenHow, RenameFlags, ResolveFlags,
};
use cofferdam::{UnixPath, UnixPathBuf};

use crate::scenarios::wait;

/// What is done to a name, once.
#[derive(Clone, Debug)]
pub struct Swap {
    /// Whether it is one of the image, and not of the sandbox.
    pub in_image: bool,
    pub name: String,
    /// Before the call with this number, from the beginning of prepare on.
    pub before_call: usize,
    pub deed: Deed,
}

#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// A symbolic link to the host is put in its place.
    Link,
    /// It is moved away.
    Vanish,
    /// An empty file is put in its place.
    File,
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = if self.in_image { "image" } else { "sandbox" };
        write!(f, "{:?} at {} of the {tree} before call {}", self.deed, self.name, self.before_call)
    }
}

/// Does it. It acts in the mount namespace of the host, where what is a mount point elsewhere can be moved.
pub struct Swapper {
    pub namespace: Fd,
    pub path: UnixPathBuf,
    pub precious: UnixPathBuf,
    pub deed: Deed,
    pub before_call: usize,
    pub calls: Cell<usize>,
}

impl Swapper {
    pub fn aside(&self) -> UnixPathBuf {
        self.path.parent().unwrap().join("moved aside")
    }

    fn act(&self, kernel: &dyn Kernel) -> Result<(), Errno> {
        // A program's way to it does not lead through a link to the host.
        let flags = OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC;
        let how = OpenHow { flags, mode: Mode(0), resolve: ResolveFlags::RESOLVE_NO_SYMLINKS };
        kernel.close(kernel.openat2(Fd::CWD, self.path.parent().unwrap(), how)?)?;
        let aside = self.aside();
        let exists = |path: &UnixPath| kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
        if exists(&aside) {
            return Ok(());
        }
        if exists(&self.path) {
            kernel.renameat2(Fd::CWD, &self.path, Fd::CWD, &aside, RenameFlags::empty())?;
        }
        match self.deed {
            Deed::Link => kernel.symlinkat(&self.precious, Fd::CWD, &self.path),
            Deed::Vanish => Ok(()),
            Deed::File => {
                let file = NodeMode { file_type: FileType::Regular, mode: Mode(0o666) };
                kernel.mknodat(Fd::CWD, &self.path, file, DeviceNumber::NONE)
            }
        }
    }
}

impl Interceptor for Swapper {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() != self.before_call || matches!(call, Call::Execve { .. }) {
            return Ok(());
        }
        let child = kernel.clone3(CloneFlags::empty(), &mut |kernel| {
            match kernel.setns(self.namespace, CloneFlags::CLONE_NEWNS) {
                // What the directory above has become is not there, or no directory.
                Ok(()) => i32::from(self.act(kernel).is_err()),
                // All descriptors are closed: the program begins.
                Err(_) => 2,
            }
        });
        // Without privileges there are no children in a foreign namespace.
        if let Ok(child) = child {
            wait(kernel, child);
        }
        Ok(())
    }
}
