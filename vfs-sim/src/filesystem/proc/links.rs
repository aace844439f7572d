//! Links in proc that lead to places, not along texts (`proc_pid_get_link()`, `proc_ns_get_link()`).

use super::{ProcEntry, TaskEntry};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FilesystemType, Inode};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::{Task, TaskState};

/// How long a path may be that a link shows (`PATH_MAX`, without the NUL).
const MAX_PATH: usize = 4095;

impl Linux {
    /// Where a magic link leads; none for other links.
    pub(crate) fn magic_link_target(&mut self, task: Id<Task>, inode: Id<Inode>) -> Option<Result<Path, Failure>> {
        let ProcEntry::Task { task: other, pid, entry } = self.proc_entry(inode)? else { return None };
        entry.is_link().then(|| {
            let other = self.may_follow(task, other, pid, entry)?;
            match entry {
                TaskEntry::Namespace(kind) => {
                    let namespace = self.namespace_of(other, kind).ok_or(fail!(
                        ENOENT,
                        "ns_get_path_cb()",
                        "the process has ended, and has no such namespace any more"
                    ))?;
                    Ok(self.namespace_path(namespace))
                }
                entry => self.place_of_link(other, entry),
            }
        })
    }

    /// The process that a link is about, if one may follow it (`proc_fd_access_allowed()`, `proc_ns_get_link()`).
    fn may_follow(&self, task: Id<Task>, other: Id<Task>, pid: i32, entry: TaskEntry) -> Result<Id<Task>, Failure> {
        let is_namespace = matches!(entry, TaskEntry::Namespace(_));
        let ended = if is_namespace {
            fail!(EACCES, "proc_ns_get_link()", "the process has ended")
        } else {
            fail!(EACCES, "proc_fd_access_allowed()", "the process has ended")
        };
        let other = self.proc_task(other, pid).ok_or(ended)?;
        if self.may_access(task, other) {
            return Ok(other);
        }
        Err(if is_namespace {
            fail!(
                EACCES,
                "proc_ns_get_link()",
                "the caller may not look into the process (ptrace(2), access mode PTRACE_MODE_READ_FSCREDS)"
            )
        } else {
            fail!(
                EACCES,
                "proc_fd_access_allowed()",
                "the caller may not look into the process (ptrace(2), access mode PTRACE_MODE_READ_FSCREDS)"
            )
        })
    }

    fn place_of_link(&self, other: Id<Task>, entry: TaskEntry) -> Result<Path, Failure> {
        let object = &self.tasks[other];
        let is_running = matches!(object.state, TaskState::Running);
        match entry {
            TaskEntry::Cwd if is_running => Ok(self.fs_states[object.fs].cwd),
            TaskEntry::Root if is_running => Ok(self.fs_states[object.fs].root),
            TaskEntry::Descriptor(fd) => {
                let closed = fail!(ENOENT, "proc_fd_link()", "the process has the file descriptor open no more");
                let descriptor = self.descriptor_of(other, fd).ok_or(closed)?;
                Ok(self.files[descriptor.file].path)
            }
            TaskEntry::Exe if is_running => {
                let none = fail!(ENOENT, "proc_exe_link()", "the process runs no program that is a file");
                object.memory.executable.ok_or(none)
            }
            TaskEntry::Cwd => {
                Err(fail!(ENOENT, "proc_cwd_link()", "the process has ended, and has no directory any more"))
            }
            TaskEntry::Root => Err(fail!(ENOENT, "get_task_root()", "the process has ended, and has no root any more")),
            TaskEntry::Exe => {
                Err(fail!(ENOENT, "proc_exe_link()", "the process has ended, and runs no program any more"))
            }
            _ => Err(fail!(ENOENT, "proc_pid_get_link()", "the entry is no link")),
        }
    }

    /// The text of a link of proc, as readlink(2) tells it and, where it is no magic link, as it is walked; none for other
    /// links.
    pub(crate) fn entry_link_text(&mut self, task: Id<Task>, inode: Id<Inode>) -> Option<Result<Vec<u8>, Failure>> {
        if !self.is_entry_link(inode) {
            return None;
        }
        let pid = self.pid_on(self.inodes[inode].superblock, task);
        match self.proc_entry(inode)? {
            ProcEntry::SelfLink if pid == 0 => Some(Err(fail!(
                ENOENT,
                "proc_self_get_link()",
                "the process is not in the PID namespace of the proc, nor in one below it"
            ))),
            ProcEntry::ThreadSelfLink if pid == 0 => Some(Err(fail!(
                ENOENT,
                "proc_thread_self_get_link()",
                "the process is not in the PID namespace of the proc, nor in one below it"
            ))),
            ProcEntry::SelfLink => Some(Ok(pid.to_string().into_bytes())),
            ProcEntry::ThreadSelfLink => Some(Ok(format!("{pid}/task/{pid}").into_bytes())),
            ProcEntry::Task { task: other, pid, entry } => Some(self.magic_link_text(task, other, pid, entry)),
            _ => None,
        }
    }

    fn magic_link_text(&self, task: Id<Task>, other: Id<Task>, pid: i32, entry: TaskEntry) -> Result<Vec<u8>, Failure> {
        let other = self.may_follow(task, other, pid, entry)?;
        if let TaskEntry::Namespace(kind) = entry {
            let namespace = self.namespace_of(other, kind).ok_or(fail!(
                ENOENT,
                "ns_get_name()",
                "the process has ended, and has no such namespace any more"
            ))?;
            return Ok(self.namespace_name(namespace).into_bytes());
        }
        let place = self.place_of_link(other, entry)?;
        let text = self.shown_path(task, place);
        if text.len() > MAX_PATH {
            return Err(fail!(ENAMETOOLONG, "d_path()", "the path that the link shows is longer than 4095 bytes"));
        }
        Ok(text)
    }

    /// The path of a place for a process (`d_path()`): names from its root, or what a file without a path says instead.
    /// Bound somewhere, as files of namespaces can be, such a file has a path.
    pub(crate) fn shown_path(&self, task: Id<Task>, place: Path) -> Vec<u8> {
        let dentry = &self.dentries[place.dentry];
        if self.superblocks[dentry.superblock].filesystem == FilesystemType::Pipefs {
            return format!("pipe:[{}]", self.inodes[dentry.inode].number).into_bytes();
        }
        let is_bound = self.mounts[place.mount].root == place.dentry;
        if dentry.parent == place.dentry && !is_bound && dentry.name.as_bytes() != b"/" {
            return dentry.name.as_bytes().to_vec();
        }
        let root = self.fs_states[self.tasks[task].fs].root;
        let text = self.path_text(place, root);
        let mut bytes = text.bytes;
        if text.is_deleted {
            bytes.extend_from_slice(b" (deleted)");
        }
        bytes
    }
}
