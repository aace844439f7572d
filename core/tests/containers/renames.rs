//! File operations that rename, near bidirectional mounts.

use cofferdam::kernel::{Fd, MountFlags};
use cofferdam::messages::{ContainerFileOperation, FileOperationKind, Mkdir, Rename};
use cofferdam::{UnixPath, UnixPathBuf};
use serde_json::json;

use crate::scenarios::{CONTENT, Container, ensure, exists};
use crate::world::World;

scenarios!(
    what_is_above_a_bidirectional_mount_is_not_renamed,
    the_name_of_a_bidirectional_mount_that_is_a_link_does_not_hide_it,
    something_else_is_renamed,
);

fn rename(source: &UnixPath, target: &UnixPath) -> ContainerFileOperation {
    let rename = Some(Rename { source: source.into(), target: target.into() });
    ContainerFileOperation { operation: FileOperationKind::Rename, symlink: None, mkdir: None, rename, mount: None }
}

fn make(target: &UnixPath) -> ContainerFileOperation {
    let mkdir = Some(Mkdir { target: target.into(), recursive: true });
    ContainerFileOperation { operation: FileOperationKind::Mkdir, symlink: None, mkdir, rename: None, mount: None }
}

/// A directory of the host in a shared mount.
fn shared(world: &World<'_>) -> UnixPathBuf {
    let data = world.make_directory("data");
    world.mount_tmpfs(&data, MountFlags::empty());
    world.propagation(&data, MountFlags::MS_SHARED);
    data
}

/// A container with a bidirectional volume.
fn container<'w, 'k>(world: &'w World<'k>, data: &UnixPath, container_path: &str) -> Container<'w, 'k> {
    let mut container = Container::new(world, vec![]);
    let host_path = json!({ "path": data.to_string(), "mount_propagation": { "mode": "BIDIRECTIONAL" } });
    let source = json!({ "type": "HOST_PATH", "host_path": host_path });
    let volumes = json!([{ "container_path": container_path, "mode": "RW", "source": source }]);
    container.config.container_info.get_or_insert_default().volumes = serde_json::from_value(volumes).unwrap();
    container
}

/// What is done below the new name would be done on the host.
fn what_is_above_a_bidirectional_mount_is_not_renamed(world: &World<'_>) {
    let data = shared(world);
    for with_rootfs in [true, false] {
        let (container, top) = if with_rootfs {
            (container(world, &data, "/srv/a/b").with_rootfs(), world.path("rootfs/srv"))
        } else {
            let top = world.make_directory("srv");
            let inner = world.make_directory("srv/a/b");
            (container(world, &data, &inner.to_string()), top)
        };
        let mut container = container;
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        for from in [top.join("a"), top.join("./a/../a")] {
            let mut info = info.clone();
            info.file_operations.push(rename(&from, &top.join("c")));
            info.file_operations.push(make(&top.join("c/b/new")));
            let refusal = container.refusal(info);
            assert!(!world.exists(&data.join("new")), "it was made on the host");
            assert!(refusal.contains("rename") && refusal.contains(&top.join("a/b").to_string()), "{refusal}");
            assert!(refusal.contains("bidirectional mount"), "{refusal}");
            assert!(!world.exists(&top.join("c")), "{refusal}");
        }
        container.clean_up();
    }
}

/// On the host's own filesystem the operator's links are followed to a mount point.
fn the_name_of_a_bidirectional_mount_that_is_a_link_does_not_hide_it(world: &World<'_>) {
    let data = shared(world);
    let point = world.make_directory("srv/a/b");
    let link = world.path("link");
    world.kernel.symlinkat(&world.path("srv/a"), Fd::CWD, &link).unwrap();
    let mut container = container(world, &data, &point.to_string());
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    for operations in [
        vec![make(&point.join("new"))],
        vec![rename(&world.path("srv/a"), &world.path("srv/c")), make(&world.path("srv/c/b/new"))],
    ] {
        let mut info = info.clone();
        info.mounts.last_mut().unwrap().target = link.join("b").into();
        info.file_operations = operations;
        let refusal = container.refusal(info);
        assert!(refusal.contains("bidirectional mount"), "{refusal}");
        assert!(!world.exists(&data.join("new")), "it was made on the host");
    }
    container.clean_up();
}

fn something_else_is_renamed(world: &World<'_>) {
    let data = shared(world);
    world.make_directory("rootfs/srv/other");
    let mut container = container(world, &data, "/srv/a/b").with_rootfs();
    let mut info = container.agent.prepare(&container.id, &container.config).unwrap();
    let srv = world.path("rootfs/srv");
    info.file_operations.push(rename(&srv.join("other"), &srv.join("a/renamed")));
    let status = container.launch(info, &|kernel| {
        ensure(exists(kernel, "/srv/a/renamed") && !exists(kernel, "/srv/other"), "it was not renamed")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}
