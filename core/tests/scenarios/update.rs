//! Volumes that come and go.

use cofferdam::UnixPathBuf;
use cofferdam::isolator::UpdateError;
use cofferdam::kernel::{AtFlags, Errno, Fd, OpenFlags};
use cofferdam::messages::{ContainerConfig, Resource};
use serde_json::{Value, json};

use crate::world::{World, volume};

scenarios!(
    an_error_is_one_line_whatever_the_id_of_a_volume_is,
    a_volume_is_mounted_and_unmounted,
    a_read_only_volume_can_only_be_read,
    volumes_of_path_and_mount_disks,
    a_volume_is_in_a_peer_group_of_its_own,
    a_busy_volume_stays,
    a_volume_that_is_mounted_already_is_left,
    a_mount_point_without_a_mount_is_used,
    something_else_on_the_mount_point_is_an_error,
    a_symbolic_link_is_no_mount_point,
    what_is_remembered_is_what_is_mounted,
    a_volume_that_somebody_has_unmounted_is_forgotten,
    a_volume_named_twice_is_mounted_once,
    a_container_path_with_a_slash_is_skipped,
    a_volume_is_given_to_the_owner_of_the_sandbox,
    a_shared_volume_in_use_keeps_its_owner,
);

fn sandbox(config: &ContainerConfig) -> UnixPathBuf {
    config.directory.as_path().to_path_buf()
}

/// A volume of work_dir, whose directory has a file.
fn with_data(world: &World<'_>, id: &str) -> UnixPathBuf {
    let source = world.make_directory(&format!("work/volumes/roles/role/{id}"));
    world.write(&source.join("file"), id);
    source
}

fn plain(id: &str, name: &str) -> Resource {
    volume(id, name, "RW", Value::Null)
}

fn a_volume_is_mounted_and_unmounted(world: &World<'_>) {
    let mut agent = world.agent();
    let source = with_data(world, "db");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let before = world.mounts();
    let target = sandbox(&config).join("data");
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.read(&target.join("file")), "db");
    world.write(&target.join("new"), "kept");
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.mounts_at(&target).len(), 1, "it is not mounted twice");
    agent.update(&id, &[]).unwrap();
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&target), "the mount point is removed");
    assert_eq!(world.read(&source.join("new")), "kept");
}

fn a_read_only_volume_can_only_be_read(world: &World<'_>) {
    let mut agent = world.agent();
    let source = with_data(world, "db");
    let (id, config) = world.container("c", vec![volume("db", "data", "RO", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    let file = sandbox(&config).join("data/file");
    assert_eq!(world.read(&file), "db");
    assert_eq!(world.open(&file, OpenFlags::O_WRONLY), Err(Errno::EROFS));
    let opened = world.open(&source.join("file"), OpenFlags::O_WRONLY);
    world.kernel.close(opened.expect("the volume itself is not read-only")).unwrap();
}

fn volumes_of_path_and_mount_disks(world: &World<'_>) {
    let mut agent = world.agent();
    let path_volume = world.make_directory("disk/volumes/roles/role/db");
    let mount_volume = world.make_directory("work/mounted");
    world.write(&path_volume.join("file"), "path");
    world.write(&mount_volume.join("file"), "mount");
    let path_source = json!({ "type": "PATH", "path": { "root": world.path("disk").to_string() } });
    let mount_source = json!({ "type": "MOUNT", "mount": { "root": "mounted" } });
    let volumes = vec![volume("db", "a", "RW", path_source), volume("db", "b", "RW", mount_source)];
    let (id, config) = world.container("c", volumes);
    agent.prepare(&id, &config).unwrap();
    assert_eq!(world.read(&sandbox(&config).join("a/file")), "path");
    assert_eq!(world.read(&sandbox(&config).join("b/file")), "mount");
}

fn a_volume_is_in_a_peer_group_of_its_own(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let (id, config) = world.container("c", vec![plain("db", "data")]);
    agent.prepare(&id, &config).unwrap();
    let group = world.mounts_at(&sandbox(&config).join("data"))[0].peer_group;
    assert!(group.is_some(), "or it would not reach the container");
    assert_eq!(world.mounts().iter().filter(|mount| mount.peer_group == group).count(), 1);
}

fn a_busy_volume_stays(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let (id, config) = world.container("c", vec![plain("db", "data")]);
    agent.prepare(&id, &config).unwrap();
    let file = sandbox(&config).join("data/file");
    let open = world.open(&file, OpenFlags::empty()).unwrap();
    let error = agent.update(&id, &[]).unwrap_err().to_string();
    assert!(error.contains("EBUSY") && error.contains("a process uses it"), "{error}");
    assert_eq!(world.read(&file), "db");
    world.kernel.close(open).unwrap();
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&file));
}

fn a_volume_that_is_mounted_already_is_left(world: &World<'_>) {
    let mut agent = world.agent();
    let source = with_data(world, "db");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let target = sandbox(&config).join("data");
    world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/data");
    world.bind(&source, &target);
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.mounts_at(&target).len(), 1);
    agent.update(&id, &[]).unwrap();
    assert!(world.mounts_at(&target).is_empty(), "from now on it is ours");
}

fn a_mount_point_without_a_mount_is_used(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/data");
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.read(&sandbox(&config).join("data/file")), "db");
}

fn something_else_on_the_mount_point_is_an_error(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let other = with_data(world, "other");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let target = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/data");
    world.bind(&other, &target);
    let before = world.mounts();
    let error = agent.update(&id, &[plain("db", "data")]).unwrap_err();
    assert!(matches!(&error, UpdateError::TargetInUse { target: at, .. } if at.as_path() == target), "{error}");
    assert_eq!(world.mounts(), before);
}

fn a_symbolic_link_is_no_mount_point(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let elsewhere = world.make_directory("elsewhere");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let link = sandbox(&config).join("data");
    world.kernel.symlinkat(&elsewhere, Fd::CWD, &link).unwrap();
    let before = world.mounts();
    let error = agent.update(&id, &[plain("db", "data")]).unwrap_err().to_string();
    assert!(error.contains("is a symbolic link") && error.contains(&link.to_string()), "{error}");
    assert_eq!(world.mounts(), before);
}

fn what_is_remembered_is_what_is_mounted(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "one");
    with_data(world, "three");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let before = world.mounts();
    // The second one does not exist.
    agent.update(&id, &[plain("one", "1"), plain("two", "2"), plain("three", "3")]).unwrap_err();
    assert_eq!(world.mounts().len(), before.len() + 1);
    assert_eq!(world.read(&sandbox(&config).join("1/file")), "one");
    agent.update(&id, &[]).unwrap();
    assert_eq!(world.mounts(), before);
}

fn a_volume_that_somebody_has_unmounted_is_forgotten(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let (id, config) = world.container("c", vec![plain("db", "data")]);
    agent.prepare(&id, &config).unwrap();
    let target = sandbox(&config).join("data");
    world.umount(&target);
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&target));
    agent.update(&id, &[plain("db", "data")]).unwrap();
    assert_eq!(world.read(&target.join("file")), "db");
}

fn a_volume_named_twice_is_mounted_once(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let mut other = plain("db", "data");
    other.other.insert("scalar".into(), json!({ "value": 7 }));
    let (id, config) = world.container("c", vec![plain("db", "data"), other.clone()]);
    agent.prepare(&id, &config).unwrap();
    let before = world.mounts();
    agent.update(&id, &[other]).unwrap();
    assert_eq!(world.mounts(), before, "what else a resource says makes no difference");
    agent.update(&id, &[]).unwrap();
    assert!(!world.exists(&sandbox(&config).join("data")));
}

fn a_container_path_with_a_slash_is_skipped(world: &World<'_>) {
    let mut agent = world.agent();
    with_data(world, "db");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let before = world.mounts();
    agent.update(&id, &[plain("db", "a/b"), plain("db", "/a")]).unwrap();
    assert_eq!(world.mounts(), before);
}

fn give_to(world: &World<'_>, path: &UnixPathBuf, uid: u32) {
    world.kernel.fchownat(Fd::CWD, path, Some(uid), Some(uid), AtFlags::empty()).unwrap();
}

fn owner(world: &World<'_>, path: &UnixPathBuf) -> (u32, u32) {
    let stat = world.stat(path).unwrap();
    (stat.uid, stat.gid)
}

fn a_volume_is_given_to_the_owner_of_the_sandbox(world: &World<'_>) {
    let mut agent = world.agent();
    let source = with_data(world, "db");
    let (id, config) = world.container("c", vec![plain("db", "data")]);
    give_to(world, &sandbox(&config), 77);
    agent.prepare(&id, &config).unwrap();
    assert_eq!(owner(world, &source), (77, 77));
    assert_eq!(owner(world, &source.join("file")), (0, 0), "only the volume's root");

    let of_root = with_data(world, "of-root");
    give_to(world, &of_root, 78);
    let (id, config) = world.container("d", vec![plain("of-root", "data")]);
    agent.prepare(&id, &config).unwrap();
    assert_eq!(owner(world, &of_root), (78, 78), "root can use any volume as it is");
}

fn a_shared_volume_in_use_keeps_its_owner(world: &World<'_>) {
    let mut agent = world.agent();
    let source = with_data(world, "db");
    let shared = || Resource { shared: Some(json!({})), ..plain("db", "data") };
    for (name, uid) in [("c", 77), ("d", 78)] {
        let (id, config) = world.container(name, vec![shared()]);
        give_to(world, &sandbox(&config), uid);
        agent.prepare(&id, &config).unwrap();
    }
    assert_eq!(owner(world, &source), (77, 77));
}

fn an_error_is_one_line_whatever_the_id_of_a_volume_is(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![volume("a\u{1b}[2J\nb", "data", "RW", Value::Null)]);
    let error = agent.prepare(&id, &config).unwrap_err().to_string();
    assert!(error.contains(r#"persistent volume "a\033[2J\nb": "#) && !error.contains(char::is_control), "{error}");
}
