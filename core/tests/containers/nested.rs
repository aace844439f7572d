//! Containers in containers that run.

use cofferdam::agent::GidRange;
use cofferdam::error::CallError;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, CloneFlags, Errno, Fd, Intercepted, Kernel, Mode, OpenFlags, WaitStatus};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{
    CommandInfo, ContainerClass, ContainerConfig, ContainerId, ContainerInfo, LinuxInfo, Resource,
};
use cofferdam::user::Credentials;
use cofferdam::{UnixPath, checkpoint};
use serde_json::{Value, json};

use crate::host_volumes::{inside, on_the_host};
use crate::scenarios::{CONTENT, Container, Instead, Program, ensure, exists, lines, path, wait};
use crate::world::{World, volume};

scenarios!(
    a_debug_container_sees_what_its_parent_sees,
    a_nested_container_has_a_filesystem_of_its_own,
    volumes_come_and_go_in_nested_containers_too,
    a_directory_of_the_parent_is_shared,
    a_link_of_the_parent_is_no_directory_to_share,
    users_in_nested_containers_share_a_path_of_their_parent,
    a_process_of_the_host_is_no_container_to_join,
);

/// A container that is prepared and launched by its agent, on the host, while another one runs, from whose program this is
/// called. In the host's pid namespace: so a program of ours can get to the host.
pub struct Another<'w> {
    directory: &'w UnixPath,
    pub id: ContainerId,
    pub config: ContainerConfig,
}

impl<'w> Another<'w> {
    /// One that is nested in the other.
    pub fn nested(container: &Container<'w, '_>, name: &str) -> Self {
        Self::new(container.world, container.world.nested((&container.id, &container.config), name))
    }

    /// One that has nothing to do with the other.
    pub fn beside(world: &'w World<'_>, name: &str, resources: Vec<Resource>) -> Self {
        Self::new(world, world.container(name, resources))
    }

    fn new(world: &'w World<'_>, (id, config): (ContainerId, ContainerConfig)) -> Self {
        let linux_info = Some(LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() });
        let container_info = Some(ContainerInfo { linux_info, ..ContainerInfo::default() });
        let command_info = CommandInfo::program(vec!["/program".into()]);
        Self { directory: &world.directory, id, config: ContainerConfig { command_info, container_info, ..config } }
    }

    /// As the agent, on the host: prepares the container, runs a program in it, and cleans up.
    pub fn run(&self, kernel: &dyn Kernel, program: &Program<'_>) -> Result<(), String> {
        let parent = kernel.getpid().map_err(|errno| errno.to_string())?;
        on_the_host(kernel, &|kernel| {
            let mut agent = self.agent(kernel)?;
            let info = agent.prepare(&self.id, &self.config).map_err(|error| error.to_string())?;
            let parent = self.id.parent().map(|_| parent);
            let request = LaunchRequest { info, parent, ..LaunchRequest::default() };
            let mut body = |kernel: &dyn Kernel| launch(&Intercepted::new(kernel, &Instead(program)), &request);
            let child = kernel.clone3(CloneFlags::empty(), &mut body).map_err(|errno| errno.to_string())?;
            let status = wait(kernel, child);
            agent.cleanup(&self.id).map_err(|error| error.to_string())?;
            agent.remove_runtime(&self.id).map_err(|error| error.to_string())?;
            ensure(status == CONTENT, format!("container {} ended with {status:?}", self.id))
        })
    }

    /// The agent, for whoever is on the host.
    pub fn agent<'k>(&self, kernel: &'k dyn Kernel) -> Result<Isolator<&'k dyn Kernel>, String> {
        let mut agent = World::new(kernel, self.directory.to_path_buf()).agent();
        let unreadable = agent.resume_family(&self.id).map_err(|error| error.to_string())?;
        ensure(unreadable.is_empty(), format!("{unreadable:?}"))?;
        Ok(agent)
    }
}

fn write(kernel: &dyn Kernel, name: &str, content: &str) -> Result<(), CallError> {
    checkpoint::write(kernel, path(name), content.as_bytes(), Mode(0o644))
}

fn read(kernel: &dyn Kernel, name: &str) -> Result<String, String> {
    let content = checkpoint::read(kernel, path(name)).map_err(|error| error.to_string())?;
    String::from_utf8(content).map_err(|error| error.to_string())
}

fn a_debug_container_sees_what_its_parent_sees(world: &World<'_>) {
    let mut container =
        Container::new(world, vec![volume("db", "data", "RW", Value::Null)]).with_rootfs().sharing_pids();
    let mut session = Another::nested(&container, "session");
    session.config.container_class = Some(ContainerClass::Debug);
    let before = world.mounts();
    let status = container.run(&|kernel| {
        write(kernel, "/made-inside", "by the parent").map_err(|error| error.to_string())?;
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
    let mut nested = Another::nested(&container, "nested");
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
        let mut nested = Another::nested(&container, "nested");
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

/// A volume of the nested container that is a path of its parent's sandbox.
fn of_parent(nested: &mut Another<'_>, sandbox_path: &str, mode: &str) {
    let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": sandbox_path } });
    let volumes = json!([{ "container_path": "here", "mode": mode, "source": source }]);
    nested.config.container_info.as_mut().unwrap().volumes = serde_json::from_value(volumes).unwrap();
}

fn a_directory_of_the_parent_is_shared(world: &World<'_>) {
    for (parent_has_rootfs, has_rootfs) in [(true, true), (true, false), (false, true), (false, false)] {
        let container = Container::new(world, vec![]).sharing_pids();
        let mut container = if parent_has_rootfs { container.with_rootfs() } else { container };
        let mut writer = Another::nested(&container, "writer");
        let mut reader = Another::nested(&container, "reader");
        // That of the writer is made, for the owner of the sandbox.
        of_parent(&mut writer, "a/shared", "RW");
        of_parent(&mut reader, "a/shared", "RO");
        if has_rootfs {
            for nested in [&mut writer, &mut reader] {
                nested.config.rootfs = Some(world.make_directory("another rootfs").into());
            }
        }
        let [written, seen] = [&writer, &reader].map(|nested| inside(&nested.config, "here"));
        let shared = container.in_sandbox("a/shared");
        let status = container.run(&|kernel| {
            let before = lines(kernel);
            writer.run(kernel, &|kernel| {
                write(kernel, &format!("{written}/file"), "of the nested one").map_err(|error| error.to_string())
            })?;
            ensure(read(kernel, &format!("{shared}/file"))? == "of the nested one", "the parent has another file")?;
            write(kernel, &format!("{shared}/file"), "of the parent").map_err(|error| error.to_string())?;
            reader.run(kernel, &|kernel| {
                ensure(read(kernel, &format!("{seen}/file"))? == "of the parent", "another file")?;
                let errno = write(kernel, &format!("{seen}/new"), "").err().map(|error| error.errno);
                ensure(errno == Some(Errno::EROFS), format!("a read-only volume: {errno:?}"))
            })?;
            ensure(lines(kernel) == before, "the parent's mounts have changed")
        });
        assert_eq!(status, CONTENT, "rootfs: {parent_has_rootfs}, {has_rootfs}");
        assert_eq!(world.read(&container.sandbox().join("a/shared/file")), "of the parent");
        let sandbox = container.sandbox();
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
}

/// The program of the parent has made it, and it leads to the host's files.
fn a_link_of_the_parent_is_no_directory_to_share(world: &World<'_>) {
    let outside = world.make_directory("outside");
    for (link, wanted) in [("shared", "shared"), ("a", "a/shared"), ("a", "a/new/shared")] {
        let mut container = Container::new(world, vec![]).with_rootfs().sharing_pids();
        let mut nested = Another::nested(&container, "nested");
        of_parent(&mut nested, wanted, "RW");
        let status = container.run(&|kernel| {
            let made = kernel.symlinkat(&outside, Fd::CWD, path("/mnt/mesos/sandbox").join(link).as_path());
            made.map_err(|errno| errno.to_string())?;
            on_the_host(kernel, &|kernel| {
                let refused = nested.agent(kernel)?.prepare(&nested.id, &nested.config).err().map(|e| e.to_string());
                let is_told = refused.as_ref().is_some_and(|error| error.contains("is a symbolic link"));
                ensure(is_told, format!("{refused:?}"))
            })
        });
        assert_eq!(status, CONTENT, "{wanted}");
        assert!(checkpoint::list(world.kernel, &outside).unwrap().is_empty(), "{wanted}");
        let sandbox = container.sandbox();
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
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
        let mut nested = Another::nested(&container, &format!("n{uid}{with_rootfs}"));
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
    let mut session = Another::nested(&container, "session");
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
