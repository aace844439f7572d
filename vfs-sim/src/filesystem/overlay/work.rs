//! The directory for work of an overlay (`ovl_make_workdir()` and what it needs, in `fs/overlayfs/super.c`).

use std::sync::Arc;

use cofferdam::kernel::{Errno, RenameFlags};

use super::options::{Fsync, Redirect, Uuid, Xino};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, InodeKind, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::syscalls::Attributes;

/// What is in a directory for work: the one that is used.
const WORK: &[u8] = b"work";

impl Linux {
    /// `ovl_get_workdir()`
    pub(super) fn get_work_directory(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        upper: Path,
        work: Path,
    ) -> Result<(), Failure> {
        if upper.mount != work.mount {
            return Err(fail!(EINVAL, "ovl_get_workdir()", "workdir and upperdir are not on the same mount"));
        }
        if self.is_subdirectory(work.dentry, upper.dentry) || self.is_subdirectory(upper.dentry, work.dentry) {
            return Err(fail!(
                EINVAL,
                "ovl_get_workdir()",
                "workdir and upperdir are the same, or one is inside of the other"
            ));
        }
        self.dentry_get(work.dentry);
        self.overlay_mut(superblock)?.work_base = Some(work.dentry);
        let is_locked = self.try_lock_layer(work.dentry);
        self.overlay_mut(superblock)?.work_is_locked = is_locked;
        self.set_trap(superblock, work.dentry)?;
        self.make_work_directory(task, superblock, work)
    }

    /// `ovl_make_workdir()`
    fn make_work_directory(&mut self, task: Id<Task>, superblock: Id<SuperBlock>, base: Path) -> Result<(), Failure> {
        self.want_write_upper(superblock)?;
        let place = self.in_upper(superblock, base.dentry)?;
        let Some(work) = self.create_work_directory(task, place)? else { return Ok(()) };
        self.dentry_get(work);
        self.overlay_mut(superblock)?.work = Some(work);
        self.set_trap(superblock, work)?;
        self.read_layer(task, base)?;
        let work = Path { mount: place.mount, dentry: work };
        let unnamed = self.make_unnamed_in_layer(task, work, 0);
        self.overlay_mut(superblock)?.makes_unnamed = unnamed.is_ok();
        if let Ok(unnamed) = unnamed {
            self.dentry_put(unnamed);
        }
        self.check_rename_whiteout(task, work)?;
        match self.note(task, superblock, work.dentry, |noted| noted.opaque = true) {
            Ok(()) => self.note(task, superblock, work.dentry, |noted| noted.opaque = false)?,
            Err(_) => self.do_without_marks(superblock)?,
        }
        if self.overlay(superblock)?.config.fsync == Fsync::Volatile {
            self.mark_volatile(task, place)?;
        }
        let filesystem = self.dentries[work.dentry].superblock;
        let _ = self.can_find_by_number(task, filesystem);
        self.overlay_mut(superblock)?.number_bits = -1;
        Ok(())
    }

    /// What an overlay can't do if the upper layer takes no notes.
    fn do_without_marks(&mut self, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        let overlay = self.overlay_mut(superblock)?;
        overlay.takes_no_marks = true;
        overlay.config.redirect = Redirect::NoFollow;
        if overlay.config.has_identity() {
            overlay.config.uuid = Uuid::Null;
        }
        if overlay.config.xino == Xino::Auto {
            overlay.config.xino = Xino::Off;
        }
        Ok(())
    }

    /// An empty directory with the name `work`, whatever was there; none if that can't be, for which the overlay becomes
    /// read-only (`ovl_workdir_create()`).
    fn create_work_directory(&mut self, task: Id<Task>, base: Path) -> Result<Option<Id<Dentry>>, Failure> {
        let mut was_tried = false;
        loop {
            let Ok(found) = self.find_in_layer(task, base, WORK) else { return Ok(None) };
            let Some(found) = found else { break };
            if std::mem::replace(&mut was_tried, true) {
                return Ok(None);
            }
            match self.clean_up_work(task, base, found, 0) {
                Err(failure) if failure.is(Errno::EINVAL) => return Err(failure),
                _ => {}
            }
        }
        let Ok(work) = self.make_in_layer(task, base, WORK, InodeKind::Directory, 0) else { return Ok(None) };
        let place = Path { mount: base.mount, dentry: work };
        let attributes = Attributes { mode: Some(0), ..Attributes::default() };
        Ok(self.change_attributes(task, place, attributes).is_ok().then_some(work))
    }

    /// Removes what an overlay left behind, a few levels deep (`ovl_workdir_cleanup()`).
    fn clean_up_work(&mut self, task: Id<Task>, parent: Path, dentry: Id<Dentry>, level: u32) -> Result<(), Failure> {
        if !self.is_directory(dentry) || level > 1 {
            self.clean_up_in_layer(task, parent, dentry);
            return Ok(());
        }
        if self.remove_in_layer(task, parent, dentry).is_ok() {
            return Ok(());
        }
        let place = Path { mount: parent.mount, dentry };
        let level = level + 1;
        let is_incompatible = level == 2 && self.dentries[dentry].name.as_bytes() == b"incompat";
        for entry in self.read_layer(task, place)? {
            if matches!(entry.name(), b"." | b"..") {
                continue;
            }
            if is_incompatible {
                return Err(fail!(
                    EINVAL,
                    "ovl_workdir_cleanup_recurse()",
                    "workdir has work/incompat of an overlay that was mounted with volatile, and may be damaged"
                ));
            }
            if let Ok(Some(found)) = self.find_in_layer(task, place, entry.name()) {
                self.clean_up_work(task, place, found, level)?;
            }
        }
        self.clean_up_in_layer(task, parent, dentry);
        Ok(())
    }

    /// Tries whether the upper layer can rename and leave a whiteout (`ovl_check_rename_whiteout()`). It leaves no traces
    /// but that it must be possible to make a file.
    fn check_rename_whiteout(&mut self, task: Id<Task>, work: Path) -> Result<(), Failure> {
        let (old, new) = (self.temporary_name(), self.temporary_name());
        let made = self.make_in_layer(task, work, old.as_bytes(), InodeKind::Regular(Arc::default()), 0)?;
        let flags = RenameFlags::RENAME_WHITEOUT;
        let result = self.rename_in_layer(task, (work, made), (work, new.as_bytes(), None), flags);
        if result.is_ok()
            && let Ok(Some(whiteout)) = self.find_in_layer(task, work, old.as_bytes())
        {
            self.clean_up_in_layer(task, work, whiteout);
        }
        self.clean_up_in_layer(task, work, made);
        match result {
            Err(failure) if failure.is(Errno::EINVAL) => Ok(()),
            result => result,
        }
    }

    /// Leaves a trace that what is here may not be on disk (`ovl_create_volatile_dirty()`).
    fn mark_volatile(&mut self, task: Id<Task>, base: Path) -> Result<(), Failure> {
        let mut place = base;
        for name in [WORK, b"incompat", b"volatile", b"dirty"] {
            let kind = if name == b"dirty" { InodeKind::Regular(Arc::default()) } else { InodeKind::Directory };
            place.dentry = match self.find_in_layer(task, place, name)? {
                Some(found) => found,
                None => self.make_in_layer(task, place, name, kind, 0)?,
            };
        }
        Ok(())
    }
}
