//! The executable of the launcher, which a program of a container can reach.

use typed_path::UnixPath;

use crate::detached::{DetachedMount, attributes};
use crate::error::{CallError, Doing};
use crate::kernel::{Bytes, Kernel, MountFlags, OpenFlags};
use crate::root::open_path;

/// Executes the program of this process again, from a mount of its own that is read-only. What calls
/// [`launch`](super::launch) shall have been executed so.
///
/// The first program of a container may be `/proc/self/exe`, or a script with that as its interpreter: then it is the
/// launcher's executable, and `/proc/PID/exe` of its process a way to the file on the host, by the mount that it was
/// executed from. That file is the container's user's to write where that user is root (CVE-2019-5736).
///
/// Like execve(2), it returns only if it fails, or on a simulated kernel.
///
/// # Errors
///
/// Those of open_tree(2), mount_setattr(2) and execve(2).
pub fn execute_again(kernel: &dyn Kernel, argv: &[Bytes], envp: &[Bytes]) -> Result<(), CallError> {
    let path = UnixPath::new("/proc/self/exe");
    let opened = open_path(kernel, path, OpenFlags::empty()).doing("open", path)?;
    let mount = DetachedMount::copy_of(kernel, opened.fd(), path, false, &attributes(MountFlags::MS_RDONLY))?;
    kernel.execve(&mount.path(), argv, envp).doing("execute", path)
}
