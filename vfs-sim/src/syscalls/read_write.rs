//! The content of files.

use std::sync::Arc;

use cofferdam::kernel::{Bytes, DeviceNumber, Fd, OpenFlags, RlimitResource, Signal, Whence};

use super::attributes::UNMAPPED_OWNER;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Entry, FilesystemType, FsContext, Inode, InodeKind, SeekRule};
use crate::linux::Linux;
use crate::process::{OpenFile, OpenFileKind, Task};

/// How much one call reads at most, as a call may.
const LARGEST_READ: usize = 1 << 20;

/// How large a file can become (`MAX_LFS_FILESIZE`).
const LARGEST_FILE: u64 = i64::MAX as u64;

/// The bytes that random and urandom give, over and over: as good as any others.
const RANDOM: &[u8] = b"\x9e\x37\x79\xb9\x7f\x4a\x7c\x15";

/// What has no operation to read it is not read.
const CANT_BE_READ: Failure = fail!(EINVAL, "vfs_read()", "the file is of a kind that can't be read");

/// The same for writing.
const CANT_BE_WRITTEN: Failure = fail!(EINVAL, "vfs_write()", "the file is of a kind that can't be written");

/// What is no file with a position has none that could be set.
const NO_POSITION: Failure = fail!(ESPIPE, "vfs_llseek()", "the file is of a kind that has no position");

/// What an open file is when it is read or written (`struct file_operations`).
#[derive(Clone, Debug)]
enum Kind {
    /// A regular file.
    Regular(Id<Inode>),
    /// A text that was written when the file was opened.
    Text(Arc<Vec<u8>>),
    /// A pipe or fifo.
    Pipe,
    Null,
    Zero,
    Full,
    Random,
    /// A directory.
    Directory,
    /// A context of fsopen(2).
    Context(Id<FsContext>),
    /// What can't be read or written.
    Other,
}

impl Linux {
    fn content(&self, file: Id<OpenFile>) -> Kind {
        let object = &self.files[file];
        match &object.kind {
            OpenFileKind::Text(text) => return Kind::Text(text.clone()),
            OpenFileKind::Context(context) => return Kind::Context(*context),
            OpenFileKind::Path | OpenFileKind::Entry(_) | OpenFileKind::MountTable(_) => return Kind::Other,
            OpenFileKind::Plain | OpenFileKind::Overlay(_) => {}
        }
        let inode = self.dentries[object.path.dentry].inode;
        match self.inodes[inode].kind {
            InodeKind::Regular(_) if matches!(self.inodes[inode].entry, Entry::Namespace(_)) => Kind::Other,
            InodeKind::Regular(_) => Kind::Regular(self.content_inode(inode)),
            InodeKind::Directory => Kind::Directory,
            InodeKind::Fifo => Kind::Pipe,
            InodeKind::CharacterDevice(DeviceNumber { major: 1, minor }) => match minor {
                3 => Kind::Null,
                5 => Kind::Zero,
                7 => Kind::Full,
                8 | 9 => Kind::Random,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    /// read(2)
    pub(crate) fn read(&mut self, task: Id<Task>, fd: Fd, count: usize) -> Result<Bytes, Failure> {
        let file = self.readable_file(task, fd)?;
        if !self.files[file].can_read {
            return Err(fail!(EBADF, "vfs_read()", "the descriptor is not open for reading"));
        }
        let count = count.min(LARGEST_READ);
        let position = self.files[file].position;
        if matches!(self.files[file].kind, OpenFileKind::Entry(_) | OpenFileKind::MountTable(_)) {
            check_area(position, count)?;
        }
        if let Some(result) = self.read_entry(task, file, count) {
            return result;
        }
        let bytes = match self.content(file) {
            Kind::Regular(inode) => {
                check_area(position, count)?;
                let InodeKind::Regular(content) = &self.inodes[inode].kind else { return Err(CANT_BE_READ) };
                content.read(position, count)
            }
            Kind::Text(text) => {
                check_area(position, count)?;
                part_of(&text, position, count)
            }
            Kind::Pipe => self.read_pipe(file, count)?,
            Kind::Null => Vec::new(),
            Kind::Zero | Kind::Full => vec![0; count],
            Kind::Random => RANDOM.iter().copied().cycle().take(count).collect(),
            Kind::Directory => {
                check_area(position, count)?;
                return Err(fail!(EISDIR, "generic_read_dir()", "a directory is read with getdents64(2)"));
            }
            Kind::Context(context) => {
                let is_gone = fail!(ENODATA, "fscontext_read()", "the filesystem context has no message");
                let context = self.contexts.get_mut(context).ok_or(is_gone)?;
                return context.read_message(count);
            }
            Kind::Other => return Err(CANT_BE_READ),
        };
        if self.has_position(file) {
            self.files[file].position += bytes.len() as u64;
        }
        Ok(Bytes(bytes))
    }

    /// write(2)
    pub(crate) fn write(&mut self, task: Id<Task>, fd: Fd, data: &[u8]) -> Result<usize, Failure> {
        let file = self.readable_file(task, fd)?;
        if !self.files[file].can_write {
            return Err(fail!(EBADF, "vfs_write()", "the descriptor is not open for writing"));
        }
        if let Some(result) = self.write_entry(task, file, data) {
            return result;
        }
        match self.content(file) {
            Kind::Regular(inode) => self.write_regular(task, file, inode, data),
            Kind::Pipe => self.write_pipe(task, file, data),
            Kind::Null | Kind::Zero | Kind::Random => Ok(data.len()),
            Kind::Full => Err(fail!(ENOSPC, "write_full()", "the device is full, as it always is")),
            Kind::Text(_) | Kind::Directory | Kind::Context(_) | Kind::Other => Err(CANT_BE_WRITTEN),
        }
    }

    /// Writes to a regular file, which loses its set-id bits (`shmem_file_write_iter()`).
    fn write_regular(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        inode: Id<Inode>,
        data: &[u8],
    ) -> Result<usize, Failure> {
        check_area(self.files[file].position, data.len())?;
        if data.is_empty() {
            return Ok(0);
        }
        let appends = self.files[file].flags.contains(OpenFlags::O_APPEND);
        let InodeKind::Regular(content) = &self.inodes[inode].kind else { return Err(CANT_BE_WRITTEN) };
        let start = if appends { content.len() } else { self.files[file].position };
        let room = self.room_for_writing(task, start)?;
        let data = data.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(data);
        let path = self.files[file].path;
        if self.is_overlay(path.dentry) {
            self.lose_privileges_in_overlay(task, path)?;
        } else {
            let lost = self.privileges_lost_by_writing(task, path.mount, inode);
            self.inodes[inode].mode &= !lost;
        }
        let room = self.free_pages(self.inodes[inode].superblock);
        let length = self.change_content(inode, |kind| match kind {
            InodeKind::Regular(content) => Arc::make_mut(content).write(start, data, room),
            _ => 0,
        });
        if length == 0 {
            return Err(fail!(ENOSPC, "shmem_inode_acct_blocks()", "the filesystem has no room for another page"));
        }
        self.files[file].position = start + length as u64;
        Ok(length)
    }

    /// How much can be written from a position on (`generic_write_check_limits()`).
    ///
    /// # Errors
    ///
    /// `EFBIG` if it is nothing, with `SIGXFSZ` if it is the process's own limit.
    fn room_for_writing(&mut self, task: Id<Task>, start: u64) -> Result<u64, Failure> {
        let own = self.file_size_limit(task);
        if own.is_some_and(|own| start >= own) {
            self.signal_itself(task, Signal::XFSZ);
            return Err(fail!(
                EFBIG,
                "generic_write_check_limits()",
                "writing would begin at the process's RLIMIT_FSIZE, or beyond it"
            ));
        }
        let is_at_end = fail!(
            EFBIG,
            "generic_write_check_limits()",
            "writing would begin where the largest file that can be has its end"
        );
        let limit = own.unwrap_or(LARGEST_FILE).min(LARGEST_FILE);
        limit.checked_sub(start).filter(|room| *room > 0).ok_or(is_at_end)
    }

    /// Whether a file may get longer than it is (`inode_newsize_ok()`): `EFBIG` and `SIGXFSZ` if not.
    pub(crate) fn may_become(&mut self, task: Id<Task>, inode: Id<Inode>, length: u64) -> Result<(), Failure> {
        let InodeKind::Regular(content) = &self.inodes[inode].kind else { return Ok(()) };
        let is_too_long = length > content.len() && self.file_size_limit(task).is_some_and(|limit| length > limit);
        if is_too_long {
            self.signal_itself(task, Signal::XFSZ);
            return Err(fail!(EFBIG, "inode_newsize_ok()", "the file would be longer than the process's RLIMIT_FSIZE"));
        }
        Ok(())
    }

    fn file_size_limit(&self, task: Id<Task>) -> Option<u64> {
        self.tasks[task].limits.soft(RlimitResource::RLIMIT_FSIZE)
    }

    /// ftruncate(2)
    pub(crate) fn ftruncate(&mut self, task: Id<Task>, fd: Fd, length: u64) -> Result<(), Failure> {
        if i64::try_from(length).is_err() {
            return Err(fail!(EINVAL, "do_sys_ftruncate()", "the length is negative"));
        }
        let file = self.readable_file(task, fd)?;
        let object = &self.files[file];
        let path = object.path;
        let inode = self.dentries[path.dentry].inode;
        if !matches!(self.inodes[inode].kind, InodeKind::Regular(_)) {
            return Err(fail!(EINVAL, "do_ftruncate()", "only a regular file has a length that can be set"));
        }
        if !object.can_write {
            return Err(fail!(EINVAL, "do_ftruncate()", "the descriptor is not open for writing"));
        }
        if self.has_unmapped_owner(path.mount, inode) {
            return Err(UNMAPPED_OWNER);
        }
        self.may_become(task, inode, length)?;
        // What the kernel writes itself when it is read has no length.
        let superblock = self.inodes[inode].superblock;
        if self.superblocks[superblock].filesystem == FilesystemType::Proc {
            return Ok(());
        }
        let lost = self.privileges_lost_by_writing(task, path.mount, inode);
        if self.is_overlay(path.dentry) {
            return self.set_length_in_overlay(task, path.dentry, length, lost);
        }
        self.inodes[inode].mode &= !lost;
        self.change_content(inode, |kind| {
            if let InodeKind::Regular(content) = kind
                && content.len() != length
            {
                Arc::make_mut(content).set_len(length);
            }
        });
        Ok(())
    }

    /// fsync(2)
    pub(crate) fn fsync(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Failure> {
        let file = self.readable_file(task, fd)?;
        let object = &self.files[file];
        let inode = self.dentries[object.path.dentry].inode;
        let superblock = self.inodes[inode].superblock;
        let can_be_synced = match (&self.inodes[inode].kind, &self.superblocks[superblock].filesystem) {
            (_, FilesystemType::Proc | FilesystemType::Nsfs | FilesystemType::AnonInodeFs)
            | (InodeKind::Directory, FilesystemType::Sysfs) => false,
            (kind, _) => matches!(kind, InodeKind::Regular(_) | InodeKind::Directory),
        };
        let has_no_operation = fail!(EINVAL, "vfs_fsync_range()", "the file is of a kind that can't be synchronized");
        if can_be_synced { Ok(()) } else { Err(has_no_operation) }
    }

    /// Whether reading moves on in an open file: devices and pipes have no position.
    fn has_position(&self, file: Id<OpenFile>) -> bool {
        matches!(self.content(file), Kind::Regular(_) | Kind::Text(_))
    }

    /// lseek(2)
    pub(crate) fn lseek(&mut self, task: Id<Task>, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Failure> {
        let file = self.readable_file(task, fd)?;
        match self.entry_seek_rule(file) {
            Some(SeekRule::Sequence) => {
                let position = self.seek(file, offset, whence, None)?;
                self.seek_mount_table(file, position);
                return Ok(position);
            }
            Some(SeekRule::Plain) => return self.seek(file, offset, whence, Some(0)),
            Some(SeekRule::Stream) => return Err(NO_POSITION),
            None => {}
        }
        match self.content(file) {
            Kind::Regular(inode) => {
                let end = match &self.inodes[inode].kind {
                    InodeKind::Regular(_) => self.size(self.files[file].path.dentry),
                    _ => 0,
                };
                self.seek(file, offset, whence, Some(end))
            }
            Kind::Text(_) => self.seek(file, offset, whence, None),
            Kind::Directory => self.seek_directory(file, offset, whence),
            Kind::Null | Kind::Zero | Kind::Full | Kind::Random => Ok(0),
            Kind::Pipe | Kind::Context(_) | Kind::Other => Err(NO_POSITION),
        }
    }

    /// Moves the position, which stays in the range of a signed number (`vfs_setpos()`); without an end it is that of a
    /// text which is written as it is read (`seq_lseek()`).
    pub(super) fn seek(
        &mut self,
        file: Id<OpenFile>,
        offset: i64,
        whence: Whence,
        end: Option<u64>,
    ) -> Result<u64, Failure> {
        let otherwise = match (end, whence) {
            (None, Whence::End) => {
                fail!(EINVAL, "seq_lseek()", "the file has no end to seek from: it is written as it is read")
            }
            (None, _) => fail!(EINVAL, "seq_lseek()", "the new position is negative, or too large"),
            (Some(_), _) => fail!(EINVAL, "vfs_setpos()", "the new position is negative, or too large"),
        };
        let position = sought(self.files[file].position, offset, whence, end).ok_or(otherwise)?;
        self.files[file].position = position;
        Ok(position)
    }
}

/// The position that a call asks for; none if there is no such position.
pub(super) fn sought(position: u64, offset: i64, whence: Whence, end: Option<u64>) -> Option<u64> {
    let base = match whence {
        Whence::Start => 0,
        Whence::Current => position,
        Whence::End => end?,
    };
    let sought = base.checked_add_signed(offset)?;
    i64::try_from(sought).ok().map(|_| sought)
}

/// The end of what is to be read or written must be a position too.
fn check_area(position: u64, count: usize) -> Result<(), Failure> {
    let end = position.checked_add(count as u64).and_then(|end| i64::try_from(end).ok());
    let overflows =
        fail!(EINVAL, "rw_verify_area()", "it would reach beyond the largest position that a file can have");
    end.map(|_| ()).ok_or(overflows)
}

fn part_of(content: &[u8], position: u64, count: usize) -> Vec<u8> {
    let start = usize::try_from(position).unwrap_or(usize::MAX).min(content.len());
    let end = start.saturating_add(count).min(content.len());
    content.get(start..end).unwrap_or_default().to_vec()
}
