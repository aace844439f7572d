//! Leaving and joining namespaces.

use cofferdam::kernel::{Capabilities, CloneFlags, Fd};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::{
    MountNamespace, NEW_NAMESPACES, NamespaceRef, OtherKind, OtherNamespace, PidNamespace, UserNamespace,
};
use crate::process::{Credentials, FsState, Task};

/// `CLONE_VM`, `CLONE_SIGHAND`, `CLONE_THREAD`: a process with one thread shares none of them.
const UNSHARED_ALREADY: CloneFlags = CloneFlags::from_bits_retain(0x1_0900);

/// `CLONE_SYSVSEM`
const SEMAPHORES: CloneFlags = CloneFlags::from_bits_retain(0x4_0000);

/// What a process fails by that may not join a namespace.
#[derive(Clone, Copy)]
struct JoinRules {
    /// It has no privileges over the namespace.
    over_namespace: Failure,
    /// It has none where it is.
    in_own: Failure,
}

/// The [`JoinRules`] that stand in a function of Linux.
macro_rules! join_rules {
    ($function:literal) => {
        JoinRules {
            over_namespace: fail!(
                EPERM,
                $function,
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the namespace that it is to join"
            ),
            in_own: fail!(EPERM, $function, "the process has no CAP_SYS_ADMIN in its own user namespace"),
        }
    };
}

impl JoinRules {
    fn of(kind: OtherKind) -> Self {
        match kind {
            OtherKind::Uts => join_rules!("utsns_install()"),
            OtherKind::Ipc => join_rules!("ipcns_install()"),
            OtherKind::Network => join_rules!("netns_install()"),
            OtherKind::Cgroup => join_rules!("cgroupns_install()"),
            OtherKind::Time => join_rules!("timens_install()"),
        }
    }
}

impl Linux {
    /// unshare (`ksys_unshare()`)
    pub(crate) fn unshare(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<(), Failure> {
        let known = UNSHARED_ALREADY
            | SEMAPHORES
            | CloneFlags::CLONE_FS
            | CloneFlags::CLONE_FILES
            | CloneFlags::CLONE_NEWUSER
            | NEW_NAMESPACES;
        if !known.contains(flags) {
            return Err(fail!(EINVAL, "check_unshare_flags()", "a flag is not one that unshare(2) knows"));
        }
        let new_fs = self.fs_to_unshare(task, flags);
        let credentials = self.credentials_to_unshare(task, flags);
        let result = credentials.and_then(|credentials| self.unshare_namespaces(task, flags, new_fs, credentials));
        match (result, new_fs) {
            (Ok(credentials), _) => {
                if let Some(fs) = new_fs {
                    let old = std::mem::replace(&mut self.tasks[task].fs, fs);
                    self.fs_state_put(old);
                }
                if flags.contains(CloneFlags::CLONE_FILES) {
                    self.unshare_descriptors(task);
                }
                if let Some(credentials) = credentials {
                    self.commit_credentials(task, credentials);
                }
                Ok(())
            }
            (Err(failure), new_fs) => {
                if let Some(fs) = new_fs {
                    self.fs_state_put(fs);
                }
                Err(failure)
            }
        }
    }

    /// Root and working directory of a process's own, if it needs them (`unshare_fs()`).
    fn fs_to_unshare(&mut self, task: Id<Task>, flags: CloneFlags) -> Option<Id<FsState>> {
        let fs = self.tasks[task].fs;
        let is_shared = self.fs_states[fs].references > 1;
        let is_needed = flags.contains(CloneFlags::CLONE_NEWNS)
            || is_shared && flags.intersects(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWUSER);
        is_needed.then(|| self.copy_fs_state(fs))
    }

    /// Credentials in a new user namespace, with a reference to it (`unshare_userns()`).
    fn credentials_to_unshare(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<Option<Credentials>, Failure> {
        if !flags.contains(CloneFlags::CLONE_NEWUSER) {
            return Ok(None);
        }
        let namespace = self.new_user_namespace(task)?;
        let mut credentials = (*self.tasks[task].credentials).clone();
        credentials.enter_user_namespace(namespace);
        Ok(Some(credentials))
    }

    /// Lets a process into new namespaces (`unshare_nsproxy_namespaces()`); in case of an error the reference of the
    /// credentials is given back.
    fn unshare_namespaces(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        new_fs: Option<Id<FsState>>,
        credentials: Option<Credentials>,
    ) -> Result<Option<Credentials>, Failure> {
        if !flags.intersects(NEW_NAMESPACES) {
            return Ok(credentials);
        }
        let owner = credentials.as_ref().unwrap_or(&self.tasks[task].credentials).user_namespace;
        let fs = new_fs.unwrap_or(self.tasks[task].fs);
        let result = if self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            self.create_namespaces(task, flags, owner, fs)
        } else {
            Err(fail!(EPERM, "unshare_nsproxy_namespaces()", "the process has no CAP_SYS_ADMIN in its user namespace"))
        };
        match result {
            Ok((mount, namespaces)) => {
                let object = &mut self.tasks[task];
                let old_mount = std::mem::replace(&mut object.mount_namespace, mount);
                let old = std::mem::replace(&mut object.namespaces, namespaces);
                self.mount_namespace_put(old_mount);
                self.namespaces_put(&old);
                Ok(credentials)
            }
            Err(failure) => {
                if let Some(credentials) = credentials {
                    self.user_namespace_put(credentials.user_namespace);
                }
                Err(failure)
            }
        }
    }

    /// setns
    pub(crate) fn setns(&mut self, task: Id<Task>, fd: Fd, nstype: CloneFlags) -> Result<(), Failure> {
        let file = self.readable_file(task, fd)?;
        let namespace = self.namespace_of_file(file).ok_or(fail!(
            EINVAL,
            "sys_setns()",
            "the file descriptor is not one of a namespace"
        ))?;
        let flag = match namespace {
            NamespaceRef::Mount(_) => CloneFlags::CLONE_NEWNS,
            NamespaceRef::User(_) => CloneFlags::CLONE_NEWUSER,
            NamespaceRef::Pid(_) => CloneFlags::CLONE_NEWPID,
            NamespaceRef::Other(id) => self.other_namespaces[id].kind.clone_flag(),
        };
        // The call takes 32 bits.
        let wanted = nstype & CloneFlags::from_bits_retain(u64::from(u32::MAX));
        if !wanted.is_empty() && wanted != flag {
            return Err(fail!(EINVAL, "sys_setns()", "the namespace is not of the type that is asked for"));
        }
        match namespace {
            NamespaceRef::Mount(id) => self.join_mount_namespace(task, id),
            NamespaceRef::User(id) => self.join_user_namespace(task, id),
            NamespaceRef::Pid(id) => self.join_pid_namespace(task, id),
            NamespaceRef::Other(id) => self.join_other_namespace(task, id),
        }
    }

    /// Whether a process may join a namespace: it needs `CAP_SYS_ADMIN` over the namespace and in its own user namespace.
    fn may_join(&self, task: Id<Task>, owner: Id<UserNamespace>, rules: JoinRules) -> Result<(), Failure> {
        let own = self.tasks[task].credentials.user_namespace;
        self.needs(task, owner, Capabilities::CAP_SYS_ADMIN, rules.over_namespace)?;
        self.needs(task, own, Capabilities::CAP_SYS_ADMIN, rules.in_own)
    }

    fn needs(
        &self,
        task: Id<Task>,
        namespace: Id<UserNamespace>,
        capability: Capabilities,
        otherwise: Failure,
    ) -> Result<(), Failure> {
        if self.ns_capable(task, namespace, capability) { Ok(()) } else { Err(otherwise) }
    }

    /// `mntns_install()`
    fn join_mount_namespace(&mut self, task: Id<Task>, namespace: Id<MountNamespace>) -> Result<(), Failure> {
        const NO_CHROOT: Failure =
            fail!(EPERM, "mntns_install()", "the process has no CAP_SYS_CHROOT in its own user namespace");
        let JoinRules { over_namespace, in_own } = join_rules!("mntns_install()");
        let own = self.tasks[task].credentials.user_namespace;
        let owner = self.mount_namespaces[namespace].user_namespace;
        self.needs(task, owner, Capabilities::CAP_SYS_ADMIN, over_namespace)?;
        self.needs(task, own, Capabilities::CAP_SYS_CHROOT, NO_CHROOT)?;
        self.needs(task, own, Capabilities::CAP_SYS_ADMIN, in_own)?;
        let fs = self.tasks[task].fs;
        if self.mount_namespaces[namespace].is_anonymous {
            return Err(fail!(EINVAL, "mntns_install()", "the mount namespace is that of a detached tree"));
        }
        if self.fs_states[fs].references != 1 {
            return Err(fail!(
                EINVAL,
                "mntns_install()",
                "the process shares root and working directory with another one (CLONE_FS)"
            ));
        }
        let top = self.topmost_overmount(self.mount_namespaces[namespace].root);
        let root = self.root_of(top);
        self.mount_namespaces[namespace].references += 1;
        self.path_get(root);
        self.path_get(root);
        let object = &mut self.fs_states[fs];
        let old = [std::mem::replace(&mut object.cwd, root), std::mem::replace(&mut object.root, root)];
        for path in old {
            self.path_put(path);
        }
        let old = std::mem::replace(&mut self.tasks[task].mount_namespace, namespace);
        self.mount_namespace_put(old);
        Ok(())
    }

    /// `userns_install()`
    fn join_user_namespace(&mut self, task: Id<Task>, namespace: Id<UserNamespace>) -> Result<(), Failure> {
        let mut credentials = (*self.tasks[task].credentials).clone();
        if namespace == credentials.user_namespace {
            return Err(fail!(EINVAL, "userns_install()", "the process is in that user namespace already"));
        }
        if self.fs_states[self.tasks[task].fs].references != 1 {
            return Err(fail!(
                EINVAL,
                "userns_install()",
                "the process shares root and working directory with another one (CLONE_FS)"
            ));
        }
        if !self.ns_capable(task, namespace, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "userns_install()",
                "the process has no CAP_SYS_ADMIN in the user namespace that it is to join"
            ));
        }
        self.user_namespaces[namespace].references += 1;
        credentials.enter_user_namespace(namespace);
        self.commit_credentials(task, credentials);
        Ok(())
    }

    /// `pidns_install()`
    fn join_pid_namespace(&mut self, task: Id<Task>, namespace: Id<PidNamespace>) -> Result<(), Failure> {
        self.may_join(task, self.pid_namespaces[namespace].user_namespace, join_rules!("pidns_install()"))?;
        if !self.is_in_pid_namespace(namespace, self.tasks[task].pid_namespace) {
            return Err(fail!(EINVAL, "pidns_install()", "the pid namespace is not below that of the process"));
        }
        self.pid_namespaces[namespace].references += 1;
        let old = std::mem::replace(&mut self.tasks[task].namespaces.pid_for_children, namespace);
        self.pid_namespace_put(old);
        Ok(())
    }

    /// Joins a namespace of another kind.
    fn join_other_namespace(&mut self, task: Id<Task>, namespace: Id<OtherNamespace>) -> Result<(), Failure> {
        let OtherNamespace { kind, user_namespace, .. } = self.other_namespaces[namespace];
        self.may_join(task, user_namespace, JoinRules::of(kind))?;
        let namespaces = &mut self.tasks[task].namespaces;
        let places = match kind {
            OtherKind::Uts => vec![&mut namespaces.uts],
            OtherKind::Ipc => vec![&mut namespaces.ipc],
            OtherKind::Network => vec![&mut namespaces.network],
            OtherKind::Cgroup => vec![&mut namespaces.cgroup],
            OtherKind::Time => vec![&mut namespaces.time, &mut namespaces.time_for_children],
        };
        let old: Vec<_> = places.into_iter().map(|place| std::mem::replace(place, namespace)).collect();
        for old in old {
            self.other_namespaces[namespace].references += 1;
            self.other_namespace_put(old);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Errno, Mode, Prctl};

    use super::*;

    const USER: CloneFlags = CloneFlags::CLONE_NEWUSER;

    #[test]
    fn flags_are_checked_first() {
        let mut linux = Linux::new();
        let init = linux.init();
        for bits in [1, 0x1000, 0x8000_0000, 1 << 32] {
            let flags = CloneFlags::from_bits_retain(bits) | USER;
            assert_eq!(linux.unshare(init, flags).map_err(Failure::errno), Err(Errno::EINVAL), "{bits:#x}");
        }
        assert_eq!(linux.unshare(init, UNSHARED_ALREADY | SEMAPHORES), Ok(()));
    }

    #[test]
    fn user_namespaces_are_33_deep_at_most() {
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        for depth in 0..33 {
            assert_eq!(linux.unshare(task, USER), Ok(()), "{depth}");
            let credentials = linux.tasks[task].credentials.clone();
            let namespace = credentials.user_namespace;
            linux.write_setgroups(namespace, b"deny").unwrap();
            linux.write_uid_map(task, &credentials, namespace, b"0 0 1").unwrap();
            linux.write_gid_map(task, &credentials, namespace, b"0 0 1").unwrap();
        }
        assert_eq!(linux.unshare(task, USER).map_err(Failure::errno), Err(Errno::ENOSPC));
        linux.exit(task, 0);
        linux.check().unwrap();
    }

    #[test]
    fn no_user_namespace_is_made_in_a_chroot_or_without_a_number() {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.mkdirat(init, Fd::CWD, b"/a", Mode(0o755)).unwrap();
        let task = linux.fork(init, CloneFlags::empty()).unwrap();
        linux.chroot(task, b"/a").unwrap();
        assert_eq!(linux.unshare(task, USER).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.unshare(task, CloneFlags::CLONE_NEWNS), Ok(()));
        let task = linux.fork(init, CloneFlags::empty()).unwrap();
        assert_eq!(linux.unshare(task, USER), Ok(()));
        assert_eq!(linux.unshare(task, USER).map_err(Failure::errno), Err(Errno::EPERM));
    }

    #[test]
    fn pid_namespaces_of_children_do_not_change_twice() {
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        assert_eq!(linux.unshare(task, CloneFlags::CLONE_NEWPID), Ok(()));
        assert_eq!(linux.unshare(task, CloneFlags::CLONE_NEWPID).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.fork(task, CloneFlags::CLONE_NEWPID), Err(Errno::EINVAL));
        // What was made before that failed is gone.
        linux.check().unwrap();
    }

    #[test]
    fn new_privileges_do_not_make_a_process_accessible() {
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        linux.setresgid(task, 1000, 1000, 1000).unwrap();
        linux.setresuid(task, 1000, 1000, 1000).unwrap();
        linux.prctl(task, Prctl::SetDumpable(true)).unwrap();
        let other = linux.fork(task, CloneFlags::empty()).unwrap();
        assert!(linux.may_access(task, other));
        linux.unshare(other, USER).unwrap();
        // The creator of a namespace may everything in there, but not the other way round.
        assert!(linux.may_access(task, other));
        assert!(!linux.may_access(other, task));
    }
}
