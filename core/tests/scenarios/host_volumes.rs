//! Deciding how paths of the host and of sandboxes become volumes.

use std::cell::Cell;

use cofferdam::isolator::{Isolator, PrepareError};
use cofferdam::kernel::{
    AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags, RenameFlags,
};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerInfo, ContainerMountInfo};
use cofferdam::volumes::{VolumeError, VolumeProblem};
use cofferdam::{UnixPath, UnixPathBuf};
use serde_json::{Value, json};

use crate::world::{World, volume};

scenarios!(
    volumes_come_last_and_parents_first,
    the_real_path_of_the_host_is_bound,
    what_is_another_isolators_is_skipped,
    bad_volumes_are_refused,
    what_would_hide_or_be_hidden_is_refused,
    a_container_path_on_the_host_must_be_there,
    a_missing_host_path_is_made_only_where_that_is_allowed,
    below_an_allowed_directory_no_link_is_followed,
    bidirectional_needs_a_shared_mount,
    a_failed_prepare_leaves_no_directory,
    whatever_call_fails_no_directory_is_left,
    what_is_put_in_the_place_of_a_new_directory_is_not_given_away,
);

/// A container with these volumes on a world where `data` and `file` exist.
fn container(world: &World<'_>, volumes: &Value) -> (ContainerId, ContainerConfig) {
    world.make_directory("data");
    world.make_directory("rootfs");
    world.write(&world.path("file"), "of the host");
    let (id, config) = world.container("c", vec![]);
    let volumes = serde_json::from_value(volumes.clone()).unwrap();
    (id, ContainerConfig { container_info: Some(ContainerInfo { volumes, ..ContainerInfo::default() }), ..config })
}

fn with_rootfs(world: &World<'_>, config: ContainerConfig) -> ContainerConfig {
    ContainerConfig { rootfs: Some(world.path("rootfs").into()), ..config }
}

/// An agent that may make host paths below `allowed`.
fn creating_agent<'k>(world: &World<'k>) -> Isolator<&'k dyn Kernel> {
    world.make_directory("work");
    let mut config = world.config();
    config.host_path_creation = vec![world.make_directory("allowed")];
    world.create(config).unwrap()
}

fn host_path(path: &UnixPath, container_path: &str) -> Value {
    json!({ "container_path": container_path, "mode": "RW", "host_path": path.to_string() })
}

fn sandbox_path(kind: &str, path: &str, container_path: &str) -> Value {
    let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": kind, "path": path } });
    json!({ "container_path": container_path, "mode": "RW", "source": source })
}

fn bidirectional(path: &UnixPath, container_path: &str) -> Value {
    let host_path = json!({ "path": path.to_string(), "mount_propagation": { "mode": "BIDIRECTIONAL" } });
    json!({ "container_path": container_path, "mode": "RW", "source": { "type": "HOST_PATH", "host_path": host_path } })
}

/// What prepare says to the last of these volumes; it has left nothing.
fn problem(
    world: &World<'_>,
    agent: &mut Isolator<&dyn Kernel>,
    volumes: &Value,
    is_with_rootfs: bool,
) -> VolumeProblem {
    let (id, config) = container(world, volumes);
    let config = if is_with_rootfs { with_rootfs(world, config) } else { config };
    let before = (world.mounts(), names(world, config.directory.as_path()), names(world, &world.directory));
    let error = agent.prepare(&id, &config).unwrap_err();
    let after = (world.mounts(), names(world, config.directory.as_path()), names(world, &world.directory));
    assert_eq!(before, after, "{error}");
    let PrepareError::Volume(VolumeError { container_path, problem }) = error else { panic!("{error}") };
    assert_eq!(volumes.as_array().unwrap().last().unwrap()["container_path"], container_path.as_path().to_string());
    problem
}

/// What is in a directory.
fn names(world: &World<'_>, directory: &UnixPath) -> Vec<String> {
    let opened = world.open(directory, OpenFlags::O_DIRECTORY).unwrap();
    let mut names = Vec::new();
    loop {
        let entries = world.kernel.getdents64(opened).unwrap();
        if entries.is_empty() {
            break;
        }
        names.extend(entries.into_iter().map(|entry| entry.name.to_string()));
    }
    world.kernel.close(opened).unwrap();
    names.sort();
    names
}

fn volumes_come_last_and_parents_first(world: &World<'_>) {
    let mut agent = world.agent();
    world.make_directory("work/volumes/roles/role/db");
    let (data, file) = (world.path("data"), world.path("file"));
    let mut volumes = json!([
        host_path(&data, "/srv//a/./b"),
        sandbox_path("SELF", "cache", "cache"),
        host_path(&file, "/srv/a"),
        host_path(&data, "data/inner"),
        json!({ "container_path": "/srv", "mode": "RO", "source": {
            "type": "HOST_PATH", "host_path": { "path": data.to_string() } } }),
    ]);
    volumes[3]["mode"] = "RO".into();
    let (id, config) = container(world, &volumes);
    let config = ContainerConfig { resources: vec![volume("db", "data", "RW", Value::Null)], ..config };
    let info = agent.prepare(&id, &with_rootfs(world, config.clone())).unwrap();
    let sandbox = config.directory.as_path();
    let rootfs = world.path("rootfs");
    let bind = |source: &UnixPath, target: &str, flags: MountFlags| {
        ContainerMountInfo::bind(source, rootfs.join(target), flags | MountFlags::MS_REC)
    };
    let expected = [
        bind(sandbox, "mnt/mesos/sandbox", MountFlags::empty()),
        bind(&data, "srv", MountFlags::MS_RDONLY),
        bind(&file, "srv/a", MountFlags::empty()),
        bind(&data, "srv/a/b", MountFlags::empty()),
        bind(&sandbox.join("cache"), "mnt/mesos/sandbox/cache", MountFlags::empty()),
        bind(&data, "mnt/mesos/sandbox/data/inner", MountFlags::MS_RDONLY),
    ];
    assert_eq!(info.mounts[info.mounts.len() - expected.len()..], expected);
    assert_eq!(info.untrusted_directories, [config.directory]);
}

/// Once, here: the operator's links are followed by nobody else.
fn the_real_path_of_the_host_is_bound(world: &World<'_>) {
    let mut agent = world.agent();
    let link = world.path("link");
    let (id, config) = container(world, &json!([host_path(&link.join("sub"), "sub"), host_path(&link, "data")]));
    world.make_directory("data/sub");
    world.kernel.symlinkat(UnixPath::new("data"), Fd::CWD, &link).unwrap();
    let info = agent.prepare(&id, &config).unwrap();
    let bound: Vec<_> = info.mounts.iter().skip(1).map(|mount| mount.source.clone().unwrap()).collect();
    assert_eq!(bound, [world.path("data/sub").into(), world.path("data").into()]);
}

fn what_is_another_isolators_is_skipped(world: &World<'_>) {
    let mut agent = world.agent();
    let volumes = json!([
        { "container_path": "/secret", "mode": "RO", "source": { "type": "SECRET", "secret": { "type": "VALUE" } } },
        { "container_path": "/", "mode": "RW", "source": { "type": "DOCKER_VOLUME", "docker_volume": { "name": "v" } } },
        { "container_path": "/image", "mode": "RW", "image": { "type": "DOCKER" } },
    ]);
    let (id, config) = container(world, &volumes);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.mounts.len(), 1, "/proc");
}

fn bad_volumes_are_refused(world: &World<'_>) {
    let mut agent = world.agent();
    let data = world.path("data");
    let two = json!({ "container_path": "v", "mode": "RW", "host_path": data.to_string(),
        "source": { "type": "HOST_PATH", "host_path": { "path": data.to_string() } } });
    let typed = |kind: &str| json!({ "container_path": "v", "mode": "RW", "source": { "type": kind } });
    let cases = [
        (two, "leave one of them out"),
        (typed("HOST_PATH"), "is of type HOST_PATH, but has no host_path"),
        (typed("SANDBOX_PATH"), "is of type SANDBOX_PATH, but has no sandbox_path"),
        (host_path(UnixPath::new("data"), "v"), "its host path \"data\" must be absolute"),
        (host_path(UnixPath::new(""), "v"), "must be absolute"),
        (host_path(&data.join("../data"), "v"), "its host path"),
        (host_path(&data, "v/../../x"), "its container path \"v/../../x\" contains \"..\""),
        (host_path(&data, "/v/.."), "contains \"..\""),
        (sandbox_path("SELF", "a/../..", "v"), "its sandbox path \"a/../..\" contains \"..\""),
        (sandbox_path("SELF", "/a", "v"), "must be relative"),
        (sandbox_path("SELF", "", "v"), "not empty"),
        (sandbox_path("PARENT", "a", "v"), "is nested in no other one"),
        (host_path(&world.path("file/below"), "v"), "ENOTDIR"),
        (host_path(&world.path("missing"), "v"), "does not exist; create it, or add a directory above it"),
    ];
    for (volume, message) in cases {
        for is_with_rootfs in [true, false] {
            let problem = problem(world, &mut agent, &json!([volume]), is_with_rootfs).to_string();
            assert!(problem.contains(message), "{problem}");
        }
    }
}

fn what_would_hide_or_be_hidden_is_refused(world: &World<'_>) {
    let mut agent = world.agent();
    let data = world.path("data");
    for (container_path, message) in [
        ("/", "the container's root directory"),
        ("//.", "the container's root directory"),
        ("", "the container's sandbox"),
        (".", "the container's sandbox"),
        ("/mnt", "the container's sandbox"),
        ("/mnt/mesos/sandbox/", "the container's sandbox"),
    ] {
        let problem = problem(world, &mut agent, &json!([host_path(&data, container_path)]), true).to_string();
        assert!(problem.contains(message), "{container_path}: {problem}");
    }
    let work = world.path("work").to_string();
    for (container_path, message) in [("/", "root directory"), ("", "sandbox"), (work.as_str(), "sandbox")] {
        let problem = problem(world, &mut agent, &json!([host_path(&data, container_path)]), false).to_string();
        assert!(problem.contains(message), "{container_path}: {problem}");
    }
    for other in ["srv", "./srv", "/mnt/mesos/sandbox/srv", "/mnt/mesos//sandbox/srv/"] {
        let volumes = json!([host_path(&data, "srv"), host_path(&data, other)]);
        let problem = problem(world, &mut agent, &volumes, true);
        assert!(matches!(problem, VolumeProblem::SamePath(_)), "{problem}");
    }
    // Without a root filesystem the container's paths are those of the host.
    let point = world.make_directory("point");
    let volumes = json!([host_path(&data, &point.to_string()), host_path(&point, "v/below")]);
    let problem = problem(world, &mut agent, &volumes, false);
    assert!(matches!(problem, VolumeProblem::HiddenSource { .. }), "{problem}");
    // A persistent volume is a volume as well.
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = container(world, &json!([host_path(&data, "db")]));
    let config = ContainerConfig { resources: vec![volume("db", "db", "RW", Value::Null)], ..config };
    let before = world.mounts();
    let error = agent.prepare(&id, &with_rootfs(world, config)).unwrap_err();
    assert!(error.to_string().contains("another volume of the container is at the same path"), "{error}");
    assert_eq!(world.mounts(), before);
}

fn a_container_path_on_the_host_must_be_there(world: &World<'_>) {
    let mut agent = world.agent();
    let data = world.path("data");
    let missing = world.path("missing").to_string();
    let found = problem(world, &mut agent, &json!([host_path(&data, &missing)]), false);
    assert_eq!(found, VolumeProblem::MissingContainerPath(missing.as_str().into()));
    let link = world.path("link");
    world.kernel.symlinkat(&data, Fd::CWD, &link).unwrap();
    let found = problem(world, &mut agent, &json!([host_path(&data, &link.to_string())]), false).to_string();
    assert!(found.contains("is a symbolic link, which is not followed here"), "{found}");
    // In a root filesystem the launcher makes it.
    let (id, config) = container(world, &json!([host_path(&data, "/missing")]));
    agent.prepare(&id, &with_rootfs(world, config)).unwrap();
}

fn a_missing_host_path_is_made_only_where_that_is_allowed(world: &World<'_>) {
    let mut agent = creating_agent(world);
    for path in ["elsewhere", "allowed.not", "data/allowed"] {
        let path = world.path(path);
        let found = problem(world, &mut agent, &json!([host_path(&path, "v")]), true);
        assert_eq!(found, VolumeProblem::MissingHostPath(path.into()));
    }
    let (id, config) = container(world, &json!([host_path(&world.path("allowed/team/db"), "v")]));
    let config = ContainerConfig { user: Some("77".into()), ..with_rootfs(world, config) };
    let mask = world.kernel.umask(Mode(0o077)).unwrap();
    let info = agent.prepare(&id, &config);
    world.kernel.umask(mask).unwrap();
    let info = info.unwrap();
    let made = |name: &str| world.stat(&world.path(name)).map(|stat| (stat.uid, stat.gid, stat.mode)).unwrap();
    assert_eq!(made("allowed/team/db"), (77, 77, Mode(0o755)));
    let ours = world.stat(&world.path("allowed")).unwrap();
    assert_eq!(made("allowed/team"), (ours.uid, ours.gid, Mode(0o755)), "other users' may come to lie there");
    assert_eq!(info.mounts.last().unwrap().source, Some(world.path("allowed/team/db").into()));
    assert_eq!(info.untrusted_directories, [config.directory, world.path("allowed").into()]);
    // What is there keeps its owner.
    let (_, config) = container(world, &json!([host_path(&world.path("allowed/team/db"), "v")]));
    let (id, ContainerConfig { directory, .. }) = world.container("d", vec![]);
    let config = ContainerConfig { directory, ..config };
    agent.prepare(&id, &ContainerConfig { user: Some("78".into()), ..config }).unwrap();
    assert_eq!(made("allowed/team/db"), (77, 77, Mode(0o755)));
}

/// Other containers may have made the links.
fn below_an_allowed_directory_no_link_is_followed(world: &World<'_>) {
    let mut agent = creating_agent(world);
    let outside = world.make_directory("outside");
    world.make_directory("allowed/a");
    world.kernel.symlinkat(&outside, Fd::CWD, &world.path("allowed/a/link")).unwrap();
    world.write(&world.path("allowed/a/file"), "");
    for (path, message) in [
        ("allowed/a/link", "is a symbolic link, which is not followed here"),
        ("allowed/a/link/new", "is a symbolic link, which is not followed here"),
        ("allowed/a/file/new", "ENOTDIR"),
    ] {
        let found = problem(world, &mut agent, &json!([host_path(&world.path(path), "v")]), false).to_string();
        assert!(found.contains(message), "{found}");
    }
    assert_eq!(names(world, &outside), names(world, &world.path("data")), "both are empty");
    // The allowed directory may be named by a link: that is the operator's.
    world.kernel.symlinkat(UnixPath::new("allowed"), Fd::CWD, &world.path("to allowed")).unwrap();
    let mut config = world.config();
    config.host_path_creation = vec![world.path("to allowed")];
    let mut agent = world.create(config).unwrap();
    for (name, path) in [("d", "to allowed/new"), ("e", "allowed/newer")] {
        let (_, config) = container(world, &json!([host_path(&world.path(path), "v")]));
        let (id, ContainerConfig { directory, .. }) = world.container(name, vec![]);
        let info = agent.prepare(&id, &ContainerConfig { directory, ..config }).unwrap();
        assert_eq!(info.untrusted_directories[1], world.path("allowed").into());
        let source = info.mounts.last().unwrap().source.clone().unwrap();
        assert_eq!(source.as_path().parent(), Some(&*world.path("allowed")));
    }
    let path = world.path("to allowed/a/link");
    let found = problem(world, &mut agent, &json!([host_path(&path, "v")]), false).to_string();
    assert!(found.contains("is a symbolic link, which is not followed here"), "{found}");
}

fn bidirectional_needs_a_shared_mount(world: &World<'_>) {
    let mut agent = world.agent();
    let mount = world.make_directory("mount");
    world.mount_tmpfs(&mount, MountFlags::empty());
    let data = world.make_directory("mount/data");
    for propagation in [MountFlags::MS_PRIVATE, MountFlags::MS_SLAVE, MountFlags::MS_UNBINDABLE] {
        world.propagation(&mount, propagation);
        let found = problem(world, &mut agent, &json!([bidirectional(&data, "v")]), true);
        let mountpoint = mount.as_path().into();
        assert_eq!(found, VolumeProblem::NotShared { host_path: data.as_path().into(), mountpoint });
        assert!(found.to_string().contains(&format!("mount --make-shared {:?}", mount.to_string())), "{found}");
    }
    world.propagation(&mount, MountFlags::MS_SHARED);
    let volumes = json!([bidirectional(&data, "v"), host_path(&world.path("data"), "v/below")]);
    let found = problem(world, &mut agent, &volumes, true);
    assert!(matches!(found, VolumeProblem::BelowBidirectional(_)), "{found}");
    let mut volumes = json!([bidirectional(&data, "v"), host_path(&data, "w")]);
    volumes[0]["mode"] = "RO".into();
    let (id, config) = container(world, &volumes);
    let info = agent.prepare(&id, &with_rootfs(world, config)).unwrap();
    let flags: Vec<_> = info.mounts[info.mounts.len() - 2..].iter().map(|mount| mount.flags).collect();
    let bind = MountFlags::MS_BIND | MountFlags::MS_REC;
    assert_eq!(flags, [bind | MountFlags::MS_SHARED | MountFlags::MS_RDONLY, bind]);
}

fn a_failed_prepare_leaves_no_directory(world: &World<'_>) {
    let mut agent = creating_agent(world);
    world.make_directory("allowed/there");
    world.make_directory("work/volumes/roles/role/db");
    let volumes = json!([
        host_path(&world.path("allowed/there/a/b"), "a"),
        sandbox_path("SELF", "cache/x", "b"),
        // In the persistent volume, which is mounted by then.
        sandbox_path("SELF", "data/y", "c"),
        host_path(&world.path("missing"), "d"),
    ]);
    let (id, config) = container(world, &volumes);
    let config = ContainerConfig { resources: vec![volume("db", "data", "RW", Value::Null)], ..config };
    let before = world.mounts();
    let error = agent.prepare(&id, &config).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(world.mounts(), before);
    for empty in ["allowed/there", "work/volumes/roles/role/db"].map(|name| world.path(name)) {
        assert_eq!(names(world, &empty).len(), 2, "{empty:?}");
    }
    assert_eq!(names(world, config.directory.as_path()).len(), 2);
    assert!(!world.exists(&world.path("run/containers/c")));
    world.make_directory("missing");
    agent.prepare(&id, &config).unwrap();
    assert!(world.exists(&world.path("work/volumes/roles/role/db/y")));
}

/// Lets one call fail: the nth of those that find or make something.
struct FailNth(Cell<usize>);

impl Interceptor for FailNth {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(
            call,
            Call::Openat2 { .. }
                | Call::Mkdirat { .. }
                | Call::Statx { .. }
                | Call::Fchmod { .. }
                | Call::Fchownat { .. }
                | Call::Getdents64 { .. }
                | Call::Readlinkat { .. }
        ) {
            let left = self.0.get();
            self.0.set(left.saturating_sub(1));
            if left == 1 {
                return Err(Errno::EIO);
            }
        }
        Ok(())
    }
}

fn whatever_call_fails_no_directory_is_left(world: &World<'_>) {
    let shared = world.make_directory("shared");
    world.mount_tmpfs(&shared, MountFlags::empty());
    world.propagation(&shared, MountFlags::MS_SHARED);
    let volumes = json!([
        host_path(&world.path("allowed/a/b"), "a"),
        sandbox_path("SELF", "cache/x", "b"),
        bidirectional(&shared, "c"),
    ]);
    creating_agent(world);
    for nth in 1.. {
        let fail = FailNth(Cell::new(0));
        let kernel = Intercepted::new(world.kernel, &fail);
        let here = world.through(&kernel);
        let mut agent = creating_agent(&here);
        let (id, config) = container(&here, &volumes);
        let config = ContainerConfig { user: Some("77".into()), ..config };
        let before = (world.mounts(), names(world, &world.path("allowed")), names(world, config.directory.as_path()));
        fail.0.set(nth);
        let prepared = agent.prepare(&id, &config);
        let has_failed = fail.0.replace(0) == 0;
        let Err(error) = prepared else {
            assert!(!has_failed, "the error of call {nth} was lost");
            assert!(nth > 20, "only {nth} calls");
            break;
        };
        assert!(error.to_string().contains("EIO"), "{error}");
        let after = (world.mounts(), names(world, &world.path("allowed")), names(world, config.directory.as_path()));
        assert_eq!(before, after, "call {nth}: {error}");
        assert!(!world.exists(&world.path("run/containers/c")), "call {nth}: {error}");
    }
}

/// Whoever can write in the sandbox puts another directory in the place of one as soon as that is made.
struct Swap<'w, 'k> {
    world: &'w World<'k>,
    made: UnixPathBuf,
    other: UnixPathBuf,
}

impl Interceptor for Swap<'_, '_> {
    fn after(&self, _: &dyn Kernel, call: &Call, _: &Result<cofferdam::kernel::Value, Errno>) {
        if matches!(call, Call::Mkdirat { path, .. } if path.0 == b"new") {
            let flags = RenameFlags::RENAME_EXCHANGE;
            self.world.kernel.renameat2(Fd::CWD, &self.made, Fd::CWD, &self.other, flags).unwrap();
        }
    }
}

fn what_is_put_in_the_place_of_a_new_directory_is_not_given_away(world: &World<'_>) {
    world.agent();
    let (_, config) = world.container("c", vec![]);
    let sandbox = config.directory.as_path();
    world.kernel.fchownat(Fd::CWD, sandbox, Some(77), Some(77), AtFlags::empty()).unwrap();
    let other = sandbox.join("root's");
    for name in ["", "secret"] {
        world.kernel.mkdirat(Fd::CWD, &other.join(name), Mode(0o700)).unwrap();
    }
    let owner = world.stat(&other).unwrap().uid;
    let swap = Swap { world, made: sandbox.join("new"), other: other.clone() };
    let kernel = Intercepted::new(world.kernel, &swap);
    let here = world.through(&kernel);
    let mut agent = here.agent();
    let (id, config) = container(&here, &json!([sandbox_path("SELF", "new", "v")]));
    let error = agent.prepare(&id, &config).unwrap_err();
    assert!(error.to_string().contains("somebody has put another directory in its place"), "{error}");
    let swapped = world.stat(&sandbox.join("new")).unwrap();
    assert_eq!((swapped.uid, swapped.mode), (owner, Mode(0o700)));
}
