//! Peer groups and slaves: who shares events with whom (`fs/pnode.c`, `Documentation/filesystems/sharedsubtree.rst`).

use cofferdam::kernel::MountFlags;

use super::{MntFlags, Mount, Path, Ring, Slaves};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::list;

impl Linux {
    /// Whether two mounts are in the same peer group (`peers()`).
    pub(crate) fn are_peers(&self, one: Id<Mount>, other: Id<Mount>) -> bool {
        let group = self.mounts[one].group;
        group != 0 && group == self.mounts[other].group
    }

    /// The next in the ring of peers (`next_peer()`).
    pub(crate) fn next_peer(&self, mount: Id<Mount>) -> Id<Mount> {
        self.mounts[mount].peers.next
    }

    /// Puts a mount into the ring behind another one (`list_add(&mnt->mnt_share, &old->mnt_share)`).
    pub(crate) fn join_peers(&mut self, mount: Id<Mount>, peer: Id<Mount>) {
        let next = self.next_peer(peer);
        self.mounts[mount].peers = Ring { next, previous: peer };
        self.mounts[peer].peers.next = mount;
        self.mounts[next].peers.previous = mount;
    }

    /// `list_del_init(&mnt->mnt_share)`
    fn leave_peers(&mut self, mount: Id<Mount>) {
        let Ring { next, previous } = self.mounts[mount].peers;
        self.mounts[previous].peers.next = next;
        self.mounts[next].peers.previous = previous;
        self.mounts[mount].peers = Ring { next: mount, previous: mount };
    }

    /// Makes a mount the first slave of another one (`hlist_add_head(&mnt->mnt_slave, &master->mnt_slave_list)`).
    pub(crate) fn become_first_slave(&mut self, mount: Id<Mount>, master: Id<Mount>) {
        let mut slaves = self.mounts[master].slaves;
        list::push_front::<Slaves, _>(&mut self.mounts, &mut slaves, mount);
        self.mounts[master].slaves = slaves;
        self.mounts[mount].master = Some(master);
    }

    /// Makes a mount a slave of another one's master, right behind that one (`hlist_add_behind()`).
    pub(crate) fn become_slave_behind(&mut self, mount: Id<Mount>, sibling: Id<Mount>) {
        let Some(master) = self.mounts[sibling].master else { return };
        let mut slaves = self.mounts[master].slaves;
        list::insert_after::<Slaves, _>(&mut self.mounts, &mut slaves, sibling, mount);
        self.mounts[master].slaves = slaves;
        self.mounts[mount].master = Some(master);
    }

    /// Takes a mount off the list of its master's slaves; who the master is stays (`hlist_del_init(&mnt->mnt_slave)`).
    fn leave_slaves(&mut self, mount: Id<Mount>) {
        let Some(master) = self.mounts[mount].master else { return };
        let mut slaves = self.mounts[master].slaves;
        if self.mounts[mount].slave.previous.is_none() && slaves.first != Some(mount) {
            return;
        }
        list::remove::<Slaves, _>(&mut self.mounts, &mut slaves, mount);
        self.mounts[master].slaves = slaves;
    }

    /// `set_mnt_shared()`
    pub(crate) fn set_shared(&mut self, mount: Id<Mount>) {
        let object = &mut self.mounts[mount];
        object.is_shared = true;
        object.is_unbindable = false;
    }

    /// `mnt_release_group_id()`
    pub(crate) fn release_group(&mut self, mount: Id<Mount>) {
        let group = std::mem::take(&mut self.mounts[mount].group);
        self.group_ids.release(group);
    }

    /// Changes who a mount shares events with (`change_mnt_propagation()`). `kind` is one of `MS_SHARED`, `MS_SLAVE`,
    /// `MS_PRIVATE`, `MS_UNBINDABLE`; to become shared, the mount must have a peer group.
    pub(crate) fn change_propagation(&mut self, mount: Id<Mount>, kind: MountFlags) {
        if kind == MountFlags::MS_SHARED {
            self.set_shared(mount);
            return;
        }
        let mut master = self.mounts[mount].master;
        // The place among the slaves of the old master is left in any case, but only after the slaves were handed on.
        let is_shared = self.mounts[mount].is_shared;
        if is_shared {
            let peer = self.next_peer(mount);
            if peer == mount {
                self.release_group(mount);
            } else {
                master = Some(peer);
                self.leave_peers(mount);
                self.mounts[mount].group = 0;
            }
            self.mounts[mount].is_shared = false;
            self.transfer_propagation(mount, master);
        }
        self.leave_slaves(mount);
        self.mounts[mount].master = None;
        if kind == MountFlags::MS_SLAVE {
            if let Some(master) = master {
                self.become_first_slave(mount, master);
            }
        } else {
            self.mounts[mount].is_unbindable = kind == MountFlags::MS_UNBINDABLE;
        }
    }

    /// Hands all slaves of a mount on, before those that the new master has, or leaves them without a master
    /// (`transfer_propagation()`).
    fn transfer_propagation(&mut self, mount: Id<Mount>, to: Option<Id<Mount>>) {
        if self.mounts[mount].slaves.is_empty() {
            return;
        }
        let slaves: Vec<_> = list::members::<Slaves, _>(&self.mounts, self.mounts[mount].slaves).collect();
        match to {
            Some(to) => {
                for slave in slaves {
                    self.mounts[slave].master = Some(to);
                }
                let mut front = std::mem::take(&mut self.mounts[mount].slaves);
                let mut slaves = self.mounts[to].slaves;
                list::splice_front::<Slaves, _>(&mut self.mounts, &mut slaves, &mut front);
                self.mounts[to].slaves = slaves;
            }
            None => {
                for slave in slaves {
                    self.leave_slaves(slave);
                    self.mounts[slave].master = None;
                }
            }
        }
    }

    /// Makes mounts private that are unmounted together, the first part: where the slaves of each go (`bulk_make_private()`).
    pub(crate) fn begin_making_private(&mut self, set: &[Id<Mount>]) {
        for &mount in set {
            if !self.mounts[mount].is_marked && self.has_propagation(mount) {
                let destination = self.trace_transfers(mount);
                self.set_destinations(mount, destination);
            }
        }
    }

    /// The second part of that, for each of them.
    pub(crate) fn finish_making_private(&mut self, mount: Id<Mount>) {
        // What has propagation was marked.
        if self.mounts[mount].is_marked {
            let master = self.mounts[mount].master;
            self.transfer_propagation(mount, master);
            let object = &mut self.mounts[mount];
            object.master = None;
            object.is_marked = false;
        }
    }

    /// Whether a mount shares, receives or sends events.
    fn has_propagation(&self, mount: Id<Mount>) -> bool {
        let object = &self.mounts[mount];
        object.is_shared || object.master.is_some() || !object.slaves.is_empty() || object.peers.next != mount
    }

    /// Takes a mount that is unmounted, and those that its slaves would go to and that are unmounted too, out of their
    /// groups; the first that stays is where all the slaves go (`trace_transfers()`).
    fn trace_transfers(&mut self, mut mount: Id<Mount>) -> Option<Id<Mount>> {
        loop {
            let peer = self.next_peer(mount);
            self.leave_slaves(mount);
            let next = if peer == mount {
                if self.mounts[mount].is_shared {
                    self.release_group(mount);
                }
                self.mounts[mount].master
            } else {
                self.leave_peers(mount);
                let object = &mut self.mounts[mount];
                object.group = 0;
                object.master = Some(peer);
                Some(peer)
            };
            let object = &mut self.mounts[mount];
            object.is_shared = false;
            object.is_marked = true;
            let next = next?;
            if !self.mounts[next].flags.contains(MntFlags::UMOUNT) {
                return Some(next);
            }
            if self.mounts[next].is_marked {
                return self.mounts[next].master;
            }
            mount = next;
        }
    }

    /// Lets all mounts on the way that `trace_transfers` went know where it ended (`set_destinations()`).
    fn set_destinations(&mut self, mut mount: Id<Mount>, destination: Option<Id<Mount>>) {
        loop {
            let next = self.mounts[mount].master;
            if next == destination {
                return;
            }
            self.mounts[mount].master = destination;
            let Some(next) = next else { return };
            mount = next;
        }
    }

    /// The mount after `mount`, and after all that receive events from it, in the propagation tree of `origin`
    /// (`__propagation_next()`).
    fn propagation_next_sibling(&self, mut mount: Id<Mount>, origin: Id<Mount>) -> Option<Id<Mount>> {
        loop {
            let object = &self.mounts[mount];
            if object.master == self.mounts[origin].master {
                let next = object.peers.next;
                return if next == origin { None } else { Some(next) };
            }
            if object.slave.next.is_some() {
                return object.slave.next;
            }
            mount = object.master?;
        }
    }

    /// The next mount that receives events from `origin`, in a walk that starts with it (`propagation_next()`).
    pub(crate) fn propagation_next(&self, mount: Id<Mount>, origin: Id<Mount>) -> Option<Id<Mount>> {
        let object = &self.mounts[mount];
        if object.namespace.is_some() && object.slaves.first.is_some() {
            return object.slaves.first;
        }
        self.propagation_next_sibling(mount, origin)
    }

    /// The next mount of the walk that receives nothing from `mount` (`skip_propagation_subtree()`).
    pub(crate) fn skip_propagation_subtree(&self, mount: Id<Mount>, origin: Id<Mount>) -> Option<Id<Mount>> {
        let mut next = self.propagation_next_sibling(mount, origin);
        while let Some(other) = next.filter(|other| self.are_peers(mount, *other)) {
            next = self.propagation_next_sibling(other, origin);
        }
        next
    }

    /// The first mount of the next peer group that receives events from `origin` (`next_group()`).
    pub(crate) fn next_group(&self, mut mount: Id<Mount>, origin: Id<Mount>) -> Option<Id<Mount>> {
        let group = self.mounts[origin].group;
        loop {
            loop {
                let object = &self.mounts[mount];
                if object.namespace.is_some() && object.slaves.first.is_some() {
                    return object.slaves.first;
                }
                let next = object.peers.next;
                if object.group == group {
                    if next == origin {
                        return None;
                    }
                } else if object.slave.next != Some(next) {
                    break;
                }
                mount = next;
            }
            // The last of its peers.
            loop {
                let object = &self.mounts[mount];
                if object.slave.next.is_some() {
                    return object.slave.next;
                }
                let master = object.master?;
                mount = self.next_peer(master);
                if self.mounts[master].group == group || self.mounts[master].slave.next == Some(mount) {
                    break;
                }
                mount = master;
            }
            if mount == origin {
                return None;
            }
        }
    }

    /// Whether what is mounted on `from` at `mountpoint` would be propagated onto the root of `to`
    /// (`propagation_would_overmount()`).
    pub(crate) fn propagation_would_overmount(&self, from: Id<Mount>, to: Id<Mount>, mountpoint: Id<Dentry>) -> bool {
        if !self.mounts[from].is_shared || self.mounts[to].root != mountpoint {
            return false;
        }
        let mut masters = std::iter::successors(Some(to), |mount| self.mounts[*mount].master);
        masters.any(|mount| self.are_peers(from, mount))
    }

    /// Whether nothing keeps a mount, or one of those that would be unmounted with it, busy: `EBUSY` if something does
    /// (`propagate_mount_busy()`). `references` is how many of its own the mount may have.
    pub(crate) fn is_not_busy(&self, mount: Id<Mount>, references: u32) -> Result<(), Failure> {
        let object = &self.mounts[mount];
        if !object.children.is_empty() {
            return Err(fail!(
                EBUSY,
                "propagate_mount_busy()",
                "another mount is mounted on this one, or below it, and MNT_DETACH is not given"
            ));
        }
        if object.count > references {
            return Err(fail!(
                EBUSY,
                "propagate_mount_busy()",
                "a process has a file, its working directory or its root on the mount, and MNT_DETACH is not given"
            ));
        }
        let (parent, mountpoint) = (object.parent, object.mountpoint);
        if parent == mount {
            return Ok(());
        }
        let mut next = self.propagation_next(parent, parent);
        while let Some(receiver) = next {
            next = self.propagation_next(receiver, parent);
            let Some(child) = self.lookup_mount(Path { mount: receiver, dentry: mountpoint }) else { continue };
            let child = &self.mounts[child];
            // A mount that covers the child whole would not keep it from going; any other would.
            let is_covered = child.children.is_singular() && child.overmount.is_some();
            if !child.children.is_empty() && !is_covered {
                continue;
            }
            if child.count > 1 {
                return Err(fail!(
                    EBUSY,
                    "propagate_mount_busy()",
                    "the unmount propagates to a copy of the mount that is in use, and MNT_DETACH is not given"
                ));
            }
        }
        Ok(())
    }

    /// Unlocks the copies of a mount that is about to be unmounted, which then may go with it
    /// (`propagate_mount_unlock()`).
    pub(crate) fn propagate_unlock(&mut self, mount: Id<Mount>) {
        if !self.was_locked {
            return;
        }
        let Mount { parent, mountpoint, .. } = self.mounts[mount];
        let mut next = self.propagation_next(parent, parent);
        while let Some(receiver) = next {
            if let Some(child) = self.lookup_mount(Path { mount: receiver, dentry: mountpoint })
                && self.is_locked(child)
            {
                self.mounts[child].flags.remove(MntFlags::LOCKED);
            }
            next = self.propagation_next(receiver, parent);
        }
    }
}
