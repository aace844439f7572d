//! What stat(2) tells of entries of proc, and what may be changed of them.

use super::access::HiddenFrom;
use super::{Directory, ProcEntry, TaskEntry};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Entry, Inode, InodeKind};
use crate::linux::Linux;
use crate::process::Task;

const IMMUTABLE: Failure =
    fail!(EPERM, "may_setattr()", "the file of a namespace, or the directory of a process, is immutable");

const SYSCTL_STAYS: Failure =
    fail!(EPERM, "proc_sys_setattr()", "the mode, owner and group of a setting of sysctl(5) can't be changed");

impl Linux {
    /// Brings an inode up to date before stat(2) tells of it; the result is its size where that is not the usual one
    /// (`pid_getattr()`, `proc_fd_getattr()`, `proc_root_getattr()`).
    pub(crate) fn entry_attributes(&mut self, task: Id<Task>, inode: Id<Inode>) -> Result<Option<u64>, Failure> {
        match self.proc_entry(inode) {
            Some(ProcEntry::Directory(Directory::Root)) => {
                let processes = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
                self.inodes[inode].links = Directory::Root.links().saturating_add(processes);
                Ok(None)
            }
            Some(ProcEntry::Task { task: other, pid, entry }) => {
                let other = self.proc_task(other, pid);
                self.task_attributes(task, inode, other, entry)
            }
            _ => Ok(None),
        }
    }

    fn task_attributes(
        &mut self,
        task: Id<Task>,
        inode: Id<Inode>,
        other: Option<Id<Task>>,
        entry: TaskEntry,
    ) -> Result<Option<u64>, Failure> {
        let has_own_rule =
            matches!(entry, TaskEntry::Process | TaskEntry::Thread | TaskEntry::Namespaces | TaskEntry::Attributes);
        match (entry, other) {
            (TaskEntry::Descriptor(_), _) => Ok(Some(64)),
            (TaskEntry::Descriptors, None) => Err(fail!(ENOENT, "proc_readfd_count()", "the process has ended")),
            (TaskEntry::Descriptors, Some(other)) => {
                let count = self.running_files(other).map_or(0, |files| files.descriptors.iter().flatten().count());
                Ok(Some(u64::try_from(count).unwrap_or(0)))
            }
            (_, Some(other)) if has_own_rule => {
                let superblock = self.inodes[inode].superblock;
                if self.hides(task, superblock, other, HiddenFrom::Listing) {
                    return Err(fail!(
                        ENOENT,
                        "pid_getattr()",
                        "hidepid of the proc makes processes of others invisible"
                    ));
                }
                let is_open_to_all = self.inodes[inode].is_directory() && self.inodes[inode].mode == 0o555;
                let (uid, gid) = self.dump_owner(other, is_open_to_all);
                let object = &mut self.inodes[inode];
                (object.uid, object.gid) = (uid, gid);
                Ok(None)
            }
            (_, None) if has_own_rule => {
                let object = &mut self.inodes[inode];
                (object.uid, object.gid) = (0, 0);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Whether nobody can change or remove an inode (`IS_IMMUTABLE()`): the file of a namespace, the directory of a process.
    pub(crate) fn is_immutable(&self, inode: Id<Inode>) -> bool {
        matches!(
            self.inodes[inode].entry,
            Entry::Namespace(_) | Entry::Proc(ProcEntry::Task { entry: TaskEntry::Process | TaskEntry::Thread, .. })
        )
    }

    /// Whether the mode, or the owner and group, of an inode can be changed at all, before it is asked who does: `EPERM` if
    /// not (`proc_setattr()`, `proc_nochmod_setattr()`, `proc_sys_setattr()`, immutable inodes). A change of nothing is
    /// refused by empty directories only (`empty_dir_setattr()`).
    pub(crate) fn may_change_entry(&self, inode: Id<Inode>, is_mode: bool, is_owner: bool) -> Result<(), Failure> {
        match self.inodes[inode].entry {
            Entry::None | Entry::Overlay(_) => Ok(()),
            Entry::EmptyDirectory => Err(fail!(
                EPERM,
                "empty_dir_setattr()",
                "the directory is always empty, a place for a mount, and nothing of it can be changed"
            )),
            _ if !is_mode && !is_owner => Ok(()),
            Entry::Namespace(_) => Err(IMMUTABLE),
            Entry::Proc(_) if self.is_immutable(inode) => Err(IMMUTABLE),
            Entry::Proc(entry) => match entry {
                ProcEntry::Directory(directory) | ProcEntry::File(directory, _) if directory.is_sysctl() => {
                    Err(SYSCTL_STAYS)
                }
                ProcEntry::UserLimit { .. } => Err(SYSCTL_STAYS),
                ProcEntry::Task { .. } if is_mode => {
                    Err(fail!(EPERM, "proc_setattr()", "the mode of an entry of a process can't be changed"))
                }
                _ => Ok(()),
            },
        }
    }

    /// Whether a dentry is one of sysctl(5), below its root, whose names are compared in a way of their own.
    pub(crate) fn is_sysctl(&self, dentry: Id<Dentry>) -> bool {
        match self.proc_entry(self.dentries[dentry].inode) {
            Some(ProcEntry::Directory(directory) | ProcEntry::File(directory, _)) => {
                directory.is_sysctl() && directory != Directory::Sys
            }
            _ => false,
        }
    }

    /// Whether an inode is a link whose target is told, or walked to, in a way of its own.
    pub(super) fn is_entry_link(&self, inode: Id<Inode>) -> bool {
        matches!(self.inodes[inode].kind, InodeKind::Symlink(_)) && self.proc_entry(inode).is_some()
    }
}
