//! How many system calls each operation makes, on the simulated kernel: what its cost is made of, on any machine. The table is
//! in `docs/calls.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod counter;
mod document;
mod host;

use std::sync::OnceLock;

use cofferdam::kernel::{CloneFlags, Intercepted, Kernel as _, WaitOptions, WaitStatus};
use cofferdam::launch::{LaunchRequest, block_signals, launch};
use cofferdam::messages::{ContainerConfig, ContainerId};
use cofferdam_vfs_sim::{Linux, Process};

use counter::Counter;
use document::Counts;
use host::{Agent, container, count, create, state, volume, volumes};

type Operation = fn(&Linux) -> Counts;

/// What is done on a host that is ready, unless it is about that.
const OPERATIONS: &[(&str, Operation)] = &[
    ("create, nothing is ready", create_on),
    ("create, all is ready", create_on),
    ("prepare with a root filesystem", |host| prepare(host, true, 0)),
    ("prepare with a root filesystem and 10 volumes", |host| prepare(host, true, 10)),
    ("prepare without a root filesystem", |host| prepare(host, false, 0)),
    ("launch with a root filesystem", |host| launch_of(host, true, 0)),
    ("launch with a root filesystem and 10 volumes", |host| launch_of(host, true, 10)),
    ("launch without a root filesystem", |host| launch_of(host, false, 0)),
    ("update that adds a volume", |host| update(host, 0, 1)),
    ("update that adds a volume to 100", |host| update(host, 100, 101)),
    ("update that removes a volume", |host| update(host, 1, 0)),
    ("update that removes a volume of 101", |host| update(host, 101, 100)),
    ("update that changes nothing", |host| update(host, 1, 1)),
    ("cleanup without volumes", |host| cleanup(host, 0)),
    ("cleanup with 10 volumes", |host| cleanup(host, 10)),
    ("remove", remove),
    ("recover 1 container", |host| recover(host, 1)),
    ("recover 100 containers", |host| recover(host, 100)),
];

const NOT_READY: &str = "create, nothing is ready";

/// What makes more calls the more mounts or containers the host has. To be empty.
const GROWS: &[&str] = &[NOT_READY, "create, all is ready", "recover 1 container", "recover 100 containers"];

#[test]
fn the_calls_of_each_operation() {
    let (new, ready) = (host::new(), host::ready());
    let host = |name: &str| if name == NOT_READY { &new } else { &ready };
    let counts: Vec<_> = OPERATIONS.iter().map(|(name, act)| ((*name).to_string(), act(host(name)))).collect();
    document::check("operations", &counts);
}

/// Not even the reads of a mount table: they take more calls where it is longer.
#[test]
fn neither_mounts_nor_containers_of_the_host_matter() {
    let mut wrong = Vec::new();
    for (name, act) in OPERATIONS {
        let (small, large) = match *name {
            NOT_READY => (host::new(), host::with_mounts(host::new(), 1000)),
            // It is told of the containers that there are.
            name if name.starts_with("recover") => (host::ready(), host::with_mounts(host::ready(), 1000)),
            _ => (host::ready(), crowded().clone()),
        };
        let (small, large) = (act(&small), act(&large));
        if (small != large) != GROWS.contains(name) {
            wrong.push(format!("{name}: {} calls and {} calls, {small:?} and {large:?}", small.total(), large.total()));
        }
    }
    assert!(wrong.is_empty(), "on a small and a crowded host, other than GROWS says:\n{}", wrong.join("\n"));
}

/// With 1,000 mounts and 100 containers more.
fn crowded() -> &'static Linux {
    static CROWDED: OnceLock<Linux> = OnceLock::new();
    CROWDED.get_or_init(|| host::with_mounts(host::with_containers(host::ready(), 100), 1000))
}

fn create_on(host: &Linux) -> Counts {
    let (kernel, counter) = (Process::init(host.clone()), Counter::default());
    create(&Intercepted::new(&kernel, &counter));
    counter.take()
}

/// A container of ours, whose sandbox is there.
fn own(agent: &mut Agent<'_>, has_rootfs: bool, volume_count: usize) -> (ContainerId, ContainerConfig) {
    container(agent.kernel(), "ours", has_rootfs, volumes(volume_count))
}

fn prepared(agent: &mut Agent<'_>, has_rootfs: bool, volume_count: usize) -> (ContainerId, ContainerConfig) {
    let (id, config) = own(agent, has_rootfs, volume_count);
    agent.prepare(&id, &config).unwrap();
    (id, config)
}

fn prepare(host: &Linux, has_rootfs: bool, volume_count: usize) -> Counts {
    count(
        host,
        |agent| own(agent, has_rootfs, volume_count),
        |agent, (id, config)| {
            agent.prepare(&id, &config).unwrap();
        },
    )
}

/// All processes of a launch, from a launcher that was started to a program that ends at once.
fn launch_of(host: &Linux, has_rootfs: bool, volume_count: usize) -> Counts {
    let (kernel, counter) = (Process::init(host.clone()), Counter::default());
    let mut agent = create(&kernel);
    let (id, config) = container(&kernel, "ours", has_rootfs, volumes(volume_count));
    let info = agent.prepare(&id, &config).unwrap();
    let pid_files = vec![agent.config().layout.container_pid(&id)];
    let request = LaunchRequest { info, pid_files, die_with_parent: kernel.getpid().ok(), ..LaunchRequest::default() };
    block_signals(&kernel).unwrap();
    let launcher = kernel
        .clone3(CloneFlags::empty(), &mut |kernel| launch(&Intercepted::new(kernel, &counter), &request))
        .unwrap();
    let ended = kernel.wait4(launcher, WaitOptions::empty()).unwrap();
    assert_eq!(ended, Some((launcher, WaitStatus::Exited(0))));
    counter.take()
}

fn update(host: &Linux, before: usize, after: usize) -> Counts {
    count(
        host,
        |agent| prepared(agent, true, before).0,
        |agent, id| {
            agent.update(&id, &volumes(after)).unwrap();
        },
    )
}

fn cleanup(host: &Linux, volume_count: usize) -> Counts {
    count(host, |agent| prepared(agent, true, volume_count).0, |agent, id| agent.cleanup(&id).unwrap())
}

fn remove(host: &Linux) -> Counts {
    count(
        host,
        |agent| {
            let (id, config) = prepared(agent, true, 0);
            agent.cleanup(&id).unwrap();
            (id, config)
        },
        |agent, (id, config)| agent.remove(&id, config.directory.as_path()).unwrap(),
    )
}

/// By an agent that was started again.
fn recover(host: &Linux, container_count: usize) -> Counts {
    let (kernel, counter) = (Process::init(host.clone()), Counter::default());
    let mut dead = create(&kernel);
    let states: Vec<_> = (0..container_count)
        .map(|number| {
            let (id, config) = container(&kernel, &format!("c{number}"), true, vec![volume(number)]);
            dead.prepare(&id, &config).unwrap();
            state(id, &config)
        })
        .collect();
    let kernel = Intercepted::new(&kernel, &counter);
    let mut agent = create(&kernel);
    counter.take();
    agent.recover(&states, &[]).unwrap();
    assert_eq!(agent.containers().count(), container_count);
    counter.take()
}
