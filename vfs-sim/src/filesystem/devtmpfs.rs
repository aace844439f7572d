//! devtmpfs.

use super::SuperBlock;
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    pub(super) fn fill_devtmpfs(&mut self, superblock: Id<SuperBlock>) {
        let _ = superblock;
    }
}
