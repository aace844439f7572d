//! The mounts of a container with its own root filesystem.

use typed_path::UnixPath;

use super::super::Isolator;
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
    /// The mounts of a container with its own root filesystem, in the order in which they need each other.
    pub(super) fn add_rootfs(
        &self,
        id: &ContainerId,
        info: &mut ContainerLaunchInfo,
        rootfs: &UnixPath,
        sandbox: &UnixPath,
    ) {
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
}

/// A path of the container as the host sees it.
pub(super) fn below(rootfs: &UnixPath, path: &Bytes) -> Bytes {
    let relative = path.as_path().strip_prefix("/").unwrap_or_else(|_| path.as_path());
    rootfs.join(relative).into()
}
