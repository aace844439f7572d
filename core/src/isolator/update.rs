//! Volumes that come and go.

use std::collections::HashSet;

use typed_path::{UnixPath, UnixPathBuf};

use super::error::tells_what_is_there;
use super::sandbox::{open_sandbox, unmount};
use super::{Isolator, IsolatorError, UpdateError};
use crate::detached::DetachedMount;
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Descriptor, Errno, Kernel, MountAttr, MountAttrFlags, MountFlags, OpenFlags, Stat, UmountFlags,
};
use crate::launch::namespace::LaunchLock;
use crate::layout::Layout;
use crate::messages::{ContainerId, Resource};
use crate::mountinfo::{Entry, Table};
use crate::root::{Root, itself, open_path, real_path, stat};
use crate::table;
use crate::volumes::{PersistentVolume, VolumeKind};

impl<K: Kernel> Isolator<K> {
    /// Mounts and unmounts the container's persistent volumes on the host, below its sandbox, so that they are those
    /// among `resources`. A running container sees the change at once.
    ///
    /// With [`volume_gid_range`](crate::agent::AgentConfig::volume_gid_range), a volume gets a group, which
    /// [`volume_gids`](Self::volume_gids) tells. A program that runs is no member of the group of a volume that is new, and a
    /// user without privileges can't use that volume. What is launched later is: the recorded launch info of the container,
    /// and of those in it that see its filesystem, has the groups of the volumes that there are now.
    ///
    /// ```
    /// use cofferdam::kernel::Mode;
    /// use cofferdam::{UnixPath, checkpoint};
    /// use cofferdam_vfs_sim::sample;
    ///
    /// let sample::Agent { kernel, mut isolator, id, container, volume } = sample::agent();
    /// isolator.prepare(&id, &container)?;
    /// isolator.update(&id, &[volume])?;
    /// assert_eq!(isolator.container(&id).map_or(0, |container| container.volumes().len()), 1);
    /// let file = container.directory.as_path().join("data/file");
    /// checkpoint::write(&kernel, &file, b"kept", Mode(0o644))?;
    ///
    /// isolator.update(&id, &[])?;
    /// let kept = checkpoint::read(&kernel, UnixPath::new("/var/lib/agent/volumes/roles/web/db/file"))?;
    /// assert_eq!(kept, b"kept");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`UpdateError`]. The first error ends the update; what is remembered is what is mounted.
    pub fn update(&mut self, id: &ContainerId, resources: &[Resource]) -> Result<(), UpdateError> {
        let updated = self.check_conflicts(id, resources).and_then(|()| self.update_volumes(id, resources));
        // Also of what was changed before an error, and by an update that has died.
        let recorded = self.record_groups(id);
        let gids = self.counted("update", updated.and_then(|gids| recorded.map(|()| gids)))?;
        if !gids.is_empty() {
            tracing::info!(%id, ?gids, "a program that runs already is no member of the groups of volumes that are new");
        }
        Ok(())
    }

    /// As [`update`](Self::update). Gives the gids that the new volumes were allocated.
    pub(super) fn update_volumes(&mut self, id: &ContainerId, resources: &[Resource]) -> Result<Vec<u32>, UpdateError> {
        if id.parent().is_some() {
            return Err(UpdateError::Nested(id.clone()));
        }
        let Some(container) = self.containers.get(id) else {
            return Err(UpdateError::UnknownContainer(id.clone()));
        };
        let sandbox = container.sandbox.clone();
        let current = container.volumes.clone();
        let is_standalone = container.is_standalone;
        let wanted = self.persistent_volumes(resources)?;
        if is_standalone && !wanted.is_empty() {
            return Err(UpdateError::Standalone(id.clone()));
        }
        let removed = missing(&current, &wanted);
        let added: Vec<_> = missing(&wanted, &current).into_iter().cloned().collect();
        let left = self.left_over(id, &current)?;
        if removed.is_empty() && added.is_empty() && left.is_empty() {
            return Ok(Vec::new());
        }
        self.remove_left_mount_points(id, &sandbox, &left)?;
        // Before anything is mounted: whoever goes on after us must know what to look for.
        self.record_volumes(id, current.iter().chain(&added))?;
        let result = self.change_volumes(id, &sandbox, &removed, added);
        let recorded = match self.containers.get(id) {
            Some(container) => self.record_volumes(id, &container.volumes),
            None => Ok(()),
        };
        // That more is recorded than is mounted does no harm.
        result.and_then(|gids| recorded.map(|()| gids).map_err(UpdateError::from))
    }

    /// Volumes that are recorded and not mounted: somebody has died between the record and the mount, or between the unmount
    /// and the removal of the mount point.
    fn left_over(&self, id: &ContainerId, current: &[PersistentVolume]) -> Result<Vec<PersistentVolume>, UpdateError> {
        let recorded = self.recorded_volumes(id)?.unwrap_or_default();
        Ok(missing(&recorded, current).into_iter().cloned().collect())
    }

    fn remove_left_mount_points(
        &self,
        id: &ContainerId,
        sandbox: &UnixPath,
        left: &[PersistentVolume],
    ) -> Result<(), UpdateError> {
        if left.is_empty() {
            return Ok(());
        }
        let root = open_sandbox(&self.kernel, id, sandbox)?;
        for volume in left {
            // What is in use, or not empty, is no mount point that we left.
            let _ = self.kernel.unlinkat(root.fd(), &volume.name, AtFlags::AT_REMOVEDIR);
        }
        Ok(())
    }

    fn change_volumes(
        &mut self,
        id: &ContainerId,
        sandbox: &UnixPath,
        removed: &[&PersistentVolume],
        added: Vec<PersistentVolume>,
    ) -> Result<Vec<u32>, UpdateError> {
        for volume in removed {
            self.remove_volume(id, sandbox, volume)?;
        }
        let mut gids = Vec::new();
        for volume in added {
            let gid = self.add_volume(id, sandbox, volume)?;
            gids.extend(gid.filter(|gid| !gids.contains(gid)));
        }
        Ok(gids)
    }

    /// Whether a volume is mounted where it belongs in a sandbox. What is mounted there may be a directory that was removed
    /// since: then it was the volume's.
    pub(super) fn is_mounted(&self, sandbox: &Root<'_>, volume: &PersistentVolume) -> Result<bool, IsolatorError> {
        let kernel = &self.kernel;
        let mountpoint = match sandbox.resolve(&volume.name, OpenFlags::O_NOFOLLOW) {
            Err(error) if tells_what_is_there(error.errno) => return Ok(false),
            mountpoint => mountpoint?,
        };
        let target = sandbox.path().join(&volume.name);
        match open_path(kernel, &volume.source, OpenFlags::O_DIRECTORY) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            source => {
                let source = source.doing("open volume", &volume.source)?;
                if let Mounted::Volume = what_is_mounted(kernel, sandbox, &source, &mountpoint, &target)? {
                    return Ok(true);
                }
            }
        }
        is_removed_directory(kernel, sandbox, &mountpoint, &target)
    }

    /// The volumes among the resources, if any is one.
    pub(super) fn has_persistent_volumes(&self, resources: &[Resource]) -> Result<bool, UpdateError> {
        Ok(!self.persistent_volumes(resources)?.is_empty())
    }

    /// The volumes among the resources, each once.
    pub(super) fn persistent_volumes(&self, resources: &[Resource]) -> Result<Vec<PersistentVolume>, UpdateError> {
        let of = |resource| PersistentVolume::from_resource(resource, &self.config.layout).transpose();
        Ok(each_once(resources.iter().filter_map(of).collect::<Result<_, _>>()?))
    }

    /// Unmounts a volume and removes its mount point, which is empty or not ours to remove.
    fn remove_volume(
        &mut self,
        id: &ContainerId,
        sandbox: &UnixPath,
        volume: &PersistentVolume,
    ) -> Result<(), UpdateError> {
        let target = sandbox.join(&volume.name);
        let root = open_sandbox(&self.kernel, id, sandbox)?;
        // A launch that holds a copy of the sandbox which is attached nowhere would not see it go.
        let lock = LaunchLock::exclusive(&self.kernel, &self.config.layout)?;
        // Nothing is unmounted if somebody has done so.
        let unmounted = unmount(&self.kernel, root.fd(), &volume.name, UmountFlags::empty(), &target).map_err(
            |error| match error.errno {
                Errno::EBUSY => error.with_hint("a process uses it; the volume stays until it is given up"),
                _ => error,
            },
        )?;
        drop(lock);
        let removed = self.kernel.unlinkat(root.fd(), &volume.name, AtFlags::AT_REMOVEDIR);
        self.counters.mounts_undone += u64::from(unmounted);
        if let Some(container) = self.containers.get_mut(id) {
            container.volumes.retain(|remembered| !remembered.is_same_mount(volume));
        }
        match removed {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(CallError::new("remove the mount point", &target, errno).into()),
        }
    }

    /// Mounts a volume, and gives the gid that it was allocated.
    fn add_volume(
        &mut self,
        id: &ContainerId,
        sandbox: &UnixPath,
        volume: PersistentVolume,
    ) -> Result<Option<u32>, UpdateError> {
        let kernel = &self.kernel;
        let source = open_path(kernel, &volume.source, OpenFlags::O_DIRECTORY)
            .doing("open volume", &volume.source)
            .map_err(|error| match error.errno {
                Errno::ENOENT => {
                    error.with_hint("an agent makes the directory of a persistent volume before it is used")
                }
                _ => error,
            })?;
        let root = open_sandbox(&self.kernel, id, sandbox)?;
        let gid = self.give_to_owner_of_sandbox(&root, &source, &volume)?;
        let existed = root.resolve(&volume.name, OpenFlags::O_NOFOLLOW).is_ok();
        match mount_volume(kernel, &root, &source, &volume, &self.config.layout) {
            Ok(is_new) => self.counters.mounts_made += u64::from(is_new),
            Err(error) => {
                if !existed {
                    // It is empty, or not a mount point that we made. The error to report is the one before.
                    let _ = kernel.unlinkat(root.fd(), &volume.name, AtFlags::AT_REMOVEDIR);
                }
                return Err(error);
            }
        }
        if let Some(container) = self.containers.get_mut(id) {
            container.volumes.push(volume);
        }
        Ok(gid)
    }

    /// A sandbox that is not root's belongs to the user that the program runs as, who shall be able to write: as a member of
    /// the volume's group, whose gid is given, or else as the volume's owner.
    fn give_to_owner_of_sandbox(
        &self,
        sandbox: &Root<'_>,
        source: &Descriptor<'_>,
        volume: &PersistentVolume,
    ) -> Result<Option<u32>, UpdateError> {
        let kernel = &self.kernel;
        let Stat { uid, gid, .. } = stat(kernel, sandbox.fd()).doing("look at", sandbox.path())?;
        if uid == 0 {
            return Ok(None);
        }
        if let Some(gids) = self.gids.as_ref().filter(|_| !volume.is_from_provider) {
            return Ok(Some(gids.allocate(kernel, &volume.source, VolumeKind::Persistent)?));
        }
        if volume.is_shared && is_used_by_another(kernel, sandbox.path(), volume, &self.config.layout)? {
            return Ok(None);
        }
        kernel
            .fchownat(source.fd(), itself(), Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
            .doing("change the owner of volume", &volume.source)?;
        Ok(None)
    }
}

/// Mounts a volume in the sandbox, unless it is mounted there already. Gives whether it was not.
fn mount_volume(
    kernel: &dyn Kernel,
    sandbox: &Root<'_>,
    source: &Descriptor<'_>,
    volume: &PersistentVolume,
    layout: &Layout,
) -> Result<bool, UpdateError> {
    let target = sandbox.path().join(&volume.name);
    let mountpoint = sandbox.create_directory(&volume.name)?;
    match what_is_mounted(kernel, sandbox, source, &mountpoint, &target)? {
        Mounted::Volume => Ok(false),
        Mounted::SomethingElse => {
            Err(UpdateError::TargetInUse { volume: volume.source.as_path().into(), target: target.into() })
        }
        Mounted::Nothing => {
            let attr = volume_attributes(volume);
            let mount = DetachedMount::copy_of(kernel, source.fd(), &volume.source, false, &attr)?;
            // A launch that holds a copy of the sandbox which is attached nowhere would not see it come.
            let _lock = LaunchLock::exclusive(kernel, layout)?;
            mount.attach(mountpoint.fd(), &target)?;
            Ok(true)
        }
    }
}

/// Of volumes that are the same mount, the first one.
pub(super) fn each_once(volumes: Vec<PersistentVolume>) -> Vec<PersistentVolume> {
    let mut known = HashSet::new();
    let is_first: Vec<_> = volumes.iter().map(|volume| known.insert(volume.mount())).collect();
    volumes.into_iter().zip(is_first).filter_map(|(volume, is_first)| is_first.then_some(volume)).collect()
}

/// Those volumes that are not among the others.
pub(super) fn missing<'v>(volumes: &'v [PersistentVolume], others: &[PersistentVolume]) -> Vec<&'v PersistentVolume> {
    let others: HashSet<_> = others.iter().map(PersistentVolume::mount).collect();
    volumes.iter().filter(|volume| !others.contains(&volume.mount())).collect()
}

/// Whether a shared volume is mounted for another container: of this agent or of one that shares work_dir, which is why
/// the mount table is asked and not our memory.
fn is_used_by_another(
    kernel: &dyn Kernel,
    sandbox: &UnixPath,
    volume: &PersistentVolume,
    layout: &Layout,
) -> Result<bool, UpdateError> {
    let source = real_path(kernel, &volume.source)?;
    let text = table::read(kernel)?;
    let table = Table::parse(&text)?;
    let Some(around) = table.containing(&source) else { return Ok(false) };
    let Ok(relative) = source.strip_prefix(&*around.mountpoint()) else { return Ok(false) };
    let root = around.root().join(relative);
    let is_volume = |mount: &Entry<'_>| {
        (mount.major(), mount.minor()) == (around.major(), around.minor()) && same_path(&mount.root(), &root)
    };
    Ok(table
        .at_or_below(&layout.work_dir)
        // The disk that a MOUNT volume is is no use of it.
        .filter(|mount| *mount.mountpoint() != source)
        .any(|mount| is_volume(mount) && !mount.mountpoint().starts_with(sandbox)))
}

/// By component: `/a/` joined with nothing is `/a`.
fn same_path(one: &UnixPath, other: &UnixPath) -> bool {
    one.components().eq(other.components())
}

/// What a mount point holds.
enum Mounted {
    Nothing,
    Volume,
    SomethingElse,
}

/// A volume is there already if an agent that crashed has mounted it; a mount point without a mount is left if it crashed
/// before it removed that.
fn what_is_mounted(
    kernel: &dyn Kernel,
    sandbox: &Root<'_>,
    source: &Descriptor<'_>,
    mountpoint: &Descriptor<'_>,
    target: &UnixPathBuf,
) -> Result<Mounted, CallError> {
    let around = stat(kernel, sandbox.fd()).doing("look at", sandbox.path())?;
    let there = stat(kernel, mountpoint.fd()).doing("look at", target)?;
    if there.mount_id == around.mount_id {
        return Ok(Mounted::Nothing);
    }
    let volume = stat(kernel, source.fd()).doing("look at", target)?;
    let is_volume = (there.device, there.inode) == (volume.device, volume.inode);
    Ok(if is_volume { Mounted::Volume } else { Mounted::SomethingElse })
}

/// Whether a mount point holds a directory that is nowhere else any more.
fn is_removed_directory(
    kernel: &dyn Kernel,
    sandbox: &Root<'_>,
    mountpoint: &Descriptor<'_>,
    target: &UnixPath,
) -> Result<bool, IsolatorError> {
    let around = stat(kernel, sandbox.fd()).doing("look at", sandbox.path())?;
    let there = stat(kernel, mountpoint.fd()).doing("look at", target)?;
    if there.mount_id == around.mount_id {
        return Ok(false);
    }
    let text = table::read(kernel)?;
    let table = Table::parse(&text)?;
    let mount = u32::try_from(there.mount_id).ok().and_then(|id| table.by_id(id));
    Ok(mount.is_some_and(Entry::root_is_deleted))
}

/// A volume is a mount of its own: as a member of the peer group of the mount that it is in, it would be walked by every
/// event there.
fn volume_attributes(volume: &PersistentVolume) -> MountAttr {
    let attr_set = if volume.read_only { MountAttrFlags::MOUNT_ATTR_RDONLY } else { MountAttrFlags::empty() };
    MountAttr { attr_set, propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() }
}
