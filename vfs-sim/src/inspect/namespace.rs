//! A mount namespace.

use std::fmt;

use super::{MountView, TaskView};
use crate::arena::Id;
use crate::linux::Linux;
use crate::namespace::MountNamespace;

/// A mount namespace of a kernel, to be looked at. Displayed, it is the tree of its mounts.
#[derive(Clone, Copy)]
pub struct NamespaceView<'a> {
    linux: &'a Linux,
    id: Id<MountNamespace>,
}

impl<'a> NamespaceView<'a> {
    pub(super) fn new(linux: &'a Linux, id: Id<MountNamespace>) -> Self {
        Self { linux, id }
    }

    fn object(&self) -> &'a MountNamespace {
        &self.linux.mount_namespaces[self.id]
    }

    /// What the namespace is called inside the simulation.
    pub fn key(&self) -> Id<MountNamespace> {
        self.id
    }

    /// The number that `/proc/<pid>/ns/mnt` shows; none for the namespace of a detached tree.
    pub fn inode(&self) -> Option<u64> {
        (!self.is_detached()).then_some(self.object().inode)
    }

    /// Whether it is that of a detached tree, such as open_tree(2) gives.
    pub fn is_detached(&self) -> bool {
        self.object().is_anonymous
    }

    /// The root of the tree of mounts. The root of the processes is mostly one on it.
    pub fn root(&self) -> MountView<'a> {
        MountView::new(self.linux, self.object().root)
    }

    /// Every mount, in the order of mountinfo.
    pub fn mounts(&self) -> impl Iterator<Item = MountView<'a>> + use<'a> {
        let linux = self.linux;
        self.object().mounts.values().map(move |mount| MountView::new(linux, *mount))
    }

    /// The text of a mountinfo of it, as a process sees it that enters it: also of a namespace that a file keeps and no process
    /// is in.
    pub fn mountinfo(&self) -> Vec<u8> {
        let top = self.linux.topmost_overmount(self.object().root);
        self.linux.mountinfo_text(self.id, self.linux.root_of(top))
    }

    /// The processes in it.
    pub fn tasks(&self) -> impl Iterator<Item = TaskView<'a>> + use<'a> {
        let (linux, id) = (self.linux, self.id);
        linux.tasks().filter(move |task| task.mount_namespace().is_some_and(|namespace| namespace.id == id))
    }
}

impl fmt::Display for NamespaceView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inode() {
            Some(inode) => writeln!(f, "mnt:[{inode}]")?,
            None => writeln!(f, "detached")?,
        }
        super::tree::write_tree(f, self.root())
    }
}

impl fmt::Debug for NamespaceView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamespaceView({:?}, {} mounts)", self.inode(), self.object().mounts.len())
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{CloneFlags, DeviceNumber, Fd, FileType, Mode, MountFlags, NodeMode, Pid, WaitOptions};

    use crate::linux::Linux;

    #[test]
    fn a_namespace_that_only_a_file_keeps_has_a_table() {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.mkdirat(init, Fd::CWD, b"/proc", Mode(0o755)).unwrap();
        linux.mount(init, Some(b"proc"), b"/proc", Some(b"proc"), MountFlags::empty(), None).unwrap();
        let child = linux.fork(init, CloneFlags::CLONE_NEWNS).unwrap();
        let namespace = linux.task(child).unwrap().mount_namespace().unwrap();
        let (key, seen) = (namespace.key(), linux.task(child).unwrap().mountinfo().unwrap());
        assert_eq!(namespace.mountinfo(), seen);
        let file = NodeMode { file_type: FileType::Regular, mode: Mode(0o600) };
        linux.mknodat(init, Fd::CWD, b"/kept", file, DeviceNumber::NONE).unwrap();
        linux.mount(init, Some(b"/proc/2/ns/mnt"), b"/kept", None, MountFlags::MS_BIND, None).unwrap();
        linux.exit(child, 0);
        linux.wait4(init, Pid(-1), WaitOptions::empty()).unwrap();
        let kept = linux.mount_namespace(key).unwrap();
        assert_eq!((kept.tasks().count(), kept.mountinfo()), (0, seen));
    }
}
