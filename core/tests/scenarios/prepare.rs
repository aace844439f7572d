//! Deciding what a container sees.

use std::cell::Cell;

use cofferdam::UnixPath;
use cofferdam::agent::SpecialMount;
use cofferdam::isolator::{PrepareError, UpdateError};
use cofferdam::kernel::{Bytes, Call, DeviceNumber, Errno, FileType, Intercepted, Interceptor, Mode, MountFlags};
use cofferdam::messages::{ContainerConfig, ContainerInfo, ExecutorInfo, LinuxInfo, Namespace};
use serde_json::{Value, json};

use crate::world::{World, volume};

scenarios!(
    a_container_with_a_rootfs_gets_the_mounts_in_order,
    devices_are_copied_into_a_directory_of_the_user,
    a_container_without_a_rootfs_gets_its_own_proc,
    a_container_that_shares_the_pid_namespace_is_not_masked,
    the_operators_tables_are_followed,
    the_ipc_isolator_is_in_charge_of_dev_shm,
    a_failed_prepare_leaves_nothing,
    a_prepare_that_the_kernel_refuses_leaves_nothing,
    what_is_prepared_already_is_refused,
    a_runtime_directory_of_another_agent_is_refused,
    bad_paths_are_refused,
    what_the_executor_is_to_keep_is_mounted,
);

fn with_rootfs(world: &World<'_>, config: ContainerConfig) -> ContainerConfig {
    ContainerConfig { rootfs: Some(world.make_directory("rootfs").into()), ..config }
}

fn a_container_with_a_rootfs_gets_the_mounts_in_order(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let info = agent.prepare(&id, &with_rootfs(world, config)).unwrap();
    let below = |path: &str| world.path("rootfs").join(path).to_string();
    let bits = |flags: MountFlags| flags.bits();
    let confined = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
    let filesystem = |kind: &str, target: &str, flags: MountFlags, options: Value| {
        let mut mount = json!({ "type": kind, "source": kind, "target": below(target), "flags": bits(flags) });
        if !options.is_null() {
            mount["options"] = options;
        }
        mount
    };
    let bind = |source: String, target: &str, flags: MountFlags| {
        let target = if target.is_empty() { world.path("rootfs").to_string() } else { below(target) };
        json!({ "source": source, "target": target, "flags": bits(flags | MountFlags::MS_BIND) })
    };
    let mut expected = vec![
        bind(world.path("rootfs").to_string(), "", MountFlags::MS_REC),
        filesystem("proc", "proc", confined, Value::Null),
    ];
    for path in ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"] {
        expected.push(bind(below(path), path, confined | MountFlags::MS_RDONLY));
    }
    let dev = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC;
    let shm = MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_STRICTATIME;
    expected.extend([
        filesystem("sysfs", "sys", confined | MountFlags::MS_RDONLY, Value::Null),
        filesystem("tmpfs", "sys/fs/cgroup", confined, json!("mode=755")),
        filesystem("tmpfs", "dev", dev | MountFlags::MS_STRICTATIME, json!("mode=755")),
        filesystem("devpts", "dev/pts", dev, json!("newinstance,ptmxmode=0666,mode=0620,gid=5")),
        filesystem("tmpfs", "dev/shm", shm, json!("mode=1777")),
    ]);
    let devices = world.path("run/containers/c/devices");
    for name in ["full", "null", "random", "tty", "urandom", "zero"] {
        expected.push(bind(devices.join(name).to_string(), &format!("dev/{name}"), MountFlags::empty()));
    }
    expected.push(bind(
        world.path("work/slaves/a/frameworks/f/executors/e/runs/c").to_string(),
        "mnt/mesos/sandbox",
        MountFlags::MS_REC,
    ));
    let decided = serde_json::to_value(&info).unwrap();
    assert_eq!(decided["mounts"], Value::Array(expected));
    assert_eq!(decided["rootfs"], world.path("rootfs").to_string());
    assert_eq!(decided["working_directory"], "/mnt/mesos/sandbox");
    assert_eq!(decided["masked_paths"].as_array().unwrap().len(), 11);
    assert_eq!(decided["masked_paths"][0], below("proc/acpi"));
    assert_eq!(
        decided["file_operations"][4],
        json!({ "operation": "SYMLINK", "symlink": { "source": "pts/ptmx", "target": below("dev/ptmx") } })
    );
    assert_eq!(info.clone_namespaces, [Namespace::MOUNT, Namespace::PID]);
}

fn the_operators_tables_are_followed(world: &World<'_>) {
    world.make_directory("work");
    let mut agent = world.config();
    let mount = |target: &str, source: Option<&str>, filesystem_type: Option<&str>, flags| SpecialMount {
        target: target.into(),
        source: source.map(Bytes::from),
        filesystem_type: filesystem_type.map(String::from),
        flags,
        options: None,
    };
    agent.special_mounts = vec![
        mount("/proc", Some("none"), Some("proc"), MountFlags::MS_NOSUID),
        mount("/dev", None, Some("tmpfs"), MountFlags::empty()),
        mount("/etc/here", Some("/etc/there"), None, MountFlags::MS_BIND | MountFlags::MS_RDONLY),
    ];
    agent.devices = vec!["null".into()];
    agent.readonly_paths = vec!["/opt".into(), "/mnt".into()];
    agent.masked_paths = vec!["/proc/keys".into()];
    agent.tmpfs_sizes = [("/dev".into(), "1m".into()), ("/dev/shm".into(), "50%".into())].into();
    let (id, config) = world.container("c", vec![]);
    let info = world.create(agent).unwrap().prepare(&id, &with_rootfs(world, config)).unwrap();
    let rootfs = world.path("rootfs");
    let seen: Vec<_> = info
        .mounts
        .iter()
        .map(|mount| {
            let text = |bytes: &Option<Bytes>| {
                let path = bytes.as_ref().map_or(UnixPath::new("-"), |bytes| bytes.as_path());
                path.strip_prefix(&rootfs).map_or_else(|_| path.to_string(), |path| format!("/{path}"))
            };
            let (target, source) = (text(&Some(mount.target.clone())), text(&mount.source));
            format!("{target} {source} {} {} {}", text(&mount.filesystem_type), mount.flags, text(&mount.options))
        })
        .collect();
    let null = world.path("run/containers/c/devices/null").to_string();
    let sandbox = world.path("work/slaves/a/frameworks/f/executors/e/runs/c").to_string();
    let expected = [
        "/ / - MS_BIND|MS_REC -".to_string(),
        "/proc none proc MS_NOSUID -".into(),
        "/dev tmpfs tmpfs 0 size=1m".into(),
        "/etc/here /etc/there - MS_RDONLY|MS_BIND -".into(),
        "/dev/shm tmpfs tmpfs MS_NOSUID|MS_NODEV|MS_STRICTATIME mode=1777,size=50%".into(),
        format!("/dev/null {null} - MS_BIND -"),
        "/opt /opt - MS_RDONLY|MS_BIND|MS_REC -".into(),
        "/mnt /mnt - MS_RDONLY|MS_BIND|MS_REC -".into(),
        format!("/mnt/mesos/sandbox {sandbox} - MS_BIND|MS_REC -"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(info.masked_paths, [Bytes::from(rootfs.join("proc/keys"))]);
}

fn devices_are_copied_into_a_directory_of_the_user(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &with_rootfs(world, ContainerConfig { user: Some("77".into()), ..config })).unwrap();
    let devices = world.path("run/containers/c/devices");
    let directory = world.stat(&devices).unwrap();
    assert_eq!((directory.mode, directory.uid, directory.gid), (Mode(0o700), 77, 77));
    let null = world.stat(&devices.join("null")).unwrap();
    assert_eq!((null.file_type, null.rdev, null.mode), (FileType::CharacterDevice, DeviceNumber::NULL, Mode(0o666)));
}

fn a_container_without_a_rootfs_gets_its_own_proc(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.mounts.len(), 1);
    assert_eq!(info.mounts[0].target, "/proc".into());
    assert!(info.masked_paths.is_empty() && info.rootfs.is_none());
    assert_eq!(info.working_directory, Some(config.directory));
}

fn a_container_that_shares_the_pid_namespace_is_not_masked(world: &World<'_>) {
    let mut agent = world.agent();
    let linux_info = Some(LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() });
    let container_info = Some(ContainerInfo { linux_info, ..ContainerInfo::default() });
    let (id, config) = world.container("c", vec![]);
    let config = ContainerConfig { container_info, ..config };
    let info = agent.prepare(&id, &with_rootfs(world, config.clone())).unwrap();
    assert!(info.masked_paths.is_empty());
    assert_eq!(info.clone_namespaces, [Namespace::MOUNT]);
    let (id, other) = world.container("d", vec![]);
    let info = agent.prepare(&id, &ContainerConfig { directory: other.directory, ..config }).unwrap();
    assert!(info.mounts.is_empty());
}

fn the_ipc_isolator_is_in_charge_of_dev_shm(world: &World<'_>) {
    world.make_directory("work");
    let mut config = world.config();
    config.isolation = vec!["filesystem/linux".into(), "namespaces/ipc".into()];
    let mut agent = world.create(config).unwrap();
    let (id, config) = world.container("c", vec![]);
    let info = agent.prepare(&id, &with_rootfs(world, config)).unwrap();
    assert!(info.mounts.iter().all(|mount| !mount.target.0.ends_with(b"/dev/shm")));
}

fn a_failed_prepare_leaves_nothing(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/there");
    let volumes = vec![volume("there", "a", "RW", Value::Null), volume("missing", "b", "RW", Value::Null)];
    let (id, config) = world.container("c", volumes);
    let before = world.mounts();
    let error = agent.prepare(&id, &with_rootfs(world, config.clone())).unwrap_err();
    let missing = world.path("work/volumes/roles/role/missing").to_string();
    assert!(error.to_string().contains(&missing), "{error}");
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&world.path("run/containers/c")));
    assert!(!world.exists(&config.directory.as_path().join("a")), "no mount point is left either");
    assert_eq!(agent.containers().count(), 0);
    // And so it can be tried again.
    world.make_directory("work/volumes/roles/role/missing");
    agent.prepare(&id, &with_rootfs(world, config)).unwrap();
}

/// Whichever mount the kernel refuses, as it does when a limit is reached (ENOSPC, fs.mount-max).
fn a_prepare_that_the_kernel_refuses_leaves_nothing(world: &World<'_>) {
    struct Refuse(Cell<usize>);
    impl Interceptor for Refuse {
        fn before(&self, _: &dyn cofferdam::kernel::Kernel, call: &Call) -> Result<(), Errno> {
            if matches!(call, Call::MoveMount { .. }) {
                self.0.set(self.0.get().wrapping_sub(1));
                if self.0.get() == 0 {
                    return Err(Errno::ENOSPC);
                }
            }
            Ok(())
        }
    }
    world.make_directory("work/volumes/roles/role/one");
    world.make_directory("work/volumes/roles/role/two");
    world.agent();
    for nth in 1..=2 {
        let refuse = Refuse(Cell::new(nth));
        let kernel = Intercepted::new(world.kernel, &refuse);
        let here = world.through(&kernel);
        let mut agent = here.agent();
        let volumes = vec![volume("one", "a", "RW", Value::Null), volume("two", "b", "RW", Value::Null)];
        let (id, config) = here.container("c", volumes);
        let before = world.mounts();
        let error = agent.prepare(&id, &with_rootfs(&here, config.clone())).unwrap_err();
        assert!(error.to_string().contains("ENOSPC"), "{error}");
        assert_eq!(world.mounts(), before);
        assert!(!world.exists(&config.directory.as_path().join("a")), "refused at mount {nth}");
        assert!(!world.exists(&config.directory.as_path().join("b")), "refused at mount {nth}");
        assert!(!world.exists(&world.path("run/containers/c")));
    }
}

fn what_is_prepared_already_is_refused(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    assert_eq!(agent.prepare(&id, &config).unwrap_err(), PrepareError::AlreadyPrepared(id.clone()));
    assert_eq!(agent.containers().collect::<Vec<_>>(), [&id]);
}

fn a_runtime_directory_of_another_agent_is_refused(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let theirs = world.make_directory("run/containers/c");
    let error = agent.prepare(&id, &config).unwrap_err();
    assert!(matches!(error, PrepareError::Exists { .. }), "{error}");
    assert!(world.exists(&theirs));
}

fn bad_paths_are_refused(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let file = world.path("file");
    world.write(&file, "");
    for (rootfs, message) in [
        ("/", "leave it out"),
        ("relative", "must be an absolute path"),
        (&file.to_string(), "a regular file, not a directory"),
        (&world.path("missing").to_string(), "ENOENT"),
    ] {
        let config = ContainerConfig { rootfs: Some(rootfs.into()), ..config.clone() };
        let error = agent.prepare(&id, &config).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let config = ContainerConfig { user: Some("nobody-there".into()), ..config };
    assert!(matches!(agent.prepare(&id, &config), Err(PrepareError::User(_))));
    let nowhere = ContainerConfig { directory: world.path("missing").into(), user: None, ..config };
    assert!(agent.prepare(&id, &nowhere).is_err());
    assert!(!world.exists(&world.path("run/containers/c")));
    assert_eq!(agent.update(&id, &[]), Err(UpdateError::UnknownContainer(id)));
}

/// Its resources are among those of its container, or the container is refused.
fn what_the_executor_is_to_keep_is_mounted(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db");
    let before = world.mounts();
    let db = |mode: &str| volume("db", "data", mode, Value::Null);
    let cpus = || serde_json::from_value(json!({ "name": "cpus", "scalar": { "value": 0.5 } })).unwrap();
    for resources in [vec![], vec![db("RO")]] {
        let (id, config) = world.container("c", resources);
        let executor_info = Some(ExecutorInfo { resources: vec![cpus(), db("RW")], ..ExecutorInfo::default() });
        let error = agent.prepare(&id, &ContainerConfig { executor_info, ..config }).unwrap_err();
        let expected = PrepareError::ExecutorVolume { id, volume: "db".into(), name: "data".into() };
        assert_eq!(error, expected);
        assert_eq!(world.mounts(), before);
        assert!(!world.exists(&world.path("run/containers/c")));
    }
    let (id, config) = world.container("c", vec![db("RW"), cpus()]);
    let executor_info = Some(ExecutorInfo { resources: vec![cpus(), db("RW")], ..ExecutorInfo::default() });
    agent.prepare(&id, &ContainerConfig { executor_info, ..config }).unwrap();
    assert_eq!(agent.container(&id).unwrap().volumes().len(), 1);
    assert_eq!(world.mounts().len(), before.len() + 2, "the sandbox and the volume");
}
