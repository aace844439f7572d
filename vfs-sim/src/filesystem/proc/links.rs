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
            let other = self.may_follow(task, other, pid)?;
            match entry {
                TaskEntry::Namespace(kind) => {
                    let namespace = self.namespace_of(other, kind).ok_or(fail!(ENOENT))?;
                    Ok(self.namespace_path(namespace))
                }
                entry => self.place_of_link(other, entry),
            }
        })
    }

    /// The process that a link is about, if one may follow it (`proc_fd_access_allowed()`).
    fn may_follow(&self, task: Id<Task>, other: Id<Task>, pid: i32) -> Result<Id<Task>, Failure> {
        self.proc_task(other, pid).filter(|other| self.may_access(task, *other)).ok_or(fail!(EACCES))
    }

    fn place_of_link(&self, other: Id<Task>, entry: TaskEntry) -> Result<Path, Failure> {
        let object = &self.tasks[other];
        if !matches!(object.state, TaskState::Running) {
            return Err(fail!(ENOENT));
        }
        match entry {
            TaskEntry::Cwd => Ok(self.fs_states[object.fs].cwd),
            TaskEntry::Root => Ok(self.fs_states[object.fs].root),
            TaskEntry::Descriptor(fd) => {
                let descriptor = self.descriptor_of(other, fd).ok_or(fail!(ENOENT))?;
                Ok(self.files[descriptor.file].path)
            }
            TaskEntry::Exe => object.memory.executable.ok_or(fail!(ENOENT)),
            _ => Err(fail!(ENOENT)),
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
            ProcEntry::SelfLink | ProcEntry::ThreadSelfLink if pid == 0 => Some(Err(fail!(ENOENT))),
            ProcEntry::SelfLink => Some(Ok(pid.to_string().into_bytes())),
            ProcEntry::ThreadSelfLink => Some(Ok(format!("{pid}/task/{pid}").into_bytes())),
            ProcEntry::Task { task: other, pid, entry } => Some(self.magic_link_text(task, other, pid, entry)),
            _ => None,
        }
    }

    fn magic_link_text(&self, task: Id<Task>, other: Id<Task>, pid: i32, entry: TaskEntry) -> Result<Vec<u8>, Failure> {
        let other = self.may_follow(task, other, pid)?;
        if let TaskEntry::Namespace(kind) = entry {
            let namespace = self.namespace_of(other, kind).ok_or(fail!(ENOENT))?;
            return Ok(self.namespace_name(namespace).into_bytes());
        }
        let place = self.place_of_link(other, entry)?;
        let text = self.shown_path(task, place);
        if text.len() > MAX_PATH { Err(fail!(ENAMETOOLONG)) } else { Ok(text) }
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
