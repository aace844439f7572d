//! A process becomes another user (`kernel/sys.c`, `security/commoncap.c`).

use std::sync::Arc;

use cofferdam::kernel::{Capabilities, CapabilitySets};

use super::{ALL_CAPABILITIES, Credentials, Task};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

/// How many supplementary groups there can be (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65536;

/// The number that leaves an id as it is.
const UNCHANGED: u32 = u32::MAX;

/// Real, effective and saved id as they shall be, `None` for one that stays (`kuid_t`).
type NewIds = [Option<u32>; 3];

impl Linux {
    /// `__sys_setresuid()`
    pub(crate) fn set_uids(&mut self, task: Id<Task>, numbers: [u32; 3]) -> Result<(), Failure> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        let [real, effective, saved] = translate(numbers, |uid| namespace.kuid(uid)).ok_or(fail!(
            EINVAL,
            "__sys_setresuid()",
            "a user id is not one of the process's user namespace (uid_map)"
        ))?;
        let present = [old.uid, old.effective_uid, old.saved_uid];
        if !is_change([real, effective, saved], present, old.filesystem_uid) {
            return Ok(());
        }
        if is_new([real, effective, saved], present)
            && !self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETUID)
        {
            return Err(fail!(
                EPERM,
                "__sys_setresuid()",
                "a user id is none that the process has, and it has no CAP_SETUID in its user namespace"
            ));
        }
        let mut new = (*old).clone();
        new.uid = real.unwrap_or(new.uid);
        new.effective_uid = effective.unwrap_or(new.effective_uid);
        new.saved_uid = saved.unwrap_or(new.saved_uid);
        new.filesystem_uid = new.effective_uid;
        self.fix_capabilities(&mut new, &old);
        // One process of the new user is not counted yet, but it is there (`flag_nproc_exceeded()`).
        if new.uid != old.uid {
            let is_exceeded = new.uid != 0 && self.has_too_many_processes(task, (new.user_namespace, new.uid), 0);
            self.tasks[task].has_too_many_processes = is_exceeded;
        }
        self.commit_credentials(task, new);
        Ok(())
    }

    /// `__sys_setresgid()`
    pub(crate) fn set_gids(&mut self, task: Id<Task>, numbers: [u32; 3]) -> Result<(), Failure> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        let [real, effective, saved] = translate(numbers, |gid| namespace.kgid(gid)).ok_or(fail!(
            EINVAL,
            "__sys_setresgid()",
            "a group id is not one of the process's user namespace (gid_map)"
        ))?;
        let present = [old.gid, old.effective_gid, old.saved_gid];
        if !is_change([real, effective, saved], present, old.filesystem_gid) {
            return Ok(());
        }
        if is_new([real, effective, saved], present)
            && !self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETGID)
        {
            return Err(fail!(
                EPERM,
                "__sys_setresgid()",
                "a group id is none that the process has, and it has no CAP_SETGID in its user namespace"
            ));
        }
        let mut new = (*old).clone();
        new.gid = real.unwrap_or(new.gid);
        new.effective_gid = effective.unwrap_or(new.effective_gid);
        new.saved_gid = saved.unwrap_or(new.saved_gid);
        new.filesystem_gid = new.effective_gid;
        self.commit_credentials(task, new);
        Ok(())
    }

    /// What changing from or to root does to the capabilities (`cap_emulate_setxuid()`).
    fn fix_capabilities(&self, new: &mut Credentials, old: &Credentials) {
        let root = self.user_namespaces[old.user_namespace].kuid(0);
        let is_root = |uid: u32| Some(uid) == root;
        let was_root = is_root(old.uid) || is_root(old.effective_uid) || is_root(old.saved_uid);
        if was_root && !is_root(new.uid) && !is_root(new.effective_uid) && !is_root(new.saved_uid) {
            if !old.keep_capabilities {
                new.permitted = Capabilities::empty();
                new.effective = Capabilities::empty();
            }
            new.ambient = Capabilities::empty();
        }
        match (is_root(old.effective_uid), is_root(new.effective_uid)) {
            (true, false) => new.effective = Capabilities::empty(),
            (false, true) => new.effective = new.permitted,
            _ => {}
        }
    }

    /// Sets the supplementary groups (`setgroups(2)` in `kernel/groups.c`).
    pub(crate) fn set_groups(&mut self, task: Id<Task>, groups: &[u32]) -> Result<(), Failure> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        if !self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETGID) {
            return Err(fail!(EPERM, "may_setgroups()", "the process has no CAP_SETGID in its user namespace"));
        }
        if namespace.gid_map.is_empty() {
            return Err(fail!(EPERM, "userns_may_setgroups()", "gid_map of the user namespace is not written"));
        }
        if !namespace.setgroups_allowed {
            return Err(fail!(
                EPERM,
                "userns_may_setgroups()",
                "setgroups is denied in the user namespace (/proc/PID/setgroups)"
            ));
        }
        if groups.len() > MAX_GROUPS {
            return Err(fail!(EINVAL, "sys_setgroups()", "there are more than 65536 groups"));
        }
        let groups: Option<Vec<u32>> = groups.iter().map(|gid| namespace.kgid(*gid)).collect();
        let mut groups = groups.ok_or(fail!(
            EINVAL,
            "groups_from_user()",
            "a group id is not one of the process's user namespace (gid_map)"
        ))?;
        groups.sort_unstable();
        self.commit_credentials(task, Credentials { groups: Arc::new(groups), ..(*old).clone() });
        Ok(())
    }

    /// Sets the capability sets (`cap_capset()`).
    pub(crate) fn set_capabilities(&mut self, task: Id<Task>, sets: CapabilitySets) -> Result<(), Failure> {
        let old = self.tasks[task].credentials.clone();
        let effective = sets.effective & ALL_CAPABILITIES;
        let permitted = sets.permitted & ALL_CAPABILITIES;
        let inheritable = sets.inheritable & ALL_CAPABILITIES;
        let may_inherit_more = self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETPCAP);
        if !may_inherit_more && !(old.inheritable | old.permitted).contains(inheritable) {
            return Err(fail!(
                EPERM,
                "cap_capset()",
                "an inheritable capability is added that is not permitted, without CAP_SETPCAP"
            ));
        }
        if !(old.inheritable | old.bounding).contains(inheritable) {
            return Err(fail!(
                EPERM,
                "cap_capset()",
                "an inheritable capability is added that is not in the bounding set"
            ));
        }
        if !old.permitted.contains(permitted) {
            return Err(fail!(
                EPERM,
                "cap_capset()",
                "a permitted capability is added, of which there can only be less"
            ));
        }
        if !permitted.contains(effective) {
            return Err(fail!(EPERM, "cap_capset()", "an effective capability is not permitted"));
        }
        let ambient = old.ambient & permitted & inheritable;
        self.commit_credentials(task, Credentials { effective, permitted, inheritable, ambient, ..(*old).clone() });
        Ok(())
    }
}

/// The ids that numbers of a user namespace stand for; none if one of them stands for no id.
fn translate(numbers: [u32; 3], translation: impl Fn(u32) -> Option<u32>) -> Option<NewIds> {
    let mut ids = [None; 3];
    for (id, number) in ids.iter_mut().zip(numbers) {
        if number != UNCHANGED {
            *id = Some(translation(number)?);
        }
    }
    Some(ids)
}

/// Whether an id is set to another value than it has; the one for files goes with the effective one.
fn is_change(new: NewIds, present: [u32; 3], filesystem: u32) -> bool {
    let is_change = new.iter().zip(present).any(|(new, present)| new.is_some_and(|new| new != present));
    is_change || new[1].is_some_and(|effective| effective != filesystem)
}

/// Whether an id is set to one that the process has in no role.
fn is_new(new: NewIds, present: [u32; 3]) -> bool {
    new.iter().flatten().any(|id| !present.contains(id))
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{CloneFlags, Errno, Prctl};

    use super::*;

    fn task() -> (Linux, Id<Task>) {
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        (linux, task)
    }

    #[test]
    fn capabilities_go_with_root_unless_they_are_kept() {
        let (mut linux, task) = task();
        linux.setresuid(task, 0, 1000, 0).unwrap();
        let sets = linux.capget(task).unwrap();
        assert_eq!((sets.effective, sets.permitted), (Capabilities::empty(), ALL_CAPABILITIES));
        linux.setresuid(task, UNCHANGED, 0, UNCHANGED).unwrap();
        assert_eq!(linux.capget(task).unwrap().effective, ALL_CAPABILITIES);
        linux.prctl(task, Prctl::SetKeepCapabilities(true)).unwrap();
        linux.setresuid(task, 1000, 1000, 1000).unwrap();
        let sets = linux.capget(task).unwrap();
        assert_eq!((sets.effective, sets.permitted), (Capabilities::empty(), ALL_CAPABILITIES));
        assert_eq!(linux.setresuid(task, 0, 0, 0).map_err(Failure::errno), Err(Errno::EPERM));
        assert!(!linux.tasks[task].is_dumpable);
    }

    #[test]
    fn ids_are_exchanged_without_a_capability() {
        let (mut linux, task) = task();
        linux.setresuid(task, 1000, 1001, 1002).unwrap();
        assert_eq!(linux.setresuid(task, 1002, 1000, 1001), Ok(()));
        assert_eq!(linux.setresuid(task, 1003, UNCHANGED, UNCHANGED).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.geteuid(task), Ok(1000));
    }

    #[test]
    fn ids_without_a_number_are_refused() {
        let (mut linux, task) = task();
        linux.unshare(task, CloneFlags::CLONE_NEWUSER).unwrap();
        assert_eq!(linux.setresuid(task, 0, 0, 0).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.setresgid(task, UNCHANGED, 5, UNCHANGED).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.setresuid(task, UNCHANGED, UNCHANGED, UNCHANGED), Ok(()));
        assert_eq!(linux.setgroups(task, &[]).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.geteuid(task), Ok(65534));
    }

    #[test]
    fn inheritable_capabilities_are_limited_by_the_bounding_set() {
        let (mut linux, task) = task();
        linux.prctl(task, Prctl::DropBoundingCapability(0)).unwrap();
        let sets = linux.capget(task).unwrap();
        let with = |inheritable| CapabilitySets { inheritable, ..sets };
        assert_eq!(linux.capset(task, with(Capabilities::CAP_CHOWN)).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.capset(task, with(Capabilities::CAP_KILL)), Ok(()));
        assert_eq!(linux.prctl(task, Prctl::RaiseAmbientCapability(5)), Ok(0));
        assert_eq!(linux.prctl(task, Prctl::RaiseAmbientCapability(6)).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.prctl(task, Prctl::RaiseAmbientCapability(41)).map_err(Failure::errno), Err(Errno::EINVAL));
        // What is not inheritable any more is not ambient either.
        linux.capset(task, with(Capabilities::empty())).unwrap();
        assert_eq!(linux.tasks[task].credentials.ambient, Capabilities::empty());
    }
}
