//! unshare(1) of util-linux 2.38.1.

mod plan;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    Capabilities, CloneFlags, Errno, Fd, Kernel as _, MountFlags, OpenFlags, Pid, Prctl, Signal, SignalMaskHow,
    SignalSet, WaitStatus,
};

use crate::execution::Execution;
use crate::programs::util_linux::path::stat;
use crate::programs::util_linux::{Ended, WriteError, end_if, go_on_as, go_on_as_shell, warn, warn_errno, write_file};
use plan::{Plan, USAGE};

const FAILED: i32 = 1;

const SIGSTOP: Signal = Signal(19);

/// unshare(1)
pub(super) async fn unshare(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let plan = match Plan::of(execution, &parsed).await {
        Ok(plan) => plan,
        Err(status) => return status,
    };
    match plan.carry_out(execution).await {
        Ok(status) | Err(status) => status,
    }
}

impl Plan {
    async fn carry_out(self, execution: &mut Execution) -> Result<i32, Ended> {
        let has_binds = !self.binds.is_empty();
        // A new mount namespace can't be bound from within itself: somebody who stays outside does it.
        let outside = if has_binds && self.flags.contains(CloneFlags::CLONE_NEWNS) {
            Some(self.fork_binder(execution).await?)
        } else {
            None
        };
        let unshared = execution.process.unshare(self.flags);
        end_if(execution, unshared, "unshare failed").await?;
        if !self.forks {
            self.bind(execution, outside).await?;
            return self.enter(execution).await;
        }
        let blocked = SignalSet(1 << (Signal::INT.0 - 1) | 1 << (Signal::TERM.0 - 1));
        let blocked = execution.process.sigprocmask(SignalMaskHow::Block, blocked);
        let mask = end_if(execution, blocked, "sigprocmask block failed").await?;
        let plan = self.clone();
        let forked = execution.fork(CloneFlags::empty(), move |mut child| {
            Box::pin(async move {
                let _ = child.process.sigprocmask(SignalMaskHow::SetMask, mask);
                if let Some((_, writing_end)) = outside {
                    let _ = child.process.close(writing_end);
                }
                match plan.enter(&mut child).await {
                    Ok(status) | Err(status) => status,
                }
            })
        });
        let pid = end_if(execution, forked, "fork failed").await?;
        self.bind(execution, outside).await?;
        wait_and_end_alike(execution, pid).await
    }

    /// Makes a process that binds our namespaces to files once it is told that they are new; and a descriptor to tell it.
    async fn fork_binder(&self, execution: &mut Execution) -> Result<(Pid, Fd), Ended> {
        let parent = end_if(execution, execution.process.getpid(), "getpid failed").await?;
        let namespace = format!("/proc/{}/ns/mnt", parent.0);
        let old = stat(&execution.process, namespace.as_bytes()).map(|file| file.inode);
        let old = end_if(execution, old, &format!("stat of {namespace} failed")).await?;
        let pipe = execution.process.pipe2(OpenFlags::O_CLOEXEC);
        let (reading_end, writing_end) = end_if(execution, pipe, "eventfd failed").await?;
        let binds = self.binds.clone();
        let forked = execution.fork(CloneFlags::empty(), move |mut child| {
            Box::pin(async move {
                let _ = child.process.close(writing_end);
                match child.read(reading_end).await {
                    Ok(told) if !told.is_empty() => {}
                    _ => return FAILED,
                }
                if stat(&child.process, namespace.as_bytes()).map(|file| file.inode) == Ok(old) {
                    return FAILED;
                }
                bind_namespaces(&mut child, parent, &binds).await.err().unwrap_or(0)
            })
        });
        let binder = end_if(execution, forked, "fork failed").await?;
        let _ = execution.process.close(reading_end);
        Ok((binder, writing_end))
    }

    /// Binds our namespaces to files, or has it done.
    async fn bind(&self, execution: &mut Execution, outside: Option<(Pid, Fd)>) -> Result<(), Ended> {
        if self.binds.is_empty() {
            return Ok(());
        }
        let Some((binder, writing_end)) = outside else {
            let own = end_if(execution, execution.process.getpid(), "getpid failed").await?;
            return bind_namespaces(execution, own, &self.binds).await;
        };
        let _ = execution.process.write(writing_end, b"\x06");
        let _ = execution.process.close(writing_end);
        let waited = execution.wait_for(binder).await;
        match end_if(execution, waited, "waitpid failed").await? {
            WaitStatus::Exited(status) if status != 0 => Err(status),
            _ => Ok(()),
        }
    }

    /// What is done in the new namespaces; goes on as the program.
    async fn enter(self, execution: &mut Execution) -> Result<i32, Ended> {
        if self.kill_signal.is_some() {
            let set = execution.process.prctl(Prctl::SetParentDeathSignal(self.kill_signal));
            end_if(execution, set, "prctl failed").await?;
        }
        self.map_ids(execution).await?;
        let root = UnixPath::new("/");
        if self.flags.contains(CloneFlags::CLONE_NEWNS) && !self.propagation.is_empty() {
            let changed = execution.process.mount(Some(UnixPath::new("none")), root, None, self.propagation, None);
            end_if(execution, changed, "cannot change root filesystem propagation").await?;
        }
        if let Some(new_root) = &self.root {
            let changed = execution.process.chroot(UnixPath::new(new_root));
            let text = [b"cannot change root directory to '", &new_root[..], b"'"].concat();
            end_if(execution, changed, text).await?;
        }
        let at_root = self.root.as_ref().map(|_| b"/".to_vec());
        if let Some(directory) = self.directory.clone().or(at_root) {
            let changed = execution.process.chdir(UnixPath::new(&directory));
            end_if(execution, changed, [b"cannot chdir to '", &directory[..], b"'"].concat()).await?;
        }
        self.mount_proc(execution).await?;
        self.set_ids(execution).await?;
        if self.program.is_empty() {
            return Ok(go_on_as_shell(execution).await);
        }
        Ok(go_on_as(execution, &self.program).await)
    }

    async fn map_ids(&self, execution: &mut Execution) -> Result<(), Ended> {
        if let Some(user) = self.map_user {
            let line = format!("{user} {} 1", self.outer.0);
            write_or_end(execution, b"/proc/self/uid_map", line.as_bytes()).await?;
        }
        if let Some(group) = self.map_group {
            if self.setgroups == Some("allow") {
                warn(execution, "options --setgroups=allow and --map-group are mutually exclusive").await;
                return Err(FAILED);
            }
            set_groups(execution, "deny").await?;
            let line = format!("{group} {} 1", self.outer.1);
            write_or_end(execution, b"/proc/self/gid_map", line.as_bytes()).await?;
        }
        match self.setgroups {
            Some(word) => set_groups(execution, word).await,
            None => Ok(()),
        }
    }

    async fn mount_proc(&self, execution: &mut Execution) -> Result<(), Ended> {
        let Some(place) = &self.proc_mount else { return Ok(()) };
        let path = UnixPath::new(place);
        let recursively_private = MountFlags::MS_PRIVATE | MountFlags::MS_REC;
        // Else that has been done with the root.
        if self.root.is_none() && self.propagation != recursively_private {
            let none = Some(UnixPath::new("none"));
            match execution.process.mount(none, path, None, recursively_private, None) {
                // Nothing is mounted there yet.
                Ok(()) | Err(Errno::EINVAL) => {}
                Err(errno) => {
                    let text = [b"cannot change ", &place[..], b" filesystem propagation"].concat();
                    warn_errno(execution, text, errno).await;
                    return Err(FAILED);
                }
            }
        }
        let safe = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC | MountFlags::MS_NODEV;
        let mounted = execution.process.mount(Some(UnixPath::new("proc")), path, Some(b"proc"), safe, None);
        end_if(execution, mounted, [b"mount ", &place[..], b" failed"].concat()).await
    }

    async fn set_ids(&self, execution: &mut Execution) -> Result<(), Ended> {
        if let Some(gid) = self.gid {
            let dropped = execution.process.setgroups(&[]);
            end_if(execution, dropped, "setgroups failed").await?;
            let set = execution.process.setresgid(gid, gid, gid);
            end_if(execution, set, "setgid failed").await?;
        }
        if let Some(uid) = self.uid {
            let set = execution.process.setresuid(uid, uid, uid);
            end_if(execution, set, "setuid failed").await?;
        }
        if self.keeps_capabilities && self.flags.contains(CloneFlags::CLONE_NEWUSER) {
            let sets = end_if(execution, execution.process.capget(), "capget failed").await?;
            let inheritable = sets.permitted;
            let set = execution.process.capset(cofferdam::kernel::CapabilitySets { inheritable, ..sets });
            end_if(execution, set, "capset failed").await?;
            for capability in Capabilities::numbers(sets.effective) {
                let raised = execution.process.prctl(Prctl::RaiseAmbientCapability(capability));
                end_if(execution, raised, "prctl(PR_CAP_AMBIENT) failed").await?;
            }
        }
        Ok(())
    }
}

async fn write_or_end(execution: &mut Execution, path: &[u8], text: &[u8]) -> Result<(), Ended> {
    let (what, errno): (&[u8], Errno) = match write_file(execution, path, text) {
        Ok(()) => return Ok(()),
        Err(WriteError::Open(errno)) => (b"cannot open ", errno),
        Err(WriteError::Write(errno)) => (b"write failed ", errno),
    };
    warn_errno(execution, [what, path].concat(), errno).await;
    Err(FAILED)
}

async fn set_groups(execution: &mut Execution, word: &str) -> Result<(), Ended> {
    const FILE: &[u8] = b"/proc/self/setgroups";
    match write_file(execution, FILE, word.as_bytes()) {
        // A kernel that does not have it yet.
        Err(WriteError::Open(Errno::ENOENT)) => Ok(()),
        _ => write_or_end(execution, FILE, word.as_bytes()).await,
    }
}

async fn bind_namespaces(execution: &mut Execution, pid: Pid, binds: &[(&str, Vec<u8>)]) -> Result<(), Ended> {
    for (file, target) in binds {
        let source = format!("/proc/{}/{file}", pid.0);
        let (from, to) = (UnixPath::new(&source), UnixPath::new(target));
        let bound = execution.process.mount(Some(from), to, None, MountFlags::MS_BIND, None);
        let text = [b"mount ", source.as_bytes(), b" on ", target, b" failed"].concat();
        end_if(execution, bound, text).await?;
    }
    Ok(())
}

/// Waits for a child, and ends as it did: by the same signal, or with the same status.
async fn wait_and_end_alike(execution: &mut Execution, pid: Pid) -> Result<i32, Ended> {
    let waited = execution.wait_for(pid).await;
    let status = end_if(execution, waited, "waitpid failed").await?;
    let signal = match status {
        WaitStatus::Exited(status) => return Ok(status),
        WaitStatus::Signaled(signal) => signal,
        WaitStatus::Stopped(_) | WaitStatus::Continued => {
            warn(execution, "child exit failed").await;
            return Err(FAILED);
        }
    };
    // These two have no action that could be set back to the default.
    let can_be_set = !matches!(signal, Signal::KILL | SIGSTOP);
    let unblocked = if can_be_set {
        execution.process.sigprocmask(SignalMaskHow::Unblock, SignalSet(1 << (signal.0 - 1))).map(drop)
    } else {
        Err(Errno::EINVAL)
    };
    end_if(execution, unblocked, "sigprocmask unblock failed").await?;
    let own = end_if(execution, execution.process.getpid(), "getpid failed").await?;
    let _ = execution.process.kill(own, signal);
    Ok(FAILED)
}
