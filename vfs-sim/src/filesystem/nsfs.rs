//! The files of namespaces (`fs/nsfs.c`).

use serde::{Deserialize, Serialize};

use super::{Dentry, Entry, Inode, InodeKind, Name};
use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::Path;
use crate::namespace::{MountNamespace, NamespaceRef, UserNamespace};
use crate::process::{OpenFile, Task, TaskState};

/// The kinds of namespaces, in the order of `/proc/<pid>/ns` (`ns_entries`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NamespaceKind {
    /// network_namespaces(7)
    Network,
    /// uts_namespaces(7)
    Uts,
    /// ipc_namespaces(7)
    Ipc,
    /// pid_namespaces(7)
    Pid,
    /// The pid namespace of new children.
    PidForChildren,
    /// user_namespaces(7)
    User,
    /// mount_namespaces(7)
    Mount,
    /// cgroup_namespaces(7)
    Cgroup,
    /// time_namespaces(7)
    Time,
    /// The time namespace of new children.
    TimeForChildren,
}

impl NamespaceKind {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Network,
        Self::Uts,
        Self::Ipc,
        Self::Pid,
        Self::PidForChildren,
        Self::User,
        Self::Mount,
        Self::Cgroup,
        Self::Time,
        Self::TimeForChildren,
    ];

    /// The name of the file below `/proc/<pid>/ns`.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Pid => "pid",
            Self::PidForChildren => "pid_for_children",
            Self::User => "user",
            Self::Mount => "mnt",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
            Self::TimeForChildren => "time_for_children",
        }
    }
}

impl Linux {
    /// The namespace of a kind that a process is in: a process that has ended is left with its user and its pid namespace.
    /// A pid namespace that never had a process is not told of.
    pub(crate) fn namespace_of(&self, task: Id<Task>, kind: NamespaceKind) -> Option<NamespaceRef> {
        let task = &self.tasks[task];
        let is_running = matches!(task.state, TaskState::Running);
        let namespaces = &task.namespaces;
        match kind {
            NamespaceKind::User => return Some(NamespaceRef::User(task.credentials.user_namespace)),
            NamespaceKind::Pid => return Some(NamespaceRef::Pid(task.pid_namespace)),
            _ if !is_running => return None,
            NamespaceKind::PidForChildren => {
                let namespace = namespaces.pid_for_children;
                return self.pid_namespaces[namespace].had_init.then_some(NamespaceRef::Pid(namespace));
            }
            _ => {}
        }
        Some(match kind {
            NamespaceKind::Mount => NamespaceRef::Mount(task.mount_namespace),
            NamespaceKind::Network => NamespaceRef::Other(namespaces.network),
            NamespaceKind::Uts => NamespaceRef::Other(namespaces.uts),
            NamespaceKind::Ipc => NamespaceRef::Other(namespaces.ipc),
            NamespaceKind::Cgroup => NamespaceRef::Other(namespaces.cgroup),
            NamespaceKind::Time => NamespaceRef::Other(namespaces.time),
            _ => NamespaceRef::Other(namespaces.time_for_children),
        })
    }

    /// What a namespace is called: `mnt:[4026531832]` (`ns_get_name()`).
    pub(crate) fn namespace_name(&self, namespace: NamespaceRef) -> String {
        let kind = match namespace {
            NamespaceRef::Mount(_) => "mnt",
            NamespaceRef::User(_) => "user",
            NamespaceRef::Pid(_) => "pid",
            NamespaceRef::Other(id) => self.other_namespaces[id].kind.name(),
        };
        format!("{kind}:[{}]", self.namespace_inode(namespace))
    }

    /// The file of a namespace, which keeps it (`ns_get_path()`). It goes with the last reference to it, or with the end of
    /// the call if there was none.
    pub(crate) fn namespace_path(&mut self, namespace: NamespaceRef) -> Path {
        let mount = self.internal.nsfs;
        if let Some(dentry) = self.internal.namespace_files.get(&namespace) {
            return Path { mount, dentry: *dentry };
        }
        self.namespace_get(namespace);
        let superblock = self.mounts[mount].superblock;
        let inode = self.new_inode(superblock, InodeKind::Regular(std::sync::Arc::default()), 0o444, (0, 0));
        self.inodes[inode].number = self.namespace_inode(namespace);
        self.inodes[inode].entry = Entry::Namespace(namespace);
        let name = Name::from(self.namespace_name(namespace).as_str());
        let dentry = self.new_detached_dentry(inode, name);
        self.internal.namespace_files.insert(namespace, dentry);
        self.internal.found.push(dentry);
        Path { mount, dentry }
    }

    /// The end of a call: what it found, but does not keep, goes.
    pub(crate) fn end_call(&mut self) {
        if self.internal.found.is_empty() {
            return;
        }
        for dentry in std::mem::take(&mut self.internal.found) {
            // It can have gone already, and something else have its number.
            let Some(object) = self.dentries.get(dentry) else { continue };
            let namespace = self.namespace_of_inode(object.inode);
            if namespace.is_some_and(|namespace| self.internal.namespace_files.get(&namespace) == Some(&dentry)) {
                self.free_if_unused(dentry);
            }
        }
    }

    /// The end of a namespace's file (`nsfs_evict()`).
    pub(super) fn namespace_file_is_gone(&mut self, namespace: NamespaceRef) {
        self.internal.namespace_files.remove(&namespace);
        self.namespace_put(namespace);
    }

    /// The namespace that an inode stands for.
    pub(crate) fn namespace_of_inode(&self, inode: Id<Inode>) -> Option<NamespaceRef> {
        match self.inodes[inode].entry {
            Entry::Namespace(namespace) => Some(namespace),
            _ => None,
        }
    }

    /// The mount namespace that a dentry stands for (`mnt_ns_from_dentry()`).
    pub(crate) fn mount_namespace_of_file(&self, dentry: Id<Dentry>) -> Option<Id<MountNamespace>> {
        match self.namespace_of_inode(self.dentries[dentry].inode) {
            Some(NamespaceRef::Mount(namespace)) => Some(namespace),
            _ => None,
        }
    }

    /// Whether a dentry stands for a namespace of any kind.
    pub(crate) fn is_namespace_file(&self, dentry: Id<Dentry>) -> bool {
        self.namespace_of_inode(self.dentries[dentry].inode).is_some()
    }

    /// The user namespace that an open file stands for.
    pub(crate) fn user_namespace_of_file(&self, file: Id<OpenFile>) -> Option<Id<UserNamespace>> {
        match self.namespace_of_file(file) {
            Some(NamespaceRef::User(namespace)) => Some(namespace),
            _ => None,
        }
    }

    /// The namespace that an open file stands for (`get_proc_ns()`).
    pub(crate) fn namespace_of_file(&self, file: Id<OpenFile>) -> Option<NamespaceRef> {
        let dentry = self.files[file].path.dentry;
        self.namespace_of_inode(self.dentries[dentry].inode)
    }
}
