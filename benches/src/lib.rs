//! The same directories and mounts on the real and on the simulated kernel, for benchmarks that compare both.
#![forbid(unsafe_code)]

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, OpenFlags, OpenHow, ResolveFlags, UmountFlags,
};
use cofferdam_linux::LinuxKernel;
use cofferdam_vfs_sim::{Linux, Process};

pub mod mount_table;

/// How many mounts a crowded machine has.
pub const CROWD: usize = 10_000;

/// A private machine whose root is an empty tmpfs with a proc: a kernel, as its privileged process sees it.
pub struct Machine<K> {
    /// The kernel.
    pub kernel: K,
}

impl Machine<Process> {
    /// One on the simulated kernel.
    ///
    /// # Errors
    ///
    /// Those of the calls that set it up.
    pub fn simulated() -> Result<Self, Errno> {
        let machine = Self { kernel: Process::init(Linux::new()) };
        machine.make_directory("/proc")?;
        machine.mount("proc", "/proc")?;
        Ok(machine)
    }
}

impl Machine<LinuxKernel> {
    /// One on the real kernel: the calling thread gets a mount namespace of its own, for good. Needs root, and `/tmp` to
    /// mount on.
    ///
    /// # Errors
    ///
    /// Those of the calls that set it up.
    pub fn real() -> Result<Self, Errno> {
        let machine = Self { kernel: LinuxKernel };
        machine.kernel.unshare(CloneFlags::CLONE_NEWNS)?;
        machine.propagation("/", MountFlags::MS_PRIVATE, AtFlags::AT_RECURSIVE)?;
        machine.mount("tmpfs", "/tmp")?;
        machine.kernel.chdir(UnixPath::new("/tmp"))?;
        machine.make_directory("proc")?;
        machine.mount("proc", "proc")?;
        // For the next machine.
        machine.make_directory("tmp")?;
        // Nothing of the host's mounts is to be in the tables that are compared.
        machine.kernel.pivot_root(UnixPath::new("."), UnixPath::new("."))?;
        machine.kernel.umount2(UnixPath::new("."), UmountFlags::MNT_DETACH)?;
        machine.kernel.chdir(UnixPath::new("/"))?;
        Ok(machine)
    }
}

impl<K: Kernel> Machine<K> {
    /// mkdir(2)
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn make_directory(&self, path: &str) -> Result<(), Errno> {
        self.kernel.mkdirat(Fd::CWD, UnixPath::new(path), Mode(0o755))
    }

    /// Mounts a filesystem without options.
    ///
    /// # Errors
    ///
    /// Those of mount(2).
    pub fn mount(&self, filesystem: &str, target: &str) -> Result<(), Errno> {
        let source = Some(UnixPath::new(filesystem));
        self.kernel.mount(source, UnixPath::new(target), Some(filesystem.as_bytes()), MountFlags::empty(), None)
    }

    /// Bind mounts.
    ///
    /// # Errors
    ///
    /// Those of mount(2).
    pub fn bind(&self, source: &str, target: &str) -> Result<(), Errno> {
        self.kernel.mount(Some(UnixPath::new(source)), UnixPath::new(target), None, MountFlags::MS_BIND, None)
    }

    /// umount(2)
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn umount(&self, target: &str) -> Result<(), Errno> {
        self.kernel.umount2(UnixPath::new(target), UmountFlags::empty())
    }

    /// Changes the propagation type.
    ///
    /// # Errors
    ///
    /// Those of mount_setattr(2).
    pub fn propagation(&self, target: &str, propagation: MountFlags, flags: AtFlags) -> Result<(), Errno> {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        self.kernel.mount_setattr(Fd::CWD, UnixPath::new(target), flags, &attr)
    }

    /// Mounts so many times at directories of their own below `/crowd`.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn crowd(&self, mounts: usize) -> Result<(), Errno> {
        self.make_directory("/crowd")?;
        self.make_directory("/source")?;
        for number in 0..mounts {
            let target = format!("/crowd/{number}");
            self.make_directory(&target)?;
            self.bind("/source", &target)?;
        }
        Ok(())
    }

    /// Unmounts everything below `/crowd`.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn disperse(&self, mounts: usize) -> Result<(), Errno> {
        (0..mounts).try_for_each(|number| self.umount(&format!("/crowd/{number}")))
    }

    /// Reads the mount table to its end: how many bytes.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn read_mount_table(&self) -> Result<usize, Errno> {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
        let fd = self.kernel.openat2(Fd::CWD, UnixPath::new("/proc/self/mountinfo"), how)?;
        let mut length = 0;
        loop {
            let bytes = self.kernel.read(fd, 1 << 16)?;
            if bytes.0.is_empty() {
                break;
            }
            length += bytes.0.len();
        }
        self.kernel.close(fd)?;
        Ok(length)
    }
}
