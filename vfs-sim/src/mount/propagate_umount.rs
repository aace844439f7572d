//! What is unmounted along with mounts, because it receives events from them (`propagate_umount()` in `fs/pnode.c`,
//! `Documentation/filesystems/propagate_umount.txt`).

use rustc_hash::FxHashSet;

use super::{MntFlags, Mount, Path};
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// Adds to a set of mounts being unmounted those that receive events from them and nothing speaks against
    /// (`propagate_umount()`).
    pub(crate) fn propagate_umount(&mut self, set: &mut Vec<Id<Mount>>) {
        let mut candidates = self.gather_candidates(set);
        let mut decided = Vec::new();
        candidates.retain(|mount| !self.trim_one(*mount, &mut decided));
        let mut undecided: FxHashSet<_> = candidates.iter().copied().collect();
        for mount in candidates {
            if undecided.contains(&mount) {
                self.handle_locked(mount, &mut undecided, &mut decided);
            }
        }
        // What stays and covers a stack that goes slides down to where the stack was.
        for &mount in &decided {
            if let Some(over) = self.mounts[mount].overmount
                && !self.will_be_unmounted(over)
            {
                self.reparent(over);
            }
        }
        set.append(&mut decided);
    }

    fn will_be_unmounted(&self, mount: Id<Mount>) -> bool {
        self.mounts[mount].flags.contains(MntFlags::UMOUNT)
    }

    /// The mounts that may be unmounted too, in the order in which they are looked at (`gather_candidates()`).
    fn gather_candidates(&mut self, set: &[Id<Mount>]) -> Vec<Id<Mount>> {
        let mut order = Vec::new();
        for &mount in set {
            if std::mem::replace(&mut self.mounts[mount].is_candidate, true) {
                continue;
            }
            let (parent, mountpoint) = (self.mounts[mount].parent, self.mounts[mount].mountpoint);
            let mut next = self.propagation_next(parent, parent);
            while let Some(receiver) = next {
                if let Some(child) = self.lookup_mount(Path { mount: receiver, dentry: mountpoint }) {
                    if self.mounts[child].is_candidate {
                        // Seen before, and so were all that receive events from the receiver.
                        next = self.skip_propagation_subtree(receiver, parent);
                        continue;
                    }
                    self.mounts[child].is_candidate = true;
                    if !self.will_be_unmounted(child) {
                        order.push(child);
                    }
                }
                next = self.propagation_next(receiver, parent);
            }
        }
        for &mount in set {
            self.mounts[mount].is_candidate = false;
        }
        // The kernel adds each at the front.
        order.reverse();
        order
    }

    /// Excludes what one candidate forbids, or decides that it goes; whether it is none any more (`trim_one()`).
    fn trim_one(&mut self, mount: Id<Mount>, decided: &mut Vec<Id<Mount>>) -> bool {
        if !self.mounts[mount].is_candidate {
            self.remove_candidate(mount);
            return true;
        }
        let overmount = self.mounts[mount].overmount;
        let (mut found, mut blocked) = (false, false);
        let mut child = self.mounts[mount].children.first;
        while let Some(id) = child {
            if !self.mounts[id].is_candidate {
                found = true;
                if Some(id) != overmount {
                    blocked = true;
                    break;
                }
            }
            child = self.mounts[id].child.next;
        }
        if found {
            self.trim_ancestors(mount);
            if blocked {
                self.remove_candidate(mount);
            }
            return blocked;
        }
        let object = &self.mounts[mount];
        let goes = !object.flags.contains(MntFlags::LOCKED) && object.children.is_empty();
        if goes {
            self.remove_candidate(mount);
            self.umount_one(mount, decided);
        }
        goes
    }

    /// Some child of the mount stays; so do the ancestors of whatever does not just cover its parent
    /// (`trim_ancestors()`).
    fn trim_ancestors(&mut self, mut mount: Id<Mount>) {
        let mut parent = self.mounts[mount].parent;
        while self.mounts[parent].is_candidate {
            if std::mem::replace(&mut self.mounts[mount].is_marked, true) {
                return;
            }
            if self.mounts[parent].overmount != Some(mount) {
                self.mounts[parent].is_candidate = false;
            }
            mount = parent;
            parent = self.mounts[mount].parent;
        }
    }

    /// Decides on a candidate and the candidates that it is mounted on: what is locked goes only with its parent
    /// (`handle_locked()`).
    fn handle_locked(&mut self, mount: Id<Mount>, undecided: &mut FxHashSet<Id<Mount>>, decided: &mut Vec<Id<Mount>>) {
        if !self.mounts[mount].is_candidate {
            undecided.remove(&mount);
            self.remove_candidate(mount);
            return;
        }
        let mut cutoff = mount;
        let mut above = mount;
        while self.mounts[above].is_candidate {
            undecided.remove(&above);
            self.remove_candidate(above);
            let object = &self.mounts[above];
            above = object.parent;
            if !object.flags.contains(MntFlags::LOCKED) {
                cutoff = above;
            }
        }
        if self.will_be_unmounted(above) {
            cutoff = above;
        }
        let mut mount = mount;
        while mount != cutoff {
            self.umount_one(mount, decided);
            mount = self.mounts[mount].parent;
        }
    }

    fn remove_candidate(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.is_marked = false;
        object.is_candidate = false;
    }

    fn umount_one(&mut self, mount: Id<Mount>, decided: &mut Vec<Id<Mount>>) {
        if self.is_linked_child(mount) {
            self.unlink_child(mount);
        }
        self.unlist_from_namespace(mount);
        self.mounts[mount].flags.insert(MntFlags::UMOUNT);
        decided.push(mount);
    }

    /// `reparent()`
    fn reparent(&mut self, mount: Id<Mount>) {
        let mut bottom = mount;
        let mut place;
        loop {
            place = Path { mount: self.mounts[bottom].parent, dentry: self.mounts[bottom].mountpoint };
            bottom = place.mount;
            if !self.will_be_unmounted(bottom) {
                break;
            }
        }
        self.change_mountpoint(mount, place);
    }
}
