//! Deciding what a container's filesystem looks like.

mod devices;
mod nesting;
mod rootfs;
mod volumes;

use typed_path::UnixPathBuf;

use nesting::PidNamespaces;

use super::groups::groups;
use super::sandbox::make_mount;
use super::{Container, Isolator, PrepareError};
use crate::checkpoint;
use crate::error::Doing;
use crate::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel, Mode, MountFlags};
use crate::messages::{
    ContainerClass, ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerMountInfo, Namespace,
};
use crate::root::{create_directories, real_path, remove_empty_directories};
use crate::user::Credentials;
use crate::volumes::HostVolumes;

/// A configuration whose paths are real ones of the right kind.
pub(super) struct Checked {
    pub(super) sandbox: UnixPathBuf,
    pub(super) rootfs: Option<UnixPathBuf>,
    pub(super) credentials: Option<Credentials>,
    pids: PidNamespaces,
}

impl<K: Kernel> Isolator<K> {
    /// Decides what the launcher is to do for a container, and mounts its volumes on the host.
    ///
    /// A nested container of class DEBUG joins the mount namespace of its parent; every other one gets a mount namespace of
    /// its own. A nested container begins in the pid namespace of its parent, which it does not outlive; a program that it
    /// makes its own below that is one more. So the parent must run when it is launched.
    ///
    /// ```
    /// use cofferdam::messages::ContainerConfig;
    /// use cofferdam_vfs_sim::sample;
    ///
    /// let sample::Agent { mut isolator, id, container, .. } = sample::agent();
    /// let container = ContainerConfig { rootfs: Some(sample::ROOTFS.into()), ..container };
    /// let info = isolator.prepare(&id, &container)?;
    /// // What the launcher mounts first: the root filesystem on itself, so that it can become the root.
    /// assert_eq!(info.mounts[0].target, "/srv/busybox".into());
    /// assert!(info.masked_paths.contains(&"/srv/busybox/proc/kcore".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`PrepareError`]. A prepare that fails leaves nothing behind.
    pub fn prepare(&mut self, id: &ContainerId, config: &ContainerConfig) -> Result<ContainerLaunchInfo, PrepareError> {
        let prepared = self.prepare_or_undo(id, config);
        self.counted("prepare", prepared)
    }

    fn prepare_or_undo(
        &mut self,
        id: &ContainerId,
        config: &ContainerConfig,
    ) -> Result<ContainerLaunchInfo, PrepareError> {
        if self.containers.contains_key(id) {
            return Err(PrepareError::AlreadyPrepared(id.clone()));
        }
        let checked = self.check(id, config)?;
        let made = self.make_runtime(id)?;
        self.detached.retain(|(other, _)| other != id);
        self.containers.insert(id.clone(), Container::new(checked.sandbox.clone(), &config.into(), Vec::new()));
        let mut volumes = HostVolumes::default();
        let result = self.prepare_recorded(id, config, &checked, &mut volumes);
        if result.is_err() {
            // Before what they may lie in is unmounted.
            volumes.undo(&self.kernel);
            self.undo_prepare(id);
            remove_empty_directories(&self.kernel, &made);
        }
        result
    }

    /// Makes the runtime directory of a container. Gives the directories that it had to make above that.
    fn make_runtime(&self, id: &ContainerId) -> Result<Vec<UnixPathBuf>, PrepareError> {
        let runtime = self.config.layout.container_runtime(id);
        let above = create_directories(&self.kernel, runtime.parent().unwrap_or(&runtime), Mode(0o755))?;
        // Exclusive: whoever makes it owns the id, also among several agents on one host.
        let made = match self.kernel.mkdirat(Fd::CWD, &runtime, Mode(0o755)) {
            Err(Errno::EEXIST) => Err(PrepareError::Exists { id: id.clone(), directory: runtime.into() }),
            made => made.doing("create directory", &runtime).map_err(PrepareError::from),
        };
        if made.is_err() {
            remove_empty_directories(&self.kernel, &above);
        }
        made.map(|()| above)
    }

    /// Decides, with a record that says from the beginning how the container is configured, and until the end that it is not
    /// prepared yet.
    fn prepare_recorded(
        &mut self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
        volumes: &mut HostVolumes,
    ) -> Result<ContainerLaunchInfo, PrepareError> {
        let unfinished = self.config.layout.preparing_marker(id);
        checkpoint::write(&self.kernel, &unfinished, b"", Mode(0o644))?;
        self.record_config(id, config)?;
        if config.standalone {
            checkpoint::write(&self.kernel, &self.config.layout.standalone_marker(id), b"", Mode(0o644))?;
        }
        if id.parent().is_none() {
            let is_mount = make_mount(&self.kernel, &self.config.layout, id, &checked.sandbox)?;
            self.counters.mounts_made += u64::from(is_mount);
        }
        let info = self.decide(id, config, checked, volumes)?;
        // It may hold secrets of the environment.
        self.record(&self.config.layout.container_launch_info(id), &info)?;
        self.kernel.unlinkat(Fd::CWD, &unfinished, AtFlags::empty()).doing("remove marker", &unfinished)?;
        Ok(info)
    }

    fn decide(
        &mut self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
        volumes: &mut HostVolumes,
    ) -> Result<ContainerLaunchInfo, PrepareError> {
        if config.container_class == Some(ContainerClass::Debug) {
            return self.join_parent(id, config, checked);
        }
        let mut info = new_launch_info(config, checked);
        self.inherit_groups(id, config, checked, &mut info)?;
        info.clone_namespaces.push(Namespace::MOUNT);
        if checked.pids.has_own {
            info.clone_namespaces.push(Namespace::PID);
        }
        let is_privileged = checked.pids.is_privileged();
        match &checked.rootfs {
            Some(rootfs) => {
                self.make_devices(id, checked.credentials.as_ref())?;
                info.working_directory = Some(self.config.sandbox_directory.as_path().into());
                self.add_rootfs(id, &mut info, rootfs, &checked.sandbox);
                if !is_privileged {
                    info.masked_paths =
                        self.config.masked_paths.iter().map(|path| rootfs::below(rootfs, path)).collect();
                }
            }
            None if !is_privileged => {
                // /proc of the host's pid namespace would name other processes than the container's.
                let confined = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
                info.mounts.push(ContainerMountInfo::filesystem("proc", "/proc", confined, None));
            }
            None => {}
        }
        if id.parent().is_none() {
            *groups(&mut info, config) = self.update_volumes(id, &config.resources)?;
        }
        self.add_volumes(id, config, checked, &mut info, volumes)?;
        // Last, because a path keeps its gid if the container is not prepared after all.
        self.share_with_parent(id, config, checked, volumes, &mut info)?;
        Ok(info)
    }

    /// A session in the container around it, whose filesystem it sees.
    fn join_parent(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: &Checked,
    ) -> Result<ContainerLaunchInfo, PrepareError> {
        let mut info = new_launch_info(config, checked);
        self.inherit_groups(id, config, checked, &mut info)?;
        info.enter_namespaces.insert(0, Namespace::MOUNT);
        if id.parent().and_then(|parent| self.containers.get(parent)).is_some_and(|parent| parent.has_rootfs) {
            info.working_directory = Some(self.config.sandbox_directory.as_path().into());
        }
        Ok(info)
    }

    fn check(&self, id: &ContainerId, config: &ContainerConfig) -> Result<Checked, PrepareError> {
        self.check_kind(id, config)?;
        let sandbox = match self.nested_sandbox(id, config)? {
            Some(sandbox) => sandbox,
            None => self.directory("sandbox", &config.directory, |path, found| PrepareError::SandboxNotDirectory {
                path,
                found,
            })?,
        };
        self.check_sandbox(id, &sandbox)?;
        let rootfs = match &config.rootfs {
            Some(rootfs) => Some(self.directory("root filesystem", rootfs, |path, found| {
                PrepareError::RootfsNotDirectory { path, found }
            })?),
            None => None,
        };
        if rootfs.as_ref().is_some_and(|rootfs| rootfs.as_bytes() == b"/") {
            return Err(PrepareError::RootfsIsRoot);
        }
        let credentials = match &config.user {
            Some(user) => Some(self.users.look_up(user)?),
            None => None,
        };
        let pids = self.pid_namespaces(id, config)?;
        Ok(Checked { sandbox, rootfs, credentials, pids })
    }

    /// The real path of a directory of the configuration.
    fn directory(
        &self,
        name: &'static str,
        path: &Bytes,
        wrong_type: impl FnOnce(Bytes, FileType) -> PrepareError,
    ) -> Result<UnixPathBuf, PrepareError> {
        if !path.as_path().is_absolute() {
            return Err(PrepareError::RelativePath { name, path: path.clone() });
        }
        let stat =
            self.kernel.statx(Fd::CWD, path.as_path(), AtFlags::empty()).doing("find the directory", path.as_path())?;
        if stat.file_type != FileType::Directory {
            return Err(wrong_type(path.clone(), stat.file_type));
        }
        Ok(real_path(&self.kernel, path.as_path())?)
    }

    /// Takes back what prepare has done for a container that nobody has launched. What can't be undone is logged, and the
    /// container stays known: it can be cleaned up.
    pub fn undo_prepare(&mut self, id: &ContainerId) {
        // There is an error to report already, for which this is done.
        if id.parent().is_none()
            && let Err(error) = self.update_volumes(id, &[])
        {
            tracing::error!(%id, %error, "cannot unmount the volumes of a failed prepare");
        }
        if let Err(error) = self.forget(id) {
            tracing::error!(%id, %error, "cannot clean up after a failed prepare");
            return;
        }
        if let Err(error) = self.remove_runtime(id) {
            tracing::error!(%id, %error, "cannot remove the runtime directory of a failed prepare");
        }
    }
}

/// What is the same for every container.
fn new_launch_info(config: &ContainerConfig, checked: &Checked) -> ContainerLaunchInfo {
    let mut info = ContainerLaunchInfo {
        enter_namespaces: checked.pids.entered().into_iter().collect(),
        user: config.user.clone(),
        command: config.command_info.value.is_some().then(|| config.command_info.clone()),
        environment: config.command_info.environment.clone(),
        working_directory: Some(checked.sandbox.as_path().into()),
        ..ContainerLaunchInfo::default()
    };
    if let Some(linux) = config.container_info.as_ref().and_then(|info| info.linux_info.as_ref()) {
        info.effective_capabilities.clone_from(&linux.effective_capabilities);
        info.bounding_capabilities.clone_from(&linux.bounding_capabilities);
    }
    info
}
