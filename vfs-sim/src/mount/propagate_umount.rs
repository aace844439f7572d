//! What is unmounted along with mounts, because it receives events from them (`propagate_umount()` in `fs/pnode.c`,
//! `Documentation/filesystems/propagate_umount.txt`).

use rustc_hash::FxHashSet;

use super::{MntFlags, Mount, Path};
use crate::arena::Id;
use crate::linux::Linux;

/// The mounts that may be unmounted too, undecided yet, in the order in which they are looked at.
struct Candidates {
    order: Vec<Id<Mount>>,
    undecided: FxHashSet<Id<Mount>>,
}

impl Linux {
    /// Adds to a set of mounts being unmounted those that receive events from them and nothing speaks against
    /// (`propagate_umount()`).
    pub(crate) fn propagate_umount(&mut self, set: &mut Vec<Id<Mount>>) {
        let mut candidates = self.gather_candidates(set);
        let mut decided = Vec::new();
        for mount in candidates.order.clone() {
            self.trim_one(mount, &mut candidates, &mut decided);
        }
        for mount in candidates.order.clone() {
            if candidates.undecided.contains(&mount) {
                self.handle_locked(mount, &mut candidates, &mut decided);
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

    /// `gather_candidates()`
    fn gather_candidates(&mut self, set: &[Id<Mount>]) -> Candidates {
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
        Candidates { undecided: order.iter().copied().collect(), order }
    }

    /// Excludes what one candidate forbids, or decides that it goes (`trim_one()`).
    fn trim_one(&mut self, mount: Id<Mount>, candidates: &mut Candidates, decided: &mut Vec<Id<Mount>>) {
        if !self.mounts[mount].is_candidate {
            self.remove_candidate(mount, candidates);
            return;
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
                self.remove_candidate(mount, candidates);
            }
        } else if !self.mounts[mount].flags.contains(MntFlags::LOCKED) && self.mounts[mount].children.is_empty() {
            self.remove_candidate(mount, candidates);
            self.umount_one(mount, decided);
        }
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
    fn handle_locked(&mut self, mount: Id<Mount>, candidates: &mut Candidates, decided: &mut Vec<Id<Mount>>) {
        if !self.mounts[mount].is_candidate {
            self.remove_candidate(mount, candidates);
            return;
        }
        let mut cutoff = mount;
        let mut above = mount;
        while self.mounts[above].is_candidate {
            self.remove_candidate(above, candidates);
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

    fn remove_candidate(&mut self, mount: Id<Mount>, candidates: &mut Candidates) {
        let object = &mut self.mounts[mount];
        object.is_marked = false;
        object.is_candidate = false;
        candidates.undecided.remove(&mount);
    }

    fn umount_one(&mut self, mount: Id<Mount>, decided: &mut Vec<Id<Mount>>) {
        self.mounts[mount].flags.insert(MntFlags::UMOUNT);
        if self.is_linked_child(mount) {
            self.unlink_child(mount);
        }
        self.unlist_from_namespace(mount);
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
