//! Sandboxes, in which programs write: the way to what lies in them, and mounting and unmounting there.

use typed_path::{UnixPath, UnixPathBuf};

use super::IsolatorError;
use crate::detached::DetachedMount;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Descriptor, Errno, Fd, Kernel, MountAttr, MountFlags, OpenFlags, Stat, UmountFlags};
use crate::launch::namespace::LaunchLock;
use crate::layout::Layout;
use crate::messages::ContainerId;
use crate::mountinfo::Table;
use crate::root::{Root, descriptor_path};
use crate::table;

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

/// Makes the sandbox of a top-level container a mount of its own. What is mounted in it reaches that container alone, however
/// many others there are, and all of it goes with that one mount. Gives whether it is one now.
///
/// Below a shared mount it is in a peer group of its own (mount_namespaces(7), "Propagation type transitions").
///
/// It is not made one where something is mounted in it by now: of that it would have copies, and hide the originals. (Of what is
/// unbindable it would have none. That is not seen, and is in sight again after cleanup.) Nor where it is in a mount that is
/// unbindable.
pub(super) fn make_mount(
    kernel: &dyn Kernel,
    layout: &Layout,
    id: &ContainerId,
    sandbox: &UnixPath,
) -> Result<bool, IsolatorError> {
    let directory = Sandbox::above(kernel, id, sandbox)?;
    let mountpoint = directory.open(kernel)?;
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    let copy = match DetachedMount::copy_of(kernel, mountpoint.fd(), sandbox, true, &private) {
        Err(error) if error.errno == Errno::EINVAL => return Ok(false),
        copy => copy?,
    };
    // A launch that holds a copy of what is around it, which is attached nowhere, would not see it come.
    let lock = LaunchLock::exclusive(kernel, layout)?;
    // Whoever has it open uses it.
    drop(copy.attach(mountpoint.fd(), sandbox)?);
    drop(lock);
    let (parent, name) = directory.parent(sandbox)?;
    if is_alone(kernel, parent.fd(), &name, sandbox)? {
        return Ok(true);
    }
    unmount(kernel, parent.fd(), &name, UmountFlags::MNT_DETACH, sandbox)?;
    Ok(false)
}

/// Whether nothing is mounted in a sandbox that has just become a mount.
fn is_alone(kernel: &dyn Kernel, parent: Fd, name: &UnixPath, sandbox: &UnixPath) -> Result<bool, IsolatorError> {
    // A mount that nothing is mounted on, and that nobody uses, is marked the first time (umount2(2), `MNT_EXPIRE`), whatever
    // number of mounts the host has.
    let flags = UmountFlags::MNT_EXPIRE | UmountFlags::UMOUNT_NOFOLLOW;
    if kernel.umount2(&descriptor_path(parent).join(name), flags) == Err(Errno::EAGAIN) {
        return Ok(true);
    }
    let text = table::read(kernel)?;
    let table = Table::parse(&text)?;
    Ok(table.at_or_below(sandbox).all(|mount| *mount.mountpoint() == *sandbox))
}

/// Unmounts the mount that [`make_mount`] has made of a sandbox, with all that is mounted in it. `false` if it can't be told
/// that nothing else is mounted at or below the sandbox: the mount table has to be asked.
pub(super) fn detach_mount(kernel: &dyn Kernel, id: &ContainerId, sandbox: &UnixPath) -> bool {
    try_detach_mount(kernel, id, sandbox).unwrap_or_else(|error| {
        tracing::debug!(%id, %error, "the mount table is asked what is mounted in the sandbox");
        false
    })
}

fn try_detach_mount(kernel: &dyn Kernel, id: &ContainerId, sandbox: &UnixPath) -> Result<bool, CallError> {
    let (parent, name) = Sandbox::above(kernel, id, sandbox)?.parent(sandbox)?;
    let look = || kernel.statx(parent.fd(), &name, AtFlags::AT_SYMLINK_NOFOLLOW).doing("look at", sandbox);
    let mounted = look()?;
    if !mounted.is_mount_root || !unmount(kernel, parent.fd(), &name, UmountFlags::MNT_DETACH, sandbox)? {
        return Ok(false);
    }
    // It was mounted on itself, when nothing else was mounted in it.
    let below = look()?;
    let file = |Stat { device, inode, .. }| (device, inode);
    Ok(!below.is_mount_root && file(below) == file(mounted))
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
