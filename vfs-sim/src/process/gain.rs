//! What a process is after it has executed a program (`cap_bprm_creds_from_file()`, `bprm_fill_uid()`).

use cofferdam::kernel::Capabilities;

use super::{Credentials, Task};
use crate::arena::Id;
use crate::filesystem::Inode;
use crate::linux::Linux;
use crate::mount::{MntFlags, Path};
use crate::namespace::UserNamespace;
use crate::walk::Access;

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o0010;

impl Linux {
    /// The credentials of a process that executes a program, and whether these are a privilege that its parent must not
    /// interfere with (`secureexec`). Files have no capabilities here.
    pub(crate) fn credentials_of_program(&self, task: Id<Task>, program: Path) -> (Credentials, bool) {
        let old = &*self.tasks[task].credentials;
        let mut new = old.clone();
        self.become_owner(task, program, &mut new);
        // Those of the file: it has none (`get_file_caps()`).
        new.permitted = Capabilities::empty();
        let root = self.user_namespaces[old.user_namespace].kuid(0);
        let is_root = |uid: u32| Some(uid) == root;
        if is_root(new.effective_uid) || is_root(new.uid) {
            new.permitted = old.bounding | old.inheritable;
        }
        let gains_effective = is_root(new.effective_uid);
        let is_changed = new.effective_uid != old.effective_uid || !self.is_in_group(task, new.effective_gid);
        if (is_changed || !old.permitted.contains(new.permitted)) && self.is_unsafe_to_gain(task) {
            let may_change = self.ns_capable(task, new.user_namespace, Capabilities::CAP_SETUID);
            if !may_change || self.tasks[task].no_new_privileges {
                new.effective_uid = new.uid;
                new.effective_gid = new.gid;
            }
            new.permitted &= old.permitted;
        }
        new.saved_uid = new.effective_uid;
        new.filesystem_uid = new.effective_uid;
        new.saved_gid = new.effective_gid;
        new.filesystem_gid = new.effective_gid;
        if is_changed {
            new.ambient = Capabilities::empty();
        }
        new.permitted |= new.ambient;
        new.effective = if gains_effective { new.permitted } else { new.ambient };
        new.keep_capabilities = false;
        let is_privileged = is_changed
            || new.effective_uid != old.uid
            || new.effective_gid != old.gid
            || !is_root(new.uid) && (gains_effective || !new.ambient.contains(new.permitted));
        (new, is_privileged)
    }

    /// Whether a process may not gain anything, as it said so, or as others could change its root (`check_unsafe_exec()`).
    fn is_unsafe_to_gain(&self, task: Id<Task>) -> bool {
        let object = &self.tasks[task];
        object.no_new_privileges || self.fs_states[object.fs].references > 1
    }

    /// The set-user-id and set-group-id bits (`bprm_fill_uid()`).
    fn become_owner(&self, task: Id<Task>, program: Path, new: &mut Credentials) {
        let inode = self.dentries[program.dentry].inode;
        let mode = self.inodes[inode].mode;
        let is_ignored = !self.may_set_user_id(task, program)
            || self.tasks[task].no_new_privileges
            || mode & (SET_USER_ID | SET_GROUP_ID) == 0
            || self.inode_permission(task, program.mount, inode, Access::EXECUTE).is_err();
        let (Some(uid), Some(gid)) = self.owner_through(program.mount, inode) else { return };
        let namespace = &self.user_namespaces[new.user_namespace];
        if is_ignored || namespace.uid_of(uid).is_none() || namespace.gid_of(gid).is_none() {
            return;
        }
        if mode & SET_USER_ID != 0 {
            new.effective_uid = uid;
        }
        if mode & (SET_GROUP_ID | GROUP_EXECUTE) == SET_GROUP_ID | GROUP_EXECUTE {
            new.effective_gid = gid;
        }
    }

    /// Whether the mount lets programs change the user: one of our own mount namespace, and of a filesystem of our user
    /// namespace or one above (`mnt_may_suid()`).
    fn may_set_user_id(&self, task: Id<Task>, program: Path) -> bool {
        let (mount, object) = (&self.mounts[program.mount], &self.tasks[task]);
        let owner = self.superblocks[mount.superblock].user_namespace;
        !mount.flags.contains(MntFlags::NOSUID)
            && mount.namespace == Some(object.mount_namespace)
            && self.is_in_user_namespace(object.credentials.user_namespace, owner)
    }

    /// For a file that the process could not read: the user namespace, at or above `namespace`, that must not let others
    /// look into the memory with the file (`would_dump()`).
    pub(crate) fn namespace_of_unreadable(
        &self,
        task: Id<Task>,
        file: Path,
        mut namespace: Id<UserNamespace>,
    ) -> Option<Id<UserNamespace>> {
        let inode: Id<Inode> = self.dentries[file.dentry].inode;
        if self.inode_permission(task, file.mount, inode, Access::READ).is_ok() {
            return None;
        }
        let (uid, gid) = self.owner_through(file.mount, inode);
        while let Some(parent) = self.user_namespaces[namespace].parent {
            let object = &self.user_namespaces[namespace];
            if uid.and_then(|uid| object.uid_of(uid)).is_some() && gid.and_then(|gid| object.gid_of(gid)).is_some() {
                break;
            }
            namespace = parent;
        }
        Some(namespace)
    }
}
