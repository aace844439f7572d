//! Who becomes a member of the groups of volumes: containers that are launched later, and those that are nested.

use std::cell::Cell;

use cofferdam::UnixPathBuf;
use cofferdam::agent::{AgentConfig, GidRange};
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode};
use cofferdam::messages::{ContainerClass, ContainerConfig, ContainerId, ContainerInfo, ContainerLaunchInfo, Resource};
use cofferdam::root::create_directories;
use serde_json::{Value, json};

use super::{FIRST, StopAt, chown, group, is_given_back, is_shared, mode, record, record_path, volume};
use crate::world::{self, World};

scenarios!(
    what_is_launched_later_has_the_groups_of_later_volumes,
    a_task_that_is_launched_later_has_them_itself,
    an_update_that_stops_anywhere_is_made_up_for,
    sessions_have_the_groups_of_their_parent,
    containers_with_their_own_rootfs_have_only_what_they_were_given,
    a_nested_container_shares_a_path_of_its_parent,
    several_nested_containers_share_it,
    no_group_is_needed_by_root_nor_for_the_own_sandbox,
    a_path_in_a_persistent_volume_has_the_group_of_that,
    a_path_that_sandboxes_lie_in_is_left_alone,
    without_a_gid_a_nested_container_is_not_prepared,
    a_nested_prepare_that_stops_anywhere_leaves_no_group_unrecorded,
    a_clean_up_that_stops_anywhere_can_be_repeated,
    after_a_reboot_the_paths_are_given_back,
);

fn agent_on<'k>(kernel: &'k dyn Kernel, world: &World<'_>, count: u32) -> Isolator<&'k dyn Kernel> {
    world.make_directory("work");
    let range = GidRange::new(FIRST, FIRST + count - 1).unwrap();
    let config = AgentConfig { volume_gid_range: Some(range), ..world.config() };
    world.through(kernel).create(config).unwrap()
}

fn agent<'k>(world: &World<'k>) -> Isolator<&'k dyn Kernel> {
    agent_on(world.kernel, world, 10)
}

fn resource(id: &str) -> Resource {
    world::volume(id, id, "RW", Value::Null)
}

/// A container of user 77.
fn container(world: &World<'_>, resources: Vec<Resource>) -> (ContainerId, ContainerConfig) {
    for id in ["db", "log"] {
        if !world.exists(&world.path("work/volumes/roles/role").join(id)) {
            volume(world, &format!("work/volumes/roles/role/{id}"));
        }
    }
    let (id, config) = world.container("c", resources);
    chown(world, config.directory.as_path(), 77, 77);
    (id, ContainerConfig { user: Some("77".into()), ..config })
}

/// A container of a user nested in another one, with these paths of its parent as volumes.
fn nested(
    world: &World<'_>,
    parent: (&ContainerId, &ContainerConfig),
    name: &str,
    user: &str,
    paths: &[&str],
) -> (ContainerId, ContainerConfig) {
    let (id, config) = world.nested(parent, name);
    let volume = |path: &&str| {
        let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": path } });
        json!({ "container_path": format!("of parent {}", path.replace('/', " ")), "mode": "RW", "source": source })
    };
    let volumes = serde_json::from_value(Value::Array(paths.iter().map(volume).collect())).unwrap();
    let container_info = Some(ContainerInfo { volumes, ..ContainerInfo::default() });
    let rootfs = Some(world.make_directory("rootfs").into());
    (id, ContainerConfig { user: Some(user.into()), rootfs, container_info, ..config })
}

fn session(mut config: ContainerConfig) -> ContainerConfig {
    (config.container_class, config.rootfs, config.container_info) = (Some(ContainerClass::Debug), None, None);
    config
}

/// What is recorded for whoever launches a container.
fn recorded(world: &World<'_>, id: &ContainerId) -> ContainerLaunchInfo {
    let layout = world.config().layout;
    cofferdam::record::read(world.kernel, &layout, &layout.container_launch_info(id)).unwrap()
}

fn what_is_launched_later_has_the_groups_of_later_volumes(world: &World<'_>) {
    let mut agent = agent(world);
    let (id, config) = container(world, vec![resource("db")]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.supplementary_groups, [FIRST]);
    agent.update(&id, &[resource("db"), resource("log")]).unwrap();
    let gids: Vec<_> = agent.volume_gids(&id).unwrap().into_iter().map(|(volume, gid)| (volume.name, gid)).collect();
    assert_eq!(gids, [("db".into(), FIRST), ("log".into(), FIRST + 1)]);
    let supplementary_groups = vec![FIRST, FIRST + 1];
    assert_eq!(recorded(world, &id), ContainerLaunchInfo { supplementary_groups, ..info.clone() });
    agent.update(&id, &[resource("log")]).unwrap();
    assert_eq!(recorded(world, &id).supplementary_groups, [FIRST + 1], "nobody needs the other one any more");
    agent.update(&id, &[]).unwrap();
    assert_eq!(recorded(world, &id).supplementary_groups, [0_u32; 0]);
    assert_eq!(agent.volume_gids(&id).unwrap(), []);
    // After a reboot there is nothing to launch.
    world.kernel.unlinkat(Fd::CWD, &world.config().layout.container_launch_info(&id), AtFlags::empty()).unwrap();
    agent.update(&id, &[resource("db")]).unwrap();
    assert_eq!(agent.volume_gids(&id).unwrap().len(), 1);
}

fn a_task_that_is_launched_later_has_them_itself(world: &World<'_>) {
    let mut agent = agent(world);
    let (id, config) = container(world, vec![]);
    let rootfs = Some(world.make_directory("rootfs").into());
    agent.prepare(&id, &ContainerConfig { rootfs, task_info: Some(json!({})), ..config }).unwrap();
    agent.update(&id, &[resource("db")]).unwrap();
    let info = recorded(world, &id);
    assert_eq!((info.supplementary_groups, info.task_supplementary_groups), (vec![], vec![FIRST]));
}

/// Runs a scenario for a stop at each call that the operation makes, on a machine of its own.
fn at_each_call(world: &World<'_>, scenario: impl Fn(&World<'_>, &StopAt)) {
    for number in 1.. {
        let world = world.elsewhere(world.make_directory(&format!("stop{number}")));
        let stop = StopAt::call(number);
        scenario(&world, &stop);
        for mount in world.mounts().iter().rev() {
            let _ = world.kernel.umount2(&mount.mountpoint, cofferdam::kernel::UmountFlags::MNT_DETACH);
        }
        if !stop.has_stopped() {
            assert!(number > 10, "only {number} calls");
            return;
        }
    }
}

/// Stops with the agent, once it is at work.
struct Later<'a> {
    stop: &'a StopAt,
    has_begun: Cell<bool>,
}

impl Interceptor for Later<'_> {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if self.has_begun.get() { self.stop.before(kernel, call) } else { Ok(()) }
    }
}

/// Does something as an agent that stops with the machine; whether that was done.
fn as_agent(world: &World<'_>, stop: &StopAt, act: impl FnOnce(&mut Isolator<&dyn Kernel>) -> bool) -> bool {
    let later = Later { stop, has_begun: Cell::new(false) };
    let kernel = Intercepted::new(world.kernel, &later);
    let mut agent = agent_on(&kernel, world, 10);
    agent.resume().unwrap();
    later.has_begun.set(true);
    act(&mut agent)
}

fn an_update_that_stops_anywhere_is_made_up_for(world: &World<'_>) {
    at_each_call(world, |world, stop| {
        let (id, config) = container(world, vec![resource("db")]);
        agent(world).prepare(&id, &config).unwrap();
        as_agent(world, stop, |agent| agent.update(&id, &[resource("log")]).is_ok());
        let mut agent = agent(world);
        agent.resume().unwrap();
        agent.update(&id, &[resource("log")]).unwrap();
        assert_eq!(recorded(world, &id).supplementary_groups, [FIRST + 1]);
    });
}

fn sessions_have_the_groups_of_their_parent(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![resource("db")]);
    agent.prepare(&top, &config).unwrap();
    let parent = (&top, &config);
    let (debug, of_debug) = nested(world, parent, "debug", "77", &[]);
    let info = agent.prepare(&debug, &session(of_debug)).unwrap();
    assert_eq!(info.supplementary_groups, [FIRST]);
    // It sees the sandbox of its parent, on the host.
    let (seeing, of_seeing) = nested(world, parent, "seeing", "78", &[]);
    let of_seeing = ContainerConfig { rootfs: None, ..of_seeing };
    assert_eq!(agent.prepare(&seeing, &of_seeing).unwrap().supplementary_groups, [FIRST]);
    let (root, of_root) = nested(world, parent, "root", "0", &[]);
    assert_eq!(agent.prepare(&root, &session(of_root)).unwrap().supplementary_groups, [0_u32; 0]);
    let (own, of_own) = nested(world, parent, "own", "77", &[]);
    assert_eq!(agent.prepare(&own, &of_own).unwrap().supplementary_groups, [0_u32; 0], "it does not see the volume");

    agent.update(&top, &[resource("db"), resource("log")]).unwrap();
    for (id, expected) in [(&debug, &[FIRST, FIRST + 1][..]), (&seeing, &[FIRST, FIRST + 1]), (&root, &[]), (&own, &[])]
    {
        assert_eq!(recorded(world, id).supplementary_groups, expected, "{id}");
    }
    let (inner, of_inner) = nested(world, (&seeing, &of_seeing), "inner", "79", &[]);
    assert_eq!(agent.prepare(&inner, &session(of_inner)).unwrap().supplementary_groups, [FIRST, FIRST + 1]);
    let (inner, of_inner) = nested(world, (&own, &of_own), "inner", "79", &[]);
    assert_eq!(agent.prepare(&inner, &session(of_inner)).unwrap().supplementary_groups, [0_u32; 0]);
    agent.update(&top, &[]).unwrap();
    for id in [&debug, &seeing, &inner] {
        assert_eq!(recorded(world, id).supplementary_groups, [0_u32; 0], "{id}");
    }
}

fn containers_with_their_own_rootfs_have_only_what_they_were_given(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["shared"]);
    assert_eq!(agent.prepare(&id, &of_nested).unwrap().supplementary_groups, [FIRST]);
    agent.update(&top, &[resource("db")]).unwrap();
    agent.update(&top, &[]).unwrap();
    assert_eq!(recorded(world, &id).supplementary_groups, [FIRST]);
}

/// A directory of the parent's user with files in it.
fn shared(world: &World<'_>, config: &ContainerConfig) -> UnixPathBuf {
    let path = config.directory.as_path().join("shared");
    let name = path.strip_prefix(&world.directory).unwrap().to_string();
    volume(world, &name)
}

fn a_nested_container_shares_a_path_of_its_parent(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let path = shared(world, &config);
    let parent = (&top, &config);
    // Also one that is made for it.
    let (id, of_nested) = nested(world, parent, "n", "78", &["shared", "made/inside"]);
    let info = agent.prepare(&id, &of_nested).unwrap();
    assert_eq!(info.supplementary_groups, [FIRST, FIRST + 1]);
    assert!(is_shared(world, &path, FIRST));
    let made = config.directory.as_path().join("made/inside");
    assert_eq!((group(world, &made), mode(world, &made), world.stat(&made).unwrap().uid), (FIRST + 1, 0o2775, 77));
    let kinds: Vec<_> = agent.gid_manager().unwrap().volumes(&world.kernel).unwrap();
    assert!(kinds.iter().all(|volume| volume.kind == cofferdam::volumes::VolumeKind::SandboxPath), "{kinds:?}");
    let task = ContainerConfig { task_info: Some(json!({})), ..of_nested.clone() };
    agent.cleanup(&id).unwrap();
    agent.remove_runtime(&id).unwrap();
    assert_eq!(record(world).len(), 2, "others may share it");
    assert_eq!(agent.prepare(&id, &task).unwrap().task_supplementary_groups, [FIRST, FIRST + 1]);
    agent.cleanup(&id).unwrap();
    agent.cleanup(&top).unwrap();
    assert_eq!(record(world), []);
    assert!(is_given_back(world, &path, 77));
    assert_eq!((group(world, &made), mode(world, &made)), (77, 0o755));
}

fn several_nested_containers_share_it(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let path = shared(world, &config);
    for (name, user) in [("one", "78"), ("two", "79")] {
        let (id, of_nested) = nested(world, (&top, &config), name, user, &["shared"]);
        assert_eq!(agent.prepare(&id, &of_nested).unwrap().supplementary_groups, [FIRST], "{name}");
    }
    assert!(is_shared(world, &path, FIRST));
}

fn no_group_is_needed_by_root_nor_for_the_own_sandbox(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let path = shared(world, &config);
    let (id, of_root) = nested(world, (&top, &config), "root", "0", &["shared"]);
    assert_eq!(agent.prepare(&id, &of_root).unwrap().supplementary_groups, [0_u32; 0]);
    let (id, nobody) = nested(world, (&top, &config), "nobody", "78", &["shared"]);
    assert_eq!(agent.prepare(&id, &ContainerConfig { user: None, ..nobody }).unwrap().supplementary_groups, [0_u32; 0]);
    let (id, mut own) = nested(world, (&top, &config), "own", "78", &["shared"]);
    own.container_info.as_mut().unwrap().volumes[0].source.as_mut().unwrap().sandbox_path.as_mut().unwrap().kind =
        cofferdam::messages::SandboxPathType::Own;
    assert_eq!(agent.prepare(&id, &own).unwrap().supplementary_groups, [0_u32; 0]);
    assert!(is_given_back(world, &path, 77), "as it was");
    assert!(!world.exists(&record_path(world)));
}

/// The files outlive the sandbox, and with them the group.
fn a_path_in_a_persistent_volume_has_the_group_of_that(world: &World<'_>) {
    for (number, owner) in [77, 0].into_iter().enumerate() {
        let world = world.elsewhere(world.make_directory(&format!("of {owner}")));
        let mut agent = agent(&world);
        let (top, config) = container(&world, vec![resource("db")]);
        chown(&world, config.directory.as_path(), owner, owner);
        let source = world.path("work/volumes/roles/role/db");
        agent.prepare(&top, &config).unwrap();
        assert_eq!(is_shared(&world, &source, FIRST), number == 0);
        let (id, of_nested) = nested(&world, (&top, &config), "n", "78", &["db/inner"]);
        assert_eq!(agent.prepare(&id, &of_nested).unwrap().supplementary_groups, [FIRST]);
        assert!(is_shared(&world, &source, FIRST));
        let (seeing, of_seeing) = nested(&world, (&top, &config), "seeing", "78", &["db"]);
        let of_seeing = ContainerConfig { rootfs: None, ..of_seeing };
        create_directories(&world.kernel, &of_seeing.directory.as_path().join("of parent db"), Mode(0o755)).unwrap();
        assert_eq!(agent.prepare(&seeing, &of_seeing).unwrap().supplementary_groups, [FIRST]);
        agent.update(&top, &[resource("db"), resource("log")]).unwrap();
        assert!(recorded(&world, &seeing).supplementary_groups.contains(&FIRST), "it has the volume still");
        for id in [&id, &seeing, &top] {
            agent.cleanup(id).unwrap();
        }
        assert!(is_shared(&world, &source, FIRST));
        assert_eq!(record(&world)[0], (source.to_string(), u64::from(FIRST), false));
    }
}

fn a_path_that_sandboxes_lie_in_is_left_alone(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["containers"]);
    assert_eq!(agent.prepare(&id, &of_nested).unwrap().supplementary_groups, [0_u32; 0]);
    assert!(!world.exists(&record_path(world)));
}

fn without_a_gid_a_nested_container_is_not_prepared(world: &World<'_>) {
    let mut agent = agent_on(world.kernel, world, 1);
    let (top, config) = container(world, vec![resource("db")]);
    agent.prepare(&top, &config).unwrap();
    let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["new"]);
    let before = world.mounts();
    let error = agent.prepare(&id, &of_nested).unwrap_err().to_string();
    assert!(error.contains("no gid is left for volume"), "{error}");
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&config.directory.as_path().join("new")) && agent.container(&id).is_none());
}

fn a_nested_prepare_that_stops_anywhere_leaves_no_group_unrecorded(world: &World<'_>) {
    at_each_call(world, |world, stop| {
        let (top, config) = container(world, vec![]);
        agent(world).prepare(&top, &config).unwrap();
        let path = shared(world, &config);
        let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["shared"]);
        let is_prepared = as_agent(world, stop, |agent| agent.prepare(&id, &of_nested).is_ok());
        let is_recorded = world.exists(&record_path(world)) && !record(world).is_empty();
        assert!(is_recorded || is_given_back(world, &path, 77));
        assert!(!is_prepared || is_shared(world, &path, FIRST));
        let mut agent = agent(world);
        let _ = agent.resume();
        if !is_prepared {
            agent.recover(&[], &[]).unwrap();
            assert_eq!(agent.prepare(&id, &of_nested).unwrap().supplementary_groups, [FIRST]);
        }
        assert!(is_shared(world, &path, FIRST));
        agent.cleanup(&id).unwrap();
        agent.cleanup(&top).unwrap();
        assert!(is_given_back(world, &path, 77));
        assert_eq!(record(world), []);
    });
}

fn a_clean_up_that_stops_anywhere_can_be_repeated(world: &World<'_>) {
    at_each_call(world, |world, stop| {
        let (top, config) = container(world, vec![resource("db")]);
        let path = shared(world, &config);
        {
            let mut agent = agent(world);
            agent.prepare(&top, &config).unwrap();
            let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["shared"]);
            agent.prepare(&id, &of_nested).unwrap();
            agent.cleanup(&id).unwrap();
            agent.remove_runtime(&id).unwrap();
        }
        as_agent(world, stop, |agent| agent.cleanup(&top).is_ok());
        let mut agent = agent(world);
        agent.resume().unwrap();
        agent.cleanup(&top).unwrap();
        assert!(is_given_back(world, &path, 77));
        assert_eq!(record(world).len(), 1, "the persistent volume keeps its own");
    });
}

fn after_a_reboot_the_paths_are_given_back(world: &World<'_>) {
    let mut agent = agent(world);
    let (top, config) = container(world, vec![]);
    agent.prepare(&top, &config).unwrap();
    let path = shared(world, &config);
    let (id, of_nested) = nested(world, (&top, &config), "n", "78", &["shared"]);
    agent.prepare(&id, &of_nested).unwrap();
    agent.recover_gids(false).unwrap();
    assert!(is_shared(world, &path, FIRST));
    agent.recover_gids(true).unwrap();
    assert!(is_given_back(world, &path, 77));
}
