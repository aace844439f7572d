//! Contexts in which filesystems are configured (`struct fs_context`, `fs/fs_context.c`).

use std::collections::VecDeque;
use std::sync::Arc;

use cofferdam::kernel::{Bytes, Capabilities, MountFlags};
use serde::{Deserialize, Serialize};

use super::{Dentry, FilesystemType, Name, Parameters};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::{OtherNamespace, PidNamespace, UserNamespace};
use crate::process::{Credentials, Task};

/// How many messages a context keeps (`struct fc_log`).
const MESSAGES: usize = 8;

/// What a context is for (`enum fs_context_purpose`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A new mount.
    Mount,
    /// A change of a filesystem that is there.
    Reconfigure,
}

/// How far a context has come (`enum fs_context_phase`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It takes the parameters of a new filesystem.
    CreateParameters,
    /// The filesystem is there; fsmount(2) makes a mount of it.
    AwaitingMount,
    /// It will take parameters for a change.
    AwaitingReconfiguration,
    /// It takes parameters for a change.
    ReconfigurationParameters,
    /// Something went wrong: it is of no use any more.
    Failed,
}

/// A filesystem in the making, or being changed (`struct fs_context`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsContext {
    pub(crate) purpose: Purpose,
    pub(crate) phase: Phase,
    pub(crate) filesystem: FilesystemType,
    /// The flags of the superblock.
    pub(crate) sb_flags: MountFlags,
    /// Which of them a change is about.
    pub(crate) sb_flags_mask: MountFlags,
    /// What the source is called.
    pub(crate) source: Option<Name>,
    /// The parameters of the type.
    pub(crate) parameters: Parameters,
    /// The user namespace that the superblock belongs to.
    pub(crate) user_namespace: Id<UserNamespace>,
    /// For proc, the pid namespace of who made the context.
    pub(crate) pid_namespace: Option<Id<PidNamespace>>,
    /// For sysfs the network namespace, for mqueue the ipc namespace of who made the context.
    pub(crate) kernel_namespace: Option<Id<OtherNamespace>>,
    /// The root, once the superblock is there.
    pub(crate) root: Option<Id<Dentry>>,
    /// Who made the context.
    pub(crate) credentials: Arc<Credentials>,
    /// Whether only a new superblock will do (`FSCONFIG_CMD_CREATE_EXCL`).
    pub(crate) is_exclusive: bool,
    /// Messages for who holds the descriptor, if there is one.
    pub(crate) messages: Option<VecDeque<Bytes>>,
}

impl FsContext {
    /// Keeps a message, in the place of the oldest if there are too many (`logfc()`).
    pub(crate) fn log(&mut self, level: char, message: &str) {
        let Some(messages) = &mut self.messages else { return };
        if messages.len() == MESSAGES {
            messages.pop_front();
        }
        messages.push_back(format!("{level} {message}\n").into());
    }

    /// The oldest message, as read(2) gives it (`fscontext_read()`): it must fit whole.
    pub(crate) fn read_message(&mut self, count: usize) -> Result<Bytes, Failure> {
        const NO_MESSAGE: Failure = fail!(ENODATA, "fetch_message_locked()", "the context has no message to read");
        let messages = self.messages.as_mut().ok_or(NO_MESSAGE)?;
        let length = messages.front().ok_or(NO_MESSAGE)?.0.len();
        if length > count {
            return Err(fail!(EMSGSIZE, "fetch_message_locked()", "the message is longer than the buffer"));
        }
        messages.pop_front().ok_or(NO_MESSAGE)
    }
}

impl Linux {
    /// A context for a new mount (`fs_context_for_mount()`).
    pub(crate) fn context_for_mount(
        &mut self,
        task: Id<Task>,
        filesystem: FilesystemType,
        sb_flags: MountFlags,
    ) -> Result<FsContext, Failure> {
        let credentials = self.tasks[task].credentials.clone();
        let mut context = FsContext {
            purpose: Purpose::Mount,
            phase: Phase::CreateParameters,
            parameters: Parameters::None,
            filesystem,
            sb_flags,
            sb_flags_mask: MountFlags::empty(),
            source: None,
            user_namespace: credentials.user_namespace,
            pid_namespace: None,
            kernel_namespace: None,
            root: None,
            credentials,
            is_exclusive: false,
            messages: None,
        };
        // Two: one for the credentials.
        self.user_namespaces[context.user_namespace].references += 2;
        match self.init_context(task, &mut context) {
            Ok(()) => Ok(context),
            Err(failure) => {
                self.drop_context(context);
                Err(failure)
            }
        }
    }

    /// A context for a change of the filesystem that a dentry is in (`fs_context_for_reconfigure()`).
    pub(crate) fn context_for_reconfigure(
        &mut self,
        task: Id<Task>,
        root: Id<Dentry>,
        sb_flags: MountFlags,
        sb_flags_mask: MountFlags,
    ) -> Result<FsContext, Failure> {
        let superblock = self.dentries[root].superblock;
        let object = &mut self.superblocks[superblock];
        if object.is_internal {
            return Err(fail!(
                EINVAL,
                "fs_context_for_reconfigure()",
                "the filesystem is the kernel's own: users cannot change it"
            ));
        }
        object.active += 1;
        let (user_namespace, filesystem) = (object.user_namespace, object.filesystem.clone());
        let credentials = self.tasks[task].credentials.clone();
        self.dentry_get(root);
        self.user_namespaces[user_namespace].references += 1;
        self.user_namespaces[credentials.user_namespace].references += 1;
        let mut context = FsContext {
            purpose: Purpose::Reconfigure,
            phase: Phase::ReconfigurationParameters,
            parameters: Parameters::None,
            filesystem,
            sb_flags,
            sb_flags_mask,
            source: None,
            user_namespace,
            pid_namespace: None,
            kernel_namespace: None,
            root: Some(root),
            credentials,
            is_exclusive: false,
            messages: None,
        };
        match self.init_context(task, &mut context) {
            Ok(()) => Ok(context),
            Err(failure) => {
                self.drop_context(context);
                Err(failure)
            }
        }
    }

    /// What the type does with a context first (`init_fs_context()`).
    fn init_context(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        let owner = match context.filesystem {
            FilesystemType::Proc => self.pid_namespaces[self.tasks[task].pid_namespace].user_namespace,
            FilesystemType::Sysfs => self.other_namespaces[self.tasks[task].namespaces.network].user_namespace,
            FilesystemType::Mqueue => self.other_namespaces[self.tasks[task].namespaces.ipc].user_namespace,
            _ => context.user_namespace,
        };
        let is_sysfs = context.filesystem == FilesystemType::Sysfs;
        if is_sysfs && !self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "sysfs_init_fs_context()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns its network namespace"
            ));
        }
        if context.filesystem == FilesystemType::Proc {
            let namespace = self.tasks[task].pid_namespace;
            self.pid_namespaces[namespace].references += 1;
            if let Some(before) = context.pid_namespace.replace(namespace) {
                self.pid_namespace_put(before);
            }
        }
        let namespaces = &self.tasks[task].namespaces;
        let kernel_namespace = match context.filesystem {
            FilesystemType::Sysfs => Some(namespaces.network),
            FilesystemType::Mqueue => Some(namespaces.ipc),
            _ => None,
        };
        if let Some(namespace) = kernel_namespace {
            self.other_namespaces[namespace].references += 1;
        }
        if let Some(before) = std::mem::replace(&mut context.kernel_namespace, kernel_namespace) {
            self.other_namespace_put(before);
        }
        self.user_namespaces[owner].references += 1;
        self.user_namespace_put(context.user_namespace);
        context.user_namespace = owner;
        context.parameters = Parameters::new(&context.filesystem, &self.tasks[task].credentials);
        Ok(())
    }

    /// Readies a context, whose mount was made or change was carried out, for a change (`vfs_clean_context()`). What the
    /// mask of flags says stays.
    pub(crate) fn clean_context(&mut self, context: &mut FsContext) {
        let parameters = std::mem::take(&mut context.parameters);
        self.drop_parameters(&parameters);
        self.drop_namespaces(context);
        context.sb_flags = MountFlags::empty();
        context.source = None;
        context.is_exclusive = false;
        context.purpose = Purpose::Reconfigure;
        context.phase = Phase::AwaitingReconfiguration;
    }

    /// Begins a change in a context that is ready for it (`finish_clean_context()`).
    pub(crate) fn finish_clean_context(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        if context.phase != Phase::AwaitingReconfiguration {
            return Ok(());
        }
        if let Err(failure) = self.init_context(task, context) {
            context.phase = Phase::Failed;
            return Err(failure);
        }
        context.phase = Phase::ReconfigurationParameters;
        Ok(())
    }

    /// Whether a process may mount what a context describes (`mount_capable()`).
    pub(crate) fn mount_capable(&self, task: Id<Task>, context: &FsContext) -> Result<(), Failure> {
        let (namespace, rule) = if context.filesystem.can_be_mounted_in_user_namespaces() {
            let rule = fail!(
                EPERM,
                "mount_capable()",
                "the process has no CAP_SYS_ADMIN in the user namespace that the filesystem would belong to"
            );
            (context.user_namespace, rule)
        } else {
            let rule = fail!(
                EPERM,
                "mount_capable()",
                "a filesystem of this type is mounted only with CAP_SYS_ADMIN in the initial user namespace"
            );
            (self.initial_user_namespace, rule)
        };
        if self.ns_capable(task, namespace, Capabilities::CAP_SYS_ADMIN) { Ok(()) } else { Err(rule) }
    }

    /// Ends a context, whose descriptor was closed.
    pub(crate) fn context_put(&mut self, context: Id<FsContext>) {
        if let Some(context) = self.contexts.remove(context) {
            self.drop_context(context);
        }
    }

    /// Ends a context (`put_fs_context()`).
    pub(crate) fn drop_context(&mut self, mut context: FsContext) {
        self.drop_parameters(&context.parameters);
        if let Some(root) = context.root {
            let superblock = self.dentries[root].superblock;
            self.dentry_put(root);
            self.superblock_put(superblock);
        }
        self.drop_namespaces(&mut context);
        self.user_namespace_put(context.user_namespace);
        self.user_namespace_put(context.credentials.user_namespace);
    }

    /// Lets go of the namespaces that the type keeps in a context (`fc->ops->free`).
    fn drop_namespaces(&mut self, context: &mut FsContext) {
        if let Some(namespace) = context.pid_namespace.take() {
            self.pid_namespace_put(namespace);
        }
        if let Some(namespace) = context.kernel_namespace.take() {
            self.other_namespace_put(namespace);
        }
    }
}
