//! Where the events of a slave come from, as far as a process can see (`fs/pnode.c`).

use crate::linux::Linux;
use crate::mount::{Mount, Path};

impl Linux {
    /// The nearest peer group above a slave of which a mount is in the same namespace and below the root; 0 if there is
    /// none (`get_dominating_id()`).
    pub(crate) fn dominating_group(&self, slave: &Mount, root: Path) -> u32 {
        let masters = std::iter::successors(slave.master, |master| self.mounts[*master].master);
        for master in masters {
            let mut peer = master;
            loop {
                let object = &self.mounts[peer];
                if object.namespace == slave.namespace && self.is_reachable(self.root_of(peer), root) {
                    return object.group;
                }
                peer = object.peers.next;
                if peer == master {
                    break;
                }
            }
        }
        0
    }
}
