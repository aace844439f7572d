//! What files of an overlay are, and who may do what with them (`fs/overlayfs/inode.c`).

use cofferdam::kernel::{DeviceNumber, FileType};

use super::copy_up::CopiedContent;
use super::state::NOTHING_BEHIND;
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::{Dentry, Inode, InodeKind};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::syscalls::Attributes;
use crate::walk::Access;

/// What an overlay makes of the numbers of what is behind one of its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) device: DeviceNumber,
    pub(crate) inode: u64,
    pub(crate) links: u32,
}

impl Linux {
    /// The device, the number and the links of a file of an overlay (`ovl_getattr()`).
    pub(crate) fn overlay_numbers(&self, dentry: Id<Dentry>) -> Option<Numbers> {
        let state = self.overlay_entry(dentry)?;
        let superblock = self.dentries[dentry].superblock;
        let overlay = self.overlay(superblock).ok()?;
        let is_directory = self.is_directory(dentry);
        let (real_number, real_links) = self.numbers_behind(state.real()?);
        let (mut number, mut layer) = (real_number, None);
        if !is_directory || overlay.has_one_device() {
            let lower = state.lower.first().copied();
            if state.upper.is_none() {
                layer = lower;
            } else if let Some(lower) = lower.filter(|_| state.has_origin()) {
                let (origin, links) = self.numbers_behind(lower.dentry);
                if is_directory || links == 1 {
                    number = origin;
                    layer = Some(lower);
                }
            }
        }
        let own = self.superblocks[superblock].device;
        let filesystem = overlay.filesystem_of(layer);
        let (device, inode) = if overlay.has_one_filesystem() {
            (own, number)
        } else if let Some(number) = overlay.numbered(number, filesystem) {
            (own, number)
        } else if is_directory {
            (own, self.inodes[self.dentries[dentry].inode].number)
        } else {
            (overlay.filesystems.get(filesystem)?.device, number)
        };
        let links = if is_directory && state.is_merged(true) { 1 } else { real_links };
        Some(Numbers { device, inode, links })
    }

    /// The number and the links of what is in a layer.
    pub(super) fn numbers_behind(&self, dentry: Id<Dentry>) -> (u64, u32) {
        let inode = &self.inodes[self.dentries[dentry].inode];
        self.overlay_numbers(dentry).map_or((inode.number, inode.links), |numbers| (numbers.inode, numbers.links))
    }

    /// Whether who mounted the overlay may do the same with what is behind an inode (the end of `ovl_permission()`).
    pub(crate) fn overlay_permission(&self, inode: Id<Inode>, access: Access) -> Result<(), Failure> {
        let Some(state) = self.overlay_inode(inode) else { return Ok(()) };
        let Path { mount, dentry } = self.place_behind(inode)?;
        let real = self.dentries[dentry].inode;
        let file_type = self.inodes[real].file_type();
        // `ovl_symlink_inode_operations`
        if file_type == FileType::Symlink {
            return Ok(());
        }
        let is_special =
            matches!(file_type, FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket);
        let mut access = access;
        if state.upper.is_none() && !is_special && access.contains(Access::WRITE) {
            // It is copied up first.
            access.remove(Access::WRITE);
            access |= Access::READ;
        }
        let overlay = self.overlay(self.inodes[inode].superblock)?;
        self.credentials_permission(&overlay.creator, mount, real, access)
    }

    /// Changes a file of an overlay, which the process may do (the end of `ovl_setattr()`).
    pub(crate) fn change_in_overlay(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        attributes: Attributes,
    ) -> Result<(), Failure> {
        self.copy_up(task, dentry)?;
        let superblock = self.dentries[dentry].superblock;
        self.want_write_upper(superblock)?;
        let upper = self.upper_directory(dentry)?;
        let mode = attributes.mode.filter(|_| attributes.killed == 0);
        let attributes = Attributes { mode, ..attributes };
        self.as_mounter(task, superblock, |linux| linux.change_attributes(task, upper, attributes))?;
        self.copy_attributes(self.dentries[dentry].inode);
        Ok(())
    }

    /// Gives a file of an overlay another length (`ovl_setattr()`).
    pub(crate) fn set_length_in_overlay(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        length: u64,
        lost: u32,
    ) -> Result<(), Failure> {
        self.copy_up_with(task, dentry, CopiedContent::All)?;
        let superblock = self.dentries[dentry].superblock;
        self.want_write_upper(superblock)?;
        let upper = self.upper_of(dentry).ok_or(NOTHING_BEHIND)?;
        let real = self.dentries[upper].inode;
        self.inodes[real].mode &= !lost;
        self.change_content(real, |kind| {
            if let InodeKind::Regular(content) = kind
                && content.len() != length
            {
                std::sync::Arc::make_mut(content).set_len(length);
            }
        });
        self.copy_attributes(self.dentries[dentry].inode);
        Ok(())
    }

    /// The set-id bits that a file of an overlay loses by writing, also because of who mounted the overlay.
    pub(crate) fn lose_privileges_in_overlay(&mut self, task: Id<Task>, file: Path) -> Result<(), Failure> {
        let inode = self.dentries[file.dentry].inode;
        let lost = self.privileges_lost_by_writing(task, file.mount, inode);
        let Path { mount, dentry } = self.place_behind(inode)?;
        let real = self.dentries[dentry].inode;
        let superblock = self.inodes[inode].superblock;
        let lost_too =
            self.as_mounter(task, superblock, |linux| Ok(linux.privileges_lost_by_writing(task, mount, real)))?;
        self.inodes[real].mode &= !(lost | lost_too);
        self.copy_attributes(inode);
        Ok(())
    }
}
