//! Simulated machines, each for one scenario.

use std::collections::BTreeMap;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, CloneFlags, Fd, Intercepted, Kernel, Mode, MountAttr, MountFlags, OlderKernel};
use cofferdam_vfs_sim::{DescriptorKind, Linux, MountView, Process};

use super::{World, aftermath};

/// How the mounts of a host were made, before there is an agent.
#[derive(Clone, Copy, Debug)]
enum Host {
    /// Nothing that is mounted reaches another namespace.
    Private,
    /// As systemd makes it: what is mounted arrives in the namespaces that were cloned from the host's.
    Shared,
}

/// Runs a scenario on simulated machines of its own, one for each kind of host. Once an agent has cleaned up, each of them is
/// what it was before: the mount tables of all namespaces, the processes, and what is open.
pub fn run(scenario: fn(&World<'_>)) {
    for host in [Host::Private, Host::Shared] {
        // Shown if the test fails.
        println!("{host:?}");
        run_on(host, None, scenario);
    }
}

/// The same on a machine with the oldest kernel that we support. One kind of host will do: the one on which most happens.
pub fn run_as_5_12(scenario: fn(&World<'_>)) {
    run_on(Host::Shared, Some(&OlderKernel::LINUX_5_12), scenario);
}

fn run_on(host: Host, older: Option<&OlderKernel>, scenario: fn(&World<'_>)) {
    let kernel = boot(host);
    let before = Machine::of(&kernel);
    match older {
        Some(older) => act(&kernel, &Intercepted::new(&kernel, older), scenario),
        None => act(&kernel, &kernel, scenario),
    }
    let changes = Machine::of(&kernel).changes_since(&before);
    assert!(changes.is_empty(), "left behind on a {host:?} host:\n{}", changes.join("\n"));
}

/// With the kernel as the scenario is to see it.
fn act(kernel: &Process, seen: &dyn Kernel, scenario: fn(&World<'_>)) {
    let world = World::new(seen, UnixPath::new("/world").to_path_buf());
    scenario(&world);
    kernel.linux().check().unwrap();
    aftermath::clean_up(&world);
    kernel.linux().check().unwrap();
}

/// A machine with three mount namespaces: that of the agent, one that was cloned from it, whose mounts are its peers if they
/// are shared, and one like those of systemd's services, whose mounts are slaves.
fn boot(host: Host) -> Process {
    let kernel = Process::init(Linux::new());
    for (directory, filesystem) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/world", "tmpfs")] {
        let directory = UnixPath::new(directory);
        kernel.mkdirat(Fd::CWD, directory, Mode(0o755)).unwrap();
        let source = Some(UnixPath::new(filesystem));
        kernel.mount(source, directory, Some(filesystem.as_bytes()), MountFlags::empty(), None).unwrap();
    }
    let all_mounts = |kernel: &Process, propagation| {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &attr).unwrap();
    };
    all_mounts(
        &kernel,
        match host {
            Host::Private => MountFlags::MS_PRIVATE,
            Host::Shared => MountFlags::MS_SHARED,
        },
    );
    kernel.fork(CloneFlags::CLONE_NEWNS).unwrap();
    all_mounts(&kernel.fork(CloneFlags::CLONE_NEWNS).unwrap(), MountFlags::MS_SLAVE);
    kernel
}

/// All of a machine that a container must not change for good.
struct Machine {
    /// The mounts of each namespace by its number, with all their ids; and, without a number, those that are in none and
    /// that something still uses.
    mounts: Vec<String>,
    processes: Vec<String>,
    /// What the first process has open.
    descriptors: BTreeMap<Fd, DescriptorKind>,
}

impl Machine {
    fn of(kernel: &Process) -> Self {
        let linux = kernel.linux();
        let namespaces = linux.mount_namespaces().map(|namespace| format!("namespace {:?}", namespace.inode()));
        let processes = linux.tasks().map(|task| {
            let pid = task.pid().0;
            let Some(namespace) = task.mount_namespace() else { return format!("process {pid}, which has ended") };
            format!("process {pid} in namespace {:?}, root {:?}, at {:?}", namespace.inode(), task.root(), task.cwd())
        });
        Self {
            mounts: namespaces.chain(linux.mounts().map(line)).collect(),
            processes: processes.collect(),
            descriptors: linux.descriptors(kernel.task()).collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let descriptors = self.descriptors.iter().map(|(fd, kind)| format!("descriptor {}: {kind:?}", fd.0));
        self.mounts.iter().chain(&self.processes).cloned().chain(descriptors).collect()
    }

    /// In the manner of `diff`.
    fn changes_since(&self, before: &Self) -> Vec<String> {
        let (before, after) = (before.lines(), self.lines());
        let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
        let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
        gone.chain(new).collect()
    }
}

/// A mount as in mountinfo, with the namespace that it is in and the id that is never used again.
fn line(mount: MountView<'_>) -> String {
    let namespace = mount.namespace().and_then(|namespace| namespace.inode());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{namespace:?} ({}) {} {:?} {:?} {} {} {} {} - {} {} {}",
        mount.unique_id().0,
        mount.id(),
        mount.parent().map(|parent| parent.id()),
        mount.device(),
        mount.root(),
        mount.mountpoint(),
        mount.options(),
        mount.propagation(),
        text(mount.filesystem_type()),
        text(mount.source()),
        mount.super_options(),
    )
}
