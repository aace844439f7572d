//! Programs that put a symbolic link in the place of a directory while the agent is at work in their sandbox.

use std::cell::Cell;

use cofferdam::UnixPathBuf;
use cofferdam::kernel::{
    AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, MountFlags, RenameFlags, UmountFlags,
};
use cofferdam::messages::{ContainerConfig, ContainerId, Resource};
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    cleanup_unmounts_nothing_of_the_host,
    cleanup_of_a_nested_container_unmounts_nothing_of_the_host,
    update_unmounts_nothing_of_the_host,
    update_mounts_nothing_on_the_host,
    a_mount_that_is_moved_meanwhile_is_detached_where_it_is,
    a_sandbox_that_is_a_link_is_left_alone,
);

/// Moves a directory aside, and puts a symbolic link to one of the host in its place, before the call with this number, of
/// those that come after it was begun.
struct SwapBefore<'w, 'k> {
    world: &'w World<'k>,
    directory: UnixPathBuf,
    has_begun: Cell<bool>,
    left: Cell<usize>,
}

impl SwapBefore<'_, '_> {
    fn swap(&self) {
        let aside = self.directory.parent().unwrap().join("aside");
        match self.world.kernel.renameat2(Fd::CWD, &self.directory, Fd::CWD, &aside, RenameFlags::empty()) {
            // It is a mount point by now.
            Err(Errno::EBUSY) => return,
            result => result.unwrap(),
        }
        self.world.kernel.symlinkat(&self.world.path("host"), Fd::CWD, &self.directory).unwrap();
    }

    /// What there is when the program has gone: the directory is in its place again.
    fn swap_back(&self) {
        let aside = self.directory.parent().unwrap().join("aside");
        if self.world.exists(&aside) {
            self.world.kernel.unlinkat(Fd::CWD, &self.directory, AtFlags::empty()).unwrap();
            self.world.kernel.renameat2(Fd::CWD, &aside, Fd::CWD, &self.directory, RenameFlags::empty()).unwrap();
        }
    }

    fn has_swapped(&self) -> bool {
        self.left.get() == 0
    }
}

impl Interceptor for SwapBefore<'_, '_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if !self.has_begun.get() || matches!(call, Call::Close { .. } | Call::Read { .. } | Call::Write { .. }) {
            return Ok(());
        }
        if self.left.get() == 1 && self.world.exists(&self.directory) {
            self.swap();
        }
        self.left.set(self.left.get().saturating_sub(1));
        Ok(())
    }
}

/// What a scenario does with its world, and then, once it says that it begins, with one in which the swap happens.
struct Attack<'a> {
    /// The directories that are swapped, each in its turn, below the scenario's directory.
    directories: &'a [&'a str],
    prepare: &'a dyn Fn(&World<'_>),
    act: &'a dyn Fn(&World<'_>, &dyn Fn()),
    check: &'a dyn Fn(&World<'_>),
}

const SANDBOX: &str = "work/slaves/a/frameworks/f/executors/e/runs/c";

/// Where a link to `host` could lead what is meant for a sandbox.
const HOST_MOUNTS: [&str; 4] = ["host/data", "host/deep/data", "host/n/deep/data", "host/containers/n/deep/data"];

impl Attack<'_> {
    /// Swaps each of the directories before each of the calls, on a machine of its own, which must stay as it is.
    fn at_each_call(&self, world: &World<'_>) {
        for (number, directory) in self.directories.iter().enumerate() {
            for call in 1.. {
                let world = world.elsewhere(world.make_directory(&format!("{number}.{call}")));
                let hosts = HOST_MOUNTS.map(|name| world.make_directory(name));
                for mounted in &hosts {
                    world.mount_tmpfs(mounted, MountFlags::empty());
                }
                (self.prepare)(&world);
                let host = || {
                    let mounts = world.mounts();
                    mounts
                        .into_iter()
                        .filter(|mount| mount.mountpoint.starts_with(world.path("host")))
                        .collect::<Vec<_>>()
                };
                let before = host();
                let swap = SwapBefore {
                    world: &world,
                    directory: world.path(directory),
                    has_begun: Cell::new(false),
                    left: Cell::new(call),
                };
                let kernel = Intercepted::new(world.kernel, &swap);
                (self.act)(&world.through(&kernel), &|| {
                    swap.has_begun.set(true);
                });
                assert_eq!(host(), before, "{directory} was swapped before call {call}");
                for name in ["host/new", "host/deep/new"] {
                    assert!(!world.exists(&world.path(name)), "{directory} was swapped before call {call}");
                }
                (self.check)(&world);
                for mount in world.mounts().iter().rev() {
                    let _ = world.kernel.umount2(&mount.mountpoint, UmountFlags::MNT_DETACH);
                }
                swap.swap_back();
                if !swap.has_swapped() {
                    assert!(call > 5, "only {call} calls");
                    break;
                }
            }
        }
    }
}

fn plain(id: &str, name: &str) -> Resource {
    volume(id, name, "RW", Value::Null)
}

fn nothing_is_left_in_the_sandbox(world: &World<'_>) {
    let sandbox = world.path(SANDBOX);
    let left: Vec<_> = world.mounts().into_iter().filter(|mount| mount.mountpoint.starts_with(&sandbox)).collect();
    assert_eq!(left, []);
}

/// A container, with a mount deep in its sandbox.
fn prepared(world: &World<'_>) -> ContainerConfig {
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container("c", vec![]);
    world.agent().prepare(&id, &config).unwrap();
    config
}

fn cleanup_unmounts_nothing_of_the_host(world: &World<'_>) {
    Attack {
        directories: &[&format!("{SANDBOX}/deep")],
        prepare: &|world| {
            prepared(world);
            world.mount_tmpfs(&world.make_directory(&format!("{SANDBOX}/deep/data")), MountFlags::empty());
        },
        act: &|world, begin| {
            let mut agent = world.agent();
            agent.resume().unwrap();
            let (id, _) = world.container("c", vec![]);
            begin();
            if let Err(error) = agent.cleanup(&id) {
                // The program is not there for ever.
                agent.cleanup(&id).unwrap_or_else(|again| panic!("{error}; {again}"));
            }
        },
        check: &nothing_is_left_in_the_sandbox,
    }
    .at_each_call(world);
}

fn cleanup_of_a_nested_container_unmounts_nothing_of_the_host(world: &World<'_>) {
    let containers = format!("{SANDBOX}/containers");
    Attack {
        directories: &[&containers, &format!("{containers}/n"), &format!("{containers}/n/deep")],
        prepare: &|world| {
            let config = prepared(world);
            let mut agent = world.agent();
            agent.resume().unwrap();
            let (top, _) = world.container("c", vec![]);
            let (id, nested) = world.nested((&top, &config), "n");
            agent.prepare(&id, &nested).unwrap();
            world.mount_tmpfs(&world.make_directory(&format!("{containers}/n/deep/data")), MountFlags::empty());
        },
        act: &|world, begin| {
            let mut agent = world.agent();
            agent.resume().unwrap();
            let (top, _) = world.container("c", vec![]);
            begin();
            let _ = agent.cleanup(&top.child("n").unwrap());
        },
        check: &|world| {
            let mut agent = world.agent();
            let (top, _) = world.container("c", vec![]);
            agent.resume().unwrap();
            // What was moved out of the inner sandbox lies in the outer one.
            agent.cleanup(&top.child("n").unwrap()).unwrap();
            agent.cleanup(&top).unwrap();
            nothing_is_left_in_the_sandbox(world);
        },
    }
    .at_each_call(world);
}

fn update_unmounts_nothing_of_the_host(world: &World<'_>) {
    Attack {
        directories: &[SANDBOX],
        prepare: &|world| {
            prepared(world);
            let mut agent = world.agent();
            agent.resume().unwrap();
            agent.update(&world.container("c", vec![]).0, &[plain("db", "data")]).unwrap();
        },
        act: &|world, begin| {
            let mut agent = world.agent();
            begin();
            if agent.resume().unwrap().is_empty() {
                let _ = agent.update(&ContainerId::new("c").unwrap(), &[]);
            }
        },
        check: &|_| {},
    }
    .at_each_call(world);
}

fn update_mounts_nothing_on_the_host(world: &World<'_>) {
    Attack {
        directories: &[SANDBOX, &format!("{SANDBOX}/new")],
        prepare: &|world| {
            prepared(world);
            world.make_directory(&format!("{SANDBOX}/new"));
        },
        act: &|world, begin| {
            let mut agent = world.agent();
            begin();
            if agent.resume().unwrap().is_empty() {
                let _ = agent.update(&ContainerId::new("c").unwrap(), &[plain("db", "new")]);
            }
        },
        check: &|_| {},
    }
    .at_each_call(world);
}

/// Moves the directory that the mount is in, once, before it is unmounted.
struct Move<'w, 'k>(&'w World<'k>, Cell<bool>);

impl Interceptor for Move<'_, '_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(call, Call::Umount2 { .. }) && !self.1.replace(true) {
            let [from, to] = ["deep", "elsewhere"].map(|name| self.0.path(SANDBOX).join(name));
            self.0.kernel.renameat2(Fd::CWD, &from, Fd::CWD, &to, RenameFlags::empty()).unwrap();
        }
        Ok(())
    }
}

/// The table that was read names a path where there is no mount any more.
fn a_mount_that_is_moved_meanwhile_is_detached_where_it_is(world: &World<'_>) {
    prepared(world);
    let target = world.make_directory(&format!("{SANDBOX}/deep/data"));
    world.mount_tmpfs(&target, MountFlags::empty());
    let moved = Move(world, Cell::new(false));
    let kernel = Intercepted::new(world.kernel, &moved);
    let here = world.through(&kernel);
    let mut agent = here.agent();
    agent.resume().unwrap();
    agent.cleanup(&here.container("c", vec![]).0).unwrap();
    assert!(moved.1.get());
    nothing_is_left_in_the_sandbox(world);
}

fn a_sandbox_that_is_a_link_is_left_alone(world: &World<'_>) {
    prepared(world);
    let sandbox = world.path(SANDBOX);
    let host = world.make_directory("host/data");
    world.mount_tmpfs(&host, MountFlags::empty());
    let mut agent = world.agent();
    agent.resume().unwrap();
    let (id, _) = world.container("c", vec![]);
    // As after a reboot, or on the way to it: what is a mount can't be replaced.
    world.kernel.umount2(&sandbox, UmountFlags::empty()).unwrap();
    world.kernel.unlinkat(Fd::CWD, &sandbox, AtFlags::AT_REMOVEDIR).unwrap();
    world.kernel.symlinkat(&world.path("host"), Fd::CWD, &sandbox).unwrap();
    let before = world.mounts();
    let error = agent.update(&id, &[plain("db", "data")]).unwrap_err().to_string();
    assert!(error.contains("is a symbolic link"), "{error}");
    agent.cleanup(&id).unwrap();
    assert_eq!(world.mounts(), before);
    world.kernel.unlinkat(Fd::CWD, &sandbox, AtFlags::empty()).unwrap();
    world.make_directory(SANDBOX);
}
