//! Where exactly a mount goes, and whether something may be mounted there (`do_lock_mount()` in `fs/namespace.c`).

use super::{Mount, Path};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// Where a mount goes that is put at a place: on top of what is mounted there (`where_to_mount()`).
    ///
    /// # Errors
    ///
    /// `ENOENT` if nothing can be mounted there any more.
    pub(crate) fn lock_mount(&mut self, path: Path) -> Result<Path, Failure> {
        let place = self.lookup_mount(path).map_or(path, |mount| self.root_of(self.topmost_overmount(mount)));
        if place.mount != path.mount {
            self.touch_mount(place.mount);
        }
        self.check_mountpoint(path.mount, place.dentry)?;
        self.can_be_mountpoint(place.dentry)?;
        Ok(place)
    }

    /// Where a mount goes that is put beneath the topmost of the mounts on the mount whose root a place is, or beneath
    /// that mount itself if there is none on it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the place is no root of a mount, or has no parent to be put on; else as [`lock_mount`](Self::lock_mount).
    pub(crate) fn lock_mount_beneath(&mut self, path: Path) -> Result<Path, Failure> {
        if !self.is_root_of_mount(path) {
            return Err(fail!(EINVAL, "do_lock_mount()", "the target is not the root of a mount: there is no beneath"));
        }
        let top = self.topmost_overmount(path.mount);
        let Mount { parent, mountpoint, .. } = self.mounts[top];
        if parent != path.mount {
            self.touch_mount(parent);
        }
        self.check_mountpoint(path.mount, mountpoint)?;
        if parent == path.mount && self.mounts[parent].overmount.is_none() {
            return Err(fail!(EINVAL, "do_lock_mount()", "the mount at the target has no parent to go beneath it on"));
        }
        self.can_be_mountpoint(mountpoint)?;
        Ok(Path { mount: parent, dentry: mountpoint })
    }

    fn check_mountpoint(&self, mount: Id<Mount>, dentry: Id<Dentry>) -> Result<(), Failure> {
        if self.dentries[dentry].cant_mount {
            return Err(fail!(ENOENT, "do_lock_mount()", "the mount point was removed"));
        }
        if self.mounts[mount].namespace.is_none() {
            return Err(fail!(ENOENT, "do_lock_mount()", "the mount at the target is unmounted"));
        }
        Ok(())
    }

    /// `ENOENT` for a dentry that is unlinked, or in a directory that is (`get_mountpoint()`, `d_set_mounted()`).
    pub(crate) fn can_be_mountpoint(&self, dentry: Id<Dentry>) -> Result<(), Failure> {
        let mut dentry = dentry;
        loop {
            let object = &self.dentries[dentry];
            // Also the file of a namespace, which is in no directory.
            if object.parent == dentry {
                return Ok(());
            }
            if !object.is_hashed {
                return Err(fail!(ENOENT, "d_set_mounted()", "the mount point, or a directory above it, was removed"));
            }
            dentry = object.parent;
        }
    }

    /// Whether a mount is in the mount namespace of a process (`check_mnt()`).
    pub(crate) fn is_in_namespace_of(&self, task: Id<Task>, mount: Id<Mount>) -> bool {
        self.mounts[mount].namespace == Some(self.tasks[task].mount_namespace)
    }

    /// Whether a mount is the root of a detached tree (`anon_ns_root()`).
    pub(crate) fn is_detached_root(&self, mount: Id<Mount>) -> bool {
        self.mounts[mount].namespace.is_some_and(|namespace| {
            let namespace = &self.mount_namespaces[namespace];
            namespace.is_anonymous && namespace.root == mount
        })
    }

    /// Whether a mount is in a detached tree that was made in, or copied from, the mount namespace of a process
    /// (`check_anonymous_mnt()`).
    fn is_in_own_detached_tree(&self, task: Id<Task>, mount: Id<Mount>) -> bool {
        self.mounts[mount].namespace.is_some_and(|namespace| {
            let namespace = &self.mount_namespaces[namespace];
            let own = &self.mount_namespaces[self.tasks[task].mount_namespace];
            namespace.is_anonymous && (namespace.origin == 0 || namespace.origin == own.sequence)
        })
    }

    /// Whether a process may mount on a mount (`may_use_mount()`).
    pub(crate) fn may_use_mount(&self, task: Id<Task>, mount: Id<Mount>) -> bool {
        self.is_in_namespace_of(task, mount) || self.is_in_own_detached_tree(task, mount)
    }

    /// Whether a process may copy what is at a place (`may_copy_tree()`): also files of namespaces.
    pub(crate) fn may_copy_tree(&self, task: Id<Task>, path: Path) -> bool {
        self.is_in_namespace_of(task, path.mount)
            || self.is_namespace_file(path.dentry)
            || self.is_in_own_detached_tree(task, path.mount)
    }
}
