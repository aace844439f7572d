//! Removing what a container leaves behind.

use typed_path::{UnixPath, UnixPathBuf};

use super::sandbox::Sandbox;
use super::{Isolator, RemoveError};
use crate::error::CallError;
use crate::kernel::{AtFlags, Errno, Fd, Kernel};
use crate::messages::ContainerId;
use crate::mountinfo::{Entry, Table};
use crate::removal::{remove_tree, remove_tree_in};
use crate::root::{real_path, remove_empty_directories};
use crate::table;

impl<K: Kernel> Isolator<K> {
    /// Removes the runtime directory and the sandbox of a container that is cleaned up.
    ///
    /// It refuses while anything is mounted at or below the sandbox, and never crosses into another mount, even one that
    /// appears in between: volumes keep their data. Where this isolator has [cleaned up](Self::cleanup) before, the mount table
    /// is not read again: what was mounted since is come upon, and what lies beside it may be gone by then.
    ///
    /// ```
    /// # use cofferdam_vfs_sim::sample;
    /// # let sample::Agent { mut isolator, id, container, .. } = sample::agent();
    /// # isolator.prepare(&id, &container)?;
    /// let sandbox = container.directory.as_path();
    /// assert!(isolator.remove(&id, sandbox).is_err(), "it is not cleaned up yet");
    /// isolator.cleanup(&id)?;
    /// isolator.remove(&id, sandbox)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove(&self, id: &ContainerId, sandbox: &UnixPath) -> Result<(), RemoveError> {
        self.remove_sandbox(id, sandbox)?;
        self.remove_runtime(id)
    }

    /// Removes only the sandbox, which must lie where the sandbox of that container belongs.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove_sandbox(&self, id: &ContainerId, sandbox: &UnixPath) -> Result<(), RemoveError> {
        if self.containers.contains_key(id) {
            return Err(RemoveError::NotCleanedUp(id.clone()));
        }
        // Nobody else's directory, whatever we are told.
        let (Some(above), Some(name)) = (sandbox.parent(), sandbox.file_name()) else {
            return Ok(self.check_sandbox(id, sandbox)?);
        };
        // What the program has put in the place of its sandbox is not followed.
        let directory = match real_path(&self.kernel, above) {
            Err(error) if error.errno == Errno::ENOENT => return Ok(()),
            above => above?.join(name),
        };
        self.check_sandbox(id, &directory)?;
        let is_detached = self.is_detached(id, Some(&directory));
        if !is_detached {
            self.check_unmounted(&directory)?;
        }
        let (parent, name) = Sandbox::above(&self.kernel, id, &directory)?.parent(&directory)?;
        let removed = remove_tree_in(&self.kernel, &parent, &name, &directory);
        if removed.is_err() && is_detached {
            // By somebody else, since.
            self.check_unmounted(&directory)?;
        }
        Ok(removed?)
    }

    /// Removes only the runtime directory. It refuses while anything is mounted in a sandbox of that container: what says
    /// whose mounts these are must not go before them.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    pub fn remove_runtime(&self, id: &ContainerId) -> Result<(), RemoveError> {
        if self.containers.contains_key(id) {
            return Err(RemoveError::NotCleanedUp(id.clone()));
        }
        let directory = self.config.layout.container_runtime(id);
        if !self.is_detached(id, None) {
            self.check_runtime(id, &directory)?;
        }
        // First: whoever dies before the rest is gone must not leave what looks like a container that was prepared.
        let config = self.config.layout.container_config(id);
        match self.kernel.unlinkat(Fd::CWD, &config, AtFlags::empty()) {
            // A directory there is no record, and goes with the rest.
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EISDIR) => {}
            Err(errno) => return Err(CallError::new("remove", &config, errno).into()),
        }
        remove_tree(&self.kernel, &directory)?;
        if id.parent().is_some() {
            // It is in the directory that those have in common that are nested in the same one, which goes with the last.
            let above = directory.parent().map(UnixPath::to_path_buf);
            remove_empty_directories(&self.kernel, above.as_slice());
        }
        Ok(())
    }

    /// Whether we have detached its mounts, and nobody has prepared it since.
    fn is_detached(&self, id: &ContainerId, sandbox: Option<&UnixPath>) -> bool {
        let is_it = |(other, directory): &&(ContainerId, UnixPathBuf)| {
            other == id && sandbox.is_none_or(|sandbox| *sandbox == **directory)
        };
        self.detached.iter().find(is_it).is_some_and(|(_, sandbox)| {
            match self.kernel.statx(Fd::CWD, sandbox, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(found) => !found.is_mount_root,
                Err(errno) => errno == Errno::ENOENT,
            }
        })
    }

    fn check_unmounted(&self, directory: &UnixPath) -> Result<(), RemoveError> {
        let text = table::read(&self.kernel)?;
        check_unmounted(&Table::parse(&text)?, directory)
    }

    /// The container may be known by its mounts alone, as its record can't be read.
    fn check_runtime(&self, id: &ContainerId, directory: &UnixPath) -> Result<(), RemoveError> {
        let text = table::read(&self.kernel)?;
        let table = Table::parse(&text)?;
        check_unmounted(&table, directory)?;
        let layout = &self.config.layout;
        let found = table.at_or_below(&layout.work_dir).find_map(|mount| {
            let (found, sandbox) = layout.container_of(&mount.mountpoint())?;
            (found == *id).then(|| mount_left(&sandbox, mount))
        });
        found.map_or(Ok(()), Err)
    }
}

fn check_unmounted(table: &Table<'_>, directory: &UnixPath) -> Result<(), RemoveError> {
    table.at_or_below(directory).next().map_or(Ok(()), |mount| Err(mount_left(directory, mount)))
}

fn mount_left(directory: &UnixPath, mount: &Entry<'_>) -> RemoveError {
    RemoveError::MountLeft { directory: directory.into(), mountpoint: mount.mountpoint().into_owned().into() }
}
