//! A process makes another one (`kernel/fork.c`).

use std::sync::Arc;

use cofferdam::kernel::{Call, Capabilities, CloneFlags, Errno};

use super::clone_flags::{check_flags, flag};
use super::{Credentials, FdTable, FsState, Signals, Task, TaskState};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::{MountNamespace, NEW_NAMESPACES, Namespaces, UserNamespace};

/// What a child gets, each with a reference, before it is a process.
struct Parts {
    user_namespace: Id<UserNamespace>,
    files: Id<FdTable>,
    fs: Id<FsState>,
    namespaces: Option<(Id<MountNamespace>, Namespaces)>,
}

impl Linux {
    /// Makes a child process, as clone3(2) with the exit signal `SIGCHLD` does, which goes on with the calls that are made as
    /// it, until [`exit`](Self::exit).
    ///
    /// # Errors
    ///
    /// Those of clone3(2). `EINVAL` for what would share memory.
    pub fn fork(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<Id<Task>, Errno> {
        let result = self.new_child(task, flags);
        self.answer(task, || Call::Clone3 { flags }, result)
    }

    /// clone3(2)
    pub(crate) fn new_child(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<Id<Task>, Failure> {
        self.may_call(task)?;
        check_flags(flags)?;
        let mut credentials = (*self.tasks[task].credentials).clone();
        if flags.contains(CloneFlags::CLONE_NEWUSER) {
            let namespace = self.new_user_namespace(task)?;
            credentials.enter_user_namespace(namespace);
        } else {
            self.user_namespaces[credentials.user_namespace].references += 1;
        }
        if let Err(failure) = self.check_process_count(task, &credentials) {
            self.user_namespace_put(credentials.user_namespace);
            return Err(failure);
        }
        let mut parts = Parts {
            user_namespace: credentials.user_namespace,
            files: self.files_of_child(task, flags),
            fs: self.fs_of_child(task, flags),
            namespaces: None,
        };
        match self.complete_parts(task, flags, &mut parts) {
            Ok((pids, mount_namespace, namespaces)) => {
                Ok(self.insert_child(task, flags, credentials, &parts, pids, mount_namespace, namespaces))
            }
            Err(failure) => {
                self.discard_parts(&parts);
                Err(failure)
            }
        }
    }

    /// The same with `CLONE_PARENT`, as clone(2) takes it: the child's parent is the parent of the process, not itself.
    ///
    /// # Errors
    ///
    /// Those of clone(2): `EINVAL` for the first process of a pid namespace, as well.
    pub fn fork_sibling(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<Id<Task>, Errno> {
        let result = self.new_sibling(task, flags);
        self.answer(task, || Call::Clone3 { flags }, result)
    }

    fn new_sibling(&mut self, task: Id<Task>, flags: CloneFlags) -> Result<Id<Task>, Failure> {
        const IS_INIT: Failure =
            fail!(EINVAL, "copy_process()", "CLONE_PARENT is given by the init process of a pid namespace");
        self.may_call(task)?;
        let parent = self.tasks[task].parent.ok_or(IS_INIT)?;
        if self.pid_namespaces[self.tasks[task].pid_namespace].init == Some(task) {
            return Err(IS_INIT);
        }
        let child = self.new_child(task, flags)?;
        self.tasks[task].children.retain(|other| *other != child);
        self.tasks[parent].children.push(child);
        self.tasks[child].parent = Some(parent);
        Ok(child)
    }

    /// Whether the user of a child may have one process more (`copy_process()`). Root of the initial user namespace may.
    fn check_process_count(&self, task: Id<Task>, child: &Credentials) -> Result<(), Failure> {
        let is_privileged = child.uid == 0
            || self.capable(task, Capabilities::CAP_SYS_RESOURCE)
            || self.capable(task, Capabilities::CAP_SYS_ADMIN);
        let is_exceeded = !is_privileged && self.has_too_many_processes(task, (child.user_namespace, child.uid), 1);
        if is_exceeded {
            return Err(fail!(
                EAGAIN,
                "copy_process()",
                "the user has as many processes as RLIMIT_NPROC, or a user namespace above, allows"
            ));
        }
        Ok(())
    }

    fn files_of_child(&mut self, task: Id<Task>, flags: CloneFlags) -> Id<FdTable> {
        let files = self.tasks[task].files;
        if !flags.contains(CloneFlags::CLONE_FILES) {
            return self.copy_descriptors(files);
        }
        self.fd_tables[files].references += 1;
        files
    }

    fn fs_of_child(&mut self, task: Id<Task>, flags: CloneFlags) -> Id<FsState> {
        let fs = self.tasks[task].fs;
        if !flags.contains(CloneFlags::CLONE_FS) {
            return self.copy_fs_state(fs);
        }
        self.fs_states[fs].references += 1;
        fs
    }

    /// The steps that can fail once there is something to let go of.
    fn complete_parts(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        parts: &mut Parts,
    ) -> Result<(Vec<i32>, Id<MountNamespace>, Namespaces), Failure> {
        let (mount_namespace, namespaces) = self.copy_namespaces(task, flags, parts)?;
        parts.namespaces = Some((mount_namespace, namespaces));
        let pids = self.allocate_pids(namespaces.pid_for_children)?;
        if flags.contains(flag::PIDFD) {
            self.release_pids(namespaces.pid_for_children);
            self.has_free_descriptor(task)?;
            return Err(fail!(
                EFAULT,
                "copy_process()",
                "CLONE_PIDFD is given, but no place to write the descriptor to"
            ));
        }
        Ok((pids, mount_namespace, namespaces))
    }

    /// The namespaces of a child (`copy_namespaces()`).
    fn copy_namespaces(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        parts: &Parts,
    ) -> Result<(Id<MountNamespace>, Namespaces), Failure> {
        if flags.intersects(NEW_NAMESPACES) {
            if !self.ns_capable(task, parts.user_namespace, Capabilities::CAP_SYS_ADMIN) {
                return Err(fail!(
                    EPERM,
                    "copy_namespaces()",
                    "the process has no CAP_SYS_ADMIN in the user namespace of the child"
                ));
            }
            if flags.contains(CloneFlags::CLONE_NEWIPC | flag::SYSVSEM) {
                return Err(fail!(
                    EINVAL,
                    "copy_namespaces()",
                    "CLONE_NEWIPC goes with CLONE_SYSVSEM: semaphores of the old namespace would be shared"
                ));
            }
        }
        let (mount, mut namespaces) = self.create_namespaces(task, flags, parts.user_namespace, parts.fs)?;
        self.enter_time_namespace(&mut namespaces);
        Ok((mount, namespaces))
    }

    fn discard_parts(&mut self, parts: &Parts) {
        if let Some((mount, namespaces)) = parts.namespaces {
            self.mount_namespace_put(mount);
            self.namespaces_put(&namespaces);
        }
        self.fs_state_put(parts.fs);
        self.descriptors_put(parts.files);
        self.user_namespace_put(parts.user_namespace);
    }

    #[allow(clippy::too_many_arguments, reason = "what a child consists of")]
    fn insert_child(
        &mut self,
        task: Id<Task>,
        flags: CloneFlags,
        credentials: Credentials,
        parts: &Parts,
        pids: Vec<i32>,
        mount_namespace: Id<MountNamespace>,
        namespaces: Namespaces,
    ) -> Id<Task> {
        let pid_namespace = namespaces.pid_for_children;
        self.pid_namespaces[pid_namespace].references += 1;
        self.last_task_serial += 1;
        let parent = self.tasks[task].clone();
        self.memory_get(&parent.memory, parent.memory_namespace);
        let mut signals = Signals {
            pending: Vec::new(),
            own: Vec::new(),
            stop: None,
            fatal: None,
            is_continued: false,
            ..parent.signals
        };
        if flags.contains(flag::CLEAR_SIGHAND) {
            signals.ignored = cofferdam::kernel::SignalSet::default();
        }
        let child = self.tasks.insert(Task {
            pid: pids.first().copied().unwrap_or_default(),
            pids,
            pid_namespace,
            serial: self.last_task_serial,
            parent: Some(task),
            children: Vec::new(),
            state: TaskState::Running,
            credentials: Arc::new(credentials),
            fs: parts.fs,
            files: parts.files,
            mount_namespace,
            namespaces,
            parent_death_signal: None,
            signals,
            has_too_many_processes: false,
            postponed_exit: None,
            ..parent
        });
        self.tasks[task].has_too_many_processes = false;
        self.tasks[task].children.push(child);
        self.attach_pids(child);
        child
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Fd, Mode, OpenHow, Pid, Prctl, WaitOptions, WaitStatus};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unknown(1 << 33, Errno::EINVAL)]
    #[case::exit_signal(17, Errno::EINVAL)]
    #[case::memory(0x100, Errno::EINVAL)]
    #[case::thread(0x1_0000, Errno::EINVAL)]
    #[case::root_and_mounts(0x2_0200, Errno::EINVAL)]
    #[case::root_and_user(0x1000_0200, Errno::EINVAL)]
    #[case::semaphores(0x804_0000, Errno::EINVAL)]
    #[case::nowhere_to_write(0x1000, Errno::EFAULT)]
    fn what_is_refused(#[case] flags: u64, #[case] errno: Errno) {
        let mut linux = Linux::new();
        assert_eq!(linux.fork(linux.init(), CloneFlags::from_bits_retain(flags)), Err(errno));
        linux.check().unwrap();
    }

    #[test]
    fn what_is_shared_is_seen_by_both() {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.mkdirat(init, Fd::CWD, b"/a", Mode(0o755)).unwrap();
        let sharing = linux.fork(init, CloneFlags::CLONE_FS | CloneFlags::CLONE_FILES).unwrap();
        let copying = linux.fork(init, CloneFlags::empty()).unwrap();
        linux.chdir(sharing, b"/a").unwrap();
        let fd = linux.openat2(sharing, Fd::CWD, b"/", OpenHow::default()).unwrap();
        assert_eq!(linux.getcwd(init), Ok("/a".into()));
        assert_eq!(linux.getcwd(copying), Ok("/".into()));
        assert_eq!(linux.close(copying, fd).map_err(Failure::errno), Err(Errno::EBADF));
        assert_eq!(linux.close(init, fd), Ok(()));
        assert_eq!(linux.close(sharing, fd).map_err(Failure::errno), Err(Errno::EBADF));
    }

    #[test]
    fn a_sibling_is_waited_for_by_the_parent() {
        let mut linux = Linux::new();
        let init = linux.init();
        let parent = linux.fork(init, CloneFlags::empty()).unwrap();
        let task = linux.fork(parent, CloneFlags::empty()).unwrap();
        let sibling = linux.fork_sibling(task, CloneFlags::empty()).unwrap();
        assert_eq!(linux.getppid(sibling), linux.getpid(parent));
        linux.exit(sibling, 3);
        let pid = linux.getpid(sibling);
        linux.check().unwrap();
        assert_eq!(
            linux.wait_for_child(task, Pid(-1), WaitOptions::WNOHANG).map_err(Failure::errno),
            Err(Errno::ECHILD)
        );
        let waited = linux.wait_for_child(parent, Pid(-1), WaitOptions::WNOHANG);
        assert!(matches!(waited, Ok(Some((_, WaitStatus::Exited(3))))), "{waited:?} {pid:?}");
        assert_eq!(linux.fork_sibling(init, CloneFlags::empty()), Err(Errno::EINVAL));
    }

    #[test]
    fn the_next_pid_can_be_chosen() {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.set_next_pid(init, Pid(4711));
        let child = linux.fork(init, CloneFlags::empty()).unwrap();
        assert_eq!(linux.getpid(child), Ok(Pid(4711)));
        let next = linux.fork(init, CloneFlags::empty()).unwrap();
        assert_eq!(linux.getpid(next), Ok(Pid(4712)));
        linux.set_next_pid(init, Pid(4711));
        let other = linux.fork(init, CloneFlags::empty()).unwrap();
        assert_eq!(linux.getpid(other), Ok(Pid(4713)));
    }

    #[test]
    fn a_pid_namespace_begins_with_1() {
        let mut linux = Linux::new();
        let outer = linux.init();
        let init = linux.fork(outer, CloneFlags::CLONE_NEWPID).unwrap();
        let child = linux.fork(init, CloneFlags::empty()).unwrap();
        assert_eq!((linux.getpid(init), linux.getppid(init)), (Ok(Pid(1)), Ok(Pid(0))));
        assert_eq!((linux.getpid(child), linux.getppid(child)), (Ok(Pid(2)), Ok(Pid(1))));
        assert_eq!((linux.pid_seen_by(outer, child), linux.pid_seen_by(child, outer)), (3, 0));
    }

    #[test]
    fn a_user_namespace_gives_its_creator_all_namespaces() {
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        linux.setresgid(task, 1000, 1000, 1000).unwrap();
        linux.setresuid(task, 1000, 1000, 1000).unwrap();
        assert_eq!(linux.fork(task, CloneFlags::CLONE_NEWNS), Err(Errno::EPERM));
        let child = linux.fork(task, CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER).unwrap();
        assert_eq!(linux.geteuid(child), Ok(65534));
        assert_eq!(linux.capget(child).unwrap().effective, crate::process::ALL_CAPABILITIES);
        // Without a number in its user namespace it makes no other.
        assert_eq!(linux.fork(child, CloneFlags::CLONE_NEWUSER), Err(Errno::EPERM));
    }

    #[test]
    fn a_child_inherits_what_it_may_gain_but_no_signal_of_death() {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.prctl(init, Prctl::SetNoNewPrivileges).unwrap();
        linux.prctl(init, Prctl::SetParentDeathSignal(Some(cofferdam::kernel::Signal::KILL))).unwrap();
        let child = linux.fork(init, CloneFlags::empty()).unwrap();
        assert!(linux.tasks[child].no_new_privileges);
        assert_eq!(linux.tasks[child].parent_death_signal, None);
    }

    #[test]
    fn a_user_has_only_so_many_processes() {
        use cofferdam::kernel::{Rlimit, RlimitResource};
        let mut linux = Linux::new();
        let task = linux.fork(linux.init(), CloneFlags::empty()).unwrap();
        let limit = Rlimit { soft: Some(2), hard: Some(2) };
        linux.setrlimit(task, RlimitResource::RLIMIT_NPROC, limit).unwrap();
        assert!(linux.fork(task, CloneFlags::empty()).is_ok());
        linux.setresuid(task, 1000, 1000, 1000).unwrap();
        assert!(linux.fork(task, CloneFlags::empty()).is_ok());
        assert_eq!(linux.fork(task, CloneFlags::empty()), Err(Errno::EAGAIN));
    }
}
