//! Containers in containers that run.

use cofferdam::agent::GidRange;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, CloneFlags, Fd, Intercepted, Kernel, Mode, OpenFlags, WaitStatus};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{CommandInfo, ContainerClass, ContainerConfig, ContainerId, ContainerInfo, LinuxInfo};
use cofferdam::user::Credentials;
use cofferdam::{UnixPath, checkpoint};
use serde_json::{Value, json};

use crate::host_volumes::on_the_host;
use crate::scenarios::{CONTENT, Container, Instead, Program, ensure, exists, lines, path, wait};
use crate::world::{World, volume};

scenarios!(
    a_debug_container_sees_what_its_parent_sees,
    a_nested_container_has_a_filesystem_of_its_own,
    volumes_come_and_go_in_nested_containers_too,
    users_in_nested_containers_share_a_path_of_their_parent,
    a_process_of_the_host_is_no_container_to_join,
);

/// A nested container of the one that runs, which its agent prepares and launches on the host. In its parent's pid namespace,
/// which is the host's: so a program of ours can get to the host.
struct Nested<'w> {
    directory: &'w UnixPath,
    id: ContainerId,
    config: ContainerConfig,
}

impl<'w> Nested<'w> {
    fn new(container: &Container<'w, '_>, name: &str) -> Self {
        let (id, config) = container.world.nested((&container.id, &container.config), name);
        let linux_info = Some(LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() });
        let container_info = Some(ContainerInfo { linux_info, ..ContainerInfo::default() });
        let command_info = CommandInfo::program(vec!["/program".into()]);
        Self {
            directory: &container.world.directory,
            id,
            config: ContainerConfig { command_info, container_info, ..config },
        }
    }

    /// As the agent, on the host: prepares the container, runs a program in it that begins where the process `parent` is, and
    /// cleans up.
    fn run(&self, kernel: &dyn Kernel, program: &Program<'_>) -> Result<(), String> {
        let parent = kernel.getpid().map_err(|errno| errno.to_string())?;
        on_the_host(kernel, &|kernel| {
            let mut agent = self.agent(kernel)?;
            let info = agent.prepare(&self.id, &self.config).map_err(|error| error.to_string())?;
            let request = LaunchRequest { info, parent: Some(parent), ..LaunchRequest::default() };
            let mut body = |kernel: &dyn Kernel| launch(&Intercepted::new(kernel, &Instead(program)), &request);
            let child = kernel.clone3(CloneFlags::empty(), &mut body).map_err(|errno| errno.to_string())?;
            let status = wait(kernel, child);
            agent.cleanup(&self.id).map_err(|error| error.to_string())?;
            agent.remove_runtime(&self.id).map_err(|error| error.to_string())?;
            ensure(status == CONTENT, format!("the nested container ended with {status:?}"))
        })
    }

    fn agent<'k>(&self, kernel: &'k dyn Kernel) -> Result<Isolator<&'k dyn Kernel>, String> {
        let mut agent = World { kernel, directory: self.directory.to_path_buf() }.agent();
        let unreadable = agent.resume_family(&self.id).map_err(|error| error.to_string())?;
        ensure(unreadable.is_empty(), format!("{unreadable:?}"))?;
        Ok(agent)
    }
}

fn read(kernel: &dyn Kernel, name: &str) -> Result<String, String> {
    let content = checkpoint::read(kernel, path(name)).map_err(|error| error.to_string())?;
    String::from_utf8(content).map_err(|error| error.to_string())
}

fn a_debug_container_sees_what_its_parent_sees(world: &World<'_>) {
    let mut container =
        Container::new(world, vec![volume("db", "data", "RW", Value::Null)]).with_rootfs().sharing_pids();
    let mut session = Nested::new(&container, "session");
    session.config.container_class = Some(ContainerClass::Debug);
    let before = world.mounts();
    let status = container.run(&|kernel| {
        checkpoint::write(kernel, path("/made-inside"), b"by the parent", Mode(0o644))
            .map_err(|error| error.to_string())?;
        let seen = lines(kernel);
        session.run(kernel, &|kernel| {
            ensure(lines(kernel) == seen, format!("{:#?} is not {seen:#?}", lines(kernel)))?;
            ensure(read(kernel, "/made-inside")? == "by the parent", "another file")?;
            let here = kernel.getcwd().map_err(|errno| errno.to_string())?;
            ensure(here == "/mnt/mesos/sandbox".into(), format!("it begins in {here}"))?;
            ensure(exists(kernel, "data"), "the volume is not there")
        })
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    assert_eq!(world.mounts(), before);
}

fn a_nested_container_has_a_filesystem_of_its_own(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs().sharing_pids();
    let mut nested = Nested::new(&container, "nested");
    nested.config.rootfs = Some(world.make_directory("another rootfs").into());
    world.write(&world.path("another rootfs/name"), "the other one");
    let before = world.mounts();
    let status = container.run(&|kernel| {
        let seen = lines(kernel);
        nested.run(kernel, &|kernel| {
            ensure(read(kernel, "/name")? == "the other one", "another rootfs")?;
            ensure(kernel.mkdirat(Fd::CWD, path("/mnt/mesos/sandbox/made"), Mode(0o755)).is_ok(), "no sandbox")
        })?;
        ensure(lines(kernel) == seen, "the parent's mounts have changed")?;
        ensure(exists(kernel, "/mnt/mesos/sandbox/containers/nested/made"), "its sandbox is in that of the parent")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    assert_eq!(world.mounts(), before);
}

fn volumes_come_and_go_in_nested_containers_too(world: &World<'_>) {
    let resource = || volume("db", "data", "RW", Value::Null);
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    for with_rootfs in [true, false] {
        let mut container = Container::new(world, vec![]).sharing_pids();
        world.kernel.mkdirat(Fd::CWD, &container.config.directory.as_path().join("data"), Mode(0o755)).unwrap();
        let mut nested = Nested::new(&container, "nested");
        let parents_data = container.config.directory.as_path().join("data/file").to_string();
        let file = if with_rootfs { "/mnt/mesos/sandbox/shared/file".to_string() } else { parents_data };
        if with_rootfs {
            nested.config.rootfs = Some(world.make_directory("rootfs").into());
            let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "data" } });
            let volumes = json!([{ "container_path": "shared", "mode": "RW", "source": source }]);
            nested.config.container_info.as_mut().unwrap().volumes = serde_json::from_value(volumes).unwrap();
        }
        let top = container.id.clone();
        let status = container.run(&|kernel| {
            nested.run(kernel, &|kernel| {
                ensure(!exists(kernel, &file), "the volume is there already")?;
                let update = |resources: &[_]| {
                    on_the_host(kernel, &|kernel| {
                        let mut agent = nested.agent(kernel)?;
                        agent.update(&top, resources).map_err(|error| error.to_string())
                    })
                };
                update(&[resource()])?;
                ensure(read(kernel, &file)? == "kept", "another file")?;
                update(&[])?;
                ensure(!exists(kernel, &file), "the volume is there still")
            })
        });
        assert_eq!(status, CONTENT, "with a rootfs: {with_rootfs}");
        container.clean_up();
    }
    assert_eq!(world.read(&source.join("file")), "kept");
}

/// Each reads and changes what the other one has written; the parent's user has made the first file.
fn users_in_nested_containers_share_a_path_of_their_parent(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).sharing_pids().with_agent(|agent| {
        agent.volume_gid_range = Some(GidRange::new(10000, 10009).unwrap());
    });
    let shared = container.config.directory.as_path().join("shared");
    world.kernel.mkdirat(Fd::CWD, &shared, Mode(0o755)).unwrap();
    world.write(&shared.join("file"), "77");
    for path in [container.config.directory.as_path(), &*shared, &*shared.join("file")] {
        world.kernel.fchownat(Fd::CWD, path, Some(77), Some(77), AtFlags::empty()).unwrap();
    }
    container.agent.prepare(&container.id, &container.config).unwrap();
    for (uid, before, with_rootfs) in [(78, "77", true), (79, "78", true), (78, "79", false)] {
        let mut nested = Nested::new(&container, &format!("n{uid}{with_rootfs}"));
        nested.config.user = Some(uid.to_string());
        let file = if with_rootfs { "/mnt/mesos/sandbox/mine/file" } else { "mine/file" };
        if with_rootfs {
            nested.config.rootfs = Some(world.make_directory("rootfs").into());
        }
        let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "shared" } });
        let volumes = json!([{ "container_path": "mine", "mode": "RW", "source": source }]);
        nested.config.container_info.as_mut().unwrap().volumes = serde_json::from_value(volumes).unwrap();
        let info = container.agent.prepare(&nested.id, &nested.config).unwrap();
        let credentials = Some(Credentials { uid, gid: uid, groups: Vec::new() });
        let request = LaunchRequest { info, credentials, ..LaunchRequest::default() };
        let status = container.carry_out(&request, &|kernel| {
            ensure(kernel.geteuid() == Ok(uid), "it is another user")?;
            ensure(read(kernel, file)? == before, format!("{:?}", read(kernel, file)))?;
            checkpoint::write(kernel, path(file), uid.to_string().as_bytes(), Mode(0o664))
                .map_err(|error| error.to_string())
        });
        assert_eq!(status, CONTENT, "user {uid}");
        container.agent.cleanup(&nested.id).unwrap();
        container.agent.remove_runtime(&nested.id).unwrap();
    }
    assert_eq!(world.read(&shared.join("file")), "78");
    container.clean_up();
    let gone = world.stat(&shared).unwrap();
    assert_eq!((gone.uid, gone.gid, gone.mode), (77, 77, Mode(0o755)));
}

/// The number of a container's process may be another's by now.
fn a_process_of_the_host_is_no_container_to_join(world: &World<'_>) {
    let mut container = Container::new(world, vec![]);
    container.agent.prepare(&container.id, &container.config).unwrap();
    let mut session = Nested::new(&container, "session");
    session.config.container_class = Some(ContainerClass::Debug);
    let info = container.agent.prepare(&session.id, &session.config).unwrap();
    let parent = world.kernel.getpid().unwrap();
    let pid_file = world.path("pid");
    let request =
        LaunchRequest { info, parent: Some(parent), pid_files: vec![pid_file.clone()], ..LaunchRequest::default() };
    let content: &Program<'_> = &|_| Ok(());
    let child = world
        .kernel
        .clone3(CloneFlags::empty(), &mut |kernel| launch(&Intercepted::new(kernel, &Instead(content)), &request))
        .unwrap();
    assert_eq!(wait(world.kernel, child), WaitStatus::Exited(125));
    assert!(world.open(&pid_file, OpenFlags::empty()).is_err(), "nobody is told of a process");
    container.agent.cleanup(&session.id).unwrap();
    container.agent.remove_runtime(&session.id).unwrap();
    container.clean_up();
}
