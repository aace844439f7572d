//! Which mount is on which.

use rustc_hash::FxHashMap;

use super::Loader;
use super::error::{LineError, LoadError};
use super::line::Line;
use crate::arena::Id;
use crate::filesystem::{FilesystemType, Name};
use crate::mount::{Mount, Path};
use crate::namespace::MountNamespace;

/// What is above all mounts of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// This line, whose parent it is itself: the root of the namespace.
    Itself(usize),
    /// This line, on a mount that the table does not show.
    On {
        /// The line of the process's root.
        line: usize,
        /// The id of the mount below.
        parent: u32,
    },
    /// The process's root is a directory of a mount that the table does not show (chroot(2)).
    Inside {
        /// The id of that mount.
        parent: u32,
    },
}

/// The place of a directory that a table does not show.
pub(super) type Hidden = Option<Path>;

impl Top {
    /// What is above the mounts of these lines: no process sees mounts without a parent, but for its root, or those on
    /// the mount that its root is in.
    pub(super) fn find(lines: &[Line]) -> Result<Self, LoadError> {
        let by_id = index(lines)?;
        let is_top = |line: &&(usize, &Line)| line.1.parent == line.1.id || !by_id.contains_key(&line.1.parent);
        let numbered: Vec<(usize, &Line)> = lines.iter().enumerate().collect();
        let tops: Vec<_> = numbered.iter().filter(is_top).collect();
        let (number, first) = **tops.first().ok_or_else(|| match lines.first() {
            None => LoadError::Empty,
            Some(_) => LoadError::Line { line: 1, error: LineError::MountCycle },
        })?;
        for (number, line) in tops.iter().skip(1) {
            if line.parent != first.parent || line.parent == line.id {
                return Err(LoadError::Line { line: number + 1, error: LineError::Orphan(line.parent) });
            }
        }
        check_for_cycles(lines, &by_id)?;
        let is_root = first.mountpoint.is_empty() && tops.len() == 1;
        match (first.parent == first.id, is_root) {
            (true, true) => Ok(Self::Itself(number)),
            (false, true) => Ok(Self::On { line: number, parent: first.parent }),
            (false, false) => Ok(Self::Inside { parent: first.parent }),
            (true, false) => {
                Err(LoadError::Line { line: number + 1, error: LineError::Mountpoint(first.quoted_mountpoint()) })
            }
        }
    }

    /// The id of the mount that the table does not show; 0 if there is none.
    pub(super) fn hidden_id(&self) -> u32 {
        match self {
            Self::Itself(_) => 0,
            Self::On { parent, .. } | Self::Inside { parent } => *parent,
        }
    }
}

/// The lines by their ids.
fn index(lines: &[Line]) -> Result<FxHashMap<u32, usize>, LoadError> {
    let mut by_id = FxHashMap::default();
    for (number, line) in lines.iter().enumerate() {
        if by_id.insert(line.id, number).is_some() {
            return Err(LoadError::Line { line: number + 1, error: LineError::DuplicateId(line.id) });
        }
    }
    Ok(by_id)
}

fn check_for_cycles(lines: &[Line], by_id: &FxHashMap<u32, usize>) -> Result<(), LoadError> {
    // In which walk up a line was met.
    let mut met = vec![None; lines.len()];
    for start in 0..lines.len() {
        let mut line = start;
        while met[line].is_none() {
            met[line] = Some(start);
            match by_id.get(&lines[line].parent) {
                Some(parent) if *parent != line => line = *parent,
                _ => break,
            }
        }
        let is_top = by_id.get(&lines[line].parent).is_none_or(|parent| *parent == line);
        if met[line] == Some(start) && !is_top {
            return Err(LoadError::Line { line: start + 1, error: LineError::MountCycle });
        }
    }
    Ok(())
}

impl Loader<'_> {
    /// The mounts that the table does not show, the root of the namespace among them; and the place in them that the
    /// topmost mounts of the table are relative to.
    pub(super) fn hidden_mounts(&mut self, namespace: Id<MountNamespace>, top: &Top, first_unused: &mut u32) -> Hidden {
        match top {
            Top::Itself(_) => None,
            Top::On { parent, .. } => Some(self.hidden_root(namespace, *parent)),
            Top::Inside { parent } => {
                let id = *first_unused;
                *first_unused += 1;
                let below = self.hidden_root(namespace, id);
                let superblock = self.linux.new_superblock(FilesystemType::Tmpfs, self.linux.initial_user_namespace);
                let root = self.linux.superblocks[superblock].root;
                let mount = self.linux.new_mount(root, &Name::from("root"));
                self.linux.mounts[mount].id = *parent;
                self.linux.attach(mount, below);
                self.list(namespace, mount);
                let dentry = self.linux.new_directory(root, Name::from("root"));
                Some(Path { mount, dentry })
            }
        }
    }

    /// The root of the namespace, which no process sees once a root is mounted on it.
    pub(super) fn hidden_root(&mut self, namespace: Id<MountNamespace>, id: u32) -> Path {
        let superblock = self.linux.new_superblock(FilesystemType::Rootfs, self.linux.initial_user_namespace);
        let root = self.linux.superblocks[superblock].root;
        let mount = self.linux.new_mount(root, &Name::from("rootfs"));
        self.linux.mounts[mount].id = id;
        self.linux.mount_namespaces[namespace].root = mount;
        self.list(namespace, mount);
        self.linux.root_of(mount)
    }

    /// Mounts all where their lines say, and tells the root of the process.
    pub(super) fn build_tree(
        &mut self,
        namespace: Id<MountNamespace>,
        top: &Top,
        hidden: Hidden,
    ) -> Result<Path, LoadError> {
        let by_id = index(self.lines)?;
        for (number, line) in self.lines.iter().enumerate() {
            let mount = self.mounts[number];
            self.list(namespace, mount);
            let parent = by_id.get(&line.parent).filter(|parent| **parent != number);
            let place = match parent {
                Some(parent) => {
                    let above = &self.lines[*parent].mountpoint;
                    let root = self.linux.root_of(self.mounts[*parent]);
                    line.mountpoint.strip_prefix(&above[..]).map(|names| (root, names))
                }
                None => hidden.map(|hidden| (hidden, &line.mountpoint[..])),
            };
            match (place, top) {
                (Some((above, names)), _) => self.mount_at(mount, above, names, line),
                (None, Top::Itself(itself)) if *itself == number => {
                    self.linux.mount_namespaces[namespace].root = mount;
                    Ok(())
                }
                (None, _) => Err(LineError::Mountpoint(line.quoted_mountpoint())),
            }
            .map_err(|error| LoadError::Line { line: number + 1, error })?;
        }
        Ok(match (top, hidden) {
            (Top::Itself(line) | Top::On { line, .. }, _) => self.linux.root_of(self.mounts[*line]),
            (Top::Inside { .. }, Some(hidden)) => hidden,
            (Top::Inside { .. }, None) => return Err(LoadError::Empty),
        })
    }

    fn mount_at(&mut self, mount: Id<Mount>, above: Path, names: &[Vec<u8>], line: &Line) -> Result<(), LineError> {
        let root = self.linux.dentries[self.linux.mounts[mount].root].inode;
        let is_directory = self.linux.inodes[root].is_directory();
        let dentry = self.linux.make_path(above.dentry, names, is_directory)?;
        if self.linux.inodes[self.linux.dentries[dentry].inode].is_directory() != is_directory {
            return Err(LineError::MixedKinds(line.quoted_mountpoint()));
        }
        if self.linux.inodes[self.linux.dentries[dentry].inode].is_dead {
            return Err(LineError::MountedOnRemoved(line.quoted_mountpoint()));
        }
        let place = Path { mount: above.mount, dentry };
        if self.linux.lookup_mount(place).is_some() {
            return Err(LineError::Occupied(line.quoted_mountpoint()));
        }
        self.linux.attach(mount, place);
        Ok(())
    }
}
