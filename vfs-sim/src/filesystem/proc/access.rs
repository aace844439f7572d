//! Who may look into a process (`kernel/ptrace.c`, `fs/proc/base.c`).

use super::{ProcEntry, TaskEntry};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Entry, HidePid, Inode, Parameters, SuperBlock};
use crate::linux::Linux;
use crate::process::{FdTable, Task, TaskState};

/// From what `hidepid` hides a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HiddenFrom {
    /// From being looked into.
    Looking,
    /// From being listed.
    Listing,
}

/// `MAY_EXEC`
const EXECUTE: u32 = 1;

const NOT_EXECUTABLE: Failure = fail!(EACCES, "proc_sys_permission()", "a setting of sysctl(5) can't be executed");

impl Linux {
    /// The descriptors of a process that has not ended.
    pub(super) fn running_files(&self, task: Id<Task>) -> Option<&FdTable> {
        let object = &self.tasks[task];
        matches!(object.state, TaskState::Running).then(|| &self.fd_tables[object.files])
    }

    /// Who owns the files of a process (`task_dump_owner()`): its effective user, or root if others may not look into it.
    pub(super) fn dump_owner(&self, task: Id<Task>, is_open_to_all: bool) -> (u32, u32) {
        let object = &self.tasks[task];
        let is_running = matches!(object.state, TaskState::Running);
        if is_open_to_all || is_running && object.is_dumpable {
            return (object.credentials.effective_uid, object.credentials.effective_gid);
        }
        if !is_running {
            return (0, 0);
        }
        // Root of the user namespace that the memory belongs to.
        let namespace = &self.user_namespaces[object.memory_namespace];
        (namespace.kuid(0).unwrap_or(0), namespace.kgid(0).unwrap_or(0))
    }

    /// Whether `hidepid` hides one process from another (`has_pid_permissions()`).
    pub(super) fn hides(&self, task: Id<Task>, superblock: Id<SuperBlock>, other: Id<Task>, from: HiddenFrom) -> bool {
        let hide_pid = self.hide_pid(superblock);
        let least = if from == HiddenFrom::Looking { HidePid::NoAccess } else { HidePid::Invisible };
        if hide_pid == HidePid::NotPtraceable {
            return !self.may_access(task, other);
        }
        if hide_pid < least {
            return false;
        }
        let group = match &self.superblocks[superblock].parameters {
            Parameters::Proc(parameters) => parameters.gid.unwrap_or(0),
            _ => 0,
        };
        let own = &self.tasks[task].credentials;
        let is_in_group = own.filesystem_gid == group || own.groups.contains(&group);
        !is_in_group && !self.may_access(task, other)
    }

    /// The permission to use an inode of the kernel's own filesystems, where these have rules of their own; `access` are the
    /// bits of `MAY_*`, `generic` is what the usual rules say.
    pub(crate) fn entry_permission(
        &self,
        task: Id<Task>,
        inode: Id<Inode>,
        access: u32,
        generic: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let entry = match self.inodes[inode].entry {
            Entry::None | Entry::EmptyDirectory | Entry::Namespace(_) | Entry::Overlay(_) => return generic(),
            Entry::Proc(entry) => entry,
        };
        match entry {
            ProcEntry::Directory(directory) if directory.is_sysctl() => self.sysctl_permission(task, inode, access),
            ProcEntry::File(directory, _) if directory.is_sysctl() => {
                if access & EXECUTE != 0 {
                    Err(NOT_EXECUTABLE)
                } else {
                    self.sysctl_permission(task, inode, access)
                }
            }
            ProcEntry::UserLimit { .. } if access & EXECUTE != 0 => Err(NOT_EXECUTABLE),
            ProcEntry::UserLimit { .. } => match self.user_limit(inode) {
                Some(Ok(limit)) if self.user_limit_permits(task, limit, access) => Ok(()),
                Some(Err(failure)) => Err(failure),
                _ => Err(fail!(
                    EACCES,
                    "test_perm()",
                    "only a process with CAP_SYS_RESOURCE in the user namespace of the limit can open it for writing"
                )),
            },
            ProcEntry::Task { task: other, pid, entry } => {
                let other = self.proc_task(other, pid);
                self.task_permission(task, inode, (other, entry), generic)
            }
            _ => generic(),
        }
    }

    fn task_permission(
        &self,
        task: Id<Task>,
        inode: Id<Inode>,
        (other, entry): (Option<Id<Task>>, TaskEntry),
        generic: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match entry {
            // `proc_pid_permission()`
            TaskEntry::Process | TaskEntry::Threads => {
                let other = other.ok_or(fail!(ESRCH, "proc_pid_permission()", "the process has ended"))?;
                let superblock = self.inodes[inode].superblock;
                if !self.hides(task, superblock, other, HiddenFrom::Looking) {
                    return generic();
                }
                Err(if self.hide_pid(superblock) == HidePid::Invisible {
                    fail!(ENOENT, "proc_pid_permission()", "hidepid of the proc makes processes of others invisible")
                } else {
                    fail!(
                        EPERM,
                        "proc_pid_permission()",
                        "hidepid of the proc forbids to look into processes of others"
                    )
                })
            }
            // `proc_fd_permission()`
            TaskEntry::Descriptors => {
                generic().or_else(|failure| if other == Some(task) { Ok(()) } else { Err(failure) })
            }
            // `proc_fdinfo_permission()`
            TaskEntry::DescriptorInfos | TaskEntry::DescriptorInfo(_) => {
                let other = other.ok_or(fail!(ESRCH, "proc_fdinfo_permission()", "the process has ended"))?;
                if !self.may_access(task, other) {
                    return Err(fail!(
                        EACCES,
                        "proc_fdinfo_permission()",
                        "the caller may not look into the process (ptrace(2), access mode PTRACE_MODE_READ_FSCREDS)"
                    ));
                }
                generic()
            }
            _ => generic(),
        }
    }

    /// The mode alone decides, as seen by root, root's group, and others (`test_perm()`).
    fn sysctl_permission(&self, task: Id<Task>, inode: Id<Inode>, access: u32) -> Result<(), Failure> {
        let credentials = &self.tasks[task].credentials;
        let mode = self.inodes[inode].mode;
        let mode = if credentials.effective_uid == 0 {
            mode >> 6
        } else if credentials.effective_gid == 0 || credentials.groups.contains(&0) {
            mode >> 3
        } else {
            mode
        };
        if access & 7 & !mode == 0 {
            return Ok(());
        }
        Err(fail!(
            EACCES,
            "test_perm()",
            "the mode of the setting does not permit this, as seen by root, its group and others"
        ))
    }
}
