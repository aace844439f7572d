//! pivot_root(2) (`path_pivot_root()` in `fs/namespace.c`).

use cofferdam::kernel::Fd;

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{MntFlags, Path};
use crate::process::Task;
use crate::walk::LookupFlags;

impl Linux {
    /// pivot_root(2)
    pub(crate) fn pivot_root(&mut self, task: Id<Task>, new_root: &[u8], put_old: &[u8]) -> Result<(), Failure> {
        if !self.may_mount(task) {
            return Err(fail!(EPERM));
        }
        let flags = LookupFlags::FOLLOW | LookupFlags::DIRECTORY;
        let new = self.lookup(task, Fd::CWD, new_root, flags)?;
        let old = self.lookup(task, Fd::CWD, put_old, flags)?;
        let root = self.fs_states[self.tasks[task].fs].root;
        let place = self.lock_mount(old)?;
        self.can_pivot(task, new, place, root)?;

        let (root_parent, root_mountpoint) = (self.mounts[root.mount].parent, self.mounts[root.mount].mountpoint);
        self.detach(new.mount);
        if self.is_locked(root.mount) {
            self.mounts[new.mount].flags.insert(MntFlags::LOCKED);
            self.mounts[root.mount].flags.remove(MntFlags::LOCKED);
        }
        // For a moment both are at the place of the old root.
        self.attach(new.mount, Path { mount: root_parent, dentry: root_mountpoint });
        self.detach(root.mount);
        self.attach(root.mount, place);
        self.change_roots(root, new);
        Ok(())
    }

    fn can_pivot(&self, task: Id<Task>, new: Path, place: Path, root: Path) -> Result<(), Failure> {
        if !self.is_in_namespace_of(task, root.mount) || !self.is_in_namespace_of(task, new.mount) {
            return Err(fail!(EINVAL));
        }
        let shared = [place.mount, self.mounts[new.mount].parent, self.mounts[root.mount].parent];
        if shared.into_iter().any(|mount| self.mounts[mount].is_shared) || self.is_locked(new.mount) {
            return Err(fail!(EINVAL));
        }
        if !self.dentries[new.dentry].is_hashed {
            return Err(fail!(ENOENT));
        }
        if new.mount == root.mount || place.mount == root.mount {
            return Err(fail!(EBUSY));
        }
        let may_change = self.is_root_of_mount(root)
            && self.has_parent(root.mount)
            && self.is_root_of_mount(new)
            && self.has_parent(new.mount)
            && self.is_reachable(place, new)
            && self.is_reachable(new, root);
        if may_change { Ok(()) } else { Err(fail!(EINVAL)) }
    }

    /// Every process whose root or working directory was the old root gets the new one (`chroot_fs_refs()`).
    fn change_roots(&mut self, old: Path, new: Path) {
        let states: Vec<_> = self.fs_states.iter().map(|(id, _)| id).collect();
        for id in states {
            let state = &mut self.fs_states[id];
            let mut hits = 0;
            for path in [&mut state.root, &mut state.cwd] {
                if *path == old {
                    *path = new;
                    hits += 1;
                }
            }
            for _ in 0..hits {
                self.path_get(new);
                self.path_put(old);
            }
        }
    }
}
