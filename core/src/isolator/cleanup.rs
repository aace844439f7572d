//! Taking a container's mounts off the host.

use typed_path::UnixPath;

use super::{CleanupError, Isolator};
use crate::error::{CallError, Doing};
use crate::kernel::{Kernel, UmountFlags};
use crate::messages::ContainerId;
use crate::mountinfo::Table;
use crate::table;

impl<K: Kernel> Isolator<K> {
    /// Detaches every mount at or below the container's sandbox on the host, and forgets the container. Nothing is done
    /// for a container that is not known.
    ///
    /// `MNT_DETACH`, because whoever removes the sandbox afterwards must find none of a volume's data in it, whatever
    /// still has a file open there.
    ///
    /// ```
    /// # use cofferdam::agent::AgentConfig;
    /// # use cofferdam::isolator::Isolator;
    /// # use cofferdam::kernel::{Kernel, Mode};
    /// # use cofferdam::layout::Layout;
    /// # use cofferdam::messages::{ContainerConfig, ContainerId, ContainerState, Resource};
    /// # use cofferdam::root::create_directories;
    /// # use cofferdam::user::NumericUsers;
    /// # use cofferdam::{UnixPath, checkpoint};
    /// # use cofferdam_vfs_sim::{Process, sample};
    /// # let kernel = Process::init(sample::host());
    /// # let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
    /// # create_directories(&kernel, &layout.work_dir, Mode(0o755))?;
    /// # let config = AgentConfig::new(layout);
    /// # let mut isolator = Isolator::create(&kernel, config.clone(), Box::new(NumericUsers))?;
    /// # let id = ContainerId::new("c1")?;
    /// # let sandbox = isolator.config().layout.executor_sandbox("agent", "framework", "executor", &id)?;
    /// # create_directories(&kernel, &sandbox, Mode(0o755))?;
    /// # let container = ContainerConfig { directory: sandbox.as_path().into(), ..ContainerConfig::default() };
    /// # create_directories(&kernel, UnixPath::new("/var/lib/agent/volumes/roles/web/db"), Mode(0o755))?;
    /// # let volume: Resource = serde_json::from_value(serde_json::json!({
    /// #     "name": "disk",
    /// #     "reservations": [{ "role": "web" }],
    /// #     "disk": { "persistence": { "id": "db" }, "volume": { "container_path": "data", "mode": "RW" } },
    /// # }))?;
    /// # isolator.prepare(&id, &container)?;
    /// # isolator.update(&id, &[volume])?;
    /// isolator.cleanup(&id)?;
    /// assert!(isolator.container(&id).is_none());
    /// // Once nothing is mounted there any more, the sandbox can be removed.
    /// isolator.remove(&id, &sandbox)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`CleanupError`]. Every mount is tried.
    pub fn cleanup(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        let cleaned = self.cleanup_known(id);
        self.counted("cleanup", cleaned)
    }

    fn cleanup_known(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        let Some(container) = self.containers.get(id) else {
            tracing::debug!(%id, "cleanup of an unknown container");
            return Ok(());
        };
        if let Some(child) = self.containers.keys().find(|other| other.parent() == Some(id)) {
            return Err(CleanupError::HasChild { id: id.clone(), child: child.clone() });
        }
        let sandbox = container.sandbox.clone();
        let errors = self.detach_below(&sandbox)?;
        if !errors.is_empty() {
            return Err(CleanupError::MountsLeft { id: id.clone(), errors });
        }
        self.containers.remove(id);
        Ok(())
    }

    /// Detaches all mounts at or below a path, by component. Gives the errors if mounts are left.
    pub(super) fn detach_below(&mut self, path: &UnixPath) -> Result<Vec<CallError>, CleanupError> {
        let Detached { count, errors } = detach_below(&self.kernel, path)?;
        self.counters.mounts_undone += count;
        Ok(errors)
    }
}

/// What became of mounts that were to be detached.
struct Detached {
    /// How many were.
    count: u64,
    /// Why others were not.
    errors: Vec<CallError>,
}

/// The latest first, and so, as a rule, the upper ones of a stack and the deeper ones before what they are on. A mount that
/// was moved stands elsewhere in the table: whether an error matters is told by the table afterwards.
fn detach_below(kernel: &dyn Kernel, path: &UnixPath) -> Result<Detached, CleanupError> {
    let mut detached = 0;
    let mut errors = Vec::new();
    let mut left = usize::MAX;
    loop {
        let text = table::read(kernel)?;
        let table = Table::parse(&text)?;
        match table.at_or_below(path).count() {
            0 => return Ok(Detached { count: detached, errors: Vec::new() }),
            count if count >= left => return Ok(Detached { count: detached, errors }),
            count => left = count,
        }
        errors.clear();
        for mount in table.at_or_below(path).rev() {
            let mountpoint = mount.mountpoint();
            let flags = UmountFlags::MNT_DETACH | UmountFlags::UMOUNT_NOFOLLOW;
            match kernel.umount2(&mountpoint, flags).doing("unmount", &mountpoint) {
                Ok(()) => detached += 1,
                Err(error) => errors.push(error),
            }
        }
    }
}
