//! proc(5).

use super::SuperBlock;
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    pub(super) fn fill_proc(&mut self, superblock: Id<SuperBlock>) {
        let root = self.root_inode(superblock);
        self.inodes[root].mode = 0o555;
    }
}
