//! A process becomes another user (`kernel/sys.c`, `security/commoncap.c`).

use std::sync::Arc;

use cofferdam::kernel::{Capabilities, CapabilitySets, Errno};

use super::{ALL_CAPABILITIES, Credentials, Task};
use crate::arena::Id;
use crate::linux::Linux;

/// How many supplementary groups there can be (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65536;

/// The number that leaves an id as it is.
const UNCHANGED: u32 = u32::MAX;

/// Real, effective and saved id as they shall be, `None` for one that stays (`kuid_t`).
type NewIds = [Option<u32>; 3];

impl Linux {
    /// `__sys_setresuid()`
    pub(crate) fn set_uids(&mut self, task: Id<Task>, numbers: [u32; 3]) -> Result<(), Errno> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        let [real, effective, saved] = translate(numbers, |uid| namespace.kuid(uid))?;
        let present = [old.uid, old.effective_uid, old.saved_uid];
        if !is_change([real, effective, saved], present, old.filesystem_uid) {
            return Ok(());
        }
        if is_new([real, effective, saved], present)
            && !self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETUID)
        {
            return Err(Errno::EPERM);
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
    pub(crate) fn set_gids(&mut self, task: Id<Task>, numbers: [u32; 3]) -> Result<(), Errno> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        let [real, effective, saved] = translate(numbers, |gid| namespace.kgid(gid))?;
        let present = [old.gid, old.effective_gid, old.saved_gid];
        if !is_change([real, effective, saved], present, old.filesystem_gid) {
            return Ok(());
        }
        if is_new([real, effective, saved], present)
            && !self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETGID)
        {
            return Err(Errno::EPERM);
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
    pub(crate) fn set_groups(&mut self, task: Id<Task>, groups: &[u32]) -> Result<(), Errno> {
        let old = self.tasks[task].credentials.clone();
        let namespace = &self.user_namespaces[old.user_namespace];
        let is_allowed = self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETGID)
            && !namespace.gid_map.is_empty()
            && namespace.setgroups_allowed;
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        if groups.len() > MAX_GROUPS {
            return Err(Errno::EINVAL);
        }
        let groups: Option<Vec<u32>> = groups.iter().map(|gid| namespace.kgid(*gid)).collect();
        let mut groups = groups.ok_or(Errno::EINVAL)?;
        groups.sort_unstable();
        self.commit_credentials(task, Credentials { groups: Arc::new(groups), ..(*old).clone() });
        Ok(())
    }

    /// Sets the capability sets (`cap_capset()`).
    pub(crate) fn set_capabilities(&mut self, task: Id<Task>, sets: CapabilitySets) -> Result<(), Errno> {
        let old = self.tasks[task].credentials.clone();
        let effective = sets.effective & ALL_CAPABILITIES;
        let permitted = sets.permitted & ALL_CAPABILITIES;
        let inheritable = sets.inheritable & ALL_CAPABILITIES;
        let may_inherit_more = self.ns_capable(task, old.user_namespace, Capabilities::CAP_SETPCAP);
        let is_allowed = (may_inherit_more || (old.inheritable | old.permitted).contains(inheritable))
            && (old.inheritable | old.bounding).contains(inheritable)
            && old.permitted.contains(permitted)
            && permitted.contains(effective);
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        let ambient = old.ambient & permitted & inheritable;
        self.commit_credentials(task, Credentials { effective, permitted, inheritable, ambient, ..(*old).clone() });
        Ok(())
    }
}

fn translate(numbers: [u32; 3], translation: impl Fn(u32) -> Option<u32>) -> Result<NewIds, Errno> {
    let mut ids = [None; 3];
    for (id, number) in ids.iter_mut().zip(numbers) {
        if number != UNCHANGED {
            *id = Some(translation(number).ok_or(Errno::EINVAL)?);
        }
    }
    Ok(ids)
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
