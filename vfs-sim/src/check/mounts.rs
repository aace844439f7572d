//! The trees of mounts.

use super::{Inconsistency, ObjectName, agree, ensure, find, name};
use crate::arena::{Arena, Id};
use crate::linux::Linux;
use crate::list::{Chain, List};
use crate::mount::{AtMountpoint, Children, MntFlags, Mount};

impl Linux {
    pub(super) fn check_mounts(&self) -> Result<(), Inconsistency> {
        let (mut ids, mut unique_ids) = (Vec::with_capacity(self.mounts.len()), Vec::with_capacity(self.mounts.len()));
        let (mut children, mut at_mountpoints, mut visible) = (0, 0, 0_usize);
        for (id, mount) in self.mounts.iter() {
            let object = name("mount", id);
            ids.push((mount.id, object));
            unique_ids.push((mount.unique_id, object));
            let is_given_out = mount.unique_id <= self.last_unique_mount_id;
            ensure(is_given_out, object, "its unique id is not given out again")?;
            let root = find(&self.dentries, mount.root, object, "the root")?;
            ensure(root.superblock == mount.superblock, object, "its root is in its filesystem")?;
            ensure(!mount.is_marked && !mount.is_candidate, object, "the marks of propagation are gone")?;
            self.check_place(id, mount)?;
            self.check_overmount(id, mount)?;
            children += usize::from(mount.parent != id);
            at_mountpoints += usize::from(mount.is_attached);
            visible += usize::from(mount.is_visible);
        }
        ensure_distinct(ids, "no other mount has its id")?;
        ensure_distinct(unique_ids, "no other mount has its unique id")?;
        self.check_children(children)?;
        self.check_mountpoints(at_mountpoints)?;
        let (stored, counted) = (self.mount_table.len(), visible);
        let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        agree(size(stored), size(counted), "the table of mounts", "the number of entries")
    }

    /// That a mount is where it says.
    fn check_place(&self, id: Id<Mount>, mount: &Mount) -> Result<(), Inconsistency> {
        let object = name("mount", id);
        let parent = find(&self.mounts, mount.parent, object, "the parent")?;
        if mount.parent == id {
            let is_nowhere = mount.mountpoint == mount.root && !mount.is_attached && !mount.is_visible;
            return ensure(is_nowhere, object, "the root of a tree is mounted nowhere");
        }
        let mountpoint = find(&self.dentries, mount.mountpoint, object, "the mountpoint")?;
        ensure(mountpoint.superblock == parent.superblock, object, "its mountpoint is in its parent's filesystem")?;
        ensure(mount.is_attached && mount.is_visible, object, "what has a parent is found there")?;
        let found = self.mount_table.get(&(mount.parent, mount.mountpoint));
        ensure(found == Some(&id), object, "what is visible is found at its mountpoint")?;
        let (own, place) = (self.dentries.get(mount.root), Some(mountpoint));
        let is_directory = |dentry: Option<&crate::filesystem::Dentry>| {
            dentry.and_then(|dentry| self.inodes.get(dentry.inode)).map(crate::filesystem::Inode::is_directory)
        };
        ensure(is_directory(own) == is_directory(place), object, "only directories are mounted on directories")?;
        // An unlinked mountpoint is unmounted at once. One that only has lost its name, as overlays do when they fail, is not.
        let is_unnamed = !mountpoint.is_hashed && mountpoint.parent != mount.mountpoint;
        let is_gone = mountpoint.cant_mount || is_unnamed && !self.is_overlay(mount.mountpoint);
        ensure(!is_gone || mount.namespace.is_none(), object, "its mountpoint is not unlinked")?;
        // Nothing is mounted on itself; only what has something on it could be.
        if mount.children.first.is_none() {
            return Ok(());
        }
        let mut above = mount.parent;
        for _ in 0..=self.mounts.len() {
            let next = find(&self.mounts, above, object, "a mount below")?.parent;
            if next == above {
                return Ok(());
            }
            above = next;
        }
        ensure(false, object, "the mounts below end in a root")
    }

    fn check_overmount(&self, id: Id<Mount>, mount: &Mount) -> Result<(), Inconsistency> {
        let found = self.mount_table.get(&(id, mount.root)).copied();
        ensure(found == mount.overmount, name("mount", id), "it knows the mount on its root")
    }

    /// That children know their parents, each being in one list.
    fn check_children(&self, expected: usize) -> Result<(), Inconsistency> {
        let mut seen = 0;
        for (id, mount) in self.mounts.iter() {
            for child in members::<Children, _>(&self.mounts, mount.children, name("mount", id))? {
                seen += 1;
                ensure(self.mounts[child].parent == id, name("mount", child), "it is in the list of its parent")?;
            }
        }
        ensure(seen == expected, "the lists of children", "every mount with a parent is in one")
    }

    /// That the mounts of a dentry are on it.
    fn check_mountpoints(&self, expected: usize) -> Result<(), Inconsistency> {
        let mut seen = 0;
        for (id, dentry) in self.dentries.iter() {
            for mount in members::<AtMountpoint, _>(&self.mounts, dentry.mounts, name("dentry", id))? {
                seen += 1;
                let is_here = self.mounts[mount].mountpoint == id && self.mounts[mount].is_attached;
                ensure(is_here, name("mount", mount), "it is in the list of its mountpoint")?;
            }
        }
        ensure(seen == expected, "the lists of mountpoints", "every mount with a parent is in one")
    }
}

/// That each object has another number.
fn ensure_distinct<N: Ord + Copy>(mut numbers: Vec<(N, ObjectName)>, rule: &'static str) -> Result<(), Inconsistency> {
    numbers.sort_unstable_by_key(|(number, _)| *number);
    let twice = numbers.windows(2).find_map(|pair| match pair {
        [(one, _), (other, object)] if one == other => Some(object),
        _ => None,
    });
    twice.map_or(Ok(()), |object| ensure(false, object, rule))
}

/// That a mount is in a namespace until it is unmounted.
pub(super) fn check_membership(id: Id<Mount>, mount: &Mount) -> Result<(), Inconsistency> {
    let is_outside = mount.flags.intersects(MntFlags::UMOUNT | MntFlags::INTERNAL);
    let object = name("mount", id);
    ensure(mount.is_listed == mount.namespace.is_some(), object, "it is listed in the namespace that it is in")?;
    ensure(mount.is_listed != is_outside, object, "it is in a namespace until it is unmounted")
}

/// The members of a list, which is whole in both directions.
pub(super) fn members<C: Chain<T>, T>(
    arena: &Arena<T>,
    list: List<T>,
    object: ObjectName,
) -> Result<Vec<Id<T>>, Inconsistency> {
    let (mut found, mut previous, mut next) = (Vec::new(), None, list.first);
    while let Some(id) = next {
        let link = C::link(find(arena, id, object, "a member of a list")?);
        ensure(link.previous == previous, object, "the members of a list know the ones before them")?;
        ensure(found.len() <= arena.len(), object, "a list has an end")?;
        found.push(id);
        previous = Some(id);
        next = link.next;
    }
    ensure(list.last == previous, object, "a list ends with its last member")?;
    Ok(found)
}
