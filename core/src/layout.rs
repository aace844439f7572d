//! Where sandboxes, volumes and runtime state live: the layout of an existing Mesos agent.

use typed_path::{Component as _, UnixPath, UnixPathBuf};

use crate::kernel::{Bytes, quoted};
use crate::messages::ContainerId;

/// The longest name in a directory, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// A name that can't be one component of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidComponent {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is `.` or `..`.
    #[error("{0} means another directory")]
    Dots(Bytes),
    /// It contains a `/`.
    #[error("{0} contains a slash")]
    Slash(Bytes),
    /// It contains a control character.
    #[error("{0} contains a control character")]
    Control(Bytes),
    /// It is longer than a name may be.
    #[error("{} is longer than {NAME_MAX} bytes", quoted(&.0.0))]
    TooLong(Bytes),
}

/// Checks that a name can be one component of a path.
pub(crate) fn check_component(name: &[u8]) -> Result<(), InvalidComponent> {
    let error = match name {
        b"" => return Err(InvalidComponent::Empty),
        b"." | b".." => InvalidComponent::Dots,
        _ if name.contains(&b'/') => InvalidComponent::Slash,
        _ if name.iter().any(u8::is_ascii_control) => InvalidComponent::Control,
        _ if name.len() > NAME_MAX => InvalidComponent::TooLong,
        _ => return Ok(()),
    };
    Err(error(name.into()))
}

/// The directories of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Sandboxes, persistent volumes, durable state.
    pub work_dir: UnixPathBuf,
    /// State that a reboot forgets.
    pub runtime_dir: UnixPathBuf,
}

impl Layout {
    /// The sandbox of a top-level container.
    ///
    /// # Errors
    ///
    /// If one of the ids can't be a path component.
    pub fn executor_sandbox(
        &self,
        agent: &str,
        framework: &str,
        executor: &str,
        container: &ContainerId,
    ) -> Result<UnixPathBuf, InvalidComponent> {
        for id in [agent, framework, executor] {
            check_component(id.as_bytes())?;
        }
        Ok(self
            .work_dir
            .join("slaves")
            .join(agent)
            .join("frameworks")
            .join(framework)
            .join("executors")
            .join(executor)
            .join("runs")
            .join(container.value()))
    }

    /// A persistent volume below `root`, which is work_dir or the root of a PATH disk. A `/` in the role is written as
    /// a space.
    ///
    /// # Errors
    ///
    /// If the id, or a part of the role, can't be a path component.
    pub fn persistent_volume(root: &UnixPath, role: &str, id: &str) -> Result<UnixPathBuf, InvalidComponent> {
        for part in role.split('/') {
            check_component(part.as_bytes())?;
        }
        check_component(id.as_bytes())?;
        let role = role.replace('/', " ");
        check_component(role.as_bytes())?;
        let mut path = root.to_path_buf();
        for name in ["volumes", "roles", &role, id] {
            path.push(name);
        }
        Ok(path)
    }

    /// Where the persistent volumes are that lie in work_dir.
    pub fn volumes(&self) -> UnixPathBuf {
        self.work_dir.join("volumes")
    }

    /// The directory in which the runtime directories of top-level containers lie.
    pub fn containers_runtime(&self) -> UnixPathBuf {
        self.runtime_dir.join("containers")
    }

    /// The sandbox of a container that belongs to no executor.
    pub fn standalone_sandbox(&self, container: &ContainerId) -> UnixPathBuf {
        self.work_dir.join("containers").join(container.value())
    }

    /// The sandbox of a container that is nested in one with this sandbox.
    pub fn nested_sandbox(parent: &UnixPath, container: &ContainerId) -> UnixPathBuf {
        parent.join("containers").join(container.value())
    }

    /// The innermost container in whose sandbox a path lies, by component, with that sandbox.
    pub fn container_of(&self, path: &UnixPath) -> Option<(ContainerId, UnixPathBuf)> {
        const EXECUTOR: [Option<&str>; 7] =
            [Some("slaves"), None, Some("frameworks"), None, Some("executors"), None, Some("runs")];
        let below = path.strip_prefix(&self.work_dir).ok()?;
        let names: Vec<&[u8]> = below.components().map(|component| component.as_bytes()).collect();
        let starts_as_executor = names.len() > EXECUTOR.len()
            && EXECUTOR.iter().zip(&names).all(|(wanted, name)| wanted.is_none_or(|wanted| wanted.as_bytes() == *name));
        let first = match names.as_slice() {
            [b"containers", _, ..] => 1,
            _ if starts_as_executor => EXECUTOR.len(),
            _ => return None,
        };
        let id_at = |at: usize| names.get(at).and_then(|name| std::str::from_utf8(name).ok());
        let mut id = ContainerId::new(id_at(first)?).ok()?;
        let mut last = first;
        while names.get(last + 1) == Some(&&b"containers"[..])
            && let Some(child) = id_at(last + 2).and_then(|value| id.child(value).ok())
        {
            (id, last) = (child, last + 2);
        }
        let sandbox = names.iter().take(last + 1).fold(self.work_dir.clone(), |path, name| path.join(name));
        Some((id, sandbox))
    }

    /// The runtime directory of a container.
    pub fn container_runtime(&self, id: &ContainerId) -> UnixPathBuf {
        let above = match id.parent() {
            Some(parent) => self.container_runtime(parent).join("containers"),
            None => self.containers_runtime(),
        };
        above.join(id.value())
    }

    /// What was counted since the machine was started.
    pub fn metrics(&self) -> UnixPathBuf {
        self.runtime_dir.join("metrics")
    }

    /// How a container was configured.
    pub fn container_config(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("config")
    }

    /// The persistent volumes that are mounted for a container, or about to be.
    pub fn container_volumes(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("volumes")
    }

    /// The process of a container, while it runs.
    pub fn container_pid(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("pid")
    }

    /// What the process that runs a container has locked.
    pub fn running_lock(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("running.lock")
    }

    /// What is there until a container is prepared: whoever prepares it may have died.
    pub fn preparing_marker(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("preparing")
    }

    /// What marks a container that belongs to no executor.
    pub fn standalone_marker(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("standalone.marker")
    }

    /// The device nodes of a container.
    pub fn container_devices(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("devices")
    }

    /// The state that outlives reboots.
    pub fn meta(&self) -> UnixPathBuf {
        self.work_dir.join("meta")
    }

    /// The directory of the volume gid manager.
    pub fn volume_gid_manager(&self) -> UnixPathBuf {
        self.meta().join("volume_gid_manager")
    }

    /// The record of the gids that volumes have.
    pub fn volume_gids(&self) -> UnixPathBuf {
        self.volume_gid_manager().join("volume_gids")
    }

    /// What was decided for a container when it was prepared.
    pub fn container_launch_info(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("launch_info")
    }

    /// What the launcher of a container is told: the launch info, with the command and the environment of this launch.
    pub fn container_launching(&self, id: &ContainerId) -> UnixPathBuf {
        self.container_runtime(id).join("launching")
    }

    /// What recovery and other commands lock, to keep apart.
    pub fn command_lock(&self) -> UnixPathBuf {
        self.runtime_dir.join("commands.lock")
    }

    /// Where the mount namespace is kept in which containers with a root filesystem begin.
    pub fn launch_directory(&self) -> UnixPathBuf {
        self.runtime_dir.join("launch")
    }

    /// What is locked by who adds to the [`metrics`](Self::metrics).
    pub fn metrics_lock(&self) -> UnixPathBuf {
        self.runtime_dir.join("metrics.lock")
    }

    /// The directory of the locks of top-level containers.
    pub fn locks(&self) -> UnixPathBuf {
        self.runtime_dir.join("locks")
    }

    /// What a command locks that acts on a container, or on one that is nested in it.
    pub fn container_lock(&self, id: &ContainerId) -> UnixPathBuf {
        self.locks().join(id.top_level().value())
    }

    /// In which boot the gids of volumes that are gone were last freed.
    pub fn boot_id(&self) -> UnixPathBuf {
        self.meta().join("boot_id")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn layout() -> Layout {
        Layout { work_dir: "/w".into(), runtime_dir: "/r".into() }
    }

    #[test]
    fn it_is_the_layout_of_mesos() {
        let id = ContainerId::new("c").unwrap();
        let sandbox = layout().executor_sandbox("a", "f", "e", &id).unwrap();
        assert_eq!(sandbox, UnixPathBuf::from("/w/slaves/a/frameworks/f/executors/e/runs/c"));
        let child = id.child("d").unwrap();
        assert_eq!(layout().container_devices(&child), UnixPathBuf::from("/r/containers/c/containers/d/devices"));
        assert_eq!(layout().container_launching(&id), UnixPathBuf::from("/r/containers/c/launching"));
        assert_eq!(layout().container_lock(&child), UnixPathBuf::from("/r/locks/c"));
        let volume = Layout::persistent_volume(UnixPath::new("/w"), "eng/web", "db").unwrap();
        assert_eq!(volume, UnixPathBuf::from("/w/volumes/roles/eng web/db"));
        assert_eq!(layout().volume_gids(), UnixPathBuf::from("/w/meta/volume_gid_manager/volume_gids"));
    }

    #[rstest]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs/c", Some("c"))]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs/c/data", Some("c"))]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs/c/containers", Some("c"))]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs/c/containers/d/x", Some("c.d"))]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs/c/containers/d/containers/e", Some("c.d.e"))]
    #[case("/w/containers/s/x", Some("s"))]
    #[case("/w/slaves/a/frameworks/f/executors/e/runs", None)]
    #[case("/w/slaves/a/frameworks/f/executors/e/other/c", None)]
    #[case("/w/volumes/roles/role/db", None)]
    #[case("/w/containers", None)]
    #[case("/w", None)]
    #[case("/wx/containers/s", None)]
    fn a_path_tells_whose_sandbox_it_is_in(#[case] path: &str, #[case] expected: Option<&str>) {
        let found = layout().container_of(UnixPath::new(path));
        assert_eq!(found.as_ref().map(|(id, _)| id.to_string()).as_deref(), expected);
        assert!(found.is_none_or(|(_, sandbox)| UnixPath::new(path).starts_with(sandbox)));
    }

    #[rstest]
    #[case("role", "..")]
    #[case("role", "a/b")]
    #[case("..", "id")]
    #[case("a/../b", "id")]
    #[case("/a", "id")]
    #[case("", "id")]
    #[case("role", "")]
    #[case("ro\nle", "id")]
    fn names_that_would_lead_elsewhere_are_refused(#[case] role: &str, #[case] id: &str) {
        assert!(Layout::persistent_volume(UnixPath::new("/w"), role, id).is_err());
    }
}
