//! What is known of a host besides its mounts.

use std::collections::BTreeMap;
use std::rc::Rc;

use cofferdam::kernel::{Bytes, DeviceNumber, Errno};
use cofferdam::mountinfo::{Entry, Table};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::File;

use crate::simulated::KnownUsers;

/// A path from the root of a filesystem on, wherever that is mounted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The device of the filesystem.
    pub(super) device: DeviceNumber,
    pub(super) path: UnixPathBuf,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    File(File),
    Nothing,
    /// Nobody can tell: something is mounted over it, or it may not be looked at.
    Unknown,
}

/// Who knows what is on the disks of a host.
pub(super) trait Knowledge {
    /// Whether the mount with this id is one of a file.
    fn is_file(&self, mount: u32) -> bool;

    /// What is there.
    fn look(&self, place: &Place) -> Answer;

    /// The names in a directory.
    fn list(&self, place: &Place) -> Vec<Bytes>;

    /// The names in the root of its proc that stand for no process, and whether they are those of directories; `None` if that is
    /// not known.
    fn names_in_proc(&self) -> Option<BTreeMap<String, bool>>;

    /// What is at a path from the root of its proc on, below an entry of that: a directory, or something else.
    fn look_in_proc(&self, path: &UnixPath) -> Answer;

    /// Its users.
    fn users(&self) -> Rc<dyn KnownUsers>;

    /// Where it has this program.
    fn executable(&self) -> Bytes;

    /// Where the command is given.
    fn working_directory(&self) -> Bytes;

    /// What could not be looked at, and why.
    fn unseen(&self) -> Vec<(UnixPathBuf, Errno)>;
}

/// A mount of a table, with what is needed to find a place by it.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) id: u64,
    pub(super) mountpoint: UnixPathBuf,
    device: DeviceNumber,
    root: UnixPathBuf,
}

impl Door {
    fn of(entry: &Entry<'_>) -> Self {
        Self {
            id: entry.id().into(),
            mountpoint: entry.mountpoint().into_owned(),
            device: DeviceNumber { major: entry.major(), minor: entry.minor() },
            root: entry.root().into_owned(),
        }
    }

    /// Where a place is below the mountpoint; `None` if it is not there. Empty for the mountpoint itself.
    pub(super) fn way_to<'p>(&self, place: &'p Place) -> Option<&'p UnixPath> {
        if self.device == place.device { place.path.strip_prefix(&self.root).ok() } else { None }
    }
}

/// The mounts by which places can be found, those that show least of a filesystem first: it is less likely that something is
/// mounted over it there.
pub(super) fn doors(table: &Table<'_>) -> Vec<Door> {
    let mut doors: Vec<_> = table.entries().iter().filter(|entry| !entry.root_is_deleted()).map(Door::of).collect();
    doors.sort_by_key(|door| std::cmp::Reverse(door.root.as_bytes().len()));
    doors
}
