//! Deciding what a container's filesystem looks like.

mod devices;
mod rootfs;

use typed_path::UnixPathBuf;

use super::{Container, Isolator, PrepareError};
use crate::error::Doing;
use crate::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel, Mode, MountFlags};
use crate::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerMountInfo, Namespace};
use crate::root::real_path;
use crate::user::Credentials;

/// A configuration whose paths are real ones of the right kind.
struct Checked {
    sandbox: UnixPathBuf,
    rootfs: Option<UnixPathBuf>,
    credentials: Option<Credentials>,
}

impl<K: Kernel> Isolator<K> {
    /// Decides what the launcher is to do for a container, and mounts its volumes on the host.
    ///
    /// # Errors
    ///
    /// See [`PrepareError`]. A prepare that fails leaves nothing behind.
    pub fn prepare(&mut self, id: &ContainerId, config: &ContainerConfig) -> Result<ContainerLaunchInfo, PrepareError> {
        if id.parent().is_some() {
            return Err(PrepareError::Nested(id.clone()));
        }
        if self.containers.contains_key(id) {
            return Err(PrepareError::AlreadyPrepared(id.clone()));
        }
        let checked = self.check(config)?;
        let runtime = self.config.layout.container_runtime(id);
        // Exclusive: whoever makes it owns the id, also among several agents on one host.
        match self.kernel.mkdirat(Fd::CWD, &runtime, Mode(0o755)) {
            Err(Errno::EEXIST) => {
                return Err(PrepareError::Exists { id: id.clone(), directory: runtime.into() });
            }
            made => made.doing("create directory", &runtime)?,
        }
        self.containers.insert(id.clone(), Container { sandbox: checked.sandbox.clone(), volumes: Vec::new() });
        let result = self.decide(id, config, checked);
        if result.is_err() {
            self.undo_prepare(id);
        }
        result
    }

    fn decide(
        &mut self,
        id: &ContainerId,
        config: &ContainerConfig,
        checked: Checked,
    ) -> Result<ContainerLaunchInfo, PrepareError> {
        let mut info = ContainerLaunchInfo {
            clone_namespaces: vec![Namespace::MOUNT],
            user: config.user.clone(),
            command: config.command_info.value.is_some().then(|| config.command_info.clone()),
            working_directory: Some(checked.sandbox.as_path().into()),
            ..ContainerLaunchInfo::default()
        };
        if let Some(linux) = config.container_info.as_ref().and_then(|info| info.linux_info.as_ref()) {
            info.effective_capabilities.clone_from(&linux.effective_capabilities);
            info.bounding_capabilities.clone_from(&linux.bounding_capabilities);
        }
        if !config.shares_pid_namespace() {
            info.clone_namespaces.push(Namespace::PID);
        }
        match checked.rootfs {
            Some(rootfs) => {
                self.make_devices(id, checked.credentials.as_ref())?;
                info.working_directory = Some(self.config.sandbox_directory.as_path().into());
                self.add_rootfs(id, &mut info, &rootfs, &checked.sandbox);
                if !config.shares_pid_namespace() {
                    info.masked_paths =
                        self.config.masked_paths.iter().map(|path| rootfs::below(&rootfs, path)).collect();
                }
            }
            None if !config.shares_pid_namespace() => {
                // /proc of the host's pid namespace would name other processes than the container's.
                let confined = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
                info.mounts.push(ContainerMountInfo::filesystem("proc", "/proc", confined, None));
            }
            None => {}
        }
        let gids = self.update_volumes(id, &config.resources)?;
        // The executor of a command task with its own rootfs runs as root: it is the task that needs the groups.
        if config.task_info.is_some() && config.rootfs.is_some() {
            info.task_supplementary_groups = gids;
        } else {
            info.supplementary_groups = gids;
        }
        Ok(info)
    }

    fn check(&self, config: &ContainerConfig) -> Result<Checked, PrepareError> {
        let sandbox = self
            .directory("sandbox", &config.directory, |path, found| PrepareError::SandboxNotDirectory { path, found })?;
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
        Ok(Checked { sandbox, rootfs, credentials })
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

    /// Takes back what a failed prepare has done.
    fn undo_prepare(&mut self, id: &ContainerId) {
        // The error that made prepare fail is the one to report; what can't be undone is logged.
        if let Err(error) = self.update(id, &[]) {
            tracing::error!(%id, %error, "cannot unmount the volumes of a failed prepare");
        }
        if let Err(error) = self.cleanup(id) {
            tracing::error!(%id, %error, "cannot clean up after a failed prepare");
            return;
        }
        if let Err(error) = self.remove_runtime(id) {
            tracing::error!(%id, %error, "cannot remove the runtime directory of a failed prepare");
        }
    }
}
