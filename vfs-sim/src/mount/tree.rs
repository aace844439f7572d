//! The tree of mounts: what is mounted where.

use super::{AtMountpoint, Children, MntFlags, Mount, Path, Ring};
use crate::arena::Id;
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::list::{self, Link, List};
use crate::namespace::MountNamespace;

impl Linux {
    /// A mount of what is at and below `root`, not in any tree yet, with one reference (`alloc_vfsmnt()`, `setup_mnt()`).
    pub(crate) fn new_mount(&mut self, root: Id<Dentry>, source: &Name) -> Id<Mount> {
        let superblock = self.dentries[root].superblock;
        self.superblocks[superblock].active += 1;
        self.dentry_get(root);
        self.last_unique_mount_id += 1;
        let itself = self.mounts.next_id();
        self.mounts.insert(Mount {
            id: self.mount_ids.allocate(),
            unique_id: self.last_unique_mount_id,
            superblock,
            root,
            parent: itself,
            mountpoint: root,
            flags: MntFlags::empty(),
            source: source.clone(),
            namespace: None,
            is_listed: false,
            count: 1,
            writers: 0,
            expiry_mark: false,
            idmap: None,
            overmount: None,
            children: List::default(),
            child: Link::default(),
            at_mountpoint: Link::default(),
            is_attached: false,
            is_visible: false,
            group: 0,
            is_shared: false,
            is_unbindable: false,
            peers: Ring { next: itself, previous: itself },
            slaves: List::default(),
            slave: Link::default(),
            master: None,
            is_marked: false,
            is_candidate: false,
        })
    }

    /// The mount that a path walk finds at a place, the lowest if several are stacked (`__lookup_mnt()`).
    pub(crate) fn lookup_mount(&self, path: Path) -> Option<Id<Mount>> {
        if self.dentries[path.dentry].mounts.is_empty() {
            return None;
        }
        self.mount_table.get(&(path.mount, path.dentry)).copied()
    }

    /// Whether a mount is on another one, which not the root of a tree is (`mnt_has_parent()`).
    pub(crate) fn has_parent(&self, mount: Id<Mount>) -> bool {
        self.mounts[mount].parent != mount
    }

    /// The place of a mount's root.
    pub(crate) fn root_of(&self, mount: Id<Mount>) -> Path {
        Path { mount, dentry: self.mounts[mount].root }
    }

    /// Whether a place is the root of its mount (`path_mounted()`).
    pub(crate) fn is_root_of_mount(&self, path: Path) -> bool {
        self.mounts[path.mount].root == path.dentry
    }

    /// The topmost of the mounts stacked on a mount's root; itself if there is none (`topmost_overmount()`).
    pub(crate) fn topmost_overmount(&self, mut mount: Id<Mount>) -> Id<Mount> {
        while let Some(over) = self.mounts[mount].overmount {
            mount = over;
        }
        mount
    }

    /// Says where a mount is, without making it visible (`mnt_set_mountpoint()`).
    pub(crate) fn set_mountpoint(&mut self, mount: Id<Mount>, place: Path) {
        let object = &mut self.mounts[mount];
        object.parent = place.mount;
        object.mountpoint = place.dentry;
        object.is_attached = true;
        let dentry = &mut self.dentries[place.dentry];
        if dentry.mounts.is_empty() {
            dentry.pins += 1;
        }
        list::push_front::<AtMountpoint, _>(&mut self.mounts, &mut dentry.mounts, mount);
    }

    /// Lets path walks find a mount, as the last child of its parent (`make_visible()`). What they found there before is
    /// given.
    pub(crate) fn make_visible(&mut self, mount: Id<Mount>) -> Option<Id<Mount>> {
        let object = &mut self.mounts[mount];
        object.is_visible = true;
        let (parent, mountpoint) = (object.parent, object.mountpoint);
        if self.mounts[parent].root == mountpoint {
            self.mounts[parent].overmount = Some(mount);
        }
        self.link_child(parent, mount);
        self.mount_table.insert((parent, mountpoint), mount)
    }

    /// `list_add_tail(&mnt->mnt_child, &parent->mnt_mounts)`
    pub(crate) fn link_child(&mut self, parent: Id<Mount>, mount: Id<Mount>) {
        let mut children = self.mounts[parent].children;
        list::push_back::<Children, _>(&mut self.mounts, &mut children, mount);
        self.mounts[parent].children = children;
    }

    /// `list_del_init(&mnt->mnt_child)`; the mount must be a linked child.
    pub(crate) fn unlink_child(&mut self, mount: Id<Mount>) {
        let parent = self.mounts[mount].parent;
        let mut children = self.mounts[parent].children;
        list::remove::<Children, _>(&mut self.mounts, &mut children, mount);
        self.mounts[parent].children = children;
    }

    /// Whether a mount is among the children of its parent; while it is being unmounted it need not be.
    pub(crate) fn is_linked_child(&self, mount: Id<Mount>) -> bool {
        let object = &self.mounts[mount];
        object.child.previous.is_some() || self.mounts[object.parent].children.first == Some(mount)
    }

    /// Mounts a mount at a place (`attach_mnt()`).
    pub(crate) fn attach(&mut self, mount: Id<Mount>, place: Path) {
        self.set_mountpoint(mount, place);
        self.make_visible(mount);
    }

    /// Takes a mount off its mountpoint: it becomes the root of its own tree (`umount_mnt()`).
    pub(crate) fn detach(&mut self, mount: Id<Mount>) {
        self.leave_mountpoint(mount);
        let object = &mut self.mounts[mount];
        object.parent = mount;
        object.mountpoint = object.root;
    }

    /// Puts a mount that is mounted somewhere else (`mnt_change_mountpoint()`).
    pub(crate) fn change_mountpoint(&mut self, mount: Id<Mount>, place: Path) {
        // The dentry must outlive its list of mounts becoming empty in between.
        let old = self.mounts[mount].mountpoint;
        self.dentry_get(old);
        self.leave_mountpoint(mount);
        self.attach(mount, place);
        self.dentry_put(old);
    }

    fn leave_mountpoint(&mut self, mount: Id<Mount>) {
        let (parent, mountpoint) = (self.mounts[mount].parent, self.mounts[mount].mountpoint);
        if self.mounts[parent].overmount == Some(mount) {
            self.mounts[parent].overmount = None;
        }
        if self.is_linked_child(mount) {
            self.unlink_child(mount);
        }
        let object = &mut self.mounts[mount];
        let was_visible = std::mem::take(&mut object.is_visible);
        let was_attached = std::mem::take(&mut object.is_attached);
        if was_visible
            && let Some(found) = self.mount_table.remove(&(parent, mountpoint))
            && found != mount
        {
            self.mount_table.insert((parent, mountpoint), found);
        }
        if !was_attached {
            return;
        }
        let dentry = &mut self.dentries[mountpoint];
        list::remove::<AtMountpoint, _>(&mut self.mounts, &mut dentry.mounts, mount);
        if dentry.mounts.is_empty() {
            self.dentry_put(mountpoint);
        }
    }

    /// The mount that follows in a walk over a tree, parents before children (`next_mnt()`).
    pub(crate) fn next_mount(&self, mount: Id<Mount>, root: Id<Mount>) -> Option<Id<Mount>> {
        if let Some(child) = self.mounts[mount].children.first {
            return Some(child);
        }
        let mut mount = mount;
        while mount != root {
            let object = &self.mounts[mount];
            if object.child.next.is_some() {
                return object.child.next;
            }
            mount = object.parent;
        }
        None
    }

    /// The last mount of a tree in the order of [`next_mount`](Self::next_mount) (`skip_mnt_tree()`).
    pub(crate) fn last_mount(&self, mut mount: Id<Mount>) -> Id<Mount> {
        while let Some(last) = self.mounts[mount].children.last {
            mount = last;
        }
        mount
    }

    /// Every mount of a tree, parents before children.
    pub(crate) fn mount_tree(&self, root: Id<Mount>) -> Vec<Id<Mount>> {
        self.mounts_of_tree(root).collect()
    }

    /// Every mount of a tree, parents before children, one after the other.
    pub(crate) fn mounts_of_tree(&self, root: Id<Mount>) -> impl Iterator<Item = Id<Mount>> {
        std::iter::successors(Some(root), move |mount| self.next_mount(*mount, root))
    }

    /// Whether `mount` is `ancestor` or somewhere on it (`mount_is_ancestor()`).
    pub(crate) fn is_mount_ancestor(&self, ancestor: Id<Mount>, mut mount: Id<Mount>) -> bool {
        while mount != ancestor && self.has_parent(mount) {
            mount = self.mounts[mount].parent;
        }
        mount == ancestor
    }

    /// Whether a place can be reached from another one downwards (`is_path_reachable()`).
    pub(crate) fn is_reachable(&self, place: Path, root: Path) -> bool {
        let Path { mut mount, mut dentry } = place;
        while mount != root.mount && self.has_parent(mount) {
            dentry = self.mounts[mount].mountpoint;
            mount = self.mounts[mount].parent;
        }
        mount == root.mount && self.is_subdirectory_there(dentry, root.dentry)
    }

    /// Enters all mounts of a tree into the list of a namespace: how many.
    pub(crate) fn list_tree_in_namespace(&mut self, namespace: Id<MountNamespace>, tree: Id<Mount>) -> u32 {
        let mut mounts = std::mem::take(&mut self.mount_namespaces[namespace].mounts);
        let mut count = 0;
        let mut next = Some(tree);
        while let Some(mount) = next {
            let object = &mut self.mounts[mount];
            object.namespace = Some(namespace);
            object.is_listed = true;
            mounts.insert(object.unique_id, mount);
            count += 1;
            next = self.next_mount(mount, tree);
        }
        self.mount_namespaces[namespace].mounts = mounts;
        count
    }

    /// Enters a mount into the list of its namespace (`mnt_add_to_ns()`).
    pub(crate) fn list_in_namespace(&mut self, namespace: Id<MountNamespace>, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.namespace = Some(namespace);
        object.is_listed = true;
        let unique_id = object.unique_id;
        self.mount_namespaces[namespace].mounts.insert(unique_id, mount);
    }

    /// Takes a mount out of the list of its namespace, which it still belongs to (`move_from_ns()`).
    pub(crate) fn unlist_from_namespace(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.is_listed = false;
        let unique_id = object.unique_id;
        if let Some(namespace) = object.namespace {
            self.mount_namespaces[namespace].mounts.remove(&unique_id);
        }
    }
}
