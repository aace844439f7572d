//! Looking names up in the layers (`fs/overlayfs/namei.c`).

use cofferdam::kernel::Errno;

use super::LowerEntry;
use super::inode::Behind;
use super::marks::{Noted, Origin};
use super::options::Redirect;
use super::state::{InodeFlags, NameFlags, UPPER};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Inode, Name, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;

/// The longest name (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// Nothing is looked up in a directory that was removed.
pub(super) const DIRECTORY_REMOVED: Failure =
    fail!(ENOENT, "__lookup_slow()", "the directory that the name is looked up in was removed");

/// What was found so far (`struct ovl_lookup_data`).
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no facts as the kernel keeps")]
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    is_directory: bool,
    /// What is further down is hidden.
    is_opaque: bool,
    /// Nothing further down belongs to it.
    stops: bool,
    /// There is no layer further down.
    is_last: bool,
}

impl Linux {
    /// Finds a name in a directory of an overlay; nothing if the directory is of none (`ovl_lookup()`).
    pub(crate) fn find_in_overlay(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Option<Result<Option<Id<Dentry>>, Failure>> {
        self.overlay_entry(directory)?;
        if let Some(known) = self.child(directory, name) {
            return Some(Ok(Some(known)));
        }
        if self.dentries[directory].missing.contains_key(name) {
            return Some(Ok(None));
        }
        if self.is_dead(directory) {
            return Some(Err(DIRECTORY_REMOVED));
        }
        Some(self.look_up_in_layers(task, directory, name))
    }

    /// Whether an overlay knows that there is no such name (a negative dentry).
    pub(crate) fn is_known_missing(&self, directory: Id<Dentry>, name: &[u8]) -> bool {
        self.dentries[directory].missing.contains_key(name)
    }

    fn look_up_in_layers(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Result<Option<Id<Dentry>>, Failure> {
        if name.len() > MAX_NAME {
            return Err(fail!(
                ENAMETOOLONG,
                "ovl_lookup()",
                "a name is longer than the 255 bytes that the layers of the overlay permit"
            ));
        }
        let superblock = self.dentries[directory].superblock;
        let (inode, flags) =
            self.as_mounter(task, superblock, |linux| linux.find_behind(task, superblock, directory, name))?;
        let Some(inode) = inode else {
            self.dentries[directory].missing.insert(Name::from(name), flags);
            return Ok(None);
        };
        let dentry = match self.alias_of_directory(inode) {
            Some(alias) => self.splice_alias(alias, directory, name)?,
            None => self.new_dentry(directory, Name::from(name), inode),
        };
        self.dentries[dentry].name_flags = flags;
        Ok(Some(dentry))
    }

    /// The name that a directory has already, or had (`__d_find_any_alias()`).
    fn alias_of_directory(&self, inode: Id<Inode>) -> Option<Id<Dentry>> {
        if !self.inodes[inode].is_directory() || self.inodes[inode].dentries == 0 {
            return None;
        }
        self.dentries.iter().find(|(_, dentry)| dentry.inode == inode).map(|(id, _)| id)
    }

    /// A directory that is found under another name, as somebody has renamed it in a layer, moves; one that had lost its
    /// name has one again (`d_splice_alias()`).
    fn splice_alias(&mut self, alias: Id<Dentry>, directory: Id<Dentry>, name: &[u8]) -> Result<Id<Dentry>, Failure> {
        if self.is_subdirectory(directory, alias) {
            return Err(fail!(
                ELOOP,
                "d_splice_alias()",
                "the layers were changed behind the overlay: a directory is found inside of itself"
            ));
        }
        let destination = self.destination(directory, Name::from(name), None);
        let Dentry { parent, is_hashed, .. } = self.dentries[alias];
        if is_hashed {
            self.lift_dentry(alias);
        }
        self.put_down_dentry(alias, destination);
        if !is_hashed {
            // The reference that `unhash` took.
            self.dentry_put(parent);
        }
        Ok(alias)
    }

    /// What the layers have (`ovl_lookup_layers()`): an inode, or nothing, and what is known of the name.
    fn find_behind(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Result<(Option<Id<Inode>>, NameFlags), Failure> {
        let parent = self.behind(directory)?.clone();
        let overlay = self.overlay(superblock)?;
        let follows = overlay.config.redirect != Redirect::NoFollow;
        let (layers, takes_no_marks) = (overlay.lower.len(), overlay.takes_no_marks);
        let mut progress = Progress { is_last: !follows && parent.lower.is_empty(), ..Progress::default() };
        let mut behind = Behind::default();
        let mut flags = NameFlags::default();
        let mut origin = None;
        if let Some(upper) = parent.upper {
            let place = self.in_upper(superblock, upper)?;
            behind.upper = self.find_in_one_layer(task, superblock, place, name, &mut progress)?;
            if let Some(upper) = behind.upper.filter(|_| !progress.is_directory) {
                origin = self.check_origin(task, superblock, upper);
            }
            flags.set(NameFlags::OPAQUE, progress.is_opaque);
        }
        for (position, entry) in parent.lower.iter().enumerate() {
            if progress.stops {
                break;
            }
            progress.is_last = if follows { entry.layer + 1 == layers } else { position + 1 == parent.lower.len() };
            let place = self.place_below(superblock, *entry)?;
            let Some(found) = self.find_in_one_layer(task, superblock, place, name, &mut progress)? else { continue };
            if let Some(upper) = behind.upper
                && behind.lower.is_empty()
                && !takes_no_marks
                && progress.is_directory
            {
                self.fix_origin(task, superblock, directory, found, upper)?;
            }
            behind.lower.push(LowerEntry { layer: entry.layer, dentry: found });
        }
        if let Some(origin) = origin
            && behind.lower.is_empty()
        {
            behind.lower.push(origin);
        }
        flags.set(NameFlags::UPPER, behind.upper.is_some());
        if behind.upper.is_none() && behind.lower.is_empty() {
            return Ok((None, flags));
        }
        Ok((Some(self.get_overlay_inode(task, superblock, behind)?), flags))
    }

    /// What one layer has (`ovl_lookup_single()`).
    fn find_in_one_layer(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        place: Path,
        name: &[u8],
        progress: &mut Progress,
    ) -> Result<Option<Id<Dentry>>, Failure> {
        let Some(found) = self.find_in_layer(task, place, name)? else { return Ok(None) };
        if self.is_whiteout(found) {
            progress.stops = true;
            progress.is_opaque = true;
            return Ok(None);
        }
        if !self.is_directory(found) {
            let is_hidden = progress.is_directory;
            progress.stops = true;
            return Ok((!is_hidden).then_some(found));
        }
        if self.is_trap(superblock, found) {
            return Err(fail!(
                ELOOP,
                "ovl_lookup_single()",
                "the directory that is found in a layer is the root of a layer, or the directory for work"
            ));
        }
        progress.is_directory = true;
        if !progress.is_last && self.noted(task, superblock, found).opaque {
            progress.stops = true;
            progress.is_opaque = true;
        } else if !progress.is_last {
            self.may_read_marks(task, superblock, Path { mount: place.mount, dentry: found })?;
        }
        Ok(Some(found))
    }

    /// What a file of the upper layer was below, before it was copied up, if that is still there (`ovl_check_origin()`).
    fn check_origin(&self, task: Id<Task>, superblock: Id<SuperBlock>, upper: Id<Dentry>) -> Option<LowerEntry> {
        let origin = self.noted(task, superblock, upper).origin?;
        let overlay = self.overlay(superblock).ok()?;
        let (layer, dentry) = overlay.lower.iter().enumerate().find_map(|(position, layer)| {
            let is_ambiguous = layer.filesystem != UPPER
                && overlay.filesystems.get(layer.filesystem).is_some_and(|filesystem| filesystem.is_ambiguous);
            if is_ambiguous {
                return None;
            }
            let found = self.find_origin(task, superblock, origin, self.mounts[layer.mount].superblock)?;
            Some((position, found))
        })?;
        let kind_of = |dentry: Id<Dentry>| self.inodes[self.dentries[dentry].inode].file_type();
        (kind_of(dentry) == kind_of(upper)).then_some(LowerEntry { layer, dentry })
    }

    /// Notes where a directory of the upper layer comes from, if that was not done (`ovl_fix_origin()`).
    fn fix_origin(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        directory: Id<Dentry>,
        lower: Id<Dentry>,
        upper: Id<Dentry>,
    ) -> Result<(), Failure> {
        if self.noted(task, superblock, upper).origin.is_some() {
            return Ok(());
        }
        let origin = self.origin_of(task, superblock, lower);
        self.want_write_upper(superblock)?;
        self.set_origin(task, superblock, upper, origin)?;
        self.set_impure(task, directory)
    }

    /// `ovl_set_origin_fh()`
    pub(super) fn set_origin(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        upper: Id<Dentry>,
        origin: Origin,
    ) -> Result<(), Failure> {
        let note = |noted: &mut Noted| noted.origin = Some(origin);
        match self.note_if_possible(task, superblock, upper, Ok(()), note) {
            Err(failure) if failure.is(Errno::EPERM) => Ok(()),
            result => result,
        }
    }

    /// Notes that a directory of the upper layer has entries that come from below (`ovl_set_impure()`).
    pub(super) fn set_impure(&mut self, task: Id<Task>, directory: Id<Dentry>) -> Result<(), Failure> {
        let state = self.behind(directory)?;
        let Some(upper) = state.upper.filter(|_| !state.flags.contains(InodeFlags::IMPURE)) else { return Ok(()) };
        let superblock = self.dentries[directory].superblock;
        self.note_if_possible(task, superblock, upper, Ok(()), |noted| noted.impure = true)?;
        let inode = self.dentries[directory].inode;
        if let Some(state) = self.overlay_inode_mut(inode) {
            state.flags |= InodeFlags::IMPURE;
        }
        Ok(())
    }

    /// Whether there is something below that a whiteout would have to hide (`ovl_lower_positive()`).
    pub(super) fn is_lower_positive(&mut self, task: Id<Task>, dentry: Id<Dentry>) -> Result<bool, Failure> {
        if self.upper_of(dentry).is_none() {
            return Ok(true);
        }
        let (directory, name) = (self.dentries[dentry].parent, self.dentries[dentry].name.clone());
        let superblock = self.dentries[dentry].superblock;
        let parent = self.behind(directory)?.clone();
        self.as_mounter(task, superblock, |linux| {
            for entry in &parent.lower {
                let place = linux.place_below(superblock, *entry)?;
                match linux.find_in_layer(task, place, name.as_bytes()) {
                    Ok(None) => {}
                    Ok(Some(found)) => return Ok(!linux.is_whiteout(found)),
                    Err(_) => return Ok(true),
                }
            }
            Ok(false)
        })
    }

    /// Forgets the names below a directory that nothing uses (`shrink_dcache_parent()`).
    pub(in crate::filesystem) fn forget_entries(&mut self, directory: Id<Dentry>) {
        self.dentries[directory].missing.clear();
        let entries: Vec<_> = self.dentries[directory].children.values().copied().collect();
        for entry in entries {
            self.forget_entries(entry);
            let object = &self.dentries[entry];
            if object.pins == 0 && object.children.is_empty() {
                self.unhash(entry);
            }
        }
    }
}
