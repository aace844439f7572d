//! The maps of ids of a user namespace, as `/proc/<pid>/{uid_map,gid_map,setgroups}` take and show them
//! (user_namespaces(7), `kernel/user_namespace.c`).

use cofferdam::kernel::Capabilities;

use super::map_text::{c_string, parse, skip_spaces};
use super::{IdExtent, UserNamespace};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::{Credentials, Task};

/// From how many lines on a map is sorted (`UID_GID_MAP_MAX_BASE_EXTENTS`).
const MAX_UNSORTED_LINES: usize = 5;

/// How long a text may not be (`PAGE_SIZE`).
const PAGE: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Users,
    Groups,
}

impl Ids {
    fn map(self, namespace: &UserNamespace) -> &Vec<IdExtent> {
        match self {
            Self::Users => &namespace.uid_map,
            Self::Groups => &namespace.gid_map,
        }
    }

    fn capability(self) -> Capabilities {
        match self {
            Self::Users => Capabilities::CAP_SETUID,
            Self::Groups => Capabilities::CAP_SETGID,
        }
    }
}

/// The failure of a write to the file of a map, by whether that is of users or groups.
macro_rules! fail_by_ids {
    ($ids:expr, $errno:ident, $sentence:literal) => {
        match $ids {
            Ids::Users => fail!($errno, "proc_uid_map_write()", $sentence),
            Ids::Groups => fail!($errno, "proc_gid_map_write()", $sentence),
        }
    };
}

impl Linux {
    /// A write to `uid_map` that a process makes, through a file that was opened with these credentials; the file's
    /// position is 0, which a caller must check (`EINVAL`) (`proc_uid_map_write()`).
    ///
    /// # Errors
    ///
    /// `EPERM` if the map is there already, or what is mapped must not be; `EINVAL` if the text is no map.
    pub(crate) fn write_uid_map(
        &mut self,
        task: Id<Task>,
        opener: &Credentials,
        namespace: Id<UserNamespace>,
        text: &[u8],
    ) -> Result<usize, Failure> {
        let map = self.new_map(task, opener, namespace, text, Ids::Users)?;
        self.user_namespaces[namespace].uid_map = map;
        Ok(text.len())
    }

    /// As [`write_uid_map`](Self::write_uid_map), for `gid_map` (`proc_gid_map_write()`).
    pub(crate) fn write_gid_map(
        &mut self,
        task: Id<Task>,
        opener: &Credentials,
        namespace: Id<UserNamespace>,
        text: &[u8],
    ) -> Result<usize, Failure> {
        let map = self.new_map(task, opener, namespace, text, Ids::Groups)?;
        self.user_namespaces[namespace].gid_map = map;
        Ok(text.len())
    }

    /// A write to `setgroups`; the file's position is 0, which a caller must check (`EINVAL`) (`proc_setgroups_write()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the text is neither `allow` nor `deny`; `EPERM` if it is denied already, or there is a `gid_map`.
    pub(crate) fn write_setgroups(&mut self, namespace: Id<UserNamespace>, text: &[u8]) -> Result<usize, Failure> {
        const BUFFER: usize = 8;
        if text.len() >= BUFFER {
            return Err(fail!(EINVAL, "proc_setgroups_write()", "the text is longer than 7 bytes"));
        }
        let string = c_string(text);
        let (allow, rest) = match (string.strip_prefix(b"allow"), string.strip_prefix(b"deny")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(fail!(EINVAL, "proc_setgroups_write()", "the text is neither allow nor deny")),
        };
        if !skip_spaces(rest).is_empty() {
            return Err(fail!(EINVAL, "proc_setgroups_write()", "something follows the word allow or deny"));
        }
        let object = &mut self.user_namespaces[namespace];
        if allow && !object.setgroups_allowed {
            return Err(fail!(EPERM, "proc_setgroups_write()", "setgroups is denied, which cannot be undone"));
        }
        if !allow && !object.gid_map.is_empty() {
            return Err(fail!(
                EPERM,
                "proc_setgroups_write()",
                "gid_map is written, before which setgroups must be denied"
            ));
        }
        object.setgroups_allowed = allow;
        Ok(text.len())
    }

    /// What a read of `uid_map` gives, if the file was opened in the user namespace `viewer` (`uid_m_show()`).
    pub(crate) fn uid_map_text(&self, namespace: Id<UserNamespace>, viewer: Id<UserNamespace>) -> Vec<u8> {
        self.map_text(namespace, viewer, Ids::Users)
    }

    /// What a read of `gid_map` gives, if the file was opened in the user namespace `viewer` (`gid_m_show()`).
    pub(crate) fn gid_map_text(&self, namespace: Id<UserNamespace>, viewer: Id<UserNamespace>) -> Vec<u8> {
        self.map_text(namespace, viewer, Ids::Groups)
    }

    /// What a read of `setgroups` gives (`proc_setgroups_show()`).
    pub(crate) fn setgroups_text(&self, namespace: Id<UserNamespace>) -> &'static [u8] {
        if self.user_namespaces[namespace].setgroups_allowed { b"allow\n" } else { b"deny\n" }
    }

    fn map_text(&self, namespace: Id<UserNamespace>, viewer: Id<UserNamespace>, ids: Ids) -> Vec<u8> {
        let own = &self.user_namespaces[namespace];
        let lower = match own.parent {
            Some(parent) if viewer == namespace => parent,
            _ => viewer,
        };
        let lower = ids.map(&self.user_namespaces[lower]);
        let line = |extent: &IdExtent| {
            let IdExtent { inside, outside, count } = extent;
            let outside = lower.iter().find_map(|extent| extent.inside_of(*outside)).unwrap_or(u32::MAX);
            format!("{inside:>10} {outside:>10} {count:>10}\n").into_bytes()
        };
        ids.map(own).iter().flat_map(line).collect()
    }

    /// The map that a text stands for, if it may be set (`map_write()`).
    fn new_map(
        &self,
        task: Id<Task>,
        opener: &Credentials,
        namespace: Id<UserNamespace>,
        text: &[u8],
        ids: Ids,
    ) -> Result<Vec<IdExtent>, Failure> {
        let object = &self.user_namespaces[namespace];
        let is_initial = fail_by_ids!(ids, EPERM, "the map is that of the initial user namespace");
        let parent = object.parent.ok_or(is_initial)?;
        if opener.user_namespace != namespace && opener.user_namespace != parent {
            return Err(fail_by_ids!(
                ids,
                EPERM,
                "the file was opened neither in the user namespace nor in its parent"
            ));
        }
        if text.len() >= PAGE {
            return Err(fail!(EINVAL, "map_write()", "the text is longer than 4095 bytes"));
        }
        if !ids.map(object).is_empty() {
            return Err(fail!(EPERM, "map_write()", "the map is written already, which can be done once"));
        }
        if !self.credentials_capable(opener, namespace, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "map_write()",
                "the one who opened the file has no CAP_SYS_ADMIN in the user namespace"
            ));
        }
        let mut map = parse(c_string(text))?;
        self.may_map(task, opener, namespace, parent, &map, ids)?;
        let above = ids.map(&self.user_namespaces[parent]);
        for extent in &mut map {
            extent.outside = range_outside(above, extent).ok_or(fail!(
                EPERM,
                "map_write()",
                "the ids that a line maps are not all in one line of the map of the parent user namespace"
            ))?;
        }
        if map.len() > MAX_UNSORTED_LINES {
            map.sort_unstable_by_key(|extent| extent.inside);
        }
        Ok(map)
    }

    /// Whether the one who opened the file, and the one who writes, may map these ids of the parent
    /// (`new_idmap_permitted()`).
    fn may_map(
        &self,
        task: Id<Task>,
        opener: &Credentials,
        namespace: Id<UserNamespace>,
        parent: Id<UserNamespace>,
        map: &[IdExtent],
        ids: Ids,
    ) -> Result<(), Failure> {
        if ids == Ids::Users {
            self.may_map_root(opener, namespace, parent, map)?;
        }
        let (object, above) = (&self.user_namespaces[namespace], &self.user_namespaces[parent]);
        let is_own = match *map {
            [IdExtent { outside, count: 1, .. }] if object.owner == opener.effective_uid => match ids {
                Ids::Users => above.kuid(outside) == Some(opener.effective_uid),
                Ids::Groups => above.kgid(outside) == Some(opener.effective_gid),
            },
            _ => false,
        };
        let needs_denial = ids == Ids::Groups && object.setgroups_allowed;
        let is_capable = || {
            self.ns_capable(task, parent, ids.capability())
                && self.credentials_capable(opener, parent, ids.capability())
        };
        if is_own && !needs_denial || is_capable() {
            return Ok(());
        }
        Err(match ids {
            Ids::Users => fail!(
                EPERM,
                "new_idmap_permitted()",
                "more than the user itself is mapped, without CAP_SETUID in the parent user namespace"
            ),
            Ids::Groups if is_own => fail!(
                EPERM,
                "new_idmap_permitted()",
                "setgroups is not denied (/proc/PID/setgroups), and there is no CAP_SETGID in the parent user namespace"
            ),
            Ids::Groups => fail!(
                EPERM,
                "new_idmap_permitted()",
                "more than the user's own group is mapped, without CAP_SETGID in the parent user namespace"
            ),
        })
    }

    /// Whether root of the parent may be mapped, if it is: a file with capabilities that it makes would be the parent's
    /// (`verify_root_map()`).
    fn may_map_root(
        &self,
        opener: &Credentials,
        namespace: Id<UserNamespace>,
        parent: Id<UserNamespace>,
        map: &[IdExtent],
    ) -> Result<(), Failure> {
        if map.iter().all(|extent| extent.outside != 0) {
            return Ok(());
        }
        if opener.user_namespace == namespace {
            if self.user_namespaces[namespace].parent_could_setfcap {
                return Ok(());
            }
            return Err(fail!(
                EPERM,
                "verify_root_map()",
                "root of the parent user namespace is mapped, whose maker had no CAP_SETFCAP there"
            ));
        }
        if self.credentials_capable(opener, parent, Capabilities::CAP_SETFCAP) {
            return Ok(());
        }
        Err(fail!(EPERM, "verify_root_map()", "root of the parent user namespace is mapped, without CAP_SETFCAP there"))
    }
}

/// What the ids of the parent that a line maps are in the initial user namespace, if one line of the parent has all of
/// them (`map_id_range_down()`).
fn range_outside(parent: &[IdExtent], line: &IdExtent) -> Option<u32> {
    let last = line.outside.checked_add(line.count - 1)?;
    parent.iter().find(|extent| extent.outside_of(last).is_some())?.outside_of(line.outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_must_be_within_one_line_of_the_parent() {
        let line = |inside, outside, count| IdExtent { inside, outside, count };
        let parent = [line(0, 100, 10), line(10, 500, 10)];
        assert_eq!(range_outside(&parent, &line(0, 2, 8)), Some(102));
        assert_eq!(range_outside(&parent, &line(0, 10, 10)), Some(500));
        assert_eq!(range_outside(&parent, &line(0, 5, 10)), None);
        assert_eq!(range_outside(&parent, &line(0, 20, 1)), None);
    }
}
