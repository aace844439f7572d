//! How much of a filesystem in memory is used.

use super::{InodeKind, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// How many pages the contents of its files take.
    pub(crate) fn used_pages(&self, superblock: Id<SuperBlock>) -> u64 {
        let own = self.inodes.iter().filter(|(_, inode)| inode.superblock == superblock);
        let pages = own.map(|(_, inode)| match &inode.kind {
            InodeKind::Regular(content) => content.pages(),
            // A target that is short is kept in the inode (`shmem_symlink()`).
            InodeKind::Symlink(target) if target.as_bytes().len() >= 128 => 1,
            _ => 0,
        });
        pages.fold(0, |sum, pages| sum.saturating_add(u64::try_from(pages).unwrap_or(u64::MAX)))
    }

    /// How many inodes are used: each further name of a file counts as one (`shmem_link()`).
    pub(crate) fn used_inodes(&self, superblock: Id<SuperBlock>) -> u64 {
        let own = self.inodes.iter().filter(|(_, inode)| inode.superblock == superblock);
        own.map(|(_, inode)| if inode.is_directory() { 1 } else { u64::from(inode.links.max(1)) }).sum()
    }
}
