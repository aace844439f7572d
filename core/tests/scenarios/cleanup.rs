//! Taking a container's mounts off the host.

use cofferdam::kernel::{Call, Errno, Intercepted, Interceptor, Kernel, MountFlags, OpenFlags};
use cofferdam::messages::ContainerId;
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    cleanup_detaches_every_mount_of_the_container_and_no_other,
    a_busy_volume_does_not_hold_up_cleanup,
    stacked_and_nested_mounts_are_detached,
    a_mount_that_was_moved_is_detached_as_well,
    a_mount_that_does_not_answer_is_detached,
    without_proc_the_error_says_so,
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
    let apart = world.apart("apart", MountFlags::MS_PRIVATE);
    let before = world.mounts();
    agent.prepare(&id, &config).unwrap();
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

/// Refuses calls with this errno.
struct Refuse<F>(Errno, F);

impl<F: Fn(&Call) -> bool> Interceptor for Refuse<F> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if (self.1)(call) { Err(self.0) } else { Ok(()) }
    }
}

/// Such as one of FUSE whose process has died: not even its root can be looked at.
fn a_mount_that_does_not_answer_is_detached(world: &World<'_>) {
    let (id, config) = world.container("c", vec![]);
    let mut agent = world.agent();
    let before = world.mounts();
    agent.prepare(&id, &config).unwrap();
    world.mount_tmpfs(&world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/dead"), MountFlags::empty());
    let refuse = Refuse(Errno::ENOTCONN, |call: &Call| match call {
        Call::Openat2 { path, .. } | Call::Statx { path, .. } => path.0.ends_with(b"dead"),
        _ => false,
    });
    let kernel = Intercepted::new(world.kernel, &refuse);
    let mut agent = world.through(&kernel).agent();
    agent.resume().unwrap();
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

fn without_proc_the_error_says_so(world: &World<'_>) {
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    world.agent().prepare(&id, &config).unwrap();
    let before = world.mounts();
    let refuse = Refuse(Errno::ENOENT, |call: &Call| match call {
        Call::Umount2 { target: path, .. } | Call::Statx { path, .. } => path.0.starts_with(b"/proc/thread-self/fd"),
        _ => false,
    });
    let kernel = Intercepted::new(world.kernel, &refuse);
    let mut agent = world.through(&kernel).agent();
    agent.resume().unwrap();
    for error in [agent.update(&id, &[]).unwrap_err().to_string(), agent.cleanup(&id).unwrap_err().to_string()] {
        assert!(error.contains("is /proc mounted?"), "{error}");
    }
    assert_eq!(world.mounts(), before);
    assert_eq!(agent.container(&id).unwrap().volumes().len(), 1, "it is remembered");
}

fn an_unknown_container_needs_no_cleanup(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    agent.cleanup(&ContainerId::new("nobody").unwrap()).unwrap();
    assert_eq!(world.mounts(), before);
}
