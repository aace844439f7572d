//! The parameters of filesystems: how they are given, read and kept (`fs/fs_context.c`, `fs/fs_parser.c`).

mod devpts;
mod memory_policy;
mod numbers;
mod proc;
mod ramfs;
mod tmpfs;
pub(super) mod values;

pub use devpts::DevptsParameters;
pub use proc::{HidePid, ProcParameters};
pub use tmpfs::TmpfsParameters;
pub(crate) use tmpfs::{PAGE_SIZE, TmpfsLimits};

use cofferdam::kernel::{Fd, MountFlags};
use serde::{Deserialize, Serialize};

use super::{FilesystemType, FsContext, Name, OverlayParameters};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::UserNamespace;
use crate::process::{Credentials, Task};

/// A number as the kernel reads it, its base from its prefix (`kstrtouint()`).
pub(crate) fn unsigned_number(text: &[u8]) -> Option<u32> {
    numbers::unsigned(text, 0)
}

/// The value of a parameter (`struct fs_parameter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterValue<'a> {
    /// None: the key alone.
    Flag,
    /// A text.
    String(&'a [u8]),
    /// Bytes.
    Binary,
    /// A path below a directory.
    Path {
        /// Where a relative path starts.
        dirfd: Fd,
        /// The path.
        path: &'a [u8],
    },
    /// A descriptor that is open.
    File(Fd),
}

/// What a type keeps of its parameters, in a context and in a superblock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parameters {
    /// Those of a type that has none.
    #[default]
    None,
    /// Those of tmpfs and devtmpfs.
    Tmpfs(TmpfsParameters),
    /// The mode of a ramfs's root.
    Ramfs(u32),
    /// Those of proc.
    Proc(ProcParameters),
    /// Those of devpts.
    Devpts(DevptsParameters),
    /// Those of a new overlay.
    Overlay(Box<OverlayParameters>),
}

/// Why a parameter was refused; with what the context's log says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The type has no such parameter (`ENOPARAM`).
    Unknown,
    /// `EINVAL` with a message that starts with the type's name (`invalfc()`).
    Invalid(Failure, String),
    /// The same with the message twice.
    Twice(Failure, String),
    /// Any error without a message.
    Silent(Failure),
    /// Any error with a message, which is logged as it is (`errorf()`).
    Error(Failure, String),
}

impl Parameters {
    /// What a type starts with (`init_fs_context()`).
    pub(super) fn new(filesystem: &FilesystemType, credentials: &Credentials) -> Self {
        match filesystem {
            FilesystemType::Tmpfs | FilesystemType::Devtmpfs | FilesystemType::Rootfs => {
                Self::Tmpfs(TmpfsParameters::new(credentials))
            }
            FilesystemType::Ramfs => Self::Ramfs(ramfs::DEFAULT_MODE),
            FilesystemType::Proc => Self::Proc(ProcParameters::default()),
            FilesystemType::Devpts => Self::Devpts(DevptsParameters::default()),
            FilesystemType::Overlay => Self::Overlay(Box::default()),
            _ => Self::None,
        }
    }

    /// The user namespace that they keep.
    pub(crate) fn user_namespace(&self) -> Option<Id<UserNamespace>> {
        match self {
            Self::Overlay(parameters) => parameters.user_namespace(),
            _ => None,
        }
    }

    /// What mountinfo shows of them, each with a comma before it (`show_options()`).
    pub(super) fn show(&self, memory_pages: u64, text: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Tmpfs(parameters) => parameters.show(memory_pages, text),
            Self::Ramfs(mode) => ramfs::show(*mode, text),
            Self::Proc(parameters) => parameters.show(text),
            Self::Devpts(parameters) => parameters.show(text),
            Self::Overlay(parameters) => parameters.show(text),
        }
    }
}

/// The superblock flags that every type has as parameters (`vfs_parse_sb_flag()`): which flag, and whether it is set.
fn superblock_flag(key: &[u8]) -> Option<(MountFlags, bool)> {
    Some(match key {
        b"dirsync" => (MountFlags::MS_DIRSYNC, true),
        b"lazytime" => (MountFlags::MS_LAZYTIME, true),
        b"mand" => (MountFlags::MS_MANDLOCK, true),
        b"ro" => (MountFlags::MS_RDONLY, true),
        b"sync" => (MountFlags::MS_SYNCHRONOUS, true),
        b"async" => (MountFlags::MS_SYNCHRONOUS, false),
        b"nolazytime" => (MountFlags::MS_LAZYTIME, false),
        b"nomand" => (MountFlags::MS_MANDLOCK, false),
        b"rw" => (MountFlags::MS_RDONLY, false),
        _ => return None,
    })
}

impl Linux {
    /// Takes one parameter into a context (`vfs_parse_fs_param()`).
    pub(crate) fn parse_parameter(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Failure> {
        if let Some((flag, is_set)) = superblock_flag(key) {
            context.sb_flags.set(flag, is_set);
            context.sb_flags_mask |= flag;
            return Ok(());
        }
        let outcome = match self.parse_own_parameter(task, context, key, value) {
            Err(Refusal::Unknown) => parse_source(context, key, value),
            outcome => outcome,
        };
        let name = String::from_utf8_lossy(context.filesystem.name()).into_owned();
        match outcome {
            // ramfs ignores what it does not know.
            Err(Refusal::Unknown) if matches!(context.parameters, Parameters::Ramfs(_)) => Ok(()),
            Err(Refusal::Unknown) => {
                let key = String::from_utf8_lossy(key);
                context.log('e', &format!("{name}: Unknown parameter '{key}'"));
                Err(fail!(EINVAL, "vfs_parse_fs_param()", "the filesystem type has no such parameter"))
            }
            Err(Refusal::Invalid(failure, message)) => {
                context.log('e', &format!("{name}: {message}"));
                Err(failure)
            }
            Err(Refusal::Twice(failure, message)) => {
                context.log('e', &format!("{name}: {message}"));
                context.log('e', &format!("{name}: {message}"));
                Err(failure)
            }
            Err(Refusal::Silent(failure)) => Err(failure),
            Err(Refusal::Error(failure, message)) => {
                context.log('e', &message);
                Err(failure)
            }
            Ok(()) => Ok(()),
        }
    }

    fn parse_own_parameter(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        // Those of the context may be changed while the kernel is asked.
        let mut parameters = std::mem::take(&mut context.parameters);
        let outcome = match &mut parameters {
            Parameters::None => Err(Refusal::Unknown),
            Parameters::Tmpfs(own) => self.parse_tmpfs(task, context, own, key, value),
            Parameters::Ramfs(mode) => ramfs::parse(mode, key, value),
            Parameters::Proc(own) => self.parse_proc(task, context, own, key, value),
            Parameters::Devpts(own) => self.parse_devpts(task, own, key, value),
            Parameters::Overlay(own) => self.parse_overlay(task, context, own, key, value),
        };
        context.parameters = parameters;
        outcome
    }

    /// Takes the parameters of mount(2), its *data*, into a context (`parse_monolithic_mount_data()`).
    pub(crate) fn parse_monolithic(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        data: Option<&[u8]>,
    ) -> Result<(), Failure> {
        let Some(data) = data else { return Ok(()) };
        let split: fn(&[u8]) -> Vec<Vec<u8>> = match context.parameters {
            Parameters::Tmpfs(_) => tmpfs::split,
            Parameters::Overlay(_) => super::overlay::split,
            _ => |data| data.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect(),
        };
        for option in split(data) {
            let (key, value) = match option.iter().position(|byte| *byte == b'=') {
                Some(0) => continue,
                Some(position) => (&option[..position], ParameterValue::String(&option[position + 1..])),
                None if option.is_empty() => continue,
                None => (option.as_slice(), ParameterValue::Flag),
            };
            self.parse_parameter(task, context, key, value)?;
        }
        Ok(())
    }
}

/// The parameter `source`, which every type has (`vfs_parse_fs_param_source()`).
fn parse_source(context: &mut FsContext, key: &[u8], value: ParameterValue<'_>) -> Result<(), Refusal> {
    if key != b"source" {
        return Err(Refusal::Unknown);
    }
    let ParameterValue::String(source) = value else {
        return Err(Refusal::Error(
            fail!(EINVAL, "vfs_parse_fs_param_source()", "the value of the parameter source is no text"),
            "Non-string source".into(),
        ));
    };
    if context.source.is_some() {
        return Err(Refusal::Error(
            fail!(EINVAL, "vfs_parse_fs_param_source()", "the source was given before"),
            "Multiple sources".into(),
        ));
    }
    context.source = Some(Name::from(source));
    Ok(())
}
