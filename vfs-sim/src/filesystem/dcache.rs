//! What happens to dentries and inodes: they come, are found, lose their name, and go (`fs/dcache.c`, `fs/libfs.c`).

use imbl::OrdMap;

use super::{Dentry, Entry, FilesystemType, Inode, InodeKind, NO_ID, Name, NameFlags, SuperBlock};
use crate::arena::Id;
use crate::linux::Linux;
use crate::list::List;
use crate::namespace::IdExtent;

/// The first two offsets are those of `.` and `..`, the third one stands for the first entry (`DIR_OFFSET_MIN`).
const FIRST_OFFSET: u64 = 3;

impl Linux {
    /// The root directory of a new superblock. It belongs to the root of the user namespace that the superblock is of,
    /// which has no id as long as there are no maps (`inode_init_always()`).
    pub(crate) fn new_root_directory(&mut self, superblock: Id<SuperBlock>) -> Id<Dentry> {
        let namespace = &self.user_namespaces[self.superblocks[superblock].user_namespace];
        let root = |map: &[IdExtent]| map.iter().find_map(|extent| extent.outside_of(0)).unwrap_or(NO_ID);
        let owner = (root(&namespace.uid_map), root(&namespace.gid_map));
        let inode = self.new_inode(superblock, InodeKind::Directory, 0o755, owner);
        self.inodes[inode].links = 2;
        let root = self.insert_dentry(superblock, inode, Id::from_number(0), Name::from("/"));
        self.dentries[root].parent = root;
        root
    }

    /// An inode without a name, with one link, or two for a directory.
    pub(crate) fn new_inode(
        &mut self,
        superblock: Id<SuperBlock>,
        kind: InodeKind,
        mode: u32,
        owner: (u32, u32),
    ) -> Id<Inode> {
        let object = &mut self.superblocks[superblock];
        let number = object.next_inode;
        object.next_inode += 1;
        object.used_inodes += 1;
        object.used_pages = object.used_pages.saturating_add(kind.pages());
        let links = if matches!(kind, InodeKind::Directory) { 2 } else { 1 };
        let (uid, gid) = owner;
        self.inodes.insert(Inode {
            superblock,
            number,
            kind,
            entry: Entry::None,
            mode,
            uid,
            gid,
            links,
            dentries: 0,
            is_dead: false,
            is_linkable: false,
            locks: Vec::new(),
            marks: None,
            is_layer: false,
        })
    }

    /// A dentry that is in no directory, for a file that is found by other means (`d_alloc_pseudo()`,
    /// `d_obtain_alias()`). It goes when nothing keeps it any more.
    pub(crate) fn new_detached_dentry(&mut self, inode: Id<Inode>, name: Name) -> Id<Dentry> {
        let superblock = self.inodes[inode].superblock;
        let dentry = self.insert_dentry(superblock, inode, Id::from_number(0), name);
        self.dentries[dentry].parent = dentry;
        self.dentries[dentry].is_hashed = false;
        dentry
    }

    fn insert_dentry(
        &mut self,
        superblock: Id<SuperBlock>,
        inode: Id<Inode>,
        parent: Id<Dentry>,
        name: Name,
    ) -> Id<Dentry> {
        self.inodes[inode].dentries += 1;
        self.dentries.insert(Dentry {
            superblock,
            inode,
            parent,
            name,
            scope: None,
            is_hashed: true,
            cant_mount: false,
            pins: 0,
            order: 0,
            offset: 0,
            children: OrdMap::new(),
            by_order: OrdMap::new(),
            next_order: 1,
            by_offset: OrdMap::new(),
            next_offset: FIRST_OFFSET,
            cursors: OrdMap::new(),
            name_flags: NameFlags::empty(),
            missing: OrdMap::new(),
            mounts: List::default(),
        })
    }

    /// Gives an inode a name in a directory that has no such name (`d_instantiate()`). The link count is not touched.
    pub(crate) fn new_dentry(&mut self, parent: Id<Dentry>, name: Name, inode: Id<Inode>) -> Id<Dentry> {
        self.new_scoped_dentry(parent, name, inode, None)
    }

    /// The same for processes of one user namespace, if one is given.
    pub(crate) fn new_scoped_dentry(
        &mut self,
        parent: Id<Dentry>,
        name: Name,
        inode: Id<Inode>,
        scope: Option<u64>,
    ) -> Id<Dentry> {
        let superblock = self.dentries[parent].superblock;
        let dentry = self.insert_dentry(superblock, inode, parent, name);
        self.dentries[dentry].scope = scope;
        self.enter_directory(dentry);
        dentry
    }

    /// The entry of a directory with a name, in whatever filesystem (`d_lookup()`, `i_op->lookup`).
    pub(crate) fn child(&self, directory: Id<Dentry>, name: &[u8]) -> Option<Id<Dentry>> {
        self.dentries[directory].children.get(name).copied()
    }

    /// Gives an inode a dentry that is in no directory, though it says that it is, with one reference (`d_tmpfile()`).
    pub(crate) fn new_unnamed_dentry(&mut self, parent: Id<Dentry>, name: Name, inode: Id<Inode>) -> Id<Dentry> {
        let superblock = self.dentries[parent].superblock;
        let dentry = self.insert_dentry(superblock, inode, parent, name);
        self.dentries[dentry].is_hashed = false;
        self.dentry_get(parent);
        self.dentry_get(dentry);
        dentry
    }

    /// Enters a dentry into the directory and under the name that it carries.
    fn enter_directory(&mut self, dentry: Id<Dentry>) {
        let offset = self.new_offset(self.dentries[dentry].parent);
        self.enter_directory_at(dentry, offset);
    }

    /// An offset for an entry of a directory (`simple_offset_add()`).
    pub(crate) fn new_offset(&mut self, directory: Id<Dentry>) -> u64 {
        let directory = &mut self.dentries[directory];
        directory.next_offset += 1;
        directory.next_offset - 1
    }

    /// Enters a dentry, which is read before all others, into the directory and under the name that it carries.
    pub(super) fn enter_directory_at(&mut self, dentry: Id<Dentry>, offset: u64) {
        let (parent, key) = (self.dentries[dentry].parent, self.dentries[dentry].key());
        let directory = &mut self.dentries[parent];
        let order = directory.next_order;
        directory.next_order += 1;
        directory.children.insert(key, dentry);
        directory.by_order.insert(order, dentry);
        directory.by_offset.insert(offset, dentry);
        let object = &mut self.dentries[dentry];
        object.order = order;
        object.offset = offset;
        object.is_hashed = true;
    }

    /// Takes a dentry out of its directory; it still says where it was.
    pub(super) fn leave_directory(&mut self, dentry: Id<Dentry>) {
        let Dentry { parent, order, offset, .. } = self.dentries[dentry];
        let key = self.dentries[dentry].key();
        let directory = &mut self.dentries[parent];
        directory.children.remove(&key);
        directory.by_order.remove(&order);
        directory.by_offset.remove(&offset);
    }

    /// Takes a dentry's name out of its directory (`d_drop()`). It stays while something keeps it; the link count of the
    /// inode is not touched.
    pub(crate) fn unhash(&mut self, dentry: Id<Dentry>) {
        if !std::mem::take(&mut self.dentries[dentry].is_hashed) {
            return;
        }
        self.leave_directory(dentry);
        // It still says where it was.
        let parent = self.dentries[dentry].parent;
        self.dentry_get(parent);
        self.free_if_unused(dentry);
    }

    /// Keeps a dentry from going (`dget()`).
    pub(crate) fn dentry_get(&mut self, dentry: Id<Dentry>) {
        self.dentries[dentry].pins += 1;
    }

    /// Undoes one [`dentry_get`](Self::dentry_get) (`dput()`).
    pub(crate) fn dentry_put(&mut self, dentry: Id<Dentry>) {
        self.dentries[dentry].pins -= 1;
        self.free_if_unused(dentry);
    }

    pub(super) fn free_if_unused(&mut self, mut dentry: Id<Dentry>) {
        loop {
            let object = &self.dentries[dentry];
            if object.pins > 0 || !object.children.is_empty() {
                return;
            }
            if object.is_hashed {
                if self.is_cut_off(dentry) {
                    self.unhash(dentry);
                }
                return;
            }
            let (parent, inode) = (object.parent, object.inode);
            self.dentries.remove(dentry);
            self.inode_put(inode);
            if parent == dentry {
                return;
            }
            // The reference that `unhash` took.
            self.dentries[parent].pins -= 1;
            dentry = parent;
        }
    }

    /// Whether a dentry has its name still, but a directory above it has not: in proc, when a process is gone. Nobody finds
    /// it any more.
    fn is_cut_off(&self, mut dentry: Id<Dentry>) -> bool {
        if self.superblocks[self.dentries[dentry].superblock].filesystem != FilesystemType::Proc {
            return false;
        }
        loop {
            let parent = self.dentries[dentry].parent;
            if parent == dentry {
                return false;
            }
            if !self.dentries[parent].is_hashed {
                return true;
            }
            dentry = parent;
        }
    }

    fn inode_put(&mut self, inode: Id<Inode>) {
        let object = &mut self.inodes[inode];
        object.dentries -= 1;
        if object.dentries == 0 {
            let superblock = &mut self.superblocks[object.superblock];
            superblock.removed -= u32::from(object.links == 0);
            superblock.used_inodes = superblock.used_inodes.saturating_sub(object.counted_inodes());
            superblock.used_by_marks = superblock.used_by_marks.saturating_sub(object.marks_space());
            superblock.used_pages = superblock.used_pages.saturating_sub(object.kind.pages());
            let Some(object) = self.inodes.remove(inode) else { return };
            match object.entry {
                Entry::Namespace(namespace) => self.namespace_file_is_gone(namespace),
                Entry::Overlay(state) => self.release_overlay_inode(object.superblock, inode, &state),
                _ => {}
            }
        }
    }

    /// Lets a dentry stand for another inode.
    pub(super) fn replace_inode(&mut self, dentry: Id<Dentry>, inode: Id<Inode>) {
        self.inodes[inode].dentries += 1;
        let old = std::mem::replace(&mut self.dentries[dentry].inode, inode);
        self.inode_put(old);
    }

    /// Takes a link away, the last of a file being remembered until the file goes (`drop_nlink()`).
    pub(crate) fn drop_link(&mut self, inode: Id<Inode>) {
        let object = &mut self.inodes[inode];
        object.links = object.links.saturating_sub(1);
        if object.links == 0 {
            let superblock = object.superblock;
            self.superblocks[superblock].removed += 1;
        }
    }

    /// Whether `dentry` is `directory` or somewhere below it (`is_subdir()`).
    pub(crate) fn is_subdirectory(&self, mut dentry: Id<Dentry>, directory: Id<Dentry>) -> bool {
        loop {
            if dentry == directory {
                return true;
            }
            let parent = self.dentries[dentry].parent;
            if parent == dentry {
                return false;
            }
            dentry = parent;
        }
    }

    /// The same for two dentries of one filesystem, one of which is found in it by its path: below its root everything is,
    /// and need not be looked at.
    pub(crate) fn is_subdirectory_there(&self, dentry: Id<Dentry>, directory: Id<Dentry>) -> bool {
        let object = &self.dentries[directory];
        let is_root = object.parent == directory && object.is_hashed;
        is_root || self.is_subdirectory(dentry, directory)
    }

    /// Lets go of a superblock, which goes with its last user (`deactivate_super()`).
    pub(crate) fn superblock_put(&mut self, superblock: Id<SuperBlock>) {
        let object = &mut self.superblocks[superblock];
        object.active -= 1;
        if object.active > 0 {
            return;
        }
        let (root, device, user_namespace) = (object.root, object.device, object.user_namespace);
        let (pid_namespace, kernel_namespace) = (object.pid_namespace, object.kernel_namespace);
        // A loaded host may have several filesystems of one device.
        let is_anonymous = device.major == 0 && !matches!(object.filesystem, FilesystemType::Foreign(_));
        let mut rest = vec![root];
        while let Some(dentry) = rest.pop() {
            let Some(object) = self.dentries.remove(dentry) else { continue };
            rest.extend(object.children.values());
            self.inode_put(object.inode);
        }
        if let Some(object) = self.superblocks.remove(superblock) {
            if object.filesystem.is_looked_for() {
                self.superblocks_by_type.remove(&(object.filesystem, superblock));
            }
            if let Some(overlay) = object.overlay {
                self.release_overlay(&overlay);
            }
        }
        if is_anonymous {
            self.anonymous_devices.release(device.minor);
        }
        if let Some(namespace) = pid_namespace {
            self.pid_namespace_put(namespace);
        }
        if let Some(namespace) = kernel_namespace {
            self.other_namespace_put(namespace);
        }
        self.user_namespace_put(user_namespace);
    }
}
