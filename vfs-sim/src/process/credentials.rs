//! Who a process is (`struct cred`).

use std::sync::Arc;

use cofferdam::kernel::Capabilities;
use serde::{Deserialize, Serialize};

use super::Task;
use crate::arena::Id;
use crate::linux::Linux;
use crate::namespace::UserNamespace;

/// Every capability that there is (`CAP_VALID_MASK`).
pub(crate) const ALL_CAPABILITIES: Capabilities =
    Capabilities::from_bits_retain((Capabilities::CAP_CHECKPOINT_RESTORE.bits() << 1) - 1);

/// Users, groups and capabilities of a process (`struct cred`). Ids are those of the initial user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub(crate) uid: u32,
    pub(crate) effective_uid: u32,
    pub(crate) saved_uid: u32,
    /// The user for files (`fsuid`).
    pub(crate) filesystem_uid: u32,
    pub(crate) gid: u32,
    pub(crate) effective_gid: u32,
    pub(crate) saved_gid: u32,
    /// The group for files (`fsgid`).
    pub(crate) filesystem_gid: u32,
    /// Supplementary groups, sorted.
    pub(crate) groups: Arc<Vec<u32>>,
    pub(crate) effective: Capabilities,
    pub(crate) permitted: Capabilities,
    pub(crate) inheritable: Capabilities,
    pub(crate) bounding: Capabilities,
    pub(crate) ambient: Capabilities,
    /// `SECBIT_KEEP_CAPS`
    pub(crate) keep_capabilities: bool,
    /// The user namespace in which the capabilities hold.
    pub(crate) user_namespace: Id<UserNamespace>,
}

impl Credentials {
    /// Whether a group is one of theirs (`in_group_p()`).
    pub(crate) fn is_in_group(&self, group: u32) -> bool {
        self.filesystem_gid == group || self.groups.binary_search(&group).is_ok()
    }

    /// Those of root with everything allowed.
    pub(crate) fn root(user_namespace: Id<UserNamespace>) -> Self {
        Self {
            uid: 0,
            effective_uid: 0,
            saved_uid: 0,
            filesystem_uid: 0,
            gid: 0,
            effective_gid: 0,
            saved_gid: 0,
            filesystem_gid: 0,
            groups: Arc::default(),
            effective: ALL_CAPABILITIES,
            permitted: ALL_CAPABILITIES,
            inheritable: Capabilities::empty(),
            bounding: ALL_CAPABILITIES,
            ambient: Capabilities::empty(),
            keep_capabilities: false,
            user_namespace,
        }
    }

    /// Gives them all capabilities in a user namespace (`set_cred_user_ns()`).
    pub(crate) fn enter_user_namespace(&mut self, namespace: Id<UserNamespace>) {
        self.keep_capabilities = false;
        self.inheritable = Capabilities::empty();
        self.permitted = ALL_CAPABILITIES;
        self.effective = ALL_CAPABILITIES;
        self.ambient = Capabilities::empty();
        self.bounding = ALL_CAPABILITIES;
        self.user_namespace = namespace;
    }
}

impl Linux {
    /// Gives a process new credentials, with a reference to their user namespace if that is another one than before
    /// (`commit_creds()`).
    pub(crate) fn commit_credentials(&mut self, task: Id<Task>, new: Credentials) {
        let old = self.tasks[task].credentials.clone();
        let is_same_user = old.effective_uid == new.effective_uid
            && old.effective_gid == new.effective_gid
            && old.filesystem_uid == new.filesystem_uid
            && old.filesystem_gid == new.filesystem_gid;
        let is_subset = self.is_subset_of_capabilities(&new, &old);
        let (old_namespace, new_namespace) = (old.user_namespace, new.user_namespace);
        let object = &mut self.tasks[task];
        if !is_same_user || !is_subset {
            // The sysctl fs.suid_dumpable is 0.
            object.is_dumpable = false;
            object.parent_death_signal = None;
        }
        object.credentials = Arc::new(new);
        if new_namespace != old_namespace {
            self.user_namespace_put(old_namespace);
        }
    }

    /// Whether credentials allow no more than others do (`cred_cap_issubset()`).
    fn is_subset_of_capabilities(&self, subset: &Credentials, of: &Credentials) -> bool {
        if subset.user_namespace == of.user_namespace {
            return of.permitted.contains(subset.permitted);
        }
        std::iter::successors(Some(subset.user_namespace), |namespace| self.user_namespaces[*namespace].parent).any(
            |namespace| {
                let object = &self.user_namespaces[namespace];
                object.parent == Some(of.user_namespace) && object.owner == of.effective_uid
            },
        )
    }
}
