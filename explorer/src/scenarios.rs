//! The scenarios that are explored.

use cofferdam::UnixPath;
use cofferdam::layout::Layout;
use cofferdam::messages::{
    CommandInfo, ContainerClass, ContainerConfig, ContainerId, ContainerInfo, LinuxInfo, Resource,
};
use serde_json::json;

use crate::machine::{IMAGE, layout};
use crate::scenario::{Operation, Scenario};

/// All of them.
///
/// # Errors
///
/// None: what they are made of is constant, and a test makes them.
pub fn all() -> Result<Vec<Scenario>, InvalidScenario> {
    Ok(vec![
        life("a container with an image", true)?,
        life("a container with the host's files", false)?,
        volumes_that_are_shared()?,
        nested_containers()?,
        groups()?,
        host_volumes()?,
        sessions()?,
        shared_paths()?,
    ])
}

/// A scenario names something that can't be.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidScenario(String);

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn invalid(error: impl ToString) -> InvalidScenario {
    InvalidScenario(error.to_string())
}

type Result<T, E = InvalidScenario> = std::result::Result<T, E>;

/// Persistent volumes: each an id, the name at which it is seen, and a mode.
fn volumes(volumes: &[(&str, &str, &str)]) -> Result<Vec<Resource>> {
    let volume = |(id, path, mode): &(&str, &str, &str)| {
        let resource = json!({
            "name": "disk",
            "reservations": [{ "role": "role" }],
            "disk": { "persistence": { "id": id }, "volume": { "container_path": path, "mode": mode } },
        });
        serde_json::from_value(resource).map_err(invalid)
    };
    volumes.iter().map(volume).collect()
}

/// A container with its configuration.
type Described = (ContainerId, ContainerConfig);

fn container(name: &str, with_image: bool, resources: Vec<Resource>) -> Result<Described> {
    let id = ContainerId::new(name).map_err(invalid)?;
    let sandbox = layout().executor_sandbox("a", "f", "e", &id).map_err(invalid)?;
    Ok((id, config(&sandbox, with_image, resources)))
}

/// One that is in no scenario, and has nothing to do with theirs.
pub(crate) fn another() -> Result<Described> {
    container("another", true, volumes(&[("log", "log", "RO")])?)
}

/// The volumes that another command gives the containers of a scenario.
pub(crate) fn more_volumes() -> Result<Vec<Resource>> {
    volumes(&[("db", "data", "RW"), ("db", "shared", "RO"), ("log", "log", "RO")])
}

fn nested((parent, around): &Described, name: &str, with_image: bool) -> Result<Described> {
    let id = parent.child(name).map_err(invalid)?;
    let sandbox = Layout::nested_sandbox(around.directory.as_path(), &id);
    Ok((id, config(&sandbox, with_image, Vec::new())))
}

fn config(sandbox: &UnixPath, with_image: bool, resources: Vec<Resource>) -> ContainerConfig {
    ContainerConfig {
        directory: sandbox.into(),
        rootfs: with_image.then(|| IMAGE.into()),
        resources,
        command_info: CommandInfo::program(vec!["/program".into()]),
        ..ContainerConfig::default()
    }
}

/// In the pid namespace of what is around it.
fn sharing_pids((id, mut config): Described) -> Described {
    let linux_info = LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() };
    config.container_info.get_or_insert_with(ContainerInfo::default).linux_info = Some(linux_info);
    (id, config)
}

fn prepare((id, config): &Described) -> Operation {
    Operation::Prepare { id: id.clone(), config: config.clone() }
}

fn launch((id, _): &Described) -> Operation {
    Operation::Launch { id: id.clone() }
}

fn update((id, _): &Described, resources: Vec<Resource>) -> Operation {
    Operation::Update { id: id.clone(), resources }
}

fn end((id, _): &Described) -> Operation {
    Operation::End { id: id.clone() }
}

fn cleanup((id, _): &Described) -> Operation {
    Operation::Cleanup { id: id.clone() }
}

fn scenario(name: &str, operations: Vec<Operation>) -> Scenario {
    let volumes = ["db", "log"].map(str::to_owned).to_vec();
    let operations = [vec![Operation::Create], operations].concat();
    Scenario { name: name.into(), volumes, gids: None, operations }
}

/// A container from its beginning to its end, with volumes that come and go.
fn life(name: &str, with_image: bool) -> Result<Scenario> {
    let c = container("c", with_image, volumes(&[("db", "data", "RW")])?)?;
    let operations = vec![
        prepare(&c),
        launch(&c),
        update(&c, volumes(&[("db", "data", "RW"), ("log", "log", "RO")])?),
        update(&c, volumes(&[("log", "log", "RO")])?),
        Operation::Recover,
        end(&c),
        cleanup(&c),
    ];
    Ok(scenario(name, operations))
}

/// Containers that have the same volume.
fn volumes_that_are_shared() -> Result<Scenario> {
    let writer = container("c1", true, volumes(&[("db", "shared", "RW"), ("log", "log", "RW")])?)?;
    let reader = container("c10", true, volumes(&[("db", "shared", "RO")])?)?;
    let operations = vec![
        prepare(&writer),
        prepare(&reader),
        launch(&writer),
        launch(&reader),
        update(&reader, volumes(&[("db", "shared", "RO"), ("log", "log", "RO")])?),
        end(&writer),
        cleanup(&writer),
        Operation::Recover,
        end(&reader),
        cleanup(&reader),
    ];
    Ok(scenario("containers that share volumes", operations))
}

/// Containers in a container: one with an image, a session, and one in one.
fn nested_containers() -> Result<Scenario> {
    let top = sharing_pids(container("c", true, volumes(&[("db", "data", "RW")])?)?);
    let inner = sharing_pids(nested(&top, "n", true)?);
    let innermost = sharing_pids(nested(&inner, "m", false)?);
    let mut session = nested(&top, "d", false)?;
    session.1.container_class = Some(ContainerClass::Debug);
    let operations = vec![
        prepare(&top),
        launch(&top),
        prepare(&inner),
        launch(&inner),
        prepare(&innermost),
        prepare(&session),
        update(&top, volumes(&[("db", "data", "RW"), ("log", "log", "RO")])?),
        cleanup(&session),
        cleanup(&innermost),
        end(&inner),
        cleanup(&inner),
        end(&top),
        cleanup(&top),
    ];
    Ok(scenario("containers in a container", operations))
}

/// Volumes with groups of their own.
fn groups() -> Result<Scenario> {
    let mut c = container("c", true, volumes(&[("db", "data", "RW")])?)?;
    c.1.user = Some("1000".into());
    let operations = vec![
        prepare(&c),
        update(&c, volumes(&[("db", "data", "RW"), ("log", "log", "RO")])?),
        Operation::Recover,
        cleanup(&c),
    ];
    Ok(Scenario { gids: Some((10000, 10009)), ..scenario("volumes with groups of their own", operations) })
}

/// Volumes of the host and of the sandbox, beside a persistent one.
fn host_volumes() -> Result<Scenario> {
    let mut c = container("c", true, volumes(&[("db", "data", "RW")])?)?;
    let volumes = json!([
        { "container_path": "/srv/host", "mode": "RO", "host_path": "/world/shared" },
        {
            "container_path": "/srv/both",
            "mode": "RW",
            "source": {
                "type": "HOST_PATH",
                "host_path": { "path": "/world/shared", "mount_propagation": { "mode": "BIDIRECTIONAL" } },
            },
        },
        {
            "container_path": "own",
            "mode": "RW",
            "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "SELF", "path": "path" } },
        },
    ]);
    c.1.container_info =
        Some(ContainerInfo { volumes: serde_json::from_value(volumes).map_err(invalid)?, ..ContainerInfo::default() });
    Ok(scenario("volumes of the host", vec![prepare(&c), launch(&c), Operation::Recover, end(&c), cleanup(&c)]))
}

/// A session that is launched in a container, whose id is used again once it is cleaned up.
fn sessions() -> Result<Scenario> {
    let top = sharing_pids(container("c", true, volumes(&[("db", "data", "RO")])?)?);
    let mut session = sharing_pids(nested(&top, "d", false)?);
    session.1.container_class = Some(ContainerClass::Debug);
    let operations = vec![
        prepare(&top),
        launch(&top),
        prepare(&session),
        launch(&session),
        Operation::Recover,
        end(&session),
        cleanup(&session),
        prepare(&session),
        cleanup(&session),
        end(&top),
        cleanup(&top),
    ];
    Ok(scenario("a session in a container", operations))
}

/// A path in the sandbox of a container that the one in it has as a volume, with a group of its own.
fn shared_paths() -> Result<Scenario> {
    let mut top = sharing_pids(container("c", true, volumes(&[("db", "data", "RW")])?)?);
    let mut inner = sharing_pids(nested(&top, "n", true)?);
    for (_, config) in [&mut top, &mut inner] {
        config.user = Some("1000".into());
    }
    let volumes = json!([{
        "container_path": "theirs",
        "mode": "RW",
        "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "ours" } },
    }]);
    inner.1.container_info.get_or_insert_with(ContainerInfo::default).volumes =
        serde_json::from_value(volumes).map_err(invalid)?;
    let operations = vec![
        prepare(&top),
        launch(&top),
        prepare(&inner),
        launch(&inner),
        Operation::Recover,
        end(&inner),
        cleanup(&inner),
        end(&top),
        cleanup(&top),
    ];
    Ok(Scenario { gids: Some((10000, 10009)), ..scenario("a path that containers share", operations) })
}
