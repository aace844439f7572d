//! One tree: it is made, a container is prepared and launched with it, and all is compared.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Bytes, DeviceNumber, Fd, FileType, Intercepted, Kernel, Mode, MountFlags, NodeMode, OpenFlags,
    UmountFlags, WaitStatus,
};
use cofferdam::launch::LaunchRequest;
use cofferdam::layout::Layout;
use cofferdam::messages::{CommandInfo, ContainerConfig, ContainerId, ContainerLaunchInfo, LinuxInfo};
use cofferdam::mountinfo::OwnedEntry;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde_json::json;

use super::inside::{Inside, Origin};
use super::listing::Listing;
use super::oracle::{self, What};
use super::plan::{Plan, Source};
use super::swap::Swapper;
use super::told::told;
use super::tree::{DIRECTORY, Node, Tree};
use crate::scenarios::{CONTENT, ensure, path};
use crate::world::{World, mount_table, volume};

/// What became of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ran,
    PrepareRefused,
    LaunchRefused,
    /// Somebody has changed it meanwhile; whatever came of it, nothing has leaked.
    Changed,
}

/// A machine with a tree of an image and one of a sandbox.
pub struct Trial<'w, 'k> {
    world: &'w World<'k>,
    /// A mount of its own for all but the agent's directories.
    place: UnixPathBuf,
    plan: Plan,
    agent: RefCell<Isolator<&'k dyn Kernel>>,
    top: (ContainerId, UnixPathBuf),
    id: ContainerId,
    config: ContainerConfig,
    namespace: Fd,
    calls: Cell<usize>,
}

impl<'w, 'k> Trial<'w, 'k> {
    pub fn new(world: &'w World<'k>, seed: u64) -> Self {
        let place = world.make_directory("tree");
        world.mount_tmpfs(&place, MountFlags::empty());
        let precious = place.join("precious");
        let plan = Plan::new(seed, &precious);
        make_precious(world.kernel, &precious);
        for directory in ["rootfs", "volumes/directory", "disk/volumes/roles/role/data", "disk/volumes/roles/role/log"]
        {
            world.make_directory(&format!("tree/{directory}"));
        }
        world.write(&place.join("volumes/file"), "of a volume");
        if let Some(image) = &plan.image {
            image.make(world.kernel, &place.join("rootfs"));
        }
        let mut config = world.config();
        plan.configure(&mut config);
        world.make_directory("work");
        let agent = world.create(config).unwrap();
        let (top, top_config) = world.container("c", Vec::new());
        let top = (top, top_config.directory.as_path().to_path_buf());
        plan.sandbox.make(world.kernel, &top.1);
        let id = if plan.is_nested { top.0.child("n").unwrap() } else { top.0.clone() };
        let open = |name: &str| crate::scenarios::open(world.kernel, name, OpenFlags::empty()).unwrap();
        let mut trial = Self {
            world,
            plan,
            agent: RefCell::new(agent),
            id,
            config: ContainerConfig::default(),
            namespace: open("/proc/thread-self/ns/mnt"),
            calls: Cell::new(0),
            place,
            top,
        };
        trial.config = trial.configuration();
        trial
    }

    pub fn description(&self) -> String {
        let image = if self.plan.image.is_some() { "with" } else { "without" };
        let nested = if self.plan.is_nested { "nested" } else { "top-level" };
        let swap = self.plan.swap.as_ref().map_or_else(String::new, |swap| format!(", {swap}"));
        format!("a {nested} container {image} an image{swap}")
    }

    fn own_sandbox(&self) -> UnixPathBuf {
        if self.plan.is_nested { Layout::nested_sandbox(&self.top.1, &self.id) } else { self.top.1.clone() }
    }

    fn configuration(&self) -> ContainerConfig {
        let disk = json!({ "type": "PATH", "path": { "root": self.place.join("disk").to_string() } });
        let persistent =
            self.plan.persistent_volumes.iter().map(|wanted| {
                volume(wanted.name, wanted.name, if wanted.read_only { "RO" } else { "RW" }, disk.clone())
            });
        let mut config = ContainerConfig {
            directory: self.own_sandbox().into(),
            rootfs: self.plan.image.is_some().then(|| self.place.join("rootfs").into()),
            command_info: CommandInfo::program(vec!["/program".into()]),
            resources: persistent.collect(),
            ..ContainerConfig::default()
        };
        let info = config.container_info.get_or_insert_default();
        info.linux_info = Some(LinuxInfo { share_pid_namespace: self.plan.shares_pids, ..LinuxInfo::default() });
        for wanted in &self.plan.volumes {
            let host_path = |name: &str| json!(self.place.join(name).to_string());
            let sandbox = |kind: &str, path: &str| json!({ "type": "SANDBOX_PATH", "sandbox_path": { "type": kind, "path": path } });
            let mut value = json!({ "container_path": wanted.container_path });
            value["mode"] = json!(if wanted.read_only { "RO" } else { "RW" });
            match wanted.source {
                Source::HostDirectory => value["host_path"] = host_path("volumes/directory"),
                Source::HostFile => value["host_path"] = host_path("volumes/file"),
                Source::OwnSandbox(path) => value["source"] = sandbox("SELF", path),
                Source::ParentSandbox(path) => value["source"] = sandbox("PARENT", path),
            }
            info.volumes.push(serde_json::from_value(value).unwrap());
        }
        config
    }

    /// All that there is on the host, but for the state of the agent.
    fn listing(&self) -> Listing {
        let mut listing = Listing::default();
        let kernel = self.world.kernel;
        listing.add(kernel, &self.world.directory, &self.world.path("run"));
        listing.add_flat(kernel, path("/"));
        listing.add_flat(kernel, path("/dev"));
        listing
    }

    /// Without what the container may change.
    fn host_only(&self, listing: Listing) -> Listing {
        let own = ["rootfs", "volumes", "disk"].map(|name| self.place.join(name));
        own.iter().chain([&self.top.1]).fold(listing, |listing, own| listing.without(own))
    }

    pub fn run(&self) -> Result<Ending, String> {
        let expected = oracle::outcome(&self.plan, self.agent.borrow().config());
        let without_containers = mount_table(self.world.kernel);
        if self.plan.is_nested {
            let parent = ContainerConfig {
                directory: self.top.1.as_path().into(),
                container_info: self.config.container_info.clone().map(|mut info| {
                    info.volumes.clear();
                    info
                }),
                command_info: self.config.command_info.clone(),
                ..ContainerConfig::default()
            };
            self.agent.borrow_mut().prepare(&self.top.0, &parent).unwrap();
        }
        let mounts = mount_table(self.world.kernel);
        let before = self.listing();
        let ending = match self.prepare() {
            Err(problem) => {
                self.names_a_path(&problem)?;
                if self.plan.swap.is_none() {
                    let mut changes = self.listing().changes_since(&before);
                    changes.retain(|change| !self.is_mount_point_of_volume(change));
                    let text = changes.join("\n");
                    ensure(changes.is_empty(), format!("left by a prepare that was refused, {problem}:\n{text}"))?;
                }
                ensure(mount_table(self.world.kernel) == mounts, "left mounted by a prepare that was refused")?;
                (Ending::PrepareRefused, problem)
            }
            Ok(info) => {
                let prepared = mount_table(self.world.kernel);
                let ended = self.launch(info, expected.as_ref().ok().cloned())?;
                ensure(mount_table(self.world.kernel) == prepared, "the launcher has mounted something on the host")?;
                ended
            }
        };
        let problem = match (&expected, &ending) {
            (_, _) if self.plan.swap.is_some() => None,
            (Ok(_), (Ending::Ran, _)) | (Err(_), (Ending::PrepareRefused | Ending::LaunchRefused, _)) => None,
            (Ok(_), (_, message)) => Some(format!("nothing is in the way, but: {message}")),
            (Err(refused), _) => Some(format!("it runs, although {} is in the way", refused.0)),
        };
        ensure(problem.is_none(), problem.unwrap_or_default())?;
        self.clean_up(&without_containers)?;
        let changes = self.host_only(self.listing()).changes_since(&self.host_only(before));
        ensure(changes.is_empty(), format!("changed on the host:\n{}", changes.join("\n")))?;
        Ok(if self.plan.swap.is_some() { Ending::Changed } else { ending.0 })
    }

    /// Whether it is an empty directory that was a volume's mount point: such are removed with the mount, whoever made them.
    fn is_mount_point_of_volume(&self, change: &str) -> bool {
        let line =
            |volume: &super::plan::Persistent| format!("- {} Directory", Bytes::from(self.top.1.join(volume.name)));
        self.plan.persistent_volumes.iter().any(|volume| change.starts_with(&line(volume)))
    }

    fn names_a_path(&self, message: &str) -> Result<(), String> {
        let names = |path: &UnixPath| message.contains(&path.to_string());
        let is_named = |wanted: &super::plan::Volume| message.contains(&wanted.container_path.to_string());
        // Once it has switched the root, the launcher sees what the program will see.
        let found = names(&self.world.directory)
            || names(&self.world.config().sandbox_directory)
            || self.plan.volumes.iter().any(is_named);
        ensure(found, format!("no path is named: {message}"))
    }

    fn with_swapper<T>(&self, act: impl FnOnce(&dyn Kernel) -> T) -> T {
        let kernel = self.world.kernel;
        let Some(swap) = &self.plan.swap else { return act(kernel) };
        let tree = if swap.in_image { self.place.join("rootfs") } else { self.top.1.clone() };
        let swapper = Swapper {
            namespace: self.namespace,
            path: tree.join(&swap.name),
            precious: self.place.join("precious"),
            deed: swap.deed,
            before_call: swap.before_call,
            calls: Cell::new(self.calls.get()),
        };
        let result = act(&Intercepted::new(kernel, &swapper));
        self.calls.set(swapper.calls.get());
        result
    }

    fn prepare(&self) -> Result<ContainerLaunchInfo, String> {
        if self.plan.swap.is_none() {
            let prepared = self.agent.borrow_mut().prepare(&self.id, &self.config);
            return prepared.map_err(|error| error.to_string());
        }
        // By an agent all of whose calls somebody sees.
        let config = self.agent.borrow().config().clone();
        let prepared = self.with_swapper(|kernel| {
            let mut agent = Isolator::open(kernel, config, Box::new(cofferdam::user::NumericUsers)).unwrap();
            agent.resume().unwrap();
            agent.prepare(&self.id, &self.config).map_err(|error| error.to_string())
        });
        self.agent.borrow_mut().resume().unwrap();
        prepared
    }

    fn launch(
        &self,
        info: ContainerLaunchInfo,
        expected: Option<Vec<oracle::Expected>>,
    ) -> Result<(Ending, String), String> {
        let inside = self.inside(expected)?;
        let problem = RefCell::new(String::new());
        let program =
            |kernel: &dyn Kernel| inside.check(kernel).inspect_err(|found| problem.borrow_mut().clone_from(found));
        let request = LaunchRequest { info, ..LaunchRequest::default() };
        let (status, message) = self.with_swapper(|kernel| told(kernel, &request, &program));
        match status {
            CONTENT => Ok((Ending::Ran, message)),
            WaitStatus::Exited(125) => {
                self.names_a_path(&message)?;
                Ok((Ending::LaunchRefused, message))
            }
            _ => Err(format!("{status:?}: {} {message}", problem.borrow())),
        }
    }

    fn inside(&self, expected: Option<Vec<oracle::Expected>>) -> Result<Inside, String> {
        let table = mount_table(self.world.kernel);
        let rootfs = self.place.join("rootfs");
        let layout = &self.agent.borrow().config().layout.clone();
        let place = |path: &UnixPath| origin(&table, path);
        let sources: Vec<_> = self
            .plan
            .volumes
            .iter()
            .map(|wanted| {
                place(&match wanted.source {
                    Source::HostDirectory => self.place.join("volumes/directory"),
                    Source::HostFile => self.place.join("volumes/file"),
                    Source::OwnSandbox(path) => self.own_sandbox().join(path),
                    Source::ParentSandbox(path) => self.top.1.join(path),
                })
            })
            .collect();
        let disk = self.place.join("disk/volumes/roles/role");
        let mut allowed = vec![
            place(&rootfs),
            place(&self.own_sandbox()),
            place(&layout.container_devices(&self.id)),
            place(path("/dev/null")),
            place(&disk),
        ];
        allowed.extend(sources.iter().cloned());
        if self.plan.swap.is_some() {
            // What was moved aside is in there.
            allowed.push(place(&self.top.1));
        }
        let mut precious = BTreeSet::new();
        for name in ["", "file", "directory", "directory/file", "device"] {
            let stat = self.world.stat(&self.place.join("precious").join(name)).map_err(|errno| errno.to_string())?;
            precious.insert((stat.device, stat.inode));
        }
        let has_image = self.plan.image.is_some();
        let sandbox = if has_image { self.world.config().sandbox_directory } else { self.own_sandbox() };
        let own = [place(&rootfs), place(&self.own_sandbox()), place(&disk)];
        let devices = place(&layout.container_devices(&self.id));
        let origin = move |what: &What| match what {
            What::Image => Some(own[0].clone()),
            What::Sandbox => Some(own[1].clone()),
            What::Persistent(name) => Some((own[2].0, own[2].1.join(name))),
            What::Device(name) => Some((devices.0, devices.1.join(name))),
            What::Volume(number) => Some(sources[*number].clone()),
            _ => None,
        };
        Ok(Inside {
            has_image,
            base: if has_image { "/".into() } else { sandbox.clone() },
            sandbox,
            expected: if self.plan.swap.is_some() { None } else { expected },
            origin: Box::new(origin),
            host_filesystems: table.iter().map(|mount| (mount.major, mount.minor)).collect(),
            allowed,
            precious,
        })
    }

    /// As an agent does when the container has ended; of the image and the sandbox only the trees go.
    fn clean_up(&self, mounts: &[OwnedEntry]) -> Result<(), String> {
        let mut agent = self.agent.borrow_mut();
        for (id, sandbox) in [(&self.id, self.own_sandbox()), (&self.top.0, self.top.1.clone())] {
            if agent.container(id).is_some() {
                agent.cleanup(id).map_err(|error| error.to_string())?;
                agent.remove_runtime(id).map_err(|error| error.to_string())?;
            }
            if *id == self.top.0 {
                ensure(mount_table(self.world.kernel) == mounts, "mounts are left after the clean-up")?;
                agent.remove(id, &sandbox).map_err(|error| error.to_string())?;
            }
        }
        ensure(agent.containers().count() == 0, "a container is left")
    }

    /// Takes the tree away.
    pub fn clear(self) {
        let kernel = self.world.kernel;
        kernel.close(self.namespace).unwrap();
        kernel.umount2(&self.place, UmountFlags::MNT_DETACH).unwrap();
    }
}

/// In which filesystem a path of the host is, and where there.
fn origin(table: &[OwnedEntry], path: &UnixPath) -> Origin {
    let around = table.iter().filter(|mount| path.starts_with(&mount.mountpoint));
    let mount = around.max_by_key(|mount| mount.mountpoint.as_bytes().len()).unwrap();
    let rest = path.strip_prefix(&mount.mountpoint).unwrap();
    let root = if rest.as_bytes().is_empty() { mount.root.clone() } else { mount.root.join(rest) };
    ((mount.major, mount.minor), root)
}

/// What nobody may touch.
fn make_precious(kernel: &dyn Kernel, precious: &UnixPath) {
    let mut tree = Tree::default();
    for name in
        ["file", "directory/file", "null", "kcore", "sandbox/file", "mesos/sandbox/file", "pts/file", "sys/file"]
    {
        tree.add(path(name), Node::File);
    }
    for name in ["shm", "n", "sub", "deep", "x", "data", "cgroup", "fs/cgroup", "firmware"] {
        tree.add(path(name), DIRECTORY);
    }
    tree.add(path("device"), Node::Device(DeviceNumber { major: 1, minor: 7 }));
    tree.add(path("link"), Node::Symlink(b"directory".to_vec()));
    cofferdam::root::create_directories(kernel, precious, Mode(0o755)).unwrap();
    tree.make(kernel, precious);
    for name in ["file", "directory/file"] {
        checkpoint::write(kernel, &precious.join(name), b"of the host", Mode(0o640)).unwrap();
    }
    let socket = NodeMode { file_type: FileType::Socket, mode: Mode(0o600) };
    kernel.mknodat(Fd::CWD, &precious.join("socket"), socket, DeviceNumber::NONE).unwrap();
    kernel.fchownat(Fd::CWD, &precious.join("socket"), Some(7), Some(8), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
}
