//! The mounts, peers, namespaces and filesystems among which a call is made.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountAttr, MountAttrFlags, MountFlags, OpenFlags, OpenHow,
    OpenTreeFlags, ResolveFlags, Rlimit, RlimitResource, UniqueMountId,
};
use cofferdam_benches::Machine;
use serde::Serialize;

/// Where calls act: a mount that is shared where there are peers.
pub const PLACE: &str = "/place";
/// A directory there.
pub const TARGET: &str = "/place/target";
/// A path of 8 components there.
pub const DEEP: &str = "/place/1/2/3/4/5/6/7";
/// A tree of 3 mounts.
pub const TREE: &str = "/tree";
/// A directory on a private mount.
pub const ELSEWHERE: &str = "/elsewhere";
/// A directory to bind from, on a private mount.
pub const SOURCE: &str = "/source";
/// A mount to pivot to, with a directory `old`.
pub const NEW_ROOT: &str = "/new";
/// A mount that receives events from [`PLACE`].
pub const SLAVE: &str = "/slave";
/// A filesystem in which a file is open for writing.
pub const WRITTEN: &str = "/written";

/// What there is more and more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Bind mounts, all on the mount where calls act.
    Mounts,
    /// Mounts in the peer group of the mount where calls act, in the same namespace.
    Peers,
    /// Mount namespaces with a peer of the mount where calls act.
    Namespaces,
    /// Filesystems: mounts of a tmpfs each, all on the mount where calls act.
    Filesystems,
}

impl Dimension {
    /// All, in the order of the report.
    pub const ALL: [Self; 4] = [Self::Mounts, Self::Peers, Self::Namespaces, Self::Filesystems];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Peers => "peers",
            Self::Namespaces => "namespaces",
            Self::Filesystems => "filesystems",
        }
    }

    /// How many, from few to many. fs.mount-max is 100,000, of which the scene itself and the calls need some.
    pub fn sizes(self) -> &'static [usize] {
        match self {
            Self::Mounts => &[10, 100, 1_000, 10_000, 99_000],
            Self::Peers => &[1, 10, 100, 1_000, 10_000],
            Self::Namespaces => &[1, 10, 100, 1_000],
            Self::Filesystems => &[10, 100, 1_000, 10_000],
        }
    }

    /// Whether the mount where calls act is shared.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Peers | Self::Namespaces)
    }
}

/// A machine with so many of something.
pub struct Scene<K: Kernel> {
    /// The machine.
    pub machine: Machine<K>,
    /// What there are many of.
    pub dimension: Dimension,
    /// The namespace where calls act.
    pub home: Fd,
    /// The mount that was made last of the many.
    pub last: UniqueMountId,
    /// The mount at [`SLAVE`].
    pub slave: UniqueMountId,
    /// What is kept open.
    open: Vec<Fd>,
}

impl<K: Kernel> Drop for Scene<K> {
    /// Lets go of the namespaces: the next scene is to be made on an empty machine.
    fn drop(&mut self) {
        for fd in self.open.drain(..) {
            // Nothing can be done about a descriptor that is none.
            let _ = self.machine.kernel.close(fd);
        }
    }
}

impl<K: Kernel> Scene<K> {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn new(machine: Machine<K>, dimension: Dimension, size: usize) -> Result<Self, Errno> {
        // Descriptors keep the namespaces.
        let limit = Rlimit { soft: Some(4096), hard: Some(4096) };
        machine.kernel.setrlimit(RlimitResource::RLIMIT_NOFILE, limit)?;
        for directory in [PLACE, TREE, ELSEWHERE, SOURCE, NEW_ROOT, SLAVE, WRITTEN, "/many"] {
            machine.make_directory(directory)?;
        }
        machine.mount("tmpfs", TREE)?;
        for part in ["/tree/1", "/tree/2"] {
            machine.make_directory(part)?;
            machine.mount("tmpfs", part)?;
        }
        machine.mount("tmpfs", NEW_ROOT)?;
        machine.make_directory("/new/old")?;
        machine.mount("tmpfs", PLACE)?;
        machine.make_directory(TARGET)?;
        for (position, _) in DEEP.match_indices('/').skip(2) {
            machine.make_directory(&DEEP[..position])?;
        }
        machine.make_directory(DEEP)?;
        machine.mount("tmpfs", WRITTEN)?;
        let how = OpenHow {
            flags: OpenFlags::O_CREAT | OpenFlags::O_RDWR,
            mode: Mode(0o644),
            resolve: ResolveFlags::empty(),
        };
        let written = machine.kernel.openat2(Fd::CWD, UnixPath::new("/written/file"), how)?;
        let home = open_namespace(&machine.kernel)?;
        if dimension.is_shared() {
            machine.propagation(PLACE, MountFlags::MS_SHARED, AtFlags::empty())?;
            machine.bind(PLACE, SLAVE)?;
            machine.propagation(SLAVE, MountFlags::MS_SLAVE, AtFlags::empty())?;
        } else {
            machine.bind(PLACE, SLAVE)?;
        }
        let (last, slave) = (UniqueMountId::ROOT, UniqueMountId::ROOT);
        let mut scene = Self { machine, dimension, home, last, slave, open: vec![written, home] };
        scene.slave = scene.newest()?;
        scene.fill(size)?;
        scene.last = scene.newest()?;
        Ok(scene)
    }

    fn fill(&mut self, size: usize) -> Result<(), Errno> {
        let machine = &self.machine;
        match self.dimension {
            Dimension::Mounts => (0..size).try_for_each(|number| {
                let target = format!("/place/{number}-many");
                machine.make_directory(&target)?;
                machine.bind(SOURCE, &target)
            }),
            Dimension::Filesystems => (0..size).try_for_each(|number| {
                let target = format!("/place/{number}-many");
                machine.make_directory(&target)?;
                machine.mount("tmpfs", &target)
            }),
            // The mount itself is the first.
            Dimension::Peers => (1..size).try_for_each(|number| {
                let target = format!("/many/{number}");
                machine.make_directory(&target)?;
                machine.bind(PLACE, &target)
            }),
            Dimension::Namespaces => (1..size).try_for_each(|_| {
                machine.kernel.unshare(CloneFlags::CLONE_NEWNS)?;
                self.open.push(open_namespace(&machine.kernel)?);
                machine.kernel.setns(self.home, CloneFlags::CLONE_NEWNS)
            }),
        }
    }

    /// The mount that was made last.
    fn newest(&self) -> Result<UniqueMountId, Errno> {
        let mounts = self.machine.kernel.listmount(UniqueMountId::ROOT, 0)?;
        mounts.last().copied().ok_or(Errno::ENOENT)
    }

    /// Back to the namespace where calls act.
    ///
    /// # Errors
    ///
    /// Those of setns(2).
    pub fn go_home(&self) -> Result<(), Errno> {
        self.machine.kernel.setns(self.home, CloneFlags::CLONE_NEWNS)
    }

    /// Changes attributes of mounts.
    ///
    /// # Errors
    ///
    /// Those of mount_setattr(2).
    pub fn set_attributes(&self, target: &str, flags: AtFlags, is_set: bool) -> Result<(), Errno> {
        let attribute = MountAttrFlags::MOUNT_ATTR_NODEV;
        let none = MountAttrFlags::empty();
        let (attr_set, attr_clr) = if is_set { (attribute, none) } else { (none, attribute) };
        let attr = MountAttr { attr_set, attr_clr, ..MountAttr::default() };
        self.machine.kernel.mount_setattr(Fd::CWD, UnixPath::new(target), flags, &attr)
    }

    /// A detached copy of a mount, or of a tree of them.
    ///
    /// # Errors
    ///
    /// Those of open_tree(2).
    pub fn copy(&self, source: &str, more: OpenTreeFlags) -> Result<Fd, Errno> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | more;
        self.machine.kernel.open_tree(Fd::CWD, UnixPath::new(source), flags)
    }
}

/// A descriptor of the mount namespace of the process.
///
/// # Errors
///
/// Those of openat2(2).
pub fn open_namespace<K: Kernel>(kernel: &K) -> Result<Fd, Errno> {
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    kernel.openat2(Fd::CWD, UnixPath::new("/proc/self/ns/mnt"), how)
}
