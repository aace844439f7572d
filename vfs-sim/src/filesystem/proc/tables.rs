//! What proc tells of the kernel: its directories and files, apart from those of processes.

use serde::{Deserialize, Serialize};

use crate::namespace::Counted;

/// A directory of the kernel's own in proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the directories")]
pub enum Directory {
    Root,
    /// One without entries.
    Empty,
    Bus,
    Fs,
    Irq,
    Pressure,
    SysVIpc,
    Tty,
    Sys,
    SysEmpty,
    SysFs,
    SysKernel,
    SysNet,
    SysUser,
}

/// An entry of such a directory.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    /// Its permissions.
    pub(super) mode: u32,
    pub(super) what: What,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Directory(Directory),
    /// A directory to be mounted on.
    MountPoint,
    Link(&'static str),
    /// A file that says this.
    Text(&'static str),
    /// A file of which nothing is told: it is empty, and writing to it is refused.
    Silent,
    Filesystems,
    MountMax,
    UserLimit(Counted),
}

const fn directory(name: &'static str, directory: Directory) -> Node {
    Node { name, mode: 0o555, what: What::Directory(directory) }
}

const fn link(name: &'static str, target: &'static str) -> Node {
    Node { name, mode: 0o777, what: What::Link(target) }
}

const fn text(name: &'static str, content: &'static str) -> Node {
    Node { name, mode: 0o444, what: What::Text(content) }
}

const fn setting(name: &'static str, content: &'static str) -> Node {
    Node { name, mode: 0o644, what: What::Text(content) }
}

const fn user_limit(name: &'static str, counted: Counted) -> Node {
    Node { name, mode: 0o644, what: What::UserLimit(counted) }
}

const fn silent(name: &'static str, mode: u32) -> Node {
    Node { name, mode, what: What::Silent }
}

const ROOT: &[Node] = &[
    directory("fs", Directory::Fs),
    directory("bus", Directory::Bus),
    silent("dma", 0o444),
    directory("irq", Directory::Irq),
    link("net", "self/net"),
    directory("sys", Directory::Sys),
    directory("tty", Directory::Tty),
    directory("acpi", Directory::Empty),
    silent("keys", 0o444),
    silent("kmsg", 0o400),
    silent("misc", 0o444),
    silent("mtrr", 0o644),
    silent("stat", 0o444),
    silent("iomem", 0o444),
    silent("locks", 0o444),
    text("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
    silent("crypto", 0o444),
    directory("driver", Directory::Empty),
    link("mounts", "self/mounts"),
    text("uptime", "0.00 0.00\n"),
    silent("vmstat", 0o444),
    silent("cgroups", 0o444),
    text("cmdline", "\n"),
    silent("cpuinfo", 0o444),
    silent("devices", 0o444),
    silent("ioports", 0o444),
    text("loadavg", "0.00 0.00 0.00 1/1 1\n"),
    silent("meminfo", 0o444),
    directory("sysvipc", Directory::SysVIpc),
    text("version", "Linux version 6.18.0 (simulated)\n"),
    silent("consoles", 0o444),
    silent("kallsyms", 0o444),
    directory("pressure", Directory::Pressure),
    silent("slabinfo", 0o400),
    silent("softirqs", 0o444),
    silent("zoneinfo", 0o444),
    silent("buddyinfo", 0o444),
    silent("config.gz", 0o444),
    silent("diskstats", 0o444),
    silent("key-users", 0o444),
    silent("interrupts", 0o444),
    silent("kpagecount", 0o400),
    silent("kpageflags", 0o400),
    silent("partitions", 0o444),
    silent("timer_list", 0o400),
    silent("execdomains", 0o444),
    Node { name: "filesystems", mode: 0o444, what: What::Filesystems },
    silent("kpagecgroup", 0o400),
    silent("vmallocinfo", 0o400),
    silent("pagetypeinfo", 0o400),
    silent("sysrq-trigger", 0o200),
];

const BUS: &[Node] = &[directory("pci", Directory::Empty), directory("input", Directory::Empty)];

const FS: &[Node] = &[
    directory("xfs", Directory::Empty),
    directory("ext4", Directory::Empty),
    directory("jbd2", Directory::Empty),
    Node { name: "nfsd", mode: 0o555, what: What::MountPoint },
];

const IRQ: &[Node] = &[silent("default_smp_affinity", 0o644)];

const PRESSURE: &[Node] = &[silent("io", 0o666), silent("cpu", 0o666), silent("memory", 0o666)];

const SYSVIPC: &[Node] = &[silent("msg", 0o444), silent("sem", 0o444), silent("shm", 0o444)];

const TTY: &[Node] = &[
    directory("ldisc", Directory::Empty),
    Node { name: "driver", mode: 0o500, what: What::Directory(Directory::Empty) },
    silent("ldiscs", 0o444),
    silent("drivers", 0o444),
];

const SYS: &[Node] = &[
    directory("abi", Directory::SysEmpty),
    directory("debug", Directory::SysEmpty),
    directory("dev", Directory::SysEmpty),
    directory("fs", Directory::SysFs),
    directory("kernel", Directory::SysKernel),
    directory("net", Directory::SysNet),
    directory("user", Directory::SysUser),
    directory("vm", Directory::SysEmpty),
];

const SYS_FS: &[Node] = &[
    Node { name: "binfmt_misc", mode: 0o555, what: What::MountPoint },
    Node { name: "mount-max", mode: 0o644, what: What::MountMax },
    setting("nr_open", "1048576\n"),
    setting("overflowgid", "65534\n"),
    setting("overflowuid", "65534\n"),
    setting("protected_fifos", "0\n"),
    setting("protected_hardlinks", "0\n"),
    setting("protected_regular", "0\n"),
    setting("protected_symlinks", "0\n"),
    setting("suid_dumpable", "0\n"),
];

const SYS_KERNEL: &[Node] = &[
    text("cap_last_cap", "40\n"),
    setting("domainname", "(none)\n"),
    setting("hostname", "(none)\n"),
    text("ngroups_max", "65536\n"),
    text("osrelease", "6.18.0\n"),
    text("ostype", "Linux\n"),
    setting("overflowgid", "65534\n"),
    setting("overflowuid", "65534\n"),
    setting("pid_max", "4194304\n"),
];

const SYS_NET: &[Node] = &[
    directory("core", Directory::SysEmpty),
    directory("ipv4", Directory::SysEmpty),
    directory("ipv6", Directory::SysEmpty),
    directory("unix", Directory::SysEmpty),
];

const SYS_USER: &[Node] = &[
    user_limit("max_cgroup_namespaces", Counted::CgroupNamespaces),
    user_limit("max_fanotify_groups", Counted::FanotifyGroups),
    user_limit("max_fanotify_marks", Counted::FanotifyMarks),
    user_limit("max_inotify_instances", Counted::InotifyInstances),
    user_limit("max_inotify_watches", Counted::InotifyWatches),
    user_limit("max_ipc_namespaces", Counted::IpcNamespaces),
    user_limit("max_mnt_namespaces", Counted::MountNamespaces),
    user_limit("max_net_namespaces", Counted::NetworkNamespaces),
    user_limit("max_pid_namespaces", Counted::PidNamespaces),
    user_limit("max_time_namespaces", Counted::TimeNamespaces),
    user_limit("max_user_namespaces", Counted::UserNamespaces),
    user_limit("max_uts_namespaces", Counted::UtsNamespaces),
];

impl Directory {
    /// Its entries, in the order in which they are listed: shorter names first, and below `sys` by name.
    pub(super) fn nodes(self) -> &'static [Node] {
        match self {
            Self::Root => ROOT,
            Self::Empty | Self::SysEmpty => &[],
            Self::Bus => BUS,
            Self::Fs => FS,
            Self::Irq => IRQ,
            Self::Pressure => PRESSURE,
            Self::SysVIpc => SYSVIPC,
            Self::Tty => TTY,
            Self::Sys => SYS,
            Self::SysFs => SYS_FS,
            Self::SysKernel => SYS_KERNEL,
            Self::SysNet => SYS_NET,
            Self::SysUser => SYS_USER,
        }
    }

    /// Whether there is something at a path that begins at the root.
    pub(super) fn has(path: &str) -> bool {
        let mut directory = Some(Self::Root);
        path.split('/').all(|name| {
            let found = directory.and_then(|above| above.nodes().iter().find(|node| node.name == name));
            directory = found.and_then(|node| match node.what {
                What::Directory(inner) => Some(inner),
                _ => None,
            });
            found.is_some()
        })
    }

    /// Whether it is one of sysctl(5), which have rules of their own.
    pub(super) fn is_sysctl(self) -> bool {
        matches!(self, Self::Sys | Self::SysEmpty | Self::SysFs | Self::SysKernel | Self::SysNet | Self::SysUser)
    }

    /// The number of its links: those below `sys` do not count directories.
    pub(super) fn links(self) -> u32 {
        if self.is_sysctl() {
            return 1;
        }
        let is_directory = |node: &&Node| matches!(node.what, What::Directory(_) | What::MountPoint);
        2 + u32::try_from(self.nodes().iter().filter(is_directory).count()).unwrap_or(0)
    }
}
