//! Dentries: names in directories, and the inodes behind them (`struct dentry`). There are no negative ones.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{Inode, Name, NameFlags, SuperBlock};
use crate::arena::Id;
use crate::list::List;
use crate::mount::Mount;
use crate::process::OpenFile;

/// A name in a directory (`struct dentry`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dentry {
    /// The filesystem.
    pub(crate) superblock: Id<SuperBlock>,
    /// What has this name.
    pub(crate) inode: Id<Inode>,
    /// The directory; itself for the root. Still there once the name is gone.
    pub(crate) parent: Id<Dentry>,
    /// The name in the directory, or the last one that it had.
    pub(crate) name: Name,
    /// The number of the user namespace whose processes alone find it, where each has its own (`proc_sys_compare()`).
    pub(crate) scope: Option<u64>,
    /// Whether a walk finds it: not once it is unlinked (`d_unhashed()`).
    pub(crate) is_hashed: bool,
    /// No more mounts on it: its directory is being, or was, removed (`DCACHE_CANT_MOUNT`).
    pub(crate) cant_mount: bool,
    /// How many mounts, processes, open files, contexts, and unlinked children keep it once it is unlinked.
    pub(crate) pins: u32,
    /// Its place among the entries of the directory, which is read by falling order: the entry that came last is the first
    /// (`d_sib`).
    pub(crate) order: u64,
    /// The position of a reader of the directory that is at this entry, in a tmpfs (`simple_offset_add()`).
    pub(crate) offset: u64,
    /// The entries, for a directory.
    pub(crate) children: OrdMap<Name, Id<Dentry>>,
    /// The entries by their order (`d_children`).
    pub(crate) by_order: OrdMap<u64, Id<Dentry>>,
    /// The order of the next entry.
    pub(crate) next_order: u64,
    /// The entries by their offset (`struct offset_ctx`).
    pub(crate) by_offset: OrdMap<u64, Id<Dentry>>,
    /// The offset of the next entry.
    pub(crate) next_offset: u64,
    /// Where readers are whose position is only a count, as in a ramfs: the entries of a lower order are still to be read
    /// (`d_alloc_cursor()`).
    pub(crate) cursors: OrdMap<Id<OpenFile>, u64>,
    /// What an overlay knows of the name.
    pub(crate) name_flags: NameFlags,
    /// The names that an overlay knows not to be there (negative dentries).
    pub(crate) missing: OrdMap<Name, NameFlags>,
    /// The mounts on it, in whatever mount and namespace, newest first (`struct mountpoint`, `m_list`).
    pub(crate) mounts: List<Mount>,
}

impl Dentry {
    /// What it is found by among the entries of its directory.
    pub(crate) fn key(&self) -> Name {
        Self::key_of(&self.name, self.scope)
    }

    /// Whether it is found by this among the entries of its directory.
    pub(crate) fn has_key(&self, key: &Name) -> bool {
        if self.scope.is_none() { self.name == *key } else { self.key() == *key }
    }

    /// What an entry with a name is found by, which is that name, unless each user namespace has its own: no name has a NUL.
    pub(crate) fn key_of(name: &Name, scope: Option<u64>) -> Name {
        let Some(number) = scope else { return name.clone() };
        let key: Vec<u8> = name.as_bytes().iter().copied().chain([0]).chain(number.to_be_bytes()).collect();
        Name::from(key.as_slice())
    }
}
