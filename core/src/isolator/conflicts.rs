//! Persistent volumes that come later, and the volumes that the container has for good.

use typed_path::UnixPathBuf;

use super::update::missing;
use super::{Isolator, IsolatorError, UpdateError};
use crate::kernel::{Bytes, Errno, Kernel};
use crate::messages::{ContainerConfig, ContainerId, Resource};
use crate::volumes::{ContainerPaths, path_in_sandbox};

impl<K: Kernel> Isolator<K> {
    /// Refuses a new persistent volume that another volume of the container would hide, or that would be mounted over one.
    /// Those others are mounted in the container alone, where nobody but its program could take them away.
    pub(super) fn check_conflicts(&self, id: &ContainerId, resources: &[Resource]) -> Result<(), UpdateError> {
        let Some(container) = self.containers.get(id) else { return Ok(()) };
        let config = match self.recorded_config(id) {
            // Its other volumes are not known: it was prepared before a reboot, or by somebody else.
            Err(IsolatorError::Call(error)) if error.errno == Errno::ENOENT => ContainerConfig::default(),
            config => config?,
        };
        let sandboxes = [container.sandbox.clone()];
        let paths = ContainerPaths {
            rootfs: config.rootfs.as_ref().map(Bytes::as_path),
            sandboxes: &sandboxes,
            sandbox_directory: &self.config.sandbox_directory,
            host_path_creation: &[],
            owner: None,
        };
        let others = config.container_info.as_ref().map_or(&[][..], |info| &info.volumes);
        let wanted = self.persistent_volumes(resources)?;
        for volume in missing(&wanted, &container.volumes) {
            let is_in_the_way = |path: UnixPathBuf| path.components().next() == volume.name.components().next();
            if let Some(other) = others.iter().find(|other| path_in_sandbox(&paths, other).is_some_and(is_in_the_way)) {
                return Err(UpdateError::OtherVolume {
                    id: volume.id.clone(),
                    name: volume.name.as_path().into(),
                    container_path: other.container_path.clone(),
                });
            }
        }
        Ok(())
    }
}
