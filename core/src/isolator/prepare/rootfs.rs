//! The mounts of a container with its own root filesystem.

use typed_path::UnixPath;

use super::super::Isolator;
use crate::agent::{AgentConfig, SpecialMount};
use crate::kernel::{Bytes, Kernel, MountFlags};
use crate::messages::{ContainerFileOperation, ContainerId, ContainerLaunchInfo, ContainerMountInfo};

/// The symbolic links in `/dev`: what they say, and their names.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

impl<K: Kernel> Isolator<K> {
    /// The mounts of a container with its own root filesystem, in the order in which they need each other. Read-only paths
    /// come before the sandbox, so that one above it leaves it writable.
    pub(super) fn add_rootfs(
        &self,
        id: &ContainerId,
        info: &mut ContainerLaunchInfo,
        rootfs: &UnixPath,
        sandbox: &UnixPath,
    ) {
        info.rootfs = Some(rootfs.into());
        info.launch_directory = Some(self.config.layout.launch_directory().into());
        let mounts = &mut info.mounts;
        // pivot_root(2) wants a mount point.
        mounts.push(ContainerMountInfo::bind(rootfs, rootfs, MountFlags::MS_REC));
        for special in &self.config.special_mounts {
            mounts.push(special_mount(&self.config, rootfs, special));
        }
        if self.config.makes_dev_shm() {
            let flags = MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_STRICTATIME;
            let options = self.config.tmpfs_options(UnixPath::new("/dev/shm"), Some("mode=1777"));
            mounts.push(ContainerMountInfo::filesystem("tmpfs", rootfs.join("dev/shm"), flags, options.as_deref()));
        }
        let devices = self.config.layout.container_devices(id);
        for name in &self.config.devices {
            let target = rootfs.join("dev").join(name);
            mounts.push(ContainerMountInfo::bind(devices.join(name), target, MountFlags::empty()));
        }
        for path in &self.config.readonly_paths {
            let path = below(rootfs, path);
            mounts.push(ContainerMountInfo::bind(path.clone(), path, MountFlags::MS_REC | MountFlags::MS_RDONLY));
        }
        for (source, name) in DEVICE_LINKS {
            info.file_operations.push(ContainerFileOperation::symlink(source, rootfs.join("dev").join(name)));
        }
        let target = below(rootfs, &self.config.sandbox_directory.as_path().into());
        mounts.push(ContainerMountInfo::bind(sandbox, target, MountFlags::MS_REC));
    }
}

/// A mount of the operator's table.
fn special_mount(config: &AgentConfig, rootfs: &UnixPath, special: &SpecialMount) -> ContainerMountInfo {
    let target = below(rootfs, &special.target);
    let Some(name) = &special.filesystem_type else {
        let source = special.source.as_ref().map_or_else(|| target.clone(), |source| below(rootfs, source));
        return ContainerMountInfo::bind(source, target, special.flags);
    };
    let options = match &name[..] {
        "tmpfs" => config.tmpfs_options(special.target.as_path(), special.options.as_deref()),
        _ => special.options.clone(),
    };
    let mount = ContainerMountInfo::filesystem(name, target, special.flags, options.as_deref());
    ContainerMountInfo { source: special.source.clone().or(mount.source), ..mount }
}

/// A path of the container as the host sees it.
pub(super) fn below(rootfs: &UnixPath, path: &Bytes) -> Bytes {
    let relative = path.as_path().strip_prefix("/").unwrap_or_else(|_| path.as_path());
    rootfs.join(relative).into()
}
