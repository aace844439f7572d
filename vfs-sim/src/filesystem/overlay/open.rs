//! Opening files of an overlay (`fs/overlayfs/file.c`).

use cofferdam::kernel::OpenFlags;

use super::OverlayReader;
use super::copy_up::CopiedContent;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Inode, InodeKind};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::{OpenFile, OpenFileKind, Task};
use crate::walk::Access;

impl Linux {
    /// What an overlay does when one of its regular files or directories is opened (`ovl_open()`, `ovl_dir_open()`).
    pub(crate) fn open_in_overlay(
        &mut self,
        task: Id<Task>,
        path: Path,
        flags: OpenFlags,
    ) -> Result<Option<OpenFileKind>, Failure> {
        let inode = self.dentries[path.dentry].inode;
        let is_regular = matches!(self.inodes[inode].kind, InodeKind::Regular(_));
        if self.overlay_inode(inode).is_none() || !is_regular && !self.is_directory(path.dentry) {
            return Ok(None);
        }
        if !is_regular {
            let reader = self.open_reader(task, path.dentry)?;
            return Ok(Some(OpenFileKind::Overlay(Box::new(reader))));
        }
        let writes = matches!(flags.bits() & 0o3, 1 | 2);
        let truncates = flags.contains(OpenFlags::O_TRUNC);
        if writes || truncates {
            let content = if truncates { CopiedContent::None } else { CopiedContent::All };
            self.copy_up_with(task, path.dentry, content)?;
        }
        self.open_behind(task, inode, flags, writes)?;
        Ok(Some(OpenFileKind::Plain))
    }

    /// Opens what is behind a file (`ovl_open_realfile()`).
    fn open_behind(&mut self, task: Id<Task>, inode: Id<Inode>, flags: OpenFlags, writes: bool) -> Result<(), Failure> {
        let Path { mount, dentry } = self.place_behind(inode)?;
        let real = self.dentries[dentry].inode;
        let access = match flags.bits() & 0o3 {
            0 => Access::READ,
            1 => Access::WRITE,
            _ => Access::READ | Access::WRITE,
        };
        let superblock = self.inodes[inode].superblock;
        self.as_mounter(task, superblock, |linux| linux.inode_permission(task, mount, real, access))?;
        if writes {
            self.want_write(mount)?;
        }
        if flags.contains(OpenFlags::O_DIRECT) && !self.can_bypass_cache(real) {
            return Err(fail!(
                EINVAL,
                "do_dentry_open()",
                "O_DIRECT is given, which the filesystem of the layer does not support"
            ));
        }
        if writes {
            self.add_writer(mount);
        }
        Ok(())
    }

    /// The mount of the upper layer that a file that is open for writing counts as a writer of.
    pub(crate) fn written_layer(&self, file: &OpenFile) -> Option<Id<Mount>> {
        let inode = self.dentries[file.path.dentry].inode;
        let is_regular = matches!(self.inodes[inode].kind, InodeKind::Regular(_));
        let is_open = !matches!(file.kind, OpenFileKind::Path);
        let superblock = self.inodes[inode].superblock;
        self.overlay_inode(inode).filter(|_| is_regular && is_open && file.can_write)?;
        self.overlay(superblock).ok()?.upper.map(|layer| layer.mount)
    }

    /// What a file of an overlay does when it is closed (`ovl_release()`, `ovl_dir_release()`).
    pub(crate) fn close_in_overlay(&mut self, id: Id<OpenFile>, file: &OpenFile) {
        if let Some(mount) = self.written_layer(file) {
            self.remove_writer(mount);
        }
        if let OpenFileKind::Overlay(reader) = &file.kind {
            self.end_reader(id, reader);
        }
    }

    /// The inode whose content a file has: for one of an overlay, that of the layer (`ovl_real_file()`).
    pub(crate) fn content_inode(&self, inode: Id<Inode>) -> Id<Inode> {
        match self.innermost_path(inode) {
            Some(real) if matches!(self.inodes[inode].kind, InodeKind::Regular(_)) => self.dentries[real.dentry].inode,
            _ => inode,
        }
    }

    fn open_reader(
        &mut self,
        task: Id<Task>,
        directory: Id<crate::filesystem::Dentry>,
    ) -> Result<OverlayReader, Failure> {
        let inode = self.dentries[directory].inode;
        let Path { mount, dentry } = self.place_behind(inode)?;
        let real = self.dentries[dentry].inode;
        let superblock = self.inodes[inode].superblock;
        self.as_mounter(task, superblock, |linux| linux.inode_permission(task, mount, real, Access::READ))?;
        self.new_reader(directory, dentry)
    }
}
