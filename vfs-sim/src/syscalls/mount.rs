//! mount(2), in all its meanings (`do_mount()`, `path_mount()` in `fs/namespace.c`).

use cofferdam::kernel::{Fd, MountFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FsContext, Name, ParameterValue, filesystem_type};
use crate::linux::Linux;
use crate::mount::{CopyFlags, MntFlags, Mount, Path};
use crate::process::Task;
use crate::walk::LookupFlags;

const MS_MGC_VAL: u32 = 0xC0ED_0000;
const MS_MGC_MSK: u32 = 0xFFFF_0000;
/// `MS_NOUSER`, of the kernel's own.
const MS_NOUSER: MountFlags = MountFlags::from_bits_retain(1 << 31);
/// The longest string that the call takes (`PATH_MAX`, with the NUL).
const PATH_MAX: usize = 4096;

const PROPAGATION: MountFlags =
    MountFlags::MS_SHARED.union(MountFlags::MS_PRIVATE).union(MountFlags::MS_SLAVE).union(MountFlags::MS_UNBINDABLE);
/// What of the flags is the filesystem's.
const SUPERBLOCK: MountFlags = MountFlags::MS_RDONLY
    .union(MountFlags::MS_SYNCHRONOUS)
    .union(MountFlags::MS_MANDLOCK)
    .union(MountFlags::MS_DIRSYNC)
    .union(MountFlags::MS_SILENT)
    .union(MountFlags::MS_POSIXACL)
    .union(MountFlags::MS_LAZYTIME)
    .union(MountFlags::MS_I_VERSION);
/// What of a filesystem's flags a remount changes (`MS_RMT_MASK`).
const REMOUNT_MASK: MountFlags = MountFlags::MS_RDONLY
    .union(MountFlags::MS_SYNCHRONOUS)
    .union(MountFlags::MS_MANDLOCK)
    .union(MountFlags::MS_I_VERSION)
    .union(MountFlags::MS_LAZYTIME);
const ACCESS_TIMES: MountFlags = MountFlags::MS_NOATIME
    .union(MountFlags::MS_NODIRATIME)
    .union(MountFlags::MS_RELATIME)
    .union(MountFlags::MS_STRICTATIME);

/// What both kinds of remount ask for first, each in its own function of Linux.
struct RemountRules {
    elsewhere: Failure,
    no_root: Failure,
}

const RECONFIGURE_MOUNT: RemountRules = RemountRules {
    elsewhere: fail!(EINVAL, "do_reconfigure_mnt()", "the mount is not in the mount namespace of the process"),
    no_root: fail!(EINVAL, "do_reconfigure_mnt()", "the target is not the root of a mount"),
};
const REMOUNT: RemountRules = RemountRules {
    elsewhere: fail!(EINVAL, "do_remount()", "the mount is not in the mount namespace of the process"),
    no_root: fail!(EINVAL, "do_remount()", "the target is not the root of a mount"),
};
pub(super) const UNKNOWN_FILESYSTEM: Failure =
    fail!(ENODEV, "get_fs_type()", "the kernel knows no filesystem type of this name");
pub(super) const TOO_REVEALING: Failure = fail!(
    EPERM,
    "mount_too_revealing()",
    "no mount of this filesystem type in the mount namespace is fully visible and no stricter than the new one"
);

impl Linux {
    /// mount(2)
    pub(crate) fn mount(
        &mut self,
        task: Id<Task>,
        source: Option<&[u8]>,
        target: &[u8],
        filesystemtype: Option<&[u8]>,
        mountflags: MountFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        if filesystemtype.is_some_and(|text| text.len() >= PATH_MAX) {
            return Err(fail!(EINVAL, "strndup_user()", "the filesystem type is longer than 4095 bytes"));
        }
        if source.is_some_and(|text| text.len() >= PATH_MAX) {
            return Err(fail!(EINVAL, "strndup_user()", "the source is longer than 4095 bytes"));
        }
        let path = self.lookup(task, Fd::CWD, target, LookupFlags::FOLLOW)?;
        let flags = if mountflags.bits() & MS_MGC_MSK == MS_MGC_VAL {
            MountFlags::from_bits_retain(mountflags.bits() & !MS_MGC_MSK)
        } else {
            mountflags
        };
        if flags.intersects(MS_NOUSER) {
            return Err(fail!(EINVAL, "path_mount()", "MS_NOUSER is given, which is the kernel's own"));
        }
        self.check_may_mount(task)?;
        let attributes = self.attributes_of_flags(flags, path);
        let remount_bind = MountFlags::MS_REMOUNT | MountFlags::MS_BIND;
        if flags.contains(remount_bind) {
            self.reconfigure_mount(task, path, attributes)
        } else if flags.contains(MountFlags::MS_REMOUNT) {
            self.remount(task, path, flags & SUPERBLOCK, attributes, data)
        } else if flags.contains(MountFlags::MS_BIND) {
            self.bind(task, path, source, flags.contains(MountFlags::MS_REC))
        } else if flags.intersects(PROPAGATION) {
            self.change_type(task, path, flags)
        } else if flags.contains(MountFlags::MS_MOVE) {
            self.move_by_name(task, path, source)
        } else {
            self.mount_new(task, path, source, filesystemtype, flags & SUPERBLOCK, attributes, data)
        }
    }

    /// Whether a process may change its mount namespace: `EPERM` if not (`may_mount()`).
    pub(super) fn check_may_mount(&self, task: Id<Task>) -> Result<(), Failure> {
        if self.may_mount(task) {
            return Ok(());
        }
        Err(fail!(
            EPERM,
            "may_mount()",
            "the process has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace"
        ))
    }

    /// What the flags make of a mount; a remount that says nothing of access times leaves them as they are.
    fn attributes_of_flags(&self, flags: MountFlags, path: Path) -> MntFlags {
        let mut attributes = MntFlags::empty();
        attributes.set(MntFlags::RELATIME, !flags.contains(MountFlags::MS_NOATIME));
        for (flag, attribute) in [
            (MountFlags::MS_NOSUID, MntFlags::NOSUID),
            (MountFlags::MS_NODEV, MntFlags::NODEV),
            (MountFlags::MS_NOEXEC, MntFlags::NOEXEC),
            (MountFlags::MS_NOATIME, MntFlags::NOATIME),
            (MountFlags::MS_NODIRATIME, MntFlags::NODIRATIME),
            (MountFlags::MS_RDONLY, MntFlags::READONLY),
            (MountFlags::MS_NOSYMFOLLOW, MntFlags::NOSYMFOLLOW),
        ] {
            attributes.set(attribute, flags.contains(flag));
        }
        if flags.contains(MountFlags::MS_STRICTATIME) {
            attributes.remove(MntFlags::RELATIME | MntFlags::NOATIME);
        }
        if flags.contains(MountFlags::MS_REMOUNT) && !flags.intersects(ACCESS_TIMES) {
            attributes.remove(MntFlags::ATIME_MASK);
            attributes |= self.mounts[path.mount].flags & MntFlags::ATIME_MASK;
        }
        attributes
    }

    /// What any remount asks for (the start of `do_reconfigure_mnt()` and `do_remount()`).
    fn check_remount(
        &self,
        task: Id<Task>,
        path: Path,
        attributes: MntFlags,
        rules: &RemountRules,
    ) -> Result<(), Failure> {
        if !self.is_in_namespace_of(task, path.mount) {
            return Err(rules.elsewhere);
        }
        if !self.is_root_of_mount(path) {
            return Err(rules.no_root);
        }
        self.can_change_locked_flags(path.mount, attributes)
    }

    /// Changes the attributes of a mount (`do_reconfigure_mnt()`).
    fn reconfigure_mount(&mut self, task: Id<Task>, path: Path, attributes: MntFlags) -> Result<(), Failure> {
        self.check_remount(task, path, attributes, &RECONFIGURE_MOUNT)?;
        // Whether the filesystem is read-only counts here, as it does for writers.
        if attributes.contains(MntFlags::READONLY) && !self.is_readonly(path.mount) {
            self.has_no_writers(path.mount)?;
        }
        self.set_attributes(path.mount, attributes);
        Ok(())
    }

    /// Changes the filesystem, and the attributes of one mount of it (`do_remount()`).
    fn remount(
        &mut self,
        task: Id<Task>,
        path: Path,
        superblock_flags: MountFlags,
        attributes: MntFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.check_remount(task, path, attributes, &REMOUNT)?;
        let mut context = self.context_for_reconfigure(task, path.dentry, superblock_flags, REMOUNT_MASK)?;
        let result = self.remount_in(task, &mut context, path.mount, data);
        self.drop_context(context);
        result?;
        self.set_attributes(path.mount, attributes);
        Ok(())
    }

    fn remount_in(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        mount: Id<Mount>,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.parse_monolithic(task, context, data)?;
        if !self.may_administer_filesystem(task, mount) {
            return Err(fail!(
                EPERM,
                "do_remount()",
                "CAP_SYS_ADMIN in the user namespace that owns the filesystem is missing (MS_BIND changes only the mount)"
            ));
        }
        self.reconfigure(task, context)
    }

    /// `set_mount_attributes()`
    fn set_attributes(&mut self, mount: Id<Mount>, attributes: MntFlags) {
        let flags = &mut self.mounts[mount].flags;
        *flags = attributes | flags.difference(MntFlags::USER_SETTABLE);
    }

    /// Bind mounts what is at a path (`do_loopback()`).
    fn bind(&mut self, task: Id<Task>, path: Path, source: Option<&[u8]>, recurse: bool) -> Result<(), Failure> {
        let source = source.filter(|source| !source.is_empty()).ok_or(fail!(
            EINVAL,
            "do_loopback()",
            "there is no source to bind, or its path is empty"
        ))?;
        let from = self.lookup(task, Fd::CWD, source, LookupFlags::FOLLOW)?;
        if self.is_namespace_loop(task, from.dentry) {
            return Err(fail!(
                EINVAL,
                "do_loopback()",
                "the source is the file of the process's own mount namespace, or of an older one"
            ));
        }
        let place = self.lock_mount(path)?;
        if !self.is_in_namespace_of(task, place.mount) {
            return Err(fail!(
                EINVAL,
                "do_loopback()",
                "the mount at the target is not in the mount namespace of the process"
            ));
        }
        let copy = self.copy_for_bind(task, from, recurse)?;
        let result = if recurse && !self.has_no_namespace_loop(task, copy) {
            Err(fail!(
                EINVAL,
                "do_loopback()",
                "the file of the process's own mount namespace, or of an older one, is mounted below the source"
            ))
        } else {
            self.graft_tree(task, copy, place)
        };
        if result.is_err() {
            self.discard(copy);
        }
        result
    }

    /// A copy of what is at a place, with what is mounted below if `recurse` (`__do_loopback()`).
    pub(crate) fn copy_for_bind(&mut self, task: Id<Task>, from: Path, recurse: bool) -> Result<Id<Mount>, Failure> {
        if self.mounts[from.mount].is_unbindable {
            return Err(fail!(EINVAL, "__do_loopback()", "the mount at the source is unbindable"));
        }
        if !self.may_copy_tree(task, from) {
            return Err(fail!(
                EINVAL,
                "__do_loopback()",
                "the source is in neither the mount namespace of the process nor a detached tree that came from it"
            ));
        }
        if recurse {
            return self.copy_tree(from.mount, from.dentry, CopyFlags::COPY_NAMESPACE_FILES);
        }
        if self.has_locked_children(from.mount, from.dentry) {
            return Err(fail!(
                EINVAL,
                "__do_loopback()",
                "a mount below the source is locked: a copy that is not recursive would uncover what it hides"
            ));
        }
        Ok(self.clone_mount(from.mount, from.dentry, CopyFlags::empty()))
    }

    /// Changes the propagation type (`do_change_type()`).
    fn change_type(&mut self, task: Id<Task>, path: Path, flags: MountFlags) -> Result<(), Failure> {
        if !self.is_root_of_mount(path) {
            return Err(fail!(EINVAL, "do_change_type()", "the target is not the root of a mount"));
        }
        let kind = flags.difference(MountFlags::MS_REC | MountFlags::MS_SILENT);
        if !PROPAGATION.contains(kind) {
            return Err(fail!(
                EINVAL,
                "flags_to_propagation_type()",
                "a propagation type is given together with flags other than MS_REC and MS_SILENT"
            ));
        }
        if kind.bits().count_ones() != 1 {
            return Err(fail!(EINVAL, "flags_to_propagation_type()", "more than one propagation type is given"));
        }
        self.may_change_propagation(task, path.mount)?;
        let recurse = flags.contains(MountFlags::MS_REC);
        if kind == MountFlags::MS_SHARED {
            self.invent_groups(path.mount, recurse);
        }
        let mounts = if recurse { self.mount_tree(path.mount) } else { vec![path.mount] };
        for mount in mounts {
            self.change_propagation(mount, kind);
        }
        Ok(())
    }

    /// `may_change_propagation()`
    pub(crate) fn may_change_propagation(&self, task: Id<Task>, mount: Id<Mount>) -> Result<(), Failure> {
        let namespace = self.mounts[mount].namespace;
        let namespace = namespace.ok_or(fail!(
            EINVAL,
            "may_change_propagation()",
            "the mount is in no mount namespace: it is unmounted, or the kernel's own"
        ))?;
        let owner = self.mount_namespaces[namespace].user_namespace;
        if self.ns_capable(task, owner, cofferdam::kernel::Capabilities::CAP_SYS_ADMIN) {
            Ok(())
        } else {
            Err(fail!(
                EPERM,
                "may_change_propagation()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the mount namespace of the mount"
            ))
        }
    }

    /// Moves the mount at a path (`do_move_mount_old()`).
    fn move_by_name(&mut self, task: Id<Task>, path: Path, source: Option<&[u8]>) -> Result<(), Failure> {
        let source = source.filter(|source| !source.is_empty()).ok_or(fail!(
            EINVAL,
            "do_move_mount_old()",
            "there is no source to move, or its path is empty"
        ))?;
        let from = self.lookup(task, Fd::CWD, source, LookupFlags::FOLLOW)?;
        self.move_tree(task, from, path, false)
    }

    /// Mounts a filesystem (`do_new_mount()`).
    #[allow(clippy::too_many_arguments, reason = "those of mount(2)")]
    fn mount_new(
        &mut self,
        task: Id<Task>,
        path: Path,
        source: Option<&[u8]>,
        name: Option<&[u8]>,
        superblock_flags: MountFlags,
        attributes: MntFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        let name = name.ok_or(fail!(
            EINVAL,
            "do_new_mount()",
            "neither a filesystem type is given nor MS_BIND, MS_MOVE, MS_REMOUNT or a propagation type"
        ))?;
        let filesystem = filesystem_type(name).ok_or(UNKNOWN_FILESYSTEM)?;
        let mut context = self.context_for_mount(task, filesystem, superblock_flags)?;
        let result = self.mount_in(task, &mut context, path, source, attributes, data);
        self.drop_context(context);
        result
    }

    fn mount_in(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        path: Path,
        source: Option<&[u8]>,
        mut attributes: MntFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        if let Some(source) = source {
            self.parse_parameter(task, context, b"source", ParameterValue::String(source))?;
        }
        self.parse_monolithic(task, context, data)?;
        self.mount_capable(task, context)?;
        self.get_tree(task, context)?;
        let mount = self.mount_of_context(context)?;
        let superblock = self.mounts[mount].superblock;
        let result = if self.mount_too_revealing(task, superblock, &mut attributes) {
            Err(TOO_REVEALING)
        } else {
            self.lock_mount(path).and_then(|place| self.add_mount(task, mount, place, attributes))
        };
        if result.is_err() {
            self.mount_put(mount);
        }
        result
    }

    /// A mount of the filesystem that a context has found or made, with one reference (`vfs_create_mount()`).
    pub(crate) fn mount_of_context(&mut self, context: &FsContext) -> Result<Id<Mount>, Failure> {
        let root = context.root.ok_or(fail!(EINVAL, "vfs_create_mount()", "the context has no filesystem yet"))?;
        let source = context.source.clone().unwrap_or_else(|| Name::from("none"));
        Ok(self.new_mount(root, &source))
    }

    /// Attaches a new mount (`do_add_mount()`).
    fn add_mount(
        &mut self,
        task: Id<Task>,
        mount: Id<Mount>,
        place: Path,
        attributes: MntFlags,
    ) -> Result<(), Failure> {
        if !self.is_in_namespace_of(task, place.mount) {
            return Err(fail!(
                EINVAL,
                "do_add_mount()",
                "the mount at the target is not in the mount namespace of the process"
            ));
        }
        let parent = &self.mounts[place.mount];
        if parent.superblock == self.mounts[mount].superblock && parent.root == place.dentry {
            return Err(fail!(EBUSY, "do_add_mount()", "the same filesystem is mounted at the target already"));
        }
        self.mounts[mount].flags = attributes.difference(MntFlags::INTERNAL_FLAGS);
        self.graft_tree(task, mount, place)
    }
}
