//! Opening files.

use std::sync::Arc;

use cofferdam::kernel::{Fd, FileType, OpenFlags, OpenHow};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::{MntFlags, Path};
use crate::process::{OpenFile, OpenFileKind, Task};
use crate::walk::{Access, Found, Lookup, LookupFlags, OpenIntent, check_path};

impl Linux {
    /// openat2(2)
    pub(crate) fn openat2(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], how: OpenHow) -> Result<Fd, Failure> {
        let intent = OpenIntent::new(how)?;
        check_path(path, LookupFlags::empty())?;
        self.has_free_descriptor(task)?;
        let lookup = Lookup { dirfd, path, flags: intent.lookup, resolve: how.resolve };
        let file = if intent.is_tmpfile() {
            self.open_tmpfile(task, &lookup, &intent)?
        } else if intent.flags.contains(OpenFlags::O_PATH) {
            let path = self.walk(task, &lookup)?;
            self.open_path(task, path, intent.flags)
        } else {
            let found = self.walk_to_open(task, &lookup, &intent)?;
            self.open_found(task, found, &intent)?
        };
        self.install_file(task, file, how.flags)
    }

    /// Opens a file without a name in a directory (`do_tmpfile()`, `vfs_tmpfile()`).
    fn open_tmpfile(&mut self, task: Id<Task>, lookup: &Lookup<'_>, intent: &OpenIntent) -> Result<OpenFile, Failure> {
        let directory = self.walk(task, lookup)?;
        self.want_write(directory.mount)?;
        self.owner_of_new(task, directory.mount)?;
        let inode = self.dentries[directory.dentry].inode;
        self.inode_permission(task, directory.mount, inode, Access::WRITE | Access::EXECUTE)?;
        if !self.makes_unnamed_files(directory.dentry) {
            return Err(fail!(EOPNOTSUPP, "vfs_tmpfile()", "the filesystem has no files without a name"));
        }
        let mode = self.mode_of_new(task, directory, intent.mode, false);
        let dentry = self.new_tmpfile(task, directory, mode)?;
        let inode = self.dentries[dentry].inode;
        self.inodes[inode].is_linkable = !intent.flags.contains(OpenFlags::O_EXCL);
        let path = Path { mount: directory.mount, dentry };
        let file = self.open_place(task, path, intent.flags);
        self.dentry_put(dentry);
        file
    }

    /// A file without a name (`i_op->tmpfile`), with one reference.
    pub(crate) fn new_tmpfile(&mut self, task: Id<Task>, directory: Path, mode: u32) -> Result<Id<Dentry>, Failure> {
        if self.is_overlay(directory.dentry) {
            return self.make_unnamed_in_overlay(task, directory, mode);
        }
        let inode = self.new_inode_in(task, directory, InodeKind::Regular(Arc::default()), mode)?;
        self.drop_link(inode);
        let name = Name::from(format!("#{}", self.inodes[inode].number).as_str());
        Ok(self.new_unnamed_dentry(directory.dentry, name, inode))
    }

    /// An open file that is a place only (`O_PATH`).
    pub(crate) fn open_path(&mut self, task: Id<Task>, path: Path, flags: OpenFlags) -> OpenFile {
        self.path_get(path);
        OpenFile {
            references: 0,
            path,
            flags,
            can_read: false,
            can_write: false,
            unmounts: false,
            position: 0,
            credentials: self.tasks[task].credentials.clone(),
            kind: OpenFileKind::Path,
        }
    }

    /// Opens what a path led to (`do_open()`).
    fn open_found(&mut self, task: Id<Task>, found: Found, intent: &OpenIntent) -> Result<OpenFile, Failure> {
        let Found { path, is_created, .. } = found;
        if intent.creates() && !is_created {
            self.may_open_existing(task, found, intent)?;
        }
        if found.wants_directory && !self.is_directory(path.dentry) {
            return Err(fail!(ENOTDIR, "do_open()", "a directory is asked for, and the path leads to something else"));
        }
        if is_created {
            return self.open_place(task, path, intent.flags);
        }
        let inode = self.dentries[path.dentry].inode;
        let truncates =
            intent.flags.contains(OpenFlags::O_TRUNC) && matches!(self.inodes[inode].kind, InodeKind::Regular(_));
        if truncates {
            self.want_write(path.mount)?;
        }
        self.may_open(task, path, intent.access, intent.flags)?;
        let file = self.open_place(task, path, intent.flags)?;
        if truncates {
            let lost = self.privileges_lost_by_writing(task, path.mount, inode);
            if self.is_overlay(path.dentry) {
                if let Err(failure) = self.set_length_in_overlay(task, path.dentry, 0, lost) {
                    let file = self.new_file(file);
                    self.file_put(file);
                    return Err(failure);
                }
                return Ok(file);
            }
            self.inodes[inode].mode &= !lost;
            self.change_content(inode, |kind| *kind = InodeKind::Regular(Arc::default()));
        }
        Ok(file)
    }

    /// Whether something that was there already may be opened with `O_CREAT` (`do_open()`, `may_create_in_sticky()`;
    /// fs.protected_regular and fs.protected_fifos are 0).
    fn may_open_existing(&self, task: Id<Task>, found: Found, intent: &OpenIntent) -> Result<(), Failure> {
        const STICKY: u32 = 0o1000;
        const OTHERS_WRITE: u32 = 0o002;
        if intent.is_exclusive() {
            return Err(fail!(EEXIST, "do_open()", "there is something at the path already, and O_EXCL is given"));
        }
        let inode = self.dentries[found.path.dentry].inode;
        let file_type = self.inodes[inode].file_type();
        if file_type == FileType::Directory {
            return Err(fail!(EISDIR, "do_open()", "the path leads to a directory, and O_CREAT is given"));
        }
        let Some(parent) = found.parent else { return Ok(()) };
        let directory = self.dentries[parent.dentry].inode;
        let mode = self.inodes[directory].mode;
        if mode & STICKY == 0 || mode & OTHERS_WRITE == 0 || matches!(file_type, FileType::Regular | FileType::Fifo) {
            return Ok(());
        }
        let (owner, _) = self.owner_through(found.path.mount, inode);
        let (directory_owner, _) = self.owner_through(parent.mount, directory);
        let is_own =
            owner.is_some() && (owner == directory_owner || owner == Some(self.tasks[task].credentials.filesystem_uid));
        let is_others = fail!(
            EACCES,
            "may_create_in_sticky()",
            "O_CREAT is given, and what is there, in a sticky directory in which all can write, is another user's"
        );
        if is_own { Ok(()) } else { Err(is_others) }
    }

    /// Whether something may be opened so (`may_open()`).
    fn may_open(&self, task: Id<Task>, path: Path, access: Access, flags: OpenFlags) -> Result<(), Failure> {
        let inode = self.dentries[path.dentry].inode;
        match self.inodes[inode].file_type() {
            FileType::Symlink => {
                let is_link =
                    fail!(ELOOP, "may_open()", "what the path leads to is a symbolic link, and is not followed");
                return Err(is_link);
            }
            FileType::Directory if access.contains(Access::WRITE) => {
                return Err(fail!(EISDIR, "may_open()", "a directory can't be opened for writing"));
            }
            FileType::BlockDevice | FileType::CharacterDevice => self.may_open_device(path)?,
            _ => {}
        }
        self.inode_permission(task, path.mount, inode, access)?;
        if flags.contains(OpenFlags::O_NOATIME) && !self.is_owner_or_capable(task, path.mount, inode) {
            return Err(fail!(
                EPERM,
                "may_open()",
                "O_NOATIME is given, the file is another user's, and the process has no CAP_FOWNER over it"
            ));
        }
        Ok(())
    }

    /// Whether device nodes work at a place (`may_open_dev()`).
    fn may_open_device(&self, path: Path) -> Result<(), Failure> {
        let mount = &self.mounts[path.mount];
        if mount.flags.contains(MntFlags::NODEV) {
            return Err(fail!(EACCES, "may_open_dev()", "the device node is on a mount with nodev"));
        }
        if self.superblocks[mount.superblock].no_devices {
            return Err(fail!(EACCES, "may_open_dev()", "device nodes do not work on this filesystem (SB_I_NODEV)"));
        }
        Ok(())
    }

    /// Opens a place for reading or writing, which was found to be permitted (`do_dentry_open()`).
    fn open_place(&mut self, task: Id<Task>, path: Path, flags: OpenFlags) -> Result<OpenFile, Failure> {
        let (can_read, can_write) = match flags.bits() & 0o3 {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => (false, false),
        };
        let counts = can_write && self.counts_writers(path);
        if counts {
            self.want_write(path.mount)?;
        }
        self.open_inode(path, flags)?;
        let kind = match self.open_in_overlay(task, path, flags)? {
            Some(kind) => kind,
            None => self.open_entry(task, path, can_write)?.unwrap_or(OpenFileKind::Plain),
        };
        let kept = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_NOCTTY | OpenFlags::O_TRUNC;
        let file = self.open_path(task, path, flags.difference(kept));
        if counts {
            self.add_writer(path.mount);
        }
        let file = OpenFile { can_read, can_write, kind, ..file };
        let inode = self.dentries[path.dentry].inode;
        if flags.contains(OpenFlags::O_DIRECT) && !self.can_bypass_cache(inode) {
            // Only now, when it is open.
            let file = self.new_file(file);
            self.file_put(file);
            return Err(fail!(
                EINVAL,
                "do_dentry_open()",
                "O_DIRECT is given, and the file can't be read and written so"
            ));
        }
        Ok(file)
    }
}
