//! Containers from prepare to clean-up, on any kernel. The program is a function of ours, called where the launcher would
//! execute the program: as the container's process, with its root, mounts and privileges.

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Call, CloneFlags, DeviceNumber, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags,
    OpenHow, Pid, ResolveFlags, WaitOptions, WaitStatus,
};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{
    CommandInfo, ContainerConfig, ContainerId, ContainerInfo, ContainerLaunchInfo, LinuxInfo, Resource,
};
use cofferdam::mountinfo::{OwnedEntry, Table};
use cofferdam::user::Credentials;
use cofferdam::{UnixPath, checkpoint};
use serde_json::{Value, json};

use crate::world::{World, volume};

scenarios!(
    a_container_sees_its_own_mounts_and_nothing_else,
    an_image_on_an_unbindable_mount,
    devices_work_and_masks_hold,
    the_host_is_out_of_reach,
    a_volume_outlives_its_container,
    a_container_without_a_rootfs_keeps_the_hosts,
    whatever_the_propagation_of_the_work_directory,
    a_read_only_rootfs_stays_read_only,
    a_hostile_rootfs_reaches_nothing,
    read_only_paths_can_only_be_read,
    a_tmpfs_is_as_large_as_the_operator_says,
);

pub type Program<'a> = dyn Fn(&dyn Kernel) -> Result<(), String> + 'a;

/// Runs the program where the launcher would execute one.
pub struct Instead<'a>(pub &'a Program<'a>);

impl Interceptor for Instead<'_> {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if !matches!(call, Call::Execve { .. }) {
            return Ok(());
        }
        match (self.0)(kernel) {
            // The launcher exits with 127 if there is no program, and with 126 upon any other error.
            Ok(()) => Err(Errno::ENOENT),
            Err(problem) => {
                eprintln!("in the container: {problem}");
                Err(Errno::EIO)
            }
        }
    }
}

/// A container on a world that runs a function of ours.
pub struct Container<'w, 'k> {
    pub world: &'w World<'k>,
    pub agent: Isolator<&'k dyn Kernel>,
    pub id: ContainerId,
    pub config: ContainerConfig,
}

impl<'w, 'k> Container<'w, 'k> {
    pub fn new(world: &'w World<'k>, resources: Vec<Resource>) -> Self {
        let agent = world.agent();
        // On the older kernel launches copy the host's mount namespace, so that both ways are gone.
        if !world.kernel.uname().unwrap().release.0.starts_with(b"5.") {
            agent.prepare_launches().unwrap();
        }
        for resource in &resources {
            let id = &resource.disk.as_ref().and_then(|disk| disk.persistence.as_ref()).unwrap().id;
            world.make_directory(&format!("work/volumes/roles/role/{id}"));
        }
        let (id, config) = world.container("c", resources);
        let config = ContainerConfig { command_info: CommandInfo::program(vec!["/program".into()]), ..config };
        Self { world, agent, id, config }
    }

    /// With another configuration of the agent.
    pub fn with_agent(mut self, configure: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = self.world.config();
        configure(&mut config);
        self.agent = self.world.create(config).unwrap();
        self
    }

    /// With an image that is an empty directory.
    pub fn with_rootfs(mut self) -> Self {
        self.config.rootfs = Some(self.world.make_directory("rootfs").into());
        self
    }

    /// Prepares, launches and waits: 127 means that the program was content.
    pub fn run(&mut self, program: &Program<'_>) -> WaitStatus {
        let info = self.agent.prepare(&self.id, &self.config).unwrap();
        self.launch(info, program)
    }

    /// As another user.
    pub fn run_as(&mut self, user: Credentials, program: &Program<'_>) -> WaitStatus {
        let info = self.agent.prepare(&self.id, &self.config).unwrap();
        self.launch_as(info, user, program)
    }

    /// Launches what is prepared already.
    pub fn launch(&self, info: ContainerLaunchInfo, program: &Program<'_>) -> WaitStatus {
        self.carry_out(&LaunchRequest { info, ..LaunchRequest::default() }, program)
    }

    pub fn launch_as(&self, info: ContainerLaunchInfo, user: Credentials, program: &Program<'_>) -> WaitStatus {
        self.carry_out(&LaunchRequest { info, credentials: Some(user), ..LaunchRequest::default() }, program)
    }

    pub fn carry_out(&self, request: &LaunchRequest, program: &Program<'_>) -> WaitStatus {
        let kernel = self.world.kernel;
        let child = kernel
            .clone3(CloneFlags::empty(), &mut |kernel| launch(&Intercepted::new(kernel, &Instead(program)), request))
            .unwrap();
        wait(kernel, child)
    }

    pub fn clean_up(mut self) {
        self.agent.cleanup(&self.id).unwrap();
        self.agent.remove_runtime(&self.id).unwrap();
    }
}

pub fn wait(kernel: &dyn Kernel, child: Pid) -> WaitStatus {
    let (_, status) = kernel.wait4(child, WaitOptions::empty()).unwrap().unwrap();
    status
}

pub const CONTENT: WaitStatus = WaitStatus::Exited(127);

pub fn ensure(condition: bool, problem: impl Into<String>) -> Result<(), String> {
    if condition { Ok(()) } else { Err(problem.into()) }
}

pub fn path(text: &str) -> &UnixPath {
    UnixPath::new(text)
}

pub fn open(kernel: &dyn Kernel, name: &str, flags: OpenFlags) -> Result<Fd, Errno> {
    let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    kernel.openat2(Fd::CWD, path(name), how)
}

fn table(kernel: &dyn Kernel) -> Vec<OwnedEntry> {
    let text = checkpoint::read(kernel, path("/proc/self/mountinfo")).unwrap();
    Table::parse(&text).unwrap().entries().iter().map(OwnedEntry::from).collect()
}

/// `MOUNTPOINT TYPE OPTIONS PROPAGATION`, of every mount.
pub fn lines(kernel: &dyn Kernel) -> Vec<String> {
    let line = |entry: OwnedEntry| {
        let text = entry.to_string();
        let (before, after) = text.split_once(" - ").unwrap();
        let fields: Vec<_> = before.split(' ').collect();
        let propagation = if fields[6..].is_empty() { "private" } else { fields[6].split(':').next().unwrap() };
        format!("{} {} {} {propagation}", fields[4], after.split(' ').next().unwrap(), fields[5])
    };
    table(kernel).into_iter().map(line).collect()
}

pub fn exists(kernel: &dyn Kernel, name: &str) -> bool {
    kernel.statx(Fd::CWD, path(name), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

/// It can't be copied but in a copy of the host's mount namespace.
fn an_image_on_an_unbindable_mount(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let rootfs = world.path("rootfs");
    world.mount_tmpfs(&rootfs, MountFlags::empty());
    world.write(&rootfs.join("file"), "of the image");
    world.propagation(&rootfs, MountFlags::MS_UNBINDABLE);
    assert_eq!(container.run(&|kernel| ensure(exists(kernel, "/file"), "another root")), CONTENT);
    container.clean_up();
}

fn a_container_sees_its_own_mounts_and_nothing_else(world: &World<'_>) {
    let mut container = Container::new(world, vec![volume("db", "data", "RW", Value::Null)]).with_rootfs();
    let before = world.mounts();
    // What is mounted below it arrives if the host shares the mount that it is in.
    let root = if world.mounts_at(&world.directory)[0].peer_group.is_some() { "master" } else { "private" };
    let status = container.run(&|kernel| {
        let lines = lines(kernel);
        let confined = "rw,nosuid,nodev,noexec,relatime";
        let expected = [
            format!("/ tmpfs rw,relatime {root}"),
            format!("/proc proc {confined} private"),
            "/sys sysfs ro,nosuid,nodev,noexec,relatime private".into(),
            format!("/sys/fs/cgroup tmpfs {confined} private"),
            "/dev tmpfs rw,nosuid,noexec private".into(),
            "/dev/pts devpts rw,nosuid,noexec,relatime private".into(),
            "/dev/shm tmpfs rw,nosuid,nodev private".into(),
            "/mnt/mesos/sandbox tmpfs rw,relatime master".into(),
            "/mnt/mesos/sandbox/data tmpfs rw,relatime master".into(),
        ];
        for line in &expected {
            ensure(lines.contains(line), format!("no {line:?} in {lines:#?}"))?;
        }
        let is_known = |line: &&String| {
            expected.contains(line)
                || ["/dev/", "/proc/", "/sys/"].iter().any(|above| line.starts_with(above))
                    && [" private", &format!(" {root}")].iter().any(|propagation| line.ends_with(propagation))
        };
        let unknown: Vec<_> = lines.iter().filter(|line| !is_known(line)).collect();
        ensure(unknown.is_empty(), format!("not expected: {unknown:#?}"))
    });
    assert_eq!(status, CONTENT);
    assert!(world.mounts().len() > before.len(), "the volume is mounted in the sandbox while the container is there");
    container.clean_up();
    assert_eq!(world.mounts(), before);
}

fn devices_work_and_masks_hold(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        let stat = |name: &str| {
            kernel.statx(Fd::CWD, path(name), AtFlags::empty()).map_err(|errno| format!("{name}: {errno}"))
        };
        ensure(stat("/dev/null")?.rdev == DeviceNumber::NULL, "/dev/null is another device")?;
        let null = open(kernel, "/dev/null", OpenFlags::O_RDWR).map_err(|errno| format!("/dev/null: {errno}"))?;
        ensure(kernel.write(null, b"gone") == Ok(4), "/dev/null takes nothing")?;
        ensure(kernel.read(null, 4).is_ok_and(|bytes| bytes.0.is_empty()), "/dev/null gives something")?;
        let zero = open(kernel, "/dev/zero", OpenFlags::empty()).map_err(|errno| format!("/dev/zero: {errno}"))?;
        ensure(kernel.read(zero, 3).is_ok_and(|bytes| bytes.0 == [0; 3]), "/dev/zero gives no zeros")?;
        ensure(kernel.readlinkat(Fd::CWD, path("/dev/ptmx")) == Ok("pts/ptmx".into()), "/dev/ptmx leads elsewhere")?;
        for (name, errno) in [("/proc/sys/kernel/hostname", Errno::EROFS), ("/proc/sysrq-trigger", Errno::EROFS)] {
            if exists(kernel, name) {
                ensure(open(kernel, name, OpenFlags::O_WRONLY) == Err(errno), format!("{name} can be opened"))?;
            }
        }
        if exists(kernel, "/proc/kcore") {
            ensure(stat("/proc/kcore")?.rdev == DeviceNumber::NULL, "/proc/kcore is not masked")?;
        }
        if exists(kernel, "/sys/firmware") {
            let firmware = open(kernel, "/sys/firmware", OpenFlags::O_DIRECTORY).map_err(|errno| errno.to_string())?;
            let entries = kernel.getdents64(firmware).map_err(|errno| errno.to_string())?;
            ensure(entries.len() == 2, "/sys/firmware is not masked")?;
        }
        Ok(())
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

fn the_host_is_out_of_reach(world: &World<'_>) {
    let secret = world.path("secret");
    world.write(&secret, "of the host");
    let mut container = Container::new(world, vec![]).with_rootfs();
    let secret = secret.to_string();
    let status = container.run(&|kernel| {
        ensure(!exists(kernel, &secret), format!("{secret} is there"))?;
        ensure(kernel.chdir(path("/")).is_ok() && kernel.getcwd() == Ok("/".into()), "/ is not the root")?;
        ensure(kernel.chdir(path("../../..")).is_ok() && kernel.getcwd() == Ok("/".into()), ".. leads out")?;
        ensure(!exists(kernel, &format!("/proc/self/root{secret}")), "through /proc/self/root")?;
        ensure(!exists(kernel, &format!("/proc/1/root{secret}")), "through /proc/1/root")?;
        ensure(kernel.getpid() == Ok(Pid(2)), "the program is not pid 2")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

fn a_volume_outlives_its_container(world: &World<'_>) {
    let resources = vec![volume("db", "data", "RW", Value::Null), volume("log", "log", "RO", Value::Null)];
    let mut container = Container::new(world, resources).with_rootfs();
    let status = container.run(&|kernel| {
        checkpoint::write(kernel, path("/mnt/mesos/sandbox/data/file"), b"kept", Mode(0o644))
            .map_err(|error| error.to_string())?;
        let made = kernel.mkdirat(Fd::CWD, path("/mnt/mesos/sandbox/log/new"), Mode(0o755));
        ensure(made == Err(Errno::EROFS), format!("a read-only volume: {made:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    assert_eq!(world.read(&world.path("work/volumes/roles/role/db/file")), "kept");
}

fn a_container_without_a_rootfs_keeps_the_hosts(world: &World<'_>) {
    world.write(&world.path("file"), "of the host");
    let mut container = Container::new(world, vec![]);
    let file = world.path("file").to_string();
    let status = container.run(&|kernel| {
        ensure(exists(kernel, &file), format!("{file} is not there"))?;
        ensure(kernel.readlinkat(Fd::CWD, path("/proc/self")) == Ok("2".into()), "/proc is the host's")?;
        let shared = lines(kernel).into_iter().find(|line| line.ends_with(" shared"));
        ensure(shared.is_none(), format!("what is mounted here reaches the host: {shared:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

fn whatever_the_propagation_of_the_work_directory(world: &World<'_>) {
    for (number, kind) in [MountFlags::MS_SHARED, MountFlags::MS_PRIVATE, MountFlags::MS_SLAVE].into_iter().enumerate()
    {
        let world = world.apart(&format!("host{number}"), kind);
        let mut container = Container::new(&world, vec![volume("db", "data", "RW", json!(null))]).with_rootfs();
        let mounted = world.mounts();
        let status = container.run(&|kernel| {
            ensure(exists(kernel, "/mnt/mesos/sandbox/data"), "no volume")?;
            let result = kernel.mount(None, path("/mnt/mesos/sandbox"), Some(b"tmpfs"), MountFlags::empty(), None);
            ensure(result == Ok(()) || result == Err(Errno::EPERM), format!("{result:?}"))
        });
        assert_eq!(status, CONTENT, "{kind}");
        container.clean_up();
        assert_eq!(world.mounts(), mounted, "what the container mounted stayed inside: {kind}");
    }
}

fn a_read_only_rootfs_stays_read_only(world: &World<'_>) {
    let rootfs = world.make_directory("rootfs");
    for directory in ["proc", "sys", "dev", "tmp", "mnt/mesos/sandbox"] {
        world.make_directory(&format!("rootfs/{directory}"));
    }
    world.bind(&rootfs, &rootfs);
    let read_only = MountFlags::MS_REMOUNT | MountFlags::MS_BIND | MountFlags::MS_RDONLY;
    world.kernel.mount(None, &rootfs, None, read_only, None).unwrap();
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        let made = kernel.mkdirat(Fd::CWD, path("/new"), Mode(0o755));
        ensure(made == Err(Errno::EROFS), format!("{made:?}"))?;
        let made = kernel.mkdirat(Fd::CWD, path("/mnt/mesos/sandbox/new"), Mode(0o755));
        ensure(made.is_ok(), format!("the sandbox: {made:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

fn a_hostile_rootfs_reaches_nothing(world: &World<'_>) {
    let outside = world.make_directory("outside");
    for name in ["dev", "proc", "sys"] {
        let rootfs = world.make_directory(&format!("rootfs of {name}"));
        world.kernel.symlinkat(&outside, Fd::CWD, &rootfs.join(name)).unwrap();
        let mut container = Container::new(world, vec![]);
        container.config.rootfs = Some(rootfs.into());
        let before = world.mounts();
        let status = container.run(&|_| Err("it was launched".into()));
        assert_eq!(status, WaitStatus::Exited(125), "{name}");
        container.clean_up();
        assert_eq!(world.mounts(), before);
        assert_eq!(world.kernel.unlinkat(Fd::CWD, &outside, AtFlags::AT_REMOVEDIR), Ok(()), "{name}: not empty");
        world.make_directory("outside");
    }
}

/// Also those of a container that sees all processes, which masks do not hold for; and what is mounted below them.
fn read_only_paths_can_only_be_read(world: &World<'_>) {
    for directory in ["opt/deep", "mnt/mesos/sandbox", "etc"] {
        world.make_directory(&format!("rootfs/{directory}"));
    }
    world.write(&world.path("rootfs/etc/file"), "of the image");
    world.mount_tmpfs(&world.path("rootfs/opt/deep"), MountFlags::empty());
    let before = world.mounts();
    for share_pid_namespace in [false, true] {
        let mut container = Container::new(world, vec![]).with_rootfs().with_agent(|agent| {
            agent.readonly_paths = ["/opt", "/mnt", "/etc/file", "/proc/no-such-file"].map(Into::into).to_vec();
        });
        let linux_info = Some(LinuxInfo { share_pid_namespace, ..LinuxInfo::default() });
        container.config.container_info = Some(ContainerInfo { linux_info, ..ContainerInfo::default() });
        let status = container.run(&|kernel| {
            let make = |name: &str| kernel.mkdirat(Fd::CWD, path(name), Mode(0o755));
            for directory in ["/opt", "/opt/deep", "/mnt", "/mnt/mesos"] {
                let result = make(&format!("{directory}/new"));
                ensure(result == Err(Errno::EROFS), format!("{directory}: {result:?}"))?;
                let stat = kernel.statfs(path(directory)).map_err(|errno| errno.to_string())?;
                ensure(stat.flags & 1 == 1, format!("{directory} is not ST_RDONLY"))?;
            }
            ensure(open(kernel, "/etc/file", OpenFlags::empty()).is_ok(), "/etc/file can't be read")?;
            let opened = open(kernel, "/etc/file", OpenFlags::O_WRONLY);
            ensure(opened == Err(Errno::EROFS), format!("/etc/file: {opened:?}"))?;
            for directory in ["/new", "/etc/new", "/mnt/mesos/sandbox/new"] {
                ensure(make(directory) == Ok(()), format!("{directory} can't be made"))?;
            }
            kernel.unlinkat(Fd::CWD, path("/etc/new"), AtFlags::AT_REMOVEDIR).map_err(|errno| errno.to_string())?;
            kernel.unlinkat(Fd::CWD, path("/new"), AtFlags::AT_REMOVEDIR).map_err(|errno| errno.to_string())
        });
        assert_eq!(status, CONTENT, "share_pid_namespace: {share_pid_namespace}");
        container.agent.cleanup(&container.id).unwrap();
        let sandbox = container.config.directory.as_path().to_path_buf();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
    // The agent's own mounts.
    let own = [world.path("work"), world.path("run")];
    let is_own = |mount: &OwnedEntry| own.iter().any(|directory| mount.mountpoint.starts_with(directory));
    let after: Vec<_> = world.mounts().into_iter().filter(|mount| !is_own(mount)).collect();
    assert_eq!(after, before, "the host's mounts stay writable");
}

fn a_tmpfs_is_as_large_as_the_operator_says(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs().with_agent(|agent| {
        let sizes = [("/dev/shm", "64k"), ("/sys/fs/cgroup", "8192"), ("/dev", "1m")];
        agent.tmpfs_sizes = sizes.map(|(path, size)| (path.into(), size.into())).into();
        agent.special_mounts.iter_mut().find(|mount| mount.target == "/dev".into()).unwrap().options =
            Some("size=2m,mode=755".into());
    });
    let status = container.run(&|kernel| {
        for (directory, size) in [("/dev/shm", 64 << 10), ("/sys/fs/cgroup", 8192), ("/dev", 1 << 20)] {
            let stat = kernel.statfs(path(directory)).map_err(|errno| format!("{directory}: {errno}"))?;
            let found = stat.blocks * stat.block_size;
            ensure(found == size, format!("{directory} has {found} bytes"))?;
        }
        let mode = kernel.statx(Fd::CWD, path("/dev/shm"), AtFlags::empty()).map(|stat| stat.mode);
        ensure(mode == Ok(Mode(0o1777)), format!("/dev/shm: {mode:?}"))?;
        let write = |size| checkpoint::write(kernel, path("/dev/shm/file"), &vec![0; size], Mode(0o600));
        write(32 << 10).map_err(|error| error.to_string())?;
        let error = write(128 << 10).err().map(|error| error.errno);
        ensure(error == Some(Errno::ENOSPC), format!("128k fit in 64k: {error:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}
