//! Reading directories of an overlay (`fs/overlayfs/readdir.c`).

use std::collections::HashMap;

use cofferdam::kernel::FileType;
use serde::{Deserialize, Serialize};

use super::state::{InodeFlags, List};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::walk::Access;

/// What a directory of a layer that was removed says to who reads on in it.
pub(super) const REMOVED_FROM_LAYER: Failure =
    fail!(ENOENT, "iterate_dir()", "the directory of a layer that is to be read was removed");

/// An entry of a directory that is merged of several (`struct ovl_cache_entry`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedEntry {
    name: Name,
    pub(crate) number: u64,
    #[serde(with = "file_type")]
    pub(crate) file_type: FileType,
    is_upper: bool,
    pub(super) is_whiteout: bool,
    /// Whether it is looked up to tell its number.
    is_looked_up: bool,
}

/// The type of a file as its bits in a mode.
mod file_type {
    use cofferdam::kernel::FileType;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(file_type: &FileType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(file_type.bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FileType, D::Error> {
        u32::deserialize(deserializer).map(FileType::from_mode)
    }
}

impl ListedEntry {
    pub(crate) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    pub(super) fn is_dot(&self) -> bool {
        matches!(self.name(), b"." | b"..")
    }
}

impl Linux {
    /// Lets go of a list (`ovl_cache_put()`).
    pub(super) fn put_list(&mut self, directory: Id<Dentry>, list: Id<List>) {
        self.overlay_lists[list].readers -= 1;
        if self.overlay_lists[list].readers > 0 {
            return;
        }
        self.overlay_lists.remove(list);
        let inode = self.dentries[directory].inode;
        if let Some(state) = self.overlay_inode_mut(inode)
            && state.list == Some(list)
        {
            state.list = None;
        }
    }

    /// A list of a directory for one more reader: that of others, unless the directory was changed since.
    pub(super) fn take_list(&mut self, task: Id<Task>, directory: Id<Dentry>) -> Result<Id<List>, Failure> {
        let inode = self.dentries[directory].inode;
        let state = self.behind(directory)?;
        let version = state.version;
        let known = state.list.filter(|list| self.overlay_lists[*list].version == version);
        let list = if let Some(known) = known {
            known
        } else {
            let entries = self.merge_entries(task, directory)?;
            self.overlay_lists.insert(List { version, entries, readers: 0 })
        };
        self.overlay_lists[list].readers += 1;
        if let Some(state) = self.overlay_inode_mut(inode) {
            state.list = Some(list);
        }
        Ok(list)
    }

    /// The entries of a directory, merged (`ovl_dir_read_merged()`): those of the lowest layer come first.
    fn merge_entries(&mut self, task: Id<Task>, directory: Id<Dentry>) -> Result<Vec<ListedEntry>, Failure> {
        let superblock = self.dentries[directory].superblock;
        self.as_mounter(task, superblock, |linux| {
            let state = linux.behind(directory)?.clone();
            let overlay = linux.overlay(superblock)?;
            let uses_bits = overlay.has_one_device() && !overlay.has_one_filesystem();
            let is_impure = state.flags.contains(InodeFlags::IMPURE);
            let mut layers: Vec<(Path, bool)> =
                state.lower.iter().filter_map(|entry| overlay.lower_path(*entry)).map(|path| (path, false)).collect();
            if let Some(upper) = state.upper {
                layers.insert(0, (linux.in_upper(superblock, upper)?, true));
            }
            let mut merged: Vec<Option<ListedEntry>> = Vec::new();
            let mut positions: HashMap<Name, usize> = HashMap::new();
            let mut lowest = Vec::new();
            let last = layers.len().saturating_sub(1);
            for (number, (place, is_upper)) in layers.into_iter().enumerate() {
                for mut entry in linux.read_layer(task, place)? {
                    entry.is_upper = is_upper;
                    entry.is_looked_up =
                        uses_bits || entry.name() == b".." || is_upper && (entry.name() == b"." || is_impure);
                    let known = positions.get(&entry.name).copied();
                    if known.is_none() && entry.file_type == FileType::CharacterDevice {
                        entry.is_whiteout = linux.is_whiteout_of_layer(task, place, entry.name());
                    }
                    if number == last {
                        let first = known.and_then(|position| merged.get_mut(position)).and_then(Option::take);
                        lowest.push(first.unwrap_or(entry));
                    } else if known.is_none() {
                        positions.insert(entry.name.clone(), merged.len());
                        merged.push(Some(entry));
                    }
                }
            }
            lowest.extend(merged.into_iter().flatten());
            Ok(lowest)
        })
    }

    /// Whether a device that is listed in a directory of a layer is a whiteout there (`ovl_check_whiteouts()`). An overlay
    /// that lists those of its own layer does not find them.
    fn is_whiteout_of_layer(&mut self, task: Id<Task>, place: Path, name: &[u8]) -> bool {
        let found = self.find_in_layer(task, place, name);
        found.is_ok_and(|found| found.is_some_and(|found| self.is_whiteout(found)))
    }

    /// The entries of a directory of a layer, without a look at which of them are whiteouts (`ovl_dir_read()`).
    pub(super) fn read_layer(&mut self, task: Id<Task>, place: Path) -> Result<Vec<ListedEntry>, Failure> {
        let inode = self.dentries[place.dentry].inode;
        self.inode_permission(task, place.mount, inode, Access::READ)?;
        if self.is_dead(place.dentry) {
            return Err(REMOVED_FROM_LAYER);
        }
        if self.is_overlay(place.dentry) {
            return self.read_overlay_layer(task, place);
        }
        let object = &self.dentries[place.dentry];
        let entry = |name: Name, dentry: Id<Dentry>| {
            let inode = &self.inodes[self.dentries[dentry].inode];
            ListedEntry {
                name,
                number: inode.number,
                file_type: inode.file_type(),
                is_upper: false,
                is_whiteout: false,
                is_looked_up: false,
            }
        };
        let dots = [entry(Name::from("."), place.dentry), entry(Name::from(".."), object.parent)];
        let others = object.by_order.values().rev().map(|dentry| entry(self.dentries[*dentry].name.clone(), *dentry));
        Ok(dots.into_iter().chain(others).collect())
    }

    /// The entries of a directory of a layer that is an overlay.
    fn read_overlay_layer(&mut self, task: Id<Task>, place: Path) -> Result<Vec<ListedEntry>, Failure> {
        let superblock = self.dentries[place.dentry].superblock;
        let inode = self.dentries[place.dentry].inode;
        let is_merged = self.overlay_inode(inode).is_some_and(|state| state.flags.contains(InodeFlags::WHITEOUTS));
        if !is_merged {
            let real = self.place_behind(inode)?;
            return self.as_mounter(task, superblock, |linux| linux.read_layer(task, real));
        }
        let list = self.take_list(task, place.dentry)?;
        let length = self.overlay_lists[list].entries.len();
        let checked = (0..length).try_for_each(|cursor| self.check_listed(task, place, list, cursor));
        let mut entries = self.overlay_lists[list].entries.clone();
        self.put_list(place.dentry, list);
        entries.retain(|entry| !entry.is_whiteout);
        checked.map(|()| entries)
    }

    /// Looks an entry up whose number is not known yet: it may not be there any more.
    pub(super) fn check_listed(
        &mut self,
        task: Id<Task>,
        directory: Path,
        list: Id<List>,
        cursor: usize,
    ) -> Result<(), Failure> {
        let entry = match self.overlay_lists[list].entries.get(cursor) {
            Some(entry) if !entry.is_whiteout && entry.is_looked_up => entry.clone(),
            _ => return Ok(()),
        };
        let found = if entry.is_dot() || !self.overlay_of(directory.dentry)?.has_one_device() {
            Ok(true)
        } else {
            self.look_up_listed(task, directory, entry.name())
        };
        if let Some(listed) = self.overlay_lists[list].entries.get_mut(cursor) {
            listed.is_looked_up = false;
            listed.is_whiteout = !matches!(found, Ok(true));
        }
        found.map(|_| ())
    }

    /// Looks an entry up, as the mounter of the overlay (`ovl_cache_update()`).
    pub(super) fn look_up_listed(&mut self, task: Id<Task>, place: Path, name: &[u8]) -> Result<bool, Failure> {
        let superblock = self.dentries[place.dentry].superblock;
        self.as_mounter(task, superblock, |linux| {
            let inode = linux.dentries[place.dentry].inode;
            linux.inode_permission(task, place.mount, inode, Access::EXECUTE)?;
            let directory = place.dentry;
            Ok(linux.lookup_entry(task, directory, name)?.is_some())
        })
    }

    /// That a directory has nothing but whiteouts; gives those of the upper layer (`ovl_check_empty_dir()`).
    pub(super) fn whiteouts_of_empty(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
    ) -> Result<Vec<ListedEntry>, Failure> {
        let entries = self.merge_entries(task, directory)?;
        if entries.iter().any(|entry| !entry.is_whiteout && !entry.is_dot()) {
            return Err(fail!(
                ENOTEMPTY,
                "ovl_check_empty_dir()",
                "the directory, merged from the layers of the overlay, has entries"
            ));
        }
        Ok(entries.into_iter().filter(|entry| entry.is_whiteout && entry.is_upper).collect())
    }
}
