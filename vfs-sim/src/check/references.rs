//! Whether all counts of references are right: nothing is forgotten, and nothing let go of twice.

use super::counts::Counts;
use super::{Inconsistency, ObjectName, agree, find, name};
use crate::filesystem::{Dentry, FilesystemType, OpenMountTable, Parameters, SuperBlock};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::process::{OpenFile, OpenFileKind, TaskState};

/// Who keeps what.
struct Tally {
    mounts: Counts<Mount>,
    dentries: Counts<Dentry>,
    superblocks: Counts<SuperBlock>,
    mount_writers: Counts<Mount>,
    superblock_writers: Counts<SuperBlock>,
}

impl Tally {
    /// Nobody keeps anything yet.
    fn over(linux: &Linux) -> Self {
        Self {
            mounts: Counts::over(&linux.mounts),
            dentries: Counts::over(&linux.dentries),
            superblocks: Counts::over(&linux.superblocks),
            mount_writers: Counts::over(&linux.mounts),
            superblock_writers: Counts::over(&linux.superblocks),
        }
    }

    /// What `path_get()` takes.
    fn path(&mut self, path: Path) {
        self.mounts.add(path.mount);
        self.dentries.add(path.dentry);
    }
}

impl Linux {
    pub(super) fn check_references(&self) -> Result<(), Inconsistency> {
        let mut tally = Tally::over(self);
        for (id, state) in self.fs_states.iter() {
            self.count_place(name("fs state", id), state.root, &mut tally)?;
            self.count_place(name("fs state", id), state.cwd, &mut tally)?;
        }
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.state == TaskState::Running) {
            for program in [task.memory.executable, task.memory.interpreter].into_iter().flatten() {
                self.count_place(name("task", id), program, &mut tally)?;
            }
        }
        for (id, file) in self.files.iter() {
            self.count_file(name("open file", id), file, &mut tally)?;
        }
        for (id, context) in self.contexts.iter() {
            if let Some(root) = context.root {
                let superblock = find(&self.dentries, root, name("context", id), "the root")?.superblock;
                tally.dentries.add(root);
                tally.superblocks.add(superblock);
            }
            if let Parameters::Overlay(parameters) = &context.parameters {
                for place in parameters.places() {
                    self.count_place(name("context", id), place, &mut tally)?;
                }
            }
        }
        self.count_what_overlays_keep(&mut tally);
        self.count_what_mounts_keep(&mut tally);
        self.count_what_names_keep(&mut tally);
        self.compare(&tally)
    }

    /// What overlays keep of their layers.
    fn count_what_overlays_keep(&self, tally: &mut Tally) {
        for (_, superblock) in self.superblocks.iter() {
            let kept = superblock.overlay.iter().flat_map(|overlay| overlay.kept_dentries());
            kept.for_each(|dentry| tally.dentries.add(dentry));
        }
        for (id, _) in self.inodes.iter() {
            let Some(state) = self.overlay_inode(id) else { continue };
            let kept = state.upper.into_iter().chain(state.lower.iter().map(|entry| entry.dentry));
            kept.for_each(|dentry| tally.dentries.add(dentry));
        }
    }

    fn count_place(&self, object: ObjectName, place: Path, tally: &mut Tally) -> Result<(), Inconsistency> {
        find(&self.mounts, place.mount, object, "a mount")?;
        find(&self.dentries, place.dentry, object, "a dentry")?;
        tally.path(place);
        Ok(())
    }

    fn count_file(&self, object: ObjectName, file: &OpenFile, tally: &mut Tally) -> Result<(), Inconsistency> {
        self.count_place(object, file.path, tally)?;
        match file.kind {
            OpenFileKind::MountTable(OpenMountTable { root, namespace, .. }) => {
                find(&self.mount_namespaces, namespace, object, "the mount namespace")?;
                self.count_place(object, root, tally)?;
            }
            OpenFileKind::Context(context) => {
                find(&self.contexts, context, object, "the context")?;
            }
            _ => {}
        }
        if file.can_write && self.counts_writers(file.path) {
            tally.mount_writers.add(file.path.mount);
            tally.superblock_writers.add(self.mounts[file.path.mount].superblock);
        }
        if let Some(mount) = self.written_layer(file) {
            tally.mount_writers.add(mount);
            tally.superblock_writers.add(self.mounts[mount].superblock);
        }
        Ok(())
    }

    /// What mounts keep, and what the trees that they are in keep of them.
    fn count_what_mounts_keep(&self, tally: &mut Tally) {
        for (id, mount) in self.mounts.iter() {
            tally.dentries.add(mount.root);
            tally.superblocks.add(mount.superblock);
            // An unmounted one may still be on another one that was unmounted with it.
            let is_in_tree = mount.is_listed || mount.parent != id || mount.flags.contains(MntFlags::INTERNAL);
            if is_in_tree {
                tally.mounts.add(id);
            }
        }
    }

    /// What mountpoints and names keep.
    fn count_what_names_keep(&self, tally: &mut Tally) {
        for (id, dentry) in self.dentries.iter() {
            if !dentry.mounts.is_empty() {
                tally.dentries.add(id);
            }
            if !dentry.is_hashed && dentry.parent != id {
                tally.dentries.add(dentry.parent);
            }
        }
    }

    fn compare(&self, tally: &Tally) -> Result<(), Inconsistency> {
        for (id, mount) in self.mounts.iter() {
            let object = name("mount", id);
            agree(mount.count, tally.mounts.of(id), object, "the number of references")?;
            agree(mount.writers, tally.mount_writers.of(id), object, "the number of writers")?;
            let is_noted = self.superblocks[mount.superblock].written_mounts.contains(&id);
            super::ensure(is_noted == (mount.writers > 0), object, "its filesystem knows whether it has writers")?;
        }
        for (id, dentry) in self.dentries.iter() {
            let object = name("dentry", id);
            agree(dentry.pins, tally.dentries.of(id), object, "the number of references")?;
            let is_kept = dentry.is_hashed || dentry.pins > 0 || !dentry.children.is_empty();
            super::ensure(is_kept, object, "what has no name is in use, or something below it")?;
        }
        for (id, superblock) in self.superblocks.iter() {
            let object = name("superblock", id);
            // Of these the kernel, or a namespace, keeps one (`own_instance()`).
            let is_own = matches!(superblock.filesystem, FilesystemType::Devtmpfs | FilesystemType::Mqueue)
                && !superblock.is_orphan;
            let active = tally.superblocks.of(id) + u64::from(is_own);
            agree(superblock.active, active, object, "the number of references")?;
            agree(superblock.writers, tally.superblock_writers.of(id), object, "the number of writers")?;
            for mount in &superblock.written_mounts {
                find(&self.mounts, *mount, object, "a mount with writers")?;
            }
            let is_noted = self.superblocks_by_type.contains(&(superblock.filesystem.clone(), id));
            super::ensure(is_noted == superblock.filesystem.is_looked_for(), object, "it is found by its type")?;
        }
        Ok(())
    }
}
