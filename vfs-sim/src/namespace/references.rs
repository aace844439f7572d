//! Who keeps namespaces.

use super::{Counted, NamespaceRef, Namespaces, OtherNamespace, PidNamespace, UserNamespace};
use crate::arena::Id;
use crate::filesystem::{FilesystemType, SuperBlock};
use crate::linux::Linux;

impl Linux {
    /// Lets go of a user namespace, which goes with its last user, and its parents with it (`put_user_ns()`).
    pub(crate) fn user_namespace_put(&mut self, namespace: Id<UserNamespace>) {
        let mut namespace = Some(namespace);
        while let Some(id) = namespace {
            let object = &mut self.user_namespaces[id];
            object.references -= 1;
            if object.references > 0 {
                return;
            }
            let (parent, owner, number) = (object.parent, object.owner, object.inode);
            if let Some(parent) = parent {
                self.count_down(parent, owner, Counted::UserNamespaces);
            }
            namespace = parent;
            self.user_namespaces.remove(id);
            self.forget_user_limits(number);
        }
    }

    /// Lets go of a pid namespace, which goes with its last user, and its parents with it (`put_pid_ns()`).
    pub(crate) fn pid_namespace_put(&mut self, namespace: Id<PidNamespace>) {
        let mut namespace = Some(namespace);
        while let Some(id) = namespace {
            let object = &mut self.pid_namespaces[id];
            object.references -= 1;
            if object.references > 0 {
                return;
            }
            let (user_namespace, creator) = (object.user_namespace, object.creator);
            namespace = object.parent;
            self.pid_namespaces.remove(id);
            if let Some(creator) = creator {
                self.count_down(user_namespace, creator, Counted::PidNamespaces);
            }
            self.user_namespace_put(user_namespace);
        }
    }

    /// Lets go of a namespace of another kind, which goes with its last user.
    pub(crate) fn other_namespace_put(&mut self, namespace: Id<OtherNamespace>) {
        let object = &mut self.other_namespaces[namespace];
        object.references -= 1;
        if object.references == 0 {
            let (user_namespace, creator, counted) = (object.user_namespace, object.creator, object.kind.counted());
            if let Some(creator) = creator {
                self.count_down(user_namespace, creator, counted);
            }
            self.other_namespaces.remove(namespace);
            self.abandon_mqueue(namespace);
            self.user_namespace_put(user_namespace);
        }
    }

    /// Lets go of the mqueue of an ipc namespace that has gone; it may be mounted still (`put_ipc_ns()`).
    fn abandon_mqueue(&mut self, namespace: Id<OtherNamespace>) {
        let is_it = |superblock: &Id<SuperBlock>| self.superblocks[*superblock].kernel_namespace == Some(namespace);
        let Some(superblock) = self.superblocks_of(&FilesystemType::Mqueue).find(is_it) else { return };
        self.superblocks[superblock].kernel_namespace = None;
        self.superblocks[superblock].is_orphan = true;
        self.superblock_put(superblock);
    }

    /// Keeps a namespace from going.
    pub(crate) fn namespace_get(&mut self, namespace: NamespaceRef) {
        match namespace {
            NamespaceRef::Mount(id) => self.mount_namespaces[id].references += 1,
            NamespaceRef::User(id) => self.user_namespaces[id].references += 1,
            NamespaceRef::Pid(id) => self.pid_namespaces[id].references += 1,
            NamespaceRef::Other(id) => self.other_namespaces[id].references += 1,
        }
    }

    /// Undoes one [`namespace_get`](Self::namespace_get).
    pub(crate) fn namespace_put(&mut self, namespace: NamespaceRef) {
        match namespace {
            NamespaceRef::Mount(id) => self.mount_namespace_put(id),
            NamespaceRef::User(id) => self.user_namespace_put(id),
            NamespaceRef::Pid(id) => self.pid_namespace_put(id),
            NamespaceRef::Other(id) => self.other_namespace_put(id),
        }
    }

    /// Lets go of all namespaces of a process (`put_nsproxy()`).
    pub(crate) fn namespaces_put(&mut self, namespaces: &Namespaces) {
        for namespace in namespaces.others() {
            self.other_namespace_put(namespace);
        }
        self.pid_namespace_put(namespaces.pid_for_children);
    }

    /// The number that `/proc/<pid>/ns` shows.
    pub(crate) fn namespace_inode(&self, namespace: NamespaceRef) -> u64 {
        match namespace {
            NamespaceRef::Mount(id) => self.mount_namespaces[id].inode,
            NamespaceRef::User(id) => self.user_namespaces[id].inode,
            NamespaceRef::Pid(id) => self.pid_namespaces[id].inode,
            NamespaceRef::Other(id) => self.other_namespaces[id].inode,
        }
    }

    /// The number of a new namespace.
    pub(crate) fn new_namespace_inode(&mut self) -> u64 {
        self.next_namespace_inode += 1;
        self.next_namespace_inode - 1
    }
}

impl Namespaces {
    /// Those that are neither mount, user nor pid namespaces.
    pub(crate) fn others(&self) -> [Id<OtherNamespace>; 6] {
        [self.uts, self.ipc, self.network, self.cgroup, self.time, self.time_for_children]
    }
}
