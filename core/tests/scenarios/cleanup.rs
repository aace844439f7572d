//! Taking a container's mounts off the host.

use cofferdam::kernel::{MountFlags, OpenFlags};
use cofferdam::messages::ContainerId;
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    cleanup_detaches_every_mount_of_the_container_and_no_other,
    a_busy_volume_does_not_hold_up_cleanup,
    stacked_and_nested_mounts_are_detached,
    a_mount_that_was_moved_is_detached_as_well,
    an_unknown_container_needs_no_cleanup,
);

fn cleanup_detaches_every_mount_of_the_container_and_no_other(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db");
    let volumes = || vec![volume("db", "data", "RW", Value::Null)];
    let before = world.mounts();
    // One id is a prefix of the other.
    let (short, config) = world.container("c1", volumes());
    agent.prepare(&short, &config).unwrap();
    let (long, config) = world.container("c10", volumes());
    agent.prepare(&long, &config).unwrap();
    agent.cleanup(&short).unwrap();
    assert_eq!(world.mounts_at(&config.directory.as_path().join("data")).len(), 1, "c1 is not above c10");
    assert_eq!(agent.containers().collect::<Vec<_>>(), [&long]);
    agent.cleanup(&long).unwrap();
    assert_eq!(world.mounts(), before);
}

fn a_busy_volume_does_not_hold_up_cleanup(world: &World<'_>) {
    let mut agent = world.agent();
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    let before = world.mounts();
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    let open = world.open(&config.directory.as_path().join("data/file"), OpenFlags::empty()).unwrap();
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
    agent.remove(&id, config.directory.as_path()).unwrap();
    assert_eq!(world.read(&source.join("file")), "kept");
    world.kernel.close(open).unwrap();
}

fn stacked_and_nested_mounts_are_detached(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db/inner");
    let before = world.mounts();
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    let data = config.directory.as_path().join("data");
    world.mount_tmpfs(&data.join("inner"), MountFlags::empty());
    world.mount_tmpfs(&data.join("inner"), MountFlags::empty());
    world.mount_tmpfs(config.directory.as_path(), MountFlags::empty());
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

fn a_mount_that_was_moved_is_detached_as_well(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let apart = world.apart("apart", MountFlags::MS_PRIVATE);
    let before = world.mounts();
    // The upper mount is older than the one that it is on, and stands before it in the table.
    let elsewhere = apart.make_directory("elsewhere");
    world.mount_tmpfs(&elsewhere, MountFlags::empty());
    let sandbox = config.directory.as_path();
    world.mount_tmpfs(sandbox, MountFlags::empty());
    let inner = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/inner");
    world.move_mount(&elsewhere, &inner);
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

fn an_unknown_container_needs_no_cleanup(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    agent.cleanup(&ContainerId::new("nobody").unwrap()).unwrap();
    assert_eq!(world.mounts(), before);
}
