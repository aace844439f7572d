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
