//! Writing to files of proc: maps of ids, names of processes, settings.

use cofferdam::kernel::Bytes;

use super::open::OpenEntry;
use super::tables::What;
use super::{ProcEntry, TaskFile};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Entry;
use crate::linux::Linux;
use crate::namespace::UserNamespace;
use crate::process::{OpenFile, OpenFileKind, Task};

const NOT_WRITABLE: Failure = fail!(EINVAL, "vfs_write()", "the file can't be written");

/// The rules of who may write the maps of a user namespace, which the kernel has once for each map.
macro_rules! map_rules {
    ($function:literal) => {
        (
            fail!(EPERM, $function, "the maps of the initial user namespace can't be written"),
            fail!(
                EPERM,
                $function,
                "who opened the map was neither in the user namespace of the map nor in the parent of that"
            ),
        )
    };
}

/// The rules by which maps, and `setgroups`, are written at once.
macro_rules! whole_rules {
    ($function:literal) => {
        (
            fail!(EINVAL, $function, "the file is written at another place than its start"),
            fail!(EINVAL, $function, "more than 4095 bytes are written at once"),
        )
    };
}

impl Linux {
    /// Writes to an open file whose content is not that of a file; none for other files. Settings whose effect is not
    /// simulated are refused with `EINVAL`.
    pub(crate) fn write_entry(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        data: &[u8],
    ) -> Option<Result<usize, Failure>> {
        let object = &self.files[file];
        let inode = self.dentries[object.path.dentry].inode;
        if let (OpenFileKind::Entry(_), Some(limit)) = (&object.kind, self.user_limit(inode)) {
            return Some(limit.and_then(|limit| self.write_user_limit(task, file, limit, data)));
        }
        let result = match object.kind {
            OpenFileKind::Context(_) | OpenFileKind::MountTable(_) => Err(NOT_WRITABLE),
            OpenFileKind::Entry(OpenEntry::Map { file: kind, namespace }) => {
                self.write_map(task, file, kind, namespace, data)
            }
            OpenFileKind::Entry(_) if self.task_file(file) == Some(TaskFile::Comm) => self.write_comm(task, file, data),
            OpenFileKind::Entry(_) => {
                let node = self.generic_file(file).and_then(|(directory, place)| Self::generic_node(directory, place));
                match node.map(|node| node.what) {
                    // What does not begin at the start is ignored (kernel.sysctl_writes_strict).
                    Some(What::MountMax) if object.position > 0 || self.write_mount_max(data) => Ok(()),
                    Some(What::MountMax) => Err(fail!(
                        EINVAL,
                        "proc_dointvec_minmax()",
                        "what is written to mount-max is no number, or is less than 1"
                    )),
                    _ => Err(fail!(EINVAL, "vfs_write()", "what writing to this file of proc does is not simulated")),
                }
            }
            OpenFileKind::Plain if matches!(self.inodes[inode].entry, Entry::Namespace(_)) => Err(NOT_WRITABLE),
            _ => return None,
        };
        Some(result.map(|()| {
            self.files[file].position += u64::try_from(data.len()).unwrap_or(0);
            data.len()
        }))
    }

    /// `proc_uid_map_write()`, `proc_gid_map_write()`, `proc_setgroups_write()`
    fn write_map(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        kind: TaskFile,
        namespace: Id<UserNamespace>,
        data: &[u8],
    ) -> Result<(), Failure> {
        let object = &self.files[file];
        let opener = object.credentials.clone();
        let viewer = opener.user_namespace;
        let parent = self.user_namespaces[namespace].parent;
        if kind != TaskFile::SetGroups {
            let (initial, foreign) = match kind {
                TaskFile::UidMap => map_rules!("proc_uid_map_write()"),
                TaskFile::GidMap => map_rules!("proc_gid_map_write()"),
                _ => map_rules!("proc_projid_map_write()"),
            };
            if parent.is_none() {
                return Err(initial);
            }
            if viewer != namespace && Some(viewer) != parent {
                return Err(foreign);
            }
        }
        let (not_from_start, too_long) = match kind {
            TaskFile::SetGroups => whole_rules!("proc_setgroups_write()"),
            _ => whole_rules!("map_write()"),
        };
        if object.position != 0 {
            return Err(not_from_start);
        }
        if data.len() >= 4096 {
            return Err(too_long);
        }
        match kind {
            TaskFile::UidMap => self.write_uid_map(task, &opener, namespace, data).map(drop),
            TaskFile::GidMap => self.write_gid_map(task, &opener, namespace, data).map(drop),
            TaskFile::SetGroups => self.write_setgroups(namespace, data).map(drop),
            _ => Err(fail!(EINVAL, "proc_projid_map_write()", "maps of project ids are not simulated")),
        }
    }

    /// Gives the process that writes a new name; what does not fit is left out (`comm_write()`).
    fn write_comm(&mut self, task: Id<Task>, file: Id<OpenFile>, data: &[u8]) -> Result<(), Failure> {
        /// `TASK_COMM_LEN`, without the NUL.
        const LONGEST: usize = 15;
        let entry = self.proc_entry(self.dentries[self.files[file].path.dentry].inode);
        let Some(ProcEntry::Task { task: other, pid, .. }) = entry else { return Err(NOT_WRITABLE) };
        let other = self.proc_task(other, pid).ok_or(fail!(ESRCH, "comm_write()", "the process has ended"))?;
        if other != task {
            return Err(fail!(
                EINVAL,
                "comm_write()",
                "the process is another one, and only a process itself can change its name"
            ));
        }
        let name = data.get(..LONGEST).unwrap_or(data);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        self.tasks[task].memory.name = Bytes::from(name.get(..end).unwrap_or_default());
        Ok(())
    }
}
