//! Open directories of an overlay (`fs/overlayfs/readdir.c`).

use cofferdam::kernel::Whence;
use serde::{Deserialize, Serialize};

use super::OverlayInode;
use super::list::{ListedEntry, REMOVED_FROM_LAYER};
use super::state::{InodeFlags, List, NOTHING_BEHIND};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::{OpenFile, OpenFileKind, Task};

/// How far an open directory was read (`struct ovl_dir_file`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OverlayReader {
    /// Whether the directory of one layer is read as it is.
    is_real: bool,
    is_upper: bool,
    /// The directory of the layer that was the topmost when it was opened.
    real: Id<Dentry>,
    /// The directory of an overlay whose list is read: another one if that is a layer of this.
    listed: Id<Dentry>,
    list: Option<Id<List>>,
    cursor: usize,
}

/// Where the entries of an open directory of an overlay are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// A directory of a layer.
    Layer(Id<Dentry>),
    /// The list of what was merged.
    List,
}

impl Linux {
    pub(super) fn new_reader(&self, directory: Id<Dentry>, real: Id<Dentry>) -> Result<OverlayReader, Failure> {
        let state = self.behind(directory)?;
        let is_upper = state.upper.is_some();
        let is_merged = |directory: Id<Dentry>| {
            self.overlay_entry(directory).map(|state| state.flags.contains(InodeFlags::WHITEOUTS))
        };
        let (mut listed, mut real) = (directory, real);
        while is_merged(listed) == Some(false) && is_merged(real).is_some() {
            listed = real;
            real = self.overlay_entry(listed).and_then(OverlayInode::real).ok_or(NOTHING_BEHIND)?;
        }
        let is_real = is_merged(listed) == Some(false);
        Ok(OverlayReader { is_real, is_upper, real, listed, list: None, cursor: 0 })
    }

    fn reader(&self, file: Id<OpenFile>) -> Option<&OverlayReader> {
        match &self.files[file].kind {
            OpenFileKind::Overlay(reader) => Some(reader),
            _ => None,
        }
    }

    fn reader_mut(&mut self, file: Id<OpenFile>) -> Option<&mut OverlayReader> {
        match &mut self.files[file].kind {
            OpenFileKind::Overlay(reader) => Some(reader),
            _ => None,
        }
    }

    /// The directory that an open one is read from: of an overlay it may be that of a layer.
    pub(crate) fn directory_to_read(&self, file: Id<OpenFile>) -> Id<Dentry> {
        match self.reader(file) {
            Some(reader) if reader.is_real => reader.real,
            _ => self.files[file].path.dentry,
        }
    }

    /// Readies an open directory of an overlay to be read on (`ovl_iterate()`); nothing if it is of none.
    pub(crate) fn start_reading(&mut self, task: Id<Task>, file: Id<OpenFile>) -> Option<Result<ReadFrom, Failure>> {
        self.reader(file)?;
        if self.files[file].position == 0 {
            self.reset_reader(file);
        }
        let reader = self.reader(file)?;
        if !reader.is_real {
            return Some(self.get_list(task, file).map(|()| ReadFrom::List));
        }
        let real = reader.real;
        if let Err(failure) = self.look_up_moved(task, file) {
            return Some(Err(failure));
        }
        Some(if self.is_dead(real) { Err(REMOVED_FROM_LAYER) } else { Ok(ReadFrom::Layer(real)) })
    }

    /// Where the directory of a layer was read that is an overlay itself, the directory proper is read once it is merged.
    fn read_what_is_merged_now(&mut self, file: Id<OpenFile>) {
        let directory = self.files[file].path.dentry;
        let is_merged = self.overlay_entry(directory).is_some_and(|state| state.flags.contains(InodeFlags::WHITEOUTS));
        let Some(reader) = self.reader_mut(file).filter(|reader| is_merged && reader.listed != directory) else {
            return;
        };
        let listed = std::mem::replace(&mut reader.listed, directory);
        reader.is_real = false;
        if let Some(list) = reader.list.take() {
            self.put_list(listed, list);
        }
    }

    /// What was read before is of no use any more if the directory was changed (`ovl_dir_reset()`).
    fn reset_reader(&mut self, file: Id<OpenFile>) {
        self.read_what_is_merged_now(file);
        let Some(reader) = self.reader(file) else { return };
        let Some(state) = self.overlay_entry(reader.listed) else { return };
        let is_old = reader.list.is_some_and(|list| self.overlay_lists[list].version != state.version);
        let (listed, list) = (reader.listed, reader.list);
        let has_whiteouts = state.flags.contains(InodeFlags::WHITEOUTS);
        let Some(reader) = self.reader_mut(file) else { return };
        reader.is_real &= !has_whiteouts;
        if let Some(list) = list.filter(|_| is_old) {
            reader.list = None;
            self.put_list(listed, list);
        }
    }

    /// Ends a reader whose file was closed.
    pub(super) fn end_reader(&mut self, file: Id<OpenFile>, reader: &OverlayReader) {
        if let Some(list) = reader.list {
            self.put_list(reader.listed, list);
        }
        if self.dentries[reader.real].cursors.contains_key(&file) {
            self.dentries[reader.real].cursors.remove(&file);
        }
    }

    /// The list for a reader that has none (`ovl_cache_get()`).
    fn get_list(&mut self, task: Id<Task>, file: Id<OpenFile>) -> Result<(), Failure> {
        let Some(reader) = self.reader(file).filter(|reader| reader.list.is_none()) else { return Ok(()) };
        let directory = reader.listed;
        let position = self.files[file].position;
        let list = self.take_list(task, directory)?;
        let length = self.overlay_lists[list].entries.len();
        if let Some(reader) = self.reader_mut(file) {
            reader.cursor = usize::try_from(position).unwrap_or(usize::MAX).min(length);
            reader.list = Some(list);
        }
        Ok(())
    }

    /// The next entry that a reader of a list has not seen, and that is one (`ovl_iterate_merged()`).
    pub(crate) fn next_listed(&mut self, task: Id<Task>, file: Id<OpenFile>) -> Result<Option<ListedEntry>, Failure> {
        let path = self.files[file].path;
        let Some(listed) = self.reader(file).map(|reader| reader.listed) else { return Ok(None) };
        let path = Path { mount: path.mount, dentry: listed };
        loop {
            let Some(reader) = self.reader(file) else { return Ok(None) };
            let (Some(list), cursor) = (reader.list, reader.cursor) else { return Ok(None) };
            self.check_listed(task, path, list, cursor)?;
            match self.overlay_lists[list].entries.get(cursor) {
                Some(entry) if !entry.is_whiteout => return Ok(Some(entry.clone())),
                Some(_) => self.pass_listed(file),
                None => return Ok(None),
            }
        }
    }

    /// Goes on behind an entry of a list.
    pub(crate) fn pass_listed(&mut self, file: Id<OpenFile>) {
        if let Some(reader) = self.reader_mut(file) {
            reader.cursor += 1;
        }
        self.files[file].position = self.files[file].position.saturating_add(1);
    }

    /// Where entries have come from below, their numbers are not those of the layer: all are looked up, and if there are
    /// none any more, that is noted (`ovl_iterate_real()`, `ovl_cache_get_impure()`).
    fn look_up_moved(&mut self, task: Id<Task>, file: Id<OpenFile>) -> Result<(), Failure> {
        let path = self.files[file].path;
        let directory = path.dentry;
        let superblock = self.dentries[directory].superblock;
        let Some(reader) = self.reader(file) else { return Ok(()) };
        let is_upper = reader.is_upper;
        let state = self.behind(directory)?;
        let is_impure = is_upper && state.flags.contains(InodeFlags::IMPURE);
        let Some(upper) = state.upper.filter(|_| is_impure) else { return Ok(()) };
        if !self.overlay(superblock)?.has_one_device() {
            return Ok(());
        }
        let place = self.in_upper(superblock, upper)?;
        let entries = self.as_mounter(task, superblock, |linux| linux.read_layer(task, place))?;
        let mut has_moved = false;
        for entry in entries.iter().filter(|entry| !entry.is_dot()) {
            self.look_up_listed(task, path, entry.name())?;
            has_moved |= self.child(directory, entry.name()).is_some_and(|found| {
                let has_origin = self.overlay_entry(found).is_some_and(OverlayInode::has_origin);
                has_origin && self.overlay_numbers(found).is_some_and(|numbers| numbers.inode != entry.number)
            });
        }
        if !has_moved {
            if self.want_write_upper(superblock).is_ok() {
                self.as_mounter(task, superblock, |linux| {
                    linux.note(task, superblock, upper, |noted| noted.impure = false)
                })
                .unwrap_or(());
            }
            let inode = self.dentries[directory].inode;
            if let Some(state) = self.overlay_inode_mut(inode) {
                state.flags.remove(InodeFlags::IMPURE);
            }
        }
        Ok(())
    }

    /// lseek(2) on a directory of an overlay that is merged (`ovl_dir_llseek()`); nothing for others.
    pub(crate) fn seek_in_overlay(
        &mut self,
        file: Id<OpenFile>,
        offset: i64,
        whence: Whence,
    ) -> Option<Result<u64, Failure>> {
        self.reader(file)?;
        if self.files[file].position == 0 {
            self.reset_reader(file);
        }
        if self.reader(file)?.is_real {
            return None;
        }
        let old = self.files[file].position;
        let position = match whence {
            Whence::Start => Some(offset),
            Whence::Current => i64::try_from(old).ok().and_then(|old| old.checked_add(offset)),
            Whence::End => {
                let failure = fail!(EINVAL, "ovl_dir_llseek()", "SEEK_END is given for a directory that is merged");
                return Some(Err(failure));
            }
        };
        let Some(position) = position.and_then(|position| u64::try_from(position).ok()) else {
            return Some(Err(fail!(EINVAL, "ovl_dir_llseek()", "the new position would be negative")));
        };
        self.files[file].position = position;
        let length = self.reader(file)?.list.map(|list| self.overlay_lists[list].entries.len());
        if let Some(length) = length.filter(|_| position != old) {
            self.reader_mut(file)?.cursor = usize::try_from(position).unwrap_or(usize::MAX).min(length);
        }
        Some(Ok(position))
    }
}
