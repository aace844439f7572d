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
    use cofferdam::UnixPath;
    use cofferdam::kernel::{CloneFlags, Kernel as _, MountFlags};

    use crate::handle::Process;
    use crate::sample;

    #[test]
    fn a_namespace_that_only_a_file_keeps_has_a_table() {
        let init = Process::init(sample::host());
        let keeper = init.fork(CloneFlags::CLONE_NEWNS).unwrap();
        let task = keeper.task();
        let namespace = keeper.linux().task(task).unwrap().mount_namespace().unwrap().key();
        let seen = keeper.linux().mountinfo_table(task).unwrap();
        let private = MountFlags::MS_PRIVATE | MountFlags::MS_REC;
        init.mount(None, UnixPath::new("/"), None, private, None).unwrap();
        let pid = init.linux().pid_for(init.task(), task).unwrap();
        init.mkdirat(cofferdam::kernel::Fd::CWD, UnixPath::new("/tmp/kept"), cofferdam::kernel::Mode(0o755)).unwrap();
        init.mknodat(
            cofferdam::kernel::Fd::CWD,
            UnixPath::new("/tmp/kept/mnt"),
            cofferdam::kernel::FileType::Regular,
            cofferdam::kernel::Mode(0o644),
            cofferdam::kernel::DeviceNumber::default(),
        )
        .unwrap();
        let file = format!("/proc/{}/ns/mnt", pid.0);
        let at = UnixPath::new("/tmp/kept/mnt");
        init.mount(Some(UnixPath::new(&file)), at, None, MountFlags::MS_BIND, None).unwrap();
        keeper.exit(0);
        let linux = init.linux();
        let view = linux.mount_namespace(namespace).unwrap();
        assert_eq!(view.tasks().count(), 0);
        assert_eq!(view.mountinfo().len(), seen.len());
        assert!(view.mountinfo().starts_with(seen.split(|byte| *byte == b' ').next().unwrap()));
    }
}
