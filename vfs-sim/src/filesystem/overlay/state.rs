//! What an overlay keeps: its layers, and what stands behind its inodes (`fs/overlayfs/ovl_entry.h`).

use std::sync::Arc;

use bitflags::bitflags;
use cofferdam::kernel::DeviceNumber;
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::{Config, ListedEntry};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Entry, Inode, Name, SuperBlock};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::namespace::UserNamespace;
use crate::process::{Credentials, Task};

/// The number of the upper layer; the lower ones are numbered from 1, downwards.
pub(super) const UPPER: usize = 0;

/// A layer (`struct ovl_layer`).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// The mount of it that is the overlay's own.
    pub(crate) mount: Id<Mount>,
    /// The place of its filesystem among those of the layers.
    pub(super) filesystem: usize,
}

/// A filesystem of layers (`struct ovl_sb`).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LayerFilesystem {
    /// None for that of an upper layer that is not there.
    pub(super) superblock: Option<Id<SuperBlock>>,
    /// The device that files of it are said to be on.
    pub(crate) device: DeviceNumber,
    /// Whether a lower layer is in it.
    pub(super) is_lower: bool,
    /// Whether nothing tells it from another one (`bad_uuid`).
    pub(super) is_ambiguous: bool,
}

/// The state of an overlay (`struct ovl_fs`).
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as the kernel keeps")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overlay {
    pub(super) config: Config,
    /// The upper layer, if there is one, and the lower ones, topmost first.
    pub(super) upper: Option<Layer>,
    pub(super) lower: Vec<Layer>,
    pub(super) filesystems: Vec<LayerFilesystem>,
    /// The directory that was given for work, and the one in it that is used.
    pub(super) work_base: Option<Id<Dentry>>,
    pub(super) work: Option<Id<Dentry>>,
    /// Whether this overlay has marked the upper directory, and that for work, as in use.
    pub(super) upper_is_locked: bool,
    pub(super) work_is_locked: bool,
    /// The whiteout that others are made links of.
    pub(super) whiteout: Option<Id<Dentry>>,
    /// Whether whiteouts are links of one.
    pub(super) shares_whiteouts: bool,
    /// Who mounted it: what is done to the layers is done in this name.
    pub(super) creator: Arc<Credentials>,
    /// Whether nothing can be noted in the upper layer (`noxattr`).
    pub(super) takes_no_marks: bool,
    /// Whether the upper layer can have files without a name (`tmpfile`).
    pub(super) makes_unnamed: bool,
    /// How many upper bits of an inode's number tell the filesystem; 0 if there is one only, -1 if there is no room
    /// (`xino_mode`).
    pub(super) number_bits: i32,
    /// How many overlays are on top of each other (`s_stack_depth`).
    pub(super) depth: u32,
    /// What tells it from other filesystems (`s_uuid`).
    pub(super) identity: Option<u64>,
    /// The last number that was given to a directory (`last_ino`).
    pub(super) last_inode: u64,
    /// Directories that are layers, which can't be found in others (`ovl_get_trap_inode()`).
    pub(super) traps: OrdSet<Id<Inode>>,
    /// The inodes, by what stands behind them (`ovl_iget5()`).
    pub(super) inodes: OrdMap<Id<Inode>, Id<Inode>>,
}

/// What an overlay that has no upper layer, or can't use it, says to who wants to write.
const NO_UPPER_LAYER: Failure = fail!(EROFS, "ovl_want_write()", "the overlay has no upper layer (upperdir)");

/// An entry of a lower layer (`struct ovl_path`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowerEntry {
    /// The place of the layer among the lower ones.
    pub(super) layer: usize,
    pub(crate) dentry: Id<Dentry>,
}

bitflags! {
    /// What is known of an inode (`enum ovl_inode_flag`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct InodeFlags: u32 {
        /// The upper directory has entries that come from below (`OVL_IMPURE`).
        const IMPURE = 1;
        /// The directory may have whiteouts (`OVL_WHITEOUTS`).
        const WHITEOUTS = 1 << 1;
        /// It is known by what it was below (`OVL_CONST_INO`).
        const CONSTANT = 1 << 2;
    }
}

bitflags! {
    /// What is known of a name (`enum ovl_entry_flag`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NameFlags: u32 {
        /// The upper layer has the name (`OVL_E_UPPER_ALIAS`).
        const UPPER = 1;
        /// It hides what is below (`OVL_E_OPAQUE`).
        const OPAQUE = 1 << 1;
    }
}

/// The entries of a directory as they were when its version was this one (`struct ovl_dir_cache`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List {
    pub(super) version: u64,
    pub(super) entries: Vec<ListedEntry>,
    /// How many readers use it.
    pub(super) readers: u32,
}

/// What never is: something of an overlay with nothing behind it.
pub(super) const NOTHING_BEHIND: Failure =
    fail!(EIO, "ovl_i_path_real()", "no layer of the overlay has anything behind the inode");

/// What stands behind an inode of an overlay (`struct ovl_inode`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayInode {
    /// What is in the upper layer.
    pub(crate) upper: Option<Id<Dentry>>,
    /// What is in the lower ones, topmost first.
    pub(crate) lower: Vec<LowerEntry>,
    pub(super) flags: InodeFlags,
    /// By what the overlay finds the inode.
    pub(super) key: Option<Id<Inode>>,
    /// Counts the changes of a directory.
    pub(super) version: u64,
    pub(super) list: Option<Id<List>>,
}

impl OverlayInode {
    /// What the inode is at present, in the topmost layer that has it (`ovl_dentry_real()`).
    pub(super) fn real(&self) -> Option<Id<Dentry>> {
        self.upper.or_else(|| self.lower.first().map(|entry| entry.dentry))
    }

    /// Whether several entries were merged into a directory (`OVL_TYPE_MERGE`).
    pub(super) fn is_merged(&self, is_directory: bool) -> bool {
        if self.upper.is_some() { is_directory && !self.lower.is_empty() } else { self.lower.len() > 1 }
    }

    /// Whether it was copied up, and is still known by what it was (`OVL_TYPE_ORIGIN`).
    pub(super) fn has_origin(&self) -> bool {
        self.upper.is_some() && !self.lower.is_empty() && self.flags.contains(InodeFlags::CONSTANT)
    }
}

impl Linux {
    /// What is behind an inode, if it is of an overlay.
    pub(crate) fn overlay_inode(&self, inode: Id<Inode>) -> Option<&OverlayInode> {
        match &self.inodes[inode].entry {
            Entry::Overlay(state) => Some(state),
            _ => None,
        }
    }

    pub(super) fn overlay_inode_mut(&mut self, inode: Id<Inode>) -> Option<&mut OverlayInode> {
        match &mut self.inodes[inode].entry {
            Entry::Overlay(state) => Some(state),
            _ => None,
        }
    }

    /// What is behind a dentry, if it is of an overlay.
    pub(crate) fn overlay_entry(&self, dentry: Id<Dentry>) -> Option<&OverlayInode> {
        self.overlay_inode(self.dentries[dentry].inode)
    }

    /// Whether a dentry is of an overlay.
    pub(crate) fn is_overlay(&self, dentry: Id<Dentry>) -> bool {
        self.overlay_entry(dentry).is_some()
    }

    /// What is behind a dentry of an overlay.
    pub(super) fn behind(&self, dentry: Id<Dentry>) -> Result<&OverlayInode, Failure> {
        self.overlay_entry(dentry).ok_or(NOTHING_BEHIND)
    }

    /// The overlay that a dentry is in; `EIO` if it is in none.
    pub(super) fn overlay_of(&self, dentry: Id<Dentry>) -> Result<&Overlay, Failure> {
        self.overlay(self.dentries[dentry].superblock)
    }

    pub(super) fn overlay(&self, superblock: Id<SuperBlock>) -> Result<&Overlay, Failure> {
        self.superblocks[superblock].overlay.as_deref().ok_or(NOTHING_BEHIND)
    }

    pub(super) fn overlay_mut(&mut self, superblock: Id<SuperBlock>) -> Result<&mut Overlay, Failure> {
        self.superblocks[superblock].overlay.as_deref_mut().ok_or(NOTHING_BEHIND)
    }

    /// What is in the upper layer of a dentry of an overlay.
    pub(super) fn upper_of(&self, dentry: Id<Dentry>) -> Option<Id<Dentry>> {
        self.overlay_entry(dentry).and_then(|state| state.upper)
    }

    /// The upper layer; `EROFS` if there is none.
    pub(super) fn upper_layer(&self, superblock: Id<SuperBlock>) -> Result<Layer, Failure> {
        self.overlay(superblock)?.upper.ok_or(NO_UPPER_LAYER)
    }

    /// A place in the upper layer; `EROFS` if there is none.
    pub(super) fn in_upper(&self, superblock: Id<SuperBlock>, dentry: Id<Dentry>) -> Result<Path, Failure> {
        let upper = self.upper_layer(superblock)?;
        Ok(Path { mount: upper.mount, dentry })
    }

    /// What the upper layer has of a directory of an overlay; `EROFS` if nothing.
    pub(super) fn upper_directory(&self, dentry: Id<Dentry>) -> Result<Path, Failure> {
        let upper = self.upper_of(dentry).ok_or(NO_UPPER_LAYER)?;
        self.in_upper(self.dentries[dentry].superblock, upper)
    }

    /// The directory for work (`ovl_workdir()`).
    pub(super) fn work_directory(&self, superblock: Id<SuperBlock>) -> Result<Path, Failure> {
        let work = self.overlay(superblock)?.work.ok_or(fail!(
            EROFS,
            "ovl_workdir()",
            "the overlay has no directory for work (workdir), or could not make what it needs in it"
        ))?;
        self.in_upper(superblock, work)
    }

    /// Whether the upper layer can be written to (`ovl_want_write()`).
    pub(super) fn want_write_upper(&self, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        let upper = self.upper_layer(superblock)?;
        self.want_write(upper.mount)
    }

    /// The place of what an inode of an overlay is at present (`ovl_i_path_real()`).
    pub(crate) fn real_path(&self, inode: Id<Inode>) -> Option<Path> {
        let state = self.overlay_inode(inode)?;
        let overlay = self.overlay(self.inodes[inode].superblock).ok()?;
        match state.upper {
            Some(dentry) => Some(Path { mount: overlay.upper?.mount, dentry }),
            None => state.lower.first().and_then(|entry| overlay.lower_path(*entry)),
        }
    }

    /// The same, where there must be one.
    pub(super) fn place_behind(&self, inode: Id<Inode>) -> Result<Path, Failure> {
        self.real_path(inode).ok_or(NOTHING_BEHIND)
    }

    /// The place of what is in a lower layer.
    pub(super) fn place_below(&self, superblock: Id<SuperBlock>, entry: LowerEntry) -> Result<Path, Failure> {
        self.overlay(superblock)?.lower_path(entry).ok_or(NOTHING_BEHIND)
    }

    /// The place of what an inode is in the end, where overlays are layers of others.
    pub(crate) fn innermost_path(&self, inode: Id<Inode>) -> Option<Path> {
        let mut path = self.real_path(inode)?;
        while let Some(below) = self.real_path(self.dentries[path.dentry].inode) {
            path = below;
        }
        Some(path)
    }

    /// Does something in the name of who mounted an overlay (`ovl_override_creds()`).
    pub(super) fn as_mounter<T>(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        act: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let creator = self.overlay(superblock)?.creator.clone();
        self.as_other(task, creator, act)
    }

    /// Does something with other credentials (`override_creds()`).
    pub(super) fn as_other<T>(
        &mut self,
        task: Id<Task>,
        credentials: Arc<Credentials>,
        act: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let own = std::mem::replace(&mut self.tasks[task].credentials, credentials);
        let result = act(self);
        self.tasks[task].credentials = own;
        result
    }

    /// A name for something temporary (`ovl_tempname()`).
    pub(super) fn temporary_name(&mut self) -> Name {
        self.last_temporary_name = self.last_temporary_name.wrapping_add(1);
        Name::from(format!("#{:x}", self.last_temporary_name).as_str())
    }
}

impl Overlay {
    /// What mountinfo shows of it.
    pub(crate) fn show(&self, text: &mut Vec<u8>) {
        self.config.show(self.has_one_filesystem(), text);
    }

    /// Where an entry of a lower layer is.
    pub(super) fn lower_path(&self, entry: LowerEntry) -> Option<Path> {
        let layer = self.lower.get(entry.layer)?;
        Some(Path { mount: layer.mount, dentry: entry.dentry })
    }

    /// Whether all layers are in one filesystem (`ovl_same_fs()`).
    pub(super) fn has_one_filesystem(&self) -> bool {
        self.number_bits == 0
    }

    /// Whether all its inodes are on one device (`ovl_same_dev()`).
    pub(super) fn has_one_device(&self) -> bool {
        self.number_bits >= 0
    }

    /// The user namespace of who mounted it.
    pub(crate) fn user_namespace(&self) -> Id<UserNamespace> {
        self.creator.user_namespace
    }

    /// What statfs(2) tells of its identity; nothing if it has none of its own (`ovl_statfs()`).
    pub(crate) fn shown_identity(&self) -> Option<u64> {
        // No two numbers give the same: the multiplier is odd.
        let identity = self.identity.map_or(0, |identity| identity.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.config.has_identity().then_some(identity)
    }

    /// The devices that it has besides that of the superblock.
    pub(crate) fn devices(&self) -> impl Iterator<Item = DeviceNumber> {
        self.filesystems.iter().map(|filesystem| filesystem.device)
    }

    /// The mounts that it has of its layers.
    pub(crate) fn layer_mounts(&self) -> impl Iterator<Item = Id<Mount>> {
        self.upper.iter().chain(&self.lower).map(|layer| layer.mount)
    }

    /// The dentries that it keeps.
    pub(crate) fn kept_dentries(&self) -> impl Iterator<Item = Id<Dentry>> {
        [self.work_base, self.work, self.whiteout].into_iter().flatten()
    }
}
