//! fsopen(2), fsconfig(2), fsmount(2) and fspick(2) (`fs/fsopen.c`).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use cofferdam::kernel::{
    Capabilities, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags, MountFlags, OpenFlags,
};

use super::mount::{TOO_REVEALING, UNKNOWN_FILESYSTEM};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FsContext, ParameterValue, Phase, filesystem_type};
use crate::linux::Linux;
use crate::mount::MntFlags;
use crate::process::{OpenFile, OpenFileKind, Task};
use crate::walk::LookupFlags;

/// The longest name of a type, without the NUL at its end (`PAGE_SIZE`).
const MAX_NAME: usize = 4095;
/// The longest key, and the longest text as value, without the NUL at the end.
const MAX_TEXT: usize = 255;
/// The longest path, without the NUL at its end (`PATH_MAX`).
const MAX_PATH: usize = 4095;
/// The longest value of bytes.
const MAX_BINARY: usize = 1 << 20;

const HAS_NUL: Failure = fail!(EINVAL, "strndup_user()", "a text contains a NUL, which ends it");

impl Linux {
    /// fsopen(2)
    pub(crate) fn fsopen(&mut self, task: Id<Task>, fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Failure> {
        if fsname.contains(&0) {
            return Err(HAS_NUL);
        }
        self.check_may_mount(task)?;
        if !FsopenFlags::FSOPEN_CLOEXEC.contains(flags) {
            return Err(fail!(EINVAL, "sys_fsopen()", "a flag is not FSOPEN_CLOEXEC, the only one"));
        }
        if fsname.len() > MAX_NAME {
            return Err(fail!(EINVAL, "strndup_user()", "the filesystem type is longer than 4095 bytes"));
        }
        let filesystem = filesystem_type(fsname).ok_or(UNKNOWN_FILESYSTEM)?;
        let context = self.context_for_mount(task, filesystem, MountFlags::empty())?;
        self.open_context(task, context, flags.contains(FsopenFlags::FSOPEN_CLOEXEC))
    }

    /// fspick(2)
    pub(crate) fn fspick(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: FspickFlags) -> Result<Fd, Failure> {
        self.check_may_mount(task)?;
        let known = FspickFlags::FSPICK_CLOEXEC
            | FspickFlags::FSPICK_SYMLINK_NOFOLLOW
            | FspickFlags::FSPICK_NO_AUTOMOUNT
            | FspickFlags::FSPICK_EMPTY_PATH;
        if !known.contains(flags) {
            return Err(fail!(EINVAL, "sys_fspick()", "a flag is not one that the call knows"));
        }
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, !flags.contains(FspickFlags::FSPICK_SYMLINK_NOFOLLOW));
        lookup.set(LookupFlags::EMPTY, flags.contains(FspickFlags::FSPICK_EMPTY_PATH));
        let path = self.lookup(task, dirfd, path, lookup)?;
        if !self.is_root_of_mount(path) {
            return Err(fail!(EINVAL, "sys_fspick()", "the path is not the root of a mount"));
        }
        let none = MountFlags::empty();
        let context = self.context_for_reconfigure(task, path.dentry, none, none)?;
        self.open_context(task, context, flags.contains(FspickFlags::FSPICK_CLOEXEC))
    }

    /// A descriptor of a context, which is ended with it (`fscontext_create_fd()`).
    fn open_context(&mut self, task: Id<Task>, mut context: FsContext, cloexec: bool) -> Result<Fd, Failure> {
        context.messages = Some(VecDeque::new());
        let context = self.contexts.insert(context);
        let path = self.anonymous_path("[fscontext]");
        self.path_get(path);
        let file = OpenFile {
            references: 0,
            path,
            flags: OpenFlags::O_RDWR,
            can_read: true,
            can_write: true,
            unmounts: false,
            position: 0,
            credentials: self.tasks[task].credentials.clone(),
            kind: OpenFileKind::Context(context),
        };
        let flags = if cloexec { OpenFlags::O_CLOEXEC } else { OpenFlags::empty() };
        self.install_file(task, file, flags)
    }

    /// The context behind a descriptor.
    fn context(&self, task: Id<Task>, fd: Fd, otherwise: Failure) -> Result<Id<FsContext>, Failure> {
        let file = self.readable_file(task, fd)?;
        match self.files[file].kind {
            OpenFileKind::Context(context) => Ok(context),
            _ => Err(otherwise),
        }
    }

    /// Does something with a context, which may need the rest of the kernel.
    fn with_context<T>(&mut self, id: Id<FsContext>, act: impl FnOnce(&mut Self, &mut FsContext) -> T) -> T {
        let mut context = self.contexts[id].clone();
        let result = act(self, &mut context);
        self.contexts[id] = context;
        result
    }

    /// fsconfig(2)
    pub(crate) fn fsconfig(&mut self, task: Id<Task>, fd: Fd, config: &FsConfig) -> Result<(), Failure> {
        refuse_nul(config)?;
        if fd.0 < 0 {
            return Err(fail!(EINVAL, "sys_fsconfig()", "the descriptor is negative"));
        }
        check_arguments(config)?;
        let context = self.context(
            task,
            fd,
            fail!(EINVAL, "sys_fsconfig()", "the descriptor is not one of fsopen() or fspick()"),
        )?;
        let parameter = self.parameter(task, config)?;
        self.with_context(context, |linux, context| {
            linux.finish_clean_context(task, context)?;
            match (config, parameter) {
                (FsConfig::Create, _) => linux.create(task, context, false),
                (FsConfig::CreateExclusive, _) => linux.create(task, context, true),
                (FsConfig::Reconfigure, _) => linux.reconfigure_context(task, context),
                (_, Some((key, value))) => match context.phase {
                    Phase::CreateParameters | Phase::ReconfigurationParameters => {
                        linux.parse_parameter(task, context, key, value)
                    }
                    Phase::AwaitingMount | Phase::AwaitingReconfiguration => Err(fail!(
                        EBUSY,
                        "vfs_fsconfig_locked()",
                        "the filesystem is created: the context takes no parameters until fsmount()"
                    )),
                    Phase::Failed => Err(fail!(
                        EBUSY,
                        "vfs_fsconfig_locked()",
                        "an earlier command failed: the context is of no use any more"
                    )),
                },
                (_, None) => Err(fail!(EINVAL, "sys_fsconfig()", "the command has no key")),
            }
        })
    }

    /// The key and the value of a command that has them.
    fn parameter<'a>(
        &self,
        task: Id<Task>,
        config: &'a FsConfig,
    ) -> Result<Option<(&'a [u8], ParameterValue<'a>)>, Failure> {
        let (key, value) = match config {
            FsConfig::SetFlag { key } => (key, ParameterValue::Flag),
            FsConfig::SetString { key, value } => (key, ParameterValue::String(&value.0)),
            FsConfig::SetBinary { key, .. } => (key, ParameterValue::Binary),
            FsConfig::SetPath { key, dirfd, path } => (key, ParameterValue::Path { dirfd: *dirfd, path: &path.0 }),
            FsConfig::SetFd { key, fd } => (key, ParameterValue::File(*fd)),
            FsConfig::Create | FsConfig::CreateExclusive | FsConfig::Reconfigure => return Ok(None),
        };
        if key.0.len() > MAX_TEXT {
            return Err(fail!(EINVAL, "strndup_user()", "the key is longer than 255 bytes"));
        }
        match value {
            ParameterValue::String(text) if text.len() > MAX_TEXT => {
                Err(fail!(EINVAL, "strndup_user()", "the value is longer than 255 bytes"))
            }
            ParameterValue::Path { path: [], .. } => Err(fail!(ENOENT, "getname_flags()", "the path is empty")),
            ParameterValue::Path { path, .. } if path.len() > MAX_PATH => {
                Err(fail!(ENAMETOOLONG, "getname_flags()", "the path is longer than 4095 bytes"))
            }
            ParameterValue::File(fd) => self.file(task, fd).map(|_| Some((key.0.as_slice(), value))),
            _ => Ok(Some((key.0.as_slice(), value))),
        }
    }

    /// Makes or finds the superblock (`vfs_cmd_create()`).
    fn create(&mut self, task: Id<Task>, context: &mut FsContext, is_exclusive: bool) -> Result<(), Failure> {
        match context.phase {
            Phase::CreateParameters => {}
            Phase::Failed => {
                return Err(fail!(
                    EBUSY,
                    "vfs_cmd_create()",
                    "an earlier command failed: the context is of no use any more"
                ));
            }
            _ => return Err(fail!(EBUSY, "vfs_cmd_create()", "the context has its filesystem already")),
        }
        self.mount_capable(task, context)?;
        context.is_exclusive = is_exclusive;
        let result = self.get_tree(task, context);
        context.phase = if result.is_ok() { Phase::AwaitingMount } else { Phase::Failed };
        result
    }

    /// Changes the superblock (`vfs_cmd_reconfigure()`).
    fn reconfigure_context(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        match context.phase {
            Phase::ReconfigurationParameters => {}
            Phase::Failed => {
                return Err(fail!(
                    EBUSY,
                    "vfs_cmd_reconfigure()",
                    "an earlier command failed: the context is of no use any more"
                ));
            }
            _ => {
                return Err(fail!(
                    EBUSY,
                    "vfs_cmd_reconfigure()",
                    "the filesystem is not mounted: fsmount(), or fspick() on a mount of it, comes first"
                ));
            }
        }
        context.phase = Phase::Failed;
        let root = context.root.ok_or(fail!(EINVAL, "vfs_cmd_reconfigure()", "the context has no filesystem"))?;
        let owner = self.superblocks[self.dentries[root].superblock].user_namespace;
        if !self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "vfs_cmd_reconfigure()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the filesystem"
            ));
        }
        self.reconfigure(task, context)?;
        self.clean_context(context);
        Ok(())
    }

    /// fsmount(2)
    pub(crate) fn fsmount(
        &mut self,
        task: Id<Task>,
        fd: Fd,
        flags: FsmountFlags,
        attr_flags: MountAttrFlags,
    ) -> Result<Fd, Failure> {
        self.check_may_mount(task)?;
        if !FsmountFlags::FSMOUNT_CLOEXEC.contains(flags) {
            return Err(fail!(EINVAL, "sys_fsmount()", "a flag is not FSMOUNT_CLOEXEC, the only one"));
        }
        let attributes = attributes(attr_flags)?;
        let context = self.context(
            task,
            fd,
            fail!(EINVAL, "sys_fsmount()", "the descriptor is not one of fsopen() or fspick()"),
        )?;
        let mount = self.with_context(context, |linux, context| {
            let mut attributes = attributes;
            let root = context.root.ok_or(fail!(
                EINVAL,
                "sys_fsmount()",
                "the context has no filesystem: FSCONFIG_CMD_CREATE comes first"
            ))?;
            let superblock = linux.dentries[root].superblock;
            if linux.mount_too_revealing(task, superblock, &mut attributes) {
                context.log('e', "VFS: Mount too revealing");
                return Err(TOO_REVEALING);
            }
            if context.phase != Phase::AwaitingMount {
                return Err(fail!(
                    EBUSY,
                    "sys_fsmount()",
                    "the context has made its one mount already, or comes from fspick()"
                ));
            }
            let mount = linux.mount_of_context(context)?;
            linux.mounts[mount].flags = attributes;
            linux.clean_context(context);
            Ok(mount)
        })?;
        self.open_detached(task, mount, flags.contains(FsmountFlags::FSMOUNT_CLOEXEC))
    }
}

/// A text can't have a NUL inside.
fn refuse_nul(config: &FsConfig) -> Result<(), Failure> {
    let has_nul = match config {
        FsConfig::SetFlag { key } | FsConfig::SetBinary { key, .. } | FsConfig::SetFd { key, .. } => key.0.contains(&0),
        FsConfig::SetString { key, value } => key.0.contains(&0) || value.0.contains(&0),
        FsConfig::SetPath { key, path, .. } => key.0.contains(&0) || path.0.contains(&0),
        FsConfig::Create | FsConfig::CreateExclusive | FsConfig::Reconfigure => false,
    };
    if has_nul { Err(HAS_NUL) } else { Ok(()) }
}

/// Whether the arguments fit the command, before the descriptor is looked at.
fn check_arguments(config: &FsConfig) -> Result<(), Failure> {
    match config {
        FsConfig::SetBinary { value, .. } if value.0.is_empty() => {
            Err(fail!(EINVAL, "sys_fsconfig()", "the value is empty"))
        }
        FsConfig::SetBinary { value, .. } if value.0.len() > MAX_BINARY => {
            Err(fail!(EINVAL, "sys_fsconfig()", "the value is longer than 1 MiB"))
        }
        FsConfig::SetPath { dirfd, .. } if *dirfd != Fd::CWD && dirfd.0 < 0 => Err(fail!(
            EINVAL,
            "sys_fsconfig()",
            "the directory that the path starts from is negative, and not AT_FDCWD"
        )),
        FsConfig::SetFd { fd, .. } if fd.0 < 0 => {
            Err(fail!(EINVAL, "sys_fsconfig()", "the descriptor that is the value is negative"))
        }
        _ => Ok(()),
    }
}

/// What the attributes of a new mount mean inside the kernel (`attr_flags_to_mnt_flags()`).
fn attributes(attr_flags: MountAttrFlags) -> Result<MntFlags, Failure> {
    let plain = [
        (MountAttrFlags::MOUNT_ATTR_RDONLY, MntFlags::READONLY),
        (MountAttrFlags::MOUNT_ATTR_NOSUID, MntFlags::NOSUID),
        (MountAttrFlags::MOUNT_ATTR_NODEV, MntFlags::NODEV),
        (MountAttrFlags::MOUNT_ATTR_NOEXEC, MntFlags::NOEXEC),
        (MountAttrFlags::MOUNT_ATTR_NODIRATIME, MntFlags::NODIRATIME),
        (MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW, MntFlags::NOSYMFOLLOW),
    ];
    let mut rest = attr_flags.difference(MountAttrFlags::MOUNT_ATTR__ATIME);
    let mut flags = MntFlags::empty();
    for (attribute, flag) in plain {
        if rest.contains(attribute) {
            flags |= flag;
            rest = rest.difference(attribute);
        }
    }
    if !rest.is_empty() {
        return Err(fail!(EINVAL, "sys_fsmount()", "an attribute is not one that the call knows"));
    }
    let atime = attr_flags & MountAttrFlags::MOUNT_ATTR__ATIME;
    if atime == MountAttrFlags::MOUNT_ATTR_STRICTATIME {
        Ok(flags)
    } else if atime == MountAttrFlags::MOUNT_ATTR_NOATIME {
        Ok(flags | MntFlags::NOATIME)
    } else if atime.is_empty() {
        Ok(flags | MntFlags::RELATIME)
    } else {
        Err(fail!(EINVAL, "sys_fsmount()", "the access time attribute is none of relatime, noatime and strictatime"))
    }
}
