//! The isolator: decides what a container's filesystem looks like, and keeps the host's mount table clean.
//!
//! One file per operation: [`Isolator::create`], [`Isolator::prepare`], [`Isolator::update`], [`Isolator::cleanup`] and
//! [`Isolator::remove`]. `prepare` decides, and the [launcher](crate::launch) carries its decision out; `update` mounts
//! volumes on the host, from where they reach the container by propagation.

mod cleanup;
mod create;
mod error;
mod prepare;
mod remove;
mod update;

use std::collections::BTreeMap;

use typed_path::UnixPathBuf;

pub use create::check_privileges;
pub use error::{CleanupError, CreateError, IsolatorError, PrepareError, RemoveError, UpdateError};

use crate::agent::AgentConfig;
use crate::kernel::Kernel;
use crate::messages::ContainerId;
use crate::user::UserDatabase;
use crate::volumes::PersistentVolume;

/// The filesystem isolator of an agent, on any kernel.
///
/// It remembers the containers that it has prepared, until they are cleaned up.
pub struct Isolator<K> {
    kernel: K,
    config: AgentConfig,
    users: Box<dyn UserDatabase>,
    containers: BTreeMap<ContainerId, Container>,
}

/// What is remembered of a container.
#[derive(Clone, Debug)]
struct Container {
    /// The sandbox, as the mount table shows it: without symbolic links.
    sandbox: UnixPathBuf,
    /// The volumes that are mounted.
    volumes: Vec<PersistentVolume>,
}

impl<K: Kernel> Isolator<K> {
    /// The kernel that it acts on.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// The configuration.
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// The containers that it knows.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerId> {
        self.containers.keys()
    }
}

impl<K> std::fmt::Debug for Isolator<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Isolator")
            .field("config", &self.config)
            .field("containers", &self.containers)
            .finish_non_exhaustive()
    }
}
