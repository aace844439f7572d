//! The groups that a container's program needs for volumes that have one, in its launch info and in the record of that.

use std::collections::BTreeSet;

use typed_path::{UnixPath, UnixPathBuf};

use super::prepare::Checked;
use super::sandbox::open_sandbox;
use super::{Container, Isolator, IsolatorError, PrepareError, UpdateError};
use crate::error::Doing;
use crate::kernel::{Bytes, Errno, Kernel, OpenFlags};
use crate::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo};
use crate::root::stat;
use crate::volumes::{AllocatedGid, GidError, HostVolumes, PersistentVolume, VolumeKind};

impl<K: Kernel> Isolator<K> {
    /// The persistent volumes that are mounted for a container and have a gid, with that gid: none of a container that is not
    /// known, nor of one whose sandbox is root's.
    ///
    /// A program needs the groups of its volumes; it has those of the volumes that it was launched with. One that
    /// [`update`](Self::update) has mounted since it can use once it is launched anew: nobody can give a process another
    /// group.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn volume_gids(&self, id: &ContainerId) -> Result<Vec<(PersistentVolume, u32)>, GidError> {
        let Some(container) = self.containers.get(id).filter(|container| !container.volumes.is_empty()) else {
            return Ok(Vec::new());
        };
        if self.gids.is_none() || self.is_of_root(id, container)? {
            return Ok(Vec::new());
        }
        let allocated = self.allocated()?;
        let gids = gids_of(container, &allocated).map(|(volume, gid)| (volume.clone(), gid));
        Ok(gids.collect())
    }

    fn is_of_root(&self, id: &ContainerId, container: &Container) -> Result<bool, GidError> {
        let sandbox = open_sandbox(&self.kernel, id, &container.sandbox)?;
        Ok(stat(&self.kernel, sandbox.fd()).doing("look at", sandbox.path())?.uid == 0)
    }

    /// The gids of persistent volumes.
    fn allocated(&self) -> Result<Vec<AllocatedGid>, GidError> {
        let Some(manager) = &self.gids else { return Ok(Vec::new()) };
        let mut allocated = manager.volumes(&self.kernel)?;
        allocated.retain(|allocated| allocated.kind == VolumeKind::Persistent);
        Ok(allocated)
    }

    /// Has what is launched from now on be a member of the groups of the container's volumes, and of no group of a volume that
    /// it has no more: the container itself, and those nested in it that see its filesystem.
    pub(super) fn record_groups(&self, id: &ContainerId) -> Result<(), UpdateError> {
        let Some(container) = self.containers.get(id).filter(|_| self.gids.is_some() && id.parent().is_none()) else {
            return Ok(());
        };
        let allocated = self.allocated()?;
        let mounted: BTreeSet<u32> = gids_of(container, &allocated).map(|(_, gid)| gid).collect();
        let needed: Vec<u32> = self.volume_gids(id)?.into_iter().map(|(_, gid)| gid).collect();
        let is_lost = |gid: &u32| !mounted.contains(gid) && allocated.iter().any(|allocated| allocated.gid == *gid);
        for member in self.that_see_filesystem_of(id) {
            let Some(mut info) = self.recorded_launch_info(member)? else { continue };
            let config = self.recorded_config(member)?;
            if member != id && !self.is_of_user(&config) {
                continue;
            }
            let groups = groups(&mut info, &config);
            let before = groups.clone();
            groups.retain(|gid| !is_lost(gid));
            add(groups, needed.iter().copied());
            if *groups != before {
                self.record(&self.config.layout.container_launch_info(member), &info)?;
            }
        }
        Ok(())
    }

    /// A container, and those nested in it that see its sandbox: as sessions, or because neither they nor those in between
    /// have a root filesystem of their own.
    fn that_see_filesystem_of<'i>(&'i self, id: &'i ContainerId) -> Vec<&'i ContainerId> {
        let mut members = vec![id];
        let mut next = 0;
        while let Some(member) = members.get(next).copied() {
            next += 1;
            members.extend(self.children(member).filter(|(_, child)| !child.has_rootfs).map(|(child, _)| child));
        }
        members
    }

    /// Whether the program of a container runs as a user that needs a group to be let in.
    fn is_of_user(&self, config: &ContainerConfig) -> bool {
        let credentials = config.user.as_ref().and_then(|user| self.users.look_up(user).ok());
        credentials.is_some_and(|credentials| credentials.uid != 0)
    }

    /// Makes a nested container that sees the filesystem of its parent a member of the groups of the parent's volumes.
    pub(super) fn inherit_groups(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
        info: &mut ContainerLaunchInfo,
    ) -> Result<(), PrepareError> {
        let Some(parent) = id.parent().filter(|_| checked.rootfs.is_none() && is_user(checked)) else { return Ok(()) };
        if self.gids.is_none() {
            return Ok(());
        }
        if let Some(above) = self.recorded_launch_info(parent)? {
            add(groups(info, config), above.supplementary_groups.into_iter().chain(above.task_supplementary_groups));
        }
        Ok(())
    }

    /// Gives the paths of the parent's sandbox that a nested container has as volumes a group each, which it becomes a member
    /// of. They keep it until the top-level container is cleaned up: several nested containers may share them.
    pub(super) fn share_with_parent(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
        volumes: &HostVolumes,
        info: &mut ContainerLaunchInfo,
    ) -> Result<(), PrepareError> {
        let Some(manager) = self.gids.as_ref().filter(|_| is_user(checked)) else { return Ok(()) };
        for path in volumes.paths_of_parent() {
            let shared = match self.shared_with_parent(id, path)? {
                Shared::Path => Some((path.clone(), VolumeKind::SandboxPath)),
                Shared::Volume(source) => Some((source, VolumeKind::Persistent)),
                Shared::SomethingElse => None,
            };
            if let Some((path, kind)) = shared {
                let gid = manager.allocate(&self.kernel, &path, kind).map_err(UpdateError::from)?;
                add(groups(info, config), [gid]);
            }
        }
        Ok(())
    }

    /// What a path in the parent's sandbox is.
    fn shared_with_parent(&self, id: &ContainerId, path: &UnixPath) -> Result<Shared, PrepareError> {
        let top = id.top_level();
        let (Some(own), Some(container)) = (self.containers.get(id), self.containers.get(top)) else {
            return Ok(Shared::SomethingElse);
        };
        let sandbox = open_sandbox(&self.kernel, top, &container.sandbox)?;
        let Ok(relative) = path.strip_prefix(sandbox.path()) else { return Ok(Shared::SomethingElse) };
        let found = sandbox.resolve(relative, OpenFlags::empty())?;
        let mount = |fd| stat(&self.kernel, fd).doing("look at", path).map(|stat| stat.mount_id);
        let is_in_sandbox = mount(found.fd())? == mount(sandbox.fd())?;
        // Those of other containers lie there too.
        let has_sandboxes = own.sandbox.starts_with(path);
        if is_in_sandbox && !has_sandboxes {
            return Ok(Shared::Path);
        }
        // Its files outlive the sandbox: the gid must be the volume's own.
        let volume = container.volumes.iter().find(|volume| relative.starts_with(&volume.name));
        if let Some(volume) = volume.filter(|volume| !is_in_sandbox && !volume.is_from_provider) {
            return Ok(Shared::Volume(volume.source.clone()));
        }
        let reason = if has_sandboxes { "has sandboxes in it" } else { "is in another mount" };
        tracing::warn!(%id, path = %Bytes::from(path), reason, "a path of the parent's sandbox gets no group");
        Ok(Shared::SomethingElse)
    }

    fn recorded_launch_info(&self, id: &ContainerId) -> Result<Option<ContainerLaunchInfo>, IsolatorError> {
        match self.recorded(&self.config.layout.container_launch_info(id)) {
            // It was prepared before a reboot.
            Err(IsolatorError::Call(error)) if error.errno == Errno::ENOENT => Ok(None),
            info => info.map(Some),
        }
    }
}

/// The persistent volumes of a container that have a gid, with that.
fn gids_of<'c>(
    container: &'c Container,
    allocated: &'c [AllocatedGid],
) -> impl Iterator<Item = (&'c PersistentVolume, u32)> {
    let of_agent = container.volumes.iter().filter(|volume| !volume.is_from_provider);
    of_agent.filter_map(|volume| {
        let is_its = |allocated: &&AllocatedGid| allocated.path.components().eq(volume.source.components());
        allocated.iter().find(is_its).map(|allocated| (volume, allocated.gid))
    })
}

/// What a path in the parent's sandbox is.
enum Shared {
    /// A path of the sandbox itself.
    Path,
    /// In a persistent volume, whose directory that is.
    Volume(UnixPathBuf),
    /// In another mount.
    SomethingElse,
}

fn is_user(checked: &Checked) -> bool {
    checked.credentials.as_ref().is_some_and(|credentials| credentials.uid != 0)
}

/// The groups that volumes are used with. The executor of a command task with its own rootfs runs as root: it is the task that
/// needs them.
pub(super) fn groups<'i>(info: &'i mut ContainerLaunchInfo, config: &ContainerConfig) -> &'i mut Vec<u32> {
    if config.task_info.is_some() && config.rootfs.is_some() {
        &mut info.task_supplementary_groups
    } else {
        &mut info.supplementary_groups
    }
}

/// Adds groups, each once.
fn add(groups: &mut Vec<u32>, more: impl IntoIterator<Item = u32>) {
    for gid in more {
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
}
