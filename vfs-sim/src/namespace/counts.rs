//! How many namespaces users have, and how many they may have (namespaces(7), `kernel/ucount.c`).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{OtherKind, UserNamespace};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

/// What is counted for each user (`enum ucount_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Counted {
    UserNamespaces,
    PidNamespaces,
    UtsNamespaces,
    IpcNamespaces,
    NetworkNamespaces,
    MountNamespaces,
    CgroupNamespaces,
    TimeNamespaces,
    InotifyInstances,
    InotifyWatches,
    FanotifyGroups,
    FanotifyMarks,
}

/// How many kinds there are.
const KINDS: usize = 12;

/// A number of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally([u32; KINDS]);

impl Tally {
    pub(crate) fn get(&self, kind: Counted) -> u32 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set(&mut self, kind: Counted, number: u32) {
        if let Some(own) = self.0.get_mut(kind as usize) {
            *own = number;
        }
    }

    /// What is there of each kind.
    pub(crate) fn all(number: u32) -> Self {
        Self([number; KINDS])
    }

    /// What a new user namespace allows (`create_user_ns()`).
    pub(crate) fn unlimited() -> Self {
        Self::all(i32::MAX.unsigned_abs())
    }
}

/// The numbers of the users of a user namespace that have any (`struct ucounts`), by the id of the initial one.
pub(crate) type Counts = OrdMap<u32, Tally>;

impl OtherKind {
    /// What such a namespace counts as.
    pub(crate) fn counted(self) -> Counted {
        match self {
            Self::Uts => Counted::UtsNamespaces,
            Self::Ipc => Counted::IpcNamespaces,
            Self::Network => Counted::NetworkNamespaces,
            Self::Cgroup => Counted::CgroupNamespaces,
            Self::Time => Counted::TimeNamespaces,
        }
    }
}

impl Linux {
    /// Counts one more for a user of a user namespace, for who made that namespace in the one above, and so on
    /// (`inc_ucount()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if one of them has as many as the namespace allows; then nothing is counted.
    pub(crate) fn count_up(&mut self, namespace: Id<UserNamespace>, user: u32, kind: Counted) -> Result<(), Failure> {
        let counted_for = self.counted_for(namespace, user);
        let is_full = |(namespace, user): &(Id<UserNamespace>, u32)| {
            let object = &self.user_namespaces[*namespace];
            object.counts.get(user).map_or(0, |numbers| numbers.get(kind)) >= object.limits.get(kind)
        };
        if counted_for.iter().any(is_full) {
            return Err(fail!(
                ENOSPC,
                "inc_ucount()",
                "the user has as many namespaces of the kind as /proc/sys/user allows, here or in a namespace above"
            ));
        }
        for (namespace, user) in counted_for {
            let numbers = self.user_namespaces[namespace].counts.entry(user).or_insert(Tally::all(0));
            numbers.set(kind, numbers.get(kind).saturating_add(1));
        }
        Ok(())
    }

    /// Undoes one [`count_up`](Self::count_up) (`dec_ucount()`).
    pub(crate) fn count_down(&mut self, namespace: Id<UserNamespace>, user: u32, kind: Counted) {
        for (namespace, user) in self.counted_for(namespace, user) {
            let counts = &mut self.user_namespaces[namespace].counts;
            let Some(numbers) = counts.get_mut(&user) else { continue };
            numbers.set(kind, numbers.get(kind).saturating_sub(1));
            if *numbers == Tally::all(0) {
                counts.remove(&user);
            }
        }
    }

    /// Whose numbers change with those of a user: a user for each user namespace upwards.
    pub(crate) fn counted_for(&self, namespace: Id<UserNamespace>, user: u32) -> Vec<(Id<UserNamespace>, u32)> {
        let above = |(namespace, _): &(Id<UserNamespace>, u32)| {
            let object = &self.user_namespaces[*namespace];
            object.parent.map(|parent| (parent, object.owner))
        };
        std::iter::successors(Some((namespace, user)), above).collect()
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel, Mode, MountFlags, OpenFlags, OpenHow, OpenTreeFlags};

    use crate::{Linux, Process};

    fn path(path: &str) -> &UnixPath {
        UnixPath::new(path)
    }

    /// A process in a user namespace of its own, with proc.
    fn machine() -> Process {
        let process = Process::init(Linux::new());
        process.mkdirat(Fd::CWD, path("/proc"), Mode(0o555)).unwrap();
        process.mount(None, path("/proc"), Some(b"proc"), MountFlags::empty(), None).unwrap();
        enter(&process);
        process
    }

    /// Enters a user namespace with the same root.
    fn enter(process: &Process) {
        process.unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
        for (name, text) in [("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")] {
            let how = OpenHow { flags: OpenFlags::O_WRONLY, ..OpenHow::default() };
            let fd = process.openat2(Fd::CWD, path(&format!("/proc/self/{name}")), how).unwrap();
            process.write(fd, text.as_bytes()).unwrap();
            process.close(fd).unwrap();
        }
    }

    fn open(process: &Process, name: &str) -> Fd {
        let how = OpenHow { flags: OpenFlags::O_RDWR, ..OpenHow::default() };
        process.openat2(Fd::CWD, path(&format!("/proc/sys/user/{name}")), how).unwrap()
    }

    fn limit(process: &Process, name: &str, number: &str) {
        let fd = open(process, name);
        process.write(fd, number.as_bytes()).unwrap();
        process.close(fd).unwrap();
        assert_eq!(process.linux().check(), Ok(()));
    }

    #[test]
    fn each_user_namespace_has_its_own_limits() {
        let process = machine();
        let outer = open(&process, "max_uts_namespaces");
        assert_eq!(process.write(outer, b" 5 6\n"), Ok(3));
        enter(&process);
        let inner = open(&process, "max_uts_namespaces");
        assert_eq!(process.read(inner, 100).unwrap().0, b"2147483647\n");
        let again = process.openat2(Fd::CWD, path("/proc/self/fd/0"), OpenHow::default()).unwrap();
        assert_eq!(process.read(again, 100).unwrap().0, b"5\n");
        // What is above is not ours to change.
        assert_eq!(process.write(outer, b"7"), Err(Errno::EPERM));
    }

    #[test]
    fn no_more_namespaces_than_all_above_allow() {
        let process = machine();
        limit(&process, "max_uts_namespaces", "2");
        process.unshare(CloneFlags::CLONE_NEWUTS).unwrap();
        enter(&process);
        // The one before goes when there is another.
        process.unshare(CloneFlags::CLONE_NEWUTS).unwrap();
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWUTS), Ok(()));
        limit(&process, "max_uts_namespaces", "1");
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWUTS), Err(Errno::ENOSPC));
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWIPC), Ok(()));
        limit(&process, "max_user_namespaces", "0");
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWUSER), Err(Errno::ENOSPC));
        assert_eq!(process.linux().check(), Ok(()));
    }

    #[test]
    fn a_detached_tree_is_in_a_namespace_that_counts() {
        let process = machine();
        limit(&process, "max_mnt_namespaces", "2");
        let copy = || process.open_tree(Fd::CWD, path("/proc"), OpenTreeFlags::OPEN_TREE_CLONE);
        let fd = copy().unwrap();
        assert_eq!(copy(), Err(Errno::ENOSPC));
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWNS), Err(Errno::ENOSPC));
        process.close(fd).unwrap();
        assert_eq!(process.unshare(CloneFlags::CLONE_NEWNS), Ok(()));
        assert_eq!(process.linux().check(), Ok(()));
    }
}
