//! Paths that are changed between two looks at them.

use std::cell::Cell;

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Call, DeviceNumber, Errno, Fd, FileType, Intercepted, Interceptor, Kernel, Mode, OpenFlags, RenameFlags,
};
use cofferdam::mountinfo::Table;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde_json::{Value, json};

use super::{Host, assert_link_is_refused, attempt, attempt_through, put_link};
use crate::host_volumes::{host_path, sandbox_path};
use crate::scenarios::{Container, Program, ensure, open, path};
use crate::trees::swap::{Deed, Swapper};
use crate::world::{World, volume};

scenarios!(
    cve_2015_1335,
    cve_2017_1002101,
    cve_2021_25741,
    cve_2021_30465,
    cve_2024_23651,
    cve_2024_45310,
    read_only_and_masked_paths_are_resolved_once,
    read_only_binds_can_never_be_written,
);

/// Exchanges a directory with a symbolic link to the host's, before one call after the other of what is done. Gives how often
/// that was.
pub fn at_each_call(host: &Host<'_, '_>, directory: &UnixPath, act: &dyn Fn(&dyn Kernel)) -> usize {
    at_calls(host, directory, crate::EVERY, act)
}

/// The same before one call of so many.
pub fn at_calls(host: &Host<'_, '_>, directory: &UnixPath, every: usize, act: &dyn Fn(&dyn Kernel)) -> usize {
    let world = host.world;
    let namespace = open(world.kernel, "/proc/thread-self/ns/mnt", OpenFlags::empty()).unwrap();
    let (mut swaps, mut misses) = (0, 0);
    for before_call in (1..).step_by(every) {
        let swapper = Swapper {
            namespace,
            path: directory.to_path_buf(),
            precious: host.precious.clone(),
            deed: Deed::Link,
            before_call,
            calls: Cell::new(0),
        };
        act(&Intercepted::new(world.kernel, &swapper));
        host.assert_untouched(&format!("{} was exchanged before call {before_call}", directory.display()));
        // A child that counts on may be a copy of this process.
        let is_link = world.stat(directory).is_ok_and(|stat| stat.file_type == FileType::Symlink);
        if swapper.calls.get() < before_call && !is_link {
            // There may be one call at which nobody can do it, such as that of a process that is being killed.
            misses += 1;
            if misses == 3 {
                break;
            }
            continue;
        }
        misses = 0;
        swaps += 1;
        if is_link {
            world.kernel.unlinkat(Fd::CWD, directory, AtFlags::empty()).unwrap();
        }
        let aside = swapper.aside();
        if world.exists(&aside) && !world.exists(directory) {
            world.kernel.renameat2(Fd::CWD, &aside, Fd::CWD, directory, RenameFlags::empty()).unwrap();
        }
    }
    world.kernel.close(namespace).unwrap();
    swaps
}

/// In the container: nothing of the host's is mounted.
pub fn nothing_precious(kernel: &dyn Kernel) -> Result<(), String> {
    let Ok(text) = checkpoint::read(kernel, path("/proc/self/mountinfo")) else { return Ok(()) };
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure(!text.contains("/precious"), text)
}

/// Prepares and launches by way of a kernel, and cleans up.
fn prepare_and_launch(container: &Container<'_, '_>, kernel: &dyn Kernel, program: &Program<'_>) {
    let config = container.agent.config().clone();
    let mut agent = Isolator::open(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
    if let Ok(info) = agent.prepare(&container.id, &container.config) {
        // A refusal is as good.
        let _ = attempt_through(kernel, info, program);
    }
    let mut agent = Isolator::open(container.world.kernel, config, Box::new(NumericUsers)).unwrap();
    agent.resume().unwrap();
    agent.cleanup(&container.id).unwrap();
    let _ = agent.remove_runtime(&container.id);
}

/// Two containers have a directory in common, and one of them changes it while the other one is started.
fn in_a_shared_directory(world: &World<'_>, swapped: &str, second: &str) {
    let host = Host::new(world);
    let shared = world.make_directory("shared");
    let directory = world.make_directory(&format!("shared/{swapped}"));
    let other = world.make_directory("other");
    let volumes = json!([host_path(&shared, "/shared", "RW"), host_path(&other, second, "RW")]);
    let container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let moved = second.replacen(swapped, "moved aside", 1);
    let program: &Program<'_> = &|kernel| {
        nothing_precious(kernel)?;
        // Wherever the directory is by now that was opened.
        let is_mounted = [second, &moved].into_iter().any(|place| {
            let stat = kernel.statx(Fd::CWD, path(place), AtFlags::AT_SYMLINK_NOFOLLOW);
            stat.is_ok_and(|stat| stat.is_mount_root)
        });
        ensure(is_mounted, format!("the volume is neither on {second} nor on {moved}"))
    };
    let every = if crate::EVERY > 6 { crate::EVERY } else { 1 };
    let swaps = at_calls(&host, &directory, every, &|kernel| prepare_and_launch(&container, kernel, program));
    assert!(swaps * every > 100, "only {swaps} times");
}

/// CVE-2021-30465 (runc): a mount point in a directory that another container can change became a symbolic link between the
/// check and the mount, and a directory of the host was mounted on, or came to be in the container.
///
/// A mount point is opened below the directory in one step, and what was opened is mounted on.
fn cve_2021_30465(world: &World<'_>) {
    in_a_shared_directory(world, "sub", "/shared/sub");
}

/// CVE-2024-45310 (runc): while missing directories for a mount point were made in a directory that another container can
/// change, empty files and directories came into being on the host.
///
/// Each directory is made in one that was opened below the root filesystem.
fn cve_2024_45310(world: &World<'_>) {
    in_a_shared_directory(world, "x", "/shared/x/deep/new/er");
}

/// CVE-2015-1335 (LXC): mounts followed the symbolic links in their mount points.
///
/// None is followed, wherever in the path it is, and wherever it leads.
fn cve_2015_1335(world: &World<'_>) {
    let host = Host::new(world);
    let data = world.make_directory("data");
    let rootfs = world.make_directory("rootfs");
    for (link, target, wanted) in [
        ("a", host.precious.to_string(), "/a"),
        ("b", host.precious.to_string(), "/b/new"),
        ("c/d", format!("../../../../../../../..{}", host.precious.display()), "/c/d/new"),
        ("e/f", "../inside".into(), "/e/f"),
        ("g", "/proc/self/root".into(), "/g/new"),
        ("h", "/proc/self/fd/5".into(), "/h/new/er"),
    ] {
        put_link(world, &rootfs.join(link), path(&target));
        let volumes = json!([host_path(&data, wanted, "RW")]);
        let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
        assert_link_is_refused(&mut container, &rootfs.join(link));
        container.clean_up();
        host.assert_untouched(wanted);
    }
}

/// A volume that is a path of the container's sandbox.
fn of_sandbox<'w, 'k>(world: &'w World<'k>, wanted: &str) -> Container<'w, 'k> {
    Container::new(world, vec![]).with_rootfs().volumes(json!([sandbox_path("SELF", wanted, "/srv")]))
}

/// CVE-2017-1002101 (Kubernetes, subPath): a path within a volume was a symbolic link, which led to the host.
///
/// A path in a sandbox is opened below it, and a link is an error.
fn cve_2017_1002101(world: &World<'_>) {
    let host = Host::new(world);
    let sandbox = Container::new(world, vec![]).sandbox();
    for (link, wanted) in [("a", "a"), ("b", "b/deep"), ("c/d", "c/d/x/y")] {
        put_link(world, &sandbox.join(link), &host.precious);
        let mut container = of_sandbox(world, wanted);
        let error = container.agent.prepare(&container.id, &container.config).unwrap_err().to_string();
        let link = sandbox.join(link);
        assert!(error.contains(&format!("{:?} is a symbolic link", link.to_string())), "{error}");
        host.assert_untouched(wanted);
    }
}

/// CVE-2021-25741 (Kubernetes): the mend for CVE-2017-1002101 looked at the path, and then had it mounted by its name.
///
/// The launcher, which mounts it, opens it below the sandbox again. Flatpak had the same with what an application keeps
/// (CVE-2024-42472).
fn cve_2021_25741(world: &World<'_>) {
    let host = Host::new(world);
    let container = of_sandbox(world, "x/deep");
    let directory = container.sandbox().join("x");
    world.kernel.mkdirat(Fd::CWD, &directory, Mode(0o755)).unwrap();
    world.kernel.mkdirat(Fd::CWD, &directory.join("deep"), Mode(0o755)).unwrap();
    let swaps = at_each_call(&host, &directory, &|kernel| prepare_and_launch(&container, kernel, &nothing_precious));
    assert!(swaps * crate::EVERY > 100, "only {swaps} times");
}

/// CVE-2024-23651 (BuildKit): two steps of a build shared a cache; the one exchanged a path in it with a symbolic link while
/// the other one mounted that path.
///
/// As with CVE-2021-25741; here it is the last component.
fn cve_2024_23651(world: &World<'_>) {
    let host = Host::new(world);
    let container = of_sandbox(world, "x");
    let directory = container.sandbox().join("x");
    world.kernel.mkdirat(Fd::CWD, &directory, Mode(0o755)).unwrap();
    let swaps = at_each_call(&host, &directory, &|kernel| prepare_and_launch(&container, kernel, &nothing_precious));
    assert!(swaps * crate::EVERY > 100, "only {swaps} times");
}

/// Several runtimes bind a path on itself, and then resolve it once more by its name, to make it read-only or to mask it:
/// who exchanges it in between keeps it writable.
///
/// A mount is made read-only while it is attached nowhere, and attached to what was opened.
fn read_only_and_masked_paths_are_resolved_once(world: &World<'_>) {
    let host = Host::new(world);
    for name in ["opt", "etc"] {
        let rootfs = world.make_directory(&format!("rootfs of {name}"));
        cofferdam::root::create_directories(world.kernel, &rootfs.join("opt"), Mode(0o755)).unwrap();
        cofferdam::root::create_directories(world.kernel, &rootfs.join("etc"), Mode(0o755)).unwrap();
        world.write(&rootfs.join("etc/secret"), "of the operator");
        let mut container = Container::new(world, vec![]).with_agent(|agent| {
            agent.readonly_paths = vec!["/opt".into()];
            agent.masked_paths.push("/etc/secret".into());
        });
        container.config.rootfs = Some(rootfs.clone().into());
        let program: &Program<'_> = &|kernel| {
            nothing_precious(kernel)?;
            let named = |names: [&'static str; 2]| if name == "opt" { names } else { [names[0], "/etc"] };
            for directory in named(["/opt", "/moved aside"]) {
                let made = kernel.mkdirat(Fd::CWD, &path(directory).join("new"), Mode(0o755));
                let is_read_only = directory == "/etc" || made != Ok(());
                ensure(is_read_only, format!("{directory} can be written"))?;
            }
            for secret in ["/etc/secret", "/moved aside/secret"] {
                let stat = kernel.statx(Fd::CWD, path(secret), AtFlags::empty());
                let is_masked = stat.is_ok_and(|stat| stat.rdev == DeviceNumber::NULL);
                ensure(stat.is_err() || is_masked, format!("{secret} is not masked"))?;
            }
            Ok(())
        };
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let swaps = at_each_call(&host, &rootfs.join(name), &|kernel| {
            let _ = attempt_through(kernel, info.clone(), program);
        });
        assert!(swaps * crate::EVERY > 100, "only {swaps} times");
        assert_eq!(attempt(&container, info, program), Ok(()));
        container.clean_up();
    }
}

/// Looks at the mount table of whoever calls, before each call, for mounts that can be written and must not be.
struct Watch {
    /// What is mounted, by its name in the filesystem.
    read_only: Vec<UnixPathBuf>,
    seen: Cell<usize>,
}

impl Interceptor for Watch {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let Ok(text) = checkpoint::read(kernel, path("/proc/thread-self/mountinfo")) else { return Ok(()) };
        let table = Table::parse(&text).unwrap();
        for mount in table.entries() {
            // The volume, where it is mounted: not the disk that it is on.
            if self.read_only.iter().any(|root| mount.root().ends_with(root)) {
                self.seen.set(self.seen.get() + 1);
                if !mount.has_mount_option(b"ro") {
                    eprintln!("before {call}, this can be written: {mount:?}");
                    return Err(Errno::EUCLEAN);
                }
            }
        }
        Ok(())
    }
}

/// Binds that are to be read-only could be written for a moment, until they were remounted (runc on restore, mended with
/// CVE-2026-119101).
///
/// At no call of update, prepare or the launcher is there a mount of a read-only volume or path that can be written.
fn read_only_binds_can_never_be_written(world: &World<'_>) {
    let data = world.make_directory("of the host");
    world.make_directory("rootfs/opt/only");
    let read_only = ["roles/role/ro", "of the host", "opt/only"].map(UnixPathBuf::from).to_vec();
    let watch = Watch { read_only, seen: Cell::new(0) };
    let mut container = Container::new(world, vec![volume("ro", "data", "RO", Value::Null)])
        .with_agent(|agent| agent.readonly_paths = vec!["/opt/only".into()])
        .with_rootfs()
        .volumes(json!([host_path(&data, "/srv", "RO"), host_path(&data, "mine", "RO")]));
    let config = container.agent.config().clone();
    let kernel = Intercepted::new(world.kernel, &watch);
    let mut agent = Isolator::open(&kernel as &dyn Kernel, config, Box::new(NumericUsers)).unwrap();
    let info = agent.prepare(&container.id, &container.config).unwrap();
    let launched = attempt_through(&kernel, info, &|kernel| {
        for directory in ["/srv", "/mnt/mesos/sandbox/mine", "/mnt/mesos/sandbox/data", "/opt/only"] {
            let made = kernel.mkdirat(Fd::CWD, &path(directory).join("new"), Mode(0o755));
            ensure(made == Err(Errno::EROFS), format!("{directory}: {made:?}"))?;
        }
        Ok(())
    });
    assert_eq!(launched, Ok(()));
    agent.update(&container.id, &[]).unwrap();
    agent.update(&container.id, &container.config.resources).unwrap();
    assert!(watch.seen.get() > 0, "nothing was seen");
    drop(agent);
    container.agent.resume().unwrap();
    container.clean_up();
}
