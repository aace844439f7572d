//! When a gid is free again.

use cofferdam::kernel::{AtFlags, Bytes, Call, Errno, Fd, Intercepted, Interceptor, Kernel};
use cofferdam::volumes::{GidError, VolumeKind};
use cofferdam::{UnixPath, UnixPathBuf};

use super::{FIRST, STRANGER, Users, chown, group, is_given_back, is_shared, manager, record, remove, volume};
use crate::world::World;

scenarios!(
    below_is_meant_by_component,
    volumes_in_a_sandbox_are_given_back,
    a_volume_that_is_gone_is_no_error,
    an_owner_that_nobody_knows_is_an_error_for_one_volume,
    a_gid_that_another_volume_has_is_not_given_back,
    recovery_frees_what_no_longer_exists,
    recovery_after_a_reboot_frees_what_is_in_sandboxes,
    recovery_tries_every_volume,
);

fn paths(world: &World<'_>) -> Vec<String> {
    record(world).into_iter().map(|(path, _, _)| path).collect()
}

fn below_is_meant_by_component(world: &World<'_>) {
    let gids = manager(world, 10);
    let names = ["s/b", "s/b/one", "s/b/two/three", "s/bc", "s/bc/four"];
    let volumes = names.map(|name| volume(world, name));
    // From the inside out: the outer one has its own group then.
    for path in volumes.iter().rev() {
        gids.allocate(world.kernel, path, VolumeKind::SandboxPath).unwrap();
    }
    gids.deallocate(world.kernel, &Users, &world.path("s/b/tw")).unwrap();
    gids.deallocate(world.kernel, &Users, &world.path("s/b/one/inner")).unwrap();
    assert_eq!(paths(world).len(), 5, "neither is above one");
    gids.deallocate(world.kernel, &Users, &world.path("s/b")).unwrap();
    assert_eq!(paths(world), [volumes[4].to_string(), volumes[3].to_string()]);
    for path in &volumes[..3] {
        assert_eq!(group(world, path), 1077, "{path:?}");
    }
}

fn volumes_in_a_sandbox_are_given_back(world: &World<'_>) {
    let gids = manager(world, 10);
    let [inner, persistent] = ["sandbox/shared", "sandbox/persistent"].map(|name| volume(world, name));
    gids.allocate(world.kernel, &inner, VolumeKind::SandboxPath).unwrap();
    gids.allocate(world.kernel, &persistent, VolumeKind::Persistent).unwrap();
    let theirs = inner.join("theirs");
    world.write(&theirs, "");
    chown(world, &theirs, 78, FIRST);
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    assert!(is_given_back(world, &inner, 1077), "to the primary group of its owner");
    assert_eq!(group(world, &theirs), 1077, "with all that is in it");
    assert!(is_shared(world, &persistent, FIRST + 1), "that is for whoever removes it");
    assert_eq!(record(world), []);
    assert_eq!(gids.gauges(world.kernel).unwrap().free, 10);
}

fn a_volume_that_is_gone_is_no_error(world: &World<'_>) {
    let gids = manager(world, 10);
    let volumes = ["sandbox/gone", "sandbox/up/file"].map(|name| volume(world, name));
    for path in &volumes {
        gids.allocate(world.kernel, path, VolumeKind::SandboxPath).unwrap();
        remove(world, path);
    }
    let up = world.path("sandbox/up");
    world.kernel.unlinkat(Fd::CWD, &up, AtFlags::AT_REMOVEDIR).unwrap();
    world.write(&up, "no directory");
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    assert_eq!(record(world), []);
}

fn an_owner_that_nobody_knows_is_an_error_for_one_volume(world: &World<'_>) {
    let gids = manager(world, 10);
    let [one, strange, two] = ["s/one", "s/strange", "s/two"].map(|name| volume(world, name));
    for path in [&one, &strange, &two] {
        gids.allocate(world.kernel, path, VolumeKind::SandboxPath).unwrap();
    }
    chown(world, &strange, STRANGER, FIRST + 1);
    let error = gids.deallocate(world.kernel, &Users, &world.path("s")).unwrap_err();
    let GidError::NotFreed(errors) = &error else { panic!("{error}") };
    assert!(matches!(&errors[..], [GidError::Owner { path, .. }] if path.as_path() == strange), "{error}");
    assert!(error.to_string().contains("there is no user 66"), "{error}");
    assert_eq!(record(world), [(strange.to_string(), u64::from(FIRST + 1), true)], "the others are freed");
    assert!(is_given_back(world, &one, 1077) && is_given_back(world, &two, 1077));

    chown(world, &strange, 77, FIRST + 1);
    gids.deallocate(world.kernel, &Users, &world.path("s")).unwrap();
    assert!(is_given_back(world, &strange, 1077));
    assert_eq!(record(world), []);
}

/// As when a nested container uses a persistent volume of its parent: it is mounted in the sandbox.
fn a_gid_that_another_volume_has_is_not_given_back(world: &World<'_>) {
    let gids = manager(world, 10);
    let persistent = volume(world, "persistent");
    let bound = world.make_directory("sandbox/bound");
    world.bind(&persistent, &bound);
    gids.allocate(world.kernel, &persistent, VolumeKind::Persistent).unwrap();
    assert_eq!(gids.allocate(world.kernel, &bound, VolumeKind::SandboxPath), Ok(FIRST));
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    assert_eq!(record(world), [(persistent.to_string(), u64::from(FIRST), false)]);
    assert!(is_shared(world, &persistent, FIRST));
    assert_eq!(gids.gauges(world.kernel).unwrap().free, 9);
}

fn four_volumes(world: &World<'_>) -> [UnixPathBuf; 4] {
    let gids = manager(world, 10);
    let kinds = [VolumeKind::Persistent, VolumeKind::Persistent, VolumeKind::SandboxPath, VolumeKind::SandboxPath];
    let volumes = ["db", "gone", "s/shared", "s/gone"].map(|name| volume(world, name));
    for (path, kind) in volumes.iter().zip(kinds) {
        gids.allocate(world.kernel, path, kind).unwrap();
    }
    remove(world, &volumes[1]);
    remove(world, &volumes[3]);
    volumes
}

fn recovery_frees_what_no_longer_exists(world: &World<'_>) {
    let [db, gone, shared, _] = four_volumes(world);
    let gids = manager(world, 10);
    gids.recover(world.kernel, &Users, false).unwrap();
    assert_eq!(paths(world), [db.to_string(), shared.to_string()]);
    assert!(is_shared(world, &db, FIRST) && is_shared(world, &shared, FIRST + 2));
    assert_eq!(gids.gauges(world.kernel).unwrap().free, 8);
    volume(world, "gone");
    assert_eq!(gids.allocate(world.kernel, &gone, VolumeKind::Persistent), Ok(FIRST + 1));
    let before = world.read(&super::record_path(world));
    gids.recover(world.kernel, &Users, false).unwrap();
    assert_eq!(world.read(&super::record_path(world)), before);
}

fn recovery_after_a_reboot_frees_what_is_in_sandboxes(world: &World<'_>) {
    let [db, _, shared, _] = four_volumes(world);
    let gids = manager(world, 10);
    gids.recover(world.kernel, &Users, true).unwrap();
    assert_eq!(paths(world), [db.to_string()]);
    assert!(is_shared(world, &db, FIRST));
    assert!(is_given_back(world, &shared, 1077));
    assert_eq!(world.read(&shared.join("inner/file")), "s/shared", "the data stay");
    gids.deallocate(world.kernel, &Users, UnixPath::new("/elsewhere")).unwrap();
    assert_eq!(paths(world), [db.to_string()]);
}

/// One volume is on a disk that has failed.
fn recovery_tries_every_volume(world: &World<'_>) {
    struct Fail(Bytes);
    impl Interceptor for Fail {
        fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
            if matches!(call, Call::Statx { path, .. } if *path == self.0) { Err(Errno::EIO) } else { Ok(()) }
        }
    }
    let [db, _, shared, _] = four_volumes(world);
    let fail = Fail(db.as_path().into());
    let error = manager(world, 10).recover(&Intercepted::new(world.kernel, &fail), &Users, true).unwrap_err();
    assert!(matches!(&error, GidError::NotFreed(errors) if errors.len() == 1), "{error}");
    assert!(error.to_string().contains("EIO"), "{error}");
    assert_eq!(paths(world), [db.to_string()], "what can't be looked at may still be there");
    assert!(is_given_back(world, &shared, 1077));
}
