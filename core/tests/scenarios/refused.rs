//! Records that the kernel refuses to show for once: that says nothing of the containers.

use std::cell::Cell;

use cofferdam::isolator::{Isolator, Recovery};
use cofferdam::kernel::{Call, Errno, Intercepted, Interceptor, Kernel, Mode};
use cofferdam::messages::{ContainerConfig, ContainerId};
use cofferdam::root::create_directories;
use serde_json::Value;

use crate::world::{World, state, volume};

scenarios!(
    a_container_that_can_not_be_looked_at_is_left_alone,
    a_container_that_the_agent_knows_keeps_its_record,
    a_container_that_has_been_seen_meanwhile_is_no_longer_in_doubt,
    what_is_mounted_for_a_damaged_record_can_be_unmounted,
);

/// Lets one call fail: the nth that there is, from 1.
struct Refuses {
    left: Cell<usize>,
    errno: Errno,
}

impl Refuses {
    fn new(errno: Errno) -> Self {
        Self { left: Cell::new(0), errno }
    }

    /// Whether the call has come since it was set.
    fn has(&self) -> bool {
        self.left.replace(0) == 0
    }
}

impl Interceptor for Refuses {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        // What can't be closed stays open.
        if self.left.get() == 0 || matches!(call, Call::Close { .. }) {
            return Ok(());
        }
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 { Err(self.errno) } else { Ok(()) }
    }
}

/// A container with a volume, one nested in it, in whose sandbox something is mounted, by an agent that has died since.
fn family(world: &World<'_>) -> [(ContainerId, ContainerConfig); 2] {
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    let mut agent = world.agent();
    agent.prepare(&id, &config).unwrap();
    let (child, child_config) = world.nested((&id, &config), "d");
    agent.prepare(&child, &child_config).unwrap();
    let inside = child_config.directory.as_path().join("inside");
    create_directories(world.kernel, &inside, Mode(0o755)).unwrap();
    world.bind(&source, &inside);
    [(id, config), (child, child_config)]
}

/// What is said of a container, and of the one that is nested in it, is what is there.
fn is_whole(world: &World<'_>) -> bool {
    let mut agent: Isolator<&dyn Kernel> = world.agent();
    agent.resume().unwrap().is_empty() && agent.containers().count() == 2
}

fn a_container_that_can_not_be_looked_at_is_left_alone(world: &World<'_>) {
    family(world);
    let before = world.mounts();
    for errno in [Errno::EMFILE, Errno::EIO, Errno::EACCES] {
        for nth in 1.. {
            let refuses = Refuses::new(errno);
            let kernel = Intercepted::new(world.kernel, &refuses);
            let mut agent = world.through(&kernel).agent();
            refuses.left.set(nth);
            let resumed = agent.resume();
            if !refuses.has() {
                assert!(nth > 10, "only {nth} calls");
                break;
            }
            // Or else there is nobody who could recover.
            let Ok(unreadable) = resumed else { continue };
            let in_doubt = unreadable.iter().filter(|container| container.error.is_refusal());
            assert_eq!(in_doubt.count(), 1, "{errno:?} at call {nth} was lost: {unreadable:?}");
            assert_eq!(agent.recover(&[], &[]), Ok(Recovery::default()), "{errno:?} at call {nth}");
            assert_eq!(world.mounts(), before, "{errno:?} at call {nth}");
            assert!(is_whole(world), "{errno:?} at call {nth}");
        }
    }
}

fn a_container_that_the_agent_knows_keeps_its_record(world: &World<'_>) {
    let family = family(world);
    let states = family.each_ref().map(|(id, config)| state(id, config));
    let record = |name: &str| world.read(&world.path("run/containers").join(name));
    let records = || [record("c/config"), record("c/containers/d/config"), record("c/volumes")];
    let (mounts, before) = (world.mounts(), records());
    for nth in 1.. {
        let refuses = Refuses::new(Errno::EMFILE);
        let kernel = Intercepted::new(world.kernel, &refuses);
        let mut agent = world.through(&kernel).agent();
        refuses.left.set(nth);
        let recovered = agent.recover(&states, &[]);
        if !refuses.has() {
            assert!(nth > 20, "only {nth} calls");
            break;
        }
        assert!(recovered.is_err(), "the error of call {nth} was lost");
        assert_eq!(records(), before, "call {nth}: {recovered:?}");
        assert_eq!(world.mounts(), mounts, "call {nth}: {recovered:?}");
        assert!(is_whole(world), "call {nth}: {recovered:?}");
    }
}

fn a_container_that_has_been_seen_meanwhile_is_no_longer_in_doubt(world: &World<'_>) {
    let [_, (child, _)] = family(world);
    let refuses = Refuses::new(Errno::EMFILE);
    let kernel = Intercepted::new(world.kernel, &refuses);
    let mut agent = world.through(&kernel).agent();
    let first = (1..).find_map(|nth| {
        refuses.left.set(nth);
        let unreadable = agent.resume_family(&child).ok();
        refuses.left.set(0);
        unreadable.filter(|unreadable| !unreadable.is_empty())
    });
    assert!(first.unwrap()[0].error.is_refusal());
    assert!(agent.resume().unwrap().is_empty());
    assert_eq!(agent.containers().count(), 2);
    agent.cleanup(&child).unwrap();
    assert_eq!(agent.recover(&[], &[]).unwrap().cleaned, [child]);
}

fn what_is_mounted_for_a_damaged_record_can_be_unmounted(world: &World<'_>) {
    world.agent();
    let before = world.mounts();
    let [(id, config), (child, _)] = family(world);
    for record in ["c/config", "c/containers/d/config"] {
        world.write(&world.path("run/containers").join(record), "{\"directory\":");
    }
    let mut agent = world.agent();
    assert_eq!(agent.resume().unwrap().len(), 2);
    let refused = agent.clean_up_unknown(&id).unwrap_err().to_string();
    assert!(refused.contains("c.d"), "{refused}");
    for id in [&child, &id] {
        agent.clean_up_unknown(id).unwrap();
        agent.remove_runtime(id).unwrap();
    }
    assert_eq!(world.mounts(), before);
    assert_eq!(world.read(&world.path("work/volumes/roles/role/db/file")), "kept");
    // Somebody else's, which is not recorded here.
    let target = config.directory.as_path().join("data");
    world.bind(&world.path("work/volumes"), &target);
    agent.clean_up_unknown(&id).unwrap();
    assert_eq!(world.mounts().len(), before.len() + 1);
    world.umount(&target);
}
