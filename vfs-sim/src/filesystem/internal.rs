//! Filesystems that the kernel mounts for itself: their files have no path (`kern_mount()`, `fs/anon_inodes.c`).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{Dentry, FilesystemType, Inode, InodeKind, Name};
use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::NamespaceRef;

/// The mounts of the kernel's own, and what is found in them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InternalMounts {
    /// The mount of the files of namespaces.
    pub(crate) nsfs: Id<Mount>,
    /// The mount of pipes.
    pub(crate) pipefs: Id<Mount>,
    /// The mount of files that are none.
    pub(crate) anonymous: Id<Mount>,
    /// The one inode of all files that are none.
    pub(crate) anonymous_inode: Id<Inode>,
    /// The files of namespaces that something keeps.
    #[serde(with = "pairs")]
    pub(crate) namespace_files: OrdMap<NamespaceRef, Id<Dentry>>,
    /// Files of namespaces that a running call has found, and perhaps does not keep.
    pub(crate) found: Vec<Id<Dentry>>,
}

/// A map whose keys are no strings, as pairs.
mod pairs {
    use super::{Dentry, Id, NamespaceRef, OrdMap};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &OrdMap<NamespaceRef, Id<Dentry>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OrdMap<NamespaceRef, Id<Dentry>>, D::Error> {
        Vec::<(NamespaceRef, Id<Dentry>)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

impl InternalMounts {
    /// Whether an inode is kept without a dentry.
    pub(crate) fn keeps_inode(&self, inode: Id<Inode>) -> bool {
        self.anonymous_inode == inode
    }

    /// Mounts of which there are none yet.
    pub(crate) fn none() -> Self {
        let none = Id::from_number(u32::MAX);
        let anonymous_inode = Id::from_number(u32::MAX);
        Self {
            nsfs: none,
            pipefs: none,
            anonymous: none,
            anonymous_inode,
            namespace_files: OrdMap::new(),
            found: Vec::new(),
        }
    }
}

impl Linux {
    /// Mounts the filesystems of the kernel's own, as it does when it boots.
    pub(crate) fn mount_internal_filesystems(&mut self) {
        self.internal.nsfs = self.internal_mount(FilesystemType::Nsfs, "nsfs");
        // The files of namespaces can be mounted.
        let nsfs = self.mounts[self.internal.nsfs].superblock;
        self.superblocks[nsfs].is_internal = false;
        self.internal.pipefs = self.internal_mount(FilesystemType::Pipefs, "pipefs");
        self.internal.anonymous = self.internal_mount(FilesystemType::AnonInodeFs, "anon_inodefs");
        let superblock = self.mounts[self.internal.anonymous].superblock;
        let inode = self.new_inode(superblock, InodeKind::Anonymous, 0o600, (0, 0));
        self.inodes[inode].dentries = 1;
        self.internal.anonymous_inode = inode;
    }

    /// Gives the kernel's own mounts new numbers, when those of a loaded host were taken out of the same ones.
    pub(crate) fn renumber_internal_mounts(&mut self) {
        for mount in [self.internal.nsfs, self.internal.pipefs, self.internal.anonymous] {
            self.mounts[mount].id = self.mount_ids.allocate();
            let device = self.anonymous_device();
            let superblock = self.mounts[mount].superblock;
            self.superblocks[superblock].device = device;
        }
    }

    fn internal_mount(&mut self, filesystem: FilesystemType, source: &str) -> Id<Mount> {
        let superblock = self.new_superblock(filesystem, self.initial_user_namespace);
        self.superblocks[superblock].is_internal = true;
        let mount = self.new_mount(self.superblocks[superblock].root, &Name::from(source));
        self.mounts[mount].flags = MntFlags::INTERNAL;
        mount
    }

    /// A file that is none, whose path is shown as `anon_inode:` and this name (`anon_inode_getfile()`). It goes with the
    /// last reference to it.
    pub(crate) fn anonymous_path(&mut self, name: &str) -> Path {
        let mount = self.internal.anonymous;
        let name = Name::from(format!("anon_inode:{name}").as_str());
        let dentry = self.new_detached_dentry(self.internal.anonymous_inode, name);
        Path { mount, dentry }
    }
}
