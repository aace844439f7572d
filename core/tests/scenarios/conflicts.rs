//! Volumes that would hide each other, or what the container needs.

use cofferdam::isolator::{PrepareError, UpdateError};
use cofferdam::kernel::MountFlags;
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerInfo, LinuxInfo, Resource};
use cofferdam::volumes::{VolumeError, VolumeProblem};
use serde_json::{Value, json};

use crate::world::{World, volume};

scenarios!(
    a_bidirectional_volume_covers_nothing_that_is_masked_or_made,
    a_volume_that_comes_later_is_not_hidden,
    a_volume_that_comes_later_hides_no_other,
    what_is_mounted_elsewhere_is_in_nobodys_way,
);

fn with_volumes(config: ContainerConfig, volumes: &Value) -> ContainerConfig {
    let volumes = serde_json::from_value(volumes.clone()).unwrap();
    ContainerConfig { container_info: Some(ContainerInfo { volumes, ..ContainerInfo::default() }), ..config }
}

/// What the launcher would refuse, prepare refuses, and says which volume it is.
fn a_bidirectional_volume_covers_nothing_that_is_masked_or_made(world: &World<'_>) {
    let mut agent = world.agent();
    let rootfs = world.make_directory("rootfs");
    let data = world.make_directory("data");
    world.mount_tmpfs(&data, MountFlags::empty());
    world.propagation(&data, MountFlags::MS_SHARED);
    let before = world.mounts();
    let config = |name: &str, container_path: &str, mode: &str, share_pid_namespace| {
        let (id, config) = world.container(name, vec![]);
        let host_path = json!({ "path": data.to_string(), "mount_propagation": { "mode": mode } });
        let source = json!({ "type": "HOST_PATH", "host_path": host_path });
        let mut config = with_volumes(
            ContainerConfig { rootfs: Some(rootfs.clone().into()), ..config },
            &json!([{ "container_path": container_path, "mode": "RW", "source": source }]),
        );
        config.container_info.as_mut().unwrap().linux_info =
            Some(LinuxInfo { share_pid_namespace, ..LinuxInfo::default() });
        (id, config)
    };
    for (container_path, covered) in
        [("/proc", "proc/acpi"), ("/sys", "sys/firmware"), ("/sys/firmware", "sys/firmware"), ("/dev/", "dev/fd")]
    {
        let (id, config) = config("c", container_path, "BIDIRECTIONAL", false);
        let error = agent.prepare(&id, &config).unwrap_err();
        let PrepareError::Volume(VolumeError { container_path: named, problem }) = &error else { panic!("{error}") };
        assert_eq!(*named, container_path.into());
        let VolumeProblem::CoversOwn(path) = problem else { panic!("{error}") };
        assert_eq!(*path, rootfs.join(covered).into(), "{error}");
        assert_eq!(world.mounts(), before);
    }
    for (number, (container_path, mode, share_pid_namespace)) in [
        ("/sys/firmware", "BIDIRECTIONAL", true),
        ("/dev/shm/x", "BIDIRECTIONAL", false),
        ("/devices", "BIDIRECTIONAL", false),
        ("/dev", "HOST_TO_CONTAINER", false),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, config) = config(&format!("c{number}"), container_path, mode, share_pid_namespace);
        agent.prepare(&id, &config).unwrap();
    }
}

fn persistent(world: &World<'_>, name: &str) -> Resource {
    world.make_directory("work/volumes/roles/role/db");
    volume("db", name, "RW", Value::Null)
}

/// A container, with and without a root filesystem, that has a volume of the host in its sandbox at this path.
fn containers(world: &World<'_>, path: &str) -> [(ContainerId, ContainerConfig); 2] {
    world.make_directory("data");
    [true, false].map(|with_rootfs| {
        let (id, config) = world.container(if with_rootfs { "with" } else { "without" }, vec![]);
        let rootfs = with_rootfs.then(|| world.make_directory("rootfs").into());
        let volumes = json!([{ "container_path": path, "mode": "RW", "host_path": world.path("data").to_string() }]);
        (id, with_volumes(ContainerConfig { rootfs, ..config }, &volumes))
    })
}

/// What an update says that is refused, and after which all is as before.
fn refused(world: &World<'_>, path: &str) -> Vec<String> {
    let mut agent = world.agent();
    let refused = containers(world, path).map(|(id, config)| {
        agent.prepare(&id, &config).unwrap();
        // The agent may have been restarted.
        let mut agent = world.agent();
        agent.resume().unwrap();
        let before = world.mounts();
        let error = agent.update(&id, &[persistent(world, "name")]).unwrap_err();
        assert_eq!(world.mounts(), before, "{error}");
        assert!(!world.exists(&config.directory.as_path().join("name")) || path != "name", "{error}");
        assert!(matches!(&error, UpdateError::OtherVolume { container_path, .. } if *container_path == path.into()));
        error.to_string()
    });
    refused.to_vec()
}

fn a_volume_that_comes_later_is_not_hidden(world: &World<'_>) {
    for error in refused(world, "name") {
        assert!(error.contains("persistent volume db") && error.contains("volume at \"name\""), "{error}");
    }
}

fn a_volume_that_comes_later_hides_no_other(world: &World<'_>) {
    for error in refused(world, "./name/inner") {
        assert!(error.contains("persistent volume db") && error.contains("volume at \"./name/inner\""), "{error}");
    }
}

fn what_is_mounted_elsewhere_is_in_nobodys_way(world: &World<'_>) {
    let mut agent = world.agent();
    let mut directory = String::from("other");
    for (id, config) in containers(world, "names/name") {
        agent.prepare(&id, &config).unwrap();
        agent.update(&id, &[persistent(world, "name")]).unwrap();
        agent.update(&id, &[]).unwrap();
        directory = config.directory.as_path().to_string();
    }
    assert!(directory.ends_with("without"));
    // There at the beginning, it may have another one in it, and stays.
    let (id, config) = world.container("both", vec![persistent(world, "name")]);
    let volumes =
        json!([{ "container_path": "name/inner", "mode": "RW", "host_path": world.path("data").to_string() }]);
    agent.prepare(&id, &with_volumes(config, &volumes)).unwrap();
    agent.update(&id, &[persistent(world, "name")]).unwrap();
    // The path in the container is the same, told from its root.
    let (id, config) = world.container("absolute", vec![]);
    let rootfs = Some(world.make_directory("rootfs").into());
    let volumes = json!([{
        "container_path": "/mnt/mesos/sandbox/name", "mode": "RW", "host_path": world.path("data").to_string()
    }]);
    agent.prepare(&id, &with_volumes(ContainerConfig { rootfs, ..config }, &volumes)).unwrap();
    let error = agent.update(&id, &[persistent(world, "name")]).unwrap_err();
    assert!(matches!(error, UpdateError::OtherVolume { .. }), "{error}");
}
