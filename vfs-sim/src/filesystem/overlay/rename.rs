//! Renaming (`ovl_rename()` in `fs/overlayfs/dir.c`).

use cofferdam::kernel::RenameFlags;

use super::ListedEntry;
use super::OverlayInode;
use super::state::NameFlags;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::process::Task;
use crate::syscalls::Rename;

/// What a rename is in the upper layer (`struct ovl_renamedata`).
#[derive(Clone, Copy, Debug)]
struct InUpper {
    flags: RenameFlags,
    /// Whether a whiteout that comes to the old place goes.
    cleans_up: bool,
}

const SOURCE_CHANGED: Failure = fail!(
    ESTALE,
    "ovl_rename()",
    "the upper layer was changed behind the overlay: what is to be renamed is not what the overlay knows"
);

const CANT_HIDE_MOVED: Failure = fail!(
    EXDEV,
    "ovl_set_opaque_xerr()",
    "the directory would have to hide what is below, but the upper layer takes no extended attributes"
);

impl Linux {
    /// Renames in an overlay, without the dentries of the overlay itself.
    fn rename_behind(&mut self, task: Id<Task>, rename: &Rename<'_>) -> Result<(), Failure> {
        let Rename { source, target, .. } = *rename;
        let new_directory = rename.new.directory.dentry;
        let exchanged = target.filter(|_| rename.exchanges());
        let replaced = target.filter(|_| !rename.exchanges());
        if !self.can_move_in_overlay(source) {
            return Err(fail!(
                EXDEV,
                "ovl_rename()",
                "the directory to be renamed is in a lower layer, or merged with one"
            ));
        }
        if exchanged.is_some_and(|target| !self.can_move_in_overlay(target)) {
            return Err(fail!(
                EXDEV,
                "ovl_rename()",
                "the directory to exchange with is in a lower layer, or merged with one"
            ));
        }
        let mut whiteouts = Vec::new();
        if let Some(replaced) = replaced
            && self.is_directory(replaced)
            && !self.is_pure_upper(replaced)
        {
            whiteouts = self.whiteouts_of_empty(task, replaced)?;
        }
        let how = self.how_in_upper(task, rename)?;
        self.copy_up(task, source)?;
        self.copy_up(task, new_directory)?;
        if let Some(exchanged) = exchanged {
            self.copy_up(task, exchanged)?;
        }
        let superblock = self.dentries[source].superblock;
        self.want_write_upper(superblock)?;
        self.as_mounter(task, superblock, |linux| linux.rename_upper(task, rename, how, &whiteouts))?;
        if let Some(replaced) = replaced {
            let inode = self.dentries[replaced].inode;
            if self.is_directory(replaced) {
                self.clear_overlay_links(inode);
            } else {
                self.drop_overlay_link(replaced);
            }
        }
        self.note_rename(rename);
        Ok(())
    }

    /// `ovl_can_move_in_overlay()`: what is below has no other name there.
    fn can_move_in_overlay(&self, dentry: Id<Dentry>) -> bool {
        !self.is_directory(dentry)
            || self.overlay_entry(dentry).is_some_and(|state| state.upper.is_some() && !state.is_merged(true))
    }

    /// How the upper layer renames, so that nothing from below comes to light.
    fn how_in_upper(&mut self, task: Id<Task>, rename: &Rename<'_>) -> Result<InUpper, Failure> {
        let mut how = InUpper { flags: RenameFlags::empty(), cleans_up: false };
        if rename.exchanges() {
            how.flags = RenameFlags::RENAME_EXCHANGE;
            return Ok(how);
        }
        let is_over_whiteout = self.is_over_whiteout(rename);
        if self.is_lower_positive(task, rename.source)? {
            how.flags = if is_over_whiteout { RenameFlags::RENAME_EXCHANGE } else { RenameFlags::RENAME_WHITEOUT };
        } else if self.is_directory(rename.source) && is_over_whiteout {
            how.flags = RenameFlags::RENAME_EXCHANGE;
            how.cleans_up = true;
        }
        Ok(how)
    }

    /// Whether there is a whiteout at the new name (`ovl_dentry_is_whiteout()`).
    fn is_over_whiteout(&self, rename: &Rename<'_>) -> bool {
        let missing = self.dentries[rename.new.directory.dentry].missing.get(rename.new.name);
        rename.target.is_none() && missing.is_some_and(|flags| flags.contains(NameFlags::OPAQUE))
    }

    /// `ovl_rename_upper()`
    fn rename_upper(
        &mut self,
        task: Id<Task>,
        rename: &Rename<'_>,
        how: InUpper,
        whiteouts: &[ListedEntry],
    ) -> Result<(), Failure> {
        let Rename { source, target, .. } = *rename;
        let (old_directory, new_directory) = (rename.old.directory.dentry, rename.new.directory.dentry);
        let emptied = match target {
            Some(target) => self.empty_if_needed(task, target, whiteouts)?,
            None => None,
        };
        let has_origin =
            |linux: &Self, dentry: Id<Dentry>| linux.overlay_entry(dentry).is_some_and(OverlayInode::has_origin);
        if !rename.stays_in_directory() {
            if has_origin(self, source) {
                self.set_impure(task, new_directory)?;
            }
            if rename.exchanges() && target.is_some_and(|target| has_origin(self, target)) {
                self.set_impure(task, old_directory)?;
            }
        }
        let old_place = self.upper_directory(old_directory)?;
        let new_place = self.upper_directory(new_directory)?;
        let old = self.find_in_layer(task, old_place, rename.old.name)?.ok_or(SOURCE_CHANGED)?;
        let new = self.find_in_layer(task, new_place, rename.new.name)?;
        let is_inside = self.is_subdirectory(new_place.dentry, old)
            || new.is_some_and(|new| self.is_subdirectory(old_place.dentry, new));
        if is_inside {
            return Err(fail!(
                ESTALE,
                "ovl_rename()",
                "the upper layer was changed behind the overlay: a directory would be moved into itself"
            ));
        }
        if !self.is_upper_of(Some(old), source) {
            return Err(SOURCE_CHANGED);
        }
        if !self.is_expected_target(rename, how, emptied, new) {
            return Err(fail!(
                ESTALE,
                "ovl_rename()",
                "the upper layer was changed behind the overlay: what is at the new name is not what the overlay knows"
            ));
        }
        if new.is_some_and(|new| self.dentries[new].inode == self.dentries[old].inode) {
            return Err(fail!(
                ESTALE,
                "ovl_rename()",
                "the upper layer was changed behind the overlay: both names are of the same file there"
            ));
        }
        self.hide_below(task, source, new_directory, old)?;
        if let (true, Some(target), Some(new)) = (rename.exchanges(), target, new) {
            self.hide_below(task, target, old_directory, new)?;
        }
        self.rename_in_layer(task, (old_place, old), (new_place, rename.new.name, new), how.flags)?;
        if let Some(whiteout) = new.filter(|_| how.cleans_up) {
            self.clean_up_in_layer(task, old_place, whiteout);
        }
        Ok(())
    }

    /// Whether what the upper layer has at the new name is what the overlay knows of it.
    fn is_expected_target(
        &self,
        rename: &Rename<'_>,
        how: InUpper,
        emptied: Option<Id<Dentry>>,
        new: Option<Id<Dentry>>,
    ) -> bool {
        let target = rename.target.filter(|target| self.upper_of(*target).is_some());
        match (target, emptied, new) {
            (Some(_), Some(emptied), new) => new == Some(emptied),
            (Some(target), None, new) => self.is_upper_of(new, target),
            (None, _, None) => !how.flags.contains(RenameFlags::RENAME_EXCHANGE),
            (None, _, Some(new)) => {
                let is_opaque = match rename.target {
                    Some(target) => self.dentries[target].name_flags.contains(NameFlags::OPAQUE),
                    None => self.is_over_whiteout(rename),
                };
                is_opaque && self.is_whiteout(new)
            }
        }
    }

    /// A directory that comes into a merged one hides what is below.
    fn hide_below(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        directory: Id<Dentry>,
        upper: Id<Dentry>,
    ) -> Result<(), Failure> {
        let is_opaque = self.dentries[dentry].name_flags.contains(NameFlags::OPAQUE);
        let is_in_merged = self.overlay_entry(directory).is_some_and(|state| state.is_merged(true));
        if !self.is_directory(dentry) || is_opaque || !is_in_merged {
            return Ok(());
        }
        let superblock = self.dentries[dentry].superblock;
        self.note_if_possible(task, superblock, upper, Err(CANT_HIDE_MOVED), |noted| noted.opaque = true)?;
        self.dentries[dentry].name_flags |= NameFlags::OPAQUE;
        Ok(())
    }

    /// What is known of the directories and of what was renamed is not right any more.
    fn note_rename(&mut self, rename: &Rename<'_>) {
        let has_origin = |dentry: Id<Dentry>| self.overlay_entry(dentry).is_some_and(OverlayInode::has_origin);
        let of_source = has_origin(rename.source);
        let of_target = rename.target.is_some_and(has_origin);
        self.directory_was_modified(rename.old.directory.dentry, of_source || rename.exchanges() && of_target);
        self.directory_was_modified(rename.new.directory.dentry, of_source || of_target);
        self.copy_attributes(self.dentries[rename.source].inode);
        if let Some(target) = rename.target.filter(|target| self.upper_of(*target).is_some()) {
            self.copy_attributes(self.dentries[target].inode);
        }
    }

    /// Renames in an overlay (`ovl_rename()`, and the end of `vfs_rename()`).
    pub(crate) fn rename_in_overlay(&mut self, task: Id<Task>, rename: &Rename<'_>) -> Result<(), Failure> {
        // An emptied directory loses its name on the way.
        if let Some(target) = rename.target {
            self.dentry_get(target);
        }
        let result = self.rename_behind(task, rename);
        if result.is_ok() {
            self.move_in_overlay(rename);
        }
        if let Some(target) = rename.target {
            self.dentry_put(target);
        }
        result
    }

    fn move_in_overlay(&mut self, rename: &Rename<'_>) {
        let directory = rename.new.directory.dentry;
        match rename.target {
            Some(target) if rename.exchanges() => self.exchange_dentries(rename.source, target),
            target => {
                if let Some(target) = target {
                    self.forget_entries(target);
                    self.drop_name(target);
                }
                self.dentries[directory].missing.remove(rename.new.name);
                let destination = self.destination(directory, Name::from(rename.new.name), None);
                self.lift_dentry(rename.source);
                self.put_down_dentry(rename.source, destination);
            }
        }
    }
}
