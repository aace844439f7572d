//! Persistent volumes of containers that run, one or several at once.

use cofferdam::kernel::{
    AtFlags, Call, Descriptor, Errno, Fd, FlockOperation, Intercepted, Interceptor, Kernel, Mode, OpenFlags, OpenHow,
    RenameFlags, ResolveFlags,
};
use cofferdam::messages::{ContainerConfig, Resource};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde_json::{Value, json};

use crate::host_volumes::{content, host_path, inside, on_the_host};
use crate::nested::Another;
use crate::scenarios::{CONTENT, Container, ensure, exists, lines, path};
use crate::world::{World, volume};

scenarios!(
    what_one_container_writes_another_reads,
    a_persistent_volume_and_one_of_the_host,
    containers_end_and_others_keep_their_volumes,
    a_volume_that_is_gone_leaves_a_container_that_runs,
    no_volume_comes_while_a_launch_holds_the_sandbox,
);

/// Whether what keeps volumes from being mounted can be locked.
fn lock_is_free(kernel: &dyn Kernel, file: &UnixPath) -> Result<bool, Errno> {
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    let opened = Descriptor::new(kernel, kernel.openat2(Fd::CWD, file, how)?);
    match kernel.flock(opened.fd(), FlockOperation::LOCK_EX | FlockOperation::LOCK_NB) {
        Err(Errno::EAGAIN) => Ok(false),
        locked => locked.map(|()| true),
    }
}

/// Has a launch fail that goes into its namespace without the lock.
struct LockIsHeld(UnixPathBuf);

impl Interceptor for LockIsHeld {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            // Who comes back from the namespace that is made does not see the file.
            Call::Setns { .. } if lock_is_free(kernel, &self.0) == Ok(true) => Err(Errno::EUCLEAN),
            _ => Ok(()),
        }
    }
}

/// A copy of the sandbox that is attached nowhere would not receive it.
fn no_volume_comes_while_a_launch_holds_the_sandbox(world: &World<'_>) {
    let lock = world.path("run/launch/lock");
    let watch = LockIsHeld(lock.clone());
    let kernel = Intercepted::new(world.kernel, &watch);
    let world = &world.through(&kernel);
    let mut container = Container::new(world, vec![plain("db", "RW")]).with_rootfs();
    let status = container.run(&|kernel| ensure(exists(kernel, "/mnt/mesos/sandbox/db"), "no volume"));
    assert_eq!(status, CONTENT);
    // On an older kernel, launches have no use for it.
    assert!(matches!(lock_is_free(world.kernel, &lock), Ok(true) | Err(Errno::ENOENT)), "it is let go of");
    container.clean_up();
}

fn plain(id: &str, mode: &str) -> Resource {
    volume(id, id, mode, Value::Null)
}

fn shared(mode: &str) -> Resource {
    Resource { shared: Some(json!({})), ..plain("db", mode) }
}

fn source(world: &World<'_>, id: &str) -> UnixPathBuf {
    world.make_directory(&format!("work/volumes/roles/role/{id}"))
}

fn write(kernel: &dyn Kernel, name: &str, content: &str) -> Result<(), String> {
    checkpoint::write(kernel, path(name), content.as_bytes(), Mode(0o644)).map_err(|error| error.to_string())
}

fn expect(kernel: &dyn Kernel, name: &str, expected: &str) -> Result<(), String> {
    let found = content(kernel, name)?;
    ensure(found == expected, format!("{name} says {found:?}, not {expected:?}"))
}

/// Whatever is tried with the files in a directory of a read-only mount.
fn nothing_can_be_changed(kernel: &dyn Kernel, directory: &str, file: &str) -> Result<(), String> {
    let below = |name: &str| UnixPathBuf::from(format!("{directory}/{name}"));
    let (there, new) = (below(file), below("new"));
    let tries = [
        ("write", checkpoint::write(kernel, &there, b"", Mode(0o644)).map_err(|error| error.errno)),
        ("mkdir", kernel.mkdirat(Fd::CWD, &new, Mode(0o755))),
        ("symlink", kernel.symlinkat(&there, Fd::CWD, &new)),
        ("unlink", kernel.unlinkat(Fd::CWD, &there, AtFlags::empty())),
        ("rename", kernel.renameat2(Fd::CWD, &there, Fd::CWD, &new, RenameFlags::empty())),
        ("chmod", kernel.fchmodat(Fd::CWD, &there, Mode(0o600))),
        ("chown", kernel.fchownat(Fd::CWD, &there, Some(1), Some(1), AtFlags::empty())),
    ];
    for (what, result) in tries {
        ensure(result == Err(Errno::EROFS), format!("{what} in {directory}: {result:?}"))?;
    }
    Ok(())
}

fn what_one_container_writes_another_reads(world: &World<'_>) {
    let source = source(world, "db");
    for with_rootfs in [true, false] {
        let mut writer = Container::new(world, vec![shared("RW")]).sharing_pids();
        let mut reader = Another::beside(world, "reader", vec![shared("RO")]);
        let mut other = Another::beside(world, "other", vec![shared("RW")]);
        if with_rootfs {
            writer = writer.with_rootfs();
            reader.config.rootfs = Some(world.make_directory("rootfs of the reader").into());
            other.config.rootfs = Some(world.make_directory("rootfs of the other").into());
        }
        let [written, read, also_written] =
            [&writer.config, &reader.config, &other.config].map(|config| inside(config, "db"));
        let status = writer.run(&|kernel| {
            write(kernel, &format!("{written}/file"), "of the writer")?;
            reader.run(kernel, &|kernel| {
                expect(kernel, &format!("{read}/file"), "of the writer")?;
                nothing_can_be_changed(kernel, &read, "file")?;
                other.run(kernel, &|kernel| {
                    expect(kernel, &format!("{also_written}/file"), "of the writer")?;
                    write(kernel, &format!("{also_written}/file"), "of the other one")
                })?;
                expect(kernel, &format!("{read}/file"), "of the other one")?;
                nothing_can_be_changed(kernel, &read, "file")
            })?;
            expect(kernel, &format!("{written}/file"), "of the other one")?;
            write(kernel, &format!("{written}/file"), "of the writer again")
        });
        assert_eq!(status, CONTENT, "with a rootfs: {with_rootfs}");
        assert_eq!(world.read(&source.join("file")), "of the writer again");
        writer.clean_up();
    }
}

fn a_persistent_volume_and_one_of_the_host(world: &World<'_>) {
    let data = world.make_directory("data");
    let db = source(world, "db");
    for with_rootfs in [true, false] {
        let volumes = json!([host_path(&data, "host", "RW"), host_path(&data, "db/host", "RO")]);
        let mut container = Container::new(world, vec![plain("db", "RW")]).sharing_pids().volumes(volumes);
        if with_rootfs {
            container = container.with_rootfs();
        }
        let agent = Another::beside(world, "nobody", vec![]);
        let [in_db, in_host, db_of_host] = ["db", "host", "db/host"].map(|name| container.in_sandbox(name));
        let id = container.id.clone();
        let update = |kernel: &dyn Kernel, resources: &[Resource]| {
            on_the_host(kernel, &|kernel| {
                let mut agent = agent.agent(kernel)?;
                agent.resume().map_err(|error| error.to_string())?;
                agent.update(&id, resources).map_err(|error| error.to_string())
            })
        };
        let status = container.run(&|kernel| {
            write(kernel, &format!("{in_db}/file"), "persistent")?;
            write(kernel, &format!("{in_host}/file"), "of the host")?;
            expect(kernel, &format!("{db_of_host}/file"), "of the host")?;
            nothing_can_be_changed(kernel, &db_of_host, "file")?;
            // The one goes, with what is mounted on it in the container; the other one is not concerned.
            update(kernel, &[])?;
            ensure(!exists(kernel, &in_db), "the persistent volume is there still")?;
            expect(kernel, &format!("{in_host}/file"), "of the host")?;
            // Where it comes again, there would be no volume of the host on it.
            let refused = update(kernel, &[plain("db", "RW")]);
            ensure(refused.is_err() && !exists(kernel, &in_db), "a volume is mounted where another one belongs")?;
            expect(kernel, &format!("{in_host}/file"), "of the host")
        });
        assert_eq!(status, CONTENT, "with a rootfs: {with_rootfs}");
        container.clean_up();
        assert_eq!(world.read(&data.join("file")), "of the host");
        assert_eq!(world.read(&db.join("file")), "persistent");
    }
}

/// That a container has these volumes, each with a file of its own name, and no other ones.
fn has(kernel: &dyn Kernel, config: &ContainerConfig, volumes: &[&str]) -> Result<(), String> {
    let below = inside(config, "");
    let lines = lines(kernel);
    let mounted: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&below)?.split(' ').next()).collect();
    ensure(mounted == volumes, format!("{mounted:?} are mounted, not {volumes:?}"))?;
    volumes.iter().try_for_each(|name| expect(kernel, &inside(config, &format!("{name}/{name}")), name))
}

fn containers_end_and_others_keep_their_volumes(world: &World<'_>) {
    let all = ["a1", "a2", "a3", "b1", "b2", "c1", "c2", "d1"];
    for id in all {
        world.write(&source(world, id).join(id), id);
    }
    let resources = |ids: &[&str]| ids.iter().map(|id| plain(id, "RW")).collect::<Vec<_>>();
    let mut first = Container::new(world, resources(&["a1", "a2"])).with_rootfs().sharing_pids();
    // With the name of one that ends others begin.
    let second = Another::beside(world, "c22", resources(&["b1", "b2"]));
    let mut third = Another::beside(world, "c2", resources(&["c1", "c2"]));
    third.config.rootfs = Some(world.make_directory("rootfs of the third").into());
    let fourth = Another::beside(world, "d", resources(&["d1", "a1"]));
    let (first_id, first_config) = (first.id.clone(), first.config.clone());
    let update = |kernel: &dyn Kernel, ids: &[&str]| {
        on_the_host(kernel, &|kernel| {
            let mut agent = second.agent(kernel)?;
            agent.resume().map_err(|error| error.to_string())?;
            agent.update(&first_id, &resources(ids)).map_err(|error| error.to_string())
        })
    };
    let status = first.run(&|kernel| {
        has(kernel, &first_config, &["a1", "a2"])?;
        second.run(kernel, &|kernel| {
            has(kernel, &second.config, &["b1", "b2"])?;
            third.run(kernel, &|kernel| {
                fourth.run(kernel, &|kernel| has(kernel, &fourth.config, &["d1", "a1"]))?;
                has(kernel, &third.config, &["c1", "c2"])?;
                update(kernel, &["a1", "a3"])?;
                has(kernel, &third.config, &["c1", "c2"])
            })?;
            // The third one has ended and is cleaned up.
            has(kernel, &second.config, &["b1", "b2"])
        })?;
        has(kernel, &first_config, &["a1", "a3"])
    });
    assert_eq!(status, CONTENT);
    first.clean_up();
    for id in all {
        assert_eq!(world.read(&source(world, id).join(id)), id);
    }
}

fn a_volume_that_is_gone_leaves_a_container_that_runs(world: &World<'_>) {
    let (db, log) = (source(world, "db"), source(world, "log"));
    world.write(&log.join("log"), "log");
    for with_rootfs in [true, false] {
        let mut container = Container::new(world, vec![plain("db", "RW"), plain("log", "RW")]).sharing_pids();
        if with_rootfs {
            container = container.with_rootfs();
        }
        let agent = Another::beside(world, "nobody", vec![]);
        let (id, config) = (container.id.clone(), container.config.clone());
        let target = UnixPath::new(&inside(&config, "db")).to_path_buf();
        let status = container.run(&|kernel| {
            on_the_host(kernel, &|kernel| {
                kernel.unlinkat(Fd::CWD, &db, AtFlags::AT_REMOVEDIR).map_err(|errno| errno.to_string())
            })?;
            let made = kernel.mkdirat(Fd::CWD, &target.join("new"), Mode(0o755));
            ensure(made == Err(Errno::ENOENT), format!("in a directory that is gone: {made:?}"))?;
            on_the_host(kernel, &|kernel| {
                let mut agent = agent.agent(kernel)?;
                agent.resume().map_err(|error| error.to_string())?;
                agent.update(&id, &[plain("log", "RW")]).map_err(|error| error.to_string())
            })?;
            ensure(!exists(kernel, &target.to_string()), "its mount point is there still")?;
            has(kernel, &config, &["log"])
        });
        assert_eq!(status, CONTENT, "with a rootfs: {with_rootfs}");
        container.clean_up();
        source(world, "db");
    }
    assert_eq!(world.read(&log.join("log")), "log");
}
