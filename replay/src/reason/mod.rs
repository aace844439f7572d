//! Why a call failed.

mod manual;
mod place;

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Capabilities, Errno, Fd, MountFlags, MoveMountFlags, OpenTreeFlags, UmountFlags,
};
use cofferdam_vfs_sim::{Id, Linux, Location, Rule, Task};

use self::place::Place;
use crate::decode::Given;
use crate::world::wanted::wanted_by;

/// Why a call fails, as far as that can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The rule that it meets.
    pub(crate) reason: Option<String>,
    /// What makes it meet the rule, by name.
    pub(crate) detail: Option<String>,
}

/// Why a call fails with this error on a machine that is as it was before the call. This is the one place from which reports
/// take it.
///
/// The rule is that of the simulated kernel if the call failed there too; otherwise there is what the manual page says of the
/// error. The detail is what the state of the mounts shows.
pub(crate) fn reason(linux: &Linux, task: Id<Task>, call: &Call, errno: Errno, rule: Option<&'static Rule>) -> Reason {
    let asked = Asked { linux, task, errno };
    let detail = asked.path(call).or_else(|| asked.privilege(call)).or_else(|| asked.mounts(call));
    let rule = rule.filter(|rule| rule.errno() == errno).map(ToString::to_string);
    let reason = rule.or_else(|| {
        let sentence = manual::sentence(call.name(), errno).filter(|_| detail.is_none())?;
        Some(format!("{}(2) gives {} where {sentence}", call.name(), errno.name()?))
    });
    Reason { reason, detail }
}

/// What is asked: why a call of this process fails so.
#[derive(Clone, Copy)]
struct Asked<'a> {
    linux: &'a Linux,
    task: Id<Task>,
    errno: Errno,
}

impl Asked<'_> {
    /// A path that leads nowhere.
    fn path(self, call: &Call) -> Option<String> {
        wanted_by(call, &Ok(Given::Done)).into_iter().find_map(|wanted| {
            let located = self.linux.locate(self.task, wanted.dirfd, &wanted.path.0, wanted.follow).ok()?;
            match (located, self.errno) {
                (Location::Missing { place, .. }, Errno::ENOENT) => {
                    Some(format!("{}: there is no {} in its filesystem", wanted.path, place.path))
                }
                (Location::NotADirectory(place), Errno::ENOTDIR) => {
                    Some(format!("{}: {} in its filesystem is no directory", wanted.path, place.path))
                }
                _ => None,
            }
        })
    }

    /// What the process may not do.
    fn privilege(self, call: &Call) -> Option<String> {
        if self.errno != Errno::EPERM {
            return None;
        }
        let needed = match call {
            Call::Chroot { .. } => (Capabilities::CAP_SYS_CHROOT, "CAP_SYS_CHROOT"),
            Call::Mount { .. }
            | Call::Umount2 { .. }
            | Call::PivotRoot { .. }
            | Call::MoveMount { .. }
            | Call::OpenTree { .. }
            | Call::OpenTreeAttr { .. }
            | Call::MountSetattr { .. }
            | Call::Fsopen { .. }
            | Call::Fsconfig { .. }
            | Call::Fsmount { .. }
            | Call::Fspick { .. }
            | Call::Unshare { .. }
            | Call::Setns { .. }
            | Call::Clone3 { .. } => (Capabilities::CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
            _ => return None,
        };
        let process = self.linux.task(self.task)?;
        if !process.capabilities().contains(needed.0) {
            return Some(format!("the process has no {}", needed.1));
        }
        if process.is_in_initial_user_namespace() {
            return None;
        }
        Some(format!(
            "the process has {} in its own user namespace, but not in the one that its mount namespace, or what it wants to \
             change, belongs to",
            needed.1
        ))
    }

    fn place(self, dirfd: Fd, path: &Bytes) -> Option<Place> {
        Place::of(self.linux, self.task, dirfd, path)
    }

    /// What the mounts forbid.
    fn mounts(self, call: &Call) -> Option<String> {
        match call {
            Call::Mount { source, target, mountflags, filesystemtype, .. } => {
                self.mount(source.as_ref(), target, *mountflags, filesystemtype.as_ref())
            }
            Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags } => {
                let is_set_group = flags.contains(MoveMountFlags::MOVE_MOUNT_SET_GROUP);
                let from = self.place(*from_dirfd, from_path).filter(|_| !is_set_group)?;
                self.moved(&from, self.place(*to_dirfd, to_path).as_ref())
            }
            Call::OpenTree { dirfd, path, flags } if flags.contains(OpenTreeFlags::OPEN_TREE_CLONE) => {
                self.place(*dirfd, path)?.not_copied(self.errno, flags.contains(OpenTreeFlags::AT_RECURSIVE))
            }
            Call::MountSetattr { dirfd, path, flags, .. } => {
                let place = self.place(*dirfd, path)?;
                place.no_mountpoint(self.errno, flags.contains(AtFlags::AT_EMPTY_PATH))
            }
            Call::Umount2 { target, flags } => self.umount(target, *flags),
            Call::PivotRoot { new_root, put_old } => self.pivot_root(new_root, put_old),
            _ => None,
        }
    }

    fn mount(
        self,
        source: Option<&Bytes>,
        target: &Bytes,
        flags: MountFlags,
        filesystem: Option<&Bytes>,
    ) -> Option<String> {
        let changes = MountFlags::MS_REMOUNT
            | MountFlags::MS_SHARED
            | MountFlags::MS_SLAVE
            | MountFlags::MS_PRIVATE
            | MountFlags::MS_UNBINDABLE;
        if self.errno == Errno::ENODEV {
            return filesystem.map(|name| format!("no filesystem of type {name} is simulated"));
        }
        let to = self.place(Fd::CWD, target);
        if flags.intersects(changes) {
            return to?.no_mountpoint(self.errno, false);
        }
        let from = || source.and_then(|source| self.place(Fd::CWD, source));
        if flags.contains(MountFlags::MS_BIND) {
            let from = from()?;
            return from
                .not_copied(self.errno, flags.contains(MountFlags::MS_REC))
                .or_else(|| to.and_then(|to| from.other_kind(&to, self.errno)));
        }
        if flags.contains(MountFlags::MS_MOVE) {
            return self.moved(&from()?, to.as_ref());
        }
        None
    }

    fn moved(self, from: &Place, to: Option<&Place>) -> Option<String> {
        from.not_moved(self.errno).or_else(|| from.other_kind(to?, self.errno))
    }

    fn umount(self, target: &Bytes, flags: UmountFlags) -> Option<String> {
        let place = self.place(Fd::CWD, target)?;
        match self.errno {
            Errno::EINVAL => place.no_mountpoint(self.errno, false).or_else(|| place.locked()),
            Errno::EBUSY if !flags.contains(UmountFlags::MNT_DETACH) => place.in_use(self.linux),
            _ => None,
        }
    }

    fn pivot_root(self, new_root: &Bytes, put_old: &Bytes) -> Option<String> {
        let new_root = self.place(Fd::CWD, new_root)?;
        if self.errno != Errno::EINVAL {
            return None;
        }
        let put_old = self.place(Fd::CWD, put_old);
        let shared = [Some(&new_root), put_old.as_ref()].into_iter().flatten().find_map(Place::on_shared_mount);
        new_root.no_mountpoint(self.errno, false).or(shared).or_else(|| new_root.locked())
    }
}
