//! Whether a process may (`security/commoncap.c`, `kernel/capability.c`).

use cofferdam::kernel::Capabilities;

use super::{Credentials, Task};
use crate::arena::Id;
use crate::filesystem::{Inode, NO_ID};
use crate::linux::Linux;
use crate::mount::Mount;
use crate::namespace::UserNamespace;

impl Linux {
    /// Whether credentials have a capability in a user namespace (`cap_capable()`): in their own namespace and those below,
    /// what is effective; in those that their user made, everything.
    pub(crate) fn credentials_capable(
        &self,
        credentials: &Credentials,
        namespace: Id<UserNamespace>,
        capability: Capabilities,
    ) -> bool {
        let mut target = namespace;
        loop {
            if target == credentials.user_namespace {
                return credentials.effective.contains(capability);
            }
            let object = &self.user_namespaces[target];
            let own = &self.user_namespaces[credentials.user_namespace];
            if object.level <= own.level {
                return false;
            }
            let Some(parent) = object.parent else { return false };
            if parent == credentials.user_namespace && object.owner == credentials.effective_uid {
                return true;
            }
            target = parent;
        }
    }

    /// Whether a process has a capability in a user namespace (`ns_capable()`).
    pub(crate) fn ns_capable(&self, task: Id<Task>, namespace: Id<UserNamespace>, capability: Capabilities) -> bool {
        self.credentials_capable(&self.tasks[task].credentials, namespace, capability)
    }

    /// Whether a process has a capability in the initial user namespace (`capable()`).
    pub(crate) fn capable(&self, task: Id<Task>, capability: Capabilities) -> bool {
        self.ns_capable(task, self.initial_user_namespace, capability)
    }

    /// Whether a process may mount in its mount namespace (`may_mount()`).
    pub(crate) fn may_mount(&self, task: Id<Task>) -> bool {
        let namespace = &self.mount_namespaces[self.tasks[task].mount_namespace];
        self.ns_capable(task, namespace.user_namespace, Capabilities::CAP_SYS_ADMIN)
    }

    /// Whether a process has a capability over an inode as seen through a mount: one of its own user namespace, and the
    /// inode's owner and group have a number there (`capable_wrt_inode_uidgid()`).
    pub(crate) fn capable_over_inode(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        inode: Id<Inode>,
        capability: Capabilities,
    ) -> bool {
        self.credentials_capable_over(&self.tasks[task].credentials, mount, inode, capability)
    }

    /// The same for credentials that need be nobody's.
    pub(crate) fn credentials_capable_over(
        &self,
        credentials: &Credentials,
        mount: Id<Mount>,
        inode: Id<Inode>,
        capability: Capabilities,
    ) -> bool {
        let namespace = credentials.user_namespace;
        let (uid, gid) = self.owner_through(mount, inode);
        let is_mapped = |id: Option<u32>, map: &[crate::namespace::IdExtent]| {
            id.is_some_and(|id| map.iter().any(|extent| extent.inside_of(id).is_some()))
        };
        let object = &self.user_namespaces[namespace];
        is_mapped(uid, &object.uid_map)
            && is_mapped(gid, &object.gid_map)
            && self.credentials_capable(credentials, namespace, capability)
    }

    /// The owner and the group of an inode as seen through a mount, ids of the initial user namespace; none where there is
    /// none, or an id-mapped mount has no number for it (`i_uid_into_vfsuid()`, `i_gid_into_vfsgid()`).
    pub(crate) fn owner_through(&self, mount: Id<Mount>, inode: Id<Inode>) -> (Option<u32>, Option<u32>) {
        let Inode { uid, gid, .. } = self.inodes[inode];
        let Some(idmap) = self.mounts[mount].idmap else {
            let known = |id: u32| Some(id).filter(|id| *id != NO_ID);
            return (known(uid), known(gid));
        };
        let superblock = &self.superblocks[self.mounts[mount].superblock];
        let filesystem = &self.user_namespaces[superblock.user_namespace];
        let idmap = &self.user_namespaces[idmap];
        let map = |id: u32, from: &[crate::namespace::IdExtent], to: &[crate::namespace::IdExtent]| {
            let number = from.iter().find_map(|extent| extent.inside_of(id))?;
            to.iter().find_map(|extent| extent.outside_of(number))
        };
        (map(uid, &filesystem.uid_map, &idmap.uid_map), map(gid, &filesystem.gid_map, &idmap.gid_map))
    }
}
