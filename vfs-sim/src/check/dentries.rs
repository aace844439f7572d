//! Dentries, inodes and superblocks.

use super::counts::Counts;
use super::{Inconsistency, agree, ensure, find, name};
use crate::arena::Id;
use crate::filesystem::{Dentry, FilesystemType, Inode};
use crate::linux::Linux;

impl Linux {
    pub(super) fn check_dentries(&self) -> Result<(), Inconsistency> {
        let mut of_inode = Counts::over(&self.inodes);
        let mut entries = Counts::over(&self.dentries);
        for (id, dentry) in self.dentries.iter() {
            let object = name("dentry", id);
            let inode = find(&self.inodes, dentry.inode, object, "the inode")?;
            of_inode.add(dentry.inode);
            ensure(inode.superblock == dentry.superblock, object, "the inode is in the same filesystem")?;
            let superblock = find(&self.superblocks, dentry.superblock, object, "the superblock")?;
            let parent = find(&self.dentries, dentry.parent, object, "the parent")?;
            ensure(parent.superblock == dentry.superblock, object, "the parent is in the same filesystem")?;
            if dentry.parent == id {
                let is_root = superblock.root == id;
                ensure(is_root || !dentry.is_hashed, object, "what has no parent is a root, or in no directory")?;
                continue;
            }
            let parent_inode = find(&self.inodes, parent.inode, object, "the inode of the parent")?;
            ensure(parent_inode.is_directory(), object, "the parent is a directory")?;
            entries.add_many(dentry.parent, u64::from(dentry.is_hashed));
        }
        for (id, dentry) in self.dentries.iter() {
            self.check_entries(id, dentry, entries.of(id))?;
            // Nobody else can be above something.
            if !dentry.children.is_empty() || !dentry.is_hashed {
                self.check_ancestors(id, dentry)?;
            }
        }
        self.check_inodes(&of_inode)?;
        self.check_superblocks()
    }

    /// That nothing is its own ancestor.
    fn check_ancestors(&self, id: Id<Dentry>, dentry: &Dentry) -> Result<(), Inconsistency> {
        let object = name("dentry", id);
        let mut above = dentry.parent;
        for _ in 0..=self.dentries.len() {
            let next = find(&self.dentries, above, object, "a directory above")?.parent;
            if next == above {
                return Ok(());
            }
            above = next;
        }
        ensure(false, object, "the directories above end in a root")
    }

    /// That the entries of a directory say that they are there, by their names and by their order, and that there are as many
    /// as dentries that say so.
    fn check_entries(&self, id: Id<Dentry>, dentry: &Dentry, expected: u64) -> Result<(), Inconsistency> {
        let object = name("dentry", id);
        let entries = u64::try_from(dentry.children.len()).unwrap_or(u64::MAX);
        agree(entries, expected, object, "the number of entries")?;
        agree(u64::try_from(dentry.by_order.len()).unwrap_or(0), entries, object, "the number of listed entries")?;
        agree(u64::try_from(dentry.by_offset.len()).unwrap_or(0), entries, object, "the number of offsets")?;
        // Most have none, and an iterator over them costs.
        if entries == 0 {
            return Ok(());
        }
        for (entry_name, entry) in &dentry.children {
            let entry = find(&self.dentries, *entry, object, "an entry")?;
            let is_right = entry.parent == id && entry.has_key(entry_name) && entry.is_hashed;
            ensure(is_right, object, "its entries are hashed, and know their name and their directory")?;
            let is_last = entry.order < dentry.next_order && entry.offset < dentry.next_offset;
            ensure(is_last, object, "numbers that its entries have are not given out again")?;
        }
        for (order, entry) in &dentry.by_order {
            let entry = find(&self.dentries, *entry, object, "a listed entry")?;
            let is_right = entry.parent == id && entry.order == *order && entry.is_hashed;
            ensure(is_right, object, "it lists its entries, in their order")?;
        }
        for (offset, entry) in &dentry.by_offset {
            let entry = find(&self.dentries, *entry, object, "an entry with an offset")?;
            let is_right = entry.parent == id && entry.offset == *offset && entry.is_hashed;
            ensure(is_right, object, "it knows its entries by their offsets")?;
        }
        Ok(())
    }

    fn check_inodes(&self, of_inode: &Counts<Inode>) -> Result<(), Inconsistency> {
        for (id, inode) in self.inodes.iter() {
            let object = name("inode", id);
            find(&self.superblocks, inode.superblock, object, "the superblock")?;
            let dentries = of_inode.of(id) + u64::from(self.internal.keeps_inode(id));
            agree(inode.dentries, dentries, object, "the number of dentries")?;
            for lock in &inode.locks {
                let holder = find(&self.files, lock.file, object, "the holder of a lock")?;
                let locked = find(&self.dentries, holder.path.dentry, object, "the dentry of a lock's holder")?;
                ensure(locked.inode == id, object, "a lock is held by a file that is open for it")?;
            }
        }
        self.check_links()
    }

    /// That links of files that users make are counted: the names of a file, and of a directory itself, `.`, and the `..`
    /// of those in it.
    fn check_links(&self) -> Result<(), Inconsistency> {
        let mut links = Counts::over(&self.inodes);
        for (id, dentry) in self.dentries.iter() {
            let is_directory = self.inodes[dentry.inode].is_directory();
            if dentry.parent == id {
                links.add_many(dentry.inode, 2);
            } else if dentry.is_hashed {
                links.add_many(dentry.inode, if is_directory { 2 } else { 1 });
                if is_directory {
                    links.add(self.dentries[dentry.parent].inode);
                }
            }
        }
        for (id, inode) in self.inodes.iter() {
            let filesystem = &self.superblocks[inode.superblock].filesystem;
            if matches!(filesystem, FilesystemType::Tmpfs | FilesystemType::Ramfs) {
                agree(inode.links, links.of(id), name("inode", id), "the number of links")?;
                let is_gone = inode.is_directory() && inode.links == 0;
                ensure(
                    inode.is_dead == is_gone,
                    name("inode", id),
                    "a directory without links is dead, and nothing else",
                )?;
            }
        }
        Ok(())
    }

    fn check_superblocks(&self) -> Result<(), Inconsistency> {
        let counts = || Counts::over(&self.superblocks);
        let (mut removed, mut used_pages, mut used_inodes, mut used_by_marks) =
            (counts(), counts(), counts(), counts());
        for (_, inode) in self.inodes.iter() {
            removed.add_many(inode.superblock, u64::from(inode.links == 0));
            used_pages.add_many(inode.superblock, inode.kind.pages());
            used_inodes.add_many(inode.superblock, inode.counted_inodes());
            used_by_marks.add_many(inode.superblock, inode.marks_space());
        }
        for (id, superblock) in self.superblocks.iter() {
            let object = name("superblock", id);
            let root = find(&self.dentries, superblock.root, object, "the root")?;
            ensure(root.superblock == id && root.parent == superblock.root, object, "the root is the root")?;
            find(&self.user_namespaces, superblock.user_namespace, object, "the user namespace")?;
            let counted = removed.of(id);
            agree(superblock.used_by_marks, used_by_marks.of(id), object, "the room that notes of overlays take")?;
            agree(superblock.used_pages, used_pages.of(id), object, "the number of pages in use")?;
            if self.limits(id).is_some() {
                agree(superblock.used_inodes, used_inodes.of(id), object, "the number of inodes in use")?;
            }
            agree(superblock.removed, counted, object, "the number of removed files that are kept")?;
        }
        Ok(())
    }
}
