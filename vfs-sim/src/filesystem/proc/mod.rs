//! proc(5): processes and the kernel as files (`fs/proc/`).
//!
//! Dentries are made when their name is looked up and stay. What a file says is written when it is read.

mod access;
mod attributes;
mod configured;
#[cfg(test)]
mod entry_tests;
mod links;
mod list;
mod lookup;
mod mount_tables;
mod open;
mod tables;
mod task_tables;
mod task_text;
#[cfg(test)]
mod tests;
mod text;
mod user_limits;
mod write;

pub use mount_tables::OpenMountTable;
pub use open::{OpenEntry, SeekRule};
pub use tables::Directory;
pub use task_tables::TaskFile;

use serde::{Deserialize, Serialize};

use super::{Entry, Inode, InodeKind, Name, NamespaceKind, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;
use crate::namespace::{Counted, UserNamespace};
use crate::process::Task;

/// What stands behind an inode of proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcEntry {
    /// A directory of the kernel's own.
    Directory(Directory),
    /// A file in such a directory, by its place in the list.
    File(Directory, u16),
    /// A limit of a user namespace.
    UserLimit {
        /// The namespace; its id may be another one's by now.
        namespace: Id<UserNamespace>,
        /// Its number, which tells.
        number: u64,
        /// What is limited.
        counted: Counted,
    },
    /// `self`
    SelfLink,
    /// `thread-self`
    ThreadSelfLink,
    /// Something of a process.
    Task {
        /// The process; its id may be another one's by now.
        task: Id<Task>,
        /// Its process id, which tells.
        pid: i32,
        /// What of it.
        entry: TaskEntry,
    },
}

/// What there is of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskEntry {
    /// `/proc/<pid>`
    Process,
    /// `/proc/<pid>/task/<tid>`
    Thread,
    /// `task`
    Threads,
    /// `fd`
    Descriptors,
    /// `fdinfo`
    DescriptorInfos,
    /// `ns`
    Namespaces,
    /// `attr`
    Attributes,
    /// A directory of which nothing is told: `net`, `map_files`.
    Silent,
    /// A file.
    File(TaskFile),
    /// `cwd`
    Cwd,
    /// `root`
    Root,
    /// `exe`
    Exe,
    /// `fd/<number>`
    Descriptor(u32),
    /// `fdinfo/<number>`
    DescriptorInfo(u32),
    /// `ns/<name>`
    Namespace(NamespaceKind),
}

impl Linux {
    /// A new proc with its root and the two links that lead everyone elsewhere (`proc_fill_super()`).
    pub(super) fn fill_proc(&mut self, superblock: Id<SuperBlock>) {
        let root = self.root_inode(superblock);
        let inode = &mut self.inodes[root];
        (inode.mode, inode.uid, inode.gid) = (0o555, 0, 0);
        self.inodes[root].entry = Entry::Proc(ProcEntry::Directory(Directory::Root));
        self.inodes[root].links = Directory::Root.links();
        let directory = self.superblocks[superblock].root;
        for (name, entry) in [("self", ProcEntry::SelfLink), ("thread-self", ProcEntry::ThreadSelfLink)] {
            let inode = self.new_proc_inode(superblock, InodeKind::Symlink(Name::from("")), 0o777, entry);
            self.new_dentry(directory, Name::from(name), inode);
        }
    }

    fn new_proc_inode(
        &mut self,
        superblock: Id<SuperBlock>,
        kind: InodeKind,
        mode: u32,
        entry: ProcEntry,
    ) -> Id<Inode> {
        let inode = self.new_inode(superblock, kind, mode, (0, 0));
        self.inodes[inode].entry = Entry::Proc(entry);
        inode
    }

    /// The process behind an entry, unless it was waited for (`get_proc_task()`).
    fn proc_task(&self, task: Id<Task>, pid: i32) -> Option<Id<Task>> {
        self.tasks.get(task).filter(|object| object.pid == pid).map(|_| task)
    }

    /// What stands behind an inode, if it is one of proc.
    fn proc_entry(&self, inode: Id<Inode>) -> Option<ProcEntry> {
        match self.inodes[inode].entry {
            Entry::Proc(entry) => Some(entry),
            _ => None,
        }
    }
}
