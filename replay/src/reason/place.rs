//! What a path leads to, as far as mounts go, and what can't be done with that.

use cofferdam::kernel::{AtFlags, Bytes, Call, Errno, Fd, FileType, OpenFlags, OpenHow, Value};
use cofferdam_vfs_sim::{Id, Linux, MountView, Propagation, Task};

/// What a path leads to.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as there are")]
pub(super) struct Place {
    /// The path.
    path: Bytes,
    /// Where the mount is that it leads into.
    mountpoint: Bytes,
    /// The id of that in mountinfo.
    id: u32,
    is_root_of_mount: bool,
    is_directory: bool,
    is_locked: bool,
    has_locked_children: bool,
    propagation: Propagation,
    /// Where the mount is mounted, and how.
    parent: Option<(Bytes, Propagation)>,
    /// Where something is mounted on it.
    children: Vec<Bytes>,
}

impl Place {
    /// Where a path leads to. Only a copy of the machine is touched.
    pub(super) fn of(linux: &Linux, task: Id<Task>, dirfd: Fd, path: &Bytes) -> Option<Self> {
        let mut copy = linux.clone();
        let fd = if path.0.is_empty() {
            dirfd
        } else {
            let how = OpenHow { flags: OpenFlags::O_PATH, ..OpenHow::default() };
            match copy.call(task, &Call::Openat2 { dirfd, path: path.clone(), how }) {
                Ok(Value::Descriptor(fd)) => fd,
                _ => return None,
            }
        };
        let call = Call::Statx { dirfd: fd, path: Bytes::default(), flags: AtFlags::AT_EMPTY_PATH };
        let Ok(Value::Stat(stat)) = copy.call(task, &call) else { return None };
        let view = copy.task(task)?;
        let mount = view.files().find(|file| file.fd == fd)?.mount();
        Some(Self {
            path: path.clone(),
            mountpoint: mount.mountpoint(),
            id: mount.id(),
            is_root_of_mount: stat.is_mount_root,
            is_directory: stat.file_type == FileType::Directory,
            is_locked: mount.is_locked(),
            has_locked_children: mount.children().any(|child| child.is_locked()),
            propagation: mount.propagation(),
            parent: mount.parent().map(|parent| (parent.mountpoint(), parent.propagation())),
            children: mount.children().map(|child| MountView::mountpoint(&child)).collect(),
        })
    }

    /// It would have to be a mount point.
    pub(super) fn no_mountpoint(&self, errno: Errno, is_descriptor: bool) -> Option<String> {
        if errno != Errno::EINVAL || self.is_root_of_mount {
            return None;
        }
        let Self { path, mountpoint, .. } = self;
        let what = if is_descriptor && path.0.is_empty() { "the descriptor".to_owned() } else { path.to_string() };
        Some(format!("{what} is not a mount point: it is in the mount on {mountpoint}"))
    }

    /// It came with others that are above it.
    pub(super) fn locked(&self) -> Option<String> {
        self.is_locked.then(|| {
            format!(
                "the mount on {} is locked to the one that it is on: they came together from a mount namespace of another \
                 user namespace",
                self.mountpoint
            )
        })
    }

    /// What keeps a mount from being moved away.
    pub(super) fn not_moved(&self, errno: Errno) -> Option<String> {
        if errno != Errno::EINVAL {
            return None;
        }
        self.no_mountpoint(errno, true).or_else(|| self.locked()).or_else(|| self.on_shared_mount())
    }

    /// The mount that it is on has peers.
    pub(super) fn on_shared_mount(&self) -> Option<String> {
        let (parent, propagation) = self.parent.as_ref()?;
        let group = propagation.peer_group?;
        Some(format!(
            "{} is mounted on the mount on {parent}, which is shared (peer group {group}): nothing can be moved away from a \
             shared mount; mount --make-private {parent} would allow it",
            self.path
        ))
    }

    /// What keeps a mount from being copied.
    pub(super) fn not_copied(&self, errno: Errno, is_recursive: bool) -> Option<String> {
        if errno != Errno::EINVAL {
            return None;
        }
        let Self { path, mountpoint, .. } = self;
        if self.propagation.is_unbindable {
            return Some(format!("{path} is in the mount on {mountpoint}, which is unbindable"));
        }
        (self.has_locked_children && !is_recursive).then(|| {
            format!("something that is mounted on {mountpoint} is locked there: without MS_REC, it would not hide what is below")
        })
    }

    /// A directory can only be mounted on a directory, and anything else on none.
    pub(super) fn other_kind(&self, target: &Self, errno: Errno) -> Option<String> {
        if errno != Errno::ENOTDIR || self.is_directory == target.is_directory {
            return None;
        }
        let (one, other) = if self.is_directory { (self, target) } else { (target, self) };
        Some(format!("{} is a directory, and {} is none", one.path, other.path))
    }

    /// Who keeps a mount from being unmounted.
    pub(super) fn in_use(&self, linux: &Linux) -> Option<String> {
        if let Some(child) = self.children.first() {
            return Some(format!("something is mounted on it: {child}"));
        }
        linux.tasks().filter(cofferdam_vfs_sim::TaskView::is_running).find_map(|task| {
            let pid = task.pid().0;
            if let Some(file) = task.files().find(|file| file.mount().id() == self.id) {
                return Some(format!("process {pid} has {} open there, as descriptor {}", file.path(), file.fd.0));
            }
            let is_there = |place: &Bytes| {
                let below = place.0.strip_prefix(&self.mountpoint.0[..]);
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || self.mountpoint.0 == b"/")
            };
            let cwd = task.cwd().filter(is_there).map(|_| format!("the working directory of process {pid} is there"));
            cwd.or_else(|| {
                task.root().filter(is_there).map(|_| format!("the root directory of process {pid} is there"))
            })
        })
    }
}
