//! An agent on a host: its isolator, and containers with persistent volumes.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam::agent::{AgentConfig, CONTAINER_CAPABILITIES};
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
    /// What it has of cofferdam.
    pub isolator: Isolator<LinuxKernel>,
    rootfs: &'r Path,
}

/// Has the command make what an agent needs on the host, as one that drives cofferdam by commands does.
pub fn create(cofferdam: &Path, layout: &Layout) -> Result<(), Failure> {
    output(command(cofferdam, layout, "create").stdin(Stdio::null())).map(drop)
}

/// Has the command prepare a container that runs `/bin/true`.
pub fn prepare(
    cofferdam: &Path,
    layout: &Layout,
    id: &ContainerId,
    rootfs: &Path,
) -> Result<ContainerLaunchInfo, Failure> {
    let config = config(layout, id, rootfs, Vec::new())?;
    let mut file = tempfile::tempfile()?;
    file.write_all(&serde_json::to_vec(&config)?)?;
    file.rewind()?;
    let printed = output(command(cofferdam, layout, "prepare").args(["--id", id.value()]).stdin(file))?;
    let mut info: ContainerLaunchInfo = serde_json::from_slice(&printed)?;
    info.environment = Some(Environment { variables: vec![EnvironmentVariable::new("PATH", "/bin")] });
    Ok(info)
}

fn command(cofferdam: &Path, layout: &Layout, name: &str) -> Command {
    let mut command = Command::new(cofferdam);
    command.args([name, "--work-dir", &layout.work_dir.to_string(), "--runtime-dir", &layout.runtime_dir.to_string()]);
    command
}

fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(output.stdout)
}

/// What an agent asks for, with the capabilities that `cofferdam run` leaves. The sandbox is made if it is missing.
fn config(
    layout: &Layout,
    id: &ContainerId,
    rootfs: &Path,
    resources: Vec<Resource>,
) -> Result<ContainerConfig, Failure> {
    let sandbox = layout.executor_sandbox("agent", "framework", id.value(), id)?;
    fs::create_dir_all(sandbox.to_string())?;
    let linux_info = LinuxInfo { bounding_capabilities: Some(CONTAINER_CAPABILITIES.into()), ..LinuxInfo::default() };
    Ok(ContainerConfig {
        directory: sandbox.as_path().into(),
        rootfs: Some(unix(rootfs)?.into()),
        command_info: CommandInfo::program(vec!["/bin/true".into()]),
        container_info: Some(ContainerInfo { linux_info: Some(linux_info), ..ContainerInfo::default() }),
        resources,
        ..ContainerConfig::default()
    })
}

/// An isolator as an agent has it that has just started.
pub fn isolator(layout: Layout) -> Result<Isolator<LinuxKernel>, Failure> {
    Ok(Isolator::create(LinuxKernel, AgentConfig::new(layout), Box::new(NumericUsers))?)
}

impl<'r> Agent<'r> {
    /// One that has just started.
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

    /// Prepares a container with persistent volumes.
    pub fn prepare(&mut self, id: &ContainerId, resources: Vec<Resource>) -> Result<(), Failure> {
        let config = config(self.layout(), id, self.rootfs, resources)?;
        self.isolator.prepare(id, &config)?;
        Ok(())
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
