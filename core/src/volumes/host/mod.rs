//! Volumes that are paths of the host, or of sandboxes.
//!
//! They are mounted by the launcher, in the container's namespace alone. A source on the host is the operator's, and its
//! symbolic links are followed, once, here. What lies below a sandbox, or below a directory in which host paths may be made,
//! is written by containers: it is resolved on descriptors, here and by the launcher again
//! ([`untrusted_directories`](HostVolumes::untrusted_directories)).
//!
//! What the host mounts below a volume later arrives in the container, with the flags that it has on the host: "read only"
//! is for what is there when the container starts.

mod create;
mod error;
mod source;

use typed_path::{Component as _, UnixPath, UnixPathBuf};

use self::create::{MadeDirectory, remove};
pub use self::error::{VolumeError, VolumeProblem};
use self::source::Source;
use crate::kernel::{Bytes, Errno, Kernel, MountFlags, OpenFlags};
use crate::messages::{ContainerMountInfo, Volume, VolumeMode};
use crate::root::Root;
use crate::user::Credentials;

/// What the paths of a container's volumes are relative to. All paths are absolute; those of the host are real ones.
#[derive(Clone, Copy, Debug)]
pub struct ContainerPaths<'a> {
    /// The root filesystem, if the container has one of its own.
    pub rootfs: Option<&'a UnixPath>,
    /// Its sandbox, that of the container which it is nested in, and so on up to the top-level container.
    pub sandboxes: &'a [UnixPathBuf],
    /// Where a container with a root filesystem sees its sandbox.
    pub sandbox_directory: &'a UnixPath,
    /// The directories below which missing host paths may be made.
    pub host_path_creation: &'a [UnixPathBuf],
    /// The user that gets a host path that is made.
    pub owner: Option<&'a Credentials>,
}

impl ContainerPaths<'_> {
    /// The root directory that the container will have.
    fn root(&self) -> &UnixPath {
        self.rootfs.unwrap_or(UnixPath::new("/"))
    }

    /// Where the container will see its sandbox, in the host's filesystem.
    pub fn sandbox_target(&self) -> UnixPathBuf {
        match (self.rootfs, self.sandboxes.first()) {
            (Some(rootfs), _) => rootfs.join(relative(self.sandbox_directory)),
            (None, Some(sandbox)) => sandbox.clone(),
            (None, None) => UnixPathBuf::from("/"),
        }
    }

    /// The outermost sandbox that a sandbox lies in: only the path to that is the agent's alone.
    fn outermost<'a>(&'a self, sandbox: &'a UnixPath) -> &'a UnixPath {
        let above = self.sandboxes.iter().map(UnixPathBuf::as_path).filter(|other| sandbox.starts_with(other));
        above.min_by_key(|other| other.components().count()).unwrap_or(sandbox)
    }
}

/// The volumes of a container that are paths of the host or of sandboxes.
#[derive(Clone, Debug, Default)]
pub struct HostVolumes {
    mounts: Vec<ContainerMountInfo>,
    /// The container path of each mount, as the volume has it.
    container_paths: Vec<Bytes>,
    untrusted: Vec<UnixPathBuf>,
    made: Vec<MadeDirectory>,
    /// The sources that are in the sandbox of the parent.
    of_parent: Vec<UnixPathBuf>,
}

/// A volume whose container path is all right.
struct Planned<'v> {
    volume: &'v Volume,
    source: Source<'v>,
    target: UnixPathBuf,
}

impl HostVolumes {
    /// What the launcher is to mount for these volumes. Missing sources are made where that is allowed.
    ///
    /// `taken` are targets, in the host's filesystem, of other volumes of the container.
    ///
    /// # Errors
    ///
    /// See [`VolumeProblem`]. The caller then calls [`undo`](Self::undo), as it does if the container is not started for
    /// another reason.
    pub fn prepare(
        &mut self,
        kernel: &dyn Kernel,
        container: &ContainerPaths<'_>,
        volumes: &[Volume],
        taken: &[UnixPathBuf],
    ) -> Result<(), VolumeError> {
        for sandbox in container.sandboxes {
            self.distrust(container.outermost(sandbox));
        }
        let mut planned: Vec<Planned<'_>> = Vec::new();
        for volume in volumes {
            planned.extend(plan(kernel, container, volume, &planned, taken).map_err(|problem| of(volume, problem))?);
        }
        // Parents before children, which they would hide.
        planned.sort_by_key(|planned| planned.target.components().count());
        for Planned { volume, source, target } in &planned {
            let mount =
                self.mount(kernel, container, volume, *source, target).map_err(|problem| of(volume, problem))?;
            self.mounts.push(mount);
            self.container_paths.push(volume.container_path.clone());
        }
        Ok(())
    }

    /// Refuses a bidirectional volume below which something is masked or made for the container, as the launcher does: a path
    /// at or below its target.
    ///
    /// # Errors
    ///
    /// [`VolumeProblem::CoversOwn`].
    pub fn check_covers_none(&self, own: &[&UnixPath]) -> Result<(), VolumeError> {
        for (mount, container_path) in self.mounts.iter().zip(&self.container_paths) {
            let is_covered = |path: &&UnixPath| path.starts_with(mount.target.as_path());
            if mount.flags.contains(MountFlags::MS_SHARED)
                && let Some(path) = own.iter().copied().find(is_covered)
            {
                let problem = VolumeProblem::CoversOwn(path.into());
                return Err(VolumeError { container_path: container_path.clone(), problem });
            }
        }
        Ok(())
    }

    /// The binds, in the order in which they need each other.
    pub fn mounts(&self) -> &[ContainerMountInfo] {
        &self.mounts
    }

    /// The directories in which others than the operator can write, for
    /// [`ContainerLaunchInfo::untrusted_directories`](crate::messages::ContainerLaunchInfo::untrusted_directories).
    pub fn untrusted_directories(&self) -> impl Iterator<Item = &UnixPath> {
        self.untrusted.iter().map(UnixPathBuf::as_path)
    }

    /// The sources in the sandbox of the container that this one is nested in.
    pub fn paths_of_parent(&self) -> &[UnixPathBuf] {
        &self.of_parent
    }

    /// Removes the directories that were made, as far as they are empty. What can't be removed is logged.
    pub fn undo(&mut self, kernel: &dyn Kernel) {
        remove(kernel, &self.made);
        self.made.clear();
    }

    fn mount(
        &mut self,
        kernel: &dyn Kernel,
        container: &ContainerPaths<'_>,
        volume: &Volume,
        source: Source<'_>,
        target: &UnixPath,
    ) -> Result<ContainerMountInfo, VolumeProblem> {
        let is_below = |path: &UnixPath, mount: &&ContainerMountInfo| path.starts_with(mount.target.as_path());
        let shared = |mount: &&ContainerMountInfo| mount.flags.contains(MountFlags::MS_SHARED);
        if let Some(above) = self.mounts.iter().filter(shared).find(|mount| is_below(target, mount)) {
            return Err(VolumeProblem::BelowBidirectional(above.target.clone()));
        }
        let origin = self.find(kernel, container, source)?;
        if let Some(above) = self.mounts.iter().find(|mount| is_below(&origin, mount)) {
            return Err(VolumeProblem::HiddenSource { origin: origin.into(), above: above.target.clone() });
        }
        let mut flags = MountFlags::MS_REC;
        if volume.mode == VolumeMode::ReadOnly {
            flags |= MountFlags::MS_RDONLY;
        }
        if source.is_bidirectional() {
            flags |= MountFlags::MS_SHARED;
        }
        Ok(ContainerMountInfo::bind(origin, target, flags))
    }

    fn distrust(&mut self, directory: &UnixPath) {
        if !self.untrusted.iter().any(|known| known == directory) {
            self.untrusted.push(directory.to_path_buf());
        }
    }
}

fn of(volume: &Volume, problem: VolumeProblem) -> VolumeError {
    VolumeError { container_path: volume.container_path.clone(), problem }
}

/// Checks a volume's container path. `None` if the volume is another isolator's business.
fn plan<'v>(
    kernel: &dyn Kernel,
    container: &ContainerPaths<'_>,
    volume: &'v Volume,
    others: &[Planned<'_>],
    taken: &[UnixPathBuf],
) -> Result<Option<Planned<'v>>, VolumeProblem> {
    let Some(source) = Source::of(volume)? else { return Ok(None) };
    let target = target(kernel, container, &volume.container_path)?;
    if target == container.root() {
        return Err(VolumeProblem::HidesRoot);
    }
    let sandbox = container.sandbox_target();
    if sandbox.starts_with(&target) {
        return Err(VolumeProblem::HidesSandbox(sandbox.into()));
    }
    if others.iter().map(|other| &other.target).chain(taken).any(|other| *other == target) {
        return Err(VolumeProblem::SamePath(target.into()));
    }
    Ok(Some(Planned { volume, source, target }))
}

/// Where in its sandbox the container has a volume that is a path of the host or of a sandbox, if it is there: relative to
/// the sandbox.
pub(crate) fn path_in_sandbox(container: &ContainerPaths<'_>, volume: &Volume) -> Option<UnixPathBuf> {
    let Ok(Some(_)) = Source::of(volume) else { return None };
    let path = without_parent_components("container path", &volume.container_path).ok()?;
    if !path.is_absolute() {
        return Some(path);
    }
    let target = container.root().join(relative(&path));
    Some(target.strip_prefix(container.sandbox_target()).ok()?.to_path_buf())
}

/// A container path in the host's filesystem. The mount point is the launcher's to make, but one on the host must exist.
fn target(
    kernel: &dyn Kernel,
    container: &ContainerPaths<'_>,
    container_path: &Bytes,
) -> Result<UnixPathBuf, VolumeProblem> {
    let path = without_parent_components("container path", container_path)?;
    if !path.is_absolute() {
        return Ok(container.sandbox_target().join(path));
    }
    let target = container.root().join(relative(&path));
    if container.rootfs.is_none() {
        let host = Root::open(kernel, container.root())?;
        match host.resolve(relative(&path), OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT => {
                return Err(VolumeProblem::MissingContainerPath(container_path.clone()));
            }
            opened => drop(opened?),
        }
    }
    Ok(target)
}

/// A path with single slashes and without `.`, refused if it has a `..`.
fn without_parent_components(name: &'static str, path: &Bytes) -> Result<UnixPathBuf, VolumeProblem> {
    if path.as_path().components().any(|component| component.is_parent()) {
        return Err(VolumeProblem::ParentComponent { name, path: path.clone() });
    }
    Ok(path.as_path().normalize())
}

/// An absolute path relative to the root.
fn relative(path: &UnixPath) -> &UnixPath {
    path.strip_prefix("/").unwrap_or(path)
}
