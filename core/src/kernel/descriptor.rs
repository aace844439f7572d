//! A descriptor that closes itself.

use super::syscalls::Kernel;
use super::types::Fd;

/// Owns a descriptor of a kernel's process and closes it on drop.
///
/// An error of that close(2) is ignored: the descriptors that core holds so are never ones that data was written to,
/// for those [`close`](Self::close) reports it.
pub struct Descriptor<'k> {
    kernel: &'k dyn Kernel,
    fd: Fd,
}

impl<'k> Descriptor<'k> {
    /// Takes over a descriptor that a call has just given.
    pub fn new(kernel: &'k dyn Kernel, fd: Fd) -> Self {
        Self { kernel, fd }
    }

    /// The number, to be used in calls while this lives.
    pub fn fd(&self) -> Fd {
        self.fd
    }

    /// Gives the descriptor away; it stays open.
    pub fn into_fd(self) -> Fd {
        let fd = self.fd;
        std::mem::forget(self);
        fd
    }

    /// Closes it now.
    ///
    /// # Errors
    ///
    /// Those of close(2), for example a write that failed late.
    pub fn close(self) -> Result<(), super::Errno> {
        let kernel = self.kernel;
        kernel.close(self.into_fd())
    }
}

impl Drop for Descriptor<'_> {
    fn drop(&mut self) {
        let _ = self.kernel.close(self.fd);
    }
}

impl std::fmt::Debug for Descriptor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Descriptor").field(&self.fd.0).finish()
    }
}
