//! A look at a kernel from outside: what is mounted where, who shares events with whom, what the processes have.

mod mount;
mod namespace;
mod task;
mod tree;

pub use mount::{MountView, Propagation};
pub use namespace::NamespaceView;
pub use task::{FileView, TaskView};

use std::collections::BTreeMap;

use cofferdam::kernel::{Bytes, Pid};

use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::MountNamespace;
use crate::process::Task;

impl Linux {
    /// Every mount, of all namespaces, and of none: unmounted ones that something still uses. Those that the kernel has
    /// for itself are left out.
    ///
    /// ```
    /// use cofferdam_vfs_sim::Linux;
    ///
    /// let linux = Linux::new();
    /// let init = linux.task(linux.init()).expect("init runs");
    /// let namespace = init.mount_namespace().expect("init runs");
    /// let root = namespace.mounts().last().expect("it has a root");
    /// assert_eq!((root.id(), root.filesystem_type()), (2, &b"tmpfs"[..]));
    /// assert_eq!(root.parent().map(|parent| parent.id()), Some(1));
    /// assert_eq!(root.mountpoint().to_string(), r#""/""#);
    /// println!("{namespace}");
    /// ```
    pub fn mounts(&self) -> impl Iterator<Item = MountView<'_>> {
        // Not those of the kernel's own.
        let shown = self.mounts.iter().filter(|(_, mount)| !mount.flags.contains(MntFlags::INTERNAL));
        shown.map(|(id, _)| MountView::new(self, id))
    }

    /// A mount, if it is still there.
    pub fn mount_view(&self, mount: Id<Mount>) -> Option<MountView<'_>> {
        self.mounts.get(mount).map(|_| MountView::new(self, mount))
    }

    /// The peer groups by their numbers, with their mounts.
    pub fn peer_groups(&self) -> BTreeMap<u32, Vec<MountView<'_>>> {
        let mut groups: BTreeMap<u32, Vec<MountView<'_>>> = BTreeMap::new();
        for mount in self.mounts() {
            if let Some(group) = mount.peer_group() {
                groups.entry(group).or_default().push(mount);
            }
        }
        groups
    }

    /// Every mount namespace, those of detached trees included.
    pub fn mount_namespaces(&self) -> impl Iterator<Item = NamespaceView<'_>> {
        self.mount_namespaces.iter().map(|(id, _)| NamespaceView::new(self, id))
    }

    /// A mount namespace, if it is still there.
    pub fn mount_namespace(&self, namespace: Id<MountNamespace>) -> Option<NamespaceView<'_>> {
        self.mount_namespaces.get(namespace).map(|_| NamespaceView::new(self, namespace))
    }

    /// Every process, those included that have ended and that nobody has waited for.
    pub fn tasks(&self) -> impl Iterator<Item = TaskView<'_>> {
        self.tasks.iter().map(|(id, _)| TaskView::new(self, id))
    }

    /// A process, if it is there.
    pub fn task(&self, task: Id<Task>) -> Option<TaskView<'_>> {
        self.tasks.get(task).map(|_| TaskView::new(self, task))
    }

    /// The process with this number.
    pub fn task_of_pid(&self, pid: Pid) -> Option<TaskView<'_>> {
        self.pid_namespaces[self.initial_pid_namespace].tasks.get(&pid.0).map(|task| TaskView::new(self, *task))
    }

    /// A place as seen from a root, with ` (deleted)` behind it as in `/proc/<pid>/fd` (`d_path()`).
    fn place_text(&self, place: Path, root: Path) -> Bytes {
        let text = self.path_text(place, root);
        let mut bytes = text.bytes;
        if text.is_deleted {
            bytes.extend_from_slice(b" (deleted)");
        }
        Bytes(bytes)
    }
}
