//! Removing what a container leaves behind.

use typed_path::UnixPath;

use super::{Isolator, RemoveError};
use crate::kernel::Kernel;
use crate::messages::ContainerId;
use crate::mountinfo::Table;
use crate::removal::remove_tree;
use crate::table;

impl<K: Kernel> Isolator<K> {
    /// Removes the runtime directory and the sandbox of a container that is cleaned up.
    ///
    /// It refuses while anything is mounted at or below the sandbox, and never crosses into another mount, even one that
    /// appears in between: volumes keep their data.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove(&self, id: &ContainerId, sandbox: &UnixPath) -> Result<(), RemoveError> {
        self.remove_sandbox(id, sandbox)?;
        self.remove_runtime(id)
    }

    /// Removes only the sandbox.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove_sandbox(&self, id: &ContainerId, sandbox: &UnixPath) -> Result<(), RemoveError> {
        if self.containers.contains_key(id) {
            return Err(RemoveError::NotCleanedUp(id.clone()));
        }
        self.remove_directory(sandbox)
    }

    /// Removes only the runtime directory.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove_runtime(&self, id: &ContainerId) -> Result<(), RemoveError> {
        if self.containers.contains_key(id) {
            return Err(RemoveError::NotCleanedUp(id.clone()));
        }
        self.remove_directory(&self.config.layout.container_runtime(id))
    }

    fn remove_directory(&self, directory: &UnixPath) -> Result<(), RemoveError> {
        let text = table::read(&self.kernel)?;
        let table = Table::parse(&text)?;
        if let Some(mount) = table.at_or_below(directory).next() {
            return Err(RemoveError::MountLeft {
                directory: directory.into(),
                mountpoint: mount.mountpoint().into_owned().into(),
            });
        }
        Ok(remove_tree(&self.kernel, directory)?)
    }
}
