//! What a volume is: where its data is on the host.

use typed_path::{UnixPath, UnixPathBuf};

use super::create::{Owner, create};
use super::error::VolumeProblem;
use super::{ContainerPaths, HostVolumes, without_parent_components};
use crate::error::Doing;
use crate::kernel::{Bytes, Descriptor, Errno, Kernel, OpenFlags};
use crate::messages::{MountPropagationMode, SandboxPath, SandboxPathType, Volume, VolumeSource};
use crate::root::{Root, open_path, real_path, real_path_of, stat};
use crate::table::unshared_mount;

/// What a volume is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'v> {
    /// A path of the host; whether what is mounted below it in the container is to reach the host.
    Host { path: &'v Bytes, bidirectional: bool },
    /// A path of a sandbox.
    Sandbox(&'v SandboxPath),
}

impl<'v> Source<'v> {
    /// What a volume is; `None` if that is another isolator's business.
    pub(super) fn of(volume: &'v Volume) -> Result<Option<Self>, VolumeProblem> {
        let incomplete = |kind, field| VolumeProblem::IncompleteSource { kind, field };
        match (&volume.host_path, &volume.source) {
            (Some(_), Some(_)) => Err(VolumeProblem::TwoSources),
            (Some(path), None) => Ok(Some(Self::Host { path, bidirectional: false })),
            (None, Some(VolumeSource { kind, host_path, .. })) if kind == "HOST_PATH" => {
                let host_path = host_path.as_ref().ok_or_else(|| incomplete("HOST_PATH", "host_path"))?;
                let mode = host_path.mount_propagation.unwrap_or_default().mode;
                let bidirectional = mode == MountPropagationMode::Bidirectional;
                Ok(Some(Self::Host { path: &host_path.path, bidirectional }))
            }
            (None, Some(VolumeSource { kind, sandbox_path, .. })) if kind == "SANDBOX_PATH" => {
                let sandbox_path = sandbox_path.as_ref().ok_or_else(|| incomplete("SANDBOX_PATH", "sandbox_path"))?;
                Ok(Some(Self::Sandbox(sandbox_path)))
            }
            (None, source) => {
                let source = source.as_ref().map_or("none", |source| &source.kind);
                tracing::warn!(
                    container_path = %volume.container_path,
                    source,
                    "skipped: a volume with a source of this kind is another isolator's business"
                );
                Ok(None)
            }
        }
    }

    pub(super) fn is_bidirectional(self) -> bool {
        matches!(self, Self::Host { bidirectional: true, .. })
    }
}

impl HostVolumes {
    /// The real path of a source. A missing directory is made where that is allowed.
    pub(super) fn find(
        &mut self,
        kernel: &dyn Kernel,
        container: &ContainerPaths<'_>,
        source: Source<'_>,
    ) -> Result<UnixPathBuf, VolumeProblem> {
        match source {
            Source::Host { path, bidirectional } => {
                let (opened, real) = self.find_on_host(kernel, container, path)?;
                if bidirectional {
                    check_shared(kernel, &opened, &real)?;
                }
                Ok(real)
            }
            Source::Sandbox(sandbox_path) => self.find_in_sandbox(kernel, container, sandbox_path),
        }
    }

    fn find_on_host<'k>(
        &mut self,
        kernel: &'k dyn Kernel,
        container: &ContainerPaths<'_>,
        path: &Bytes,
    ) -> Result<(Descriptor<'k>, UnixPathBuf), VolumeProblem> {
        if !path.as_path().is_absolute() {
            return Err(VolumeProblem::RelativeHostPath(path.clone()));
        }
        let wanted = without_parent_components("host path", path)?;
        if let Some((base, relative)) = creation_base(kernel, container.host_path_creation, &wanted)? {
            let root = Root::open(kernel, &base)?;
            let owner = container.owner.map_or(Owner::Ourselves, |owner| Owner::Last(owner.uid, owner.gid));
            let opened = self.find_or_create(kernel, &root, &relative, owner)?;
            self.distrust(&base);
            return Ok((opened, base.join(relative)));
        }
        let opened = match open_path(kernel, &wanted, OpenFlags::empty()) {
            Err(Errno::ENOENT) => return Err(VolumeProblem::MissingHostPath(path.clone())),
            opened => opened.doing("open", &wanted)?,
        };
        let real = real_path_of(kernel, opened.fd(), &wanted)?;
        Ok((opened, real))
    }

    fn find_in_sandbox(
        &mut self,
        kernel: &dyn Kernel,
        container: &ContainerPaths<'_>,
        sandbox_path: &SandboxPath,
    ) -> Result<UnixPathBuf, VolumeProblem> {
        let SandboxPath { kind, path } = sandbox_path;
        if path.0.is_empty() || path.as_path().is_absolute() {
            return Err(VolumeProblem::NotInSandbox(path.clone()));
        }
        let wanted = without_parent_components("sandbox path", path)?;
        let sandbox = match kind {
            SandboxPathType::Own => container.sandboxes.first(),
            SandboxPathType::Parent => container.sandboxes.get(1),
        };
        let sandbox = sandbox.ok_or(VolumeProblem::NoParent)?;
        // The sandbox of a nested container lies below its parent's, whose program can replace what is on the way to it.
        let root = Root::open(kernel, container.outermost(sandbox))?;
        let within = sandbox.strip_prefix(root.path()).unwrap_or(UnixPath::new(""));
        let opened = root.resolve(within, OpenFlags::O_DIRECTORY)?;
        let owner = stat(kernel, opened.fd()).doing("look at", sandbox)?;
        self.find_or_create(kernel, &root, &within.join(&wanted), Owner::All(owner.uid, owner.gid))?;
        let found = sandbox.join(wanted);
        if *kind == SandboxPathType::Parent {
            self.of_parent.push(found.clone());
        }
        Ok(found)
    }

    fn find_or_create<'k>(
        &mut self,
        kernel: &'k dyn Kernel,
        root: &Root<'k>,
        path: &UnixPath,
        owner: Owner,
    ) -> Result<Descriptor<'k>, VolumeProblem> {
        match root.resolve(path, OpenFlags::empty()) {
            Err(error) if error.errno == Errno::ENOENT => {}
            opened => return Ok(opened?),
        }
        create(kernel, root, path, owner, &mut self.made)?;
        Ok(root.resolve(path, OpenFlags::empty())?)
    }
}

fn check_shared(kernel: &dyn Kernel, opened: &Descriptor<'_>, path: &UnixPath) -> Result<(), VolumeProblem> {
    match unshared_mount::<VolumeProblem>(kernel, opened.fd(), path)? {
        Some(mountpoint) => Err(VolumeProblem::NotShared { host_path: path.into(), mountpoint: mountpoint.into() }),
        None => Ok(()),
    }
}

/// The outermost directory, by its real path, below which a host path lies and may be made, and the path relative to it.
/// Containers write below such a directory: nothing there is taken for the operator's.
fn creation_base(
    kernel: &dyn Kernel,
    allowed: &[UnixPathBuf],
    path: &UnixPath,
) -> Result<Option<(UnixPathBuf, UnixPathBuf)>, VolumeProblem> {
    let mut found: Option<(UnixPathBuf, UnixPathBuf)> = None;
    for directory in allowed {
        let real = match real_path(kernel, directory) {
            // Nothing is below it.
            Err(error) if error.errno == Errno::ENOENT && !path.starts_with(directory) => continue,
            real => real?,
        };
        let Ok(relative) = path.strip_prefix(&real).or_else(|_| path.strip_prefix(directory)) else { continue };
        if relative.as_bytes().is_empty() {
            continue;
        }
        if found.as_ref().is_none_or(|(_, other)| relative.components().count() > other.components().count()) {
            found = Some((real, relative.to_path_buf()));
        }
    }
    Ok(found)
}
