//! nsenter(1) of util-linux 2.38.1.

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel as _, OpenFlags, WaitStatus};

use super::util_linux::path::stat;
use super::util_linux::{Ended, Usage, end_if, go_on_as, go_on_as_shell, number_or_end, open, warn, warn_errno};
use crate::execution::Execution;
use crate::getopt::{Order, Parsed, Takes, option};

const USAGE: Usage = Usage {
    options: &[
        option("all", 'a', "all", Takes::Nothing),
        option("help", 'h', "help", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
        option("target", 't', "target", Takes::Argument),
        option("mount", 'm', "mount", Takes::Optional),
        option("uts", 'u', "uts", Takes::Optional),
        option("ipc", 'i', "ipc", Takes::Optional),
        option("net", 'n', "net", Takes::Optional),
        option("pid", 'p', "pid", Takes::Optional),
        option("user", 'U', "user", Takes::Optional),
        option("cgroup", 'C', "cgroup", Takes::Optional),
        option("time", 'T', "time", Takes::Optional),
        option("setuid", 'S', "setuid", Takes::Argument),
        option("setgid", 'G', "setgid", Takes::Argument),
        option("root", 'r', "root", Takes::Optional),
        option("wd", 'w', "wd", Takes::Optional),
        // The letter needs an argument, unlike the long name.
        option("wdns", 'W', "", Takes::Argument),
        option("wdns", '\0', "wdns", Takes::Optional),
        option("no-fork", 'F', "no-fork", Takes::Nothing),
        option("preserve-credentials", '\0', "preserve-credentials", Takes::Nothing),
        option("follow-context", 'Z', "follow-context", Takes::Nothing),
    ],
    order: Order::Strict,
    exclusive: &[&["wdns", "wd"]],
    refused: &["time"],
    mistake: 1,
    synopsis: &["[options] [<program> [<argument>...]]"],
};

/// The kinds of namespaces, in the order in which they are entered: the user namespace comes first if it gives privileges,
/// and last if it takes them away.
const KINDS: [(&str, CloneFlags, &str); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER, "ns/user"),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP, "ns/cgroup"),
    ("ipc", CloneFlags::CLONE_NEWIPC, "ns/ipc"),
    ("uts", CloneFlags::CLONE_NEWUTS, "ns/uts"),
    ("net", CloneFlags::CLONE_NEWNET, "ns/net"),
    ("pid", CloneFlags::CLONE_NEWPID, "ns/pid"),
    ("mount", CloneFlags::CLONE_NEWNS, "ns/mnt"),
];

const FAILED: i32 = 1;

/// nsenter(1)
pub(super) async fn nsenter(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    match Visit::open(execution, &parsed).await {
        Ok(visit) => match visit.go(execution).await {
            Ok(status) | Err(status) => status,
        },
        Err(status) => status,
    }
}

/// Where we go.
#[derive(Clone, Debug, Default)]
struct Visit {
    target: Option<u32>,
    /// The namespaces that are open: their place in [`KINDS`].
    namespaces: Vec<(usize, Fd)>,
    root: Option<Fd>,
    directory: Option<Fd>,
    /// A directory as it is named in there.
    directory_inside: Option<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    never_forks: bool,
    keeps_credentials: bool,
    program: Vec<Vec<u8>>,
}

impl Visit {
    async fn open(execution: &mut Execution, parsed: &Parsed) -> Result<Self, Ended> {
        let mut visit = Self {
            never_forks: parsed.has("no-fork"),
            keeps_credentials: parsed.has("preserve-credentials"),
            program: parsed.operands.clone(),
            ..Self::default()
        };
        // What is named by the target is opened once the target is known.
        let mut wanted = Vec::new();
        let (mut wants_root, mut wants_directory) = (false, false);
        for (id, value) in &parsed.options {
            let argument = value.as_deref().unwrap_or_default();
            let kind = KINDS.iter().position(|(kind, ..)| kind == id);
            match (*id, value, kind) {
                (_, Some(path), Some(kind)) => visit.open_namespace(execution, kind, Some(path)).await?,
                (_, None, Some(kind)) => wanted.push(kind),
                ("target", ..) => visit.target = Some(number_or_end(execution, argument, "failed to parse pid").await?),
                ("setuid", ..) => visit.uid = Some(number_or_end(execution, argument, "failed to parse uid").await?),
                ("setgid", ..) => visit.gid = Some(number_or_end(execution, argument, "failed to parse gid").await?),
                ("root", Some(path), _) => visit.root = Some(visit.open_file(execution, "root", Some(path)).await?),
                ("root", None, _) => wants_root = true,
                ("wd", Some(path), _) => visit.directory = Some(visit.open_file(execution, "cwd", Some(path)).await?),
                ("wd", None, _) => wants_directory = true,
                ("wdns", value, _) => visit.directory_inside.clone_from(value),
                _ => {}
            }
        }
        if parsed.has("all") {
            wanted.extend(visit.all_usable(execution).await?);
        }
        wanted.sort_unstable();
        wanted.dedup();
        for kind in wanted {
            visit.open_namespace(execution, kind, None).await?;
        }
        if wants_root {
            visit.root = Some(visit.open_file(execution, "root", None).await?);
        }
        if wants_directory {
            visit.directory = Some(visit.open_file(execution, "cwd", None).await?);
        }
        Ok(visit)
    }

    async fn open_namespace(
        &mut self,
        execution: &mut Execution,
        kind: usize,
        path: Option<&[u8]>,
    ) -> Result<(), Ended> {
        let Some((_, _, file)) = KINDS.get(kind) else { return Ok(()) };
        let fd = self.open_file(execution, file, path).await?;
        if let Some(index) = self.namespaces.iter().position(|(known, _)| *known == kind) {
            let (_, old) = self.namespaces.swap_remove(index);
            let _ = execution.process.close(old);
        }
        self.namespaces.push((kind, fd));
        Ok(())
    }

    async fn open_file(&self, execution: &mut Execution, file: &str, path: Option<&[u8]>) -> Result<Fd, Ended> {
        let path = match (path, self.target) {
            (Some(path), _) => path.to_vec(),
            (None, Some(target)) if target != 0 => format!("/proc/{target}/{file}").into_bytes(),
            (None, _) => {
                warn(execution, format!("neither filename nor target pid supplied for {file}")).await;
                return Err(FAILED);
            }
        };
        let opened = open(execution, &path, OpenFlags::empty());
        end_if(execution, opened, [b"cannot open ", &path[..]].concat()).await
    }

    /// The namespaces of the target that are not open yet; its user namespace only if it is not ours, as that can't be
    /// entered again.
    async fn all_usable(&self, execution: &mut Execution) -> Result<Vec<usize>, Ended> {
        let Some(target) = self.target.filter(|target| *target != 0) else {
            warn(execution, "no target PID specified for --all").await;
            return Err(FAILED);
        };
        let own = end_if(execution, execution.process.getpid(), "getpid failed").await?.0;
        let mut usable = Vec::new();
        for (kind, (_, flag, file)) in KINDS.iter().enumerate() {
            if self.namespaces.iter().any(|(known, _)| *known == kind) {
                continue;
            }
            let ours = stat(&execution.process, format!("/proc/{own}/{file}").as_bytes());
            if ours == Err(Errno::ENOENT) {
                continue;
            }
            if *flag == CloneFlags::CLONE_NEWUSER {
                let path = format!("/proc/{target}/{file}");
                let theirs = stat(&execution.process, path.as_bytes());
                let theirs = end_if(execution, theirs, format!("stat of {path} failed")).await?;
                if ours.is_ok_and(|ours| ours.inode == theirs.inode) {
                    continue;
                }
            }
            usable.push(kind);
        }
        Ok(usable)
    }

    async fn go(mut self, execution: &mut Execution) -> Result<i32, Ended> {
        let has = |visit: &Self, wanted: CloneFlags| {
            visit.namespaces.iter().any(|(kind, _)| KINDS.get(*kind).is_some_and(|(_, flag, _)| *flag == wanted))
        };
        let forks = has(&self, CloneFlags::CLONE_NEWPID) && !self.never_forks;
        let mut could_drop_groups = true;
        if has(&self, CloneFlags::CLONE_NEWUSER) && !self.keeps_credentials {
            self.uid = self.uid.or(Some(0));
            self.gid = self.gid.or(Some(0));
            could_drop_groups = execution.process.setgroups(&[]).is_ok();
        }
        self.enter_namespaces(execution).await?;
        self.change_directories(execution).await?;
        if !forks {
            return self.become_user(execution, could_drop_groups).await;
        }
        let forked = execution.fork(CloneFlags::empty(), move |mut child| {
            Box::pin(async move {
                match self.become_user(&mut child, could_drop_groups).await {
                    Ok(status) | Err(status) => status,
                }
            })
        });
        let pid = end_if(execution, forked, "fork failed").await?;
        match execution.wait_for(pid).await {
            Ok(WaitStatus::Exited(status)) => Ok(status),
            Ok(WaitStatus::Signaled(signal)) => {
                if let Ok(own) = execution.process.getpid() {
                    let _ = execution.process.kill(own, signal);
                }
                Ok(FAILED)
            }
            _ => Ok(FAILED),
        }
    }

    /// In two passes: without the user namespace first, which is then entered if it takes privileges away; if it gives them,
    /// what failed is done again after it.
    async fn enter_namespaces(&mut self, execution: &mut Execution) -> Result<(), Ended> {
        let mut open = std::mem::take(&mut self.namespaces);
        open.sort_unstable();
        for is_last_pass in [false, true] {
            let mut left = Vec::new();
            for (kind, fd) in open {
                let Some((_, flag, file)) = KINDS.get(kind) else { continue };
                if !is_last_pass && *flag == CloneFlags::CLONE_NEWUSER {
                    left.push((kind, fd));
                    continue;
                }
                match execution.process.setns(fd, *flag) {
                    Ok(()) => {
                        let _ = execution.process.close(fd);
                    }
                    Err(errno) if is_last_pass => {
                        warn_errno(execution, format!("reassociate to namespace '{file}' failed"), errno).await;
                        return Err(FAILED);
                    }
                    Err(_) => left.push((kind, fd)),
                }
            }
            open = left;
        }
        Ok(())
    }

    async fn change_directories(&mut self, execution: &mut Execution) -> Result<(), Ended> {
        let no_directory = "cannot open current working directory";
        if self.root.is_some() && self.directory.is_none() && self.directory_inside.is_none() {
            let here = open(execution, b".", OpenFlags::empty());
            self.directory = Some(end_if(execution, here, no_directory).await?);
        }
        if let Some(root) = self.root.take() {
            let changed = execution.process.fchdir(root);
            end_if(execution, changed, "change directory by root file descriptor failed").await?;
            let changed = execution.process.chroot(UnixPath::new("."));
            end_if(execution, changed, "chroot failed").await?;
            let changed = execution.process.chdir(UnixPath::new("/"));
            end_if(execution, changed, "cannot change directory to /").await?;
            let _ = execution.process.close(root);
        }
        if let Some(path) = &self.directory_inside {
            let opened = open(execution, path, OpenFlags::empty());
            self.directory = Some(end_if(execution, opened, no_directory).await?);
        }
        if let Some(directory) = self.directory.take() {
            let changed = execution.process.fchdir(directory);
            end_if(execution, changed, "change directory by working directory file descriptor failed").await?;
            let _ = execution.process.close(directory);
        }
        Ok(())
    }

    async fn become_user(self, execution: &mut Execution, could_drop_groups: bool) -> Result<i32, Ended> {
        if let Some(gid) = self.gid {
            let dropped = execution.process.setgroups(&[]);
            if !could_drop_groups {
                end_if(execution, dropped, "setgroups failed").await?;
            }
            let set = execution.process.setresgid(gid, gid, gid);
            end_if(execution, set, "setgid failed").await?;
        }
        if let Some(uid) = self.uid {
            let set = execution.process.setresuid(uid, uid, uid);
            end_if(execution, set, "setuid failed").await?;
        }
        if self.program.is_empty() {
            return Ok(go_on_as_shell(execution).await);
        }
        Ok(go_on_as(execution, &self.program).await)
    }
}
