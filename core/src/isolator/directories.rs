//! How an agent's directories are mounted, and what is to be done about that: `create` does it, `create --check` tells it.

use typed_path::{UnixPath, UnixPathBuf};

use super::{CreateError, Step};
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel};
use crate::layout::Layout;
use crate::mountinfo::{Entry, Table};
use crate::root::real_path;

/// The directories that are to be mounts of their own.
pub(super) struct Directories<'t> {
    work_dir: Directory<'t>,
    /// `None` if it is a symbolic link, such as to a disk: the volumes are not in work_dir then.
    volumes: Option<Directory<'t>>,
    containers: Directory<'t>,
    runtime_dir: UnixPathBuf,
    has_runtime_dir: bool,
}

impl<'t> Directories<'t> {
    /// One that can't be found, nor be made, is an error.
    pub(super) fn look(kernel: &dyn Kernel, table: &'t Table<'_>, layout: &Layout) -> Result<Self, CreateError> {
        let find = |path: &UnixPath| Directory::find(kernel, table, path);
        let work_dir = find(&layout.work_dir)?;
        let volumes = Layout { work_dir: work_dir.path.clone(), ..layout.clone() }.volumes();
        let volumes = Self::volumes(kernel, table, volumes, &work_dir)?;
        let (runtime_dir, containers) = (find(&layout.runtime_dir)?, find(&layout.containers_runtime())?);
        let Directory { path, is_there, .. } = runtime_dir;
        Ok(Self { work_dir, volumes, containers, runtime_dir: path, has_runtime_dir: is_there })
    }

    /// The same of directories that are there, by their real paths; that of the volumes may be missing.
    pub(super) fn there(kernel: &dyn Kernel, table: &'t Table<'_>, layout: &Layout) -> Result<Self, CreateError> {
        let there = |path: UnixPathBuf| {
            let id = kernel.statx(Fd::CWD, &path, AtFlags::empty()).doing("look at", &path)?.mount_id;
            Ok::<_, CreateError>(Directory { mount: by_id(table, id, &path)?, path, is_there: true })
        };
        let (work_dir, containers) = (there(layout.work_dir.clone())?, there(layout.containers_runtime())?);
        let volumes = Self::volumes(kernel, table, layout.volumes(), &work_dir)?;
        Ok(Self { work_dir, volumes, containers, runtime_dir: layout.runtime_dir.clone(), has_runtime_dir: true })
    }

    fn volumes(
        kernel: &dyn Kernel,
        table: &'t Table<'_>,
        volumes: UnixPathBuf,
        work_dir: &Directory<'t>,
    ) -> Result<Option<Directory<'t>>, CreateError> {
        Ok(match kernel.statx(Fd::CWD, &volumes, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) if stat.file_type != FileType::Directory => None,
            Ok(stat) => {
                Some(Directory { mount: by_id(table, stat.mount_id, &volumes)?, path: volumes, is_there: true })
            }
            Err(Errno::ENOENT) => Some(Directory { path: volumes, is_there: false, mount: work_dir.mount }),
            Err(errno) => return Err(CallError::new("look at", &volumes, errno).into()),
        })
    }

    /// Without symbolic links.
    pub(super) fn layout(&self) -> Layout {
        Layout { work_dir: self.work_dir.path.clone(), runtime_dir: self.runtime_dir.clone() }
    }

    /// Whether work_dir and runtime_dir are there.
    pub(super) fn are_there(&self) -> bool {
        self.work_dir.is_there && self.has_runtime_dir
    }

    /// What makes those that are missing.
    pub(super) fn missing(&self) -> Vec<Step> {
        let mounted = [Some(&self.work_dir), self.volumes.as_ref(), Some(&self.containers)].into_iter().flatten();
        mounted.filter(|directory| !directory.is_there).map(|directory| Step::MakeDirectory(directory.name())).collect()
    }

    /// What makes them mounts as they are to be, in this order; nothing if they are.
    pub(super) fn steps(&self, table: &Table<'_>) -> Vec<Step> {
        let work_dir = match &self.work_dir {
            directory if !directory.is_mountpoint() => Some(Step::BindShared(directory.name())),
            directory if directory.is_shared_alone(table) => None,
            directory => Some(Step::MakeShared(directory.name())),
        };
        let volumes = self.volumes.as_ref().filter(|volumes| !volumes.is_mountpoint());
        let containers = match &self.containers {
            directory if !directory.is_mountpoint() => Some(Step::BindWithDevices(directory.name())),
            // Some distributions mount /run with `nodev`.
            directory if directory.mount.has_mount_option(b"nodev") => Some(Step::AllowDevices(directory.name())),
            _ => None,
        };
        [work_dir, volumes.map(|volumes| Step::Bind(volumes.name())), containers].into_iter().flatten().collect()
    }
}

/// A directory that is there, or that is to be made.
struct Directory<'t> {
    /// Without symbolic links.
    path: UnixPathBuf,
    is_there: bool,
    /// The mount that it is in, or will be.
    mount: &'t Entry<'t>,
}

impl<'t> Directory<'t> {
    fn find(kernel: &dyn Kernel, table: &'t Table<'_>, path: &UnixPath) -> Result<Self, CreateError> {
        let failed = |errno| CallError::new("create directory", path, errno);
        let mut above = path.ancestors();
        let (there, mount_id) = loop {
            let directory = above.next().ok_or_else(|| failed(Errno::ENOENT))?;
            match kernel.statx(Fd::CWD, directory, AtFlags::empty()) {
                Ok(stat) if stat.file_type == FileType::Directory => break (directory, stat.mount_id),
                Ok(_) => return Err(failed(Errno::ENOTDIR).into()),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed(errno).into()),
            }
        };
        let mount = by_id(table, mount_id, there)?;
        let real = real_path(kernel, there)?;
        let missing = path.strip_prefix(there).ok().filter(|missing| !missing.as_bytes().is_empty());
        match missing {
            None => Ok(Self { path: real, is_there: true, mount }),
            Some(_) if mount.has_mount_option(b"ro") || mount.has_super_option(b"ro") => {
                Err(failed(Errno::EROFS).into())
            }
            Some(missing) => Ok(Self { path: real.join(missing), is_there: false, mount }),
        }
    }

    fn name(&self) -> Bytes {
        self.path.as_path().into()
    }

    fn is_mountpoint(&self) -> bool {
        self.is_there && *self.mount.mountpoint() == *self.path
    }

    /// Whether its mount is shared, and no other one of its peer group is on the way to it.
    fn is_shared_alone(&self, table: &Table<'_>) -> bool {
        let is_above = |peer: &Entry<'_>| {
            let mountpoint = peer.mountpoint();
            *mountpoint != *self.path && self.path.starts_with(&*mountpoint)
        };
        let group = self.mount.peer_group();
        group.is_some_and(|group| table.peers(group).all(|peer| peer.id() == self.mount.id() || !is_above(peer)))
    }
}

/// The mount that a directory is in.
fn by_id<'t>(table: &'t Table<'_>, id: u64, directory: &UnixPath) -> Result<&'t Entry<'t>, CreateError> {
    let mount = u32::try_from(id).ok().and_then(|id| table.by_id(id));
    mount.ok_or_else(|| CreateError::MountNotFound(directory.into()))
}
