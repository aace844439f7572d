//! Open files of proc: what they say, and where reading goes on (`fs/seq_file.c`).

use cofferdam::kernel::{Bytes, Capabilities};
use serde::{Deserialize, Serialize};

use super::tables::What;
use super::{Directory, OpenMountTable, ProcEntry, TaskEntry, TaskFile};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Entry;
use crate::linux::Linux;
use crate::mount::Path;
use crate::namespace::UserNamespace;
use crate::process::{OpenFile, OpenFileKind, Task, TaskState};
use crate::text::MountTable;

/// How much a list is read at once, in whole entries (`seq_has_overflowed()`).
const CHUNK: usize = 4095;

/// What an open file of proc is about: some hold what they were opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenEntry {
    /// A map of ids, or `setgroups`.
    Map {
        /// Which one.
        file: TaskFile,
        /// The user namespace of the process.
        namespace: Id<UserNamespace>,
    },
    /// What the inode stands for.
    Inode,
}

/// How lseek(2) works on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekRule {
    /// From the start and the current position, but not from the end: `EINVAL` (`seq_lseek()`).
    Sequence,
    /// As on a file of size 0.
    Plain,
    /// Not at all: `ESPIPE`.
    Stream,
}

const NOT_READABLE: Failure = fail!(EINVAL, "vfs_read()", "the file can't be read");

impl Linux {
    /// What opening an inode of the kernel's own filesystems gives, with its references taken; none for inodes that are
    /// opened as any other.
    pub(crate) fn open_entry(
        &mut self,
        task: Id<Task>,
        path: Path,
        for_writing: bool,
    ) -> Result<Option<OpenFileKind>, Failure> {
        let inode = self.dentries[path.dentry].inode;
        if self.inodes[inode].is_directory() {
            return Ok(None);
        }
        let entry = match self.proc_entry(inode) {
            None | Some(ProcEntry::Directory(_)) => return Ok(None),
            Some(ProcEntry::Task { task: other, pid, entry: TaskEntry::File(file) }) => {
                let other = self.proc_task(other, pid);
                if let Some(table) = file.mount_table() {
                    return self.open_mount_table(other, table).map(Some);
                }
                self.open_task_file(task, other, file, for_writing)?
            }
            Some(ProcEntry::UserLimit { .. }) => {
                self.user_limit(inode).transpose()?;
                OpenEntry::Inode
            }
            Some(_) => OpenEntry::Inode,
        };
        if let OpenEntry::Map { namespace, .. } = entry {
            self.user_namespaces[namespace].references += 1;
        }
        Ok(Some(OpenFileKind::Entry(entry)))
    }

    /// A table of mounts as a process sees it (`mounts_open_common()`).
    fn open_mount_table(&mut self, task: Option<Id<Task>>, table: MountTable) -> Result<OpenFileKind, Failure> {
        const ENDED: Failure =
            fail!(EINVAL, "mounts_open_common()", "the process has ended, and sees no mounts any more");
        let task = &self.tasks[task.ok_or(ENDED)?];
        if !matches!(task.state, TaskState::Running) {
            return Err(ENDED);
        }
        let (namespace, root) = (task.mount_namespace, self.fs_states[task.fs].root);
        self.mount_namespaces[namespace].references += 1;
        self.path_get(root);
        Ok(OpenFileKind::MountTable(OpenMountTable::new(table, namespace, root)))
    }

    /// Gives back what an open table of mounts held.
    pub(crate) fn release_mount_table(&mut self, table: &OpenMountTable) {
        self.path_put(table.root);
        self.mount_namespace_put(table.namespace);
    }

    fn open_task_file(
        &self,
        task: Id<Task>,
        other: Option<Id<Task>>,
        file: TaskFile,
        for_writing: bool,
    ) -> Result<OpenEntry, Failure> {
        match file {
            // `proc_id_map_open()`
            TaskFile::UidMap | TaskFile::GidMap | TaskFile::ProjidMap => {
                let other = &self.tasks[other.ok_or(fail!(EINVAL, "proc_id_map_open()", "the process has ended"))?];
                Ok(OpenEntry::Map { file, namespace: other.credentials.user_namespace })
            }
            // `proc_setgroups_open()`
            TaskFile::SetGroups => {
                let ended = fail!(ESRCH, "proc_setgroups_open()", "the process has ended");
                let namespace = self.tasks[other.ok_or(ended)?].credentials.user_namespace;
                if for_writing && !self.ns_capable(task, namespace, Capabilities::CAP_SYS_ADMIN) {
                    return Err(fail!(
                        EACCES,
                        "proc_setgroups_open()",
                        "the caller has no CAP_SYS_ADMIN in the user namespace whose setgroups is to be written"
                    ));
                }
                Ok(OpenEntry::Map { file, namespace })
            }
            // `proc_mem_open()`
            TaskFile::Environment => {
                const ENDED: Failure =
                    fail!(ESRCH, "proc_mem_open()", "the process has ended, and has no memory any more");
                let other = other.ok_or(ENDED)?;
                if !matches!(self.tasks[other].state, TaskState::Running) {
                    return Err(ENDED);
                }
                if self.may_access(task, other) {
                    return Ok(OpenEntry::Inode);
                }
                Err(fail!(
                    EACCES,
                    "mm_access()",
                    "the caller may not look into the process (ptrace(2), access mode PTRACE_MODE_READ_FSCREDS)"
                ))
            }
            _ => Ok(OpenEntry::Inode),
        }
    }

    /// Gives back what an open file of proc held.
    pub(crate) fn release_entry(&mut self, entry: OpenEntry) {
        match entry {
            OpenEntry::Map { namespace, .. } => self.user_namespace_put(namespace),
            OpenEntry::Inode => {}
        }
    }

    /// Reads from an open file whose content is not that of a file: one of proc, the file of a namespace, or a context;
    /// none for other files.
    pub(crate) fn read_entry(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        count: usize,
    ) -> Option<Result<Bytes, Failure>> {
        let object = &self.files[file];
        let inode = self.dentries[object.path.dentry].inode;
        match object.kind {
            OpenFileKind::Context(context) => Some(self.contexts[context].read_message(count)),
            OpenFileKind::Entry(entry) => Some(match self.user_limit(inode) {
                Some(limit) => limit.and_then(|limit| self.read_user_limit(task, file, limit, count)),
                None => self.read_proc(file, entry, count),
            }),
            OpenFileKind::MountTable(_) => self.read_mount_table(file, count).map(|bytes| {
                self.files[file].position += bytes.len() as u64;
                Ok(Bytes(bytes))
            }),
            OpenFileKind::Plain if matches!(self.inodes[inode].entry, Entry::Namespace(_)) => Some(Err(NOT_READABLE)),
            _ => None,
        }
    }

    fn read_proc(&mut self, file: Id<OpenFile>, entry: OpenEntry, count: usize) -> Result<Bytes, Failure> {
        let text = self.entry_text(file, entry)?;
        let position = usize::try_from(self.files[file].position).unwrap_or(usize::MAX);
        let part = match entry {
            OpenEntry::Map { file, .. } if file != TaskFile::SetGroups => read_lines(&text, position, count),
            _ if self.is_number(file) && position > 0 => &[],
            _ => slice(&text, position, count),
        };
        self.files[file].position += u64::try_from(part.len()).unwrap_or(0);
        Ok(part.into())
    }

    /// All that an open file of proc says.
    fn entry_text(&self, file: Id<OpenFile>, entry: OpenEntry) -> Result<Vec<u8>, Failure> {
        let object = &self.files[file];
        let viewer = object.credentials.user_namespace;
        match entry {
            OpenEntry::Map { file, namespace } => Ok(self.map_file_text(namespace, file, viewer)),
            OpenEntry::Inode => match self.proc_entry(self.dentries[object.path.dentry].inode) {
                Some(ProcEntry::File(directory, position)) => Ok(self.generic_text(directory, position)),
                Some(ProcEntry::Task { task, pid, entry }) => {
                    let task = self.proc_task(task, pid);
                    match entry {
                        TaskEntry::DescriptorInfo(fd) => task
                            .and_then(|task| self.descriptor_text(task, fd))
                            .ok_or(fail!(ENOENT, "seq_show()", "the process has the file descriptor open no more")),
                        TaskEntry::File(file) => {
                            let superblock = self.dentries[object.path.dentry].superblock;
                            let ended = fail!(ESRCH, "proc_single_show()", "the process has ended");
                            Ok(self.task_text(task.ok_or(ended)?, file, viewer, superblock))
                        }
                        _ => Err(NOT_READABLE),
                    }
                }
                _ => Err(NOT_READABLE),
            },
        }
    }

    /// The directory of the kernel's own that an open file is in, and its place there.
    pub(super) fn generic_file(&self, file: Id<OpenFile>) -> Option<(Directory, u16)> {
        match self.proc_entry(self.dentries[self.files[file].path.dentry].inode)? {
            ProcEntry::File(directory, position) => Some((directory, position)),
            _ => None,
        }
    }

    /// Whether an open file is a number of sysctl(5), which is read at once (`proc_dointvec()`).
    fn is_number(&self, file: Id<OpenFile>) -> bool {
        self.generic_file(file).is_some_and(|(directory, position)| {
            directory.is_sysctl()
                && match Self::generic_node(directory, position).map(|node| node.what) {
                    Some(What::Text(text)) => text.trim_end().bytes().all(|byte| byte.is_ascii_digit()),
                    Some(What::MountMax) => true,
                    _ => false,
                }
        })
    }

    /// The file of a process that an open file is.
    pub(super) fn task_file(&self, file: Id<OpenFile>) -> Option<TaskFile> {
        match self.proc_entry(self.dentries[self.files[file].path.dentry].inode)? {
            ProcEntry::Task { entry: TaskEntry::File(file), .. } => Some(file),
            _ => None,
        }
    }

    /// How lseek(2) works on an open file of the kernel's own filesystems; none for other files.
    pub(crate) fn entry_seek_rule(&self, file: Id<OpenFile>) -> Option<SeekRule> {
        let object = &self.files[file];
        let inode = self.dentries[object.path.dentry].inode;
        match object.kind {
            OpenFileKind::Context(_) => Some(SeekRule::Stream),
            OpenFileKind::MountTable(_) => Some(SeekRule::Sequence),
            OpenFileKind::Plain if matches!(self.inodes[inode].entry, Entry::Namespace(_)) => Some(SeekRule::Stream),
            OpenFileKind::Entry(_) => {
                let is_limit = matches!(self.proc_entry(inode), Some(ProcEntry::UserLimit { .. }));
                let is_sysctl = is_limit || self.generic_file(file).is_some_and(|(directory, _)| directory.is_sysctl());
                let is_memory = matches!(self.task_file(file), Some(TaskFile::CommandLine | TaskFile::Environment));
                Some(if is_sysctl || is_memory { SeekRule::Plain } else { SeekRule::Sequence })
            }
            _ => None,
        }
    }
}

fn slice(text: &[u8], position: usize, count: usize) -> &[u8] {
    let rest = text.get(position..).unwrap_or_default();
    rest.get(..count).unwrap_or(rest)
}

/// What one read of a list gives (`seq_read_iter()`): the rest of an entry that was read in part, then as many whole entries
/// as fit into the buffer, until there is enough.
fn read_lines(text: &[u8], position: usize, count: usize) -> &[u8] {
    let rest = text.get(position..).unwrap_or_default();
    let line_end = |from: usize| {
        let found = rest.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
        found.map_or(rest.len(), |length| from + length + 1)
    };
    let is_inside = position > 0 && text.get(position - 1) != Some(&b'\n');
    let start = if is_inside { line_end(0) } else { 0 };
    if start >= count {
        return rest.get(..count).unwrap_or(rest);
    }
    let mut end = line_end(start);
    while end < rest.len() && end < count {
        let next = line_end(end);
        if next - start > CHUNK {
            break;
        }
        end = next;
    }
    rest.get(..end.min(count)).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_whole_lines_that_fit_into_a_page() {
        let line = [b'x'; 99];
        let text: Vec<u8> = (0..100).flat_map(|_| line.iter().copied().chain([b'\n'])).collect();
        assert_eq!(read_lines(&text, 0, 100_000).len(), 4000);
        assert_eq!(read_lines(&text, 4000, 100_000).len(), 4000);
        assert_eq!(read_lines(&text, 8000, 100_000).len(), 2000);
        assert_eq!(read_lines(&text, 10_000, 100_000).len(), 0);
        assert_eq!(read_lines(&text, 0, 150).len(), 150);
        // The rest of a line does not count.
        assert_eq!(read_lines(&text, 150, 100_000).len(), 4050);
        assert_eq!(read_lines(&text, 150, 30).len(), 30);
        assert_eq!(read_lines(&text, 20_000, 30).len(), 0);
    }
}
