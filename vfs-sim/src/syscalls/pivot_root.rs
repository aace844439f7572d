//! pivot_root(2) (`fs/namespace.c`; what stands in 6.18 in the system call itself is `path_pivot_root()` later).

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
        self.check_may_mount(task)?;
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
        self.are_private(task, new, place, root)?;
        if !self.dentries[new.dentry].is_hashed {
            return Err(fail!(ENOENT, "sys_pivot_root()", "new_root was removed"));
        }
        if new.mount == root.mount {
            return Err(fail!(EBUSY, "sys_pivot_root()", "new_root is on the same mount as the current root"));
        }
        if place.mount == root.mount {
            return Err(fail!(EBUSY, "sys_pivot_root()", "put_old is on the same mount as the current root"));
        }
        if !self.is_root_of_mount(root) {
            return Err(fail!(EINVAL, "sys_pivot_root()", "the current root is not the root of a mount"));
        }
        if !self.has_parent(root.mount) {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the current root is the root of the mount namespace, such as an initramfs: it has no parent"
            ));
        }
        if !self.is_root_of_mount(new) {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "new_root is not the root of a mount: it would be after a bind mount onto itself"
            ));
        }
        if !self.has_parent(new.mount) {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the mount at new_root is the root of the mount namespace: it has no parent"
            ));
        }
        if !self.is_reachable(place, new) {
            return Err(fail!(EINVAL, "sys_pivot_root()", "put_old is not at or below new_root"));
        }
        if !self.is_reachable(new, root) {
            return Err(fail!(EINVAL, "sys_pivot_root()", "new_root is not below the current root"));
        }
        Ok(())
    }

    /// Whether the mounts are the process's own, and their places nobody else's.
    fn are_private(&self, task: Id<Task>, new: Path, place: Path, root: Path) -> Result<(), Failure> {
        if self.mounts[place.mount].is_shared {
            return Err(fail!(EINVAL, "sys_pivot_root()", "the mount at put_old is shared"));
        }
        if self.mounts[self.mounts[new.mount].parent].is_shared {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the mount that new_root is mounted on, its parent, is shared"
            ));
        }
        if self.mounts[self.mounts[root.mount].parent].is_shared {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the mount that the current root is mounted on, its parent, is shared"
            ));
        }
        if !self.is_in_namespace_of(task, root.mount) {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the current root is not in the mount namespace of the process"
            ));
        }
        if !self.is_in_namespace_of(task, new.mount) {
            return Err(fail!(EINVAL, "sys_pivot_root()", "new_root is not in the mount namespace of the process"));
        }
        if self.is_locked(new.mount) {
            return Err(fail!(
                EINVAL,
                "sys_pivot_root()",
                "the mount at new_root is locked: it came from a more privileged mount namespace"
            ));
        }
        Ok(())
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
