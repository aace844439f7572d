//! What a program finds where it begins: each answer is that of calls of its process, on a copy of the kernel that nobody
//! misses afterwards.

mod attempts;
mod identity;
mod reach;

pub(super) use attempts::{Attempt, Outcome, attempts};
pub(crate) use identity::Identity;
pub(crate) use reach::{Area, Reach};

use cofferdam::UnixPath;
use cofferdam::kernel::{Descriptor, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags};
use cofferdam_vfs_sim::Process;

use super::session::Begun;

impl Begun {
    /// The program's process, on a copy of the kernel of its own.
    pub(crate) fn process(&self) -> Option<Process> {
        Process::of(self.linux.clone(), self.task)
    }
}

/// Opens a path without making anything.
fn open<'k>(kernel: &'k dyn Kernel, path: &UnixPath, flags: OpenFlags) -> Result<Descriptor<'k>, Errno> {
    let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    Ok(Descriptor::new(kernel, kernel.openat2(Fd::CWD, path, how)?))
}
