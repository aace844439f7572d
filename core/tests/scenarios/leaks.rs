//! That a scenario which leaves something behind fails.

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, MountFlags, OpenFlags};
use serde_json::Value;

use crate::world::{World, simulated, volume};

/// Mounts something that nobody knows of.
fn mount(world: &World<'_>, target: &UnixPath) {
    world.kernel.mount(Some(UnixPath::new("leak")), target, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
}

/// A container with a volume in it, which its agent has forgotten.
fn forgotten(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    world.remove_runtime("c");
}

#[test]
fn what_is_taken_away_is_no_leak() {
    simulated::run(|world| {
        let mut agent = world.agent();
        world.make_directory("work/volumes/roles/role/db");
        let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
        agent.prepare(&id, &config).unwrap();
        let (child, config) = world.nested((&id, &config), "d");
        agent.prepare(&child, &config).unwrap();
        world.mount_tmpfs(&world.make_directory("a"), MountFlags::empty());
        world.bind(&world.make_directory("a/b"), &world.path("a/b"));
        world.mount_tmpfs(&world.make_directory("work/a"), MountFlags::empty());
        world.mount_tmpfs(&world.path("work"), MountFlags::empty());
        world.agent();
        world.umount(&world.path("work/volumes"));
        world.umount(&world.path("work"));
    });
}

#[test]
#[should_panic(expected = "not known to anybody: [\"c\"]")]
fn a_volume_that_is_left_is_a_leak() {
    simulated::run(forgotten);
}

#[test]
#[should_panic(expected = "left behind on a Private host")]
fn a_mount_is_a_leak() {
    simulated::run(|world| mount(world, &world.make_directory("leak")));
}

#[test]
#[should_panic(expected = "left below /world/work: ")]
fn a_mount_in_the_work_directory_is_a_leak() {
    simulated::run(|world| {
        world.agent();
        mount(world, &world.make_directory("work/leak"));
    });
}

#[test]
#[should_panic(expected = "something is mounted on what the scenario has mounted")]
fn a_mount_on_one_of_the_scenarios_is_a_leak() {
    simulated::run(|world| {
        let directory = world.make_directory("directory");
        world.mount_tmpfs(&directory, MountFlags::empty());
        mount(world, &directory);
    });
}

#[test]
#[should_panic(expected = "left behind on a Private host")]
fn a_mount_below_one_of_the_scenarios_is_a_leak() {
    simulated::run(|world| {
        let directory = world.make_directory("directory");
        mount(world, &directory);
        world.mount_tmpfs(&directory, MountFlags::empty());
    });
}

/// It arrives in the other namespaces of the machine, where no unmount on the host reaches it.
#[test]
#[should_panic(expected = "left behind on a Shared host")]
fn a_mount_in_another_namespace_is_a_leak() {
    simulated::run(|world| {
        let directory = world.make_directory("directory");
        mount(world, &directory);
        // So that what is unmounted on this one stays there.
        world.kernel.mount(None, &world.directory, None, MountFlags::MS_PRIVATE, None).unwrap();
        world.umount(&directory);
    });
}

#[test]
#[should_panic(expected = "+ namespace Some")]
fn a_namespace_is_a_leak() {
    simulated::run(|world| {
        let namespace = || world.open(UnixPath::new("/proc/thread-self/ns/mnt"), OpenFlags::empty()).unwrap();
        let host = namespace();
        world.kernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
        namespace();
        world.kernel.setns(host, CloneFlags::CLONE_NEWNS).unwrap();
        world.kernel.close(host).unwrap();
    });
}

#[test]
#[should_panic(expected = "+ process")]
fn a_process_is_a_leak() {
    simulated::run(|world| {
        world.kernel.clone3(CloneFlags::empty(), &mut |_| 0).unwrap();
    });
}

#[test]
#[should_panic(expected = "+ descriptor")]
fn a_descriptor_is_a_leak() {
    simulated::run(|world| {
        world.open(&world.directory, OpenFlags::O_DIRECTORY).unwrap();
    });
}

#[test]
#[should_panic(expected = "left in the runtime directory")]
fn a_file_in_the_runtime_directory_is_a_leak() {
    simulated::run(|world| {
        world.agent();
        world.write(&world.path("run/containers/leak"), "");
    });
}
