//! The layers of an overlay that is being mounted: which directories can be some (`fs/overlayfs/super.c`).

use cofferdam::kernel::Capabilities;

use super::OverlayParameters;
use super::options::Xino;
use super::state::{Layer, LayerFilesystem};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, SuperBlock};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::process::Task;

/// How deep overlays can be stacked (`FILESYSTEM_MAX_STACK_DEPTH`).
const MAX_DEPTH: u32 = 2;

const NOT_OURS: Failure = fail!(
    EINVAL,
    "clone_private_mount()",
    "the mount that a layer is on is not in the mount namespace of the process, nor a detached one"
);

impl Linux {
    /// A mount of a directory that nobody else has (`clone_private_mount()`).
    fn private_mount(&mut self, task: Id<Task>, path: Path) -> Result<Id<Mount>, Failure> {
        let object = &self.mounts[path.mount];
        if object.is_unbindable {
            return Err(fail!(EINVAL, "clone_private_mount()", "the mount that a layer is on is unbindable"));
        }
        if !self.is_in_namespace_of(task, path.mount) && !self.is_detached_root(path.mount) {
            return Err(NOT_OURS);
        }
        let namespace = self.mounts[path.mount].namespace.ok_or(NOT_OURS)?;
        let owner = self.mount_namespaces[namespace].user_namespace;
        if !self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            return Err(fail!(
                EPERM,
                "clone_private_mount()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the mount namespace of a layer"
            ));
        }
        if self.has_locked_children(path.mount, path.dentry) {
            return Err(fail!(EINVAL, "clone_private_mount()", "below a layer is a mount that is locked there"));
        }
        let mount = self.clone_private(path.mount, path.dentry);
        self.mounts[mount].flags |= MntFlags::INTERNAL;
        Ok(mount)
    }

    /// Marks a directory as a layer, so that it is not taken for part of another; `ELOOP` if it is one already
    /// (`ovl_setup_trap()`).
    pub(super) fn set_trap(&mut self, superblock: Id<SuperBlock>, directory: Id<Dentry>) -> Result<(), Failure> {
        let inode = self.dentries[directory].inode;
        let overlay = self.overlay_mut(superblock)?;
        if overlay.traps.insert(inode).is_some() {
            return Err(fail!(
                ELOOP,
                "ovl_get_trap_inode()",
                "one directory is given twice as upperdir, workdir or layer of lowerdir"
            ));
        }
        Ok(())
    }

    /// Whether a directory is a layer (`ovl_lookup_trap_inode()`).
    pub(super) fn is_trap(&self, superblock: Id<SuperBlock>, directory: Id<Dentry>) -> bool {
        let inode = self.dentries[directory].inode;
        self.overlay(superblock).is_ok_and(|overlay| overlay.traps.contains(&inode))
    }

    /// Marks a directory as in use; says whether it was not (`ovl_inuse_trylock()`).
    pub(super) fn try_lock_layer(&mut self, directory: Id<Dentry>) -> bool {
        let inode = self.dentries[directory].inode;
        !std::mem::replace(&mut self.inodes[inode].is_layer, true)
    }

    /// `ovl_get_upper()`
    pub(super) fn get_upper_layer(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        path: Path,
    ) -> Result<(), Failure> {
        if self.is_readonly(path.mount) {
            return Err(fail!(EINVAL, "ovl_get_upper()", "the mount or the filesystem of upperdir is read-only"));
        }
        self.set_trap(superblock, path.dentry)?;
        let mount = self.private_mount(task, path)?;
        self.mounts[mount].flags.remove(MntFlags::ATIME_MASK);
        let is_locked = self.try_lock_layer(path.dentry);
        let overlay = self.overlay_mut(superblock)?;
        overlay.upper = Some(Layer { mount, filesystem: 0 });
        overlay.upper_is_locked = is_locked;
        Ok(())
    }

    /// `ovl_get_lowerstack()`, without the layers that only have data
    pub(super) fn get_lower_layers(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        parameters: &OverlayParameters,
    ) -> Result<(), Failure> {
        let has_upper = self.overlay(superblock)?.upper.is_some();
        if !has_upper && parameters.lower.len() == 1 {
            return Err(fail!(
                EINVAL,
                "ovl_get_lowerstack()",
                "one lower layer only is given, and no upperdir: without one there must be two"
            ));
        }
        for (path, _) in &parameters.lower {
            self.check_lower_layer(task, superblock, *path, has_upper)?;
        }
        let upper = self.overlay(superblock)?.upper.map(|layer| self.mounts[layer.mount].superblock);
        let depth = upper.map_or(0, |upper| self.stack_depth(upper));
        let overlay = self.overlay_mut(superblock)?;
        overlay.depth = overlay.depth.max(depth) + 1;
        if overlay.depth > MAX_DEPTH {
            return Err(fail!(
                EINVAL,
                "ovl_get_lowerstack()",
                "a layer is in an overlay on an overlay, or in proc: no more filesystems can be stacked"
            ));
        }
        let device = self.anonymous_device();
        self.overlay_mut(superblock)?.filesystems.push(LayerFilesystem {
            superblock: upper,
            device,
            is_lower: false,
            is_ambiguous: false,
        });
        for (path, _) in &parameters.lower {
            self.get_lower_layer(task, superblock, *path)?;
        }
        self.settle_number_bits(superblock)
    }

    /// How many filesystems are stacked (`s_stack_depth`): on proc there can be none.
    fn stack_depth(&self, superblock: Id<SuperBlock>) -> u32 {
        let object = &self.superblocks[superblock];
        match &object.overlay {
            Some(overlay) => overlay.depth,
            None if object.filesystem == FilesystemType::Proc => MAX_DEPTH,
            None => 0,
        }
    }

    /// Whether a directory can be a lower layer (`ovl_lower_dir()`, and the depth of stacks).
    fn check_lower_layer(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        path: Path,
        has_upper: bool,
    ) -> Result<(), Failure> {
        let layer = self.dentries[path.dentry].superblock;
        // Of others not all is simulated that would be needed.
        let can_be_layer = matches!(
            self.superblocks[layer].filesystem,
            FilesystemType::Proc
                | FilesystemType::Tmpfs
                | FilesystemType::Rootfs
                | FilesystemType::Ramfs
                | FilesystemType::Overlay
                | FilesystemType::Devpts
        );
        if !can_be_layer {
            return Err(fail!(
                EINVAL,
                "ovl_lower_dir()",
                "a lower layer is in a filesystem of a type of which layers are not simulated"
            ));
        }
        let finds_by_number = self.can_find_by_number(task, layer);
        let depth = self.stack_depth(layer);
        let overlay = self.overlay_mut(superblock)?;
        overlay.depth = overlay.depth.max(depth);
        if overlay.config.xino == Xino::Auto && has_upper && !finds_by_number {
            overlay.config.xino = Xino::Off;
        }
        overlay.number_bits = -1;
        Ok(())
    }

    /// One of the layers in `ovl_get_layers()`.
    fn get_lower_layer(&mut self, task: Id<Task>, superblock: Id<SuperBlock>, path: Path) -> Result<(), Failure> {
        let filesystem = self.filesystem_of_layer(superblock, self.dentries[path.dentry].superblock)?;
        self.set_trap(superblock, path.dentry)?;
        let mount = self.private_mount(task, path)?;
        self.mounts[mount].flags |= MntFlags::READONLY | MntFlags::NOATIME;
        let overlay = self.overlay_mut(superblock)?;
        overlay.lower.push(Layer { mount, filesystem });
        if let Some(filesystem) = overlay.filesystems.get_mut(filesystem) {
            filesystem.is_lower = true;
        }
        Ok(())
    }

    /// The place of a filesystem among those of the layers (`ovl_get_fsid()`).
    fn filesystem_of_layer(&mut self, superblock: Id<SuperBlock>, layer: Id<SuperBlock>) -> Result<usize, Failure> {
        let overlay = self.overlay(superblock)?;
        if let Some(known) = overlay.filesystems.iter().position(|known| known.superblock == Some(layer)) {
            return Ok(known);
        }
        let identity = self.identity_of_layer(layer);
        let overlay = self.overlay(superblock)?;
        let is_nameless = overlay.config.allows_changes_offline() && identity.is_none();
        let is_taken = overlay.filesystems.iter().any(|known| {
            known.is_lower && known.superblock.is_some_and(|known| self.identity_of_layer(known) == identity)
        });
        let is_ambiguous = overlay.upper.is_some() && (is_nameless || is_taken);
        let device = self.anonymous_device();
        let overlay = self.overlay_mut(superblock)?;
        if is_ambiguous && overlay.config.xino == Xino::Auto {
            overlay.config.xino = Xino::Off;
        }
        overlay.filesystems.push(LayerFilesystem { superblock: Some(layer), device, is_lower: false, is_ambiguous });
        Ok(overlay.filesystems.len() - 1)
    }

    /// What tells a filesystem from others (`s_uuid`): nothing does for a ramfs, nor for some overlays.
    fn identity_of_layer(&self, layer: Id<SuperBlock>) -> Option<u64> {
        let object = &self.superblocks[layer];
        match (&object.overlay, &object.filesystem) {
            (Some(overlay), _) => overlay.identity,
            (None, FilesystemType::Ramfs | FilesystemType::Devpts) => None,
            _ => Some(object.serial),
        }
    }

    /// How many bits of numbers tell the filesystem of a layer (the end of `ovl_get_layers()`).
    fn settle_number_bits(&mut self, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        let overlay = self.overlay_mut(superblock)?;
        let count = overlay.filesystems.len();
        overlay.number_bits = if count - usize::from(overlay.upper.is_none()) == 1 {
            0
        } else if overlay.config.xino == Xino::Off {
            -1
        } else {
            i32::try_from((count - 1).checked_ilog2().unwrap_or(0)).unwrap_or(0) + 2
        };
        Ok(())
    }

    /// That no lower layer is inside of another layer (`ovl_check_overlapping_layers()`).
    pub(super) fn check_overlapping_layers(&self, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        for layer in &self.overlay(superblock)?.lower {
            let mut dentry = self.mounts[layer.mount].root;
            loop {
                let parent = self.dentries[dentry].parent;
                if parent == dentry {
                    break;
                }
                if self.is_trap(superblock, parent) {
                    return Err(fail!(
                        ELOOP,
                        "ovl_check_layer()",
                        "a lower layer is inside of another layer, or of workdir"
                    ));
                }
                dentry = parent;
            }
        }
        Ok(())
    }

    /// `clone_mnt()` with `CL_PRIVATE`
    fn clone_private(&mut self, old: Id<Mount>, root: Id<Dentry>) -> Id<Mount> {
        let source = self.mounts[old].source.clone();
        let mount = self.new_mount(root, &source);
        let (flags, idmap) = (self.mounts[old].flags, self.mounts[old].idmap);
        if let Some(user_namespace) = idmap {
            self.user_namespaces[user_namespace].references += 1;
        }
        let copy = &mut self.mounts[mount];
        copy.flags = flags.difference(MntFlags::INTERNAL_FLAGS);
        copy.idmap = idmap;
        mount
    }
}
