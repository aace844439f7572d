//! Volumes that are paths of the host or of sandboxes.

use std::iter::successors;

use typed_path::{UnixPath, UnixPathBuf};

use super::super::{Isolator, PrepareError};
use super::Checked;
use crate::kernel::{Bytes, Kernel};
use crate::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo};
use crate::volumes::{ContainerPaths, HostVolumes};

impl<K: Kernel> Isolator<K> {
    /// Adds the mounts of the container's own volumes, which come after all others, and the directories that the launcher is
    /// not to trust. Missing directories are made, and recorded in `volumes` to be undone.
    pub(super) fn add_volumes(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
        info: &mut ContainerLaunchInfo,
        volumes: &mut HostVolumes,
    ) -> Result<(), PrepareError> {
        let sandboxes: Vec<_> =
            successors(Some(id), |id| id.parent()).map_while(|id| self.sandbox_of(id)).map(Into::into).collect();
        let container = ContainerPaths {
            rootfs: checked.rootfs.as_deref(),
            sandboxes: &sandboxes,
            sandbox_directory: &self.config.sandbox_directory,
            host_path_creation: &self.config.host_path_creation,
            owner: checked.credentials.as_ref(),
        };
        let persistent = self.persistent_volumes(&config.resources)?;
        let sandbox = container.sandbox_target();
        let taken: Vec<UnixPathBuf> = persistent.iter().map(|volume| sandbox.join(&volume.name)).collect();
        let wanted = config.container_info.as_ref().map_or(&[][..], |info| &info.volumes);
        volumes.prepare(&self.kernel, &container, wanted, &taken)?;
        let made = info.file_operations.iter().filter_map(|operation| operation.symlink.as_ref());
        let own = info.masked_paths.iter().chain(made.map(|symlink| &symlink.target)).map(Bytes::as_path);
        volumes.check_covers_none(&own.collect::<Vec<_>>())?;
        info.mounts.extend_from_slice(volumes.mounts());
        info.untrusted_directories.extend(volumes.untrusted_directories().map(Into::into));
        Ok(())
    }

    /// The sandbox of a container that is known, by its real path.
    fn sandbox_of(&self, id: &ContainerId) -> Option<&UnixPath> {
        self.containers.get(id).map(|container| container.sandbox.as_path())
    }
}
