//! The tables of mounts that proc shows: mountinfo, mounts and mountstats (`fs/proc_namespace.c`).

use std::ops::Range;

use cofferdam::mountinfo::escape;
use serde::{Deserialize, Serialize};

use super::escape::push_escaped;
use crate::arena::Id;
use crate::filesystem::{Dentry, SuperBlock};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::MountNamespace;

#[cfg(test)]
mod tests;

impl Linux {
    /// `/proc/<pid>/mountinfo` of a process with this mount namespace and this root (`show_mountinfo()`).
    pub(crate) fn mountinfo_text(&self, namespace: Id<MountNamespace>, root: Path) -> Vec<u8> {
        Listing::new(self, namespace, root).write(MountTable::MountInfo)
    }

    /// `/proc/<pid>/mounts` (`show_vfsmnt()`).
    pub(crate) fn mounts_text(&self, namespace: Id<MountNamespace>, root: Path) -> Vec<u8> {
        Listing::new(self, namespace, root).write(MountTable::Mounts)
    }

    /// `/proc/<pid>/mountstats` (`show_vfsstat()`).
    #[cfg(test)]
    pub(crate) fn mountstats_text(&self, namespace: Id<MountNamespace>, root: Path) -> Vec<u8> {
        Listing::new(self, namespace, root).write(MountTable::MountStats)
    }
}

/// Which of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountTable {
    /// `/proc/<pid>/mountinfo`
    MountInfo,
    /// `/proc/<pid>/mounts`
    Mounts,
    /// `/proc/<pid>/mountstats`
    MountStats,
}

/// Some lines of a table, and where it goes on.
pub(crate) struct MountTablePart {
    /// Whole lines.
    pub(crate) text: Vec<u8>,
    /// The least unique id of what comes next.
    pub(crate) next: u64,
}

impl Linux {
    /// The lines of the mounts from a unique id on: one in any case, then as many as it takes to have `wanted` bytes, but
    /// no more than fit into `space` bytes (the second half of `seq_read_iter()`).
    pub(crate) fn mount_table_part(
        &self,
        table: MountTable,
        (namespace, root): (Id<MountNamespace>, Path),
        from: u64,
        wanted: usize,
        space: usize,
    ) -> MountTablePart {
        let mut listing = Listing::new(self, namespace, root);
        listing.is_part = true;
        let mut next = from;
        for (id, mount) in self.mount_namespaces[namespace].mounts.range(from..) {
            let start = listing.text.len();
            if start > 0 && start >= wanted {
                return MountTablePart { text: listing.text, next: *id };
            }
            if listing.line(table, *mount).is_err() {
                listing.take_back(start);
            } else {
                listing.text.push(b'\n');
                if start > 0 && listing.text.len() >= space {
                    listing.take_back(start);
                    return MountTablePart { text: listing.text, next: *id };
                }
            }
            next = *id + 1;
        }
        MountTablePart { text: listing.text, next }
    }
}

/// How long a line mostly is at most.
const USUAL_LENGTH: usize = 128;

/// A mount can't be seen from the root: its line is left out (`SEQ_SKIP`).
struct Skipped;

/// Where a mount is, if that is known already.
#[derive(Clone, Default)]
enum Place {
    #[default]
    Unknown,
    /// Not below the root.
    Outside,
    /// This much of the text is the mountpoint; nothing for the root.
    Written(Range<usize>),
}

/// A table in the making.
struct Listing<'a> {
    linux: &'a Linux,
    namespace: Id<MountNamespace>,
    root: Path,
    text: Vec<u8>,
    /// By the number of the mount's id: the path of a mount begins with that of its parent, which mostly is written
    /// before.
    places: Vec<Place>,
    /// The dentries of a path, innermost first; kept for its memory.
    names: Vec<Id<Dentry>>,
    /// The directory that the last mountpoint is in, and where in the text its path stands: the next one is often there too.
    directory: Option<(Path, Range<usize>)>,
    /// The options of the superblock of the line before, from `ro` or `rw` on, and how many bytes of them are flags.
    options: Option<(Id<SuperBlock>, Vec<u8>, usize)>,
    numbers: itoa::Buffer,
    /// Whether only some lines are wanted: then it does not pay to remember where mounts are.
    is_part: bool,
}

impl<'a> Listing<'a> {
    fn new(linux: &'a Linux, namespace: Id<MountNamespace>, root: Path) -> Self {
        Self {
            linux,
            namespace,
            root,
            text: Vec::new(),
            places: Vec::new(),
            names: Vec::new(),
            directory: None,
            options: None,
            numbers: itoa::Buffer::new(),
            is_part: false,
        }
    }

    fn line(&mut self, table: MountTable, mount: Id<Mount>) -> Result<(), Skipped> {
        match table {
            MountTable::MountInfo => self.mountinfo_line(mount),
            MountTable::Mounts => self.mounts_line(mount),
            MountTable::MountStats => self.mountstats_line(mount),
        }
    }

    fn write(mut self, table: MountTable) -> Vec<u8> {
        let mounts = &self.linux.mount_namespaces[self.namespace].mounts;
        self.text.reserve(mounts.len() * USUAL_LENGTH);
        for mount in mounts.values() {
            let start = self.text.len();
            match self.line(table, *mount) {
                Ok(()) => self.text.push(b'\n'),
                Err(Skipped) => self.take_back(start),
            }
        }
        self.text
    }

    /// Takes back a line that began here.
    fn take_back(&mut self, start: usize) {
        self.text.truncate(start);
        self.directory.take_if(|(_, text)| text.end > start);
    }

    fn mountinfo_line(&mut self, mount: Id<Mount>) -> Result<(), Skipped> {
        let linux = self.linux;
        let object = &linux.mounts[mount];
        let device = linux.superblocks[object.superblock].device;
        self.push_number(object.id);
        self.text.push(b' ');
        self.push_number(linux.mounts[object.parent].id);
        self.text.push(b' ');
        self.push_number(device.major);
        self.text.push(b':');
        self.push_number(device.minor);
        self.text.push(b' ');
        self.push_root(object.root);
        self.text.push(b' ');
        self.push_mountpoint(mount)?;
        self.push(b" ");
        self.push(Linux::read_only_text(object.flags.contains(MntFlags::READONLY)));
        linux.push_mount_options(mount, &mut self.text);
        self.push_propagation(object);
        self.push(b" - ");
        push_escaped(&mut self.text, linux.superblocks[object.superblock].filesystem.name(), escape::NAME);
        self.text.push(b' ');
        push_escaped(&mut self.text, object.source.as_bytes(), escape::NAME);
        self.text.push(b' ');
        self.read_options(object.superblock);
        if let Some((_, options, _)) = &self.options {
            self.text.extend_from_slice(options);
        }
        Ok(())
    }

    fn push_propagation(&mut self, object: &Mount) {
        if object.is_shared {
            self.push(b" shared:");
            self.push_number(object.group);
        }
        if let Some(master) = object.master {
            let group = self.linux.mounts[master].group;
            self.push(b" master:");
            self.push_number(group);
            let dominating = self.linux.dominating_group(object, self.root);
            if dominating != 0 && dominating != group {
                self.push(b" propagate_from:");
                self.push_number(dominating);
            }
        }
        if object.is_unbindable {
            self.push(b" unbindable");
        }
    }

    fn mounts_line(&mut self, mount: Id<Mount>) -> Result<(), Skipped> {
        let linux = self.linux;
        let object = &linux.mounts[mount];
        push_escaped(&mut self.text, object.source.as_bytes(), escape::NAME);
        self.text.push(b' ');
        self.push_mountpoint(mount)?;
        self.text.push(b' ');
        push_escaped(&mut self.text, linux.superblocks[object.superblock].filesystem.name(), escape::NAME);
        self.text.push(b' ');
        self.push(Linux::read_only_text(linux.is_readonly(mount)));
        self.read_options(object.superblock);
        if let Some((_, options, flags)) = &self.options {
            let (flags, rest) = options.split_at_checked(*flags).unwrap_or((options, &[]));
            self.text.extend_from_slice(flags.get(2..).unwrap_or_default());
            linux.push_mount_options(mount, &mut self.text);
            self.text.extend_from_slice(rest);
        }
        self.push(b" 0 0");
        Ok(())
    }

    fn mountstats_line(&mut self, mount: Id<Mount>) -> Result<(), Skipped> {
        let object = &self.linux.mounts[mount];
        self.push(b"device ");
        push_escaped(&mut self.text, object.source.as_bytes(), escape::NAME);
        self.push(b" mounted on ");
        self.push_mountpoint(mount)?;
        self.push(b" with fstype ");
        push_escaped(&mut self.text, self.linux.superblocks[object.superblock].filesystem.name(), escape::NAME);
        Ok(())
    }

    fn push(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    fn push_number(&mut self, number: u32) {
        self.text.extend_from_slice(self.numbers.format(number).as_bytes());
    }

    /// Sees to it that the options are those of this superblock; neighbours often share one.
    fn read_options(&mut self, superblock: Id<SuperBlock>) {
        if self.options.as_ref().is_none_or(|(read, ..)| *read != superblock) {
            let mut flags = Vec::new();
            self.linux.push_super_flags(superblock, &mut flags);
            self.options = Some((superblock, self.linux.show_options(superblock), flags.len()));
        }
    }

    /// What of its filesystem is mounted (`show_path()`).
    fn push_root(&mut self, root: Id<Dentry>) {
        if let Some(name) = self.linux.name_without_path(root) {
            self.text.extend_from_slice(name.as_bytes());
            return;
        }
        self.names.clear();
        let mut above = root;
        loop {
            let object = &self.linux.dentries[above];
            if object.parent == above {
                if self.names.is_empty() {
                    self.text.push(b'/');
                }
                break;
            }
            self.names.push(above);
            above = object.parent;
        }
        self.push_names();
        if self.linux.is_deleted(root) {
            self.push(b"//deleted");
        }
    }

    /// The path of a mount from the root on (`seq_path_root()`).
    fn push_mountpoint(&mut self, mount: Id<Mount>) -> Result<(), Skipped> {
        let start = self.text.len();
        let Ok((prefix, directory)) = self.collect_names(mount) else {
            self.remember(mount, Place::Outside);
            return Err(Skipped);
        };
        self.text.extend_from_within(prefix);
        let last = self.push_names();
        self.directory = directory.map(|directory| (directory, start..last));
        let end = self.text.len();
        self.remember(mount, Place::Written(start..end));
        if end == start {
            self.text.push(b'/');
        }
        Ok(())
    }

    fn remember(&mut self, mount: Id<Mount>, place: Place) {
        if self.is_part {
            return;
        }
        let index = mount.number() as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, Place::Unknown);
        }
        self.places[index] = place;
    }

    /// Goes up from a mount to the root, or to a mount whose place is known, which is then where in the text that stands
    /// (`__prepend_path()`). The directory that the mountpoint is in comes with it, unless the mountpoint is the root.
    fn collect_names(&mut self, mount: Id<Mount>) -> Result<(Range<usize>, Option<Path>), Skipped> {
        self.names.clear();
        let mut directory = None;
        let linux = self.linux;
        let Path { mut mount, mut dentry } = linux.root_of(mount);
        loop {
            if mount == self.root.mount && dentry == self.root.dentry {
                return Ok((0..0, directory));
            }
            let object = &linux.mounts[mount];
            if dentry == object.root {
                match self.places.get(mount.number() as usize) {
                    Some(Place::Written(place)) => return Ok((place.clone(), directory)),
                    Some(Place::Outside) => return Err(Skipped),
                    Some(Place::Unknown) | None if object.parent == mount => return Err(Skipped),
                    Some(Place::Unknown) | None => {}
                }
                dentry = object.mountpoint;
                mount = object.parent;
                continue;
            }
            let parent = linux.dentries[dentry].parent;
            if parent == dentry {
                return Err(Skipped);
            }
            self.names.push(dentry);
            dentry = parent;
            if directory.is_none() {
                directory = Some(Path { mount, dentry });
                if let Some((_, text)) = self.directory.as_ref().filter(|(last, _)| Some(*last) == directory) {
                    return Ok((text.clone(), directory));
                }
            }
        }
    }

    /// Writes the path; where its last name, with the slash, begins.
    fn push_names(&mut self) -> usize {
        let mut last = self.text.len();
        for dentry in self.names.iter().rev() {
            last = self.text.len();
            self.text.push(b'/');
            push_escaped(&mut self.text, self.linux.dentries[*dentry].name.as_bytes(), escape::PATH);
        }
        last
    }
}
