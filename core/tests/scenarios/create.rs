//! Making a host ready.

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::{CreateError, Isolator};
use cofferdam::kernel::{
    AtFlags, CloneFlags, DeviceNumber, Errno, Fd, FileType, Mode, MountAttr, MountFlags, NodeMode, OpenFlags,
    WaitOptions, WaitStatus,
};
use cofferdam::layout::Layout;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf};

use crate::world::World;

scenarios!(
    a_private_work_dir_becomes_a_shared_mount,
    a_work_dir_that_is_a_mount_shared_alone_is_left_as_it_is,
    a_work_dir_in_a_shared_mount_becomes_one_of_its_own,
    a_work_dir_whose_peer_group_lies_above_it_gets_its_own,
    a_work_dir_on_a_slave_mount_becomes_shared,
    create_again_changes_nothing,
    create_after_a_crash_before_the_mount_was_shared_shares_it,
    what_is_mounted_below_work_dir_stays_visible,
    devices_work_below_a_nodev_runtime_dir,
    the_directory_of_the_devices_becomes_a_mount_of_its_own,
    work_dir_may_be_a_symbolic_link,
    a_relative_or_missing_work_dir_is_refused,
    a_configuration_that_makes_no_sense_is_refused,
    nothing_is_mounted_where_the_table_does_not_show_all,
    nothing_is_mounted_if_the_runtime_dir_can_not_be_bound,
);

fn a_private_work_dir_becomes_a_shared_mount(world: &World<'_>) {
    let world = world.apart("private", MountFlags::MS_PRIVATE);
    world.agent();
    let [mount] = &world.mounts_at(&world.path("work"))[..] else { panic!("no mount") };
    assert!(mount.peer_group.is_some());
    assert_eq!(world.mounts().iter().filter(|other| other.peer_group == mount.peer_group).count(), 1);
}

fn a_work_dir_that_is_a_mount_shared_alone_is_left_as_it_is(world: &World<'_>) {
    let work = world.make_directory("work");
    world.mount_tmpfs(&work, MountFlags::empty());
    world.propagation(&work, MountFlags::MS_SHARED);
    let before = world.mounts_at(&work);
    world.agent();
    assert_eq!(world.mounts_at(&work), before);
}

fn a_work_dir_in_a_shared_mount_becomes_one_of_its_own(world: &World<'_>) {
    let world = world.apart("shared", MountFlags::MS_SHARED);
    world.agent();
    let [mount] = &world.mounts_at(&world.path("work"))[..] else { panic!("no mount") };
    assert!(mount.peer_group.is_some() && mount.peer_group != world.mounts_at(&world.directory)[0].peer_group);
}

fn a_work_dir_whose_peer_group_lies_above_it_gets_its_own(world: &World<'_>) {
    world.propagation(&world.directory, MountFlags::MS_SHARED);
    let work = world.make_directory("work");
    // A plain bind joins the peer group of what it copies.
    world.bind(&work, &work);
    let above = world.mounts_at(&world.directory)[0].peer_group;
    assert_eq!(world.mounts_at(&work)[0].peer_group, above);
    world.agent();
    let [mount] = &world.mounts_at(&work)[..] else { panic!("another mount") };
    assert!(mount.peer_group.is_some() && mount.peer_group != above);
}

fn a_work_dir_on_a_slave_mount_becomes_shared(world: &World<'_>) {
    let master = world.make_directory("master");
    world.mount_tmpfs(&master, MountFlags::empty());
    world.propagation(&master, MountFlags::MS_SHARED);
    let work = world.make_directory("work");
    world.bind(&master, &work);
    world.propagation(&work, MountFlags::MS_SLAVE);
    world.agent();
    let [mount] = &world.mounts_at(&work)[..] else { panic!("another mount") };
    assert!(mount.peer_group.is_some());
    assert_eq!(world.mounts_at(&master)[0].master, None);
}

fn create_again_changes_nothing(world: &World<'_>) {
    world.mount_tmpfs(&world.make_directory("run"), MountFlags::MS_NODEV);
    world.agent();
    let before = world.mounts();
    world.agent();
    assert_eq!(world.mounts(), before);
}

fn create_after_a_crash_before_the_mount_was_shared_shares_it(world: &World<'_>) {
    let work = world.make_directory("work");
    world.bind(&work, &work);
    world.agent();
    let [mount] = &world.mounts_at(&work)[..] else { panic!("another mount") };
    assert!(mount.peer_group.is_some());
}

fn what_is_mounted_below_work_dir_stays_visible(world: &World<'_>) {
    let disk = world.make_directory("work/disk");
    world.mount_tmpfs(&disk, MountFlags::empty());
    world.write(&disk.join("file"), "data");
    world.agent();
    assert_eq!(world.read(&disk.join("file")), "data");
}

fn devices_work_below_a_nodev_runtime_dir(world: &World<'_>) {
    let run = world.make_directory("run");
    world.mount_tmpfs(&run, MountFlags::MS_NODEV | MountFlags::MS_NOSUID);
    let null = |path: &UnixPath| {
        let mode = NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) };
        world.kernel.mknodat(Fd::CWD, path, mode, DeviceNumber::NULL).unwrap();
        let opened = world.open(path, OpenFlags::O_WRONLY).map(|fd| world.kernel.close(fd).unwrap());
        world.kernel.unlinkat(Fd::CWD, path, AtFlags::empty()).unwrap();
        opened
    };
    world.agent();
    assert_eq!(null(&run.join("containers/null")), Ok(()));
    assert_eq!(null(&run.join("null")), Err(Errno::EACCES), "the flag is cleared where it must be, not elsewhere");
    let [mount] = &world.mounts_at(&run.join("containers"))[..] else { panic!("no mount") };
    assert!(!mount.mount_options.ends_with(b"nodev"), "{mount}");

    // The step that a crash may have left out, on a mount that is there.
    let nodev = MountAttr { attr_set: cofferdam::kernel::MountAttrFlags::MOUNT_ATTR_NODEV, ..MountAttr::default() };
    world.kernel.mount_setattr(Fd::CWD, &run.join("containers"), AtFlags::empty(), &nodev).unwrap();
    world.agent();
    assert_eq!(null(&run.join("containers/null")), Ok(()));
    assert_eq!(world.mounts_at(&run.join("containers")).len(), 1);
}

fn the_directory_of_the_devices_becomes_a_mount_of_its_own(world: &World<'_>) {
    world.agent();
    let [mount] = &world.mounts_at(&world.path("run/containers"))[..] else { panic!("no mount") };
    let below = world.mounts_at(&world.directory)[0].peer_group;
    assert!(mount.peer_group != below || below.is_none(), "no copy of it is walked by what is mounted around it");
}

fn work_dir_may_be_a_symbolic_link(world: &World<'_>) {
    let world = world.apart("private", MountFlags::MS_PRIVATE);
    let real = world.make_directory("real");
    world.kernel.symlinkat(&real, Fd::CWD, &world.path("work")).unwrap();
    let agent = world.create(world.config()).unwrap();
    assert_eq!(agent.config().layout.work_dir, real);
    assert_eq!(world.mounts_at(&real).len(), 1);
}

fn a_relative_or_missing_work_dir_is_refused(world: &World<'_>) {
    let before = world.mounts();
    let mut config = world.config();
    let missing = world.create(config.clone()).unwrap_err();
    assert_eq!(missing, CreateError::MissingWorkDir(world.path("work").into()));
    config.layout = Layout { work_dir: UnixPathBuf::from("work"), ..config.layout };
    let relative = world.create(config).unwrap_err();
    assert!(matches!(relative, CreateError::RelativeDirectory { name: "work_dir", .. }), "{relative}");
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&world.path("run")), "a refusal changes nothing");
}

fn a_configuration_that_makes_no_sense_is_refused(world: &World<'_>) {
    world.make_directory("work");
    let before = world.mounts();
    let mut config = world.config();
    config.readonly_paths = vec!["opt".into()];
    config.tmpfs_sizes.insert("/proc".into(), "1m".into());
    let refused = world.create(config).unwrap_err().to_string();
    assert!(refused.contains("readonly_paths[0]: it must be an absolute path, but is \"opt\""), "{refused}");
    assert!(refused.contains("tmpfs_sizes.\"/proc\": no tmpfs is mounted on \"/proc\""), "{refused}");
    assert_eq!(world.mounts(), before);
    assert!(!world.exists(&world.path("run")), "a refusal changes nothing");
}

/// Whose root is no mount is not shown the one that it is in.
fn nothing_is_mounted_where_the_table_does_not_show_all(world: &World<'_>) {
    let root = world.make_directory("root");
    let work = world.make_directory("root/work");
    world.bind(UnixPath::new("/proc"), &world.make_directory("root/proc"));
    world.mount_tmpfs(&work, MountFlags::empty());
    world.propagation(&work, MountFlags::MS_PRIVATE);
    let before = world.mounts();
    let child = world.kernel.clone3(CloneFlags::empty(), &mut |kernel| {
        kernel.chroot(&root).unwrap();
        kernel.chdir(UnixPath::new("/")).unwrap();
        let layout = Layout { work_dir: "/work".into(), runtime_dir: "/run/agent".into() };
        let created = Isolator::create(kernel, AgentConfig::new(layout), Box::new(NumericUsers));
        i32::from(!matches!(created.err(), Some(CreateError::MountNotFound(_))))
    });
    let child = child.unwrap();
    let ended = world.kernel.wait4(child, WaitOptions::empty()).unwrap();
    assert_eq!(ended, Some((child, WaitStatus::Exited(0))));
    assert_eq!(world.mounts(), before);
}

fn nothing_is_mounted_if_the_runtime_dir_can_not_be_bound(world: &World<'_>) {
    let world = world.apart("private", MountFlags::MS_PRIVATE);
    world.make_directory("work");
    let run = world.make_directory("run");
    world.mount_tmpfs(&run, MountFlags::MS_NODEV);
    world.propagation(&run, MountFlags::MS_UNBINDABLE);
    let before = world.mounts();
    let refused = world.create(world.config()).unwrap_err().to_string();
    assert!(refused.contains("run/containers\": EINVAL") && refused.contains("unbindable"), "{refused}");
    assert_eq!(world.mounts(), before);
}
