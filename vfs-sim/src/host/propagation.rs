//! Peer groups and slaves of a table.

use cofferdam::kernel::CloneFlags;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Loader;
use super::error::{LineError, LoadError};
use super::line::Line;
use crate::arena::Id;
use crate::filesystem::{FilesystemType, Name};
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::MountNamespace;
use crate::process::{FdTable, FsState};

/// The peer groups of a table.
pub(super) struct Groups {
    /// Those that have mounts in the table, with the first line.
    shown: FxHashMap<u32, usize>,
    /// The others, in the order in which they are named, with the first line that receives events from it, and the
    /// group in the table that their events come from.
    hidden: Vec<(u32, usize, Option<u32>)>,
    last: u32,
}

impl Groups {
    /// Finds the groups, and checks that events flow as they can.
    pub(super) fn new(lines: &[Line]) -> Result<Self, LoadError> {
        let mut groups = Self { shown: FxHashMap::default(), hidden: Vec::new(), last: 0 };
        for (number, line) in lines.iter().enumerate() {
            let numbers = [line.shared, line.master, line.propagate_from];
            groups.last = numbers.into_iter().flatten().fold(groups.last, u32::max);
            let Some(group) = line.shared else { continue };
            let first = &lines[*groups.shown.entry(group).or_insert(number)];
            if (first.master, first.propagate_from) != (line.master, line.propagate_from) {
                return Err(LoadError::Line { line: number + 1, error: LineError::Peers(group) });
            }
        }
        let mut sources = FxHashMap::default();
        for (number, line) in lines.iter().enumerate() {
            groups
                .add_master(number, line, &mut sources)
                .map_err(|error| LoadError::Line { line: number + 1, error })?;
        }
        groups.check_for_cycles(lines, &sources)?;
        Ok(groups)
    }

    /// Takes note of where the events of a line come from; `sources` is where those of groups that are not in the table
    /// do.
    fn add_master(
        &mut self,
        number: usize,
        line: &Line,
        sources: &mut FxHashMap<u32, Option<u32>>,
    ) -> Result<(), LineError> {
        let from = line.propagate_from;
        let Some(master) = line.master else {
            return from.map_or(Ok(()), |from| Err(LineError::PropagateFrom(from)));
        };
        // A group in the table is the nearest by itself.
        let is_shown = |group: &u32| self.shown.contains_key(group);
        if let Some(from) = from.filter(|from| is_shown(&master) || !is_shown(from)) {
            return Err(LineError::PropagateFrom(from));
        }
        if is_shown(&master) {
            return Ok(());
        }
        match sources.insert(master, from) {
            None => self.hidden.push((master, number, from)),
            Some(before) if before == from => {}
            Some(before) => return Err(LineError::PropagateFrom(before.or(from).unwrap_or(0))),
        }
        Ok(())
    }

    fn check_for_cycles(&self, lines: &[Line], sources: &FxHashMap<u32, Option<u32>>) -> Result<(), LoadError> {
        let above = |group: u32| match self.shown.get(&group) {
            Some(first) => lines[*first].master,
            None => sources.get(&group).copied().flatten(),
        };
        let mut checked = FxHashSet::default();
        for (number, line) in lines.iter().enumerate() {
            let Some(start) = line.shared else { continue };
            let mut walk = FxHashSet::default();
            let mut group = Some(start);
            while let Some(next) = group.filter(|group| !checked.contains(group)) {
                if !walk.insert(next) {
                    return Err(LoadError::Line { line: number + 1, error: LineError::PropagationCycle(next) });
                }
                group = above(next);
            }
            checked.extend(walk);
        }
        Ok(())
    }

    /// The highest number of a group.
    pub(super) fn last_group(&self) -> u32 {
        self.last
    }
}

impl Loader<'_> {
    /// Makes peers and slaves of the mounts.
    pub(super) fn share_events(&mut self, groups: &Groups, first_unused: &mut u32) {
        let hidden = self.hidden_groups(groups, first_unused);
        let mount_of = |loader: &Self, group: u32| match groups.shown.get(&group) {
            Some(line) => Some(loader.mounts[*line]),
            None => hidden.get(&group).copied(),
        };
        // The last of each group that was seen.
        let mut peers: FxHashMap<u32, Id<Mount>> = FxHashMap::default();
        for (number, line) in self.lines.iter().enumerate() {
            let mount = self.mounts[number];
            let peer = line.shared.and_then(|group| peers.insert(group, mount));
            if let Some(group) = line.shared {
                self.linux.mounts[mount].group = group;
                self.linux.set_shared(mount);
            }
            let master = line.master.and_then(|group| mount_of(self, group));
            match (peer, master) {
                (Some(peer), _) => {
                    self.linux.join_peers(mount, peer);
                    self.linux.become_slave_behind(mount, peer);
                }
                (None, Some(master)) => self.linux.become_first_slave(mount, master),
                (None, None) => {}
            }
        }
        for (group, _, from) in &groups.hidden {
            let master = from.and_then(|from| mount_of(self, from));
            if let (Some(mount), Some(master)) = (hidden.get(group), master) {
                self.linux.become_first_slave(*mount, master);
            }
        }
    }

    /// A mount of each group that has none in the table, in the mount namespace of another process.
    fn hidden_groups(&mut self, groups: &Groups, first_unused: &mut u32) -> FxHashMap<u32, Id<Mount>> {
        let mut mounts = FxHashMap::default();
        if groups.hidden.is_empty() {
            return mounts;
        }
        let (namespace, root) = self.other_process(first_unused);
        for (group, line, _) in &groups.hidden {
            // What the slaves have mounted, as they were copies of it.
            let slave = &self.linux.mounts[self.mounts[*line]];
            let (mounted, source) = (slave.root, slave.source.clone());
            let mount = self.linux.new_mount(mounted, &source);
            let name = Name::from(&*group.to_string());
            let is_directory = self.linux.inodes[self.linux.dentries[mounted].inode].is_directory();
            let dentry = if is_directory {
                self.linux.new_directory(root.dentry, name)
            } else {
                self.linux.new_empty_file(root.dentry, name)
            };
            self.linux.mounts[mount].id = next(first_unused);
            self.linux.mounts[mount].flags = MntFlags::RELATIME;
            self.linux.mounts[mount].group = *group;
            self.linux.set_shared(mount);
            self.linux.attach(mount, Path { mount: root.mount, dentry });
            self.list(namespace, mount);
            mounts.insert(*group, mount);
        }
        mounts
    }

    /// A process like init, with a mount namespace and a root of its own.
    fn other_process(&mut self, first_unused: &mut u32) -> (Id<MountNamespace>, Path) {
        let namespace = self.new_namespace();
        let sequence = self.linux.last_namespace_sequence + 1;
        self.linux.last_namespace_sequence = sequence;
        let object = &mut self.linux.mount_namespaces[namespace];
        (object.inode, object.sequence, object.references) = (self.linux.next_namespace_inode, sequence, 1);
        self.linux.next_namespace_inode += 1;
        let below = self.hidden_root(namespace, next(first_unused));
        let superblock = self.linux.new_superblock(FilesystemType::Tmpfs, self.linux.initial_user_namespace);
        let linux = &mut self.linux;
        let mount = linux.new_mount(linux.superblocks[superblock].root, &Name::from("root"));
        linux.mounts[mount].id = next(first_unused);
        linux.mounts[mount].flags = MntFlags::RELATIME;
        linux.attach(mount, below);
        let root = linux.root_of(mount);
        linux.path_get(root);
        linux.path_get(root);
        let fs = linux.fs_states.insert(FsState { references: 1, root, cwd: root, umask: 0o022 });
        let files = linux.fd_tables.insert(FdTable { references: 1, ..FdTable::default() });
        // There is room for processes on a machine that has one.
        if let Ok(process) = linux.fork(linux.init, CloneFlags::empty()) {
            let task = &mut linux.tasks[process];
            let fs = std::mem::replace(&mut task.fs, fs);
            let files = std::mem::replace(&mut task.files, files);
            let before = std::mem::replace(&mut task.mount_namespace, namespace);
            linux.fs_state_put(fs);
            linux.descriptors_put(files);
            linux.mount_namespace_put(before);
        }
        self.list(namespace, mount);
        (namespace, root)
    }
}

fn next(number: &mut u32) -> u32 {
    *number += 1;
    *number - 1
}
