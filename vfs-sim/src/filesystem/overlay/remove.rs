//! Removing things, which leaves whiteouts where there is something below (`fs/overlayfs/dir.c`).

use cofferdam::kernel::RenameFlags;

use super::ListedEntry;
use super::lookup::DIRECTORY_REMOVED;
use super::marks::CANT_HIDE;
use super::real::{GONE_FROM_WORK, WHITEOUT};
use super::state::{InodeFlags, NameFlags};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, InodeKind, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;

const UPPER_CHANGED: Failure = fail!(
    ESTALE,
    "ovl_remove_upper()",
    "the upper layer was changed behind the overlay: what is to be removed is not what the overlay knows"
);

impl Linux {
    /// Removes an entry of a directory of an overlay (`ovl_do_remove()`). Its name is gone then.
    pub(crate) fn remove_in_overlay(&mut self, task: Id<Task>, dentry: Id<Dentry>) -> Result<(), Failure> {
        let is_directory = self.is_directory(dentry);
        let hides_something = self.is_lower_positive(task, dentry)?;
        let mut whiteouts = Vec::new();
        if is_directory && (hides_something || !self.is_pure_upper(dentry)) {
            whiteouts = self.whiteouts_of_empty(task, dentry)?;
        }
        let superblock = self.dentries[dentry].superblock;
        self.copy_up(task, self.dentries[dentry].parent)?;
        self.want_write_upper(superblock)?;
        self.as_mounter(task, superblock, |linux| {
            if hides_something {
                linux.remove_and_whiteout(task, dentry, &whiteouts)
            } else {
                linux.remove_upper(task, dentry, &whiteouts)
            }
        })?;
        let inode = self.dentries[dentry].inode;
        if is_directory {
            self.forget_entries(dentry);
            self.clear_overlay_links(inode);
        } else {
            self.drop_overlay_link(dentry);
        }
        if self.upper_of(dentry).is_some() {
            self.copy_attributes(inode);
        }
        Ok(())
    }

    /// Whether something never was in another layer than the upper one (`ovl_pure_upper()`).
    pub(super) fn is_pure_upper(&self, dentry: Id<Dentry>) -> bool {
        self.overlay_entry(dentry)
            .is_some_and(|state| state.lower.is_empty() && !state.flags.contains(InodeFlags::WHITEOUTS))
    }

    /// Whether an entry of the upper layer is what stands behind a dentry (`ovl_matches_upper()`).
    pub(super) fn is_upper_of(&self, found: Option<Id<Dentry>>, dentry: Id<Dentry>) -> bool {
        let inode_of = |dentry: Id<Dentry>| self.dentries[dentry].inode;
        self.upper_of(dentry).map(inode_of) == found.map(inode_of)
    }

    /// `ovl_remove_upper()`
    fn remove_upper(&mut self, task: Id<Task>, dentry: Id<Dentry>, whiteouts: &[ListedEntry]) -> Result<(), Failure> {
        let emptied = self.empty_if_needed(task, dentry, whiteouts)?;
        let (directory, name) = (self.dentries[dentry].parent, self.dentries[dentry].name.clone());
        let place = self.upper_directory(directory)?;
        let found = self.find_in_layer(task, place, name.as_bytes())?.ok_or(UPPER_CHANGED)?;
        let is_it = emptied.map_or_else(|| self.is_upper_of(Some(found), dentry), |emptied| emptied == found);
        if !is_it {
            return Err(UPPER_CHANGED);
        }
        let had_origin = self.overlay_entry(dentry).is_some_and(super::OverlayInode::has_origin);
        let result = self.remove_in_layer(task, place, found);
        self.directory_was_modified(directory, had_origin);
        result
    }

    /// `ovl_remove_and_whiteout()`
    fn remove_and_whiteout(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        whiteouts: &[ListedEntry],
    ) -> Result<(), Failure> {
        let superblock = self.dentries[dentry].superblock;
        self.work_directory(superblock)?;
        let emptied = self.empty_if_needed(task, dentry, whiteouts)?;
        let (directory, name) = (self.dentries[dentry].parent, self.dentries[dentry].name.clone());
        let place = self.upper_directory(directory)?;
        if self.is_dead(place.dentry) {
            return Err(DIRECTORY_REMOVED);
        }
        let found = self.find_in_layer(task, place, name.as_bytes())?;
        let is_it = match emptied {
            Some(emptied) => found == Some(emptied),
            None => self.upper_of(dentry).is_none() || self.is_upper_of(found, dentry),
        };
        if !is_it {
            return Err(fail!(
                ESTALE,
                "ovl_remove_and_whiteout()",
                "the upper layer was changed behind the overlay: what is to be removed is not what the overlay knows"
            ));
        }
        let result = self.put_whiteout(task, superblock, (place, name.as_bytes(), found));
        if result.is_ok() {
            self.directory_was_modified(directory, true);
        } else {
            self.unhash(dentry);
        }
        result
    }

    /// Puts a whiteout under a name, in the place of what has it (`ovl_cleanup_and_whiteout()`).
    fn put_whiteout(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        (place, name, found): (Path, &[u8], Option<Id<Dentry>>),
    ) -> Result<(), Failure> {
        let work = self.work_directory(superblock)?;
        let whiteout = self.new_whiteout(task, superblock, work)?;
        let is_directory = found.is_some_and(|found| self.is_directory(found));
        let flags = if is_directory { RenameFlags::RENAME_EXCHANGE } else { RenameFlags::empty() };
        let result = self.rename_from_work(task, (work, whiteout), (place, name, found), flags);
        if result.is_err() {
            self.clean_up_in_layer(task, work, whiteout);
        } else if let Some(found) = found.filter(|_| is_directory) {
            self.clean_up_in_layer(task, work, found);
        }
        result
    }

    /// A whiteout in the directory for work: a link of one that stays there (`ovl_whiteout()`).
    fn new_whiteout(&mut self, task: Id<Task>, superblock: Id<SuperBlock>, work: Path) -> Result<Id<Dentry>, Failure> {
        let shared = if let Some(shared) = self.overlay(superblock)?.whiteout {
            shared
        } else {
            let name = self.temporary_name();
            let kind = InodeKind::CharacterDevice(WHITEOUT);
            let made = self.make_in_layer(task, work, name.as_bytes(), kind, 0)?;
            self.dentry_get(made);
            self.overlay_mut(superblock)?.whiteout = Some(made);
            made
        };
        if self.overlay(superblock)?.shares_whiteouts {
            let name = self.temporary_name();
            let inode = self.dentries[shared].inode;
            // A file that has no name any more gets none again.
            if self.inodes[inode].links > 0
                && let Ok(link) = self.link_in_layer(task, inode, work, name.as_bytes())
            {
                return Ok(link);
            }
            self.overlay_mut(superblock)?.shares_whiteouts = false;
        }
        // It is used itself.
        self.overlay_mut(superblock)?.whiteout = None;
        let is_there = self.dentries[shared].is_hashed && self.dentries[shared].parent == work.dentry;
        self.dentry_put(shared);
        if is_there { Ok(shared) } else { Err(GONE_FROM_WORK) }
    }

    /// Puts an empty directory in the place of one that has nothing but whiteouts; gives it.
    pub(super) fn empty_if_needed(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        whiteouts: &[ListedEntry],
    ) -> Result<Option<Id<Dentry>>, Failure> {
        if whiteouts.is_empty() { Ok(None) } else { self.clear_empty(task, dentry, whiteouts).map(Some) }
    }

    /// `ovl_clear_empty()`
    fn clear_empty(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        whiteouts: &[ListedEntry],
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[dentry].superblock;
        let work = self.work_directory(superblock)?;
        let upper = self.upper_directory(dentry)?;
        let directory = self.upper_directory(self.dentries[dentry].parent)?;
        let permissions = self.inodes[self.dentries[upper.dentry].inode].mode;
        let name = self.temporary_name();
        let made = self.make_in_layer(task, work, name.as_bytes(), InodeKind::Directory, permissions)?;
        let place = Path { mount: work.mount, dentry: made };
        let result = self
            .copy_marks(task, superblock, upper.dentry, made)
            .and_then(|()| self.note_if_possible(task, superblock, made, Err(CANT_HIDE), |noted| noted.opaque = true))
            .and_then(|()| self.copy_owner_and_mode(task, upper, place))
            .and_then(|()| {
                let upper_name = self.dentries[upper.dentry].name.clone();
                let target = (directory, upper_name.as_bytes(), Some(upper.dentry));
                self.rename_from_work(task, (work, made), target, RenameFlags::RENAME_EXCHANGE)
            });
        if let Err(failure) = result {
            self.clean_up_in_layer(task, work, made);
            return Err(failure);
        }
        self.dentries[dentry].name_flags |= NameFlags::OPAQUE;
        for entry in whiteouts {
            if let Ok(Some(found)) = self.find_in_layer(task, upper, entry.name()) {
                self.clean_up_in_layer(task, upper, found);
            }
        }
        self.clean_up_in_layer(task, work, upper.dentry);
        self.unhash(dentry);
        Ok(made)
    }
}
