//! A kernel seen from outside, by somebody who is none of its processes.

use cofferdam::kernel::{Fd, Pid};

use crate::arena::Id;
use crate::filesystem::FilesystemType;
use crate::linux::Linux;
use crate::process::{OpenFile, OpenFileKind, Task};

/// A number that the kernel has given out, and that means something as long as the object lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    /// The id of a mount in mountinfo, with the one that is never reused.
    Mount {
        /// As in mountinfo.
        id: u32,
        /// As in statmount(2).
        unique_id: u64,
    },
    /// A peer group.
    PeerGroup(u32),
    /// The minor number of an anonymous device.
    Device(u32),
    /// The inode number of a mount namespace or user namespace.
    Namespace(u64),
}

impl Linux {
    /// Every number that is in use, in no particular order; some occur more than once.
    pub fn numbers(&self) -> impl Iterator<Item = Number> {
        let mounts = self.mounts.iter().flat_map(|(_, mount)| {
            let group = (mount.group != 0).then_some(Number::PeerGroup(mount.group));
            [Some(Number::Mount { id: mount.id, unique_id: mount.unique_id }), group].into_iter().flatten()
        });
        let layers = self.superblocks.iter().filter_map(|(_, superblock)| superblock.overlay.as_deref());
        let devices = self.superblocks.iter().map(|(_, superblock)| superblock.device);
        let devices = devices.chain(layers.flat_map(crate::filesystem::Overlay::devices));
        let namespaces = self.mount_namespaces.iter().map(|(_, namespace)| namespace.inode);
        let user_namespaces = self.user_namespaces.iter().map(|(_, namespace)| namespace.inode);
        mounts
            .chain(devices.filter(|device| device.major == 0).map(|device| Number::Device(device.minor)))
            .chain(namespaces.chain(user_namespaces).map(Number::Namespace))
    }

    /// `/proc/<pid>/mountinfo` of a process; `None` if there is no such process, or it has ended.
    pub fn mountinfo_table(&self, task: Id<Task>) -> Option<Vec<u8>> {
        let task = self.tasks.get(task).filter(|_| self.is_running(task))?;
        Some(self.mountinfo_text(task.mount_namespace, self.fs_states.get(task.fs)?.root))
    }

    /// `/proc/<pid>/mounts` of a process; `None` if there is no such process, or it has ended.
    pub fn mounts_table(&self, task: Id<Task>) -> Option<Vec<u8>> {
        let task = self.tasks.get(task).filter(|_| self.is_running(task))?;
        Some(self.mounts_text(task.mount_namespace, self.fs_states.get(task.fs)?.root))
    }

    /// The number of a process as another sees it, 0 if it does not; `None` if one of them is gone.
    pub fn pid_for(&self, viewer: Id<Task>, task: Id<Task>) -> Option<Pid> {
        let exist = self.tasks.get(viewer).is_some() && self.tasks.get(task).is_some();
        exist.then(|| Pid(self.pid_seen_by(viewer, task)))
    }
}

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptorKind {
    /// Of a detached tree of mounts, which goes when it is closed.
    Tree,
    /// Of a place, opened with `O_PATH`.
    Place,
    /// Of a directory.
    Directory,
    /// Of a filesystem context.
    Context,
    /// Of a namespace.
    Namespace,
    /// Of a file, a pipe, or anything else that is read or written.
    Other,
}

impl Linux {
    /// The open descriptors of a process, ascending; none if there is no such process.
    pub fn descriptors(&self, task: Id<Task>) -> impl Iterator<Item = (Fd, DescriptorKind)> {
        let table = self.tasks.get(task).and_then(|task| self.fd_tables.get(task.files));
        let open = table.into_iter().flat_map(|table| table.descriptors.iter().enumerate());
        open.filter_map(|(number, descriptor)| {
            let file = self.files.get((*descriptor)?.file)?;
            Some((Fd(i32::try_from(number).ok()?), self.descriptor_kind(file)))
        })
    }

    fn descriptor_kind(&self, file: &OpenFile) -> DescriptorKind {
        let inode = self.dentries.get(file.path.dentry).and_then(|dentry| self.inodes.get(dentry.inode));
        let superblock = self.dentries.get(file.path.dentry).and_then(|dentry| self.superblocks.get(dentry.superblock));
        match file.kind {
            OpenFileKind::Context(_) => DescriptorKind::Context,
            _ if file.unmounts => DescriptorKind::Tree,
            OpenFileKind::Path => DescriptorKind::Place,
            _ if superblock.is_some_and(|superblock| superblock.filesystem == FilesystemType::Nsfs) => {
                DescriptorKind::Namespace
            }
            _ if inode.is_some_and(crate::filesystem::Inode::is_directory) => DescriptorKind::Directory,
            _ => DescriptorKind::Other,
        }
    }
}
