//! The state in which sequences begin. It is made by ordinary calls, the same on both kernels.

use cofferdam::kernel::{
    AtFlags, Call, Capabilities, CapabilitySets, CloneFlags, DeviceNumber, Errno, Fd, FileType, Kernel, Mode,
    MountFlags, NodeMode, Prctl, Rlimit, RlimitResource, Signal, SignalAction, UmountFlags, Value,
};
use serde::{Deserialize, Serialize};

use crate::sequence::Universe;

/// What the sequences may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Privileges {
    /// They run as root of the machine.
    Root,
    /// They run as root of a user namespace.
    UserNamespace,
}

/// Who has started the process that makes the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// The capabilities of a process that begins a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilitiesAtStart {
    /// As capget(2) gives them.
    pub sets: CapabilitySets,
    /// The bounding set.
    pub bounding: Capabilities,
}

impl CapabilitiesAtStart {
    /// Those of a process of the kernel.
    pub fn read(kernel: &dyn Kernel) -> Result<Self, Errno> {
        let mut bounding = Capabilities::empty();
        for number in 0..u64::BITS {
            // The kernel knows no more of them from the first on that it refuses.
            match kernel.prctl(Prctl::ReadBoundingCapability(number)) {
                Ok(0) => {}
                Ok(_) => bounding |= Capabilities::from_bits_retain(1 << number),
                Err(_) => break,
            }
        }
        Ok(Self { sets: kernel.capget()?, bounding })
    }

    /// The calls of a process that has all capabilities, to have no more than these.
    pub fn calls(&self) -> Vec<Call> {
        let all = (Capabilities::CAP_CHECKPOINT_RESTORE.bits() << 1) - 1;
        let dropped = Capabilities::from_bits_retain(all).difference(self.bounding);
        let drops = dropped.numbers().map(|number| Call::Prctl { operation: Prctl::DropBoundingCapability(number) });
        drops.chain([Call::Capset { sets: self.sets }]).collect()
    }
}

/// Gives up what would let a sequence change the limits below `/proc/sys/user` of the user namespace that all sequences
/// are in, which may be the machine's.
pub fn give_up_limits(kernel: &dyn Kernel) -> Result<(), Errno> {
    let CapabilitySets { effective, permitted, inheritable } = kernel.capget()?;
    let without = |set: Capabilities| set.difference(Capabilities::CAP_SYS_RESOURCE);
    let numbers = Capabilities::CAP_SYS_RESOURCE.numbers();
    numbers.map(Prctl::DropBoundingCapability).try_for_each(|operation| kernel.prctl(operation).map(drop))?;
    let sets = CapabilitySets {
        effective: without(effective),
        permitted: without(permitted),
        inheritable: without(inheritable),
    };
    kernel.capset(sets)
}

/// A user without privileges.
pub const USER: u32 = 1000;

/// The kernel could not be brought into the state that sequences begin with.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{call} failed: {errno}")]
pub struct PreparationError {
    /// The call.
    pub call: String,
    /// Its error.
    pub errno: Errno,
}

/// Makes the calls, each of which must succeed.
pub fn make(mut kernel: impl FnMut(&Call) -> Result<Value, Errno>, calls: &[Call]) -> Result<(), PreparationError> {
    for call in calls {
        kernel(call).map_err(|errno| PreparationError { call: call.to_string(), errno })?;
    }
    Ok(())
}

/// The source of the tmpfs that lies between the machine's rootfs and what belongs to a sequence. Sequences that get to
/// see it would see what others did to it.
pub const BASE: &str = "base";

/// A private mount namespace whose root is an empty tmpfs, for a process that has a proc at /proc, and a directory /tmp.
pub fn empty_namespace(privileges: Privileges) -> Vec<Call> {
    let bind = |source: Option<&str>, target: &str, mountflags| Call::Mount {
        source: source.map(Into::into),
        target: target.into(),
        filesystemtype: None,
        mountflags,
        data: None,
    };
    let mut calls = vec![
        bind(None, "/", MountFlags::MS_REC | MountFlags::MS_PRIVATE),
        mount(BASE, "/tmp", "tmpfs", Some("mode=755")),
    ];
    // In a user namespace proc can only be mounted where another one is to be seen (`mount_too_revealing()`).
    if privileges == Privileges::UserNamespace {
        calls.push(mkdir("/tmp/proc", 0o755));
        calls.push(bind(Some("/proc"), "/tmp/proc", MountFlags::MS_REC | MountFlags::MS_BIND));
    }
    calls.extend([
        Call::Chdir { path: "/tmp".into() },
        Call::PivotRoot { new_root: ".".into(), put_old: ".".into() },
        Call::Umount2 { target: ".".into(), flags: UmountFlags::MNT_DETACH },
        Call::Chdir { path: "/".into() },
    ]);
    calls
}

/// A new tmpfs becomes the root, on top of the empty one.
///
/// Beneath every root is the one that the machine booted with. A process gets there if it unmounts its root and enters
/// its namespace anew, unless something is locked. What is there belongs to the machine, so there is one more mount in
/// between, which belongs to the sequence.
///
/// Without times of access: a walk that has to note one takes references on the way, which shows on mounts that are about
/// to expire, and whether it has to depends on how fast the sequence is.
fn new_root() -> [Call; 5] {
    let tmpfs = |source: &str| Call::Mount {
        source: Some(source.into()),
        target: "/".into(),
        filesystemtype: Some("tmpfs".into()),
        mountflags: MountFlags::MS_NOATIME,
        data: Some("mode=755".into()),
    };
    [
        tmpfs("cover"),
        tmpfs("root"),
        // Up from the root, to the topmost of the mounts on it.
        Call::Chdir { path: "/..".into() },
        Call::Chroot { path: ".".into() },
        Call::Chdir { path: "/".into() },
    ]
}

/// The calls that make a universe, in a namespace as [`empty_namespace`] leaves it.
pub fn calls(universe: Universe, privileges: Privileges) -> Vec<Call> {
    let mut calls = vec![
        // A write into a pipe without a reader is to fail, not to kill.
        Call::Sigaction { signal: Signal::PIPE, action: SignalAction::Ignore },
        // As is one that makes a file too long.
        Call::Sigaction { signal: Signal::XFSZ, action: SignalAction::Ignore },
        // So that it is known what setrlimit(2) may do.
        Call::Setrlimit { resource: RlimitResource::RLIMIT_CORE, limit: Rlimit { soft: Some(0), hard: Some(0) } },
        Call::Setrlimit {
            resource: RlimitResource::RLIMIT_FSIZE,
            limit: Rlimit { soft: Some(1 << 41), hard: Some(1 << 41) },
        },
        Call::Umask { mask: Mode(0) },
    ];
    calls.extend(new_root());
    match universe {
        Universe::Standard => standard(&mut calls, privileges),
        Universe::Small => calls.extend(["/a", "/b", "/a/c", "/b/c"].map(|path| mkdir(path, 0o755))),
        Universe::Host => host(&mut calls, privileges),
    }
    calls.push(Call::Umask { mask: Mode(0o022) });
    calls
}

fn standard(calls: &mut Vec<Call>, privileges: Privileges) {
    // So that an mqueue is the sequence's, and not the machine's.
    calls.push(Call::Unshare { flags: CloneFlags::CLONE_NEWIPC });
    for top in ["/a", "/b", "/c"] {
        calls.push(mkdir(top, 0o755));
        for (name, mode) in [("d", 0o755), ("e", 0o777)] {
            calls.push(mkdir(&format!("{top}/{name}"), mode));
        }
        calls.push(file(&format!("{top}/f"), 0o644));
    }
    calls.extend([
        mkdir("/a/d/x", 0o755),
        // Nobody but its owner gets in.
        mkdir("/b/closed", 0o700),
        file("/b/closed/f", 0o600),
        // Everyone may create, and remove what is theirs.
        mkdir("/c/sticky", 0o1777),
        mkdir("/a b\\\n#", 0o755),
        file("/own", 0o640),
        symlink("d", "/a/relative"),
        symlink("/b/e", "/a/absolute"),
        symlink("nothing", "/a/dangling"),
        symlink("loop", "/a/loop"),
        symlink("../../../..", "/a/up"),
        symlink("/a/absolute/../d", "/c/chain"),
        Call::Mknodat {
            dirfd: Fd::CWD,
            path: "/b/fifo".into(),
            mode: NodeMode { file_type: FileType::Fifo, mode: Mode(0o644) },
            device: DeviceNumber::NONE,
        },
        mkdir("/proc", 0o555),
        mount("proc", "/proc", "proc", None),
    ]);
    if privileges == Privileges::Root {
        calls.push(chown("/own"));
    }
}

fn host(calls: &mut Vec<Call>, privileges: Privileges) {
    for top in ["/proc", "/sys", "/dev", "/world"] {
        calls.push(mkdir(top, 0o755));
    }
    calls.extend([mount("proc", "/proc", "proc", None), mount("world", "/world", "tmpfs", None)]);
    if privileges == Privileges::Root {
        calls.push(mount("sysfs", "/sys", "sysfs", None));
        calls.extend(DEVICES.map(|(name, major, minor)| Call::Mknodat {
            dirfd: Fd::CWD,
            path: format!("/dev/{name}").as_str().into(),
            mode: NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) },
            device: DeviceNumber { major, minor },
        }));
    }
}

/// Devices that are the same on every machine (`Documentation/admin-guide/devices.txt`).
const DEVICES: [(&str, u32, u32); 7] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("console", 5, 1),
];

/// Makes a directory.
pub fn mkdir(path: &str, mode: u32) -> Call {
    Call::Mkdirat { dirfd: Fd::CWD, path: path.into(), mode: Mode(mode) }
}

/// In a user namespace nobody else has an id.
fn chown(path: &str) -> Call {
    let owner = Some(USER);
    Call::Fchownat { dirfd: Fd::CWD, path: path.into(), owner, group: owner, flags: AtFlags::empty() }
}

fn file(path: &str, mode: u32) -> Call {
    Call::Mknodat {
        dirfd: Fd::CWD,
        path: path.into(),
        mode: NodeMode { file_type: FileType::Regular, mode: Mode(mode) },
        device: DeviceNumber::NONE,
    }
}

fn symlink(target: &str, path: &str) -> Call {
    Call::Symlinkat { target: target.into(), dirfd: Fd::CWD, path: path.into() }
}

/// Mounts a filesystem.
pub fn mount(source: &str, target: &str, filesystem: &str, data: Option<&str>) -> Call {
    Call::Mount {
        source: Some(source.into()),
        target: target.into(),
        filesystemtype: Some(filesystem.into()),
        mountflags: MountFlags::empty(),
        data: data.map(Into::into),
    }
}
