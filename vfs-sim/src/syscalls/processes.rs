//! TODO

use cofferdam::kernel::{
    Bytes, CapabilitySets, Errno, Mode, Pid, Prctl, Rlimit, RlimitResource, Signal, SignalAction, SignalInfo,
    SignalMaskHow, SignalSet, Utsname, WaitOptions, WaitStatus,
};

use crate::arena::Id;
use crate::linux::Linux;
use crate::process::Task;

impl Linux {
    /// umask
    pub(crate) fn umask(&mut self, task: Id<Task>, mask: Mode) -> Result<Mode, Errno> {
        let _ = (task, mask);
        Err(Errno::ENOSYS)
    }

    /// uname
    pub(crate) fn uname(&mut self, task: Id<Task>) -> Result<Utsname, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }

    /// getpid
    pub(crate) fn getpid(&mut self, task: Id<Task>) -> Result<Pid, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }

    /// getppid
    pub(crate) fn getppid(&mut self, task: Id<Task>) -> Result<Pid, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }

    /// geteuid
    pub(crate) fn geteuid(&mut self, task: Id<Task>) -> Result<u32, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }

    /// capget
    pub(crate) fn capget(&mut self, task: Id<Task>) -> Result<CapabilitySets, Errno> {
        let _ = (task,);
        Err(Errno::ENOSYS)
    }

    /// capset
    pub(crate) fn capset(&mut self, task: Id<Task>, sets: CapabilitySets) -> Result<(), Errno> {
        let _ = (task, sets);
        Err(Errno::ENOSYS)
    }

    /// prctl
    pub(crate) fn prctl(&mut self, task: Id<Task>, operation: Prctl) -> Result<i32, Errno> {
        let _ = (task, operation);
        Err(Errno::ENOSYS)
    }

    /// setgroups
    pub(crate) fn setgroups(&mut self, task: Id<Task>, groups: &[u32]) -> Result<(), Errno> {
        let _ = (task, groups);
        Err(Errno::ENOSYS)
    }

    /// setresgid
    pub(crate) fn setresgid(&mut self, task: Id<Task>, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        let _ = (task, real, effective, saved);
        Err(Errno::ENOSYS)
    }

    /// setresuid
    pub(crate) fn setresuid(&mut self, task: Id<Task>, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        let _ = (task, real, effective, saved);
        Err(Errno::ENOSYS)
    }

    /// setrlimit
    pub(crate) fn setrlimit(&mut self, task: Id<Task>, resource: RlimitResource, limit: Rlimit) -> Result<(), Errno> {
        let _ = (task, resource, limit);
        Err(Errno::ENOSYS)
    }

    /// sigaction
    pub(crate) fn sigaction(&mut self, task: Id<Task>, signal: Signal, action: SignalAction) -> Result<(), Errno> {
        let _ = (task, signal, action);
        Err(Errno::ENOSYS)
    }

    /// sigprocmask
    pub(crate) fn sigprocmask(
        &mut self,
        task: Id<Task>,
        how: SignalMaskHow,
        set: SignalSet,
    ) -> Result<SignalSet, Errno> {
        let _ = (task, how, set);
        Err(Errno::ENOSYS)
    }

    /// sigwaitinfo
    pub(crate) fn sigwaitinfo(&mut self, task: Id<Task>, set: SignalSet) -> Result<SignalInfo, Errno> {
        let _ = (task, set);
        Err(Errno::ENOSYS)
    }

    /// kill
    pub(crate) fn kill(&mut self, task: Id<Task>, pid: Pid, signal: Signal) -> Result<(), Errno> {
        let _ = (task, pid, signal);
        Err(Errno::ENOSYS)
    }

    /// wait4
    pub(crate) fn wait4(
        &mut self,
        task: Id<Task>,
        pid: Pid,
        options: WaitOptions,
    ) -> Result<Option<(Pid, WaitStatus)>, Errno> {
        let _ = (task, pid, options);
        Err(Errno::ENOSYS)
    }

    /// execve
    pub(crate) fn execve(&mut self, task: Id<Task>, path: &[u8], argv: &[Bytes], envp: &[Bytes]) -> Result<(), Errno> {
        let _ = (task, path, argv, envp);
        Err(Errno::ENOSYS)
    }
}

impl Linux {
    /// Whether there is such a process, and it has not ended.
    pub fn is_running(&self, task: Id<Task>) -> bool {
        self.tasks.get(task).is_some_and(|task| task.state == crate::process::TaskState::Running)
    }

    /// Makes a child process, as clone3(2) does, which goes on with the calls that are made as it.
    pub fn fork(&mut self, task: Id<Task>, flags: cofferdam::kernel::CloneFlags) -> Result<Id<Task>, Errno> {
        let _ = (task, flags);
        Err(Errno::ENOSYS)
    }

    /// Ends a process with this exit status.
    pub fn exit(&mut self, task: Id<Task>, status: i32) {
        let _ = (task, status);
    }
}
