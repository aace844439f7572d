//! fsopen(2), fsconfig(2), fsmount(2) and fspick(2) (`fs/fsopen.c`).

use std::collections::VecDeque;

use cofferdam::kernel::{
    Capabilities, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags, MountFlags, OpenFlags,
};

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

impl Linux {
    /// fsopen(2)
    pub(crate) fn fsopen(&mut self, task: Id<Task>, fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Failure> {
        if fsname.contains(&0) {
            return Err(fail!(EINVAL));
        }
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        if !FsopenFlags::FSOPEN_CLOEXEC.contains(flags) || fsname.len() > MAX_NAME {
            return Err(fail!(EINVAL));
        }
        let filesystem = filesystem_type(fsname).ok_or(fail!(ENODEV))?;
        let context = self.context_for_mount(task, filesystem, MountFlags::empty())?;
        self.open_context(task, context, flags.contains(FsopenFlags::FSOPEN_CLOEXEC))
    }

    /// fspick(2)
    pub(crate) fn fspick(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: FspickFlags) -> Result<Fd, Failure> {
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        let known = FspickFlags::FSPICK_CLOEXEC
            | FspickFlags::FSPICK_SYMLINK_NOFOLLOW
            | FspickFlags::FSPICK_NO_AUTOMOUNT
            | FspickFlags::FSPICK_EMPTY_PATH;
        if !known.contains(flags) {
            return Err(fail!(EINVAL));
        }
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::FOLLOW, !flags.contains(FspickFlags::FSPICK_SYMLINK_NOFOLLOW));
        lookup.set(LookupFlags::EMPTY, flags.contains(FspickFlags::FSPICK_EMPTY_PATH));
        let path = self.lookup(task, dirfd, path, lookup)?;
        if !self.is_root_of_mount(path) {
            return Err(fail!(EINVAL));
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
    fn context(&self, task: Id<Task>, fd: Fd) -> Result<Id<FsContext>, Failure> {
        let file = self.readable_file(task, fd)?;
        match self.files[file].kind {
            OpenFileKind::Context(context) => Ok(context),
            _ => Err(fail!(EINVAL)),
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
        if fd.0 < 0 || !has_valid_arguments(config) {
            return Err(fail!(EINVAL));
        }
        let context = self.context(task, fd)?;
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
                    _ => Err(fail!(EBUSY)),
                },
                (_, None) => Err(fail!(EINVAL)),
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
            return Err(fail!(EINVAL));
        }
        match value {
            ParameterValue::String(text) if text.len() > MAX_TEXT => Err(fail!(EINVAL)),
            ParameterValue::Path { path: [], .. } => Err(fail!(ENOENT)),
            ParameterValue::Path { path, .. } if path.len() > MAX_PATH => Err(fail!(ENAMETOOLONG)),
            ParameterValue::File(fd) => self.file(task, fd).map(|_| Some((key.0.as_slice(), value))),
            _ => Ok(Some((key.0.as_slice(), value))),
        }
    }

    /// Makes or finds the superblock (`vfs_cmd_create()`).
    fn create(&mut self, task: Id<Task>, context: &mut FsContext, is_exclusive: bool) -> Result<(), Failure> {
        if context.phase != Phase::CreateParameters {
            return Err(fail!(EBUSY));
        }
        if !self.mount_capable(task, context) {
            return Err(fail!(EPERM));
        }
        context.is_exclusive = is_exclusive;
        let result = self.get_tree(task, context);
        context.phase = if result.is_ok() { Phase::AwaitingMount } else { Phase::Failed };
        result
    }

    /// Changes the superblock (`vfs_cmd_reconfigure()`).
    fn reconfigure_context(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        if context.phase != Phase::ReconfigurationParameters {
            return Err(fail!(EBUSY));
        }
        context.phase = Phase::Failed;
        let root = context.root.ok_or(fail!(EINVAL))?;
        let owner = self.superblocks[self.dentries[root].superblock].user_namespace;
        if !self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(EPERM));
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
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        if !FsmountFlags::FSMOUNT_CLOEXEC.contains(flags) {
            return Err(fail!(EINVAL));
        }
        let attributes = attributes(attr_flags)?;
        let context = self.context(task, fd)?;
        let mount = self.with_context(context, |linux, context| {
            let mut attributes = attributes;
            let root = context.root.ok_or(fail!(EINVAL))?;
            let superblock = linux.dentries[root].superblock;
            if linux.mount_too_revealing(task, superblock, &mut attributes) {
                context.log('e', "VFS: Mount too revealing");
                return Err(fail!(EPERM));
            }
            if context.phase != Phase::AwaitingMount {
                return Err(fail!(EBUSY));
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
    if has_nul { Err(fail!(EINVAL)) } else { Ok(()) }
}

/// Whether the arguments fit the command, before the descriptor is looked at.
fn has_valid_arguments(config: &FsConfig) -> bool {
    match config {
        FsConfig::SetBinary { value, .. } => (1..=MAX_BINARY).contains(&value.0.len()),
        FsConfig::SetPath { dirfd, .. } => *dirfd == Fd::CWD || dirfd.0 >= 0,
        FsConfig::SetFd { fd, .. } => fd.0 >= 0,
        _ => true,
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
        return Err(fail!(EINVAL));
    }
    let atime = attr_flags & MountAttrFlags::MOUNT_ATTR__ATIME;
    if atime == MountAttrFlags::MOUNT_ATTR_STRICTATIME {
        Ok(flags)
    } else if atime == MountAttrFlags::MOUNT_ATTR_NOATIME {
        Ok(flags | MntFlags::NOATIME)
    } else if atime.is_empty() {
        Ok(flags | MntFlags::RELATIME)
    } else {
        Err(fail!(EINVAL))
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Call, Errno};
    use rstest::rstest;

    use super::*;

    fn string(linux: &mut Linux, fd: Fd, key: &str, value: &str) -> Result<(), Errno> {
        let task = linux.init();
        linux.fsconfig(task, fd, &FsConfig::SetString { key: key.into(), value: value.into() }).map_err(Failure::errno)
    }

    fn flag(linux: &mut Linux, fd: Fd, key: &str) -> Result<(), Errno> {
        let task = linux.init();
        linux.fsconfig(task, fd, &FsConfig::SetFlag { key: key.into() }).map_err(Failure::errno)
    }

    fn open(linux: &mut Linux, name: &str) -> Fd {
        let task = linux.init();
        linux.fsopen(task, name.as_bytes(), FsopenFlags::empty()).unwrap()
    }

    fn shown(linux: &Linux, fd: Fd) -> String {
        let file = linux.file(linux.init(), fd).unwrap();
        let superblock = linux.mounts[linux.files[file].path.mount].superblock;
        String::from_utf8(linux.show_options(superblock)).unwrap()
    }

    fn mount(linux: &mut Linux, fd: Fd) -> Result<Fd, Errno> {
        let task = linux.init();
        linux.fsmount(task, fd, FsmountFlags::empty(), MountAttrFlags::empty()).map_err(Failure::errno)
    }

    #[test]
    fn a_context_goes_through_its_phases() {
        let mut linux = Linux::new();
        let task = linux.init();
        let fd = open(&mut linux, "tmpfs");
        assert_eq!(mount(&mut linux, fd), Err(Errno::EINVAL));
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure).map_err(Failure::errno), Err(Errno::EBUSY));
        assert_eq!(string(&mut linux, fd, "size", "4k"), Ok(()));
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create), Ok(()));
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create).map_err(Failure::errno), Err(Errno::EBUSY));
        assert_eq!(string(&mut linux, fd, "size", "1k"), Err(Errno::EBUSY));
        let mounted = mount(&mut linux, fd).unwrap();
        assert_eq!(shown(&linux, mounted), "rw,size=4k");
        assert_eq!(mount(&mut linux, fd), Err(Errno::EBUSY));
        assert_eq!(string(&mut linux, fd, "size", "2m"), Ok(()));
        assert_eq!(flag(&mut linux, fd, "ro"), Ok(()));
        // It is no parameter of the root any more.
        assert_eq!(string(&mut linux, fd, "mode", "700"), Ok(()));
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure), Ok(()));
        assert_eq!(shown(&linux, mounted), "ro,size=2048k");
        // What a change is about is remembered, what it made of that is not.
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure), Ok(()));
        assert_eq!(shown(&linux, mounted), "rw,size=2048k");
        assert_eq!(flag(&mut linux, fd, "dirsync"), Ok(()));
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(flag(&mut linux, fd, "ro"), Err(Errno::EBUSY));
    }

    #[rstest]
    #[case("tmpfs", "size", "abc", &["e tmpfs: Bad value for 'size'\n"])]
    #[case("tmpfs", "uid", "abc", &["e tmpfs: Bad value for 'uid'\n"; 2])]
    #[case("tmpfs", "uid", "4294967295", &["e tmpfs: Invalid uid '4294967295'\n"])]
    #[case("tmpfs", "inode64", "x", &["e tmpfs: Unexpected value for 'inode64'\n"])]
    #[case("tmpfs", "foo", "x", &["e tmpfs: Unknown parameter 'foo'\n"])]
    #[case("sysfs", "x", "y", &["e sysfs: Unknown parameter 'x'\n"])]
    #[case("devpts", "max", "-1", &["e max out of range\n"])]
    #[case("proc", "hidepid", "foo", &["e proc: unknown value of hidepid - foo\n\n"])]
    #[case("tmpfs", "casefold", "x", &["e tmpfs: tmpfs: Kernel not built with CONFIG_UNICODE\n\n"])]
    fn refused_parameters_are_told_of(
        #[case] filesystem: &str,
        #[case] key: &str,
        #[case] value: &str,
        #[case] messages: &[&str],
    ) {
        let mut linux = Linux::new();
        let fd = open(&mut linux, filesystem);
        assert_eq!(string(&mut linux, fd, key, value), Err(Errno::EINVAL));
        let context = linux.context(linux.init(), fd).unwrap();
        for message in messages {
            assert_eq!(linux.contexts[context].read_message(5).map_err(Failure::errno), Err(Errno::EMSGSIZE));
            assert_eq!(linux.contexts[context].read_message(1000), Ok((*message).into()));
        }
        assert_eq!(linux.contexts[context].read_message(1000).map_err(Failure::errno), Err(Errno::ENODATA));
    }

    #[test]
    fn sysfs_is_one_for_all() {
        let mut linux = Linux::new();
        let task = linux.init();
        let first = open(&mut linux, "sysfs");
        assert_eq!(linux.fsconfig(task, first, &FsConfig::CreateExclusive), Ok(()));
        let second = open(&mut linux, "sysfs");
        assert_eq!(linux.fsconfig(task, second, &FsConfig::CreateExclusive).map_err(Failure::errno), Err(Errno::EBUSY));
        assert_eq!(linux.fsconfig(task, second, &FsConfig::Create).map_err(Failure::errno), Err(Errno::EBUSY));
        let third = open(&mut linux, "sysfs");
        assert_eq!(linux.fsconfig(task, third, &FsConfig::Create), Ok(()));
        let [one, other] = [first, third].map(|fd| mount(&mut linux, fd).unwrap());
        let superblock_of = |fd| linux.mounts[linux.files[linux.file(task, fd).unwrap()].path.mount].superblock;
        assert!(superblock_of(one) == superblock_of(other));
    }

    #[test]
    fn what_a_context_keeps_goes_with_its_descriptor() {
        let mut linux = Linux::new();
        let task = linux.init();
        let objects = |linux: &Linux| {
            let users = linux.user_namespaces[linux.initial_user_namespace].references;
            (linux.superblocks.len(), linux.dentries.len(), linux.inodes.len(), linux.mounts.len(), users)
        };
        let before = objects(&linux);
        for name in ["tmpfs", "ramfs", "proc", "devpts"] {
            let fd = open(&mut linux, name);
            assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create), Ok(()));
            let mounted = mount(&mut linux, fd).unwrap();
            for fd in [fd, mounted] {
                let file = linux.file(task, fd).unwrap();
                linux.file_put(file);
            }
            assert_eq!(objects(&linux), before, "{name}");
        }
    }

    #[test]
    fn calls_are_refused_for_their_arguments_first() {
        let mut linux = Linux::new();
        let task = linux.init();
        let fsopen =
            |linux: &mut Linux, name: &[u8], flags| linux.fsopen(task, name, FsopenFlags::from_bits_retain(flags));
        assert_eq!(fsopen(&mut linux, b"nosuch", 2).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(fsopen(&mut linux, b"nosuch", 0).map_err(Failure::errno), Err(Errno::ENODEV));
        assert_eq!(fsopen(&mut linux, &[b'x'; 5000], 0).map_err(Failure::errno), Err(Errno::EINVAL));
        let create = Call::Fsconfig { fd: Fd(99), config: FsConfig::Create };
        assert_eq!(linux.call(task, &create), Err(Errno::EBADF));
        let fd = open(&mut linux, "tmpfs");
        let fsmount = |linux: &mut Linux, fd, flags, attributes| {
            let attributes = MountAttrFlags::from_bits_retain(attributes);
            linux.fsmount(task, fd, FsmountFlags::from_bits_retain(flags), attributes)
        };
        assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x30).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(fsmount(&mut linux, Fd(99), 2, 0).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x10_0000).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x20).map_err(Failure::errno), Err(Errno::EBADF));
        assert_eq!(string(&mut linux, fd, "size", &"1".repeat(255)), Ok(()));
        assert_eq!(string(&mut linux, fd, "size", &"1".repeat(256)), Err(Errno::EINVAL));
    }
}
