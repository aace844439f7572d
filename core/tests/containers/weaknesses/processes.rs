//! The launcher's process: its descriptors, its working directory, and what it does in a root filesystem that it has entered.

use std::cell::{Cell, RefCell};

use cofferdam::agent::CONTAINER_CAPABILITIES;
use cofferdam::kernel::{
    AtFlags, Bytes, Call, Capabilities, CapabilitySets, CloneFlags, Errno, Fd, Intercepted, Interceptor, Kernel, Mode,
    MountFlags, OpenFlags, Pid, Prctl, WaitStatus,
};
use cofferdam::launch::LaunchRequest;
use cofferdam::messages::ContainerClass;
use cofferdam::{UnixPath, checkpoint};
use serde_json::Value;

use super::races::nothing_precious;
use super::{Host, attempt, attempt_through, put_link};
use crate::nested::Another;
use crate::scenarios::{CONTENT, Container, ensure, exists, open, path, wait};
use crate::trees::told::told;
use crate::world::{World, volume};

scenarios!(cve_2015_1334, cve_2015_3627, cve_2016_9962, cve_2019_14271, cve_2021_41103, cve_2022_29162, cve_2024_21626,);

/// Before each call of the launcher, another process looks into it, with the same user and the capabilities of
/// a container.
#[derive(Default)]
struct Look {
    has_begun: Cell<bool>,
}

impl Look {
    /// What of a process can be seen.
    fn at(kernel: &dyn Kernel, process: &str) -> Option<String> {
        let caught = |name: &str| format!("{name} of the launcher can be seen");
        for name in ["root", "cwd", "exe"] {
            let link = format!("/proc/{process}/{name}");
            if kernel.readlinkat(Fd::CWD, path(&link)).is_ok() {
                return Some(caught(name));
            }
        }
        let descriptors = format!("/proc/{process}/fd");
        // Root may know their numbers.
        let entries = checkpoint::list(kernel, path(&descriptors)).unwrap_or_default();
        let is_seen = |name: &Bytes| kernel.readlinkat(Fd::CWD, &path(&descriptors).join(name)).is_ok();
        entries.iter().any(|entry| is_seen(&entry.name)).then(|| caught("fd"))
    }
}

impl Interceptor for Look {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            // The first of the launcher's calls; with the second one it protects itself.
            Call::Umask { .. } => {
                self.has_begun.set(true);
                return Ok(());
            }
            // Whoever waits is done, or is another process.
            Call::Wait4 { .. } => {
                self.has_begun.set(false);
                return Ok(());
            }
            Call::Prctl { operation: Prctl::SetDumpable(false) }
            | Call::Execve { .. }
            | Call::Clone3 { .. }
            | Call::Sigwaitinfo { .. } => return Ok(()),
            _ if !self.has_begun.get() => return Ok(()),
            _ => {}
        }
        // By the number that the proc has for it that is mounted by now.
        let Ok(process) = kernel.readlinkat(Fd::CWD, path("/proc/self")) else { return Ok(()) };
        let process = String::from_utf8_lossy(&process.0).into_owned();
        let own = CONTAINER_CAPABILITIES;
        let child = kernel.clone3(CloneFlags::empty(), &mut |kernel| {
            let sets = CapabilitySets { effective: own, permitted: own, inheritable: Capabilities::empty() };
            // Once privileges are given up there is less, and nothing to be raised.
            if kernel.capset(sets).is_err() {
                return 0;
            }
            i32::from(Self::at(kernel, &process).inspect(|found| eprintln!("before {call}: {found}")).is_some())
        });
        let Ok(child) = child else { return Ok(()) };
        if wait(kernel, child) == WaitStatus::Exited(0) { Ok(()) } else { Err(Errno::EUCLEAN) }
    }
}

/// CVE-2016-9962 (runc, Docker): a process that joins a container could be traced by the container's programs, and its
/// descriptors used by way of `/proc`, before it executed its own.
///
/// The launcher is not dumpable from its first step on, and so is each process that it makes: `/proc/PID/fd`, `root`, `cwd`
/// and `exe` are closed to who lacks a capability that it has.
fn cve_2016_9962(world: &World<'_>) {
    for shares_pids in [false, true] {
        let container = Container::new(world, vec![volume("db", "data", "RW", Value::Null)]).with_rootfs();
        let mut container = if shares_pids { container.sharing_pids() } else { container };
        // Then there is nothing that the launcher has and the one who looks lacks, once it has given up the rest.
        let linux_info = container.config.container_info.get_or_insert_default().linux_info.get_or_insert_default();
        linux_info.bounding_capabilities = Some(CONTAINER_CAPABILITIES.into());
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let look = Look::default();
        let kernel = Intercepted::new(world.kernel, &look);
        assert_eq!(attempt_through(&kernel, info, &|_| Ok(())), Ok(()), "shares_pids: {shares_pids}");
        let sandbox = container.sandbox();
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
    // That somebody looks, and would see something.
    let number = world.kernel.readlinkat(Fd::CWD, path("/proc/self")).unwrap();
    assert!(Look::at(world.kernel, &String::from_utf8_lossy(&number.0)).is_some());
}

/// CVE-2024-21626 (runc): a directory of the host was open in the runtime, and `/proc/self/fd/7` as the working directory was
/// outside of the container. So was a program that was executed by such a path.
///
/// The working directory is looked at once we are in it: what can't be reached from the root is refused. All descriptors
/// are closed when a program is executed, and are close-on-exec before.
fn cve_2024_21626(world: &World<'_>) {
    let host = Host::new(world);
    // As whoever starts the launcher may leave it open.
    let leaked = open(world.kernel, &host.precious.to_string(), OpenFlags::O_DIRECTORY).unwrap();
    let again = world.kernel.dup3(leaked, Fd(20), OpenFlags::empty()).unwrap();
    let mut container = Container::new(world, vec![]).with_rootfs();
    let mut refused = 0;
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let precious = host.precious.display().to_string();
    for descriptor in 0..24 {
        let link = world.path("rootfs").join(format!("cwd{descriptor}"));
        put_link(world, &link, path(&format!("/proc/self/fd/{descriptor}")));
        for directory in [
            format!("/proc/self/fd/{descriptor}"),
            format!("/proc/self/fd/{descriptor}/.."),
            format!("/proc/self/fd/{descriptor}/../.."),
            format!("/cwd{descriptor}"),
            format!("/cwd{descriptor}/x"),
        ] {
            let mut info = info.clone();
            info.working_directory = Some(directory.as_str().into());
            let result = attempt(&container, info, &|kernel| {
                let here = kernel.getcwd().map_err(|errno| errno.to_string())?;
                ensure(here.0.starts_with(b"/"), format!("{here}"))?;
                for way in ["file", "../file", "../precious/file", "../../precious/file"] {
                    ensure(!exists(kernel, way), format!("{way} from {here}"))?;
                }
                ensure(!exists(kernel, &format!("../../../../../../..{precious}")), format!("the host from {here}"))
            });
            refused += usize::from(result.is_err_and(|error| error.contains("is outside the container's root")));
        }
    }
    assert!(refused > 4, "only {refused} were outside, so nothing was open");
    for fd in [leaked, again] {
        world.kernel.close(fd).unwrap();
    }
    container.clean_up();
    host.assert_untouched("working directories");
}

/// CVE-2015-3627 (Docker, libcontainer): a descriptor that the first process of a container was given was open, by a path,
/// before the root was switched: with it the program came to the host.
///
/// The program has the standard streams and nothing else.
fn cve_2015_3627(world: &World<'_>) {
    let host = Host::new(world);
    let leaked = open(world.kernel, &host.precious.to_string(), OpenFlags::O_DIRECTORY).unwrap();
    // Not close-on-exec.
    let again = world.kernel.dup3(leaked, Fd(33), OpenFlags::empty()).unwrap();
    for with_rootfs in [true, false] {
        let container = Container::new(world, vec![]);
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let status = container.run(&|kernel| {
            for fd in 3..64 {
                let stat = kernel.statx(Fd(fd), UnixPath::new(""), AtFlags::AT_EMPTY_PATH);
                ensure(stat == Err(Errno::EBADF), format!("descriptor {fd}: {stat:?}"))?;
            }
            Ok(())
        });
        assert_eq!(status, CONTENT);
        let sandbox = container.sandbox();
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
    for fd in [leaked, again] {
        world.kernel.close(fd).unwrap();
    }
}

/// Once the root is switched, takes offence at whatever opens or changes a file by its path.
#[derive(Default)]
struct Inside {
    is_inside: Cell<bool>,
    offences: RefCell<Vec<String>>,
}

impl Interceptor for Inside {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let is_offence = matches!(
            call,
            Call::Openat2 { .. }
                | Call::Readlinkat { .. }
                | Call::Mount { .. }
                | Call::OpenTree { .. }
                | Call::Mkdirat { .. }
                | Call::Mknodat { .. }
                | Call::Symlinkat { .. }
                | Call::Fchownat { .. }
                | Call::Fchmodat { .. }
        );
        if self.is_inside.get() && is_offence {
            self.offences.borrow_mut().push(call.to_string());
            return Err(Errno::EUCLEAN);
        }
        if matches!(call, Call::PivotRoot { .. }) {
            self.is_inside.set(true);
        }
        Ok(())
    }
}

/// CVE-2019-14271 (Docker, `docker cp`): a helper that had changed its root to the container's loaded shared libraries from
/// there, and so executed what the image had, with all privileges.
///
/// Once the root is switched, the launcher opens and executes nothing but the program: users were looked up before.
fn cve_2019_14271(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    container.config.user = Some("1000:1000".into());
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let inside = Inside::default();
    let result = attempt_through(&Intercepted::new(world.kernel, &inside), info, &|_| Ok(()));
    assert_eq!(result, Ok(()), "{:?}", inside.offences.borrow());
    assert!(inside.offences.borrow().is_empty(), "{:?}", inside.offences.borrow());
    container.clean_up();
}

/// As the agent, on the host: launches a session in a container that runs.
fn attach(kernel: &dyn Kernel, host: Fd, session: &Another<'_>, parent: Option<Pid>) -> Result<(), String> {
    kernel.setns(host, CloneFlags::CLONE_NEWNS).map_err(|errno| errno.to_string())?;
    let mut agent = session.agent(kernel)?;
    let info = agent.prepare(&session.id, &session.config).map_err(|error| error.to_string())?;
    let request = LaunchRequest { info, parent, ..LaunchRequest::default() };
    let (status, message) = told(kernel, &request, &|kernel| {
        nothing_precious(kernel)?;
        let written = checkpoint::read(kernel, path("/proc/self/attr/exec")).map_err(|error| error.to_string())?;
        ensure(written.is_empty(), "it has written to the fake proc")
    });
    agent.cleanup(&session.id).map_err(|error| error.to_string())?;
    agent.remove_runtime(&session.id).map_err(|error| error.to_string())?;
    ensure(status == CONTENT, format!("{status:?}: {message}"))
}

/// CVE-2015-1334 (LXC): who attached to a container trusted its `/proc`, where the container could have put files of its own,
/// and was not confined.
///
/// Who joins a mount namespace has opened all that it needs of `/proc` on the host before, and reads nothing after that.
fn cve_2015_1334(world: &World<'_>) {
    let host = Host::new(world);
    let mut container = Container::new(world, vec![]).with_rootfs().sharing_pids();
    let mut session = Another::nested(&container, "session");
    session.config.container_class = Some(ContainerClass::Debug);
    let status = container.run(&|kernel| {
        let text = |errno: Errno| errno.to_string();
        let host = kernel.getppid().map_err(text)?;
        let namespace = open(kernel, &format!("/proc/{}/ns/mnt", host.0), OpenFlags::empty()).map_err(text)?;
        kernel.mount(None, path("/proc"), Some(b"tmpfs"), MountFlags::empty(), None).map_err(text)?;
        for directory in ["/proc/self", "/proc/self/attr", "/proc/thread-self"] {
            kernel.mkdirat(Fd::CWD, path(directory), Mode(0o755)).map_err(text)?;
        }
        for file in ["/proc/self/attr/exec", "/proc/self/attr/current", "/proc/self/uid_map"] {
            checkpoint::write(kernel, path(file), b"", Mode(0o666)).map_err(|error| error.to_string())?;
        }
        kernel.symlinkat(path("/"), Fd::CWD, path("/proc/self/exe")).map_err(text)?;
        let parent = Some(kernel.getpid().map_err(text)?);
        let mut agent = |kernel: &dyn Kernel| match attach(kernel, namespace, &session, parent) {
            Ok(()) => 0,
            Err(problem) => {
                eprintln!("the agent: {problem}");
                1
            }
        };
        let agent = kernel.clone3(CloneFlags::empty(), &mut agent).map_err(text)?;
        ensure(wait(kernel, agent) == WaitStatus::Exited(0), "the session")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    host.assert_untouched("a fake proc");
}

/// CVE-2022-29162 (runc; CVE-2022-24769 in Docker, CVE-2022-27649 in Podman): programs began with inheritable capabilities,
/// which files with such could turn into permitted ones.
///
/// Without capabilities that it is to begin with, none is inheritable.
fn cve_2022_29162(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let info = container.config.container_info.get_or_insert_default();
    info.linux_info.get_or_insert_default().bounding_capabilities = Some(CONTAINER_CAPABILITIES.into());
    let status = container.run(&|kernel| {
        let sets = kernel.capget().map_err(|errno| errno.to_string())?;
        ensure(sets.inheritable.is_empty(), format!("inheritable: {:?}", sets.inheritable))?;
        ensure(sets.permitted == CONTAINER_CAPABILITIES, format!("permitted: {:?}", sets.permitted))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

/// CVE-2021-41103 (containerd; CVE-2021-41091 in Docker): users of the host could enter the directories of containers, and
/// use the devices and set-user-id programs in them.
///
/// The container's devices are in a directory of its user's alone, and what may hold secrets is root's alone to read.
fn cve_2021_41103(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    container.agent.prepare(&container.id, &container.config).unwrap();
    let layout = container.agent.config().layout.clone();
    let mode = |path: &UnixPath| world.stat(path).unwrap().mode;
    assert_eq!(mode(&layout.container_devices(&container.id)), Mode(0o700));
    for file in [layout.container_launch_info(&container.id), layout.container_config(&container.id)] {
        assert_eq!(mode(&file), Mode(0o600), "{}", file.display());
    }
    container.clean_up();
}
