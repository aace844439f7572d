//! What processes can share: descriptors, and root and working directory (`fs/file.c`, `fs/fs_struct.c`).

use cofferdam::kernel::Fd;

use super::{FdTable, FsState};
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// A copy of a table of descriptors (`dup_fd()`).
    pub(crate) fn copy_descriptors(&mut self, table: Id<FdTable>) -> Id<FdTable> {
        let copy = FdTable { references: 1, ..self.fd_tables[table].clone() };
        for descriptor in copy.descriptors.iter().flatten() {
            self.files[descriptor.file].references += 1;
        }
        self.fd_tables.insert(copy)
    }

    /// Lets go of a table of descriptors; with its last user they are closed (`put_files_struct()`).
    pub(crate) fn descriptors_put(&mut self, table: Id<FdTable>) {
        let object = &mut self.fd_tables[table];
        object.references -= 1;
        if object.references > 0 {
            return;
        }
        let Some(object) = self.fd_tables.remove(table) else { return };
        for descriptor in object.descriptors.into_iter().flatten() {
            self.file_put(descriptor.file);
        }
    }

    /// Closes what execve(2) closes (`do_close_on_exec()`).
    pub(crate) fn close_on_exec(&mut self, table: Id<FdTable>) {
        for index in 0..self.fd_tables[table].descriptors.len() {
            let object = &mut self.fd_tables[table];
            if !object.descriptors[index].is_some_and(|descriptor| descriptor.close_on_exec) {
                continue;
            }
            let Ok(fd) = i32::try_from(index) else { return };
            if let Ok(file) = object.take(Fd(fd)) {
                self.file_put(file);
            }
        }
    }

    /// A copy of root, working directory and umask (`copy_fs_struct()`).
    pub(crate) fn copy_fs_state(&mut self, fs: Id<FsState>) -> Id<FsState> {
        let copy = FsState { references: 1, ..self.fs_states[fs] };
        self.path_get(copy.root);
        self.path_get(copy.cwd);
        self.fs_states.insert(copy)
    }

    /// Lets go of root and working directory (`exit_fs()`).
    pub(crate) fn fs_state_put(&mut self, fs: Id<FsState>) {
        let object = &mut self.fs_states[fs];
        object.references -= 1;
        if object.references > 0 {
            return;
        }
        let Some(FsState { root, cwd, .. }) = self.fs_states.remove(fs) else { return };
        self.path_put(root);
        self.path_put(cwd);
    }
}
