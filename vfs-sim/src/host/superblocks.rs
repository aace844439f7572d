//! The filesystems of a table, and what has to be in them.

use cofferdam::kernel::{DeviceNumber, MountFlags};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Loader;
use super::error::{LineError, quote};
use super::line::{Line, Root};
use crate::arena::Id;
use crate::filesystem::{Dentry, FilesystemType, FsContext, InodeKind, Name, Parameters, SuperBlock, filesystem_type};
use crate::linux::Linux;

/// What makes mounts share a superblock: device, type and options.
type Key = (DeviceNumber, Vec<u8>, Vec<u8>);

/// A path below the root of a superblock.
type Place = (Id<SuperBlock>, Vec<Vec<u8>>);

/// The superblocks of a table.
#[derive(Default)]
pub(super) struct Superblocks {
    by_key: FxHashMap<Key, Id<SuperBlock>>,
    /// The contexts that superblocks were made in, and that keep them until there are mounts.
    contexts: Vec<FsContext>,
    /// Files and directories that are not there any more.
    deleted: FxHashMap<Place, Id<Dentry>>,
    /// The files of mount namespaces that are mounted.
    pub(super) namespaces: FxHashMap<u64, Id<Dentry>>,
    /// Their device.
    pub(super) namespaces_device: Option<DeviceNumber>,
}

impl Superblocks {
    /// The superblocks of a kernel that are in no line.
    pub(super) fn others(&self, linux: &Linux) -> Vec<Id<SuperBlock>> {
        let shown: FxHashSet<_> = self.by_key.values().copied().collect();
        linux.superblocks.iter().map(|(id, _)| id).filter(|id| !shown.contains(id)).collect()
    }

    /// The device of the files of namespaces, if the table has such.
    pub(super) fn device_of_namespaces(&self) -> Option<DeviceNumber> {
        self.namespaces_device
    }

    /// Leaves the superblocks to their mounts.
    pub(super) fn release(&mut self, linux: &mut Linux) {
        for context in self.contexts.drain(..) {
            linux.drop_context(context);
        }
    }
}

impl Loader<'_> {
    /// What a line mounts, kept by a reference.
    pub(super) fn root_of_line(&mut self, line: &Line) -> Result<Id<Dentry>, LineError> {
        let superblock = self.superblock_of_line(line);
        let root = self.linux.superblocks[superblock].root;
        let dentry = match &line.root {
            Root::Path { names, is_deleted: true } => {
                let key = (superblock, names.clone());
                if let Some(deleted) = self.superblocks.deleted.get(&key) {
                    self.linux.dentry_get(*deleted);
                    return Ok(*deleted);
                }
                let deleted = self.linux.make_deleted(root, names)?;
                self.superblocks.deleted.insert(key, deleted);
                return Ok(deleted);
            }
            Root::Path { names, is_deleted: false } => {
                let is_directory = !self.files.has(line.device, names);
                self.linux.make_path(root, names, is_directory)?
            }
            Root::Name(name) => self.linux.make_path(root, std::slice::from_ref(name), false)?,
        };
        self.linux.dentry_get(dentry);
        Ok(dentry)
    }

    fn superblock_of_line(&mut self, line: &Line) -> Id<SuperBlock> {
        let key = (line.device, line.filesystem.clone(), line.super_options.clone());
        if let Some(superblock) = self.superblocks.by_key.get(&key) {
            return *superblock;
        }
        let superblock = match self.known_type(line) {
            Some(filesystem) => self.known_superblock(&filesystem, line),
            None => None,
        };
        let superblock = superblock.unwrap_or_else(|| {
            let filesystem = match &line.filesystem[..] {
                b"rootfs" => FilesystemType::Rootfs,
                name => FilesystemType::Foreign(Name::from(name)),
            };
            self.linux.new_superblock(filesystem, self.linux.initial_user_namespace)
        });
        self.linux.superblocks[superblock].device = line.device;
        self.linux.superblocks[superblock].flags = line.super_flags;
        if self.linux.show_options(superblock) != line.super_options {
            let object = &mut self.linux.superblocks[superblock];
            match &line.own_options[..] {
                b"" => object.parameters = Parameters::None,
                own => object.options = vec![(Name::from(own), None)],
            }
        }
        self.superblocks.by_key.insert(key, superblock);
        superblock
    }

    /// The type of a line's filesystem, if one can be made as mount(2) does.
    fn known_type(&self, line: &Line) -> Option<FilesystemType> {
        let filesystem = filesystem_type(&line.filesystem)?;
        let is_single = match filesystem {
            FilesystemType::Tmpfs | FilesystemType::Ramfs | FilesystemType::Proc | FilesystemType::Devpts => false,
            FilesystemType::Sysfs | FilesystemType::Devtmpfs | FilesystemType::Mqueue => true,
            _ => return None,
        };
        let is_there = is_single && self.linux.superblocks_of(&filesystem).next().is_some();
        (!is_there).then_some(filesystem)
    }

    fn known_superblock(&mut self, filesystem: &FilesystemType, line: &Line) -> Option<Id<SuperBlock>> {
        let own = (!line.own_options.is_empty()).then_some(&line.own_options[..]);
        // Options that are not known here are only shown.
        let context = self
            .context_with(filesystem, line.super_flags, own)
            .or_else(|| self.context_with(filesystem, line.super_flags, None))?;
        let superblock = context.root.map(|root| self.linux.dentries[root].superblock);
        self.superblocks.contexts.push(context);
        superblock
    }

    fn context_with(
        &mut self,
        filesystem: &FilesystemType,
        flags: MountFlags,
        options: Option<&[u8]>,
    ) -> Option<FsContext> {
        let linux = &mut self.linux;
        let init = linux.init;
        let mut context = linux.context_for_mount(init, filesystem.clone(), flags).ok()?;
        let result = linux.parse_monolithic(init, &mut context, options);
        if result.and_then(|()| linux.get_tree(init, &mut context)).is_ok() {
            Some(context)
        } else {
            linux.drop_context(context);
            None
        }
    }
}

impl Linux {
    /// A new directory, like one that root made.
    pub(super) fn new_directory(&mut self, parent: Id<Dentry>, name: Name) -> Id<Dentry> {
        let superblock = self.dentries[parent].superblock;
        let inode = self.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
        let above = self.dentries[parent].inode;
        self.inodes[above].links += 1;
        self.new_dentry(parent, name, inode)
    }

    /// A new file with nothing in it, like one that root made.
    pub(super) fn new_empty_file(&mut self, parent: Id<Dentry>, name: Name) -> Id<Dentry> {
        let superblock = self.dentries[parent].superblock;
        let inode = self.new_inode(superblock, InodeKind::Regular(std::sync::Arc::default()), 0o644, (0, 0));
        self.new_dentry(parent, name, inode)
    }

    /// Finds what is at a path, and makes what is not there.
    pub(super) fn make_path(
        &mut self,
        mut dentry: Id<Dentry>,
        names: &[Vec<u8>],
        is_directory: bool,
    ) -> Result<Id<Dentry>, LineError> {
        for (index, name) in names.iter().enumerate() {
            if !self.inodes[self.dentries[dentry].inode].is_directory() {
                return Err(LineError::NotADirectory(quote(self.dentries[dentry].name.as_bytes())));
            }
            let known = if is_directory || index + 1 < names.len() {
                self.find_directory_in_proc(dentry, name)
            } else {
                self.find_in_proc(self.init, dentry, name).and_then(Result::ok)
            };
            dentry = match known.or_else(|| self.dentries[dentry].children.get(&name[..]).copied()) {
                Some(child) => child,
                None if self.inodes[self.dentries[dentry].inode].is_dead => {
                    return Err(LineError::Removed(quote(name)));
                }
                None if is_directory || index + 1 < names.len() => {
                    let directory = self.new_directory(dentry, Name::from(&name[..]));
                    self.mark_mount_point(directory, &names[..=index]);
                    directory
                }
                None => self.new_empty_file(dentry, Name::from(&name[..])),
            };
        }
        Ok(dentry)
    }

    /// A directory that was removed, kept by a reference.
    fn make_deleted(&mut self, root: Id<Dentry>, names: &[Vec<u8>]) -> Result<Id<Dentry>, LineError> {
        let Some((name, above)) = names.split_last() else { return Ok(root) };
        let parent = self.make_path(root, above, true)?;
        if !self.inodes[self.dentries[parent].inode].is_directory() {
            return Err(LineError::NotADirectory(quote(self.dentries[parent].name.as_bytes())));
        }
        let name = Name::from(&name[..]);
        // There may be a new one of the same name.
        let other = self.dentries[parent].children.get(&name).copied();
        let superblock = self.dentries[parent].superblock;
        let inode = self.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
        let deleted = self.new_dentry(parent, name.clone(), inode);
        self.dentry_get(deleted);
        self.unhash(deleted);
        self.drop_link(inode);
        self.drop_link(inode);
        self.inodes[inode].is_dead = true;
        if let Some(other) = other {
            self.dentries[parent].children.insert(name, other);
        }
        Ok(deleted)
    }
}
