//! Sandboxes are mounts of their own, where nothing would be hidden by that.

use std::cell::Cell;

use cofferdam::UnixPathBuf;
use cofferdam::isolator::{Isolator, RemoveError};
use cofferdam::kernel::{
    AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags, OpenHow, UmountFlags,
};
use cofferdam::messages::{ContainerConfig, ContainerId};
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    each_sandbox_is_in_a_peer_group_of_its_own,
    what_is_mounted_in_a_sandbox_beforehand_is_not_hidden,
    what_can_not_be_copied_stays,
    a_sandbox_that_is_in_use_is_a_mount_as_well,
    a_sandbox_that_is_a_mount_already,
    cleanup_takes_what_came_below_the_mount,
    a_nested_sandbox_is_in_the_mount_of_the_one_around_it,
    a_prepare_that_fails_leaves_no_mount,
);

type Agent<'k> = Isolator<&'k dyn Kernel>;

fn prepared(world: &World<'_>, agent: &mut Agent<'_>, name: &str) -> (ContainerId, ContainerConfig) {
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container(name, vec![volume("db", "data", "RW", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    (id, config)
}

fn sandbox(config: &ContainerConfig) -> UnixPathBuf {
    config.directory.as_path().to_path_buf()
}

/// As many mounts at a path, and on it, as there are; the latest last.
fn counts(world: &World<'_>, config: &ContainerConfig) -> [usize; 2] {
    [sandbox(config), sandbox(config).join("data")].map(|path| world.mounts_at(&path).len())
}

/// Of none that lies above, and of no other container.
fn each_sandbox_is_in_a_peer_group_of_its_own(world: &World<'_>) {
    let mut agent = world.agent();
    let groups: Vec<_> = ["c", "d"]
        .into_iter()
        .flat_map(|name| world.mounts_at(&sandbox(&prepared(world, &mut agent, name).1)))
        .chain(world.mounts_at(&world.path("work")))
        .map(|mount| mount.peer_group.unwrap())
        .collect();
    let [one, other, around] = groups[..] else { panic!("{groups:?}") };
    assert!(one != other && one != around && other != around);
}

fn what_is_mounted_in_a_sandbox_beforehand_is_not_hidden(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    let (id, config) = world.container("c", vec![]);
    let own = sandbox(&config).join("own");
    world.kernel.mkdirat(Fd::CWD, &own, Mode(0o755)).unwrap();
    world.mount_tmpfs(&own, MountFlags::empty());
    let with_it = world.mounts();
    agent.prepare(&id, &config).unwrap();
    assert_eq!(world.mounts(), with_it, "it could not be unmounted by its path any more");
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

/// An unbindable mount is left out of a copy of what is around it, and can't be seen without the whole table. It is in sight
/// again after cleanup, and nothing is removed.
fn what_can_not_be_copied_stays(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let own = sandbox(&config).join("own");
    world.kernel.mkdirat(Fd::CWD, &own, Mode(0o755)).unwrap();
    world.mount_tmpfs(&own, MountFlags::empty());
    world.propagation(&own, MountFlags::MS_UNBINDABLE);
    world.write(&own.join("file"), "there");
    agent.prepare(&id, &config).unwrap();
    agent.cleanup(&id).unwrap();
    let error = agent.remove(&id, &sandbox(&config)).unwrap_err();
    assert_eq!(error, RemoveError::MountLeft { directory: config.directory, mountpoint: own.as_path().into() });
    assert_eq!(world.read(&own.join("file")), "there");
}

fn a_sandbox_that_is_in_use_is_a_mount_as_well(world: &World<'_>) {
    let (id, config) = world.container("c", vec![]);
    let opened = Cell::new(0);
    let user = User { sandbox: sandbox(&config), opened: &opened };
    let kernel = Intercepted::new(world.kernel, &user);
    world.through(&kernel).agent().prepare(&id, &config).unwrap();
    assert_eq!((opened.get(), counts(world, &config)), (1, [1, 0]), "the table told that nothing is mounted in it");
}

/// Works in a sandbox from the moment on at which it is asked whether somebody does.
struct User<'a> {
    sandbox: UnixPathBuf,
    opened: &'a Cell<usize>,
}

impl Interceptor for User<'_> {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(call, Call::Umount2 { flags, .. } if flags.contains(UmountFlags::MNT_EXPIRE)) {
            let how = OpenHow { flags: OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
            let opened = kernel.openat2(Fd::CWD, &self.sandbox, how)?;
            self.opened.set(self.opened.get() + 1);
            let busy = call.apply(kernel).map(drop);
            kernel.close(opened)?;
            assert_eq!(busy, Err(Errno::EBUSY));
            return busy;
        }
        Ok(())
    }
}

/// As one that an administrator has given a disk of its own. It goes with the container, as all does that is mounted there.
fn a_sandbox_that_is_a_mount_already(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    world.mount_tmpfs(&sandbox(&config), MountFlags::empty());
    agent.prepare(&id, &config).unwrap();
    assert_eq!(counts(world, &config), [2, 1]);
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

/// Through another mount of the same directories: it is below the sandbox's own mount, where no path leads meanwhile.
fn cleanup_takes_what_came_below_the_mount(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    let (id, config) = prepared(world, &mut agent, "c");
    let peer = world.make_directory("peer");
    world.bind(&world.path("work"), &peer);
    let relative = sandbox(&config).strip_prefix(world.path("work")).unwrap().to_path_buf();
    world.mount_tmpfs(&peer.join(&relative), MountFlags::empty());
    world.umount(&peer.join(&relative));
    world.umount(&peer);
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
}

fn a_nested_sandbox_is_in_the_mount_of_the_one_around_it(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    let parent = prepared(world, &mut agent, "c");
    let with_parent = world.mounts();
    let (child, nested) = world.nested((&parent.0, &parent.1), "d");
    agent.prepare(&child, &nested).unwrap();
    assert_eq!(world.mounts(), with_parent);
    agent.cleanup(&child).unwrap();
    assert_eq!(world.mounts(), with_parent);
    agent.cleanup(&parent.0).unwrap();
    assert_eq!(world.mounts(), before);
}

fn a_prepare_that_fails_leaves_no_mount(world: &World<'_>) {
    let mut agent = world.agent();
    let before = world.mounts();
    let (id, config) = world.container("c", vec![volume("missing", "data", "RW", Value::Null)]);
    assert!(agent.prepare(&id, &config).is_err());
    assert_eq!(world.mounts(), before);
    let left = world.kernel.umount2(&sandbox(&config), UmountFlags::empty());
    assert_eq!(left, Err(Errno::EINVAL));
    world.kernel.unlinkat(Fd::CWD, &sandbox(&config), AtFlags::AT_REMOVEDIR).unwrap();
}
