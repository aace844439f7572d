//! Containers whose volumes have groups.

use cofferdam::UnixPathBuf;
use cofferdam::agent::{AgentConfig, GidRange};
use cofferdam::isolator::{Isolator, PrepareError, UpdateError};
use cofferdam::kernel::Kernel;
use cofferdam::messages::{ContainerConfig, ContainerId, Resource};
use cofferdam::volumes::{GidError, GidGauges};
use serde_json::{Value, json};

use super::{FIRST, chown, group, is_given_back, is_shared, record, record_path, remove, volume};
use crate::world::{self, World};

scenarios!(
    users_without_privileges_share_a_volume,
    a_task_with_its_own_rootfs_gets_the_groups_itself,
    roots_containers_leave_volumes_as_they_are,
    volumes_of_resource_providers_change_their_owner,
    without_a_range_volumes_change_their_owner,
    volumes_that_come_later_get_groups_too,
    without_a_gid_nothing_is_prepared,
    gids_are_freed_through_the_isolator,
);

fn agent<'k>(world: &World<'k>, count: u32) -> Isolator<&'k dyn Kernel> {
    world.make_directory("work");
    let range = GidRange::new(FIRST, FIRST + count - 1).unwrap();
    world.create(AgentConfig { volume_gid_range: Some(range), ..world.config() }).unwrap()
}

/// A persistent volume of user 77.
fn persistent(world: &World<'_>, id: &str) -> UnixPathBuf {
    volume(world, &format!("work/volumes/roles/role/{id}"))
}

fn resource(id: &str) -> Resource {
    world::volume(id, id, "RW", Value::Null)
}

/// A container of a user.
fn container(world: &World<'_>, name: &str, uid: u32, resources: Vec<Resource>) -> (ContainerId, ContainerConfig) {
    let (id, config) = world.container(name, resources);
    chown(world, config.directory.as_path(), uid, uid);
    (id, config)
}

fn users_without_privileges_share_a_volume(world: &World<'_>) {
    let mut agent = agent(world, 10);
    let [db, log] = ["db", "log"].map(|id| persistent(world, id));
    let shared = || Resource { shared: Some(json!({})), ..resource("db") };
    let (id, config) = container(world, "c", 77, vec![shared(), resource("log")]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!((info.supplementary_groups, info.task_supplementary_groups), (vec![FIRST, FIRST + 1], vec![]));
    assert!(is_shared(world, &db, FIRST) && is_shared(world, &log, FIRST + 1));

    let (id, config) = container(world, "d", 78, vec![shared()]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.supplementary_groups, [FIRST]);
    assert_eq!(world.stat(&db).unwrap().uid, 77, "the owner stays");
    assert!(is_shared(world, &config.directory.as_path().join("db"), FIRST), "it is mounted there");
}

fn a_task_with_its_own_rootfs_gets_the_groups_itself(world: &World<'_>) {
    let mut agent = agent(world, 10);
    persistent(world, "db");
    let rootfs = Some(world.make_directory("rootfs").into());
    let task_info = Some(json!({ "name": "task" }));
    let cases = [
        (rootfs.clone(), task_info.clone(), true),
        (rootfs, None, false),
        (None, task_info, false),
        (None, None, false),
    ];
    for (number, (rootfs, task_info, is_of_task)) in cases.into_iter().enumerate() {
        let (id, config) = container(world, &format!("c{number}"), 77, vec![resource("db")]);
        let info = agent.prepare(&id, &ContainerConfig { rootfs, task_info, ..config }).unwrap();
        let expected = if is_of_task { (vec![], vec![FIRST]) } else { (vec![FIRST], vec![]) };
        assert_eq!((info.supplementary_groups, info.task_supplementary_groups), expected, "case {number}");
    }
}

fn roots_containers_leave_volumes_as_they_are(world: &World<'_>) {
    let mut agent = agent(world, 10);
    let db = persistent(world, "db");
    let (id, config) = container(world, "c", 0, vec![resource("db")]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.supplementary_groups, [0_u32; 0]);
    assert!(is_given_back(world, &db, 77), "as it was");
    assert!(!world.exists(&record_path(world)));
}

fn volumes_of_resource_providers_change_their_owner(world: &World<'_>) {
    let mut agent = agent(world, 10);
    let db = persistent(world, "db");
    let provided = Resource { provider_id: Some(json!({ "value": "csi" })), ..resource("db") };
    let (id, config) = container(world, "c", 78, vec![provided]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.supplementary_groups, [0_u32; 0]);
    assert_eq!((world.stat(&db).unwrap().uid, group(world, &db)), (78, 78));
    assert_eq!(group(world, &db.join("inner")), 77, "only the volume's root");
    assert!(!world.exists(&record_path(world)));
}

fn without_a_range_volumes_change_their_owner(world: &World<'_>) {
    let mut agent = world.agent();
    let db = persistent(world, "db");
    let (id, config) = container(world, "c", 78, vec![resource("db")]);
    let info = agent.prepare(&id, &config).unwrap();
    assert_eq!(info.supplementary_groups, [0_u32; 0]);
    assert_eq!((world.stat(&db).unwrap().uid, group(world, &db)), (78, 78));
    assert!(agent.gid_manager().is_none());
    agent.recover_gids(true).unwrap();
    agent.deallocate_gids(&db).unwrap();
    assert_eq!(agent.gid_gauges(), Ok(None));
}

fn volumes_that_come_later_get_groups_too(world: &World<'_>) {
    let mut agent = agent(world, 10);
    let [db, log] = ["db", "log"].map(|id| persistent(world, id));
    let (id, config) = container(world, "c", 77, vec![resource("db")]);
    agent.prepare(&id, &config).unwrap();
    agent.update(&id, &[resource("db"), resource("log")]).unwrap();
    assert!(is_shared(world, &db, FIRST) && is_shared(world, &log, FIRST + 1));
    agent.update(&id, &[]).unwrap();
    assert!(is_shared(world, &db, FIRST), "a volume keeps its gid while it exists");
}

fn without_a_gid_nothing_is_prepared(world: &World<'_>) {
    let mut agent = agent(world, 1);
    let [_, log] = ["db", "log"].map(|id| persistent(world, id));
    let (id, config) = container(world, "c", 77, vec![resource("db"), resource("log")]);
    let before = world.mounts();
    let error = agent.prepare(&id, &config).unwrap_err();
    assert!(
        matches!(&error, PrepareError::Update(UpdateError::Gid(GidError::RangeUsedUp { path, .. })) if path.as_path() == log),
        "{error}"
    );
    assert_eq!(world.mounts(), before);
    assert!(is_given_back(world, &log, 77), "as it was");
    assert_eq!(agent.containers().count(), 0);
}

fn gids_are_freed_through_the_isolator(world: &World<'_>) {
    let mut agent = agent(world, 2);
    let [db, log] = ["db", "log"].map(|id| persistent(world, id));
    let (id, config) = container(world, "c", 77, vec![resource("db"), resource("log")]);
    agent.prepare(&id, &config).unwrap();
    assert_eq!(agent.gid_gauges(), Ok(Some(GidGauges { total: 2, free: 0 })));
    agent.cleanup(&id).unwrap();
    remove(world, &db);
    agent.deallocate_gids(&db).unwrap();
    assert_eq!(agent.gid_gauges().unwrap().unwrap().free, 1);
    remove(world, &log);
    agent.recover_gids(false).unwrap();
    assert_eq!(record(world), []);
}
