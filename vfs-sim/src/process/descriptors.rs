//! Descriptors: found, given out, closed (`fs/file.c`).

use cofferdam::kernel::{Fd, OpenFlags};

use super::{FdTable, OpenFd, OpenFile, OpenFileKind, Task};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

const TOO_MANY: Failure = fail!(EMFILE, "alloc_fd()", "no file descriptor below RLIMIT_NOFILE is free");

impl Linux {
    /// The open file behind a descriptor, whatever its kind (`fdget_raw()`).
    pub(crate) fn file(&self, task: Id<Task>, fd: Fd) -> Result<Id<OpenFile>, Failure> {
        let table = &self.fd_tables[self.tasks[task].files];
        let descriptor = usize::try_from(fd.0).ok().and_then(|index| table.descriptors.get(index).copied().flatten());
        descriptor.map(|descriptor| descriptor.file).ok_or(fail!(
            EBADF,
            "fdget_raw()",
            "the file descriptor is not open"
        ))
    }

    /// The open file behind a descriptor that was not opened with `O_PATH` (`fdget()`).
    pub(crate) fn readable_file(&self, task: Id<Task>, fd: Fd) -> Result<Id<OpenFile>, Failure> {
        let file = self.file(task, fd)?;
        if matches!(self.files[file].kind, OpenFileKind::Path) {
            return Err(fail!(EBADF, "fdget()", "the file descriptor was opened with O_PATH"));
        }
        Ok(file)
    }

    /// Whether one more descriptor can be opened: `EMFILE` if not (`get_unused_fd_flags()`).
    pub(crate) fn has_free_descriptor(&self, task: Id<Task>) -> Result<(), Failure> {
        let FdTable { descriptors, next, .. } = &self.fd_tables[self.tasks[task].files];
        let limit = self.descriptor_limit(task);
        let is_full = descriptors.len() >= limit && descriptors.iter().take(limit).skip(*next).all(Option::is_some);
        if is_full { Err(TOO_MANY) } else { Ok(()) }
    }

    /// An open file with one reference, whose path and what is particular to its kind have theirs already
    /// (`alloc_file()`).
    pub(crate) fn new_file(&mut self, file: OpenFile) -> Id<OpenFile> {
        self.user_namespaces[file.credentials.user_namespace].references += 1;
        self.files.insert(OpenFile { references: 1, ..file })
    }

    /// Opens a descriptor for a file, the lowest that is free; the file is closed if there is none (`FD_ADD()`).
    ///
    /// The references that the file's path holds must have been taken before.
    pub(crate) fn install_file(&mut self, task: Id<Task>, file: OpenFile, flags: OpenFlags) -> Result<Fd, Failure> {
        let file = self.new_file(file);
        let close_on_exec = flags.contains(OpenFlags::O_CLOEXEC);
        let limit = self.descriptor_limit(task);
        let table = &mut self.fd_tables[self.tasks[task].files];
        match table.allocate(OpenFd { file, close_on_exec }, 0, limit) {
            Ok(fd) => Ok(fd),
            Err(failure) => {
                self.file_put(file);
                Err(failure)
            }
        }
    }

    /// Lets go of an open file, which is closed with its last user (`fput()`).
    pub(crate) fn file_put(&mut self, file: Id<OpenFile>) {
        let object = &mut self.files[file];
        object.references -= 1;
        if object.references > 0 {
            return;
        }
        let Some(object) = self.files.remove(file) else { return };
        match object.kind {
            OpenFileKind::Context(context) => self.context_put(context),
            OpenFileKind::Entry(entry) => self.release_entry(entry),
            OpenFileKind::MountTable(ref table) => self.release_mount_table(table),
            _ => {}
        }
        self.close_in_overlay(file, &object);
        let path = object.path;
        self.end_file(file, path);
        if object.can_write && self.counts_writers(path) {
            self.remove_writer(path.mount);
        }
        if object.unmounts {
            self.dissolve(path.mount);
        }
        self.path_put(path);
        self.user_namespace_put(object.credentials.user_namespace);
    }
}

impl FdTable {
    /// Enters an open file at the lowest descriptor that is free, from `from` on and below `limit` (`alloc_fd()`).
    ///
    /// # Errors
    ///
    /// `EMFILE` if none is free.
    pub(crate) fn allocate(&mut self, descriptor: OpenFd, from: usize, limit: usize) -> Result<Fd, Failure> {
        let start = from.max(self.next);
        let free = self.descriptors.iter().skip(start).position(Option::is_none);
        let index = free.map_or(self.descriptors.len().max(start), |free| free + start);
        if index >= limit {
            return Err(TOO_MANY);
        }
        let fd = self.set(index, descriptor)?;
        if from <= self.next {
            self.next = index + 1;
        }
        Ok(fd)
    }

    /// Enters an open file at a descriptor, in the place of whatever is there. Whether the process may have that one, see
    /// [`Linux::descriptor_limit`], must have been checked.
    pub(crate) fn set(&mut self, index: usize, descriptor: OpenFd) -> Result<Fd, Failure> {
        let fd = i32::try_from(index).map_err(|_| TOO_MANY)?;
        if self.descriptors.len() <= index {
            self.descriptors.resize(index + 1, None);
        }
        self.descriptors[index] = Some(descriptor);
        Ok(Fd(fd))
    }

    /// Takes the open file at a descriptor out of the table.
    pub(crate) fn take(&mut self, fd: Fd) -> Result<Id<OpenFile>, Failure> {
        const NOT_OPEN: Failure = fail!(EBADF, "file_close_fd()", "the file descriptor is not open");
        let index = usize::try_from(fd.0).map_err(|_| NOT_OPEN)?;
        let slot = self.descriptors.get_mut(index).and_then(Option::take);
        let descriptor = slot.ok_or(NOT_OPEN)?;
        self.next = self.next.min(index);
        Ok(descriptor.file)
    }
}
