//! A host for each scenario. Everything is done through the kernel's calls, so that it can be any kernel.

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, OpenFlags, OpenHow, ResolveFlags, Stat, UmountFlags,
};
use cofferdam::layout::Layout;
use cofferdam::messages::{ContainerConfig, ContainerId, Resource};
use cofferdam::mountinfo::{OwnedEntry, Table};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};

/// What happens to a world, by its name.
pub type Scenario = (&'static str, fn(&World<'_>));

/// A machine with a directory of the scenario's own: a private tmpfs.
pub struct World<'k> {
    pub kernel: &'k dyn Kernel,
    pub directory: UnixPathBuf,
}

impl<'k> World<'k> {
    pub fn path(&self, name: &str) -> UnixPathBuf {
        self.directory.join(name)
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
    }

    pub fn bind(&self, source: &UnixPath, target: &UnixPath) {
        self.kernel.mount(Some(source), target, None, MountFlags::MS_BIND, None).unwrap();
    }

    pub fn umount(&self, target: &UnixPath) {
        self.kernel.umount2(target, UmountFlags::empty()).unwrap();
    }

    pub fn propagation(&self, target: &UnixPath, propagation: MountFlags) {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        self.kernel.mount_setattr(Fd::CWD, target, AtFlags::empty(), &attr).unwrap();
    }

    /// The mounts at or below the scenario's directory.
    pub fn mounts(&self) -> Vec<OwnedEntry> {
        let text = checkpoint::read(self.kernel, UnixPath::new("/proc/thread-self/mountinfo")).unwrap();
        let table = Table::parse(&text).unwrap();
        table.at_or_below(&self.directory).map(OwnedEntry::from).collect()
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
        Isolator::create(self.kernel, self.config(), Box::new(NumericUsers)).unwrap()
    }

    /// What `Isolator::create` says to a configuration.
    pub fn create(&self, config: AgentConfig) -> Result<Isolator<&'k dyn Kernel>, cofferdam::isolator::CreateError> {
        Isolator::create(self.kernel, config, Box::new(NumericUsers))
    }

    /// A container without a root filesystem, whose sandbox is made.
    pub fn container(&self, name: &str, resources: Vec<Resource>) -> (ContainerId, ContainerConfig) {
        let id = ContainerId::new(name).unwrap();
        let sandbox = self.config().layout.executor_sandbox("a", "f", "e", &id).unwrap();
        create_directories(self.kernel, &sandbox, Mode(0o755)).unwrap();
        (id, ContainerConfig { directory: sandbox.into(), resources, ..ContainerConfig::default() })
    }

    /// A container nested in another one, whose sandbox is made.
    pub fn nested(&self, parent: (&ContainerId, &ContainerConfig), name: &str) -> (ContainerId, ContainerConfig) {
        let id = parent.0.child(name).unwrap();
        let sandbox = Layout::nested_sandbox(parent.1.directory.as_path(), &id);
        create_directories(self.kernel, &sandbox, Mode(0o755)).unwrap();
        (id, ContainerConfig { directory: sandbox.into(), ..ContainerConfig::default() })
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

pub mod simulated {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{AtFlags, Fd, Kernel as _, Mode, MountAttr, MountFlags};
    use cofferdam_vfs_sim::{Linux, Process};

    use super::World;

    /// Runs a scenario on a simulated machine of its own.
    pub fn run(scenario: fn(&World<'_>)) {
        let kernel = Process::init(Linux::new());
        let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
        kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &private).unwrap();
        for (directory, filesystem) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/world", "tmpfs")]
        {
            let directory = UnixPath::new(directory);
            kernel.mkdirat(Fd::CWD, directory, Mode(0o755)).unwrap();
            let source = Some(UnixPath::new(filesystem));
            kernel.mount(source, directory, Some(filesystem.as_bytes()), MountFlags::empty(), None).unwrap();
        }
        scenario(&World { kernel: &kernel, directory: UnixPath::new("/world").to_path_buf() });
        kernel.linux().check().unwrap();
    }
}

#[cfg(target_os = "linux")]
pub mod linux {
    use std::io::Write as _;

    use cofferdam::UnixPath;
    use cofferdam::kernel::{AtFlags, CloneFlags, Errno, Fd, Kernel as _, MountAttr, MountFlags, UmountFlags};
    use cofferdam_linux::LinuxKernel;

    use super::World;

    /// Runs a scenario on the real kernel, in a mount namespace of its own; skips it, visibly, without root.
    pub fn run(name: &str, scenario: fn(&World<'_>)) {
        if LinuxKernel.geteuid() != Ok(0) {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{name}: in CI nothing is skipped");
            // Not eprintln, which the test harness keeps to itself.
            #[allow(clippy::explicit_write, reason = "see above")]
            writeln!(std::io::stderr(), "skipped: needs root: {name}").unwrap();
            return;
        }
        // A mount namespace belongs to a thread.
        let result = std::thread::scope(|scope| scope.spawn(|| in_a_new_namespace(scenario)).join());
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    /// Runs a scenario in a new mount namespace, which the calling thread keeps.
    pub fn in_a_new_namespace(scenario: fn(&World<'_>)) {
        let kernel = LinuxKernel;
        kernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
        kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &private).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = std::fs::canonicalize(directory.path()).unwrap();
        let path = UnixPath::new(path.as_os_str().as_encoded_bytes());
        let tmpfs = Some(UnixPath::new("world"));
        kernel.mount(tmpfs, path, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
        scenario(&World { kernel: &kernel, directory: path.to_path_buf() });
        // So that the directory can be removed. The rest goes with the thread.
        while kernel.umount2(path, UmountFlags::MNT_DETACH) != Err(Errno::EINVAL) {}
    }
}
