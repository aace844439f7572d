//! The configuration of an agent, with the tables that an operator can replace.
//!
//! [`AgentConfigFile`] is what an operator writes of it, in TOML or JSON.

mod check;
mod file;
mod key;
mod table;
#[cfg(test)]
mod tests;
mod tmpfs;

use std::collections::BTreeMap;

use typed_path::UnixPathBuf;

pub use crate::gid_range::{GidRange, InvalidGidRange};
#[cfg(feature = "schema")]
pub(crate) use file::FLAGS;
pub use file::{AgentConfigFile, IsolatorNames, SpecialMountEntry};
pub use key::{InvalidConfig, Key, KeyPart, Problem};

use crate::kernel::{Bytes, Capabilities, MountFlags};
use crate::layout::Layout;

/// How an agent isolates its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Where things live.
    pub layout: Layout,
    /// Where a container with its own rootfs sees its sandbox.
    pub sandbox_directory: UnixPathBuf,
    /// Names of the agent's other isolators. `namespaces/ipc` is in charge of `/dev/shm`.
    pub isolation: Vec<String>,
    /// The devices, by their names in `/dev`, that every container with its own rootfs gets.
    pub devices: Vec<String>,
    /// Paths, as a container sees them, that are hidden from it.
    pub masked_paths: Vec<Bytes>,
    /// Paths, as a container with its own rootfs sees them, that it can only read, with all that is mounted below them
    /// by then: each is bound on itself after the special mounts and the devices. They hold for privileged containers too.
    pub readonly_paths: Vec<Bytes>,
    /// The special filesystems of a container with its own rootfs, in the order in which they are mounted.
    pub special_mounts: Vec<SpecialMount>,
    /// How large the tmpfs at a path, as a container sees it, may become: the value of its `size` option (tmpfs(5)). There
    /// is one at `/dev/shm`, and one for each special mount of type tmpfs.
    pub tmpfs_sizes: BTreeMap<Bytes, String>,
    /// The gids that volumes get so that several users can share them; without it volumes change their owner instead.
    pub volume_gid_range: Option<GidRange>,
    /// Directories below which a host path that a volume names is made if it does not exist.
    pub host_path_creation: Vec<UnixPathBuf>,
}

impl AgentConfig {
    /// The defaults for an agent with these directories.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            sandbox_directory: UnixPathBuf::from("/mnt/mesos/sandbox"),
            isolation: Vec::new(),
            devices: DEVICES.map(String::from).to_vec(),
            masked_paths: MASKED_PATHS.map(Bytes::from).to_vec(),
            readonly_paths: Vec::new(),
            special_mounts: special_mounts(),
            tmpfs_sizes: BTreeMap::new(),
            volume_gid_range: None,
            host_path_creation: Vec::new(),
        }
    }
}

/// A special filesystem, or (with `MS_BIND`) a part of the container's filesystem that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialMount {
    /// Where, as the container sees it.
    pub target: Bytes,
    /// For a bind, what is bound, as the container sees it, the target itself if it is absent. For a filesystem, what
    /// mountinfo shows as its source, the type if it is absent.
    pub source: Option<Bytes>,
    /// The type of a filesystem; a bind has none.
    pub filesystem_type: Option<String>,
    /// The flags of mount(2).
    pub flags: MountFlags,
    /// The filesystem's options, with commas in between; a bind has none.
    pub options: Option<String>,
}

const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

const MASKED_PATHS: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];

fn special_mounts() -> Vec<SpecialMount> {
    let confined = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
    let read_only = confined | MountFlags::MS_RDONLY;
    let filesystem = |target: &str, filesystem_type: &str, flags, options: Option<&str>| SpecialMount {
        target: target.into(),
        source: None,
        filesystem_type: Some(filesystem_type.into()),
        flags,
        options: options.map(String::from),
    };
    let bound_read_only = |target: &str| SpecialMount {
        target: target.into(),
        source: None,
        filesystem_type: None,
        flags: read_only | MountFlags::MS_BIND,
        options: None,
    };
    vec![
        filesystem("/proc", "proc", confined, None),
        bound_read_only("/proc/bus"),
        bound_read_only("/proc/fs"),
        bound_read_only("/proc/irq"),
        bound_read_only("/proc/sys"),
        bound_read_only("/proc/sysrq-trigger"),
        filesystem("/sys", "sysfs", read_only, None),
        filesystem("/sys/fs/cgroup", "tmpfs", confined, Some("mode=755")),
        filesystem(
            "/dev",
            "tmpfs",
            MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_STRICTATIME,
            Some("mode=755"),
        ),
        // gid 5 is tty on all Linux distributions: so glibc's grantpt(3) finds nothing left to do and needs no helper.
        filesystem(
            "/dev/pts",
            "devpts",
            MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC,
            Some("newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ),
    ]
}

/// What the program of an ordinary container may have: what container runtimes usually leave, without those that lead
/// out of a filesystem. `CAP_MKNOD` would give it every device, `CAP_DAC_READ_SEARCH` every file by its handle,
/// `CAP_SYS_ADMIN` the mounts below the masks.
pub const CONTAINER_CAPABILITIES: Capabilities = Capabilities::CAP_CHOWN
    .union(Capabilities::CAP_DAC_OVERRIDE)
    .union(Capabilities::CAP_FOWNER)
    .union(Capabilities::CAP_FSETID)
    .union(Capabilities::CAP_KILL)
    .union(Capabilities::CAP_SETGID)
    .union(Capabilities::CAP_SETUID)
    .union(Capabilities::CAP_SETPCAP)
    .union(Capabilities::CAP_SETFCAP)
    .union(Capabilities::CAP_NET_BIND_SERVICE)
    .union(Capabilities::CAP_NET_RAW)
    .union(Capabilities::CAP_SYS_CHROOT)
    .union(Capabilities::CAP_AUDIT_WRITE);
