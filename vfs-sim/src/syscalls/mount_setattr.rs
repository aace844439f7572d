//! mount_setattr(2) (`fs/namespace.c`).

use cofferdam::kernel::{AtFlags, Capabilities, Fd, MountAttr, MountAttrFlags, MountFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::UserNamespace;
use crate::process::Task;
use crate::walk::LookupFlags;

const PLAIN: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC)
    .union(MountAttrFlags::MOUNT_ATTR__ATIME)
    .union(MountAttrFlags::MOUNT_ATTR_NODIRATIME)
    .union(MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW);
const PROPAGATION: MountFlags =
    MountFlags::MS_UNBINDABLE.union(MountFlags::MS_PRIVATE).union(MountFlags::MS_SLAVE).union(MountFlags::MS_SHARED);

/// The flags of a mount that can be locked, in the order of `can_change_locked_flags()`.
const LOCKED_FLAGS: [(MntFlags, MntFlags, Failure); 4] = [
    (
        MntFlags::LOCK_READONLY,
        MntFlags::READONLY,
        fail!(
            EPERM,
            "can_change_locked_flags()",
            "ro would be cleared, which is locked: the mount came from a more privileged mount namespace"
        ),
    ),
    (
        MntFlags::LOCK_NODEV,
        MntFlags::NODEV,
        fail!(
            EPERM,
            "can_change_locked_flags()",
            "nodev would be cleared, which is locked: the mount came from a more privileged mount namespace"
        ),
    ),
    (
        MntFlags::LOCK_NOSUID,
        MntFlags::NOSUID,
        fail!(
            EPERM,
            "can_change_locked_flags()",
            "nosuid would be cleared, which is locked: the mount came from a more privileged mount namespace"
        ),
    ),
    (
        MntFlags::LOCK_NOEXEC,
        MntFlags::NOEXEC,
        fail!(
            EPERM,
            "can_change_locked_flags()",
            "noexec would be cleared, which is locked: the mount came from a more privileged mount namespace"
        ),
    ),
];

/// Which mounts are changed, and what may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// The whole tree.
    pub(super) recurse: bool,
    /// An id-mapped mount may get another map, or none (`MOUNT_KATTR_IDMAP_REPLACE`).
    pub(super) may_replace_idmap: bool,
}

/// What becomes of the id map of a mount.
#[derive(Clone, Copy, Debug)]
enum IdMapChange {
    Set(Id<UserNamespace>),
    Clear,
}

/// What a mount_attr asks for (`struct mount_kattr`).
struct Request {
    set: MntFlags,
    clear: MntFlags,
    propagation: MountFlags,
    idmap: Option<IdMapChange>,
}

/// The flags of a mount for attributes, without the access time kinds (`attr_flags_to_mnt_flags()`).
pub(crate) fn mount_flags(attributes: MountAttrFlags) -> MntFlags {
    let mut flags = MntFlags::empty();
    for (attribute, flag) in [
        (MountAttrFlags::MOUNT_ATTR_RDONLY, MntFlags::READONLY),
        (MountAttrFlags::MOUNT_ATTR_NOSUID, MntFlags::NOSUID),
        (MountAttrFlags::MOUNT_ATTR_NODEV, MntFlags::NODEV),
        (MountAttrFlags::MOUNT_ATTR_NOEXEC, MntFlags::NOEXEC),
        (MountAttrFlags::MOUNT_ATTR_NODIRATIME, MntFlags::NODIRATIME),
        (MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW, MntFlags::NOSYMFOLLOW),
    ] {
        flags.set(flag, attributes.contains(attribute));
    }
    flags
}

impl Linux {
    /// mount_setattr(2)
    pub(crate) fn mount_setattr(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: AtFlags,
        attr: &MountAttr,
    ) -> Result<(), Failure> {
        let known =
            AtFlags::AT_EMPTY_PATH | AtFlags::AT_RECURSIVE | AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT;
        if !known.contains(flags) {
            return Err(fail!(EINVAL, "sys_mount_setattr()", "a flag is not one that the call knows"));
        }
        let change = Change { recurse: flags.contains(AtFlags::AT_RECURSIVE), may_replace_idmap: false };
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW));
        lookup.set(LookupFlags::EMPTY, flags.contains(AtFlags::AT_EMPTY_PATH));
        self.set_attributes_of_tree(task, attr, change, |linux| linux.lookup(task, dirfd, path, lookup))
    }

    /// Changes the mounts at the place that `find` finds, which is asked only if there is something to change
    /// (`wants_mount_setattr()`, `do_mount_setattr()`).
    pub(super) fn set_attributes_of_tree(
        &mut self,
        task: Id<Task>,
        attr: &MountAttr,
        change: Change,
        find: impl FnOnce(&mut Self) -> Result<Path, Failure>,
    ) -> Result<(), Failure> {
        self.check_may_mount(task)?;
        if attr.attr_set.is_empty() && attr.attr_clr.is_empty() && attr.propagation.is_empty() {
            return Ok(());
        }
        let request = self.parse_mount_attr(task, attr, change)?;
        let path = find(self)?;
        if !self.is_root_of_mount(path) {
            return Err(fail!(EINVAL, "do_mount_setattr()", "the path is not the root of a mount"));
        }
        if let Some(IdMapChange::Set(namespace)) = request.idmap {
            has_maps(&self.user_namespaces[namespace])?;
        }
        let mount = path.mount;
        if !self.is_detached_root(mount) && !self.is_in_namespace_of(task, mount) {
            return Err(fail!(
                EINVAL,
                "do_mount_setattr()",
                "the mount is neither in the mount namespace of the process nor the root of a detached tree"
            ));
        }
        let mounts = if change.recurse { self.mount_tree(mount) } else { vec![mount] };
        for &mount in &mounts {
            self.can_set_attributes(task, mount, &request, change)?;
        }
        if request.propagation == MountFlags::MS_SHARED {
            self.invent_groups(mount, change.recurse);
        }
        for mount in mounts {
            self.commit_attributes(mount, &request);
        }
        Ok(())
    }

    /// `build_mount_kattr()`
    fn parse_mount_attr(&self, task: Id<Task>, attr: &MountAttr, change: Change) -> Result<Request, Failure> {
        if !PROPAGATION.contains(attr.propagation) {
            return Err(fail!(
                EINVAL,
                "build_mount_kattr()",
                "the propagation is not one of MS_SHARED, MS_PRIVATE, MS_SLAVE and MS_UNBINDABLE"
            ));
        }
        if attr.propagation.bits().count_ones() > 1 {
            return Err(fail!(EINVAL, "build_mount_kattr()", "more than one propagation type is given"));
        }
        if !PLAIN.union(MountAttrFlags::MOUNT_ATTR_IDMAP).contains(attr.attr_set | attr.attr_clr) {
            return Err(fail!(EINVAL, "build_mount_kattr()", "an attribute is not one that the call knows"));
        }
        let (mut set, mut clear) = (mount_flags(attr.attr_set), mount_flags(attr.attr_clr));
        let kind = attr.attr_set & MountAttrFlags::MOUNT_ATTR__ATIME;
        if attr.attr_clr.intersects(MountAttrFlags::MOUNT_ATTR__ATIME) {
            if !attr.attr_clr.contains(MountAttrFlags::MOUNT_ATTR__ATIME) {
                return Err(fail!(
                    EINVAL,
                    "build_mount_kattr()",
                    "attr_clr has a part of MOUNT_ATTR__ATIME: access times are changed by clearing all of it"
                ));
            }
            clear |= MntFlags::RELATIME | MntFlags::NOATIME;
            set |= access_time_kind(kind)?;
        } else if !kind.is_empty() {
            return Err(fail!(
                EINVAL,
                "build_mount_kattr()",
                "attr_set says what access times do, and attr_clr lacks MOUNT_ATTR__ATIME"
            ));
        }
        let idmap = self.parse_idmap(task, attr, change)?;
        Ok(Request { set, clear, propagation: attr.propagation, idmap })
    }

    /// `build_mount_idmapped()`
    fn parse_idmap(&self, task: Id<Task>, attr: &MountAttr, change: Change) -> Result<Option<IdMapChange>, Failure> {
        let is_set = attr.attr_set.contains(MountAttrFlags::MOUNT_ATTR_IDMAP);
        if attr.attr_clr.contains(MountAttrFlags::MOUNT_ATTR_IDMAP) {
            if !change.may_replace_idmap {
                return Err(fail!(
                    EINVAL,
                    "build_mount_idmapped()",
                    "attr_clr has MOUNT_ATTR_IDMAP: only open_tree_attr() with OPEN_TREE_CLONE takes away an id map"
                ));
            }
            if !is_set {
                return Ok(Some(IdMapChange::Clear));
            }
        }
        if !is_set {
            return Ok(None);
        }
        let fd = attr.userns_fd.unwrap_or(Fd(0));
        if fd.0 < 0 {
            return Err(fail!(EINVAL, "build_mount_idmapped()", "the descriptor for MOUNT_ATTR_IDMAP is negative"));
        }
        let file = self.readable_file(task, fd)?;
        let namespace = self.user_namespace_of_file(file).ok_or(fail!(
            EINVAL,
            "build_mount_idmapped()",
            "the descriptor for MOUNT_ATTR_IDMAP is not one of a user namespace"
        ))?;
        if namespace == self.initial_user_namespace {
            return Err(fail!(
                EPERM,
                "build_mount_idmapped()",
                "the descriptor for MOUNT_ATTR_IDMAP is that of the initial user namespace"
            ));
        }
        if !self.ns_capable(task, namespace, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "build_mount_idmapped()",
                "the process has no CAP_SYS_ADMIN in the user namespace whose maps the mount would get"
            ));
        }
        Ok(Some(IdMapChange::Set(namespace)))
    }

    /// `mount_setattr_prepare()` for one mount.
    fn can_set_attributes(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        request: &Request,
        change: Change,
    ) -> Result<(), Failure> {
        let object = &self.mounts[mount];
        self.can_change_locked_flags(mount, object.flags.difference(request.clear) | request.set)?;
        if let Some(idmap) = request.idmap {
            self.can_idmap(task, mount, idmap, change)?;
        }
        let becomes_readonly = request.set.contains(MntFlags::READONLY) && !object.flags.contains(MntFlags::READONLY);
        if becomes_readonly || request.idmap.is_some() {
            self.has_no_writers(mount)?;
        }
        Ok(())
    }

    /// `can_idmap_mount()`
    fn can_idmap(&self, task: Id<Task>, mount: Id<Mount>, idmap: IdMapChange, change: Change) -> Result<(), Failure> {
        let object = &self.mounts[mount];
        let superblock = &self.superblocks[object.superblock];
        if let IdMapChange::Set(namespace) = idmap
            && namespace == superblock.user_namespace
        {
            return Err(fail!(
                EINVAL,
                "can_idmap_mount()",
                "the user namespace whose maps the mount would get is the one that owns the filesystem"
            ));
        }
        if !change.may_replace_idmap && object.idmap.is_some() {
            return Err(fail!(
                EPERM,
                "can_idmap_mount()",
                "the mount has an id map: only open_tree_attr() with OPEN_TREE_CLONE replaces it"
            ));
        }
        if !superblock.filesystem.allows_idmap() {
            return Err(fail!(EINVAL, "can_idmap_mount()", "filesystems of this type have no id-mapped mounts"));
        }
        if !self.may_administer_filesystem(task, mount) {
            return Err(fail!(
                EPERM,
                "can_idmap_mount()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the filesystem"
            ));
        }
        if !object.namespace.is_some_and(|namespace| self.mount_namespaces[namespace].is_anonymous) {
            return Err(fail!(
                EINVAL,
                "can_idmap_mount()",
                "the mount is attached: only a detached one, such as OPEN_TREE_CLONE makes, gets an id map"
            ));
        }
        Ok(())
    }

    fn commit_attributes(&mut self, mount: Id<Mount>, request: &Request) {
        if let Some(idmap) = request.idmap {
            let new = match idmap {
                IdMapChange::Set(namespace) => {
                    self.user_namespaces[namespace].references += 1;
                    Some(namespace)
                }
                IdMapChange::Clear => None,
            };
            if let Some(old) = std::mem::replace(&mut self.mounts[mount].idmap, new) {
                self.user_namespace_put(old);
            }
        }
        let flags = &mut self.mounts[mount].flags;
        *flags = flags.difference(request.clear) | request.set;
        if !request.propagation.is_empty() {
            self.change_propagation(mount, request.propagation);
        }
    }

    /// Whether flags respect what a more privileged user namespace has locked: `EPERM` if not
    /// (`can_change_locked_flags()`).
    pub(crate) fn can_change_locked_flags(&self, mount: Id<Mount>, new: MntFlags) -> Result<(), Failure> {
        let old = self.mounts[mount].flags;
        for (lock, flag, rule) in LOCKED_FLAGS {
            if old.contains(lock) && !new.contains(flag) {
                return Err(rule);
            }
        }
        if old.contains(MntFlags::LOCK_ATIME) && (old ^ new).intersects(MntFlags::ATIME_MASK) {
            return Err(fail!(
                EPERM,
                "can_change_locked_flags()",
                "the access time flags would change, which are locked: the mount came from a more privileged namespace"
            ));
        }
        Ok(())
    }
}

/// Whether a user namespace has the maps for an id-mapped mount (`copy_mnt_idmap()`).
fn has_maps(namespace: &UserNamespace) -> Result<(), Failure> {
    if namespace.uid_map.is_empty() {
        return Err(fail!(EINVAL, "copy_mnt_idmap()", "the user namespace for MOUNT_ATTR_IDMAP has no uid map"));
    }
    if namespace.gid_map.is_empty() {
        return Err(fail!(EINVAL, "copy_mnt_idmap()", "the user namespace for MOUNT_ATTR_IDMAP has no gid map"));
    }
    Ok(())
}

/// The flags for an access time kind, `EINVAL` if there is no such kind.
pub(crate) fn access_time_kind(kind: MountAttrFlags) -> Result<MntFlags, Failure> {
    match kind {
        MountAttrFlags::MOUNT_ATTR_STRICTATIME => Ok(MntFlags::empty()),
        MountAttrFlags::MOUNT_ATTR_NOATIME => Ok(MntFlags::NOATIME),
        kind if kind.is_empty() => Ok(MntFlags::RELATIME),
        _ => Err(fail!(
            EINVAL,
            "build_mount_kattr()",
            "the access time attribute is none of relatime, noatime and strictatime"
        )),
    }
}
