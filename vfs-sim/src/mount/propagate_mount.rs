//! How a mount that is attached to a shared mount reaches the peers and the slaves (`propagate_mnt()` in `fs/pnode.c`).

use super::{CopyFlags, Mount, Path};
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::Dentry;
use crate::linux::Linux;

impl Linux {
    /// Makes a copy of the tree at `source` for every mount that receives events from `place.mount`, and links the
    /// copies to each other (`propagate_mnt()`).
    ///
    /// The copies, whose mountpoints are set, are added to `copies`, also upon an error.
    pub(crate) fn propagate_mount(
        &mut self,
        place: Path,
        source: Id<Mount>,
        copies: &mut Vec<Id<Mount>>,
    ) -> Result<(), Failure> {
        if let Some(master) = self.mounts[place.mount].master {
            self.mounts[master].is_marked = true;
        }
        let result = self.copy_for_groups(place, source, copies);
        for &copy in copies.iter() {
            let parent = self.mounts[copy].parent;
            if let Some(master) = self.mounts[parent].master {
                self.mounts[master].is_marked = false;
            }
        }
        if let Some(master) = self.mounts[place.mount].master {
            self.mounts[master].is_marked = false;
        }
        result
    }

    /// Goes over the peer groups, depth first.
    fn copy_for_groups(&mut self, place: Path, source: Id<Mount>, copies: &mut Vec<Id<Mount>>) -> Result<(), Failure> {
        let mut copy = source;
        let mut group = Some(place.mount);
        while let Some(first) = group {
            let is_own_group = first == place.mount;
            let (mut flags, mut member) = if is_own_group {
                // There is one for the first: the source.
                (CopyFlags::MAKE_SHARED, self.next_peer(first))
            } else if self.mounts[first].is_shared {
                (CopyFlags::SLAVE | CopyFlags::MAKE_SHARED, first)
            } else {
                (CopyFlags::SLAVE, first)
            };
            if !is_own_group || member != first {
                loop {
                    if self.needs_copy(member, place.dentry) {
                        copy = self.copy_for(member, place.dentry, copy, source, flags)?;
                        copies.push(copy);
                        self.count_copies(member, copy)?;
                        flags = CopyFlags::MAKE_SHARED;
                    }
                    member = self.next_peer(member);
                    if member == first {
                        break;
                    }
                }
            }
            group = self.next_group(first, place.mount);
        }
        Ok(())
    }

    fn copy_for(
        &mut self,
        receiver: Id<Mount>,
        mountpoint: Id<Dentry>,
        last_copy: Id<Mount>,
        source: Id<Mount>,
        flags: CopyFlags,
    ) -> Result<Id<Mount>, Failure> {
        // The first of its group is a slave of a copy that is there already.
        let template =
            if flags.contains(CopyFlags::SLAVE) { self.find_master(receiver, last_copy, source) } else { last_copy };
        let root = self.mounts[template].root;
        let copy = self.copy_tree(template, root, flags)?;
        self.set_mountpoint(copy, Path { mount: receiver, dentry: mountpoint });
        if let Some(master) = self.mounts[receiver].master {
            self.mounts[master].is_marked = true;
        }
        Ok(copy)
    }

    fn count_copies(&mut self, receiver: Id<Mount>, copy: Id<Mount>) -> Result<(), Failure> {
        match self.mounts[receiver].namespace {
            Some(namespace) => self.count_mounts(namespace, copy),
            None => Ok(()),
        }
    }

    /// Whether a mount that receives an event gets a copy (`need_secondary()`): it has the mountpoint, is no copy
    /// itself, and is not in a detached tree.
    fn needs_copy(&self, mount: Id<Mount>, mountpoint: Id<Dentry>) -> bool {
        let object = &self.mounts[mount];
        let Some(namespace) = object.namespace else { return false };
        self.is_subdirectory(mountpoint, object.root) && !self.mount_namespaces[namespace].is_anonymous
    }

    /// Which of the copies made so far is the master of the next one (`find_master()`).
    fn find_master(&self, mount: Id<Mount>, mut last_copy: Id<Mount>, original: Id<Mount>) -> Id<Mount> {
        // Ascend until there is a copy for something with the same master.
        let mut mount = mount;
        let master = loop {
            match self.mounts[mount].master {
                Some(master) if !self.mounts[master].is_marked => mount = master,
                master => break master,
            }
        };
        while !self.are_peers(last_copy, original) {
            let parent = self.mounts[last_copy].parent;
            let Some(above) = self.mounts[last_copy].master else { break };
            if self.mounts[parent].master == master {
                if !self.are_peers(parent, mount) {
                    last_copy = above;
                }
                break;
            }
            last_copy = above;
        }
        last_copy
    }
}
