//! Sandboxes, in which programs write: the way to what lies in them, and unmounting there.

use typed_path::{UnixPath, UnixPathBuf};

use crate::error::CallError;
use crate::kernel::{AtFlags, Descriptor, Errno, Fd, Kernel, OpenFlags, UmountFlags};
use crate::messages::ContainerId;
use crate::root::{Root, descriptor_path};

/// The sandbox of a container, and the directory that the sandbox of its top-level container is in. Down to there the way is
/// the agent's; from there on programs can write all along it, and no symbolic link is followed.
#[derive(Debug)]
pub(super) struct Sandbox<'k> {
    above: Root<'k>,
    /// Its path below that.
    relative: UnixPathBuf,
    path: UnixPathBuf,
}

impl<'k> Sandbox<'k> {
    /// Opens what is above a sandbox, which need not exist. The path is a real one.
    pub(super) fn above(kernel: &'k dyn Kernel, id: &ContainerId, sandbox: &UnixPath) -> Result<Self, CallError> {
        // `<sandbox>/containers/<child>`, for each that it is nested in.
        let top = sandbox.ancestors().nth(2 * id.depth()).unwrap_or(sandbox);
        let base = top.parent().unwrap_or(top);
        let relative = sandbox.strip_prefix(base).unwrap_or(sandbox).to_path_buf();
        Ok(Self { above: Root::open(kernel, base)?, relative, path: sandbox.to_path_buf() })
    }

    /// Opens the sandbox itself.
    pub(super) fn open(&self, kernel: &'k dyn Kernel) -> Result<Root<'k>, CallError> {
        let opened = self.above.resolve(&self.relative, OpenFlags::O_DIRECTORY)?;
        Ok(Root::from_descriptor(kernel, opened, self.path.clone()))
    }

    /// Opens the directory that something at or below the sandbox is in, and gives its name there.
    pub(super) fn parent(&self, path: &UnixPath) -> Result<(Descriptor<'k>, UnixPathBuf), CallError> {
        let below = path.strip_prefix(&self.path).unwrap_or(UnixPath::new(""));
        // Joined with nothing it would end with a slash.
        let relative = if below.as_bytes().is_empty() { self.relative.clone() } else { self.relative.join(below) };
        let (parent, name) = self.above.parent(&relative)?;
        Ok((parent, name.to_path_buf()))
    }
}

/// Opens a container's sandbox, in whose place its program may have put something else.
pub(super) fn open_sandbox<'k>(
    kernel: &'k dyn Kernel,
    id: &ContainerId,
    sandbox: &UnixPath,
) -> Result<Root<'k>, CallError> {
    Sandbox::above(kernel, id, sandbox)?.open(kernel)
}

/// Unmounts what is mounted in an open directory, under a single name. Gives whether anything was. `path` is for messages.
///
/// umount2(2) takes a path alone. That of the descriptor, `/proc/thread-self/fd/N/name`, leads to the very directory that was
/// opened, whatever has become of the way to it; only the last component is looked up by its name, and `UMOUNT_NOFOLLOW`
/// keeps that from being a symbolic link. The path of a descriptor of the mount itself would not do: with `UMOUNT_NOFOLLOW` it
/// is the link in /proc that is to be unmounted (`EINVAL`), and while it is open the mount is busy.
pub(super) fn unmount(
    kernel: &dyn Kernel,
    directory: Fd,
    name: &UnixPath,
    flags: UmountFlags,
    path: &UnixPath,
) -> Result<bool, CallError> {
    let through = descriptor_path(directory);
    match kernel.umount2(&through.join(name), flags | UmountFlags::UMOUNT_NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(Errno::ENOENT) => match kernel.statx(Fd::CWD, &through, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(false),
            Err(errno) => {
                Err(CallError::new("find the open directory", &through, errno).with_hint("is /proc mounted?"))
            }
        },
        Err(errno) => Err(CallError::new("unmount", path, errno)),
    }
}
