//! Who the program is.

use cofferdam::UnixPath;
use cofferdam::checkpoint;
use cofferdam::kernel::{Bytes, Capabilities, Fd, Kernel, Pid};
use cofferdam_vfs_sim::Process;

use super::super::session::Begun;

/// The files below `/proc/<pid>/ns`, one to each namespace that a process is in.
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Who a program is, and in which namespaces.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The user with its number.
    pub(crate) user: String,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<String>,
    pub(crate) pid: Pid,
    pub(crate) working_directory: Bytes,
    /// What it has left.
    pub(crate) capabilities: Capabilities,
    /// The namespaces that the host is not in.
    pub(crate) own_namespaces: Vec<&'static str>,
    pub(crate) shared_namespaces: Vec<&'static str>,
}

impl Identity {
    /// That of a program; none if its process has ended.
    pub(crate) fn of(begun: &Begun) -> Option<Self> {
        let process = begun.process()?;
        let host = Process::init(begun.linux.clone());
        let task = begun.linux.task(begun.task)?;
        let (_, uid) = task.users();
        let user = match begun.users.name_of(uid) {
            Some(name) => format!("{name} (uid {uid})"),
            None => format!("uid {uid}"),
        };
        let known = NAMESPACES.into_iter().filter(|name| namespace(&process, name).is_some());
        let (shared, own) = known.partition(|name| namespace(&process, name) == namespace(&host, name));
        Some(Self {
            user,
            gid: task.groups().1,
            groups: groups(&process),
            pid: process.getpid().unwrap_or(Pid(0)),
            working_directory: process.getcwd().unwrap_or_default(),
            capabilities: process.capget().unwrap_or_default().effective,
            own_namespaces: own,
            shared_namespaces: shared,
        })
    }
}

fn namespace(process: &Process, name: &str) -> Option<Bytes> {
    process.readlinkat(Fd::CWD, UnixPath::new(&format!("/proc/self/ns/{name}"))).ok()
}

/// The supplementary groups, as proc tells them.
fn groups(process: &Process) -> Vec<String> {
    let status = checkpoint::read(process, UnixPath::new("/proc/self/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status).into_owned();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}
