//! The isolator: decides what a container's filesystem looks like, and keeps the host's mount table clean.
//!
//! One file per operation: [`Isolator::create`], [`Isolator::recover`], [`Isolator::prepare`], [`Isolator::update`],
//! [`Isolator::cleanup`] and [`Isolator::remove`]. `prepare` decides, and the [launcher](crate::launch) carries its decision out; `update` mounts
//! volumes on the host, from where they reach the container by propagation.

mod check;
mod cleanup;
mod conflicts;
mod create;
mod directories;
mod error;
mod gids;
mod groups;
mod mount_index;
mod prepare;
mod records;
mod recover;
mod remove;
mod sandbox;
mod step;
mod update;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use typed_path::{UnixPath, UnixPathBuf};

pub use check::{HostCheck, check_host};
pub use create::{check_agent, check_privileges};
pub use error::{CleanupError, CreateError, IsolatorError, PrepareError, RecoverError, RemoveError, UpdateError};
use records::Profile;
pub use records::Unreadable;
pub use recover::Recovery;
pub use step::Step;

use crate::agent::AgentConfig;
use crate::kernel::Kernel;
use crate::messages::{ContainerClass, ContainerId};
use crate::metrics::Counters;
use crate::user::UserDatabase;
use crate::volumes::{GidManager, PersistentVolume};

/// The filesystem isolator of an agent, on any kernel.
///
/// It remembers the containers that it has prepared, until they are cleaned up. What it remembers it also writes down in
/// their runtime directories, so that another process can go on: see [`Isolator::resume`] and [`Isolator::recover`].
///
/// ```no_run
/// use cofferdam::agent::AgentConfig;
/// use cofferdam::isolator::Isolator;
/// use cofferdam::layout::Layout;
/// use cofferdam::messages::{CommandInfo, ContainerConfig, ContainerId};
/// use cofferdam::user::NumericUsers;
/// # #[cfg(target_os = "linux")]
/// use cofferdam_linux::LinuxKernel;
///
/// # #[cfg(target_os = "linux")]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
///     let mut isolator = Isolator::create(LinuxKernel, AgentConfig::new(layout), Box::new(NumericUsers))?;
///
///     let id = ContainerId::new("c1")?;
///     let sandbox = isolator.config().layout.executor_sandbox("agent", "framework", "executor", &id)?;
///     std::fs::create_dir_all(sandbox.to_string())?;
///     let config = ContainerConfig {
///         directory: sandbox.as_path().into(),
///         rootfs: Some("/srv/image".into()),
///         command_info: CommandInfo::program(vec!["/bin/true".into()]),
///         ..ContainerConfig::default()
///     };
///     let launch_info = isolator.prepare(&id, &config)?;
///     // A fresh process carries it out: one that calls `cofferdam::launch::launch`.
///     println!("{}", serde_json::to_string(&launch_info)?);
///
///     isolator.cleanup(&id)?;
///     isolator.remove(&id, &sandbox)?;
///     Ok(())
/// }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub struct Isolator<K> {
    kernel: K,
    config: AgentConfig,
    users: Box<dyn UserDatabase>,
    /// If gids are configured for it.
    gids: Option<GidManager>,
    containers: BTreeMap<ContainerId, Container>,
    /// Containers that may be there, but that the kernel refused to show when they were to be remembered. Nobody cleans them
    /// up for not being known.
    in_doubt: BTreeSet<ContainerId>,
    /// The last containers whose mounts were all detached, with their sandboxes, the latest first; none that was prepared anew.
    detached: VecDeque<(ContainerId, UnixPathBuf)>,
    counters: Counters,
}

/// What is remembered of a container.
#[derive(Clone, Debug)]
struct Container {
    /// The sandbox, as the mount table shows it: without symbolic links.
    sandbox: UnixPathBuf,
    /// The volumes that are mounted.
    volumes: Vec<PersistentVolume>,
    /// Whether it has a root filesystem of its own.
    has_rootfs: bool,
    /// Whether it is a session in its parent.
    is_debug: bool,
    /// Whether it belongs to no executor.
    is_standalone: bool,
}

/// What an isolator knows of a container.
#[derive(Clone, Copy, Debug)]
pub struct ContainerView<'i> {
    container: &'i Container,
}

impl<'i> ContainerView<'i> {
    /// The sandbox, on the host, without symbolic links.
    pub fn sandbox(&self) -> &'i UnixPath {
        &self.container.sandbox
    }

    /// The persistent volumes that are mounted in it.
    pub fn volumes(&self) -> &'i [PersistentVolume] {
        &self.container.volumes
    }

    /// Whether it has a root filesystem of its own.
    pub fn has_rootfs(&self) -> bool {
        self.container.has_rootfs
    }

    /// Whether it is a session in its parent's container.
    pub fn is_debug(&self) -> bool {
        self.container.is_debug
    }

    /// Whether it belongs to no executor.
    pub fn is_standalone(&self) -> bool {
        self.container.is_standalone
    }
}

impl Container {
    fn new(sandbox: UnixPathBuf, profile: &Profile, volumes: Vec<PersistentVolume>) -> Self {
        Self {
            sandbox,
            volumes,
            has_rootfs: profile.rootfs.is_some(),
            is_debug: profile.container_class == Some(ContainerClass::Debug),
            is_standalone: profile.standalone,
        }
    }
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

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts an operation that has failed.
    fn counted<T, E>(&mut self, operation: &'static str, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.counters.failed(operation);
        }
        result
    }

    /// What it knows of a container.
    pub fn container(&self, id: &ContainerId) -> Option<ContainerView<'_>> {
        self.containers.get(id).map(|container| ContainerView { container })
    }

    /// The containers that are nested in one, not those deeper down.
    fn children<'i>(&'i self, id: &'i ContainerId) -> impl Iterator<Item = (&'i ContainerId, &'i Container)> {
        let after = self.containers.range((Bound::Excluded(id.before_children()), Bound::Unbounded));
        after.take_while(move |(other, _)| other.parent() == Some(id))
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
