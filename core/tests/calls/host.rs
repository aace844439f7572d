//! The hosts on which operations are counted.

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{Intercepted, Kernel, Mode, MountFlags};
use cofferdam::layout::Layout;
use cofferdam::messages::{CommandInfo, ContainerConfig, ContainerId, ContainerState, OtherFields, Resource};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::{Linux, Process, sample};
use serde_json::json;

use crate::counter::Counter;
use crate::document::Counts;

/// How many volumes there are to be mounted.
const VOLUMES: usize = 101;

pub fn config() -> AgentConfig {
    AgentConfig::new(Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() })
}

/// The sample host, whose mounts are shared as systemd has them, with the directory of an agent that was never started.
pub fn new() -> Linux {
    let kernel = Process::init(sample::host());
    for volume in 0..VOLUMES {
        let source = config().layout.work_dir.join(format!("volumes/roles/role/v{volume}"));
        create_directories(&kernel, &source, Mode(0o755)).unwrap();
    }
    kernel.linux().clone()
}

/// One on which an agent was started.
pub fn ready() -> Linux {
    changed(new(), |kernel| drop(create(kernel)))
}

/// With so many more mounts.
pub fn with_mounts(linux: Linux, count: usize) -> Linux {
    changed(linux, |kernel| {
        for number in 0..count {
            let target = UnixPathBuf::from(format!("/srv/mounts/{number}"));
            create_directories(kernel, &target, Mode(0o755)).unwrap();
            let tmpfs = UnixPath::new("tmpfs");
            kernel.mount(Some(tmpfs), &target, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
        }
    })
}

/// With so many more containers, each with a root filesystem and a volume.
pub fn with_containers(linux: Linux, count: usize) -> Linux {
    changed(linux, |kernel| {
        let mut isolator = create(kernel);
        for number in 0..count {
            let (id, config) = container(kernel, &format!("other{number}"), true, vec![volume(0)]);
            isolator.prepare(&id, &config).unwrap();
        }
    })
}

fn changed(linux: Linux, change: impl FnOnce(&Process)) -> Linux {
    let kernel = Process::init(linux);
    change(&kernel);
    kernel.linux().clone()
}

/// What an agent does first.
pub fn create<K: Kernel>(kernel: K) -> Isolator<K> {
    let isolator = Isolator::create(kernel, config(), Box::new(NumericUsers)).unwrap();
    isolator.prepare_launches().unwrap();
    isolator
}

/// The agent at work on a host of its own, and what is counted.
pub type Agent<'a> = Isolator<&'a Counted<'a>>;
pub type Counted<'a> = Intercepted<'a, Process, Counter>;

/// Counts what an agent does after some preparations; it knows the containers that are there.
pub fn count<T>(
    linux: &Linux,
    prepare: impl FnOnce(&mut Agent<'_>) -> T,
    act: impl FnOnce(&mut Agent<'_>, T),
) -> Counts {
    let (kernel, counter) = (Process::init(linux.clone()), Counter::default());
    let kernel = Intercepted::new(&kernel, &counter);
    let mut isolator = create(&kernel);
    assert_eq!(isolator.resume().unwrap(), [], "all can be read");
    let prepared = prepare(&mut isolator);
    counter.take();
    act(&mut isolator, prepared);
    counter.take()
}

/// A container whose sandbox is made.
pub fn container(
    kernel: &dyn Kernel,
    name: &str,
    has_rootfs: bool,
    resources: Vec<Resource>,
) -> (ContainerId, ContainerConfig) {
    let id = ContainerId::new(name).unwrap();
    let sandbox = config().layout.executor_sandbox("agent", "framework", name, &id).unwrap();
    create_directories(kernel, &sandbox, Mode(0o755)).unwrap();
    let config = ContainerConfig {
        directory: sandbox.into(),
        rootfs: has_rootfs.then(|| sample::ROOTFS.into()),
        command_info: CommandInfo::program(vec!["/bin/true".into()]),
        resources,
        ..ContainerConfig::default()
    };
    (id, config)
}

/// One of the volumes.
pub fn volume(number: usize) -> Resource {
    assert!(number < VOLUMES);
    let resource = json!({
        "name": "disk",
        "reservations": [{ "role": "role" }],
        "disk": {
            "persistence": { "id": format!("v{number}") },
            "volume": { "container_path": format!("data{number}"), "mode": "RW" },
        },
        "shared": {},
    });
    serde_json::from_value(resource).unwrap()
}

pub fn volumes(count: usize) -> Vec<Resource> {
    (0..count).map(volume).collect()
}

/// What an agent that has died knew of a container.
pub fn state(id: ContainerId, config: &ContainerConfig) -> ContainerState {
    ContainerState {
        container_id: id,
        directory: config.directory.clone(),
        executor_info: None,
        pid: None,
        other: OtherFields::new(),
    }
}
