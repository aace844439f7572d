//! Volumes that are paths of the host or of sandboxes, as containers see them, and that nothing else of the host changes.

use cofferdam::kernel::{
    AtFlags, Call, CloneFlags, Errno, Fd, FileType, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags,
    RenameFlags, UmountFlags, WaitOptions, WaitStatus,
};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{
    ContainerFileOperation, ContainerLaunchInfo, ContainerMountInfo, FileOperationKind, LinuxInfo, Mkdir, Namespace,
    Volume,
};
use cofferdam::root::create_directories;
use cofferdam::volumes::{ContainerPaths, HostVolumes};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde_json::{Value, json};

use crate::scenarios::{CONTENT, Container, ensure, exists, lines, open, path};
use crate::world::{World, volume};

scenarios!(
    read_only_is_read_only_all_the_way_down,
    a_file_is_mounted_on_a_file,
    without_a_rootfs_the_host_stays_as_it_is,
    what_the_host_mounts_later_arrives,
    bidirectional_reaches_the_host,
    bidirectional_and_read_only,
    nothing_else_lands_in_a_bidirectional_mount,
    a_copy_of_a_bidirectional_mount_stays_inside,
    what_is_not_shared_any_more_is_refused,
    no_container_path_leads_out,
    volumes_lie_on_each_other_in_order,
    a_directory_that_was_made_is_the_users,
    a_path_of_the_own_sandbox,
    a_source_is_what_was_checked,
    what_is_not_trusted_must_be_told_apart,
    the_sandbox_of_a_parent,
);

/// The whole mount tables of the host's namespace, and of another one in whose mounts those of the host arrive.
struct Namespaces<'k> {
    kernel: &'k dyn Kernel,
    host: Fd,
    other: Fd,
}

impl<'k> Namespaces<'k> {
    fn new(kernel: &'k dyn Kernel) -> Self {
        let namespace = || open(kernel, "/proc/thread-self/ns/mnt", OpenFlags::empty()).unwrap();
        let host = namespace();
        kernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let other = namespace();
        kernel.setns(host, CloneFlags::CLONE_NEWNS).unwrap();
        Self { kernel, host, other }
    }

    fn tables(&self) -> [String; 2] {
        let table = |namespace| {
            self.kernel.setns(namespace, CloneFlags::CLONE_NEWNS).unwrap();
            String::from_utf8(checkpoint::read(self.kernel, path("/proc/thread-self/mountinfo")).unwrap()).unwrap()
        };
        [self.other, self.host].map(table)
    }
}

impl Drop for Namespaces<'_> {
    fn drop(&mut self) {
        for namespace in [self.host, self.other] {
            // If a test fails, nothing more matters.
            let _ = self.kernel.close(namespace);
        }
    }
}

impl Container<'_, '_> {
    fn volumes(mut self, volumes: Value) -> Self {
        self.config.container_info.get_or_insert_default().volumes = serde_json::from_value(volumes).unwrap();
        self
    }

    /// In the host's pid namespace, where a program finds the host's mount namespace.
    pub fn sharing_pids(mut self) -> Self {
        let linux_info = LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() };
        self.config.container_info.get_or_insert_default().linux_info = Some(linux_info);
        self
    }

    fn sandbox(&self) -> UnixPathBuf {
        self.config.directory.as_path().to_path_buf()
    }

    /// Where the program finds something of its sandbox.
    fn in_sandbox(&self, name: &str) -> String {
        match &self.config.rootfs {
            Some(_) => format!("/mnt/mesos/sandbox/{name}"),
            None => self.sandbox().join(name).to_string(),
        }
    }

    /// What the launcher says when it refuses.
    fn refusal(&self, info: ContainerLaunchInfo) -> String {
        let message = self.world.path("message");
        let recorder = Recorder(message.clone());
        let request = LaunchRequest { info, ..LaunchRequest::default() };
        let kernel = self.world.kernel;
        let mut launch = |kernel: &dyn Kernel| launch(&Intercepted::new(kernel, &recorder), &request);
        let child = kernel.clone3(CloneFlags::empty(), &mut launch).unwrap();
        let (_, status) = kernel.wait4(child, WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status, WaitStatus::Exited(125), "it was launched");
        self.world.read(&message)
    }
}

/// Writes to a file what the launcher writes to standard error. Nothing is executed.
struct Recorder(UnixPathBuf);

impl Interceptor for Recorder {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            Call::Write { fd: Fd::STDERR, data } => {
                checkpoint::write(kernel, &self.0, &data.0, Mode(0o644)).map_err(|error| error.errno)
            }
            Call::Execve { .. } => Err(Errno::EIO),
            _ => Ok(()),
        }
    }
}

fn host_path(path: &UnixPath, container_path: &str, mode: &str) -> Value {
    json!({ "container_path": container_path, "mode": mode, "host_path": path.to_string() })
}

fn bidirectional(path: &UnixPath, container_path: &str, mode: &str) -> Value {
    let host_path = json!({ "path": path.to_string(), "mount_propagation": { "mode": "BIDIRECTIONAL" } });
    let source = json!({ "type": "HOST_PATH", "host_path": host_path });
    json!({ "container_path": container_path, "mode": mode, "source": source })
}

fn sandbox_path(kind: &str, path: &str, container_path: &str) -> Value {
    let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": kind, "path": path } });
    json!({ "container_path": container_path, "mode": "RW", "source": source })
}

fn write(kernel: &dyn Kernel, name: &str) -> Result<(), Errno> {
    checkpoint::write(kernel, path(name), b"of the container", Mode(0o644)).map_err(|error| error.errno)
}

fn content(kernel: &dyn Kernel, name: &str) -> Result<String, String> {
    let content = checkpoint::read(kernel, path(name)).map_err(|error| error.to_string())?;
    String::from_utf8(content).map_err(|error| error.to_string())
}

fn mount(kernel: &dyn Kernel, target: &str) -> Result<(), String> {
    let result = kernel.mount(Some(path("new")), path(target), Some(b"tmpfs"), MountFlags::empty(), None);
    result.map_err(|errno| format!("mount on {target}: {errno}"))
}

/// A directory of the host that is a mount with this propagation.
fn host_mount(world: &World<'_>, name: &str, propagation: MountFlags) -> UnixPathBuf {
    let directory = world.make_directory(name);
    world.mount_tmpfs(&directory, MountFlags::empty());
    world.propagation(&directory, propagation);
    directory
}

/// Does something in the host's mount namespace, as whoever runs the agent there might.
pub fn on_the_host(kernel: &dyn Kernel, action: &dyn Fn(&dyn Kernel) -> Result<(), String>) -> Result<(), String> {
    let agent = kernel.getppid().map_err(|errno| errno.to_string())?;
    let namespace = format!("/proc/{}/ns/mnt", agent.0);
    let namespace = open(kernel, &namespace, OpenFlags::empty()).map_err(|errno| format!("{namespace}: {errno}"))?;
    let mut child = |kernel: &dyn Kernel| {
        let joined = kernel.setns(namespace, CloneFlags::CLONE_NEWNS).map_err(|errno| format!("setns: {errno}"));
        match joined.and_then(|()| action(kernel)) {
            Ok(()) => 0,
            Err(problem) => {
                eprintln!("on the host: {problem}");
                1
            }
        }
    };
    let child = kernel.clone3(CloneFlags::empty(), &mut child).map_err(|errno| errno.to_string())?;
    let ended = kernel.wait4(child, WaitOptions::empty());
    ensure(ended == Ok(Some((child, WaitStatus::Exited(0)))), format!("on the host: {ended:?}"))
}

fn read_only_is_read_only_all_the_way_down(world: &World<'_>) {
    let data = world.make_directory("data");
    world.write(&data.join("file"), "of the host");
    let sub = world.make_directory("data/sub");
    world.mount_tmpfs(&sub, MountFlags::empty());
    let volumes = json!([host_path(&data, "/srv/data", "RW"), host_path(&data, "data", "RO")]);
    for with_rootfs in [true, false] {
        let container = Container::new(world, vec![]);
        let container = if with_rootfs { container.with_rootfs() } else { container };
        world.make_directory("point");
        let writable = if with_rootfs { "/srv/data".to_string() } else { world.path("point").to_string() };
        let volumes = volumes.to_string().replace("/srv/data", &writable);
        let mut container = container.volumes(serde_json::from_str(&volumes).unwrap());
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let read_only = container.in_sandbox("data");
        let status = container.run(&|kernel| {
            for above in [&writable, &read_only] {
                ensure(content(kernel, &format!("{above}/file"))? == "of the host", format!("{above}/file"))?;
            }
            for below in ["new", "sub/new"] {
                let written = write(kernel, &format!("{writable}/{below}"));
                ensure(written == Ok(()), format!("{writable}/{below}: {written:?}"))?;
                let written = write(kernel, &format!("{read_only}/{below}"));
                ensure(written == Err(Errno::EROFS), format!("{read_only}/{below}: {written:?}"))?;
            }
            Ok(())
        });
        assert_eq!(status, CONTENT);
        assert_eq!(namespaces.tables(), before);
        assert_eq!(world.read(&sub.join("new")), "of the container");
        container.clean_up();
    }
}

fn a_file_is_mounted_on_a_file(world: &World<'_>) {
    let file = world.path("resolv.conf");
    world.write(&file, "of the host");
    let volumes = json!([host_path(&file, "/etc/resolv.conf", "RO"), host_path(&file, "conf", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let status = container.run(&|kernel| {
        ensure(content(kernel, "/etc/resolv.conf")? == "of the host", "not the file")?;
        let opened = open(kernel, "/etc/resolv.conf", OpenFlags::O_WRONLY);
        ensure(opened == Err(Errno::EROFS), format!("{opened:?}"))?;
        let opened = open(kernel, "/mnt/mesos/sandbox/conf", OpenFlags::O_WRONLY | OpenFlags::O_TRUNC);
        ensure(opened.is_ok_and(|file| kernel.write(file, b"changed") == Ok(7)), "not written")
    });
    assert_eq!(status, CONTENT);
    assert_eq!(world.read(&file), "changed");
    container.clean_up();
}

fn without_a_rootfs_the_host_stays_as_it_is(world: &World<'_>) {
    let data = world.make_directory("data");
    world.write(&data.join("file"), "of the volume");
    let point = world.make_directory("point");
    world.write(&point.join("file"), "beneath");
    let volumes = json!([host_path(&data, &point.to_string(), "RW"), host_path(&data, "a/b", "RW")]);
    let mut container = Container::new(world, vec![]).volumes(volumes);
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let inside = container.in_sandbox("a/b");
    let status = container.run(&|kernel| {
        for above in [point.to_string(), inside.clone()] {
            ensure(content(kernel, &format!("{above}/file"))? == "of the volume", above)?;
        }
        let shared = lines(kernel).into_iter().find(|line| line.ends_with(" shared"));
        ensure(shared.is_none(), format!("what is mounted here reaches the host: {shared:?}"))
    });
    assert_eq!(status, CONTENT);
    assert_eq!(namespaces.tables(), before);
    assert_eq!(world.read(&point.join("file")), "beneath");
    assert!(!world.exists(&container.sandbox().join("a/b/file")), "the sandbox got no more than a mount point");
    container.clean_up();
}

fn what_the_host_mounts_later_arrives(world: &World<'_>) {
    for with_rootfs in [true, false] {
        let data = host_mount(world, &format!("data of {with_rootfs}"), MountFlags::MS_SHARED);
        let later = data.join("later").to_string();
        for name in ["later", "inner"] {
            world.kernel.mkdirat(Fd::CWD, &data.join(name), Mode(0o755)).unwrap();
        }
        let container = Container::new(world, vec![]).sharing_pids().volumes(json!([host_path(&data, "v", "RW")]));
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let volume = container.in_sandbox("v");
        let status = container.run(&|kernel| {
            on_the_host(kernel, &|kernel| {
                mount(kernel, &later)?;
                write(kernel, &format!("{later}/file")).map_err(|errno| errno.to_string())
            })?;
            ensure(content(kernel, &format!("{volume}/later/file"))? == "of the container", "another file")?;
            mount(kernel, &format!("{volume}/inner"))?;
            let line = format!("{volume} tmpfs rw,relatime master");
            ensure(lines(kernel).contains(&line), format!("no {line:?} in {:#?}", lines(kernel)))
        });
        assert_eq!(status, CONTENT);
        world.umount(path(&later));
        assert_eq!(namespaces.tables(), before, "what the container mounted stayed inside");
        container.clean_up();
    }
}

fn bidirectional_reaches_the_host(world: &World<'_>) {
    for with_rootfs in [true, false] {
        let data = host_mount(world, &format!("data of {with_rootfs}"), MountFlags::MS_SHARED);
        for name in ["new", "sub", "sub/new", "mounted", "later"] {
            world.kernel.mkdirat(Fd::CWD, &data.join(name), Mode(0o755)).unwrap();
        }
        world.mount_tmpfs(&data.join("mounted"), MountFlags::empty());
        world.kernel.mkdirat(Fd::CWD, &data.join("mounted/new"), Mode(0o755)).unwrap();
        // The root of a volume need not be that of a mount.
        let point = world.make_directory("point").to_string();
        let target = if with_rootfs { "/srv".to_string() } else { point };
        let volumes = json!([bidirectional(&data.join("sub"), "sub", "RW"), bidirectional(&data, &target, "RW")]);
        let container = Container::new(world, vec![]).sharing_pids().volumes(volumes);
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let sub = container.in_sandbox("sub");
        let later = data.join("later").to_string();
        let status = container.run(&|kernel| {
            mount(kernel, &format!("{target}/new"))?;
            write(kernel, &format!("{target}/new/file")).map_err(|errno| errno.to_string())?;
            mount(kernel, &format!("{sub}/new"))?;
            mount(kernel, &format!("{target}/mounted/new"))?;
            ensure(lines(kernel).iter().any(|line| line.starts_with(&format!("{target}/sub/new "))), "no peer")?;
            on_the_host(kernel, &|kernel| mount(kernel, &later))?;
            ensure(lines(kernel).iter().any(|line| line.starts_with(&format!("{target}/later "))), "it didn't arrive")?;
            let unmounted = kernel.umount2(path(&format!("{target}/later")), UmountFlags::empty());
            ensure(unmounted == Ok(()), format!("{unmounted:?}"))
        });
        assert_eq!(status, CONTENT);
        assert_eq!(world.mounts_at(&data.join("new")).len(), 1, "the host has it, and keeps it");
        assert_eq!(world.read(&data.join("new/file")), "of the container");
        assert!(world.mounts_at(path(&later)).is_empty(), "the container has unmounted it");
        world.umount(&data.join("new"));
        world.umount(&data.join("sub/new"));
        world.umount(&data.join("mounted/new"));
        assert_eq!(namespaces.tables(), before);
        container.clean_up();
    }
}

fn bidirectional_and_read_only(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    let new = data.join("new");
    world.kernel.mkdirat(Fd::CWD, &new, Mode(0o755)).unwrap();
    let mut container =
        Container::new(world, vec![]).with_rootfs().volumes(json!([bidirectional(&data, "/srv", "RO")]));
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let status = container.run(&|kernel| {
        let written = write(kernel, "/srv/file");
        ensure(written == Err(Errno::EROFS), format!("{written:?}"))?;
        mount(kernel, "/srv/new")
    });
    assert_eq!(status, CONTENT);
    assert_eq!(world.mounts_at(&new).len(), 1);
    world.umount(&new);
    world.write(&data.join("file"), "the host's own mount is not read-only");
    assert_eq!(namespaces.tables(), before);
    container.clean_up();
}

fn nothing_else_lands_in_a_bidirectional_mount(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    world.kernel.mkdirat(Fd::CWD, &data.join("there"), Mode(0o755)).unwrap();
    world.kernel.mkdirat(Fd::CWD, &data.join("mounted"), Mode(0o755)).unwrap();
    world.mount_tmpfs(&data.join("mounted"), MountFlags::empty());
    let link = world.path("link");
    world.kernel.symlinkat(path("point/there"), Fd::CWD, &link).unwrap();
    let point = world.make_directory("point").to_string();
    for with_rootfs in [true, false] {
        let inside = if with_rootfs { "/srv".to_string() } else { point.clone() };
        let volumes = json!([bidirectional(&data, &inside, "RW")]);
        let container = Container::new(world, vec![]).volumes(volumes);
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let target = info.mounts.last().unwrap().target.as_path().to_path_buf();
        let roundabout = target.parent().unwrap().join("else/..").join(target.file_name().unwrap());
        let tmpfs = |target: UnixPathBuf| ContainerMountInfo::filesystem("tmpfs", target, MountFlags::empty(), None);
        let operation = |operation| ContainerFileOperation {
            operation,
            symlink: None,
            mkdir: Some(Mkdir { target: target.join("there/new").into(), recursive: true }),
            rename: None,
            mount: Some(tmpfs(target.join("there"))),
        };
        let mut requests: Vec<ContainerLaunchInfo> = Vec::new();
        let mut with = |change: &dyn Fn(&mut ContainerLaunchInfo)| {
            requests.push(info.clone());
            change(requests.last_mut().unwrap());
        };
        with(&|info| info.mounts.push(tmpfs(target.join("there"))));
        with(&|info| info.mounts.push(tmpfs(target.join("not/there"))));
        with(&|info| info.mounts.push(tmpfs(target.clone())));
        with(&|info| info.mounts.push(tmpfs(roundabout.join("there"))));
        with(&|info| info.masked_paths.push(target.join("there").into()));
        with(&|info| info.file_operations.push(operation(FileOperationKind::Mkdir)));
        with(&|info| info.file_operations.push(operation(FileOperationKind::Mount)));
        with(&|info| {
            info.file_operations.push(ContainerFileOperation::symlink("somewhere", target.join("there/link")));
        });
        if !with_rootfs {
            with(&|info| info.mounts.push(tmpfs(link.clone())));
        }
        for request in requests {
            let refusal = container.refusal(request);
            let (path, reason) = refusal.split_once(": \"").unwrap();
            let names_path = [&target, &roundabout].into_iter().any(|target| path.contains(&target.to_string()));
            assert!(
                names_path && reason.starts_with(&format!("{}\" is a bidirectional", target.display())),
                "{refusal}"
            );
            assert_eq!(namespaces.tables(), before, "{refusal}");
            assert!(!world.exists(&data.join("not")) && !world.exists(&data.join("there/new")), "{refusal}");
        }
        let mut request = info.clone();
        let mount = request.mounts.pop().unwrap();
        request.file_operations.push(ContainerFileOperation {
            mount: Some(mount),
            mkdir: None,
            ..operation(FileOperationKind::Mount)
        });
        let refusal = container.refusal(request);
        assert!(refusal.contains("a file operation can't make a bidirectional mount"), "{refusal}");
        container.clean_up();
    }
}

/// Who binds a part of it elsewhere did not ask for it to be bidirectional as well.
fn a_copy_of_a_bidirectional_mount_stays_inside(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    world.kernel.mkdirat(Fd::CWD, &data.join("new"), Mode(0o755)).unwrap();
    let point = world.make_directory("point");
    let other = world.make_directory("other");
    let volumes = json!([bidirectional(&data, &point.to_string(), "RW")]);
    let mut container = Container::new(world, vec![]).volumes(volumes);
    let mut info = container.agent.prepare(&container.id, &container.config).unwrap();
    info.mounts.push(ContainerMountInfo::bind(point.clone(), other.clone(), MountFlags::MS_REC));
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let status = container.launch(info, &|kernel| {
        let other = other.to_string();
        let line = format!("{other} tmpfs rw,relatime master");
        ensure(lines(kernel).contains(&line), format!("no {line:?} in {:#?}", lines(kernel)))?;
        mount(kernel, &format!("{other}/new"))
    });
    assert_eq!(status, CONTENT);
    assert_eq!(namespaces.tables(), before);
    container.clean_up();
}

fn what_is_not_shared_any_more_is_refused(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    let volumes = json!([bidirectional(&data, "/srv", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    world.propagation(&data, MountFlags::MS_PRIVATE);
    let refusal = container.refusal(info);
    assert!(refusal.contains(&format!("mount --make-shared {:?}", data.to_string())), "{refusal}");
    container.clean_up();
}

fn no_container_path_leads_out(world: &World<'_>) {
    let data = world.make_directory("data");
    let outside = world.make_directory("outside");
    let sandbox = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c");
    let rootfs = world.make_directory("rootfs");
    for above in [&sandbox, &rootfs] {
        world.kernel.symlinkat(&outside, Fd::CWD, &above.join("link")).unwrap();
        world.kernel.symlinkat(path("data"), Fd::CWD, &above.join("inner")).unwrap();
    }
    for (container_path, with_rootfs) in [
        ("/link", true),
        ("/link/new", true),
        ("/inner/new", true),
        ("link", true),
        ("link/new", true),
        ("inner", true),
        ("link", false),
        ("link/new", false),
        ("inner/new", false),
    ] {
        let container = Container::new(world, vec![]).volumes(json!([host_path(&data, container_path, "RW")]));
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let refusal = container.refusal(info);
        assert!(refusal.contains("is a symbolic link, which is not followed here"), "{container_path}: {refusal}");
        assert_eq!(namespaces.tables(), before);
        container.clean_up();
        assert_eq!(world.kernel.unlinkat(Fd::CWD, &outside, AtFlags::AT_REMOVEDIR), Ok(()), "{container_path}");
        world.make_directory("outside");
    }
}

fn volumes_lie_on_each_other_in_order(world: &World<'_>) {
    for name in ["upper", "lower", "inner"] {
        let directory = world.make_directory(name);
        world.write(&directory.join("name"), name);
    }
    let volumes = json!([
        host_path(&world.path("lower"), "/srv/a/b/c", "RO"),
        host_path(&world.path("inner"), "/mnt/mesos/sandbox/data/inner", "RW"),
        host_path(&world.path("upper"), "/srv/a", "RW"),
    ]);
    let resources = vec![volume("db", "data", "RW", Value::Null)];
    let mut container = Container::new(world, resources).with_rootfs().volumes(volumes);
    let before = world.mounts();
    let status = container.run(&|kernel| {
        for (name, expected) in
            [("/srv/a/name", "upper"), ("/srv/a/b/c/name", "lower"), ("/mnt/mesos/sandbox/data/inner/name", "inner")]
        {
            ensure(content(kernel, name)? == expected, format!("{name} is another file"))?;
        }
        write(kernel, "/mnt/mesos/sandbox/data/new").map_err(|errno| errno.to_string())
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    assert_eq!(world.mounts(), before);
    assert_eq!(world.read(&world.path("work/volumes/roles/role/db/new")), "of the container");
}

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

/// Containers write where these sources are: what is replaced after prepare has looked is not bound.
fn a_source_is_what_was_checked(world: &World<'_>) {
    let outside = world.make_directory("outside");
    let allowed = world.make_directory("allowed");
    let mut config = world.config();
    config.host_path_creation = vec![allowed.clone()];
    let sandbox = world.path("work/slaves/a/frameworks/f/executors/e/runs/c");
    for (volume, replaced) in [
        (sandbox_path("SELF", "a/b", "/srv"), sandbox.join("a")),
        (sandbox_path("SELF", "a/b", "/srv"), sandbox.join("a/b")),
        (host_path(&allowed.join("a/b"), "/srv", "RW"), allowed.join("a")),
        (host_path(&allowed.join("a/b"), "/srv", "RW"), allowed.join("a/b")),
    ] {
        world.make_directory("outside/b");
        let mut container = Container::new(world, vec![]).with_rootfs().volumes(json!([volume]));
        container.agent = world.create(config.clone()).unwrap();
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let aside = UnixPathBuf::from(format!("{} aside", replaced.display()));
        world.kernel.renameat2(Fd::CWD, &replaced, Fd::CWD, &aside, RenameFlags::empty()).unwrap();
        world.kernel.symlinkat(&outside, Fd::CWD, &replaced).unwrap();
        let refusal = container.refusal(info);
        assert!(refusal.contains("is a symbolic link, which is not followed here"), "{refusal}");
        assert!(refusal.contains(&replaced.to_string()), "{refusal}");
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
        // The link is there, and prepare does not follow it either.
        if !world.exists(&replaced) {
            continue;
        }
        world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c");
        let error = container.agent.prepare(&container.id, &container.config).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link, which is not followed here"), "{error}");
        world.kernel.unlinkat(Fd::CWD, &replaced, AtFlags::empty()).unwrap();
    }
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

fn what_is_not_trusted_must_be_told_apart(world: &World<'_>) {
    let mut container = Container::new(world, vec![]);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let sandbox = container.sandbox();
    for directory in [sandbox.strip_prefix("/").unwrap().to_path_buf(), sandbox.join("../c")] {
        let untrusted_directories = vec![directory.clone().into()];
        let refusal = container.refusal(ContainerLaunchInfo { untrusted_directories, ..info.clone() });
        assert!(refusal.contains("cannot tell what lies below"), "{refusal}");
        let refusal = container.refusal(ContainerLaunchInfo { rootfs: Some(directory.into()), ..info.clone() });
        assert!(refusal.contains("cannot tell what lies below"), "{refusal}");
    }
    container.clean_up();
}
