//! Locks between processes: several commands may act on the same directories at once.

use typed_path::UnixPath;

use crate::error::{CallError, Doing};
use crate::kernel::{Descriptor, Errno, Fd, FlockOperation, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags};

/// Holds the exclusive lock of a directory (flock(2)) while the descriptor lives; waits for whoever else has it.
pub(crate) fn lock<'k>(kernel: &'k dyn Kernel, directory: &UnixPath) -> Result<Descriptor<'k>, CallError> {
    let how =
        OpenHow { flags: OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    let opened = kernel.openat2(Fd::CWD, directory, how).doing("open directory", directory)?;
    let opened = Descriptor::new(kernel, opened);
    loop {
        match kernel.flock(opened.fd(), FlockOperation::LOCK_EX) {
            Err(Errno::EINTR) => {}
            result => return result.doing("lock", directory).map(|()| opened),
        }
    }
}
