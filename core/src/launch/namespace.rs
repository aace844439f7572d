//! A mount namespace with next to nothing in it, in which a container with a root filesystem begins.
//!
//! A new mount namespace is a copy of the one of who makes it: it takes as long as that one has mounts, and with a root
//! filesystem all of them are thrown away again. So a namespace is made once for all launches, and kept: its file in nsfs is
//! bound below the agent's runtime directory (mount_namespaces(7)). In it is a read-only tmpfs with one empty directory, on
//! which a launch, in a copy of it, mounts its root filesystem.
//!
//! What a container is to get of the host is copied before, in the host's namespace: only who is in the namespace of a mount
//! may copy it (fs/namespace.c, `may_copy_tree()`). What the host mounts meanwhile below such a source does not arrive, as a
//! mount that is attached nowhere receives nothing (fs/pnode.c, `propagate_one()`). Volumes do: whoever mounts one in a sandbox
//! waits, by a [`LaunchLock`], until no launch holds a copy that is attached nowhere.

use typed_path::{UnixPath, UnixPathBuf};

use crate::checkpoint;
use crate::detached::DetachedMount;
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, CloneFlags, Descriptor, Errno, Fd, FlockOperation, Kernel, Mode, MountAttr, MountAttrFlags,
    MountFlags, OpenFlags, Pid, UmountFlags, WaitOptions,
};
use crate::layout::Layout;
use crate::locks::{lock_existing, lock_file};
use crate::root::{Root, create_directories, open_path, stat};

/// Where in the namespace a launch mounts its root filesystem.
const ROOTFS: &str = "/rootfs";
/// The filesystem of the files of namespaces (statfs(2)).
const NSFS_MAGIC: u64 = 0x6e73_6673;
/// How much is read of what a child has to say, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// Keeps launches that hold copies of sandboxes, and who mounts something in a sandbox, apart.
#[derive(Debug)]
pub(crate) struct LaunchLock<'k> {
    _locked: Descriptor<'k>,
}

impl<'k> LaunchLock<'k> {
    /// For who changes the mounts in a sandbox. `None` if no launch can be in between, as there never was a namespace.
    pub(crate) fn exclusive(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Option<Self>, CallError> {
        match lock_file(kernel, &lock_of(&layout.launch_directory()), FlockOperation::LOCK_EX) {
            Ok(locked) => Ok(Some(Self { _locked: locked })),
            Err(error) if error.errno == Errno::ENOENT => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For a launch.
    fn shared(kernel: &'k dyn Kernel, directory: &UnixPath) -> Result<Self, CallError> {
        Ok(Self { _locked: lock_existing(kernel, &lock_of(directory), FlockOperation::LOCK_SH)? })
    }
}

fn file_of(directory: &UnixPath) -> UnixPathBuf {
    directory.join("namespace")
}

fn lock_of(directory: &UnixPath) -> UnixPathBuf {
    directory.join("lock")
}

/// The namespace in a copy of which a launch begins, open.
#[derive(Debug)]
pub(super) struct LaunchNamespace {
    fd: Fd,
    directory: UnixPathBuf,
}

impl LaunchNamespace {
    /// Opens the one that is kept in a directory. `None` if none is, or not any more.
    pub(super) fn open(kernel: &dyn Kernel, directory: &UnixPath) -> Result<Option<Self>, CallError> {
        let file = file_of(directory);
        let opened = match checkpoint::open(kernel, &file, OpenFlags::empty(), Mode(0)) {
            Err(error) if matches!(error.errno, Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            opened => opened?,
        };
        let is_namespace = kernel.fstatfs(opened.fd()).doing("look at namespace", &file)?.magic == NSFS_MAGIC;
        Ok(is_namespace.then(|| Self { fd: opened.into_fd(), directory: directory.to_path_buf() }))
    }

    /// From here on, until the lock is dropped, nobody mounts a volume.
    pub(super) fn lock<'k>(&self, kernel: &'k dyn Kernel) -> Result<LaunchLock<'k>, CallError> {
        LaunchLock::shared(kernel, &self.directory)
    }

    /// Goes on in a copy of it. Gives the empty directory for the root filesystem `rootfs`, by which name it is known from
    /// now on; `None` if we may not (setns(2) wants `CAP_SYS_CHROOT` too), and are where we were.
    pub(super) fn enter<'k>(&self, kernel: &'k dyn Kernel, rootfs: &UnixPath) -> Result<Option<Root<'k>>, CallError> {
        let file = file_of(&self.directory);
        match kernel.setns(self.fd, CloneFlags::CLONE_NEWNS) {
            Err(Errno::EPERM) => return Ok(None),
            entered => entered.doing("enter namespace", &file)?,
        }
        kernel.unshare(CloneFlags::CLONE_NEWNS).doing("make a copy of namespace", &file)?;
        let directory = UnixPath::new(ROOTFS);
        let opened = open_path(kernel, directory, OpenFlags::O_DIRECTORY).doing("open directory", directory)?;
        Ok(Some(Root::from_descriptor(kernel, opened, rootfs.to_path_buf())))
    }
}

/// Whether one is kept in a directory.
pub(crate) fn is_kept(kernel: &dyn Kernel, directory: &UnixPath) -> Result<bool, CallError> {
    let file = file_of(directory);
    match kernel.statfs(&file) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
        found => Ok(found.doing("look at namespace", &file)?.magic == NSFS_MAGIC),
    }
}

/// Makes the namespace that is kept in the launch directory of an agent, unless it is there. The process must be
/// single-threaded ([`Isolator::prepare_launches`] is the same).
///
/// [`Isolator::prepare_launches`]: crate::isolator::Isolator::prepare_launches
///
/// # Errors
///
/// Those of its calls. It can be repeated.
pub fn prepare_launches(kernel: &dyn Kernel, layout: &Layout) -> Result<(), CallError> {
    let directory = layout.launch_directory();
    if is_kept(kernel, &directory)? {
        return Ok(());
    }
    create_directories(kernel, &directory, Mode(0o700))?;
    let _lock = LaunchLock::exclusive(kernel, layout)?;
    if is_kept(kernel, &directory)? {
        return Ok(());
    }
    let mount = make_private_mount(kernel, &directory)?;
    let file = file_of(&directory);
    let mountpoint = mount.create_file(UnixPath::new("namespace"))?;
    match in_child(kernel, &file, &|kernel| keep_new_namespace(kernel, mountpoint.fd(), &file)) {
        // To the kernel ours is the newer one. On Linux 6.18 that is a matter of luck where ours is not the first one of the
        // machine: each CPU gives numbers to namespaces from a store of its own (fs/namespace.c, mnt_ns_loop();
        // include/linux/cookie.h).
        Err(error) if error.errno == Errno::ELOOP => {
            tracing::debug!(%error, "launches copy the mount namespace of the host");
            Ok(())
        }
        made => made,
    }
}

/// Makes a directory a mount that is in no peer group. A file of a namespace that arrived by propagation in one that is older
/// would keep both alive for ever, which the kernel refuses (fs/namespace.c, `mnt_ns_loop()`, `copy_tree()`).
fn make_private_mount<'k>(kernel: &'k dyn Kernel, directory: &UnixPath) -> Result<Root<'k>, CallError> {
    let mut opened = Root::open(kernel, directory)?;
    if !stat(kernel, opened.fd()).doing("look at", directory)?.is_mount_root {
        let copy = DetachedMount::copy_of(kernel, opened.fd(), directory, false, &MountAttr::default())?;
        let mounted = copy.attach(opened.fd(), directory)?;
        opened = Root::from_descriptor(kernel, mounted, directory.to_path_buf());
    }
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    kernel
        .mount_setattr(opened.fd(), UnixPath::new(""), AtFlags::AT_EMPTY_PATH, &private)
        .doing("make a private mount of", directory)?;
    Ok(opened)
}

/// In a process of its own: makes the namespace, and binds its file, back in the one that we came from.
fn keep_new_namespace(kernel: &dyn Kernel, mountpoint: Fd, file: &UnixPath) -> Result<(), CallError> {
    let host = open_own_namespace(kernel)?;
    kernel.unshare(CloneFlags::CLONE_NEWNS).doing("make the namespace", file)?;
    let own = open_own_namespace(kernel)?;
    furnish(kernel)?;
    kernel.setns(host.fd(), CloneFlags::CLONE_NEWNS).doing("go back from the namespace", file)?;
    DetachedMount::copy_of(kernel, own.fd(), file, false, &MountAttr::default())?.attach(mountpoint, file)?;
    Ok(())
}

fn open_own_namespace(kernel: &dyn Kernel) -> Result<Descriptor<'_>, CallError> {
    let path = UnixPath::new("/proc/thread-self/ns/mnt");
    checkpoint::open(kernel, path, OpenFlags::empty(), Mode(0)).map_err(|error| error.with_hint("is /proc mounted?"))
}

/// Takes all out of the namespace that we are in but a tmpfs with an empty directory.
fn furnish(kernel: &dyn Kernel) -> Result<(), CallError> {
    let (root, here) = (UnixPath::new("/"), UnixPath::new("."));
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    kernel
        .mount_setattr(Fd::CWD, root, AtFlags::AT_RECURSIVE, &private)
        .doing("make private mounts of all below", root)
        .map_err(|error| match error.errno {
            Errno::EINVAL => error.with_hint("is the root directory here a mount point?"),
            _ => error,
        })?;
    let (tmpfs, name, options) = (Bytes::from("tmpfs"), Bytes::from("cofferdam"), Bytes::from("mode=0700"));
    let tmpfs = DetachedMount::filesystem(kernel, &tmpfs, &name, MountFlags::empty(), Some(&options), root)?;
    let opened = open_path(kernel, root, OpenFlags::O_DIRECTORY).doing("open directory", root)?;
    let tmpfs = tmpfs.attach(opened.fd(), root)?;
    kernel
        .mkdirat(tmpfs.fd(), UnixPath::new(&ROOTFS[1..]), Mode(0o700))
        .doing("create directory", UnixPath::new(ROOTFS))?;
    let read_only = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    kernel
        .mount_setattr(tmpfs.fd(), UnixPath::new(""), AtFlags::AT_EMPTY_PATH, &read_only)
        .doing("make read-only the tmpfs on", root)?;
    kernel.fchdir(tmpfs.fd()).doing("change to directory", root)?;
    kernel.pivot_root(here, here).doing("make a tmpfs the root in place of", root)?;
    kernel.umount2(here, UmountFlags::MNT_DETACH).doing("detach the host's root from", root)
}

/// Does something in a child process, which tells by a pipe what has become of it: its exit status may have been taken by
/// somebody who waits for any child.
fn in_child(
    kernel: &dyn Kernel,
    file: &UnixPath,
    body: &dyn Fn(&dyn Kernel) -> Result<(), CallError>,
) -> Result<(), CallError> {
    let (read, write) = kernel.pipe2(OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).doing("make a pipe for", file)?;
    let (read, write) = (Descriptor::new(kernel, read), Descriptor::new(kernel, write));
    let made = kernel.clone3(CloneFlags::empty(), &mut |kernel| {
        let told = match body(kernel) {
            Ok(()) => "0 ".to_owned(),
            Err(error) => format!("{} {error}", error.errno.raw()),
        };
        i32::from(kernel.write(write.fd(), told.as_bytes()).is_err())
    });
    let child = made.doing("make a process for", file)?;
    wait_for(kernel, child).doing("wait for the process that makes", file)?;
    let Bytes(told) = match kernel.read(read.fd(), LONGEST_MESSAGE) {
        Err(Errno::EAGAIN) => Bytes::from(""),
        told => told.doing("read of the process that makes", file)?,
    };
    let told = String::from_utf8_lossy(&told);
    let action = "make namespace";
    match told.split_once(' ').and_then(|(errno, message)| Some((errno.parse().ok()?, message))) {
        Some((0, _)) => Ok(()),
        Some((errno, message)) => Err(CallError::new(action, file, Errno::from_raw(errno)).with_hint(message)),
        None => Err(CallError::new(action, file, Errno::ECHILD).with_hint("the process that makes it was killed")),
    }
}

/// Waits for a child, whom somebody else may have waited for.
fn wait_for(kernel: &dyn Kernel, child: Pid) -> Result<(), Errno> {
    loop {
        match kernel.wait4(child, WaitOptions::empty()) {
            Err(Errno::EINTR) => {}
            Ok(_) | Err(Errno::ECHILD) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}
