//! A host for each scenario. Everything is done through the kernel's calls, so that it can be any kernel.

// With paths, as programs elsewhere include this file by its path.
#[path = "world/aftermath.rs"]
pub mod aftermath;
#[cfg(target_os = "linux")]
#[path = "world/linux.rs"]
pub mod linux;
#[cfg(target_os = "linux")]
#[path = "world/oldest.rs"]
mod oldest;
#[path = "world/simulated.rs"]
pub mod simulated;

use std::rc::Rc;

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, OpenFlags, OpenHow, ResolveFlags, Stat, UmountFlags,
};
use cofferdam::layout::Layout;
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerState, OtherFields, Resource};
use cofferdam::mountinfo::{OwnedEntry, Table};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};

use aftermath::Ledger;

/// What happens to a world, by its name.
pub type Scenario = (&'static str, fn(&World<'_>));

/// A machine with a directory of the scenario's own: a private tmpfs.
pub struct World<'k> {
    pub kernel: &'k dyn Kernel,
    pub directory: UnixPathBuf,
    /// What is to be taken away after the scenario.
    ledger: Rc<Ledger>,
}

impl<'k> World<'k> {
    pub fn new(kernel: &'k dyn Kernel, directory: UnixPathBuf) -> Self {
        Self { kernel, directory, ledger: Rc::default() }
    }

    /// The same world as another process sees it, or through an interceptor.
    pub fn through<'o>(&self, kernel: &'o dyn Kernel) -> World<'o> {
        World { kernel, directory: self.directory.clone(), ledger: Rc::clone(&self.ledger) }
    }

    /// Another directory of the same machine.
    pub fn elsewhere(&self, directory: UnixPathBuf) -> Self {
        World { kernel: self.kernel, directory, ledger: Rc::clone(&self.ledger) }
    }

    pub fn path(&self, name: &str) -> UnixPathBuf {
        self.directory.join(name)
    }

    /// A directory that is a mount of its own, with this propagation whatever that of the machine's mounts is.
    pub fn apart(&self, name: &str, propagation: MountFlags) -> Self {
        let directory = self.make_directory(name);
        self.mount_tmpfs(&directory, MountFlags::empty());
        self.propagation(&directory, propagation);
        self.elsewhere(directory)
    }

    /// Makes a directory and those above it.
    pub fn make_directory(&self, name: &str) -> UnixPathBuf {
        let path = self.path(name);
        create_directories(self.kernel, &path, Mode(0o755)).unwrap();
        path
    }

    pub fn write(&self, path: &UnixPath, content: &str) {
        checkpoint::write(self.kernel, path, content.as_bytes(), Mode(0o644)).unwrap();
    }

    pub fn read(&self, path: &UnixPath) -> String {
        String::from_utf8(checkpoint::read(self.kernel, path).unwrap()).unwrap()
    }

    pub fn open(&self, path: &UnixPath, flags: OpenFlags) -> Result<Fd, Errno> {
        let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
        self.kernel.openat2(Fd::CWD, path, how)
    }

    pub fn stat(&self, path: &UnixPath) -> Result<Stat, Errno> {
        self.kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    pub fn exists(&self, path: &UnixPath) -> bool {
        self.stat(path).is_ok()
    }

    pub fn mount_tmpfs(&self, target: &UnixPath, flags: MountFlags) {
        self.kernel.mount(Some(UnixPath::new("tmpfs")), target, Some(b"tmpfs"), flags, None).unwrap();
        self.ledger.mounted(self.kernel, target);
    }

    pub fn bind(&self, source: &UnixPath, target: &UnixPath) {
        self.kernel.mount(Some(source), target, None, MountFlags::MS_BIND, None).unwrap();
        self.ledger.mounted(self.kernel, target);
    }

    /// `mount --move`, which the kernel refuses below a shared mount.
    pub fn move_mount(&self, source: &UnixPath, target: &UnixPath) {
        self.kernel.mount(Some(source), target, None, MountFlags::MS_MOVE, None).unwrap();
        self.ledger.mounted(self.kernel, target);
    }

    pub fn umount(&self, target: &UnixPath) {
        self.kernel.umount2(target, UmountFlags::empty()).unwrap();
    }

    pub fn propagation(&self, target: &UnixPath, propagation: MountFlags) {
        self.ledger.propagation(self.kernel, target, propagation);
        let attr = MountAttr { propagation, ..MountAttr::default() };
        self.kernel.mount_setattr(Fd::CWD, target, AtFlags::empty(), &attr).unwrap();
    }

    /// The mounts at or below the scenario's directory.
    pub fn mounts(&self) -> Vec<OwnedEntry> {
        let all = mount_table(self.kernel).into_iter();
        all.filter(|mount| mount.mountpoint.starts_with(&self.directory)).collect()
    }

    /// The mounts at exactly this path.
    pub fn mounts_at(&self, path: &UnixPath) -> Vec<OwnedEntry> {
        self.mounts().into_iter().filter(|mount| mount.mountpoint == *path).collect()
    }

    pub fn config(&self) -> AgentConfig {
        AgentConfig::new(Layout { work_dir: self.path("work"), runtime_dir: self.path("run") })
    }

    /// An agent on this world, whose directories are made if they are missing.
    pub fn agent(&self) -> Isolator<&'k dyn Kernel> {
        self.make_directory("work");
        self.create(self.config()).unwrap()
    }

    /// What `Isolator::create` says to a configuration.
    pub fn create(&self, config: AgentConfig) -> Result<Isolator<&'k dyn Kernel>, cofferdam::isolator::CreateError> {
        let agent = Isolator::create(self.kernel, config, Box::new(NumericUsers))?;
        self.ledger.agent(agent.config());
        Ok(agent)
    }

    /// What a reboot does to the records of a container without a root filesystem, where runtime_dir is on a tmpfs.
    pub fn remove_runtime(&self, name: &str) {
        let runtime = self.path("run/containers").join(name);
        for file in ["config", "volumes", "launch_info"] {
            self.kernel.unlinkat(Fd::CWD, &runtime.join(file), AtFlags::empty()).unwrap();
        }
        self.kernel.unlinkat(Fd::CWD, &runtime, AtFlags::AT_REMOVEDIR).unwrap();
    }

    /// A container without a root filesystem, whose sandbox is made.
    pub fn container(&self, name: &str, resources: Vec<Resource>) -> (ContainerId, ContainerConfig) {
        let id = ContainerId::new(name).unwrap();
        let sandbox = self.config().layout.executor_sandbox("a", "f", "e", &id).unwrap();
        create_directories(self.kernel, &sandbox, Mode(0o755)).unwrap();
        self.ledger.container(&id, &sandbox);
        (id, ContainerConfig { directory: sandbox.into(), resources, ..ContainerConfig::default() })
    }

    /// A container nested in another one, whose sandbox is made.
    pub fn nested(&self, parent: (&ContainerId, &ContainerConfig), name: &str) -> (ContainerId, ContainerConfig) {
        let id = parent.0.child(name).unwrap();
        let sandbox = Layout::nested_sandbox(parent.1.directory.as_path(), &id);
        create_directories(self.kernel, &sandbox, Mode(0o755)).unwrap();
        self.ledger.container(&id, &sandbox);
        (id, ContainerConfig { directory: sandbox.into(), ..ContainerConfig::default() })
    }
}

/// The whole mount table of the calling thread.
pub fn mount_table(kernel: &dyn Kernel) -> Vec<OwnedEntry> {
    let text = checkpoint::read(kernel, UnixPath::new("/proc/thread-self/mountinfo")).unwrap();
    Table::parse(&text).unwrap().entries().iter().map(OwnedEntry::from).collect()
}

/// What an agent that has died knows of a container.
pub fn state(id: &ContainerId, config: &ContainerConfig) -> ContainerState {
    ContainerState {
        container_id: id.clone(),
        directory: config.directory.clone(),
        executor_info: None,
        pid: None,
        other: OtherFields::new(),
    }
}

/// A persistent volume of role `role`, seen at `name`; its directory must exist.
pub fn volume(id: &str, name: &str, mode: &str, source: serde_json::Value) -> Resource {
    let mut disk = serde_json::json!({
        "persistence": { "id": id },
        "volume": { "container_path": name, "mode": mode },
    });
    if !source.is_null() {
        disk["source"] = source;
    }
    let resource = serde_json::json!({ "name": "disk", "reservations": [{ "role": "role" }], "disk": disk });
    serde_json::from_value(resource).unwrap()
}
