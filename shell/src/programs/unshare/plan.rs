//! What the options of unshare(1) ask for.

use cofferdam::kernel::{CloneFlags, MountFlags, Signal};

use crate::execution::Execution;
use crate::getopt::{Order, Parsed, Takes, option};
use crate::programs::util_linux::{Ended, Usage, accounts, number_or_end, warn};

pub(super) const USAGE: Usage = Usage {
    options: &[
        option("help", 'h', "help", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
        // The letters take no argument, unlike the long names.
        option("mount", 'm', "", Takes::Nothing),
        option("mount", '\0', "mount", Takes::Optional),
        option("uts", 'u', "", Takes::Nothing),
        option("uts", '\0', "uts", Takes::Optional),
        option("ipc", 'i', "", Takes::Nothing),
        option("ipc", '\0', "ipc", Takes::Optional),
        option("net", 'n', "", Takes::Nothing),
        option("net", '\0', "net", Takes::Optional),
        option("pid", 'p', "", Takes::Nothing),
        option("pid", '\0', "pid", Takes::Optional),
        option("user", 'U', "", Takes::Nothing),
        option("user", '\0', "user", Takes::Optional),
        option("cgroup", 'C', "", Takes::Nothing),
        option("cgroup", '\0', "cgroup", Takes::Optional),
        option("time", 'T', "", Takes::Nothing),
        option("time", '\0', "time", Takes::Optional),
        option("fork", 'f', "fork", Takes::Nothing),
        option("kill-child", '\0', "kill-child", Takes::Optional),
        option("mount-proc", '\0', "mount-proc", Takes::Optional),
        option("map-user", '\0', "map-user", Takes::Argument),
        option("map-users", '\0', "map-users", Takes::Argument),
        option("map-group", '\0', "map-group", Takes::Argument),
        option("map-groups", '\0', "map-groups", Takes::Argument),
        option("map-root-user", 'r', "map-root-user", Takes::Nothing),
        option("map-current-user", 'c', "map-current-user", Takes::Nothing),
        option("map-auto", '\0', "map-auto", Takes::Nothing),
        option("propagation", '\0', "propagation", Takes::Argument),
        option("setgroups", '\0', "setgroups", Takes::Argument),
        option("keep-caps", '\0', "keep-caps", Takes::Nothing),
        option("setuid", 'S', "setuid", Takes::Argument),
        option("setgid", 'G', "setgid", Takes::Argument),
        option("root", 'R', "root", Takes::Argument),
        option("wd", 'w', "wd", Takes::Argument),
        option("monotonic", '\0', "monotonic", Takes::Argument),
        option("boottime", '\0', "boottime", Takes::Argument),
    ],
    order: Order::Strict,
    exclusive: &[],
    refused: &["time", "map-users", "map-groups", "map-auto", "monotonic", "boottime"],
    mistake: 1,
    synopsis: &["[options] [<program> [<argument>...]]"],
};

/// The kinds of namespaces, in the order in which they are bound to files.
const KINDS: [(&str, CloneFlags, &str); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER, "ns/user"),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP, "ns/cgroup"),
    ("ipc", CloneFlags::CLONE_NEWIPC, "ns/ipc"),
    ("uts", CloneFlags::CLONE_NEWUTS, "ns/uts"),
    ("net", CloneFlags::CLONE_NEWNET, "ns/net"),
    ("pid", CloneFlags::CLONE_NEWPID, "ns/pid_for_children"),
    ("mount", CloneFlags::CLONE_NEWNS, "ns/mnt"),
];

const FAILED: Ended = 1;

/// What the options ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) flags: CloneFlags,
    /// Where namespaces are bound to, so that they stay: the file below `/proc/PID`, and the mount point.
    pub(super) binds: Vec<(&'static str, Vec<u8>)>,
    pub(super) forks: bool,
    /// What the program gets when we end.
    pub(super) kill_signal: Option<Signal>,
    pub(super) propagation: MountFlags,
    pub(super) proc_mount: Option<Vec<u8>>,
    pub(super) map_user: Option<u32>,
    pub(super) map_group: Option<u32>,
    pub(super) setgroups: Option<&'static str>,
    pub(super) keeps_capabilities: bool,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) root: Option<Vec<u8>>,
    pub(super) directory: Option<Vec<u8>>,
    /// Who we were before.
    pub(super) outer: (u32, u32),
    pub(super) program: Vec<Vec<u8>>,
}

impl Plan {
    pub(super) async fn of(execution: &mut Execution, parsed: &Parsed) -> Result<Self, Ended> {
        let recursively_private = MountFlags::MS_REC | MountFlags::MS_PRIVATE;
        let mut plan = Self { propagation: recursively_private, ..Self::default() };
        plan.outer = accounts::own(execution);
        plan.program.clone_from(&parsed.operands);
        for (id, value) in &parsed.options {
            plan.take(execution, id, value.as_deref()).await?;
        }
        // The order of the table is that of the mounts.
        plan.binds.sort_by_key(|(file, _)| KINDS.iter().position(|(_, _, known)| known == file));
        Ok(plan)
    }

    async fn take(&mut self, execution: &mut Execution, id: &str, value: Option<&[u8]>) -> Result<(), Ended> {
        if let Some((_, flag, file)) = KINDS.iter().find(|(kind, ..)| *kind == id) {
            self.flags |= *flag;
            if let Some(value) = value {
                self.binds.retain(|(known, _)| known != file);
                self.binds.push((*file, value.to_vec()));
            }
            return Ok(());
        }
        let argument = value.unwrap_or_default();
        match id {
            "fork" => self.forks = true,
            "kill-child" => {
                self.forks = true;
                self.kill_signal = Some(match value {
                    None => Signal::KILL,
                    Some(name) => signal(execution, name).await?,
                });
            }
            "mount-proc" => {
                self.flags |= CloneFlags::CLONE_NEWNS;
                self.proc_mount = Some(value.unwrap_or(b"/proc").to_vec());
            }
            "map-root-user" => self.map(Some(0), Some(0)),
            "map-current-user" => self.map(Some(self.outer.0), Some(self.outer.1)),
            "map-user" => {
                let users = accounts::users(execution).await;
                let known = users.iter().find(|user| user.name == argument).map(|user| user.uid);
                let uid = match known {
                    Some(uid) => uid,
                    None => number_or_end(execution, argument, "failed to parse uid").await?,
                };
                self.map(Some(uid), None);
            }
            "map-group" => {
                let groups = accounts::groups(execution).await;
                let known = groups.iter().find(|group| group.name == argument).map(|group| group.gid);
                let gid = match known {
                    Some(gid) => gid,
                    None => number_or_end(execution, argument, "failed to parse gid").await?,
                };
                self.map(None, Some(gid));
            }
            "propagation" => self.propagation = propagation(execution, argument).await?,
            "setgroups" => {
                self.setgroups = Some(match argument {
                    b"allow" => "allow",
                    b"deny" => "deny",
                    _ => {
                        let text = [b"unsupported --setgroups argument '", argument, b"'"].concat();
                        warn(execution, text).await;
                        return Err(FAILED);
                    }
                });
            }
            "keep-caps" => self.keeps_capabilities = true,
            "setuid" => self.uid = Some(number_or_end(execution, argument, "failed to parse uid").await?),
            "setgid" => self.gid = Some(number_or_end(execution, argument, "failed to parse gid").await?),
            "root" => self.root = Some(argument.to_vec()),
            "wd" => self.directory = Some(argument.to_vec()),
            _ => {}
        }
        Ok(())
    }

    fn map(&mut self, user: Option<u32>, group: Option<u32>) {
        self.flags |= CloneFlags::CLONE_NEWUSER;
        self.map_user = user.or(self.map_user);
        self.map_group = group.or(self.map_group);
    }
}

async fn propagation(execution: &mut Execution, mode: &[u8]) -> Result<MountFlags, Ended> {
    match mode {
        b"slave" => Ok(MountFlags::MS_REC | MountFlags::MS_SLAVE),
        b"private" => Ok(MountFlags::MS_REC | MountFlags::MS_PRIVATE),
        b"shared" => Ok(MountFlags::MS_REC | MountFlags::MS_SHARED),
        b"unchanged" => Ok(MountFlags::empty()),
        _ => {
            warn(execution, [b"unsupported propagation mode: ", mode].concat()).await;
            Err(FAILED)
        }
    }
}

/// The signal of this name, with `SIG` in front or without.
async fn signal(execution: &mut Execution, name: &[u8]) -> Result<Signal, Ended> {
    const LAST: i32 = 31;
    let wanted = String::from_utf8_lossy(name).to_ascii_uppercase();
    let wanted = format!("SIG{}", wanted.strip_prefix("SIG").unwrap_or(&wanted));
    if let Some(signal) = (1..=LAST).map(Signal).find(|signal| signal.to_string() == wanted) {
        return Ok(signal);
    }
    warn(execution, [b"unknown signal: ", name].concat()).await;
    Err(FAILED)
}
