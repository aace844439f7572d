//! Reading directories (`fs/readdir.c`, `fs/libfs.c`).
//!
//! All filesystems give `.` and `..` first, and then the entry that came last, and so on. What the position of a reader means
//! between two calls differs: in a tmpfs it says which entry is next, in others it is a count, and a cursor among the entries
//! says where the reader is.

use std::ops::Bound;

use cofferdam::kernel::{Bytes, DirectoryEntry, Fd, FileType, Whence};

use super::read_write::sought;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, Inode, ReadFrom};
use crate::linux::Linux;
use crate::process::{OpenFile, Task};

/// How many bytes of entries one call gives.
const BUFFER: usize = 32 << 10;

/// The position behind `.` and `..` (`DIR_OFFSET_FIRST`).
const FIRST: u64 = 2;

/// The position at the end of a directory in a tmpfs (`DIR_OFFSET_EOD`).
const END: u64 = 0x7FFF_FFFF;

/// The position at the end of a proc's root, behind all processes that could come (`proc_pid_readdir()`).
const END_OF_PROCESSES: u64 = 4_194_304 + 258;

/// Entries that are collected as long as there is room for them.
struct Batch {
    entries: Vec<DirectoryEntry>,
    room: usize,
}

impl Batch {
    /// Adds an entry, if there is room: a record has 19 bytes besides the name and its NUL, and is a multiple of 8
    /// (`filldir64()`).
    fn add(&mut self, name: &[u8], inode: &Inode) -> bool {
        self.add_with(name, inode.number, inode.file_type())
    }

    fn add_with(&mut self, name: &[u8], inode: u64, file_type: FileType) -> bool {
        let length = (19 + name.len() + 1).next_multiple_of(8);
        let Some(room) = self.room.checked_sub(length) else { return false };
        self.room = room;
        self.entries.push(DirectoryEntry { inode, file_type: Some(file_type), name: Bytes::from(name) });
        true
    }
}

/// The last position in a filesystem that does not say that it can do more (`MAX_NON_LFS`).
const LAST_OF_SMALL: u64 = (1 << 31) - 1;

impl Linux {
    /// getdents64(2)
    pub(crate) fn getdents64(&mut self, task: Id<Task>, fd: Fd) -> Result<Vec<DirectoryEntry>, Failure> {
        let file = self.readable_file(task, fd)?;
        let directory = self.files[file].path.dentry;
        if !self.is_directory(directory) {
            return Err(fail!(ENOTDIR, "iterate_dir()", "the descriptor is not one of a directory"));
        }
        if self.is_dead(directory) {
            return Err(fail!(ENOENT, "iterate_dir()", "the directory was removed"));
        }
        self.ask_for_listing(directory);
        let mut batch = Batch { entries: Vec::new(), room: BUFFER };
        let directory = match self.start_reading(task, file).transpose()? {
            Some(ReadFrom::List) => {
                self.read_merged(task, file, &mut batch)?;
                return Ok(batch.entries);
            }
            Some(ReadFrom::Layer(real)) => real,
            None => directory,
        };
        let listed = match self.list_proc(task, directory) {
            Some(entries) => Some(entries?),
            None => self.list_sysfs(directory),
        };
        if self.add_dots(file, directory, &mut batch) {
            if let Some(entries) = listed {
                self.read_listed(file, &entries, &mut batch);
            } else if self.counts_positions(directory) {
                self.read_by_cursor(file, directory, &mut batch);
            } else {
                self.read_by_offset(file, directory, &mut batch);
            }
        }
        Ok(batch.entries)
    }

    /// Reads on in a directory of an overlay that was merged (`ovl_iterate_merged()`).
    fn read_merged(&mut self, task: Id<Task>, file: Id<OpenFile>, batch: &mut Batch) -> Result<(), Failure> {
        loop {
            let next = match self.next_listed(task, file) {
                Ok(next) => next,
                // What was read before counts.
                Err(_) if !batch.entries.is_empty() => return Ok(()),
                Err(failure) => return Err(failure),
            };
            let Some(entry) = next else { return Ok(()) };
            if !batch.add_with(entry.name(), entry.number, entry.file_type) {
                return Ok(());
            }
            self.pass_listed(file);
        }
    }

    /// Reads on where each entry has a position of its own that rises (`proc_readdir()`, `kernfs_fop_readdir()`).
    fn read_listed(&mut self, file: Id<OpenFile>, entries: &[(u64, Id<Dentry>)], batch: &mut Batch) {
        for (position, dentry) in entries {
            if *position < self.files[file].position {
                continue;
            }
            self.files[file].position = *position;
            if !self.add_entry(*dentry, batch) {
                return;
            }
            self.files[file].position = position + 1;
        }
        if self.lists_processes(self.files[file].path.dentry) {
            self.files[file].position = self.files[file].position.max(END_OF_PROCESSES);
        }
    }

    /// Whether positions in a directory are counted (`dcache_readdir()`), and not offsets (`offset_readdir()`).
    fn counts_positions(&self, directory: Id<Dentry>) -> bool {
        let superblock = self.dentries[directory].superblock;
        !matches!(
            self.superblocks[superblock].filesystem,
            FilesystemType::Rootfs
                | FilesystemType::Tmpfs
                | FilesystemType::Devtmpfs
                | FilesystemType::Proc
                | FilesystemType::Sysfs
        )
    }

    /// Gives `.` and `..`; whether there is room for more (`dir_emit_dots()`).
    fn add_dots(&mut self, file: Id<OpenFile>, directory: Id<Dentry>, batch: &mut Batch) -> bool {
        let dots: [(&[u8], Id<Dentry>); 2] = [(b".", directory), (b"..", self.dentries[directory].parent)];
        for (position, (name, dentry)) in (0..).zip(dots) {
            if self.files[file].position == position {
                if !batch.add(name, &self.inodes[self.dentries[dentry].inode]) {
                    return false;
                }
                self.files[file].position += 1;
            }
        }
        true
    }

    /// The entry with this order, or the next one that is read, if there is any.
    fn entry_from(&self, directory: Id<Dentry>, order: Bound<u64>) -> Option<Id<Dentry>> {
        self.dentries[directory].by_order.range((Bound::Unbounded, order)).next_back().map(|(_, dentry)| *dentry)
    }

    fn add_entry(&self, dentry: Id<Dentry>, batch: &mut Batch) -> bool {
        let object = &self.dentries[dentry];
        batch.add(object.name.as_bytes(), &self.inodes[object.inode])
    }

    /// Reads on where the position is an offset (`offset_iterate_dir()`): at the entry with this offset or the highest below
    /// it, and with the first entry if there is none.
    fn read_by_offset(&mut self, file: Id<OpenFile>, directory: Id<Dentry>, batch: &mut Batch) {
        let position = self.files[file].position;
        if position == END {
            return;
        }
        let found = if position == FIRST {
            None
        } else {
            self.dentries[directory].by_offset.range(..=position).next_back().map(|(_, dentry)| *dentry)
        };
        let mut next = found.or_else(|| self.entry_from(directory, Bound::Unbounded));
        while let Some(dentry) = next {
            self.files[file].position = self.dentries[dentry].offset;
            if !self.add_entry(dentry, batch) {
                return;
            }
            next = self.entry_from(directory, Bound::Excluded(self.dentries[dentry].order));
        }
        self.files[file].position = END;
    }

    /// Reads on where the position is a count and a cursor says what is next (`dcache_readdir()`).
    fn read_by_cursor(&mut self, file: Id<OpenFile>, directory: Id<Dentry>, batch: &mut Batch) {
        let cursor = self.dentries[directory].cursors.get(&file).copied().unwrap_or(0);
        let start = if self.files[file].position == FIRST { Bound::Unbounded } else { Bound::Excluded(cursor) };
        let mut next = self.entry_from(directory, start);
        let mut rest = 0;
        while let Some(dentry) = next {
            let order = self.dentries[dentry].order;
            if !self.add_entry(dentry, batch) {
                rest = order + 1;
                break;
            }
            self.files[file].position += 1;
            next = self.entry_from(directory, Bound::Excluded(order));
        }
        self.dentries[directory].cursors.insert(file, rest);
    }

    /// lseek(2) on a directory (`offset_dir_llseek()`, `dcache_dir_lseek()`): from the end only where the kernel makes the
    /// entries up.
    pub(super) fn seek_directory(&mut self, file: Id<OpenFile>, offset: i64, whence: Whence) -> Result<u64, Failure> {
        if let Some(result) = self.seek_in_overlay(file, offset, whence) {
            return result;
        }
        let directory = self.directory_to_read(file);
        let superblock = self.dentries[directory].superblock;
        let (end, last) = match self.superblocks[superblock].filesystem {
            FilesystemType::Proc => (Some(0), LAST_OF_SMALL),
            FilesystemType::Sysfs => (Some(0), u64::MAX),
            _ => (None, u64::MAX),
        };
        let otherwise = if end.is_some() {
            fail!(EINVAL, "vfs_setpos()", "the new position is negative, or too large")
        } else if self.counts_positions(directory) {
            fail!(EINVAL, "dcache_dir_lseek()", "the new position is negative, too large, or from the end")
        } else {
            fail!(EINVAL, "offset_dir_llseek()", "the new position is negative, too large, or from the end")
        };
        let old = self.files[file].position;
        let position = sought(old, offset, whence, end).filter(|position| *position <= last).ok_or(otherwise)?;
        self.files[file].position = position;
        if self.counts_positions(directory) && position != old {
            // Behind that many entries; nowhere if there are not so many.
            let skipped = usize::try_from(position.saturating_sub(FIRST)).unwrap_or(usize::MAX);
            let passed = skipped
                .checked_sub(1)
                .and_then(|last| self.dentries[directory].by_order.iter().rev().nth(last).map(|(order, _)| *order));
            self.dentries[directory].cursors.insert(file, passed.unwrap_or(0));
        }
        Ok(position)
    }
}
