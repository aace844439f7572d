//! Processes, credentials and signals.

use cofferdam::kernel::{
    Bytes, Capabilities, CapabilitySets, Errno, Mode, Pid, Prctl, Rlimit, RlimitResource, Signal, SignalAction,
    SignalInfo, SignalMaskHow, SignalSet, Utsname, WaitOptions, WaitStatus,
};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::{ALL_CAPABILITIES, Credentials, Task, WOULD_WAIT, is_valid_signal};

impl Linux {
    /// umask
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn umask(&mut self, task: Id<Task>, mask: Mode) -> Result<Mode, Failure> {
        let fs = self.tasks[task].fs;
        Ok(Mode(std::mem::replace(&mut self.fs_states[fs].umask, mask.0 & 0o777)))
    }

    /// uname
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "a call as the others")]
    pub(crate) fn uname(&mut self, task: Id<Task>) -> Result<Utsname, Failure> {
        let _ = task;
        Ok(Utsname { sysname: "Linux".into(), release: "6.18.0".into(), machine: "x86_64".into() })
    }

    /// getpid
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn getpid(&mut self, task: Id<Task>) -> Result<Pid, Failure> {
        Ok(Pid(self.pid_seen_by(task, task)))
    }

    /// getppid
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn getppid(&mut self, task: Id<Task>) -> Result<Pid, Failure> {
        Ok(Pid(self.tasks[task].parent.map_or(0, |parent| self.pid_seen_by(task, parent))))
    }

    /// geteuid
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn geteuid(&mut self, task: Id<Task>) -> Result<u32, Failure> {
        let credentials = &self.tasks[task].credentials;
        Ok(self.user_namespaces[credentials.user_namespace].shown_uid(credentials.effective_uid))
    }

    /// capget
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn capget(&mut self, task: Id<Task>) -> Result<CapabilitySets, Failure> {
        let Credentials { effective, permitted, inheritable, .. } = *self.tasks[task].credentials;
        Ok(CapabilitySets { effective, permitted, inheritable })
    }

    /// capset
    pub(crate) fn capset(&mut self, task: Id<Task>, sets: CapabilitySets) -> Result<(), Failure> {
        self.set_capabilities(task, sets)
    }

    /// prctl
    pub(crate) fn prctl(&mut self, task: Id<Task>, operation: Prctl) -> Result<i32, Failure> {
        let mut credentials = (*self.tasks[task].credentials).clone();
        match operation {
            Prctl::SetParentDeathSignal(signal) => {
                if signal.is_some_and(|signal| !is_valid_signal(signal)) {
                    return Err(fail!(EINVAL, "sys_prctl()", "there is no signal with this number"));
                }
                self.tasks[task].parent_death_signal = signal.filter(|signal| signal.0 != 0);
                return Ok(0);
            }
            Prctl::SetDumpable(is_dumpable) => {
                self.tasks[task].is_dumpable = is_dumpable;
                return Ok(0);
            }
            Prctl::SetNoNewPrivileges => {
                self.tasks[task].no_new_privileges = true;
                return Ok(0);
            }
            Prctl::ReadBoundingCapability(number) => {
                return Ok(i32::from(credentials.bounding.contains(capability(number)?)));
            }
            Prctl::SetKeepCapabilities(keep) => credentials.keep_capabilities = keep,
            Prctl::DropBoundingCapability(number) => {
                if !self.ns_capable(task, credentials.user_namespace, Capabilities::CAP_SETPCAP) {
                    return Err(fail!(
                        EPERM,
                        "cap_prctl_drop()",
                        "the process has no CAP_SETPCAP in its user namespace"
                    ));
                }
                credentials.bounding.remove(capability(number)?);
            }
            Prctl::RaiseAmbientCapability(number) => {
                let capability = capability(number)?;
                if !credentials.permitted.contains(capability) {
                    return Err(fail!(EPERM, "cap_task_prctl()", "the capability is not among the permitted ones"));
                }
                if !credentials.inheritable.contains(capability) {
                    return Err(fail!(EPERM, "cap_task_prctl()", "the capability is not among the inheritable ones"));
                }
                credentials.ambient.insert(capability);
            }
            Prctl::ClearAmbientCapabilities => credentials.ambient = Capabilities::empty(),
        }
        self.commit_credentials(task, credentials);
        Ok(0)
    }

    /// setgroups
    pub(crate) fn setgroups(&mut self, task: Id<Task>, groups: &[u32]) -> Result<(), Failure> {
        self.set_groups(task, groups)
    }

    /// setresgid
    pub(crate) fn setresgid(&mut self, task: Id<Task>, real: u32, effective: u32, saved: u32) -> Result<(), Failure> {
        self.set_gids(task, [real, effective, saved])
    }

    /// setresuid
    pub(crate) fn setresuid(&mut self, task: Id<Task>, real: u32, effective: u32, saved: u32) -> Result<(), Failure> {
        self.set_uids(task, [real, effective, saved])
    }

    /// setrlimit
    pub(crate) fn setrlimit(&mut self, task: Id<Task>, resource: RlimitResource, limit: Rlimit) -> Result<(), Failure> {
        self.set_limit(task, resource, limit)
    }

    /// sigaction
    pub(crate) fn sigaction(&mut self, task: Id<Task>, signal: Signal, action: SignalAction) -> Result<(), Failure> {
        self.set_ignored(task, signal, action == SignalAction::Ignore)
    }

    /// sigprocmask
    #[allow(clippy::unnecessary_wraps, reason = "a call as the others")]
    pub(crate) fn sigprocmask(
        &mut self,
        task: Id<Task>,
        how: SignalMaskHow,
        set: SignalSet,
    ) -> Result<SignalSet, Failure> {
        let old = self.tasks[task].signals.blocked;
        self.set_blocked(
            task,
            match how {
                SignalMaskHow::Block => SignalSet(old.0 | set.0),
                SignalMaskHow::Unblock => SignalSet(old.0 & !set.0),
                SignalMaskHow::SetMask => set,
            },
        );
        Ok(old)
    }

    /// sigwaitinfo: [`WOULD_WAIT`] if there is no such signal.
    pub(crate) fn sigwaitinfo(&mut self, task: Id<Task>, set: SignalSet) -> Result<SignalInfo, Failure> {
        self.take_signal(task, set).ok_or(WOULD_WAIT)
    }

    /// kill (`kill_something_info()`)
    pub(crate) fn kill(&mut self, task: Id<Task>, pid: Pid, signal: Signal) -> Result<(), Failure> {
        let no_process = fail!(
            ESRCH,
            "kill_something_info()",
            "there is no process with this number in the process's pid namespace"
        );
        let no_group = fail!(
            ESRCH,
            "kill_something_info()",
            "there is no process group with this number in the process's pid namespace"
        );
        let (targets, none) = match pid.0 {
            1.. => (self.task_with_pid(task, pid.0).into_iter().collect(), no_process),
            -1 => return self.kill_all(task, signal),
            // All processes are in the group of init.
            0 => (self.all_tasks(), no_group),
            group if group.checked_neg().is_some_and(|group| self.is_process_group(task, group)) => {
                (self.all_tasks(), no_group)
            }
            _ => (Vec::new(), no_group),
        };
        let mut result = Err(none);
        for sent in self.signal(task, &targets, signal) {
            if result.is_err() {
                result = sent;
            }
        }
        result
    }

    /// Sends a signal to every process that can be seen, but not to init and the caller.
    fn kill_all(&mut self, task: Id<Task>, signal: Signal) -> Result<(), Failure> {
        let others = |target: &Id<Task>| self.pid_seen_by(task, *target) > 1 && *target != task;
        let targets: Vec<_> = self.all_tasks().into_iter().filter(others).collect();
        let nobody = fail!(
            ESRCH,
            "kill_something_info()",
            "the process sees no other process besides the init of its pid namespace"
        );
        let mut result = if targets.is_empty() { Err(nobody) } else { Ok(()) };
        for sent in self.signal(task, &targets, signal) {
            if !matches!(sent, Err(failure) if failure.is(Errno::EPERM)) {
                result = sent;
            }
        }
        result
    }

    /// Sends a signal to those that it may be sent to, and says to which. The caller can be ended by the first one.
    fn signal(&mut self, task: Id<Task>, targets: &[Id<Task>], signal: Signal) -> Vec<Result<(), Failure>> {
        let allowed: Vec<_> = targets.iter().map(|target| self.may_signal(task, *target, signal)).collect();
        let sent = targets.iter().zip(&allowed).filter(|(_, allowed)| allowed.is_ok()).map(|(target, _)| {
            let (info, is_from_above) = self.signal_of_process(task, *target, signal);
            (*target, info, is_from_above)
        });
        self.send_signals(sent.collect());
        allowed
    }

    /// Every process, the oldest first.
    fn all_tasks(&self) -> Vec<Id<Task>> {
        self.pid_namespaces[self.initial_pid_namespace].tasks.values().copied().collect()
    }

    /// wait4
    pub(crate) fn wait4(
        &mut self,
        task: Id<Task>,
        pid: Pid,
        options: WaitOptions,
    ) -> Result<Option<(Pid, WaitStatus)>, Failure> {
        self.wait_for_child(task, pid, options)
    }

    /// execve
    pub(crate) fn execve(
        &mut self,
        task: Id<Task>,
        path: &[u8],
        argv: &[Bytes],
        envp: &[Bytes],
    ) -> Result<(), Failure> {
        self.execute(task, path, argv, envp)
    }
}

/// The capability with a number.
fn capability(number: u32) -> Result<Capabilities, Failure> {
    let bit = 1_u64.checked_shl(number).map(Capabilities::from_bits_retain);
    let is_unknown = fail!(EINVAL, "cap_valid()", "there is no capability with this number");
    bit.filter(|bit| ALL_CAPABILITIES.contains(*bit)).ok_or(is_unknown)
}
