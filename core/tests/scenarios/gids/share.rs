//! Which gid a volume gets.

use cofferdam::kernel::{AtFlags, DeviceNumber, Errno, Fd, FileType, Mode, NodeMode};
use cofferdam::volumes::{GidError, GidGauges, VolumeKind};
use cofferdam::{UnixPath, UnixPathBuf};

use super::{FIRST, Users, chown, group, is_shared, manager, mode, record, record_path, remove, volume};
use crate::world::World;

scenarios!(
    each_volume_gets_the_lowest_free_gid,
    a_volume_keeps_its_gid,
    a_group_in_the_range_is_the_volumes_gid,
    a_volume_that_was_made_anew_gets_the_group_again,
    a_freed_gid_is_allocated_again,
    a_range_that_is_used_up_is_an_error,
    a_gid_outside_of_the_range_stays_with_its_volume,
    gauges_need_no_record,
    what_is_no_volume_is_refused,
    a_symbolic_link_in_a_sandbox_is_refused,
    a_damaged_record_is_an_error_that_changes_nothing,
    the_record_is_nobody_elses,
);

fn each_volume_gets_the_lowest_free_gid(world: &World<'_>) {
    let gids = manager(world, 10);
    for (number, kind) in (0..).zip([VolumeKind::Persistent, VolumeKind::SandboxPath]) {
        let path = volume(world, &format!("volume{number}"));
        assert_eq!(gids.allocate(world.kernel, &path, kind), Ok(FIRST + number));
        assert!(is_shared(world, &path, FIRST + number));
        assert_eq!(world.stat(&path).unwrap().uid, 77, "the owner stays");
    }
    let json: serde_json::Value = serde_json::from_str(&world.read(&record_path(world))).unwrap();
    let entry = |kind: &str, name: &str, gid: u32| serde_json::json!({ "type": kind, "path": world.path(name).to_string(), "gid": gid });
    let infos = [entry("PERSISTENT", "volume0", FIRST), entry("SANDBOX_PATH", "volume1", FIRST + 1)];
    assert_eq!(json["record"], serde_json::json!({ "infos": infos }));
    assert_eq!(gids.gauges(world.kernel), Ok(GidGauges { total: 10, free: 8 }));
}

fn a_volume_keeps_its_gid(world: &World<'_>) {
    let path = volume(world, "volume");
    for spelling in [path.clone(), UnixPathBuf::from(format!("/{}/./", path.display()))] {
        // Each command has a manager of its own.
        let gids = manager(world, 10);
        assert_eq!(gids.allocate(world.kernel, &spelling, VolumeKind::Persistent), Ok(FIRST));
        assert_eq!(record(world).len(), 1);
    }
}

fn a_group_in_the_range_is_the_volumes_gid(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = volume(world, "volume");
    chown(world, &path, 77, FIRST + 5);
    assert_eq!(gids.allocate(world.kernel, &path, VolumeKind::Persistent), Ok(FIRST + 5));
    assert!(is_shared(world, &path, FIRST + 5), "its tree may have been left unfinished");
    assert_eq!(record(world), [(path.to_string(), u64::from(FIRST + 5), false)]);

    // As a nested container sees a volume of its parent.
    let bound = world.make_directory("bound");
    world.bind(&path, &bound);
    assert_eq!(gids.allocate(world.kernel, &bound, VolumeKind::SandboxPath), Ok(FIRST + 5));
    assert_eq!(gids.gauges(world.kernel).unwrap().free, 9);
}

fn a_volume_that_was_made_anew_gets_the_group_again(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = volume(world, "volume");
    gids.allocate(world.kernel, &path, VolumeKind::Persistent).unwrap();
    remove(world, &path);
    volume(world, "volume");
    assert_eq!(gids.allocate(world.kernel, &path, VolumeKind::Persistent), Ok(FIRST));
    assert!(is_shared(world, &path, FIRST));
}

fn a_freed_gid_is_allocated_again(world: &World<'_>) {
    let gids = manager(world, 2);
    let [one, two, three] = ["one", "two", "three"].map(|name| volume(world, name));
    for path in [&one, &two] {
        gids.allocate(world.kernel, path, VolumeKind::Persistent).unwrap();
    }
    remove(world, &one);
    gids.deallocate(world.kernel, &Users, &one).unwrap();
    assert_eq!(gids.allocate(world.kernel, &three, VolumeKind::Persistent), Ok(FIRST));
    assert!(is_shared(world, &three, FIRST));
    assert!(is_shared(world, &two, FIRST + 1));
}

fn a_range_that_is_used_up_is_an_error(world: &World<'_>) {
    let gids = manager(world, 1);
    let [one, two] = ["one", "two"].map(|name| volume(world, name));
    gids.allocate(world.kernel, &one, VolumeKind::Persistent).unwrap();
    let before = world.read(&record_path(world));
    let error = gids.allocate(world.kernel, &two, VolumeKind::Persistent).unwrap_err();
    assert!(matches!(&error, GidError::RangeUsedUp { path, .. } if path.as_path() == two), "{error}");
    for part in ["range 10000-10000", "configure a larger range", "remove volumes"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(world.read(&record_path(world)), before);
    assert_eq!((group(world, &two), mode(world, &two)), (77, 0o755), "nothing has changed");
    assert_eq!(gids.gauges(world.kernel), Ok(GidGauges { total: 1, free: 0 }));
}

fn a_gid_outside_of_the_range_stays_with_its_volume(world: &World<'_>) {
    let before = manager(world, 10);
    let [one, two, three] = ["one", "two", "three"].map(|name| volume(world, name));
    for path in [&one, &two] {
        before.allocate(world.kernel, path, VolumeKind::Persistent).unwrap();
    }
    // The agent is started again with another range, which has the second gid.
    let range = cofferdam::agent::GidRange::new(FIRST + 1, FIRST + 3).unwrap();
    let gids = cofferdam::volumes::GidManager::new(&world.config().layout, range);
    gids.recover(world.kernel, &Users, false).unwrap();
    assert_eq!(gids.gauges(world.kernel), Ok(GidGauges { total: 3, free: 2 }));
    assert_eq!(gids.allocate(world.kernel, &one, VolumeKind::Persistent), Ok(FIRST));
    assert_eq!(gids.allocate(world.kernel, &two, VolumeKind::Persistent), Ok(FIRST + 1));
    assert_eq!(gids.allocate(world.kernel, &three, VolumeKind::Persistent), Ok(FIRST + 2));
    // And again as before: the old gid is not given away.
    let four = volume(world, "four");
    assert_eq!(manager(world, 10).allocate(world.kernel, &four, VolumeKind::Persistent), Ok(FIRST + 3));
}

fn gauges_need_no_record(world: &World<'_>) {
    let gids = manager(world, 10);
    assert_eq!(gids.gauges(world.kernel), Ok(GidGauges { total: 10, free: 10 }));
    gids.recover(world.kernel, &Users, true).unwrap();
    gids.deallocate(world.kernel, &Users, &world.path("volume")).unwrap();
    assert!(!world.exists(&world.config().layout.meta()), "where there is nothing to record nothing is made");
}

fn what_is_no_volume_is_refused(world: &World<'_>) {
    let gids = manager(world, 10);
    let kernel = world.kernel;
    for (path, reason) in [("volume", "not absolute"), ("/a/../b", "\"..\""), ("/", "root directory")] {
        let path = UnixPath::new(path);
        let error = gids.allocate(kernel, path, VolumeKind::Persistent).unwrap_err();
        assert!(matches!(error, GidError::InvalidPath { .. }) && error.to_string().contains(reason), "{error}");
        assert_eq!(gids.deallocate(kernel, &Users, path).unwrap_err(), error);
    }
    let fifo = world.path("fifo");
    let node = NodeMode { file_type: FileType::Fifo, mode: Mode(0o600) };
    kernel.mknodat(Fd::CWD, &fifo, node, DeviceNumber::NONE).unwrap();
    let error = gids.allocate(kernel, &fifo, VolumeKind::SandboxPath).unwrap_err();
    assert!(matches!(error, GidError::InvalidPath { .. }), "{error}");
    for (kind, errno) in [(VolumeKind::Persistent, Errno::ENOTDIR), (VolumeKind::SandboxPath, Errno::ENOENT)] {
        let path = if errno == Errno::ENOENT { world.path("missing") } else { fifo.clone() };
        let error = gids.allocate(kernel, &path, kind).unwrap_err();
        assert!(matches!(&error, GidError::Call(call) if call.errno == errno), "{error}");
    }
    assert!(!world.exists(&record_path(world)), "a refusal changes nothing");
    assert_eq!(group(world, &fifo), 0);
}

fn a_symbolic_link_in_a_sandbox_is_refused(world: &World<'_>) {
    let gids = manager(world, 10);
    let outside = volume(world, "outside");
    world.make_directory("sandbox");
    let link = world.path("sandbox/link");
    world.kernel.symlinkat(&outside, Fd::CWD, &link).unwrap();
    for path in [link.clone(), link.join("inner")] {
        let error = gids.allocate(world.kernel, &path, VolumeKind::SandboxPath).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
    assert!(!world.exists(&record_path(world)));

    // One that comes later is not followed either.
    world.kernel.unlinkat(Fd::CWD, &link, AtFlags::empty()).unwrap();
    volume(world, "sandbox/link");
    gids.allocate(world.kernel, &link, VolumeKind::SandboxPath).unwrap();
    remove(world, &link);
    world.kernel.symlinkat(&outside, Fd::CWD, &link).unwrap();
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    assert_eq!(record(world), []);
    assert!(super::is_given_back(world, &outside, 77), "as it was");
}

fn a_damaged_record_is_an_error_that_changes_nothing(world: &World<'_>) {
    let gids = manager(world, 10);
    let [one, two] = ["one", "two"].map(|name| volume(world, name));
    gids.allocate(world.kernel, &one, VolumeKind::Persistent).unwrap();
    let file = record_path(world);
    let whole = world.read(&file);
    for damage in ["", &whole[..whole.len() / 2], "null"] {
        world.write(&file, damage);
        let kernel = world.kernel;
        let errors = [
            gids.allocate(kernel, &one, VolumeKind::Persistent).unwrap_err(),
            gids.allocate(kernel, &two, VolumeKind::Persistent).unwrap_err(),
            gids.deallocate(kernel, &Users, &one).unwrap_err(),
            gids.recover(kernel, &Users, true).unwrap_err(),
            gids.gauges(kernel).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, GidError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains(&file.to_string()), "{error}");
            assert!(error.to_string().contains("restore it"), "{error}");
        }
        assert_eq!(world.read(&file), damage);
        assert_eq!(group(world, &two), 77);
    }
    world.write(&file, &whole);
    assert_eq!(gids.allocate(world.kernel, &two, VolumeKind::Persistent), Ok(FIRST + 1));
}

fn the_record_is_nobody_elses(world: &World<'_>) {
    let gids = manager(world, 10);
    gids.allocate(world.kernel, &volume(world, "volume"), VolumeKind::Persistent).unwrap();
    let layout = world.config().layout;
    assert_eq!(mode(world, &layout.volume_gid_manager()), 0o700, "whoever can open it can hold its lock");
    assert_eq!(mode(world, &layout.volume_gids()), 0o600);
}
