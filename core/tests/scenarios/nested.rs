//! Containers in containers, sessions in containers, and containers of no executor.

use cofferdam::UnixPath;
use cofferdam::isolator::{CleanupError, PrepareError, UpdateError};
use cofferdam::kernel::{Fd, RenameFlags};
use cofferdam::messages::{ContainerClass, ContainerConfig, ContainerInfo, LinuxInfo, Namespace};
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    a_nested_container_has_a_mount_namespace_and_begins_in_its_parents_pid_namespace,
    containers_are_nested_to_any_depth,
    a_debug_container_joins_its_parent_and_nothing_else,
    a_debug_container_has_no_filesystem_of_its_own,
    a_nested_container_needs_a_known_parent,
    nested_and_standalone_containers_have_no_persistent_volumes,
    the_sandbox_of_a_nested_container_is_where_it_belongs,
    a_symbolic_link_is_no_sandbox_of_a_nested_container,
    a_container_is_privileged_only_if_all_around_it_are,
    a_parent_without_a_readable_configuration_is_an_error,
    children_are_cleaned_up_first,
);

fn sharing_pids(config: ContainerConfig) -> ContainerConfig {
    let linux_info = Some(LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() });
    ContainerConfig { container_info: Some(ContainerInfo { linux_info, ..ContainerInfo::default() }), ..config }
}

fn with_rootfs(world: &World<'_>, config: ContainerConfig) -> ContainerConfig {
    ContainerConfig { rootfs: Some(world.make_directory("rootfs").into()), ..config }
}

fn debug(config: ContainerConfig) -> ContainerConfig {
    ContainerConfig { container_class: Some(ContainerClass::Debug), ..config }
}

fn a_nested_container_has_a_mount_namespace_and_begins_in_its_parents_pid_namespace(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    let info = agent.prepare(&child, &with_rootfs(world, child_config)).unwrap();
    assert_eq!(info.enter_namespaces, [Namespace::PID]);
    assert_eq!(info.clone_namespaces, [Namespace::MOUNT, Namespace::PID]);
    assert!(!info.masked_paths.is_empty());
    assert!(world.exists(&world.path("run/containers/c/containers/d/devices/null")));
}

fn containers_are_nested_to_any_depth(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    let mut all = vec![world.container("c", vec![])];
    for name in ["d", "e", "f", "g"] {
        let (id, config) = all.last().unwrap();
        agent.prepare(id, config).unwrap();
        all.push(world.nested((id, config), name));
    }
    assert_eq!(all.last().unwrap().0.to_string(), "c.d.e.f.g");
    assert_eq!(agent.containers().count(), 4);
    for (id, _) in all.iter().rev().skip(1) {
        agent.cleanup(id).unwrap();
        agent.remove_runtime(id).unwrap();
    }
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&world.path("run/containers/c")));
}

fn a_debug_container_joins_its_parent_and_nothing_else(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &with_rootfs(world, config.clone())).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    let info = agent.prepare(&child, &debug(child_config)).unwrap();
    assert_eq!(info.enter_namespaces, [Namespace::MOUNT, Namespace::PID]);
    assert!(info.clone_namespaces.is_empty() && info.mounts.is_empty() && info.masked_paths.is_empty());
    assert!(info.file_operations.is_empty() && info.rootfs.is_none());
    assert_eq!(info.working_directory, Some("/mnt/mesos/sandbox".into()), "the parent's");
    let (grandchild, config) = world.nested((&child, &world.nested((&id, &config), "d").1), "e");
    assert_eq!(agent.prepare(&grandchild, &config), Err(PrepareError::NestedInDebug(grandchild)));
}

fn a_debug_container_has_no_filesystem_of_its_own(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    assert_eq!(agent.prepare(&id, &debug(config.clone())), Err(PrepareError::DebugWithoutParent(id.clone())));
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    let with_volume =
        ContainerConfig { resources: vec![volume("db", "data", "RW", Value::Null)], ..child_config.clone() };
    for wrong in [with_rootfs(world, child_config), with_volume] {
        let error = agent.prepare(&child, &debug(wrong)).unwrap_err();
        assert!(matches!(error, PrepareError::DebugWithFilesystem { .. }), "{error}");
    }
    assert!(!world.exists(&world.path("run/containers/c/containers")));
}

fn a_nested_container_needs_a_known_parent(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let (child, child_config) = world.nested((&id, &config), "d");
    assert_eq!(agent.prepare(&child, &child_config), Err(PrepareError::UnknownParent(child)));
    assert!(!world.exists(&world.path("run/containers/c")));
}

fn nested_and_standalone_containers_have_no_persistent_volumes(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db");
    let resources = || vec![volume("db", "data", "RW", Value::Null)];
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    let error = agent.prepare(&child, &ContainerConfig { resources: resources(), ..child_config.clone() }).unwrap_err();
    assert!(matches!(error, PrepareError::PersistentVolumes { .. }), "{error}");
    agent.prepare(&child, &child_config).unwrap();
    assert_eq!(agent.update(&child, &resources()), Err(UpdateError::Nested(child)));

    let (id, config) = world.container("s", resources());
    let standalone = ContainerConfig { standalone: true, ..config };
    let error = agent.prepare(&id, &standalone).unwrap_err();
    assert!(matches!(error, PrepareError::PersistentVolumes { .. }), "{error}");
    assert!(!world.exists(&world.path("run/containers/s")));
    agent.prepare(&id, &ContainerConfig { resources: vec![], ..standalone }).unwrap();
    assert!(world.exists(&world.path("run/containers/s/standalone.marker")));
    assert_eq!(agent.update(&id, &resources()), Err(UpdateError::Standalone(id)));
}

fn the_sandbox_of_a_nested_container_is_where_it_belongs(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, _) = world.nested((&id, &config), "d");
    let elsewhere =
        ContainerConfig { directory: world.make_directory("elsewhere").into(), ..ContainerConfig::default() };
    let error = agent.prepare(&child, &elsewhere).unwrap_err();
    assert!(matches!(error, PrepareError::NestedSandbox { .. }), "{error}");
}

fn a_symbolic_link_is_no_sandbox_of_a_nested_container(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    // What the program of the parent can do.
    let containers = config.directory.as_path().join("containers");
    let moved = config.directory.as_path().join("moved");
    world.kernel.renameat2(Fd::CWD, &containers, Fd::CWD, &moved, RenameFlags::empty()).unwrap();
    world.kernel.symlinkat(UnixPath::new("moved"), Fd::CWD, &containers).unwrap();
    let error = agent.prepare(&child, &child_config).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
}

/// Whether each container, from the outermost to the innermost, shares the pid namespace of the one around it.
fn a_container_is_privileged_only_if_all_around_it_are(world: &World<'_>) {
    let cases: [(&str, &[bool], bool); 5] = [
        ("a", &[true], true),
        ("b", &[true, true, true], true),
        ("c", &[false, true], false),
        ("d", &[true, false, true], false),
        ("e", &[true, true, false], false),
    ];
    let mut agent = world.agent();
    for (name, shares, is_privileged) in cases {
        let mut last = None;
        let mut around = None;
        for (depth, shares) in shares.iter().enumerate() {
            let (id, config) = match &around {
                None => world.container(name, vec![]),
                Some((id, config)) => world.nested((id, config), &depth.to_string()),
            };
            let config = with_rootfs(world, if *shares { sharing_pids(config) } else { config });
            last = Some(agent.prepare(&id, &config).unwrap());
            around = Some((id, config));
        }
        let info = last.unwrap();
        assert_eq!(info.masked_paths.is_empty(), is_privileged, "{name}");
        let joins = shares.iter().rev().skip(1).any(|shares| !shares);
        assert_eq!(info.enter_namespaces, if joins { vec![Namespace::PID] } else { vec![] }, "{name}");
    }
}

fn a_parent_without_a_readable_configuration_is_an_error(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    let record = world.path("run/containers/c/config");
    for damage in ["{", "", "[]"] {
        world.write(&record, damage);
        let error = agent.prepare(&child, &child_config).unwrap_err();
        assert!(matches!(error, PrepareError::ParentConfig { .. }), "{error}");
        assert!(error.to_string().contains("containers/c/config"), "{error}");
    }
    assert!(!world.exists(&world.path("run/containers/c/containers")));
}

fn children_are_cleaned_up_first(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    agent.prepare(&child, &child_config).unwrap();
    assert_eq!(agent.cleanup(&id), Err(CleanupError::HasChild { id: id.clone(), child: child.clone() }));
    agent.cleanup(&child).unwrap();
    agent.cleanup(&id).unwrap();
}
