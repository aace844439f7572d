//! Directories that are made for volumes, and paths of sandboxes.

use cofferdam::kernel::{AtFlags, Fd, FileType, Mode, MountFlags, RenameFlags};
use cofferdam::messages::{ContainerLaunchInfo, ContainerMountInfo, Namespace, Volume};
use cofferdam::root::create_directories;
use cofferdam::volumes::{ContainerPaths, HostVolumes};
use serde_json::{Value, json};

use super::{content, host_path, sandbox_path, write};
use crate::scenarios::{CONTENT, Container, ensure, exists, path};
use crate::world::World;

scenarios!(a_directory_that_was_made_is_the_users, a_path_of_the_own_sandbox, the_sandbox_of_a_parent,);

fn a_directory_that_was_made_is_the_users(world: &World<'_>) {
    let allowed = world.make_directory("allowed");
    let mut config = world.config();
    config.host_path_creation = vec![allowed.clone()];
    let volumes = json!([host_path(&allowed.join("team/db"), "/srv", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    container.agent = world.create(config).unwrap();
    container.config.user = Some("77".into());
    // Whatever the agent's umask is.
    let mask = world.kernel.umask(Mode(0o077)).unwrap();
    let status = container.run(&|kernel| write(kernel, "/srv/file").map_err(|errno| errno.to_string()));
    world.kernel.umask(mask).unwrap();
    assert_eq!(status, CONTENT);
    let made = |name: &str| world.stat(&allowed.join(name)).map(|stat| (stat.uid, stat.gid, stat.mode)).unwrap();
    assert_eq!(made("team"), (0, 0, Mode(0o755)));
    assert_eq!(made("team/db"), (77, 77, Mode(0o755)));
    assert_eq!(world.read(&allowed.join("team/db/file")), "of the container");
    container.clean_up();
}

fn a_path_of_the_own_sandbox(world: &World<'_>) {
    let volumes = json!([sandbox_path("SELF", "cache/a", "/var/cache/a"), sandbox_path("SELF", "file", "/var/file")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let sandbox = container.sandbox();
    world.write(&sandbox.join("file"), "of the sandbox");
    let kernel = world.kernel;
    kernel.fchownat(Fd::CWD, &sandbox, Some(77), Some(78), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
    let status = container.run(&|kernel| {
        ensure(content(kernel, "/var/file")? == "of the sandbox", "/var/file is another file")?;
        write(kernel, "/var/cache/a/file").map_err(|errno| errno.to_string())?;
        ensure(exists(kernel, "/mnt/mesos/sandbox/cache/a/file"), "not in the sandbox")
    });
    assert_eq!(status, CONTENT);
    for name in ["cache", "cache/a"] {
        let made = world.stat(&sandbox.join(name)).unwrap();
        assert_eq!((made.file_type, made.uid, made.gid, made.mode), (FileType::Directory, 77, 78, Mode(0o755)));
    }
    container.clean_up();
}

/// As prepare will do it for nested containers; the program of the parent can write where the nested sandbox is.
fn the_sandbox_of_a_parent(world: &World<'_>) {
    let container = Container::new(world, vec![]);
    let parent = container.sandbox();
    let child = parent.join("containers/child");
    create_directories(world.kernel, &child, Mode(0o755)).unwrap();
    let (rootfs, outside) = (world.make_directory("rootfs"), world.make_directory("outside"));
    world.make_directory("outside/child");
    world.kernel.symlinkat(&outside, Fd::CWD, &parent.join("link")).unwrap();
    let sandboxes = [child.clone(), parent.clone()];
    let paths = ContainerPaths {
        rootfs: Some(&rootfs),
        sandboxes: &sandboxes,
        sandbox_directory: path("/mnt/mesos/sandbox"),
        host_path_creation: &[],
        owner: None,
    };
    let prepare = |volume: Value| {
        let mut volumes = HostVolumes::default();
        let wanted: Vec<Volume> = serde_json::from_value(json!([volume])).unwrap();
        volumes.prepare(world.kernel, &paths, &wanted, &[]).map(|()| volumes)
    };
    for name in ["link", "link/new"] {
        let error = prepare(sandbox_path("PARENT", name, "/srv")).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link, which is not followed here"), "{error}");
    }
    let volumes = prepare(sandbox_path("PARENT", "shared", "/srv")).unwrap();
    assert_eq!(volumes.untrusted_directories().collect::<Vec<_>>(), [&*parent]);
    let mut mounts = vec![
        ContainerMountInfo::bind(rootfs.clone(), rootfs.clone(), MountFlags::MS_REC),
        ContainerMountInfo::bind(child.clone(), rootfs.join("mnt/mesos/sandbox"), MountFlags::MS_REC),
    ];
    mounts.extend_from_slice(volumes.mounts());
    let info = ContainerLaunchInfo {
        rootfs: Some(rootfs.clone().into()),
        untrusted_directories: volumes.untrusted_directories().map(Into::into).collect(),
        clone_namespaces: vec![Namespace::MOUNT, Namespace::PID],
        mounts,
        command: Some(container.config.command_info.clone()),
        ..ContainerLaunchInfo::default()
    };
    let status = container.launch(info.clone(), &|kernel| {
        write(kernel, "/srv/file").and_then(|()| write(kernel, "/mnt/mesos/sandbox/file")).map_err(|e| e.to_string())
    });
    assert_eq!(status, CONTENT);
    assert!(world.exists(&parent.join("shared/file")) && world.exists(&child.join("file")));
    for name in ["shared", "containers"] {
        let (there, aside) = (parent.join(name), parent.join("aside"));
        world.kernel.renameat2(Fd::CWD, &there, Fd::CWD, &aside, RenameFlags::empty()).unwrap();
        world.kernel.symlinkat(&outside, Fd::CWD, &there).unwrap();
        let refusal = container.refusal(info.clone());
        let expected = format!("{:?} is a symbolic link", there.to_string());
        assert!(refusal.contains(&expected), "{refusal}");
        if name == "containers" {
            let error = prepare(sandbox_path("SELF", "new", "/srv")).unwrap_err().to_string();
            assert!(error.contains("is a symbolic link, which is not followed here"), "{error}");
        }
        world.kernel.unlinkat(Fd::CWD, &there, AtFlags::empty()).unwrap();
        world.kernel.renameat2(Fd::CWD, &aside, Fd::CWD, &there, RenameFlags::empty()).unwrap();
    }
    assert!(!world.exists(&outside.join("new")) && !world.exists(&outside.join("child/new")));
}
