//! Peer groups, masters and slaves.

use rustc_hash::{FxHashMap, FxHashSet};

use super::mounts::members;
use super::{Inconsistency, ensure, find, name};
use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::{Mount, Slaves};

impl Linux {
    pub(super) fn check_propagation(&self) -> Result<(), Inconsistency> {
        let mut groups: FxHashMap<u32, usize> = FxHashMap::default();
        for (_, mount) in self.mounts.iter().filter(|(_, mount)| mount.group != 0) {
            *groups.entry(mount.group).or_default() += 1;
        }
        let mut slaves = 0;
        for (id, mount) in self.mounts.iter() {
            let object = name("mount", id);
            ensure(mount.is_shared == (mount.group != 0), object, "it has a peer group if it is shared")?;
            ensure(!(mount.is_shared && mount.is_unbindable), object, "it is not both shared and unbindable")?;
            self.check_ring(id, mount, groups.get(&mount.group).copied())?;
            self.check_masters(id, mount)?;
            slaves += usize::from(mount.master.is_some());
        }
        self.check_slaves(slaves)
    }

    /// That the ring of peers has all mounts of the group, which all receive events from the same mount.
    fn check_ring(&self, id: Id<Mount>, mount: &Mount, group: Option<usize>) -> Result<(), Inconsistency> {
        let object = name("mount", id);
        let next = find(&self.mounts, mount.peers.next, object, "the next peer")?;
        ensure(next.peers.previous == id, object, "the next peer knows the one before it")?;
        if mount.group == 0 {
            return ensure(mount.peers.next == id, object, "what is not shared has no peers");
        }
        ensure(next.group == mount.group, object, "peers have the same group")?;
        ensure(next.master == mount.master, object, "peers have the same master")?;
        let mut peer = mount.peers.next;
        let mut size = 1;
        while peer != id && size <= self.mounts.len() {
            peer = find(&self.mounts, peer, object, "a peer")?.peers.next;
            size += 1;
        }
        ensure(Some(size) == group, object, "all mounts of a group are in one ring")
    }

    fn check_masters(&self, id: Id<Mount>, mount: &Mount) -> Result<(), Inconsistency> {
        let object = name("mount", id);
        let mut master = mount.master;
        for _ in 0..=self.mounts.len() {
            let Some(id) = master else { return Ok(()) };
            let above = find(&self.mounts, id, object, "the master")?;
            ensure(above.is_shared, object, "a master is shared")?;
            master = above.master;
        }
        ensure(false, object, "no mount receives its own events")
    }

    /// That slaves are in the list of their master, peers next to each other in the order of their ring
    /// (`next_group()` relies on it).
    fn check_slaves(&self, expected: usize) -> Result<(), Inconsistency> {
        let mut seen = 0;
        for (id, mount) in self.mounts.iter() {
            let mut groups = FxHashSet::default();
            let mut before: Option<Id<Mount>> = None;
            for slave in members::<Slaves, _>(&self.mounts, mount.slaves, name("mount", id))? {
                seen += 1;
                let (object, member) = (name("mount", slave), &self.mounts[slave]);
                ensure(member.master == Some(id), object, "it is in the list of its master")?;
                let is_behind_peer = before.is_some_and(|before| self.are_peers(before, slave));
                if let Some(before) = before.filter(|_| is_behind_peer) {
                    let is_next = self.mounts[before].peers.next == slave;
                    ensure(is_next, object, "peers are in their master's list in the order of their ring")?;
                } else if member.group != 0 {
                    let is_first = groups.insert(member.group);
                    ensure(is_first, object, "peers are next to each other in their master's list")?;
                }
                before = Some(slave);
            }
        }
        ensure(seen == expected, "the lists of slaves", "every mount with a master is in one")
    }
}
