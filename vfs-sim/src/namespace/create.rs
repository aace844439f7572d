//! New namespaces for a process (`kernel/nsproxy.c`, `kernel/user_namespace.c`).

use cofferdam::kernel::{Capabilities, CloneFlags};

use super::other::CLONE_NEWTIME;
use super::{Counted, MountNamespace, NamespaceRef, Namespaces, OtherKind, OtherNamespace, Tally, UserNamespace};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::{Credentials, FsState, RlimitValue, Task};

/// How deep the parent of a new user namespace may be nested.
const MAX_PARENT_LEVEL: u32 = 32;

/// The flags that make a namespace, without `CLONE_NEWUSER` (`CLONE_NS_ALL`).
pub(crate) const NEW_NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWCGROUP)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWNET)
    .union(CLONE_NEWTIME);

/// Whose a new namespace is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    /// The user namespace that owns it.
    pub(crate) user_namespace: Id<UserNamespace>,
    /// The user it counts for, an id of the initial user namespace.
    pub(crate) creator: u32,
}

impl Linux {
    /// A user namespace in that of a process, with one reference (`create_user_ns()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if it would be nested too deeply, or be one too many; `EPERM` if the root of the process is not that of its
    /// mount namespace, or its user or group has no number in its user namespace.
    pub(crate) fn new_user_namespace(&mut self, task: Id<Task>) -> Result<Id<UserNamespace>, Failure> {
        let credentials = self.tasks[task].credentials.clone();
        let parent = credentials.user_namespace;
        let object = &self.user_namespaces[parent];
        if object.level > MAX_PARENT_LEVEL {
            return Err(fail!(ENOSPC, "create_user_ns()", "user namespaces would be nested more than 33 deep"));
        }
        let Credentials { effective_uid: owner, effective_gid: group, effective, .. } = *credentials;
        self.count_up(parent, owner, Counted::UserNamespaces)?;
        if let Err(failure) = self.may_make_user_namespace(task, parent, (owner, group)) {
            self.count_down(parent, owner, Counted::UserNamespaces);
            return Err(failure);
        }
        let object = &self.user_namespaces[parent];
        let (level, setgroups_allowed) = (object.level + 1, object.setgroups_allowed);
        let max_processes = self.enforced_process_limit(task);
        let inode = self.new_namespace_inode();
        self.user_namespaces[parent].references += 1;
        Ok(self.user_namespaces.insert(UserNamespace {
            inode,
            parent: Some(parent),
            level,
            owner,
            group,
            uid_map: Vec::new(),
            gid_map: Vec::new(),
            setgroups_allowed,
            parent_could_setfcap: effective.contains(Capabilities::CAP_SETFCAP),
            max_processes,
            counts: imbl::OrdMap::new(),
            limits: Tally::unlimited(),
            references: 1,
        }))
    }

    /// Whether a process may make a user namespace that belongs to this user and group (`create_user_ns()`).
    fn may_make_user_namespace(
        &self,
        task: Id<Task>,
        parent: Id<UserNamespace>,
        (owner, group): (u32, u32),
    ) -> Result<(), Failure> {
        if self.is_chrooted(task) {
            return Err(fail!(
                EPERM,
                "create_user_ns()",
                "the root directory of the process is not that of its mount namespace (chroot)"
            ));
        }
        let object = &self.user_namespaces[parent];
        if object.uid_of(owner).is_none() {
            return Err(fail!(
                EPERM,
                "create_user_ns()",
                "the effective user of the process has no id in its user namespace (uid_map)"
            ));
        }
        if object.gid_of(group).is_none() {
            return Err(fail!(
                EPERM,
                "create_user_ns()",
                "the effective group of the process has no id in its user namespace (gid_map)"
            ));
        }
        Ok(())
    }

    /// How many processes those in a user namespace that a process makes may be, all together (`enforced_nproc_rlimit()`).
    fn enforced_process_limit(&self, task: Id<Task>) -> u64 {
        let object = &self.tasks[task];
        let is_root = object.credentials.uid == 0 && object.credentials.user_namespace == self.initial_user_namespace;
        if is_root { u64::MAX } else { object.limits.soft(cofferdam::kernel::RlimitResource::RLIMIT_NPROC).value() }
    }

    /// Whether the root of a process is another one than that of its mount namespace (`current_chrooted()`).
    fn is_chrooted(&self, task: Id<Task>) -> bool {
        let object = &self.tasks[task];
        let root = self.fs_states[object.fs].root;
        let top = self.topmost_overmount(self.mount_namespaces[object.mount_namespace].root);
        root != self.root_of(top)
    }

    /// Namespaces for a process that is, or comes from, `task`: those of the flags are new and belong to `user_namespace`,
    /// the others those of `task`. `fs` goes along into a new mount namespace. Each has a reference more
    /// (`create_new_namespaces()`).
    pub(crate) fn create_namespaces(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        user_namespace: Id<UserNamespace>,
        fs: Id<FsState>,
    ) -> Result<(Id<MountNamespace>, Namespaces), Failure> {
        let (mount, old) = (self.tasks[task].mount_namespace, self.tasks[task].namespaces);
        let owner = Owner { user_namespace, creator: self.tasks[task].credentials.effective_uid };
        let mount = if flags.contains(CloneFlags::CLONE_NEWNS) {
            self.copy_mount_namespace(mount, owner, Some(fs))?
        } else {
            self.mount_namespaces[mount].references += 1;
            mount
        };
        let mut made = vec![NamespaceRef::Mount(mount)];
        self.create_other_namespaces(task, flags, owner, &mut made)
            .map(|namespaces| (mount, Namespaces { time: old.time, ..namespaces }))
            .inspect_err(|_| made.iter().rev().for_each(|namespace| self.namespace_put(*namespace)))
            .inspect(|_| self.other_namespaces[old.time].references += 1)
    }

    /// Those besides the mount namespace; each is noted, so that it can be given back if one can't be made.
    fn create_other_namespaces(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        owner: Owner,
        made: &mut Vec<NamespaceRef>,
    ) -> Result<Namespaces, Failure> {
        let old = self.tasks[task].namespaces;
        let mut other = |linux: &mut Self, kind, old| -> Result<Id<OtherNamespace>, Failure> {
            let new = linux.copy_other_namespace(task, flags, kind, (old, owner))?;
            made.push(NamespaceRef::Other(new));
            Ok(new)
        };
        let uts = other(self, OtherKind::Uts, old.uts)?;
        let ipc = other(self, OtherKind::Ipc, old.ipc)?;
        let pid_for_children = if !flags.contains(CloneFlags::CLONE_NEWPID) {
            self.pid_namespaces[old.pid_for_children].references += 1;
            old.pid_for_children
        } else if self.tasks[task].pid_namespace == old.pid_for_children {
            self.new_pid_namespace(owner, old.pid_for_children)?
        } else {
            return Err(fail!(
                EINVAL,
                "copy_pid_ns()",
                "the children of the process get another pid namespace than its own already"
            ));
        };
        made.push(NamespaceRef::Pid(pid_for_children));
        let mut other = |linux: &mut Self, kind, old| -> Result<Id<OtherNamespace>, Failure> {
            let new = linux.copy_other_namespace(task, flags, kind, (old, owner))?;
            made.push(NamespaceRef::Other(new));
            Ok(new)
        };
        let cgroup = other(self, OtherKind::Cgroup, old.cgroup)?;
        let network = other(self, OtherKind::Network, old.network)?;
        let time_for_children = other(self, OtherKind::Time, old.time_for_children)?;
        Ok(Namespaces { uts, ipc, network, cgroup, time: old.time, time_for_children, pid_for_children })
    }

    fn copy_other_namespace(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        kind: OtherKind,
        (old, owner): (Id<OtherNamespace>, Owner),
    ) -> Result<Id<OtherNamespace>, Failure> {
        if !flags.contains(kind.clone_flag()) {
            self.other_namespaces[old].references += 1;
            return Ok(old);
        }
        self.count_up(owner.user_namespace, owner.creator, kind.counted())?;
        let inode = self.new_namespace_inode();
        let credentials = &self.tasks[task].credentials;
        let maker = (credentials.filesystem_uid, credentials.filesystem_gid);
        Ok(self.new_other_namespace(kind, inode, owner.user_namespace, Some(owner.creator), maker))
    }

    /// Lets a process whose time namespace of children is another one go there (`timens_on_fork()`).
    pub(crate) fn enter_time_namespace(&mut self, namespaces: &mut Namespaces) {
        let old = std::mem::replace(&mut namespaces.time, namespaces.time_for_children);
        self.other_namespaces[namespaces.time].references += 1;
        self.other_namespace_put(old);
    }
}
