//! What is removed, unmounted and taken up again after programs have been at work.

use std::cell::Cell;

use cofferdam::agent::GidRange;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode};
use cofferdam::messages::{ContainerState, OtherFields};
use cofferdam::user::NumericUsers;
use serde_json::Value;

use super::races::at_calls;
use super::{Host, put_link};
use crate::scenarios::{CONTENT, Container, ensure, path};
use crate::world::{World, volume};

scenarios!(cve_2015_3629, cve_2017_1002102, cve_2018_15664, cve_2024_23652, cve_2026_119101,);

/// What the agent does alone takes few calls, and each of them can be tried.
const FEW: usize = if crate::EVERY > 6 { crate::EVERY / 6 } else { 1 };

/// CVE-2015-3629 (Docker): a container that was started again found the symbolic links that its first program had put where
/// mounts go, and they were followed to the host.
///
/// An image that a program has written is as little trusted as one that comes from elsewhere.
fn cve_2015_3629(world: &World<'_>) {
    let host = Host::new(world);
    let precious = host.precious.clone();
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        let link = |name: &str| kernel.symlinkat(&precious, Fd::CWD, path(name));
        ensure(link("/srv") == Ok(()) && link("/lib") == Ok(()), "no links")
    });
    assert_eq!(status, CONTENT);
    let sandbox = container.sandbox();
    container.agent.cleanup(&container.id).unwrap();
    container.agent.remove(&container.id, &sandbox).unwrap();
    // What is a mount point while a program runs is none between two runs.
    for name in ["dev", "proc", "mnt"] {
        let place = world.path("rootfs").join(name);
        let aside = world.path(&format!("rootfs/{name} of before"));
        let none = cofferdam::kernel::RenameFlags::empty();
        world.kernel.renameat2(Fd::CWD, &place, Fd::CWD, &aside, none).unwrap();
        put_link(world, &place, &host.precious);
        let mut container = Container::new(world, vec![]).with_rootfs();
        super::assert_link_is_refused(&mut container, &place);
        container.clean_up();
        host.assert_untouched(name);
        world.kernel.unlinkat(Fd::CWD, &place, AtFlags::empty()).unwrap();
        world.kernel.renameat2(Fd::CWD, &aside, Fd::CWD, &place, none).unwrap();
    }
}

/// A container that has ended, whose program has left a tree.
fn ended<'w, 'k>(world: &'w World<'k>, host: &Host<'_, '_>) -> Container<'w, 'k> {
    let mut container = Container::new(world, vec![]);
    container.agent.prepare(&container.id, &container.config).unwrap();
    let sandbox = container.sandbox();
    for name in ["x", "x/deep", "x/deep/er"] {
        world.kernel.mkdirat(Fd::CWD, &sandbox.join(name), Mode(0o755)).unwrap();
        put_link(world, &sandbox.join(name).join("link"), &host.precious);
        put_link(world, &sandbox.join(name).join("file link"), &host.precious.join("file"));
    }
    container
}

/// CVE-2017-1002102 (Kubernetes): what was removed with a container were files of the host that symbolic links in its volumes
/// led to.
///
/// A tree is removed on descriptors: a link in it is removed as such, also one that somebody puts there meanwhile.
fn cve_2017_1002102(world: &World<'_>) {
    let host = Host::new(world);
    let container = ended(world, &host);
    let (sandbox, config) = (container.sandbox(), container.agent.config().clone());
    let id = container.id.clone();
    drop(container);
    let clear = || {
        let mut agent = world.agent();
        agent.resume().unwrap();
        agent.cleanup(&id).unwrap();
        agent.remove(&id, &sandbox).unwrap();
    };
    let swaps = at_calls(&host, &sandbox.join("x"), FEW, &|kernel| {
        clear();
        drop(ended(world, &host));
        let mut agent = Isolator::open(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
        if agent.resume().is_ok() && agent.cleanup(&id).is_ok() {
            let _ = agent.remove(&id, &sandbox);
        }
    });
    assert!(swaps * FEW > 5, "only {swaps} times");
    clear();
    host.assert_untouched("the last one");
}

/// CVE-2018-15664 (Docker, `docker cp`): between the look at a path in a container and its use, a program exchanged a
/// directory for a symbolic link to the host, where root then read and wrote.
///
/// Where we go through a tree that a program writes, to give it a group, each step is taken from an open directory.
fn cve_2018_15664(world: &World<'_>) {
    let host = Host::new(world);
    let db = volume("db", "data", "RW", Value::Null);
    let mut container = Container::new(world, vec![db.clone()]).with_agent(|agent| {
        agent.volume_gid_range = Some(GidRange::new(10000, 19999).unwrap());
    });
    container.config.resources.clear();
    let sandbox = container.sandbox();
    world.kernel.fchownat(Fd::CWD, &sandbox, Some(1000), Some(1000), AtFlags::empty()).unwrap();
    container.agent.prepare(&container.id, &container.config).unwrap();
    let swapped = world.make_directory("work/volumes/roles/role/db/x/deep");
    world.write(&swapped.join("file"), "of the volume");
    put_link(world, &swapped.join("link"), &host.precious.join("file"));
    let config = container.agent.config().clone();
    let swaps = at_calls(&host, swapped.parent().unwrap(), FEW, &|kernel| {
        let mut agent = Isolator::open(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
        agent.resume().unwrap();
        let _ = agent.update(&container.id, std::slice::from_ref(&db));
        let mut agent = Isolator::open(world.kernel, config.clone(), Box::new(NumericUsers)).unwrap();
        agent.resume().unwrap();
        agent.update(&container.id, &[]).unwrap();
    });
    assert!(swaps * FEW > 20, "only {swaps} times");
    container.agent.resume().unwrap();
    container.clean_up();
}

/// CVE-2024-23652 (BuildKit): when the empty files and directories were removed that had been made as mount points, symbolic
/// links on the way had those of the host removed.
///
/// A mount point is removed in the sandbox that is open, by its one name there, and only as an empty directory.
fn cve_2024_23652(world: &World<'_>) {
    let host = Host::new(world);
    let db = volume("db", "empty", "RW", Value::Null);
    let mut container = Container::new(world, vec![db.clone()]);
    container.config.resources.clear();
    let sandbox = container.sandbox();
    container.agent.prepare(&container.id, &container.config).unwrap();
    let config = container.agent.config().clone();
    for swapped in [sandbox.clone(), sandbox.join("empty")] {
        let swaps = at_calls(&host, &swapped, FEW, &|kernel| {
            let resumed = |kernel| {
                let mut agent = Isolator::open(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
                agent.resume().unwrap();
                agent
            };
            // Whatever the last one could not do.
            resumed(world.kernel).update(&container.id, &[]).unwrap();
            let _ = world.kernel.unlinkat(Fd::CWD, &sandbox.join("moved aside"), AtFlags::AT_REMOVEDIR);
            resumed(world.kernel).update(&container.id, std::slice::from_ref(&db)).unwrap();
            let mut agent = Isolator::open(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
            if agent.resume().is_ok_and(|unreadable| unreadable.is_empty()) {
                let _ = agent.update(&container.id, &[]);
            }
        });
        assert!(swaps * FEW > 5, "only {swaps} times");
    }
    container.agent.resume().unwrap();
    container.clean_up();
}

/// The agent dies before it attaches a mount.
struct Dies(Cell<bool>);

impl Interceptor for Dies {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(call, Call::MoveMount { .. }) {
            self.0.set(true);
        }
        // What it has open is closed when it dies.
        if self.0.get() && !matches!(call, Call::Close { .. }) { Err(Errno::EINTR) } else { Ok(()) }
    }
}

/// CVE-2026-119101 (runc, on restore; CVE-2026-115520 in crun): external mounts were found again by names that the image
/// had made symbolic links of, and a directory of the host was bound.
///
/// What an agent takes up again after it has died is in its own records; the names in a sandbox are opened there anew, and
/// a link is an error.
fn cve_2026_119101(world: &World<'_>) {
    let mut host = Host::new(world);
    let db = volume("db", "data", "RW", Value::Null);
    let mut container = Container::new(world, vec![db.clone()]);
    container.config.resources.clear();
    container.agent.prepare(&container.id, &container.config).unwrap();
    let config = container.agent.config().clone();
    host.settle();
    let dies = Dies(Cell::new(false));
    let kernel = Intercepted::new(world.kernel, &dies);
    let mut agent = Isolator::open(&kernel as &dyn Kernel, config.clone(), Box::new(NumericUsers)).unwrap();
    agent.resume().unwrap();
    let is_dead = agent.update(&container.id, std::slice::from_ref(&db)).is_err();
    assert!(is_dead && dies.0.get(), "it did not come to a mount");
    drop(agent);
    let name = container.sandbox().join("data");
    world.kernel.unlinkat(Fd::CWD, &name, AtFlags::AT_REMOVEDIR).unwrap();
    for target in [host.precious.clone(), host.precious.join("empty"), host.precious.join("data")] {
        world.kernel.symlinkat(&target, Fd::CWD, &name).unwrap();
        let mut agent = Isolator::open(world.kernel, config.clone(), Box::new(NumericUsers)).unwrap();
        let state = ContainerState {
            container_id: container.id.clone(),
            directory: container.config.directory.clone(),
            executor_info: None,
            pid: None,
            other: OtherFields::new(),
        };
        agent.recover(&[state], &[]).unwrap();
        assert!(agent.container(&container.id).unwrap().volumes().is_empty(), "it takes the link for the volume");
        let error = agent.update(&container.id, std::slice::from_ref(&db)).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link"), "{error}");
        host.assert_unchanged(&format!("{target:?}"));
        world.kernel.unlinkat(Fd::CWD, &name, AtFlags::empty()).unwrap();
    }
    container.agent.resume().unwrap();
    container.agent.update(&container.id, &[db]).unwrap();
    container.clean_up();
}
