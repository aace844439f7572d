//! Inodes of overlays: how they come to be, are found again, and go (`fs/overlayfs/inode.c`).

use std::sync::Arc;

use super::state::{InodeFlags, NOTHING_BEHIND};
use super::{LowerEntry, OverlayInode};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Entry, Inode, InodeKind, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;

/// What an inode is to stand for (`struct ovl_inode_params`).
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    pub(super) upper: Option<Id<Dentry>>,
    pub(super) lower: Vec<LowerEntry>,
}

impl Linux {
    /// The inode for what was found in the layers, a new one if there is none yet (`ovl_get_inode()`).
    pub(super) fn get_overlay_inode(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        behind: Behind,
    ) -> Result<Id<Inode>, Failure> {
        let lower = behind.lower.first().map(|entry| entry.dentry);
        let real = behind.upper.or(lower).ok_or(NOTHING_BEHIND)?;
        let is_by_lower = self.is_known_by_lower(superblock, lower);
        let key = if is_by_lower { lower } else { behind.upper }.map(|dentry| self.dentries[dentry].inode);
        if let Some(known) = key.and_then(|key| self.overlay(superblock).ok()?.inodes.get(&key).copied()) {
            return if self.stands_for(known, behind.upper, lower) {
                Ok(known)
            } else {
                Err(fail!(
                    ESTALE,
                    "ovl_get_inode()",
                    "the layers were changed behind the overlay: the file is known as one of other layers"
                ))
            };
        }
        let is_directory = self.is_directory(real);
        let mut flags = InodeFlags::empty();
        flags.set(InodeFlags::CONSTANT, is_by_lower);
        if is_directory {
            let noted = self.noted(task, superblock, real);
            let is_merged = behind.upper.is_some() && lower.is_some() || behind.lower.len() > 1;
            flags.set(InodeFlags::WHITEOUTS, is_merged || noted.origin.is_some());
            flags.set(InodeFlags::IMPURE, behind.upper.is_some() && noted.impure);
        }
        let numbered_by = key.unwrap_or(self.dentries[real].inode);
        let links = if is_directory || key.is_none() { 1 } else { self.inodes[self.dentries[real].inode].links };
        let layer = behind.lower.first().filter(|_| is_by_lower || behind.upper.is_none()).copied();
        let inode = self.new_overlay_inode(superblock, behind, flags)?;
        self.inodes[inode].links = links;
        self.number_overlay_inode(inode, numbered_by, layer)?;
        if let Some(key) = key {
            self.key_overlay_inode(inode, key)?;
        }
        Ok(inode)
    }

    /// Whether an inode is found by what is below, and not by what is in the upper layer (`ovl_hash_bylower()`): of links
    /// below not all are copied up.
    fn is_known_by_lower(&self, superblock: Id<SuperBlock>, lower: Option<Id<Dentry>>) -> bool {
        let Some(lower) = lower else { return false };
        let has_upper = self.overlay(superblock).is_ok_and(|overlay| overlay.upper.is_some());
        let inode = self.dentries[lower].inode;
        !has_upper || self.is_directory(lower) || self.inodes[inode].links <= 1
    }

    /// Whether an inode stands for what was found (`ovl_verify_inode()`).
    fn stands_for(&self, inode: Id<Inode>, upper: Option<Id<Dentry>>, lower: Option<Id<Dentry>>) -> bool {
        let Some(state) = self.overlay_inode(inode) else { return false };
        let of = |dentry: Id<Dentry>| self.dentries[dentry].inode;
        let own_lower = state.lower.first().map(|entry| of(entry.dentry));
        let own_upper = state.upper.map(of);
        let has_less = lower.is_none() && own_lower.is_some() || upper.is_none() && own_upper.is_some();
        if self.inodes[inode].is_directory() && has_less {
            return false;
        }
        lower.is_none_or(|lower| own_lower == Some(of(lower))) && upper.is_none_or(|upper| own_upper == Some(of(upper)))
    }

    /// An inode that keeps what it stands for, without a number and without a key (`ovl_new_inode()`, `ovl_inode_init()`).
    pub(super) fn new_overlay_inode(
        &mut self,
        superblock: Id<SuperBlock>,
        behind: Behind,
        flags: InodeFlags,
    ) -> Result<Id<Inode>, Failure> {
        let real = behind.upper.or(behind.lower.first().map(|entry| entry.dentry)).ok_or(NOTHING_BEHIND)?;
        let kind = match &self.inodes[self.dentries[real].inode].kind {
            InodeKind::Regular(_) => InodeKind::Regular(Arc::default()),
            kind => kind.clone(),
        };
        let kept = behind.upper.into_iter().chain(behind.lower.iter().map(|entry| entry.dentry));
        for dentry in kept.collect::<Vec<_>>() {
            self.dentry_get(dentry);
        }
        let inode = self.new_inode(superblock, kind, 0, (0, 0));
        self.inodes[inode].links = 1;
        self.inodes[inode].entry = Entry::Overlay(Box::new(OverlayInode {
            upper: behind.upper,
            lower: behind.lower,
            flags,
            key: None,
            version: 0,
            list: None,
        }));
        self.copy_attributes(inode);
        Ok(inode)
    }

    /// Lets an inode be found by what is behind it.
    pub(super) fn key_overlay_inode(&mut self, inode: Id<Inode>, key: Id<Inode>) -> Result<(), Failure> {
        let superblock = self.inodes[inode].superblock;
        self.overlay_mut(superblock)?.inodes.insert(key, inode);
        if let Some(state) = self.overlay_inode_mut(inode) {
            state.key = Some(key);
        }
        Ok(())
    }

    /// Gives an inode its number: that of what is behind it, unless that can't tell it from others (`ovl_map_ino()`).
    pub(super) fn number_overlay_inode(
        &mut self,
        inode: Id<Inode>,
        real: Id<Inode>,
        layer: Option<LowerEntry>,
    ) -> Result<(), Failure> {
        let number = self.inodes[real].number;
        let superblock = self.inodes[inode].superblock;
        let is_directory = self.inodes[inode].is_directory();
        let overlay = self.overlay_mut(superblock)?;
        let filesystem = overlay.filesystem_of(layer);
        let number = match overlay.numbered(number, filesystem) {
            Some(number) => number,
            None if is_directory && !overlay.has_one_filesystem() => {
                overlay.last_inode += 1;
                overlay.last_inode
            }
            None => number,
        };
        self.inodes[inode].number = number;
        Ok(())
    }

    /// Takes over who owns what is behind an inode, and who may do what with it (`ovl_copyattr()`).
    pub(super) fn copy_attributes(&mut self, inode: Id<Inode>) {
        let Some(Path { mount, dentry }) = self.real_path(inode) else { return };
        let real = self.dentries[dentry].inode;
        let (uid, gid) = self.owner_through(mount, real);
        let mode = self.inodes[real].mode;
        let object = &mut self.inodes[inode];
        object.mode = mode;
        object.uid = uid.unwrap_or(crate::filesystem::NO_ID);
        object.gid = gid.unwrap_or(crate::filesystem::NO_ID);
    }

    /// Notes that the entries of a directory have changed (`ovl_dir_modified()`).
    pub(super) fn directory_was_modified(&mut self, directory: Id<Dentry>, is_impurity: bool) {
        let inode = self.dentries[directory].inode;
        self.copy_attributes(inode);
        if let Some(state) = self.overlay_inode_mut(inode)
            && (state.flags.contains(InodeFlags::WHITEOUTS) || is_impurity)
        {
            state.version += 1;
        }
    }

    /// Lets go of what an inode kept that is gone (`ovl_destroy_inode()`).
    pub(in crate::filesystem) fn release_overlay_inode(
        &mut self,
        superblock: Id<SuperBlock>,
        inode: Id<Inode>,
        state: &OverlayInode,
    ) {
        if let (Some(key), Ok(overlay)) = (state.key, self.overlay_mut(superblock))
            && overlay.inodes.get(&key) == Some(&inode)
        {
            overlay.inodes.remove(&key);
        }
        if let Some(upper) = state.upper {
            self.dentry_put(upper);
        }
        for entry in &state.lower {
            self.dentry_put(entry.dentry);
        }
    }

    /// Takes one link from an inode, but not the last while it has other names (`ovl_drop_nlink()`).
    pub(super) fn drop_overlay_link(&mut self, dentry: Id<Dentry>) {
        let inode = self.dentries[dentry].inode;
        let has_other_name = self.inodes[inode].dentries > 1
            && self.dentries.iter().any(|(id, other)| other.inode == inode && other.is_hashed && id != dentry);
        if self.inodes[inode].links > u32::from(has_other_name) {
            self.drop_link(inode);
        }
    }

    /// Takes all links from an inode (`clear_nlink()`).
    pub(super) fn clear_overlay_links(&mut self, inode: Id<Inode>) {
        if self.inodes[inode].links > 0 {
            self.inodes[inode].links = 1;
            self.drop_link(inode);
        }
    }
}

impl super::Overlay {
    /// The place of the filesystem of a lower layer among those of the layers; that of the upper one if it is none.
    pub(super) fn filesystem_of(&self, layer: Option<LowerEntry>) -> usize {
        layer.and_then(|entry| self.lower.get(entry.layer)).map_or(0, |layer| layer.filesystem)
    }

    /// The number of an inode with the filesystem of its layer in the upper bits; none if they are not used, or needed
    /// for the number itself.
    pub(super) fn numbered(&self, number: u64, filesystem: usize) -> Option<u64> {
        let bits = u32::try_from(self.number_bits).ok().filter(|bits| *bits > 0)?;
        let shift = u64::BITS - bits;
        if number.checked_shr(shift).unwrap_or(0) != 0 {
            return None;
        }
        let filesystem = u64::try_from(filesystem).unwrap_or(0);
        Some(number | filesystem.checked_shl(shift + 1).unwrap_or(0))
    }
}
