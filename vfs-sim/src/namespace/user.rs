//! User namespaces (`struct user_namespace`).

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Tally};
use crate::arena::Id;
use crate::linux::Linux;

/// A line of a map of ids (user_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdExtent {
    /// The first id inside.
    pub inside: u32,
    /// What it is in the initial user namespace.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// A user namespace (`struct user_namespace`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserNamespace {
    /// The number that `/proc/<pid>/ns/user` shows.
    pub(crate) inode: u64,
    /// The one that it was made in; none for the initial one.
    pub(crate) parent: Option<Id<UserNamespace>>,
    /// How deep it is nested, 0 for the initial one.
    pub(crate) level: u32,
    /// The effective user of its creator, an id of the initial user namespace.
    pub(crate) owner: u32,
    /// The effective group of its creator.
    pub(crate) group: u32,
    /// The users of the namespace; ids outside are those of the initial user namespace.
    pub(crate) uid_map: Vec<IdExtent>,
    /// The groups of the namespace.
    pub(crate) gid_map: Vec<IdExtent>,
    /// Whether setgroups(2) is allowed (`USERNS_SETGROUPS_ALLOWED`).
    pub(crate) setgroups_allowed: bool,
    /// Whether the creator had `CAP_SETFCAP` in the parent (`parent_could_setfcap`).
    pub(crate) parent_could_setfcap: bool,
    /// How many processes there may be in it and below (`UCOUNT_RLIMIT_NPROC`).
    pub(crate) max_processes: u64,
    /// What its users have (`struct ucounts`).
    pub(crate) counts: Counts,
    /// How much each user may have (`ucount_max`).
    pub(crate) limits: Tally,
    /// How many processes, their memories, namespaces, superblocks, mounts and files keep it.
    pub(crate) references: u32,
}

/// What is shown for a user or group without a number (the sysctls kernel.overflowuid and kernel.overflowgid).
pub(crate) const OVERFLOW_ID: u32 = 65534;

impl UserNamespace {
    /// The user that a number of the namespace stands for, an id of the initial user namespace (`make_kuid()`).
    pub(crate) fn kuid(&self, uid: u32) -> Option<u32> {
        self.uid_map.iter().find_map(|extent| extent.outside_of(uid))
    }

    /// The group that a number of the namespace stands for, an id of the initial user namespace (`make_kgid()`).
    pub(crate) fn kgid(&self, gid: u32) -> Option<u32> {
        self.gid_map.iter().find_map(|extent| extent.outside_of(gid))
    }

    /// The number of a user, if it has one (`from_kuid()`).
    pub(crate) fn uid_of(&self, kuid: u32) -> Option<u32> {
        self.uid_map.iter().find_map(|extent| extent.inside_of(kuid))
    }

    /// The number of a group, if it has one (`from_kgid()`).
    pub(crate) fn gid_of(&self, kgid: u32) -> Option<u32> {
        self.gid_map.iter().find_map(|extent| extent.inside_of(kgid))
    }

    /// The number of a user, or the one that stands for none (`from_kuid_munged()`).
    pub(crate) fn shown_uid(&self, kuid: u32) -> u32 {
        self.uid_of(kuid).unwrap_or(OVERFLOW_ID)
    }

    /// The number of a group, or the one that stands for none (`from_kgid_munged()`).
    pub(crate) fn shown_gid(&self, kgid: u32) -> u32 {
        self.gid_of(kgid).unwrap_or(OVERFLOW_ID)
    }
}

impl Linux {
    /// Whether a user namespace is `ancestor` or below it (`in_userns()`).
    pub(crate) fn is_in_user_namespace(&self, namespace: Id<UserNamespace>, ancestor: Id<UserNamespace>) -> bool {
        std::iter::successors(Some(namespace), |namespace| self.user_namespaces[*namespace].parent)
            .any(|namespace| namespace == ancestor)
    }
}

impl IdExtent {
    /// The number inside of an id of the initial user namespace, if it is in this line (`map_id_up()`).
    pub fn inside_of(&self, outside: u32) -> Option<u32> {
        let offset = outside.checked_sub(self.outside).filter(|offset| *offset < self.count)?;
        self.inside.checked_add(offset)
    }

    /// The id of the initial user namespace that a number inside stands for, if it is in this line (`map_id_down()`).
    pub fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside).filter(|offset| *offset < self.count)?;
        self.outside.checked_add(offset)
    }
}
