//! Directories of proc, listed.

use super::access::HiddenFrom;
use super::{ProcEntry, TaskEntry};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, SuperBlock};
use crate::linux::Linux;
use crate::process::Task;

/// Where the processes begin in a listing of the root (`TGID_OFFSET`): two before them are the links.
const FIRST_PROCESS: u64 = 258;

/// The entries of a directory, each with its position.
pub(crate) type Listed = Vec<(u64, Id<Dentry>)>;

/// What a directory of a process that has ended says to who lists it.
fn nothing_to_list(entry: TaskEntry) -> Failure {
    match entry {
        TaskEntry::Threads => fail!(ENOENT, "proc_task_readdir()", "the process has ended"),
        TaskEntry::Descriptors | TaskEntry::DescriptorInfos => {
            fail!(ENOENT, "proc_readfd_common()", "the process has ended")
        }
        _ => fail!(ENOENT, "proc_pident_readdir()", "the process has ended"),
    }
}

impl Linux {
    /// The entries of a directory of proc, each with its position, in the order in which they are listed; none for a
    /// directory of another filesystem.
    pub(crate) fn list_proc(&mut self, task: Id<Task>, directory: Id<Dentry>) -> Option<Result<Listed, Failure>> {
        let entry = self.proc_entry(self.dentries[directory].inode)?;
        let names = match entry {
            ProcEntry::Directory(generic) => self.generic_names(task, directory, generic),
            ProcEntry::Task { task, pid, entry } => match self.proc_task(task, pid) {
                Some(process) => self.names_of_task(self.dentries[directory].superblock, process, entry),
                None => return Some(Err(nothing_to_list(entry))),
            },
            _ => return None,
        };
        let found = names.into_iter().filter_map(|(position, name)| {
            self.find_proc_entry(task, directory, entry, name.as_bytes()).map(|dentry| (position, dentry))
        });
        Some(Ok(found.collect()))
    }

    fn generic_names(&self, task: Id<Task>, directory: Id<Dentry>, generic: super::Directory) -> Vec<(u64, String)> {
        let superblock = self.dentries[directory].superblock;
        let is_root = generic == super::Directory::Root;
        let mut names: Vec<(u64, String)> = Vec::new();
        if !(is_root && self.has_processes_only(superblock)) {
            names.extend((2..).zip(generic.nodes().iter().map(|node| node.name.to_owned())));
            names.retain(|(_, name)| !self.misses_in_proc(directory, name.as_bytes()));
            let first = 2 + generic.nodes().len() as u64;
            names.extend((first..FIRST_PROCESS - 2).zip(self.further_names_in_proc(directory)));
        }
        if is_root {
            names.push((FIRST_PROCESS - 2, "self".into()));
            names.push((FIRST_PROCESS - 1, "thread-self".into()));
            let namespace = self.superblocks[superblock].pid_namespace;
            let processes = namespace.into_iter().flat_map(|namespace| &self.pid_namespaces[namespace].tasks);
            let shown = processes.filter(|(_, process)| !self.hides(task, superblock, **process, HiddenFrom::Listing));
            names.extend(
                shown.map(|(pid, _)| *pid).map(|pid| (FIRST_PROCESS + u64::from(pid.unsigned_abs()), pid.to_string())),
            );
        }
        names
    }

    fn names_of_task(&self, superblock: Id<SuperBlock>, task: Id<Task>, entry: TaskEntry) -> Vec<(u64, String)> {
        match entry {
            TaskEntry::Threads => vec![(2, self.pid_on(superblock, task).to_string())],
            TaskEntry::Descriptors | TaskEntry::DescriptorInfos => {
                let Some(table) = self.running_files(task) else { return Vec::new() };
                let open = (0_u64..).zip(&table.descriptors).filter(|(_, descriptor)| descriptor.is_some());
                open.map(|(fd, _)| (fd + 2, fd.to_string())).collect()
            }
            fixed => (2..).zip(fixed.fixed_entries().into_iter().map(|entry| entry.0.to_owned())).collect(),
        }
    }
}
