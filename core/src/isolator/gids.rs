//! The volume gid manager of an isolator, which is there if [`AgentConfig::volume_gid_range`] is.
//!
//! [`AgentConfig::volume_gid_range`]: crate::agent::AgentConfig::volume_gid_range

use typed_path::UnixPath;

use super::Isolator;
use crate::kernel::Kernel;
use crate::volumes::{GidError, GidGauges, GidManager};

impl<K: Kernel> Isolator<K> {
    /// The volume gid manager.
    pub fn gid_manager(&self) -> Option<&GidManager> {
        self.gids.as_ref()
    }

    /// Frees the gids of volumes that no longer exist and, after a reboot, of those in sandboxes
    /// ([`GidManager::recover`]). For the start of an agent.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn recover_gids(&self, rebooted: bool) -> Result<(), GidError> {
        self.gids.as_ref().map_or(Ok(()), |gids| gids.recover(&self.kernel, &*self.users, rebooted))
    }

    /// Frees the gids of what is at or below a path ([`GidManager::deallocate`]): of a persistent volume that was removed, or
    /// in the sandbox of a container that has ended.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn deallocate_gids(&self, path: &UnixPath) -> Result<(), GidError> {
        self.gids.as_ref().map_or(Ok(()), |gids| gids.deallocate(&self.kernel, &*self.users, path))
    }

    /// How many gids there are, and how many of them are free.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn gid_gauges(&self) -> Result<Option<GidGauges>, GidError> {
        self.gids.as_ref().map(|gids| gids.gauges(&self.kernel)).transpose()
    }
}
