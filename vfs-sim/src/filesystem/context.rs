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
