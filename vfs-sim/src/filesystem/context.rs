//! Contexts in which filesystems are configured (`struct fs_context`).

use serde::{Deserialize, Serialize};

use super::Dentry;
use crate::arena::Id;
use crate::linux::Linux;

/// A filesystem in the making, or being changed (`struct fs_context`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsContext {
    /// The root, once the superblock is there.
    pub(crate) root: Option<Id<Dentry>>,
}

impl Linux {
    /// Ends a context, whose descriptor was closed (`put_fs_context()`).
    pub(crate) fn context_put(&mut self, context: Id<FsContext>) {
        let Some(context) = self.contexts.remove(context) else { return };
        if let Some(root) = context.root {
            let superblock = self.dentries[root].superblock;
            self.dentry_put(root);
            self.superblock_put(superblock);
        }
    }
}

// STUBS
use cofferdam::kernel::{Errno, MountFlags};
use super::{FilesystemType, SuperBlock};
use crate::process::Task;
use crate::mount::MntFlags;
pub fn allows_idmap(_f: &FilesystemType) -> bool { true }
pub enum ParameterValue<'a> { String(&'a [u8]) }
impl Linux {
    pub(crate) fn filesystem_type(name: &[u8]) -> Option<FilesystemType> { let _ = name; None }
    pub(crate) fn context_for_mount(&mut self, _t: Id<Task>, _f: FilesystemType, _s: MountFlags) -> Result<FsContext, Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn context_for_reconfigure(&mut self, _t: Id<Task>, _f: Id<Dentry>, _s: MountFlags, _m: MountFlags) -> Result<FsContext, Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn parse_parameter(&mut self, _t: Id<Task>, _c: &mut FsContext, _k: &[u8], _v: ParameterValue<'_>) -> Result<(), Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn parse_monolithic(&mut self, _t: Id<Task>, _c: &mut FsContext, _d: Option<&[u8]>) -> Result<(), Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn mount_capable(&self, _t: Id<Task>, _c: &FsContext) -> bool { false }
    pub(crate) fn get_tree(&mut self, _t: Id<Task>, _c: &mut FsContext) -> Result<(), Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn reconfigure(&mut self, _t: Id<Task>, _c: &mut FsContext) -> Result<(), Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn mount_too_revealing(&self, _t: Id<Task>, _c: Id<SuperBlock>, _f: &mut MntFlags) -> bool { false }
    pub(crate) fn drop_context(&mut self, _c: FsContext) { }
    pub(crate) fn parse_source(&mut self, _t: Id<Task>, _c: &mut FsContext, _s: &[u8]) -> Result<(), Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn mount_of_context(&mut self, _c: &FsContext) -> Result<Id<crate::mount::Mount>, Errno> { Err(Errno::ENOSYS) }
    pub(crate) fn user_namespace_of_file(&self, _f: Id<crate::process::OpenFile>) -> Option<Id<crate::namespace::UserNamespace>> { None }
}
