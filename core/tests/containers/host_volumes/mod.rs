//! Volumes that are paths of the host or of sandboxes, as containers see them, and that nothing else of the host changes.

pub mod bidirectional;
pub mod hostile;
pub mod layers;
pub mod made;

use cofferdam::kernel::{
    Call, CloneFlags, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags, WaitOptions, WaitStatus,
};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerConfig, ContainerLaunchInfo, LinuxInfo};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde_json::{Value, json};

use crate::scenarios::{Container, ensure, open, path};
use crate::world::World;

/// The whole mount tables of the host's namespace, and of another one in whose mounts those of the host arrive.
struct Namespaces<'k> {
    kernel: &'k dyn Kernel,
    host: Fd,
    other: Fd,
}

impl<'k> Namespaces<'k> {
    fn new(kernel: &'k dyn Kernel) -> Self {
        let namespace = || open(kernel, "/proc/thread-self/ns/mnt", OpenFlags::empty()).unwrap();
        let host = namespace();
        kernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let other = namespace();
        kernel.setns(host, CloneFlags::CLONE_NEWNS).unwrap();
        Self { kernel, host, other }
    }

    fn tables(&self) -> [String; 2] {
        let table = |namespace| {
            self.kernel.setns(namespace, CloneFlags::CLONE_NEWNS).unwrap();
            String::from_utf8(checkpoint::read(self.kernel, path("/proc/thread-self/mountinfo")).unwrap()).unwrap()
        };
        [self.other, self.host].map(table)
    }
}

impl Drop for Namespaces<'_> {
    fn drop(&mut self) {
        for namespace in [self.host, self.other] {
            // If a test fails, nothing more matters.
            let _ = self.kernel.close(namespace);
        }
    }
}

impl Container<'_, '_> {
    pub fn volumes(mut self, volumes: Value) -> Self {
        self.config.container_info.get_or_insert_default().volumes = serde_json::from_value(volumes).unwrap();
        self
    }

    /// In the host's pid namespace, where a program finds the host's mount namespace.
    pub fn sharing_pids(mut self) -> Self {
        let linux_info = LinuxInfo { share_pid_namespace: true, ..LinuxInfo::default() };
        self.config.container_info.get_or_insert_default().linux_info = Some(linux_info);
        self
    }

    pub fn sandbox(&self) -> UnixPathBuf {
        self.config.directory.as_path().to_path_buf()
    }

    /// Where the program finds something of its sandbox.
    pub fn in_sandbox(&self, name: &str) -> String {
        inside(&self.config, name)
    }

    /// What the launcher says when it refuses.
    pub fn refusal(&self, info: ContainerLaunchInfo) -> String {
        let message = self.world.path("message");
        self.world.write(&message, "");
        let opened = self.world.open(&message, OpenFlags::O_WRONLY).unwrap();
        let recorder = Recorder(opened);
        let request = LaunchRequest { info, ..LaunchRequest::default() };
        let kernel = self.world.kernel;
        let mut launch = |kernel: &dyn Kernel| launch(&Intercepted::new(kernel, &recorder), &request);
        let child = kernel.clone3(CloneFlags::empty(), &mut launch).unwrap();
        let (_, status) = kernel.wait4(child, WaitOptions::empty()).unwrap().unwrap();
        kernel.close(opened).unwrap();
        assert_eq!(status, WaitStatus::Exited(125), "it was launched");
        self.world.read(&message)
    }
}

/// Where the program of a container finds something of its sandbox.
pub fn inside(config: &ContainerConfig, name: &str) -> String {
    match &config.rootfs {
        Some(_) => format!("/mnt/mesos/sandbox/{name}"),
        None => format!("{}/{name}", config.directory.as_path().display()),
    }
}

/// Writes to a file what the launcher writes to standard error. Nothing is executed.
struct Recorder(Fd);

impl Interceptor for Recorder {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            Call::Write { fd: Fd::STDERR, data } => {
                // Its path may be out of reach by then.
                kernel.write(self.0, &data.0).map(drop)
            }
            Call::Execve { .. } => Err(Errno::EIO),
            _ => Ok(()),
        }
    }
}

pub fn host_path(path: &UnixPath, container_path: &str, mode: &str) -> Value {
    json!({ "container_path": container_path, "mode": mode, "host_path": path.to_string() })
}

fn bidirectional(path: &UnixPath, container_path: &str, mode: &str) -> Value {
    let host_path = json!({ "path": path.to_string(), "mount_propagation": { "mode": "BIDIRECTIONAL" } });
    let source = json!({ "type": "HOST_PATH", "host_path": host_path });
    json!({ "container_path": container_path, "mode": mode, "source": source })
}

pub fn sandbox_path(kind: &str, path: &str, container_path: &str) -> Value {
    let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": kind, "path": path } });
    json!({ "container_path": container_path, "mode": "RW", "source": source })
}

pub fn write(kernel: &dyn Kernel, name: &str) -> Result<(), Errno> {
    checkpoint::write(kernel, path(name), b"of the container", Mode(0o644)).map_err(|error| error.errno)
}

pub fn content(kernel: &dyn Kernel, name: &str) -> Result<String, String> {
    let content = checkpoint::read(kernel, path(name)).map_err(|error| error.to_string())?;
    String::from_utf8(content).map_err(|error| error.to_string())
}

fn mount(kernel: &dyn Kernel, target: &str) -> Result<(), String> {
    let result = kernel.mount(Some(path("new")), path(target), Some(b"tmpfs"), MountFlags::empty(), None);
    result.map_err(|errno| format!("mount on {target}: {errno}"))
}

/// A directory of the host that is a mount with this propagation.
fn host_mount(world: &World<'_>, name: &str, propagation: MountFlags) -> UnixPathBuf {
    let directory = world.make_directory(name);
    world.mount_tmpfs(&directory, MountFlags::empty());
    world.propagation(&directory, propagation);
    directory
}

/// Does something in the host's mount namespace, as whoever runs the agent there might.
pub fn on_the_host(kernel: &dyn Kernel, action: &dyn Fn(&dyn Kernel) -> Result<(), String>) -> Result<(), String> {
    let agent = kernel.getppid().map_err(|errno| errno.to_string())?;
    let namespace = format!("/proc/{}/ns/mnt", agent.0);
    let namespace = open(kernel, &namespace, OpenFlags::empty()).map_err(|errno| format!("{namespace}: {errno}"))?;
    let mut child = |kernel: &dyn Kernel| {
        let joined = kernel.setns(namespace, CloneFlags::CLONE_NEWNS).map_err(|errno| format!("setns: {errno}"));
        match joined.and_then(|()| action(kernel)) {
            Ok(()) => 0,
            Err(problem) => {
                eprintln!("on the host: {problem}");
                1
            }
        }
    };
    let child = kernel.clone3(CloneFlags::empty(), &mut child).map_err(|errno| errno.to_string())?;
    let ended = kernel.wait4(child, WaitOptions::empty());
    ensure(ended == Ok(Some((child, WaitStatus::Exited(0)))), format!("on the host: {ended:?}"))
}
