//! Pipes and fifos.

use cofferdam::kernel::{Fd, OpenFlags, Signal};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Inode, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::{OpenFile, OpenFileKind, Task, WOULD_WAIT};

impl Linux {
    /// pipe2(2)
    pub(crate) fn pipe2(&mut self, task: Id<Task>, flags: OpenFlags) -> Result<(Fd, Fd), Failure> {
        /// A pipe of notifications, which this kernel has not (`O_NOTIFICATION_PIPE`).
        const NOTIFICATIONS: OpenFlags = OpenFlags::O_EXCL;
        let known = OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT;
        if !(known | NOTIFICATIONS).contains(flags) {
            return Err(fail!(
                EINVAL,
                "__do_pipe_flags()",
                "a flag is not one that the call knows: O_CLOEXEC, O_NONBLOCK, O_DIRECT"
            ));
        }
        if flags.contains(NOTIFICATIONS) {
            return Err(fail!(ENOPKG, "watch_queue_init()", "the kernel has no notifications through pipes"));
        }
        let path = Path { mount: self.internal.pipefs, dentry: self.new_pipe(task) };
        let of_file = flags & (OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT);
        let read_end = self.pipe_end(task, path, of_file & OpenFlags::O_NONBLOCK);
        let write_end = self.pipe_end(task, path, of_file | OpenFlags::O_WRONLY);
        let read = match self.install_file(task, read_end, flags) {
            Ok(read) => read,
            Err(failure) => {
                self.path_put(path);
                return Err(failure);
            }
        };
        match self.install_file(task, write_end, flags) {
            Ok(write) => Ok((read, write)),
            Err(failure) => {
                self.close(task, read)?;
                Err(failure)
            }
        }
    }

    /// A pipe: an inode, and a dentry that is in no directory (`get_pipe_inode()`).
    fn new_pipe(&mut self, task: Id<Task>) -> Id<Dentry> {
        let credentials = &self.tasks[task].credentials;
        let owner = (credentials.filesystem_uid, credentials.filesystem_gid);
        let superblock = self.mounts[self.internal.pipefs].superblock;
        let inode = self.new_inode(superblock, InodeKind::Fifo, 0o600, owner);
        self.new_detached_dentry(inode, Name::from(""))
    }

    fn pipe_end(&mut self, task: Id<Task>, path: Path, flags: OpenFlags) -> OpenFile {
        let can_write = flags.contains(OpenFlags::O_WRONLY);
        let file = self.open_path(task, path, flags);
        OpenFile { can_read: !can_write, can_write, kind: OpenFileKind::Plain, ..file }
    }

    /// Whether a file is open that is an end of this pipe, of the kind asked for.
    fn has_end(&self, inode: Id<Inode>, is_end: fn(&OpenFile) -> bool) -> bool {
        self.files.iter().any(|(_, file)| is_end(file) && self.dentries[file.path.dentry].inode == inode)
    }

    /// Reads from a pipe (`anon_pipe_read()`).
    pub(super) fn read_pipe(&mut self, file: Id<OpenFile>, count: usize) -> Result<Vec<u8>, Failure> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let inode = self.dentries[self.files[file].path.dentry].inode;
        match self.pipes.get_mut(&inode) {
            Some(pipe) if !pipe.is_empty() => return Ok(pipe.read(count)),
            _ => {}
        }
        if !self.has_end(inode, |file| file.can_write) {
            return Ok(Vec::new());
        }
        let is_empty = fail!(EAGAIN, "anon_pipe_read()", "there is nothing in the pipe, and O_NONBLOCK is set");
        Err(self.would_wait(file, is_empty))
    }

    /// Writes to a pipe as much as there is room for (`anon_pipe_write()`). Where nobody reads,
    /// `SIGPIPE` comes too.
    pub(super) fn write_pipe(&mut self, task: Id<Task>, file: Id<OpenFile>, data: &[u8]) -> Result<usize, Failure> {
        if data.is_empty() {
            return Ok(0);
        }
        let object = &self.files[file];
        let is_packet = object.flags.contains(OpenFlags::O_DIRECT);
        let inode = self.dentries[object.path.dentry].inode;
        if !self.has_end(inode, |file| file.can_read) {
            self.signal_itself(task, Signal::PIPE);
            return Err(fail!(EPIPE, "anon_pipe_write()", "nobody has the pipe open for reading"));
        }
        let written = self.pipes.entry(inode).or_default().write(data, is_packet);
        let is_full = fail!(EAGAIN, "anon_pipe_write()", "there is no room in the pipe, and O_NONBLOCK is set");
        if written == 0 { Err(self.would_wait(file, is_full)) } else { Ok(written) }
    }

    fn would_wait(&self, file: Id<OpenFile>, otherwise: Failure) -> Failure {
        if self.files[file].flags.contains(OpenFlags::O_NONBLOCK) { otherwise } else { WOULD_WAIT }
    }

    /// What an open file leaves behind when it is closed: its locks and its place in a directory go, and what is in a pipe
    /// goes with the last of its ends (`locks_remove_file()`, `pipe_release()`).
    pub(crate) fn end_file(&mut self, file: Id<OpenFile>, path: Path) {
        let inode = self.dentries[path.dentry].inode;
        if !self.inodes[inode].locks.is_empty() {
            self.inodes[inode].locks.retain(|lock| lock.file != file);
        }
        if self.dentries[path.dentry].cursors.contains_key(&file) {
            self.dentries[path.dentry].cursors.remove(&file);
        }
        if self.pipes.contains_key(&inode) && !self.has_end(inode, |file| file.can_read || file.can_write) {
            self.pipes.remove(&inode);
        }
    }
}
