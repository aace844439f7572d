//! Taking a container's mounts off the host.

use typed_path::{UnixPath, UnixPathBuf};

use super::sandbox::{Sandbox, detach_mount, unmount};
use super::{CleanupError, Isolator};
use crate::error::{CallError, Doing};
use crate::kernel::{Errno, Kernel, UmountFlags};
use crate::messages::ContainerId;
use crate::mountinfo::{Entry, Table};
use crate::root::stat;
use crate::table;

impl<K: Kernel> Isolator<K> {
    /// Detaches every mount at or below the container's sandbox on the host, and forgets the container. Nothing is done
    /// for a container that is not known.
    ///
    /// `MNT_DETACH`, because whoever removes the sandbox afterwards must find none of a volume's data in it, whatever
    /// still has a file open there.
    ///
    /// ```
    /// # use cofferdam_vfs_sim::sample;
    /// # let sample::Agent { mut isolator, id, container, volume, .. } = sample::agent();
    /// # isolator.prepare(&id, &container)?;
    /// # isolator.update(&id, &[volume])?;
    /// isolator.cleanup(&id)?;
    /// assert!(isolator.container(&id).is_none());
    /// // Once nothing is mounted there any more, the sandbox can be removed.
    /// isolator.remove(&id, container.directory.as_path())?;
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
        let Some(sandbox) = self.detach_known(id)? else {
            tracing::debug!(%id, "cleanup of an unknown container");
            return Ok(());
        };
        if id.parent().is_none() {
            // Of the paths in it that nested containers have shared.
            self.deallocate_gids(&sandbox)?;
        }
        self.containers.remove(id);
        Ok(())
    }

    /// Forgets a container that has never been the parent of another one, and detaches its mounts.
    pub(super) fn forget(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        let detached = self.detach_known(id);
        self.counted("cleanup", detached)?;
        self.containers.remove(id);
        Ok(())
    }

    /// Detaches all mounts in the sandbox of a container, which is given; none if the container is not known.
    fn detach_known(&mut self, id: &ContainerId) -> Result<Option<UnixPathBuf>, CleanupError> {
        let Some(container) = self.containers.get(id) else { return Ok(None) };
        if let Some((child, _)) = self.children(id).next() {
            return Err(CleanupError::HasChild { id: id.clone(), child: child.clone() });
        }
        let sandbox = container.sandbox.clone();
        let errors = self.detach_in_sandbox(id, &sandbox)?;
        if !errors.is_empty() {
            return Err(CleanupError::MountsLeft { id: id.clone(), errors });
        }
        self.detached.truncate(DETACHED - 1);
        self.detached.push_front((id.clone(), sandbox.clone()));
        Ok(Some(sandbox))
    }

    /// Detaches all mounts at or below a container's sandbox, by component. Gives the errors if mounts are left.
    pub(super) fn detach_in_sandbox(
        &mut self,
        id: &ContainerId,
        sandbox: &UnixPath,
    ) -> Result<Vec<CallError>, CleanupError> {
        if id.parent().is_none() && detach_mount(&self.kernel, id, sandbox) {
            let volumes = self.containers.get(id).map_or(0, |container| container.volumes.len());
            self.counters.mounts_undone += 1 + volumes as u64;
            return Ok(Vec::new());
        }
        let Detached { count, errors } = detach_in_sandbox(&self.kernel, id, sandbox)?;
        self.counters.mounts_undone += count;
        Ok(errors)
    }
}

/// How many containers are remembered whose mounts were detached: whoever removes them later has the mount table asked.
const DETACHED: usize = 64;

/// How often a table that has changed, but not become shorter, is looked at anew: whoever still moves mounts about then is
/// at work against us.
const ATTEMPTS: usize = 16;

/// What became of mounts that were to be detached.
struct Detached {
    /// How many were.
    count: u64,
    /// Why others were not.
    errors: Vec<CallError>,
}

/// The latest first, and so, as a rule, the upper ones of a stack and the deeper ones before what they are on. A mount that
/// was moved stands elsewhere in the table: whether an error matters is told by the table afterwards.
fn detach_in_sandbox(kernel: &dyn Kernel, id: &ContainerId, sandbox: &UnixPath) -> Result<Detached, CleanupError> {
    let mut detached = Detached { count: 0, errors: Vec::new() };
    let mut seen = Vec::new();
    let mut fruitless = 0;
    loop {
        let text = table::read(kernel)?;
        let table = Table::parse(&text)?;
        let below: Vec<_> = table.at_or_below(sandbox).collect();
        let mounts: Vec<_> = below.iter().map(|mount| (mount.id(), mount.mountpoint().into_owned())).collect();
        if mounts.is_empty() {
            return Ok(Detached { errors: Vec::new(), ..detached });
        }
        if !seen.is_empty() && mounts.len() >= seen.len() {
            fruitless += 1;
            if mounts == seen || fruitless == ATTEMPTS {
                return Ok(detached);
            }
        }
        detached.errors.clear();
        let directory = Sandbox::above(kernel, id, sandbox)?;
        for mount in below.into_iter().rev() {
            match detach(kernel, &directory, &table, mount) {
                Ok(()) => detached.count += 1,
                Err(error) => detached.errors.push(error),
            }
        }
        seen = mounts;
    }
}

/// Detaches what is mounted where the table has a mount: that one, or one that was put on it since.
///
/// The program that writes in the sandbox may have put another directory on the way to it meanwhile. So the directory that
/// it is in is opened first, which no symbolic link leads to, and must be in the mount that the table says. The mount itself
/// is not looked at: its filesystem may not answer any more (FUSE, NFS), and goes nevertheless.
fn detach(kernel: &dyn Kernel, sandbox: &Sandbox<'_>, table: &Table<'_>, mount: &Entry<'_>) -> Result<(), CallError> {
    let mountpoint = mount.mountpoint();
    let (directory, name) = sandbox.parent(&mountpoint)?;
    let found = stat(kernel, directory.fd()).doing("look at the directory of", &mountpoint)?.mount_id;
    if found != u64::from(around(table, mount)) {
        let error = CallError::new("unmount", &mountpoint, Errno::ESTALE);
        return Err(error.with_hint("the directory that it is in has been replaced; try again"));
    }
    if unmount(kernel, directory.fd(), &name, UmountFlags::MNT_DETACH, &mountpoint)? {
        return Ok(());
    }
    let error = CallError::new("unmount", &mountpoint, Errno::EINVAL);
    Err(error.with_hint("it is not a mount point any more, or locked by a user namespace; try again"))
}

/// The mount, by its id, that the mountpoint of a mount is in: not one that it is stacked on.
fn around(table: &Table<'_>, mount: &Entry<'_>) -> u32 {
    let mut lowest = mount;
    // A text may have mounts that are each other's parents.
    for _ in table.entries() {
        match table.by_id(lowest.parent_id()) {
            Some(below) if below.mountpoint() == mount.mountpoint() => lowest = below,
            _ => break,
        }
    }
    lowest.parent_id()
}
