//! An agent on a host: its isolator, and containers with persistent volumes.

use std::fs;
use std::path::Path;

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::layout::Layout;
use cofferdam::messages::{
    CommandInfo, ContainerConfig, ContainerId, ContainerInfo, ContainerLaunchInfo, ContainerState, Environment,
    EnvironmentVariable, LinuxInfo, Resource,
};
use cofferdam::user::NumericUsers;
use cofferdam::volumes::PersistentVolume;
use cofferdam_linux::LinuxKernel;

use crate::Failure;
use crate::host::unix;

/// An agent, and the root filesystem of its containers.
pub struct Agent<'r> {
    pub isolator: Isolator<LinuxKernel>,
    rootfs: &'r Path,
}

/// An isolator as an agent has it that has just started.
pub fn isolator(layout: Layout) -> Result<Isolator<LinuxKernel>, Failure> {
    Ok(Isolator::create(LinuxKernel, AgentConfig::new(layout), Box::new(NumericUsers))?)
}

impl<'r> Agent<'r> {
    pub fn new(layout: Layout, rootfs: &'r Path) -> Result<Self, Failure> {
        Ok(Self { isolator: isolator(layout)?, rootfs })
    }

    /// The layout of its directories.
    pub fn layout(&self) -> &Layout {
        &self.isolator.config().layout
    }

    /// Persistent volumes of a container, which are there as directories.
    pub fn volumes(&self, container: &str, count: usize) -> Result<Vec<Resource>, Failure> {
        let volumes = (0..count).map(|number| {
            let resource: Resource = serde_json::from_value(serde_json::json!({
                "name": "disk",
                "type": "SCALAR",
                "reservations": [{ "type": "DYNAMIC", "role": "role" }],
                "disk": {
                    "persistence": { "id": format!("{container}-{number}") },
                    "volume": { "container_path": format!("volume{number}"), "mode": "RW" },
                },
            }))?;
            let volume = PersistentVolume::from_resource(&resource, self.layout())?;
            volume.ok_or("what was made is no persistent volume")?.create(&LinuxKernel)?;
            Ok(resource)
        });
        volumes.collect()
    }

    /// Prepares a container, as `cofferdam run` does. Its sandbox is made if it is missing.
    pub fn prepare(&mut self, id: &ContainerId, resources: Vec<Resource>) -> Result<ContainerLaunchInfo, Failure> {
        let sandbox = self.layout().executor_sandbox("agent", "framework", id.value(), id)?;
        fs::create_dir_all(sandbox.to_string())?;
        let linux_info = LinuxInfo {
            bounding_capabilities: Some(cofferdam::agent::CONTAINER_CAPABILITIES.into()),
            ..LinuxInfo::default()
        };
        let config = ContainerConfig {
            directory: sandbox.as_path().into(),
            rootfs: Some(unix(self.rootfs)?.into()),
            command_info: CommandInfo::program(vec!["/bin/true".into()]),
            container_info: Some(ContainerInfo { linux_info: Some(linux_info), ..ContainerInfo::default() }),
            resources,
            ..ContainerConfig::default()
        };
        let mut info = self.isolator.prepare(id, &config)?;
        info.environment = Some(Environment { variables: vec![EnvironmentVariable::new("PATH", "/bin")] });
        Ok(info)
    }

    /// What an agent remembers of the containers.
    pub fn states(&self) -> Result<Vec<ContainerState>, Failure> {
        let state = |id: &ContainerId| {
            let container = self.isolator.container(id).ok_or("a container is not known")?;
            Ok(ContainerState {
                container_id: id.clone(),
                directory: container.sandbox().into(),
                executor_info: None,
                pid: None,
                other: serde_json::Map::default(),
            })
        };
        self.isolator.containers().map(state).collect()
    }
}
