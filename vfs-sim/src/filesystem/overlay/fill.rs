//! Mounting and unmounting an overlay (`ovl_fill_super()`, `ovl_free_fs()`).

use std::sync::Arc;

use cofferdam::kernel::{Capabilities, MountFlags};
use imbl::{OrdMap, OrdSet};

use super::inode::Behind;
use super::options::{Fsync, Redirect, Uuid};
use super::parameters::Setting;
use super::state::{InodeFlags, NameFlags};
use super::{Config, LowerEntry, Overlay, OverlayParameters};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FsContext, SuperBlock};
use crate::linux::Linux;
use crate::process::{Credentials, Task};

const NO_LOWER_LAYER: Failure = fail!(EINVAL, "ovl_fill_super()", "no lower layer is given (lowerdir)");

impl Linux {
    /// Makes an overlay of a new superblock (`ovl_fill_super()`).
    pub(in crate::filesystem) fn fill_overlay(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        context: &FsContext,
        parameters: &OverlayParameters,
    ) -> Result<(), Failure> {
        if context.user_namespace != self.tasks[task].credentials.user_namespace {
            return Err(fail!(
                EIO,
                "ovl_fill_super()",
                "the process is in another user namespace than who opened the filesystem context"
            ));
        }
        let creator = parameters.creator.clone().unwrap_or_else(|| self.tasks[task].credentials.clone());
        self.user_namespaces[creator.user_namespace].references += 1;
        let overlay = Overlay {
            config: parameters.config.clone(),
            upper: None,
            lower: Vec::new(),
            filesystems: Vec::new(),
            work_base: None,
            work: None,
            upper_is_locked: false,
            work_is_locked: false,
            whiteout: None,
            shares_whiteouts: true,
            creator,
            takes_no_marks: false,
            makes_unnamed: false,
            number_bits: -1,
            depth: 0,
            identity: None,
            last_inode: 1,
            traps: OrdSet::new(),
            inodes: OrdMap::new(),
        };
        self.superblocks[superblock].overlay = Some(Box::new(overlay));
        self.as_mounter(task, superblock, |linux| linux.fill_as_mounter(task, superblock, parameters))
    }

    fn fill_as_mounter(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        parameters: &OverlayParameters,
    ) -> Result<(), Failure> {
        let is_capable = self.capable(task, Capabilities::CAP_SYS_ADMIN);
        let config = verify(parameters, is_capable)?;
        if parameters.lower.is_empty() {
            return Err(NO_LOWER_LAYER);
        }
        refuse_what_is_not_simulated(parameters, &config)?;
        let has_upper = config.upper.is_some();
        self.overlay_mut(superblock)?.config = config;
        if has_upper {
            let (Some(upper), Some(work)) = (parameters.upper, parameters.work) else {
                return Err(fail!(EINVAL, "ovl_fill_super()", "an upperdir is given, but no workdir"));
            };
            self.get_upper_layer(task, superblock, upper)?;
            self.get_work_directory(task, superblock, upper, work)?;
        }
        self.get_lower_layers(task, superblock, parameters)?;
        let names = parameters.lower.iter().map(|(_, name)| name.clone()).collect();
        self.overlay_mut(superblock)?.config.lower = names;
        if self.is_forced_readonly(superblock) {
            self.superblocks[superblock].flags |= MountFlags::MS_RDONLY;
        }
        let overlay = self.overlay_mut(superblock)?;
        if overlay.config.uuid == Uuid::Off && overlay.filesystems.len() > 1 {
            overlay.config.uuid = Uuid::Null;
        }
        if has_upper {
            self.settle_identity(task, superblock)?;
        }
        self.check_overlapping_layers(superblock)?;
        let overlay = self.overlay_mut(superblock)?;
        let mut creator: Credentials = (*overlay.creator).clone();
        creator.effective.remove(Capabilities::CAP_SYS_RESOURCE);
        overlay.creator = Arc::new(creator);
        self.fill_root(task, superblock)
    }

    /// Whether an overlay can't be written to, whatever is asked for (`ovl_force_readonly()`).
    pub(in crate::filesystem) fn is_forced_readonly(&self, superblock: Id<SuperBlock>) -> bool {
        self.overlay(superblock).is_ok_and(|overlay| overlay.upper.is_none() || overlay.work.is_none())
    }

    /// Whether the overlay gets an identity of its own, which it has when it is mounted again (`ovl_init_uuid_xattr()`).
    fn settle_identity(&mut self, task: Id<Task>, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        let overlay = self.overlay(superblock)?;
        let Some(upper) = overlay.upper.filter(|_| overlay.config.has_identity()) else { return Ok(()) };
        let root = self.mounts[upper.mount].root;
        let noted = self.noted(task, superblock, root);
        if noted.uuid.is_some() {
            self.overlay_mut(superblock)?.identity = noted.uuid;
            return Ok(());
        }
        let is_auto = self.overlay(superblock)?.config.uuid == Uuid::Auto;
        let identity = self.superblocks[superblock].serial;
        let is_new = !(is_auto && noted.impure)
            && self.note(task, superblock, root, |noted| noted.uuid = Some(identity)).is_ok();
        let overlay = self.overlay_mut(superblock)?;
        overlay.config.uuid = if is_new { Uuid::On } else { Uuid::Null };
        overlay.identity = is_new.then_some(identity);
        Ok(())
    }

    /// `ovl_get_root()`
    fn fill_root(&mut self, task: Id<Task>, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        let overlay = self.overlay(superblock)?;
        let upper = overlay.upper.map(|layer| self.mounts[layer.mount].root);
        let lower: Vec<_> = (0..)
            .zip(&overlay.lower)
            .map(|(layer, object)| LowerEntry { layer, dentry: self.mounts[object.mount].root })
            .collect();
        let first = *lower.first().ok_or(NO_LOWER_LAYER)?;
        let mut flags = InodeFlags::WHITEOUTS;
        flags.set(InodeFlags::IMPURE, upper.is_some_and(|upper| self.noted(task, superblock, upper).impure));
        let inode = self.new_overlay_inode(superblock, Behind { upper, lower }, flags)?;
        let (real, layer) = match upper {
            Some(upper) => (upper, None),
            None => (first.dentry, Some(first)),
        };
        self.number_overlay_inode(inode, self.dentries[real].inode, layer)?;
        let root = self.superblocks[superblock].root;
        self.replace_inode(root, inode);
        self.dentries[root].name_flags.set(NameFlags::UPPER, upper.is_some());
        Ok(())
    }

    /// Lets go of what an overlay kept, which is gone (`ovl_free_fs()`).
    pub(in crate::filesystem) fn release_overlay(&mut self, overlay: &Overlay) {
        let unlock = |linux: &mut Self, dentry| {
            let inode: Id<_> = linux.dentries[dentry].inode;
            linux.inodes[inode].is_layer = false;
        };
        if let Some(base) = overlay.work_base.filter(|_| overlay.work_is_locked) {
            unlock(self, base);
        }
        if let Some(upper) = overlay.upper.filter(|_| overlay.upper_is_locked) {
            unlock(self, self.mounts[upper.mount].root);
        }
        for dentry in overlay.kept_dentries() {
            self.dentry_put(dentry);
        }
        for mount in overlay.layer_mounts() {
            self.mount_put(mount);
        }
        for device in overlay.devices() {
            self.anonymous_devices.release(device.minor);
        }
        self.user_namespace_put(overlay.creator.user_namespace);
    }
}

/// What of the settings goes together (`ovl_fs_params_verify()`).
fn verify(parameters: &OverlayParameters, is_capable: bool) -> Result<Config, Failure> {
    let mut config = parameters.config.clone();
    let was_given = |setting| parameters.was_given(setting);
    let has_upper = config.upper.is_some();
    let mut index_was_given = was_given(Setting::Index);
    if !has_upper {
        config.work = None;
        if config.index {
            index_was_given = false;
        }
        config.index = false;
        if config.fsync == Fsync::Volatile {
            config.fsync = Fsync::Auto;
        }
        if config.uuid == Uuid::On {
            config.uuid = Uuid::Null;
        }
        if config.redirect == Redirect::Follow {
            config.redirect = Redirect::On;
        }
    }
    if config.metacopy && config.redirect != Redirect::On {
        match (was_given(Setting::Metacopy), was_given(Setting::Redirect)) {
            (true, true) => {
                return Err(fail!(
                    EINVAL,
                    "ovl_fs_params_verify()",
                    "metacopy=on is given with a redirect_dir other than on"
                ));
            }
            (false, true) => config.metacopy = false,
            _ => config.redirect = Redirect::On,
        }
    }
    if config.export && !config.index {
        if !has_upper && config.redirect != Redirect::NoFollow {
            config.export = false;
        } else if was_given(Setting::Export) && index_was_given {
            return Err(fail!(EINVAL, "ovl_fs_params_verify()", "nfs_export=on is given with index=off"));
        } else if index_was_given {
            config.export = false;
        } else {
            config.index = true;
        }
    }
    if config.export && config.metacopy {
        return Err(fail!(EINVAL, "ovl_fs_params_verify()", "nfs_export=on is given with metacopy=on"));
    }
    let asks_to_follow = was_given(Setting::Redirect) && config.redirect != Redirect::NoFollow;
    let asks_for_metacopy = config.metacopy && was_given(Setting::Metacopy);
    if config.uses_user_marks {
        if asks_to_follow {
            return Err(fail!(
                EINVAL,
                "ovl_fs_params_verify()",
                "userxattr is given with a redirect_dir that follows redirects"
            ));
        }
        if asks_for_metacopy {
            return Err(fail!(EINVAL, "ovl_fs_params_verify()", "userxattr is given with metacopy=on"));
        }
        config.redirect = Redirect::NoFollow;
        config.metacopy = false;
    } else if !is_capable {
        let privileged = [
            (
                asks_to_follow,
                fail!(
                    EPERM,
                    "ovl_fs_params_verify()",
                    "redirect_dir needs trusted extended attributes, and the process has no CAP_SYS_ADMIN"
                ),
            ),
            (
                asks_for_metacopy,
                fail!(
                    EPERM,
                    "ovl_fs_params_verify()",
                    "metacopy needs trusted extended attributes, and the process has no CAP_SYS_ADMIN"
                ),
            ),
            (
                config.verity,
                fail!(
                    EPERM,
                    "ovl_fs_params_verify()",
                    "verity needs trusted extended attributes, and the process has no CAP_SYS_ADMIN"
                ),
            ),
            (
                parameters.data_only > 0,
                fail!(
                    EPERM,
                    "ovl_fs_params_verify()",
                    "layers for data only need trusted extended attributes, and the process has no CAP_SYS_ADMIN"
                ),
            ),
        ];
        refuse_first(privileged)?;
    }
    Ok(config)
}

/// Fails by the first rule that is met.
fn refuse_first<const N: usize>(rules: [(bool, Failure); N]) -> Result<(), Failure> {
    rules.into_iter().find(|(is_met, _)| *is_met).map_or(Ok(()), |(_, failure)| Err(failure))
}

/// Settings that need more of the layers than is simulated.
fn refuse_what_is_not_simulated(parameters: &OverlayParameters, config: &Config) -> Result<(), Failure> {
    let moves_directories = config.upper.is_some() && config.redirect == Redirect::On;
    refuse_first([
        (config.index, fail!(EINVAL, "ovl_fill_super()", "overlays with index=on are not simulated")),
        (config.export, fail!(EINVAL, "ovl_fill_super()", "overlays with nfs_export=on are not simulated")),
        (config.metacopy, fail!(EINVAL, "ovl_fill_super()", "overlays with metacopy=on are not simulated")),
        (config.verity, fail!(EINVAL, "ovl_fill_super()", "overlays with verity are not simulated")),
        (
            moves_directories,
            fail!(EINVAL, "ovl_fill_super()", "overlays with an upper layer and redirect_dir=on are not simulated"),
        ),
        (
            parameters.data_only > 0,
            fail!(EINVAL, "ovl_fill_super()", "overlays with lower layers for data only are not simulated"),
        ),
    ])
}
