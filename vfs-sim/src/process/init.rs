//! The first process.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Credentials, FdTable, FsState, Limits, Memory, Signals, Task, TaskState};
use crate::arena::Id;
use crate::linux::Linux;
use crate::namespace::{MountNamespace, Namespaces, OtherKind, PidNamespace};

/// The sysctl kernel.pid_max that a machine boots with (`PID_MAX_DEFAULT`).
const PID_MAX: i32 = 32768;

impl Linux {
    /// The first process with the namespaces that it begins with, in a mount namespace that it has a reference to.
    pub(crate) fn new_init(
        &mut self,
        mount_namespace: Id<MountNamespace>,
        fs: Id<FsState>,
        files: Id<FdTable>,
    ) -> Id<Task> {
        let user_namespace = self.initial_user_namespace;
        let mut other =
            |kind: OtherKind| self.new_other_namespace(kind, kind.initial_inode(), user_namespace, None, (0, 0));
        let time = other(OtherKind::Time);
        let (uts, ipc) = (other(OtherKind::Uts), other(OtherKind::Ipc));
        let (network, cgroup) = (other(OtherKind::Network), other(OtherKind::Cgroup));
        self.other_namespaces[time].references += 1;
        self.user_namespaces[user_namespace].references += 1;
        // One that is always there, one of the process, one for its children.
        let pid_namespace = self.pid_namespaces.insert(PidNamespace {
            inode: 0xEFFF_FFFC,
            parent: None,
            level: 0,
            creator: None,
            user_namespace,
            init: None,
            had_init: false,
            is_open: true,
            next_pid: 2,
            pid_max: PID_MAX,
            tasks: OrdMap::new(),
            references: 3,
        });
        self.initial_pid_namespace = pid_namespace;
        // The credentials and the memory.
        self.user_namespaces[user_namespace].references += 2;
        let task = self.tasks.insert(Task {
            pid: 1,
            pids: vec![1],
            pid_namespace,
            serial: 0,
            parent: None,
            children: Vec::new(),
            state: TaskState::Running,
            credentials: Arc::new(Credentials::root(user_namespace)),
            fs,
            files,
            mount_namespace,
            namespaces: Namespaces {
                uts,
                ipc,
                network,
                cgroup,
                time,
                time_for_children: time,
                pid_for_children: pid_namespace,
            },
            memory: Memory { name: "init".into(), ..Memory::default() },
            memory_namespace: user_namespace,
            is_dumpable: true,
            no_new_privileges: false,
            parent_death_signal: None,
            signals: Signals::default(),
            limits: Limits::initial(),
            has_too_many_processes: false,
            postponed_exit: None,
        });
        self.attach_pids(task);
        task
    }
}
