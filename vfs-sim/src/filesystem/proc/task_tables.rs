//! What there is of each process in proc (`tgid_base_stuff`, `tid_base_stuff`).

use serde::{Deserialize, Serialize};

use super::TaskEntry;
use crate::text::MountTable;

/// A file of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the files")]
pub enum TaskFile {
    Status,
    Comm,
    CommandLine,
    Environment,
    Mounts,
    MountInfo,
    MountStats,
    UidMap,
    GidMap,
    ProjidMap,
    SetGroups,
    Cgroup,
    Cpuset,
    LoginUid,
    OomScoreAdj,
    /// A file of which nothing is told: it is empty, and writing to it is refused.
    Silent,
}

/// An entry in the directory of a process, with its permissions.
#[derive(Debug)]
pub(super) struct TaskNode {
    pub(super) name: &'static str,
    pub(super) mode: u32,
    pub(super) entry: TaskEntry,
    /// Whether a process has it.
    of_process: bool,
    /// Whether a thread has it.
    of_thread: bool,
}

const fn node(name: &'static str, mode: u32, entry: TaskEntry) -> TaskNode {
    TaskNode { name, mode, entry, of_process: true, of_thread: true }
}

const fn process(name: &'static str, mode: u32, entry: TaskEntry) -> TaskNode {
    TaskNode { name, mode, entry, of_process: true, of_thread: false }
}

const fn file(name: &'static str, mode: u32, file: TaskFile) -> TaskNode {
    node(name, mode, TaskEntry::File(file))
}

const SILENT: TaskEntry = TaskEntry::File(TaskFile::Silent);

const NODES: &[TaskNode] = &[
    process("task", 0o555, TaskEntry::Threads),
    node("fd", 0o500, TaskEntry::Descriptors),
    process("map_files", 0o500, TaskEntry::Silent),
    node("fdinfo", 0o555, TaskEntry::DescriptorInfos),
    node("ns", 0o511, TaskEntry::Namespaces),
    node("net", 0o555, TaskEntry::Silent),
    file("environ", 0o400, TaskFile::Environment),
    node("auxv", 0o400, SILENT),
    file("status", 0o444, TaskFile::Status),
    node("personality", 0o400, SILENT),
    node("limits", 0o444, SILENT),
    node("sched", 0o644, SILENT),
    process("autogroup", 0o644, SILENT),
    process("timens_offsets", 0o644, SILENT),
    file("comm", 0o644, TaskFile::Comm),
    node("syscall", 0o400, SILENT),
    file("cmdline", 0o444, TaskFile::CommandLine),
    node("stat", 0o444, SILENT),
    node("statm", 0o444, SILENT),
    node("maps", 0o444, SILENT),
    TaskNode { name: "children", mode: 0o444, entry: SILENT, of_process: false, of_thread: true },
    node("numa_maps", 0o444, SILENT),
    node("mem", 0o600, SILENT),
    node("cwd", 0o777, TaskEntry::Cwd),
    node("root", 0o777, TaskEntry::Root),
    node("exe", 0o777, TaskEntry::Exe),
    file("mounts", 0o444, TaskFile::Mounts),
    file("mountinfo", 0o444, TaskFile::MountInfo),
    process("mountstats", 0o400, TaskEntry::File(TaskFile::MountStats)),
    node("clear_refs", 0o200, SILENT),
    node("smaps", 0o444, SILENT),
    node("smaps_rollup", 0o444, SILENT),
    node("pagemap", 0o400, SILENT),
    node("attr", 0o555, TaskEntry::Attributes),
    node("wchan", 0o444, SILENT),
    node("stack", 0o400, SILENT),
    node("schedstat", 0o444, SILENT),
    file("cpuset", 0o444, TaskFile::Cpuset),
    file("cgroup", 0o444, TaskFile::Cgroup),
    node("oom_score", 0o444, SILENT),
    node("oom_adj", 0o644, SILENT),
    file("oom_score_adj", 0o644, TaskFile::OomScoreAdj),
    file("loginuid", 0o644, TaskFile::LoginUid),
    file("sessionid", 0o444, TaskFile::LoginUid),
    process("coredump_filter", 0o644, SILENT),
    node("io", 0o400, SILENT),
    file("uid_map", 0o644, TaskFile::UidMap),
    file("gid_map", 0o644, TaskFile::GidMap),
    file("projid_map", 0o644, TaskFile::ProjidMap),
    file("setgroups", 0o644, TaskFile::SetGroups),
    process("timers", 0o444, SILENT),
    process("timerslack_ns", 0o666, SILENT),
    node("arch_status", 0o444, SILENT),
    node("ksm_merging_pages", 0o400, SILENT),
    node("ksm_stat", 0o400, SILENT),
];

/// The files of `attr` (`attr_dir_stuff`).
const ATTRIBUTES: [(&str, u32); 6] = [
    ("current", 0o666),
    ("prev", 0o444),
    ("exec", 0o666),
    ("fscreate", 0o666),
    ("keycreate", 0o666),
    ("sockcreate", 0o666),
];

impl TaskFile {
    /// The table of mounts that it is, if it is one.
    pub(super) fn mount_table(self) -> Option<MountTable> {
        match self {
            Self::MountInfo => Some(MountTable::MountInfo),
            Self::Mounts => Some(MountTable::Mounts),
            Self::MountStats => Some(MountTable::MountStats),
            _ => None,
        }
    }
}

impl TaskEntry {
    /// The entries of a directory that does not change, with their permissions, in the order in which they are listed.
    pub(super) fn fixed_entries(self) -> Vec<(&'static str, u32, Self)> {
        let of = |is_there: fn(&TaskNode) -> bool| {
            let nodes = NODES.iter().filter(move |node| is_there(node));
            nodes.map(|node| (node.name, node.mode, node.entry)).collect()
        };
        match self {
            Self::Process => of(|node| node.of_process),
            Self::Thread => of(|node| node.of_thread),
            Self::Attributes => ATTRIBUTES.iter().map(|(name, mode)| (*name, *mode, SILENT)).collect(),
            Self::Namespaces => {
                super::NamespaceKind::ALL.iter().map(|kind| (kind.file_name(), 0o777, Self::Namespace(*kind))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One of these by its name.
    pub(super) fn fixed_entry(self, name: &[u8]) -> Option<(u32, Self)> {
        let by_name = |node: &&TaskNode| node.name.as_bytes() == name;
        let found = |node: &TaskNode| (node.mode, node.entry);
        match self {
            Self::Process => NODES.iter().filter(|node| node.of_process).find(by_name).map(found),
            Self::Thread => NODES.iter().filter(|node| node.of_thread).find(by_name).map(found),
            _ => self
                .fixed_entries()
                .into_iter()
                .find(|entry| entry.0.as_bytes() == name)
                .map(|entry| (entry.1, entry.2)),
        }
    }

    /// The number of links of a directory: those with a fixed content count the directories in it.
    pub(super) fn links(self) -> u32 {
        match self {
            Self::Process => 9,
            Self::Thread => 7,
            Self::Threads => 3,
            Self::Silent | Self::Descriptors | Self::DescriptorInfos | Self::Namespaces | Self::Attributes => 2,
            _ => 1,
        }
    }

    /// Whether it is a directory.
    pub(super) fn is_directory(self) -> bool {
        self.links() > 1
    }

    /// Whether it is a link.
    pub(super) fn is_link(self) -> bool {
        matches!(self, Self::Cwd | Self::Root | Self::Exe | Self::Descriptor(_) | Self::Namespace(_))
    }
}
