//! Containers in containers: what the one is to the other.

use typed_path::{UnixPath, UnixPathBuf};

use super::super::{Isolator, PrepareError};
use crate::kernel::{Kernel, OpenFlags};
use crate::layout::Layout;
use crate::messages::{ContainerClass, ContainerConfig, ContainerId, Namespace};
use crate::root::Root;

/// The pid namespaces around a container.
pub(super) struct PidNamespaces {
    /// Whether the container that it is nested in has one that is not the host's.
    pub(super) parent_is_apart: bool,
    /// Whether it gets one of its own.
    pub(super) has_own: bool,
}

impl PidNamespaces {
    /// Whether the container shares the host's pid namespace, as each one does that it is nested in.
    pub(super) fn is_privileged(&self) -> bool {
        !self.parent_is_apart && !self.has_own
    }

    /// The namespaces of its parent that the container begins in: it ends with its parent, and sees no more processes.
    pub(super) fn entered(&self) -> Option<Namespace> {
        self.parent_is_apart.then_some(Namespace::PID)
    }
}

impl<K: Kernel> Isolator<K> {
    /// That what a configuration asks for can be had by a container of its kind.
    pub(super) fn check_kind(&self, id: &ContainerId, config: &ContainerConfig) -> Result<(), PrepareError> {
        let is_debug = config.container_class == Some(ContainerClass::Debug);
        match id.parent().map(|parent| self.containers.get(parent)) {
            Some(None) => return Err(PrepareError::UnknownParent(id.clone())),
            Some(Some(parent)) if parent.is_debug => return Err(PrepareError::NestedInDebug(id.clone())),
            None if is_debug => return Err(PrepareError::DebugWithoutParent(id.clone())),
            _ => {}
        }
        let has_volumes = self.has_persistent_volumes(&config.resources)?;
        let has_other_volumes = config.container_info.as_ref().is_some_and(|info| !info.volumes.is_empty());
        if is_debug && config.rootfs.is_some() {
            return Err(PrepareError::DebugWithFilesystem { id: id.clone(), what: "a root filesystem" });
        }
        if is_debug && (has_volumes || has_other_volumes) {
            return Err(PrepareError::DebugWithFilesystem { id: id.clone(), what: "volumes" });
        }
        let refusal = match id.parent() {
            Some(_) => Some("it is nested; its volumes are those of the top-level container"),
            None => config.standalone.then_some("it belongs to no executor"),
        };
        match refusal {
            Some(reason) if has_volumes => Err(PrepareError::PersistentVolumes { id: id.clone(), reason }),
            Some(_) => Ok(()),
            None => self.check_executor(id, config),
        }
    }

    /// An agent counts the resources of an executor among those of its container, as Mesos does. Were one forgotten there, the
    /// executor would write to its sandbox what it means to keep.
    fn check_executor(&self, id: &ContainerId, config: &ContainerConfig) -> Result<(), PrepareError> {
        let Some(executor) = &config.executor_info else { return Ok(()) };
        let mounted = self.persistent_volumes(&config.resources)?;
        let of_executor = self.persistent_volumes(&executor.resources)?;
        match of_executor.iter().find(|volume| !mounted.iter().any(|other| other.is_same_mount(volume))) {
            Some(volume) => Err(PrepareError::ExecutorVolume {
                id: id.clone(),
                volume: volume.id.clone(),
                name: volume.name.as_path().into(),
            }),
            None => Ok(()),
        }
    }

    /// The sandbox of a nested container, if that is what it is. The program of the container around it may write all along
    /// the way: no symbolic link is followed there.
    pub(super) fn nested_sandbox(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
    ) -> Result<Option<UnixPathBuf>, PrepareError> {
        let Some(parent_id) = id.parent() else { return Ok(None) };
        let Some(parent) = self.containers.get(parent_id) else { return Ok(None) };
        let expected = Layout::nested_sandbox(&parent.sandbox, id);
        let top = match self.containers.get(id.top_level()) {
            Some(top) => &top.sandbox,
            None => &parent.sandbox,
        };
        // The caller may know the parent's sandbox by another name.
        let by_parent =
            self.recorded_config(parent_id).map(|parent| Layout::nested_sandbox(parent.directory.as_path(), id));
        let is_it = |path: &UnixPath| config.directory.as_path().components().eq(path.components());
        if !is_it(&expected) && !by_parent.is_ok_and(|path| is_it(&path)) {
            let found = config.directory.clone();
            return Err(PrepareError::NestedSandbox { id: id.clone(), expected: expected.into(), found });
        }
        let relative = expected.strip_prefix(top).unwrap_or(&expected);
        Root::open(&self.kernel, top)?.resolve(relative, OpenFlags::O_DIRECTORY)?;
        Ok(Some(expected))
    }

    /// The pid namespaces around a container, by the configurations of all that it is nested in.
    pub(super) fn pid_namespaces(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
    ) -> Result<PidNamespaces, PrepareError> {
        let mut parent_is_apart = false;
        let mut above = id.parent();
        while let Some(parent) = above {
            let config = self
                .recorded_config(parent)
                .map_err(|error| PrepareError::ParentConfig { id: parent.clone(), error })?;
            parent_is_apart |= !config.shares_pid_namespace();
            above = parent.parent();
        }
        Ok(PidNamespaces { parent_is_apart, has_own: !config.shares_pid_namespace() })
    }
}
