//! Going on after an agent was restarted, has died, or the machine was.

use std::cell::Cell;

use cofferdam::UnixPathBuf;
use cofferdam::isolator::{Isolator, Recovery};
use cofferdam::kernel::{Call, Errno, Intercepted, Interceptor, Kernel, Mode, UmountFlags};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerState, Resource};
use cofferdam::root::create_directories;
use serde_json::Value;

use crate::world::{World, state, volume};

scenarios!(
    a_new_agent_goes_on_with_the_volumes_of_the_old_one,
    another_process_goes_on_without_being_told,
    volumes_are_known_by_what_the_agent_says_too,
    an_orphan_waits_for_its_cleanup,
    a_nested_container_that_nobody_knows_is_cleaned_up,
    a_nested_container_without_mounts_loses_its_runtime_directory,
    what_may_belong_to_others_is_left_alone,
    recovery_can_be_repeated,
    after_a_reboot_there_is_nothing_to_unmount,
    a_volume_that_was_about_to_be_mounted_is_mounted_by_the_next_update,
    a_record_that_is_damaged_is_told,
    only_a_sandbox_is_prepared_or_recovered,
    whenever_an_agent_dies_recovery_leaves_nothing_behind,
    whenever_an_agent_dies_in_update_the_next_one_goes_on,
);

fn plain(id: &str, name: &str) -> Resource {
    volume(id, name, "RW", Value::Null)
}

/// A container with a volume, prepared by an agent that has died since.
fn abandoned(world: &World<'_>, name: &str) -> (ContainerId, ContainerConfig) {
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    let (id, config) = world.container(name, vec![plain("db", "data")]);
    world.agent().prepare(&id, &config).unwrap();
    (id, config)
}

fn target(config: &ContainerConfig) -> UnixPathBuf {
    config.directory.as_path().join("data")
}

fn data_is_there(world: &World<'_>) {
    assert_eq!(world.read(&world.path("work/volumes/roles/role/db/file")), "kept");
}

fn a_new_agent_goes_on_with_the_volumes_of_the_old_one(world: &World<'_>) {
    world.agent();
    let before = world.mounts();
    let (id, config) = abandoned(world, "c");
    let mut agent = world.agent();
    assert_eq!(agent.recover(&[state(&id, &config)], &[]), Ok(Recovery::default()));
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.mounts_at(&target(&config)).len(), 1, "it is not mounted again");
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&target(&config)), "it is unmounted");
    agent.cleanup(&id).unwrap();
    agent.remove_runtime(&id).unwrap();
    assert_eq!(world.mounts(), before);
    data_is_there(world);
}

fn another_process_goes_on_without_being_told(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let (child, child_config) = world.nested((&id, &config), "d");
    let mut agent = world.agent();
    assert_eq!(agent.resume_family(&child), Ok(vec![]));
    agent.prepare(&child, &child_config).unwrap();
    let mut agent = world.agent();
    assert_eq!(agent.resume(), Ok(vec![]));
    assert_eq!(agent.containers().collect::<Vec<_>>(), [&id, &child]);
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&target(&config)));
}

fn volumes_are_known_by_what_the_agent_says_too(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    world.remove_runtime("c");
    let resources = vec![plain("db", "data"), plain("other", "nothing")];
    let executor_info = Some(cofferdam::messages::ExecutorInfo { resources, ..Default::default() });
    let mut agent = world.agent();
    agent.recover(&[ContainerState { executor_info, ..state(&id, &config) }], &[]).unwrap();
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&target(&config)));
    data_is_there(world);
}

/// What a reboot, or an operator, does.
fn an_orphan_waits_for_its_cleanup(world: &World<'_>) {
    world.agent();
    let before = world.mounts();
    let (id, config) = abandoned(world, "c");
    let mut agent = world.agent();
    let recovery = agent.recover(&[], std::slice::from_ref(&id)).unwrap();
    assert_eq!(recovery, Recovery { orphans: vec![id.clone()], ..Recovery::default() });
    assert_eq!(world.mounts_at(&target(&config)).len(), 1, "not yet");
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
    data_is_there(world);
}

fn a_nested_container_that_nobody_knows_is_cleaned_up(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let mut agent = world.agent();
    agent.resume().unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    agent.prepare(&child, &child_config).unwrap();
    let inside = child_config.directory.as_path().join("inside");
    create_directories(world.kernel, &inside, Mode(0o755)).unwrap();
    world.bind(&world.path("work/volumes/roles/role/db"), &inside);
    let mut agent = world.agent();
    let recovery = agent.recover(&[state(&id, &config)], &[]).unwrap();
    assert_eq!(recovery, Recovery { cleaned: vec![child], ..Recovery::default() });
    assert!(world.mounts_at(&inside).is_empty());
    assert_eq!(world.mounts_at(&target(&config)).len(), 1, "its parent is not touched");
    assert!(!world.exists(&world.path("run/containers/c/containers/d")));
    data_is_there(world);
}

fn a_nested_container_without_mounts_loses_its_runtime_directory(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let mut agent = world.agent();
    agent.resume().unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    agent.prepare(&child, &child_config).unwrap();
    let recovery = world.agent().recover(&[state(&id, &config)], &[]).unwrap();
    assert_eq!(recovery, Recovery { cleaned: vec![child], ..Recovery::default() });
    assert!(!world.exists(&world.path("run/containers/c/containers/d")));
}

fn what_may_belong_to_others_is_left_alone(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let elsewhere = world.make_directory("work/elsewhere/containers/x");
    world.bind(&world.path("work/volumes"), &elsewhere);
    let mut agent = world.agent();
    let before = world.mounts();
    let recovery = agent.recover(&[], &[ContainerId::new("another").unwrap()]).unwrap();
    assert_eq!(recovery, Recovery { foreign: vec![id.clone()], ..Recovery::default() });
    assert_eq!(world.mounts(), before);
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts_at(&target(&config)).len(), 1, "it is not known");
}

fn recovery_can_be_repeated(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let orphan = abandoned(world, "o").0;
    let mut agent = world.agent();
    let states = [state(&id, &config)];
    let orphans = [orphan.clone()];
    let first = agent.recover(&states, &orphans).unwrap();
    let after = world.mounts();
    assert_eq!(agent.recover(&states, &orphans), Ok(Recovery::default()), "all is known");
    assert_eq!(world.agent().recover(&states, &orphans), Ok(first));
    assert_eq!(world.mounts(), after);
}

fn after_a_reboot_there_is_nothing_to_unmount(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    world.kernel.umount2(&target(&config), UmountFlags::empty()).unwrap();
    world.kernel.umount2(config.directory.as_path(), UmountFlags::empty()).unwrap();
    world.remove_runtime("c");
    let mut agent = world.agent();
    let before = world.mounts();
    agent.recover(&[state(&id, &config)], &[]).unwrap();
    agent.cleanup(&id).unwrap();
    agent.remove(&id, config.directory.as_path()).unwrap();
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(config.directory.as_path()));
    data_is_there(world);
}

fn a_volume_that_was_about_to_be_mounted_is_mounted_by_the_next_update(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    // It is recorded before it is mounted: here the agent died in between.
    world.kernel.umount2(&target(&config), UmountFlags::empty()).unwrap();
    let mut agent = world.agent();
    agent.resume().unwrap();
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.read(&target(&config).join("file")), "kept");
}

fn a_record_that_is_damaged_is_told(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    let whole: Isolator<&dyn Kernel> = world.agent();
    drop(whole);
    world.write(&world.path("run/containers/c/config"), "{\"directory\":");
    let mut agent = world.agent();
    let unreadable = agent.resume().unwrap();
    assert_eq!(unreadable.len(), 1);
    assert_eq!(unreadable[0].id, id);
    let message = unreadable[0].error.to_string();
    assert!(message.contains("run/containers/c/config") && message.contains("checksum"), "{message}");
    // The agent knows better.
    agent.recover(&[state(&id, &config)], &[]).unwrap();
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&target(&config)));
}

/// What is mounted in a sandbox is unmounted with the container, and what lies there is removed with it.
fn only_a_sandbox_is_prepared_or_recovered(world: &World<'_>) {
    let mut agent = world.agent();
    let id = ContainerId::new("c").unwrap();
    let elsewhere = world.make_directory("elsewhere");
    world.mount_tmpfs(&elsewhere, cofferdam::kernel::MountFlags::empty());
    let before = world.mounts();
    let (_, other) = world.container("other", vec![]);
    let missing = world.path("missing");
    for wrong in [elsewhere.as_path(), cofferdam::UnixPath::new("/"), other.directory.as_path(), missing.as_path()] {
        let config = ContainerConfig { directory: wrong.into(), ..ContainerConfig::default() };
        let recovered = agent.recover(&[state(&id, &config)], &[]).unwrap_err();
        assert!(recovered.to_string().contains("can't be the sandbox of container c"), "{recovered}");
        let prepared = agent.prepare(&id, &config).unwrap_err();
        assert!(wrong == missing.as_path() || prepared.to_string().contains("can't be the sandbox"), "{prepared}");
        assert_eq!(agent.containers().count(), 0);
        assert!(!world.exists(&world.path("run/containers/c")));
    }
    assert_eq!(world.mounts(), before);
}

/// A process that dies before one of its calls: nothing that it does from then on has an effect.
struct Dies {
    calls_left: Cell<usize>,
}

impl Interceptor for Dies {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if self.calls_left.get() == 0 {
            // What a process has open is closed when it dies.
            return if matches!(call, Call::Close { .. }) { Ok(()) } else { Err(Errno::EIO) };
        }
        self.calls_left.set(self.calls_left.get() - 1);
        Ok(())
    }
}

/// Lets an agent die before each of its calls. Gives how often it died.
fn dying(world: &World<'_>, mut life: impl FnMut(&World<'_>, &dyn Fn() -> bool)) -> usize {
    for calls in 0.. {
        let dies = Dies { calls_left: Cell::new(calls) };
        let kernel = Intercepted::new(world.kernel, &dies);
        let its_world = world.through(&kernel);
        life(&its_world, &|| dies.calls_left.get() == 0);
        if dies.calls_left.get() > 0 {
            return calls;
        }
    }
    0
}

fn whenever_an_agent_dies_recovery_leaves_nothing_behind(world: &World<'_>) {
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    let rootfs = world.make_directory("rootfs");
    world.agent();
    let before = world.mounts();
    let (id, config) = world.container("c", vec![plain("db", "data")]);
    let config = ContainerConfig { rootfs: Some(rootfs.into()), ..config };
    let deaths = dying(world, |its_world, is_dead| {
        if let Ok(mut agent) = its_world.create(its_world.config()) {
            let prepared = agent.prepare(&id, &config);
            assert!(prepared.is_ok() || is_dead(), "{prepared:?}");
        }
        let mut agent = world.agent();
        let known = agent.resume().unwrap().is_empty();
        let recovery = agent.recover(&[], &[]).unwrap();
        assert!(recovery.foreign.is_empty(), "{recovery:?}");
        // That it was prepared to the end is for its agent to know.
        if known && agent.containers().any(|other| *other == id) {
            agent.cleanup(&id).unwrap();
            agent.remove_runtime(&id).unwrap();
        }
        assert_eq!(world.mounts(), before);
        assert!(!world.exists(&world.path("run/containers/c")));
        data_is_there(world);
    });
    assert!(deaths > 50, "{deaths} calls are fewer than prepare needs");
}

fn whenever_an_agent_dies_in_update_the_next_one_goes_on(world: &World<'_>) {
    let (id, config) = abandoned(world, "c");
    world.make_directory("work/volumes/roles/role/other");
    let after = || [plain("other", "more")];
    let more = config.directory.as_path().join("more");
    let deaths = dying(world, |its_world, is_dead| {
        world.agent().resume().unwrap();
        if let Ok(mut agent) = its_world.create(its_world.config())
            && agent.resume().is_ok_and(|unreadable| unreadable.is_empty())
        {
            let updated = agent.update(&id, &after());
            assert!(updated.is_ok() || is_dead(), "{updated:?}");
        }
        let mut agent = world.agent();
        assert_eq!(agent.resume(), Ok(vec![]));
        agent.update(&id, &after()).unwrap();
        assert!(!world.exists(&target(&config)), "the old one is gone");
        assert_eq!(world.mounts_at(&more).len(), 1, "the new one is there");
        agent.update(&id, &[plain("db", "data")]).unwrap();
        assert!(!world.exists(&more));
        assert_eq!(world.read(&target(&config).join("file")), "kept");
    });
    assert!(deaths > 30, "{deaths} calls are fewer than update needs");
}
