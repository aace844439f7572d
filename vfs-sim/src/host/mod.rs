//! A kernel with the mounts of a real machine.

mod error;
mod files;
mod line;
mod mount_points;
mod namespaces;
mod propagation;
mod superblocks;
mod tree;

pub use error::{LineError, LoadError};

use cofferdam::mountinfo::entries;

use self::files::Files;
use self::line::Line;
use self::propagation::Groups;
use self::superblocks::Superblocks;
use self::tree::Top;
use crate::arena::Id;
use crate::filesystem::Name;
use crate::linux::{Linux, Numbers};
use crate::mount::{Mount, Path};
use crate::namespace::{Counted, IdExtent, MountNamespace, Tally, UserNamespace};

impl Linux {
    /// A machine whose first process has this table of mounts: the text of a `/proc/<pid>/mountinfo`.
    ///
    /// The mounts get the ids of the text, are mounted on each other as it says, and share events as it says. Reading
    /// `/proc/self/mountinfo` of the loaded kernel gives the same text again.
    ///
    /// What the text does not tell is made up. Of the filesystems there are only the directories on the way to mounts; a
    /// mountpoint is a file if the root of the mount is known to be one, or if it is a file of proc. A filesystem of a type that the simulation
    /// knows, such as proc, works as one that was mounted on it; of any other there are only its mounts. Filesystems
    /// that show their options differently from mount to mount, as btrfs does, are several. Flags of mounts are not
    /// locked. A file of a mount namespace is that of an empty one. Where events come from a peer group that has no mount in the table, it is in the mount namespace of a
    /// second process. Id-mapped mounts map every id to itself. New mounts get ids above those of the text.
    ///
    /// ```
    /// use cofferdam_vfs_sim::Linux;
    ///
    /// let text = b"29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n\
    ///              36 29 0:31 / /srv rw,nosuid,nodev master:1 - tmpfs tmpfs rw,size=64k\n";
    /// let linux = Linux::from_mountinfo(text)?;
    /// let init = linux.task(linux.init()).expect("init runs");
    /// assert_eq!(init.mountinfo().as_deref(), Some(&text[..]));
    /// # Ok::<(), cofferdam_vfs_sim::LoadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not a table that a process can see.
    pub fn from_mountinfo(text: &[u8]) -> Result<Self, LoadError> {
        Self::from_mountinfo_with_files(text, |_| false)
    }

    /// The same, where it is known of more mounts whether what is mounted is a file: those with an id for which `is_file` says
    /// so.
    ///
    /// # Errors
    ///
    /// As [`from_mountinfo`](Self::from_mountinfo).
    pub fn from_mountinfo_with_files(text: &[u8], is_file: impl Fn(u32) -> bool) -> Result<Self, LoadError> {
        let mut lines = Vec::new();
        for (entry, number) in entries(text).zip(1..) {
            let line = Line::new(&entry?).map_err(|error| LoadError::Line { line: number, error })?;
            lines.push(line);
        }
        let top = Top::find(&lines)?;
        let groups = Groups::new(&lines)?;
        let files = files::find(&lines, is_file);
        Loader { linux: Self::new(), lines: &lines, mounts: Vec::new(), files, superblocks: Superblocks::default() }
            .load(&top, &groups)
    }
}

/// A kernel in the making.
struct Loader<'a> {
    linux: Linux,
    lines: &'a [Line],
    /// The mounts of the lines.
    mounts: Vec<Id<Mount>>,
    /// What is mounted and known to be a file.
    files: Files,
    superblocks: Superblocks,
}

impl Loader<'_> {
    fn load(mut self, top: &Top, groups: &Groups) -> Result<Linux, LoadError> {
        let namespace = self.new_namespace();
        let mut first_unused = self.lines.iter().map(|line| line.id).chain([top.hidden_id()]).max().unwrap_or(0) + 1;
        let hidden = self.hidden_mounts(namespace, top, &mut first_unused);
        self.make_mounts(&mut first_unused)?;
        let root = self.build_tree(namespace, top, hidden)?;
        self.share_events(groups, &mut first_unused);
        self.move_init(namespace, root);
        self.settle_numbers(groups, first_unused);
        Ok(self.linux)
    }

    /// The namespace of the table, in the place of the one that a new machine has.
    fn new_namespace(&mut self) -> Id<MountNamespace> {
        let linux = &mut self.linux;
        let old = linux.tasks[linux.init].mount_namespace;
        let object = linux.mount_namespaces[old].clone();
        linux.user_namespaces[object.user_namespace].references += 1;
        linux.mount_namespaces.insert(MountNamespace { mounts: imbl::OrdMap::new(), count: 0, ..object })
    }

    fn list(&mut self, namespace: Id<MountNamespace>, mount: Id<Mount>) {
        self.linux.list_in_namespace(namespace, mount);
        self.linux.mount_namespaces[namespace].count += 1;
    }

    /// The mounts of all lines, mounted nowhere yet.
    fn make_mounts(&mut self, first_unused: &mut u32) -> Result<(), LoadError> {
        let mut idmap = None;
        for (line, number) in self.lines.iter().zip(1..) {
            let root = match self.mount_namespace_of(line) {
                Some(inode) => Ok(self.namespace_file(line, inode, first_unused)),
                None => self.root_of_line(line),
            };
            let root = root.map_err(|error| LoadError::Line { line: number, error })?;
            let mount = self.linux.new_mount(root, &Name::from(&line.source[..]));
            // That which kept it until there was a mount.
            self.linux.dentry_put(root);
            let object = &mut self.linux.mounts[mount];
            object.id = line.id;
            object.flags = line.flags;
            object.is_unbindable = line.is_unbindable;
            if line.is_idmapped {
                let namespace = *idmap.get_or_insert_with(|| self.linux.identity_map());
                self.linux.user_namespaces[namespace].references += 1;
                self.linux.mounts[mount].idmap = Some(namespace);
            }
            self.mounts.push(mount);
        }
        if let Some(namespace) = idmap {
            self.linux.user_namespace_put(namespace);
        }
        Ok(())
    }

    /// Lets init live in the table's namespace, and the namespace that it had go.
    fn move_init(&mut self, namespace: Id<MountNamespace>, root: Path) {
        let linux = &mut self.linux;
        let init = linux.init;
        let (fs, old) = (linux.tasks[init].fs, linux.tasks[init].mount_namespace);
        for _ in ["root", "cwd"] {
            linux.path_get(root);
        }
        let state = &mut linux.fs_states[fs];
        let before = [std::mem::replace(&mut state.root, root), std::mem::replace(&mut state.cwd, root)];
        linux.tasks[init].mount_namespace = namespace;
        for path in before {
            linux.path_put(path);
        }
        linux.mount_namespaces[old].references = 1;
        linux.mount_namespace_put(old);
        self.superblocks.release(&mut self.linux);
    }

    /// New numbers are above those of the text: which of the others are in use elsewhere on the machine is not known.
    fn settle_numbers(&mut self, groups: &Groups, first_unused: u32) {
        let minor = self.lines.iter().filter(|line| line.device.major == 0).map(|line| line.device.minor).max();
        let linux = &mut self.linux;
        linux.mount_ids = Numbers::starting_at(first_unused);
        linux.group_ids = Numbers::starting_at(groups.last_group() + 1);
        linux.anonymous_devices = Numbers::starting_at(minor.unwrap_or(0) + 1);
        for superblock in self.superblocks.others(linux) {
            let device = linux.anonymous_device();
            linux.superblocks[superblock].device = device;
        }
        linux.renumber_internal_mounts();
        if let Some(device) = self.superblocks.device_of_namespaces() {
            linux.set_device_of_namespaces(device);
        }
        let namespace = linux.tasks[linux.init].mount_namespace;
        linux.mount_max = linux.mount_max.max(linux.mount_namespaces[namespace].count);
    }
}

impl Linux {
    /// A user namespace for id-mapped mounts of which nothing else is known, with one reference.
    fn identity_map(&mut self) -> Id<UserNamespace> {
        let all_ids = vec![IdExtent { inside: 0, outside: 0, count: u32::MAX }];
        let parent = self.initial_user_namespace;
        self.user_namespaces[parent].references += 1;
        let inode = self.next_namespace_inode;
        self.next_namespace_inode += 1;
        // The machine has it, so there was room for it.
        let _ = self.count_up(parent, 0, Counted::UserNamespaces);
        self.user_namespaces.insert(UserNamespace {
            inode,
            parent: Some(parent),
            level: 1,
            owner: 0,
            group: 0,
            uid_map: all_ids.clone(),
            gid_map: all_ids,
            setgroups_allowed: true,
            parent_could_setfcap: true,
            max_processes: u64::MAX,
            counts: imbl::OrdMap::new(),
            limits: Tally::unlimited(),
            references: 1,
        })
    }
}

#[cfg(test)]
mod tests;
