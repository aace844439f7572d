//! Deciding what a container's filesystem looks like.

use typed_path::{UnixPath, UnixPathBuf};

use super::{Container, Isolator, PrepareError};
use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, MountFlags, NodeMode, OpenFlags,
    OpenHow, ResolveFlags,
};
use crate::messages::{
    ContainerConfig, ContainerFileOperation, ContainerId, ContainerLaunchInfo, ContainerMountInfo, Namespace,
};
use crate::root::{itself, real_path};
use crate::user::Credentials;

/// The symbolic links in `/dev`: what they say, and their names.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

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
                    info.masked_paths = self.config.masked_paths.iter().map(|path| below(&rootfs, path)).collect();
                }
            }
            None if !config.shares_pid_namespace() => {
                // /proc of the host's pid namespace would name other processes than the container's.
                let confined = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
                info.mounts.push(ContainerMountInfo::filesystem("proc", "/proc", confined, None));
            }
            None => {}
        }
        self.update(id, &config.resources)?;
        Ok(info)
    }

    /// The mounts of a container with its own root filesystem, in the order in which they need each other.
    fn add_rootfs(&self, id: &ContainerId, info: &mut ContainerLaunchInfo, rootfs: &UnixPath, sandbox: &UnixPath) {
        info.rootfs = Some(rootfs.into());
        let mounts = &mut info.mounts;
        // pivot_root(2) wants a mount point.
        mounts.push(ContainerMountInfo::bind(rootfs, rootfs, MountFlags::MS_REC));
        for special in &self.config.special_mounts {
            let target = below(rootfs, &special.target);
            mounts.push(match &special.filesystem_type {
                Some(name) => ContainerMountInfo::filesystem(name, target, special.flags, special.options.as_deref()),
                None => ContainerMountInfo::bind(target.clone(), target, special.flags),
            });
        }
        if !self.config.isolation.iter().any(|isolator| isolator == "namespaces/ipc") {
            let flags = MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_STRICTATIME;
            let target = rootfs.join("dev/shm");
            mounts.push(ContainerMountInfo::filesystem("tmpfs", target, flags, Some("mode=1777")));
        }
        let devices = self.config.layout.container_devices(id);
        for name in &self.config.devices {
            let target = rootfs.join("dev").join(name);
            mounts.push(ContainerMountInfo::bind(devices.join(name), target, MountFlags::empty()));
        }
        for (source, name) in DEVICE_LINKS {
            info.file_operations.push(ContainerFileOperation::symlink(source, rootfs.join("dev").join(name)));
        }
        let target = below(rootfs, &self.config.sandbox_directory.as_path().into());
        mounts.push(ContainerMountInfo::bind(sandbox, target, MountFlags::MS_REC));
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

    /// Copies the standard devices of the host into a directory that only the container's user can enter.
    fn make_devices(&self, id: &ContainerId, owner: Option<&Credentials>) -> Result<(), PrepareError> {
        let kernel = &self.kernel;
        let path = self.config.layout.container_devices(id);
        kernel.mkdirat(Fd::CWD, &path, Mode(0o700)).doing("create directory", &path)?;
        let how = OpenHow {
            flags: OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC,
            mode: Mode(0),
            resolve: ResolveFlags::empty(),
        };
        let directory = kernel.openat2(Fd::CWD, &path, how).doing("open directory", &path)?;
        let directory = Descriptor::new(kernel, directory);
        // The umask may have taken bits away.
        kernel.fchmod(directory.fd(), Mode(0o700)).doing("set the mode of", &path)?;
        if let Some(Credentials { uid, gid, .. }) = owner {
            kernel
                .fchownat(directory.fd(), itself(), Some(*uid), Some(*gid), AtFlags::AT_EMPTY_PATH)
                .doing("change the owner of", &path)?;
        }
        for name in &self.config.devices {
            copy_device(kernel, directory.fd(), name)?;
        }
        Ok(())
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

/// Makes a node of the same type, numbers and mode as the host's.
fn copy_device(kernel: &dyn Kernel, directory: Fd, name: &str) -> Result<(), PrepareError> {
    let path = UnixPath::new("/dev").join(name);
    let device = kernel.statx(Fd::CWD, &path, AtFlags::AT_SYMLINK_NOFOLLOW).doing("find the standard device", &path)?;
    if !matches!(device.file_type, FileType::CharacterDevice | FileType::BlockDevice)
        || device.rdev == DeviceNumber::NONE
    {
        return Err(PrepareError::NoDevice { path: path.into(), found: device.file_type });
    }
    let node = NodeMode { file_type: device.file_type, mode: device.mode };
    let make = || -> Result<(), CallError> {
        kernel.mknodat(directory, UnixPath::new(name), node, device.rdev).doing("copy the device", &path)?;
        kernel.fchmodat(directory, UnixPath::new(name), device.mode).doing("set the mode of the copy of", &path)
    };
    Ok(make()?)
}

/// A path of the container as the host sees it.
fn below(rootfs: &UnixPath, path: &Bytes) -> Bytes {
    let relative = path.as_path().strip_prefix("/").unwrap_or_else(|_| path.as_path());
    rootfs.join(relative).into()
}
