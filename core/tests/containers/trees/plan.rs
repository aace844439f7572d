//! What a hostile author and an operator could come up with, from a seed.

use cofferdam::agent::{AgentConfig, SpecialMount};
use cofferdam::kernel::{Bytes, DeviceNumber, Mode, MountFlags};
use cofferdam::{UnixPath, UnixPathBuf};

use super::random::Random;
use super::swap::{Deed, Swap};
use super::tree::{DIRECTORY, Node, Tree};

/// One tree of an image, one of a sandbox, and a container with both.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Plan {
    pub image: Option<Tree>,
    /// Of the sandbox of the top-level container.
    pub sandbox: Tree,
    /// The container is nested in that one.
    pub is_nested: bool,
    pub shares_pids: bool,
    pub without_dev: bool,
    pub without_shm: bool,
    pub readonly_paths: Vec<Bytes>,
    pub masked_paths: Vec<Bytes>,
    pub special_mounts: Vec<SpecialMount>,
    pub persistent_volumes: Vec<Persistent>,
    pub volumes: Vec<Volume>,
    pub swap: Option<Swap>,
}

pub struct Persistent {
    pub name: &'static str,
    pub read_only: bool,
}

pub struct Volume {
    pub container_path: Bytes,
    pub source: Source,
    pub read_only: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    HostDirectory,
    HostFile,
    /// A path of the container's sandbox, or of that of its parent.
    OwnSandbox(&'static str),
    ParentSandbox(&'static str),
}

/// What the launcher and the isolator come to in an image.
const IMAGE: [&str; 32] = [
    "dev",
    "dev/pts",
    "dev/shm",
    "dev/null",
    "dev/zero",
    "dev/full",
    "dev/random",
    "dev/urandom",
    "dev/tty",
    "dev/console",
    "dev/fd",
    "dev/stdin",
    "dev/ptmx",
    "proc",
    "proc/sys",
    "proc/kcore",
    "proc/self",
    "sys",
    "sys/fs",
    "sys/fs/cgroup",
    "sys/firmware",
    "tmp",
    "mnt",
    "mnt/mesos",
    "mnt/mesos/sandbox",
    "opt",
    "opt/deep",
    "opt/copy",
    "etc/secret",
    "srv",
    "srv/data",
    "srv/data/deep",
];

/// Those in a sandbox.
const SANDBOX: [&str; 10] =
    ["data", "log", "vol", "vol/sub", "shared", "shared/x", "containers", "containers/n", "containers/n/vol", "stdout"];

/// Names that somebody might misread.
const ODD_NAMES: [&[u8]; 8] =
    [b"new\nline", b"a space", b"back\\slash", b"x (deleted)", b"\xff\xfe\x80", b"-rf", b"...", b"\\040\t\x7f"];

const READ_ONLY: [&str; 6] = ["/opt", "/opt/deep", "/etc", "/srv/data", "/mnt", "/proc/sys"];
const MASKED: [&str; 6] = ["/etc/secret", "/srv/private", "/srv", "/opt/deep", "/opt", "/tmp"];
const CONTAINER_PATHS: [&str; 9] =
    ["/srv/data", "/srv/data/deep", "/data", "/tmp/made", "/opt/deep/vol", "vol", "vol/sub", "data/below", "/mnt"];

impl Plan {
    /// The plan of a seed. Symbolic links lead to `precious`, a directory of the host.
    pub fn new(seed: u64, precious: &UnixPath) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let is_nested = random.once_in(5);
        let has_image = !random.once_in(6);
        let mut image = Tree::default();
        for (number, odd) in random.some(&ODD_NAMES, 6).into_iter().enumerate() {
            let node = obstacle(random, precious, odd);
            image.add(&UnixPath::new("odd").join(number.to_string()).join(UnixPath::new(*odd)), node);
        }
        plant(random, &mut image, precious, &IMAGE);
        links_to_what_is_masked(random, &mut image);
        if random.once_in(8) {
            image.add(&long_path(random, 14), Node::File);
        }
        let mut sandbox = Tree::default();
        if is_nested && !random.once_in(8) {
            sandbox.add(UnixPath::new("containers/n"), DIRECTORY);
        }
        plant(random, &mut sandbox, precious, &SANDBOX);
        let paths = |paths: Vec<&&str>| paths.into_iter().map(|path| Bytes::from(*path)).collect();
        let mut plan = Self {
            image: has_image.then_some(image),
            sandbox,
            is_nested,
            shares_pids: is_nested || random.once_in(8),
            without_dev: random.once_in(6),
            without_shm: random.once_in(8),
            readonly_paths: paths(random.some(&READ_ONLY, 8)),
            masked_paths: paths(random.some(&MASKED, 6)),
            special_mounts: special_mounts(random),
            persistent_volumes: Vec::new(),
            volumes: Vec::new(),
            swap: None,
        };
        plan.add_volumes(random);
        if random.once_in(3) {
            plan.swap = Some(plan.swap(random));
        }
        plan
    }

    fn add_volumes(&mut self, random: &mut Random) {
        if !self.is_nested {
            for name in random.some(&["data", "log"], 3) {
                self.persistent_volumes.push(Persistent { name, read_only: random.once_in(2) });
            }
        }
        for _ in 0..random.below(3) {
            let container_path = match random.below(12) {
                0 => [b"/odd/", *random.pick(&ODD_NAMES)].concat(),
                1 => [b"vol/", *random.pick(&ODD_NAMES)].concat(),
                2 => {
                    // Not in between, where it depends on the place of the root filesystem whether it can be made.
                    let components = if random.once_in(3) { 17 } else { 5 + random.below(10) };
                    [b"/", long_path(random, components).as_bytes()].concat()
                }
                3 => [&b"vol/"[..], &vec![b'l'; 250 + random.below(12)]].concat(),
                _ => random.pick(&CONTAINER_PATHS).as_bytes().to_vec(),
            };
            // Without an image it would have to be a path of this machine.
            if self.image.is_none() && container_path.starts_with(b"/") {
                continue;
            }
            let source = match random.below(6) {
                0 => Source::OwnSandbox("shared/x"),
                1 if self.is_nested => Source::ParentSandbox("shared/x"),
                2 => Source::HostFile,
                _ => Source::HostDirectory,
            };
            let read_only = random.once_in(3);
            self.volumes.push(Volume { container_path: container_path.into(), source, read_only });
        }
    }

    fn swap(&self, random: &mut Random) -> Swap {
        let in_image = self.image.is_some() && !random.once_in(3);
        let name = if in_image { random.pick(&IMAGE).to_string() } else { random.pick(&SANDBOX).to_string() };
        let deed = *random.pick(&[Deed::Link, Deed::Link, Deed::Link, Deed::Vanish, Deed::File]);
        Swap { in_image, name, before_call: 1 + random.below(500), deed }
    }

    /// Where the container's own sandbox is in that of the top-level container.
    pub fn own_sandbox(&self) -> &'static UnixPath {
        UnixPath::new(if self.is_nested { "containers/n" } else { "" })
    }

    pub fn configure(&self, config: &mut AgentConfig) {
        if self.without_dev {
            config.special_mounts.retain(|special| special.target != "/dev".into());
        }
        if self.without_shm {
            config.isolation.push("namespaces/ipc".into());
        }
        config.special_mounts.extend_from_slice(&self.special_mounts);
        config.readonly_paths.extend_from_slice(&self.readonly_paths);
        config.masked_paths.extend_from_slice(&self.masked_paths);
    }
}

/// Some names are not there, most are what they should be, and few are in the way.
fn plant(random: &mut Random, tree: &mut Tree, precious: &UnixPath, names: &[&str]) {
    for _ in 0..random.below(4) {
        let name = random.pick(names);
        let node = obstacle(random, precious, UnixPath::new(name).file_name().unwrap());
        tree.add(UnixPath::new(name), node);
    }
    for name in random.some(names, 2) {
        let is_file = ["etc/secret", "proc/kcore", "stdout"].contains(name);
        let mode = *random.pick(&[0o755, 0o700, 0o1777, 0o000]);
        tree.add(UnixPath::new(name), if is_file { Node::File } else { Node::Directory(Mode(mode)) });
    }
    if random.once_in(20) {
        let deep: UnixPathBuf = (0..60).map(|_| "deep").collect::<Vec<_>>().join("/").into();
        tree.add(&deep, DIRECTORY);
    }
}

fn obstacle(random: &mut Random, precious: &UnixPath, name: &[u8]) -> Node {
    let precious = precious.to_string();
    let text = match random.below(22) {
        0..3 => precious,
        3 => format!("{}{precious}", "../".repeat(40)),
        4 => format!("{precious}/missing"),
        5 => format!("{precious}/missing/deeper"),
        6 => format!("{precious}/file"),
        7 => format!("{precious}/device"),
        8 => format!("/proc/self/root{precious}"),
        9 => format!("/proc/self/fd/{}", 3 + random.below(12)),
        10 => format!("/proc/self/fd/{}{precious}", 3 + random.below(12)),
        11 => "/proc/1/root".into(),
        12 => "/proc/self/cwd/..".into(),
        13 => random.pick(&["..", ".", "/", "../..", "/proc", "/dev/null", "/proc/kcore"]).to_string(),
        14 => return Node::Symlink(name.to_vec()),
        15 => format!("{}{precious}", "./".repeat(1500)),
        16 => return Node::Fifo,
        17 => return Node::Socket,
        18 => return Node::Device(*random.pick(&[DeviceNumber::NULL, DeviceNumber { major: 1, minor: 5 }])),
        19 => return Node::Directory(Mode(0o000)),
        _ => return Node::File,
    };
    Node::Symlink(text.into_bytes())
}

/// Other names for what is to be hidden, and for what is not to be written.
fn links_to_what_is_masked(random: &mut Random, image: &mut Tree) {
    let texts = [
        "/proc/kcore",
        "/proc/self/root/proc/kcore",
        "../proc/timer_list",
        "/sys/firmware",
        "/etc/secret",
        "/opt",
        "/proc/self/cwd/../../../proc/kcore",
        "/srv",
        "/proc/thread-self/root/etc/secret",
        "/proc/1/root/proc/kcore",
    ];
    for (number, text) in random.some(&texts, 3).into_iter().enumerate() {
        image.add(UnixPath::new(&format!("links/{number}")), Node::Symlink(text.as_bytes().to_vec()));
    }
}

/// Names of 255 bytes: with 17 of them it is longer than `PATH_MAX`.
fn long_path(random: &mut Random, components: usize) -> UnixPathBuf {
    let letter = *random.pick(b"abc");
    let components: Vec<_> = (0..components).map(|_| vec![letter; 255]).collect();
    UnixPathBuf::from(components.join(&b'/'))
}

fn special_mounts(random: &mut Random) -> Vec<SpecialMount> {
    let tmpfs = SpecialMount {
        target: "/tmp".into(),
        source: None,
        filesystem_type: Some("tmpfs".into()),
        flags: MountFlags::MS_NOSUID | MountFlags::MS_NODEV,
        options: Some("mode=1777".into()),
    };
    let bind = SpecialMount {
        target: "/opt/copy".into(),
        source: Some("/srv/data".into()),
        filesystem_type: None,
        flags: MountFlags::MS_BIND | MountFlags::MS_RDONLY | MountFlags::MS_NOSUID,
        options: None,
    };
    random.some(&[tmpfs, bind], 6).into_iter().cloned().collect()
}
