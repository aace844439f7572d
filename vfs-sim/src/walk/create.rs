//! New names: where they come to be, and what is made for them.

use cofferdam::kernel::{Fd, ResolveFlags};

use super::{Access, Last, Lookup, LookupFlags};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::namespace::IdExtent;
use crate::process::Task;

const SET_GID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// A name that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewName<'a> {
    /// The directory.
    pub(crate) directory: Path,
    /// The name in it.
    pub(crate) name: &'a [u8],
}

impl Linux {
    /// Finds where a path says that something is to be made; slashes behind the name are for directories
    /// (`filename_create()`).
    pub(crate) fn filename_create<'a>(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &'a [u8],
        is_directory: bool,
    ) -> Result<NewName<'a>, Failure> {
        let lookup = Lookup { dirfd, path, flags: LookupFlags::empty(), resolve: ResolveFlags::empty() };
        let parent = self.walk_parent(task, &lookup)?;
        let Last::Normal { name, trailing_slashes } = parent.last else {
            return Err(fail!(EEXIST, "filename_create()", "the path has no last name: it ends in ., .. or the root"));
        };
        let directory = parent.path;
        // That nothing can be written is the last thing to be told.
        let may_write = self.want_write(directory.mount);
        if self.lookup_entry(task, directory.dentry, name)?.is_some() {
            return Err(fail!(EEXIST, "lookup_one_qstr_excl()", "the path exists"));
        }
        if trailing_slashes && !is_directory {
            return Err(fail!(
                ENOENT,
                "lookup_one_qstr_excl()",
                "the path ends in a slash, and what is to be made is no directory"
            ));
        }
        may_write.map(|()| NewName { directory, name })
    }

    /// Whether a process may make something in a directory (`may_create()`), where the name is free.
    pub(crate) fn may_create(&self, task: Id<Task>, directory: Path) -> Result<(), Failure> {
        if self.is_dead(directory.dentry) {
            return Err(fail!(ENOENT, "may_create()", "the directory has been removed"));
        }
        self.owner_of_new(task, directory.mount)?;
        let inode = self.dentries[directory.dentry].inode;
        self.inode_permission(task, directory.mount, inode, Access::WRITE | Access::EXECUTE)
    }

    /// The owner and the group that a process gives to new files through a mount, ids of the initial user namespace;
    /// `EOVERFLOW` if the filesystem has no number for them (`fsuidgid_has_mapping()`, `mapped_fsuid()`).
    pub(crate) fn owner_of_new(&self, task: Id<Task>, mount: Id<Mount>) -> Result<(u32, u32), Failure> {
        let credentials = &self.tasks[task].credentials;
        let object = &self.mounts[mount];
        let filesystem = &self.user_namespaces[self.superblocks[object.superblock].user_namespace];
        let idmap = object.idmap.map(|idmap| &self.user_namespaces[idmap]);
        let into = |id: u32, idmap: Option<&[IdExtent]>, filesystem: &[IdExtent]| {
            let id = match idmap {
                None => id,
                Some(idmap) => {
                    let number = idmap.iter().find_map(|extent| extent.inside_of(id))?;
                    filesystem.iter().find_map(|extent| extent.outside_of(number))?
                }
            };
            filesystem.iter().any(|extent| extent.inside_of(id).is_some()).then_some(id)
        };
        let uid = into(credentials.filesystem_uid, idmap.map(|map| map.uid_map.as_slice()), &filesystem.uid_map);
        let gid = into(credentials.filesystem_gid, idmap.map(|map| map.gid_map.as_slice()), &filesystem.gid_map);
        uid.zip(gid).ok_or(fail!(
            EOVERFLOW,
            "fsuidgid_has_mapping()",
            "the user or the group of the process has no id in the filesystem, or through its id-mapped mount"
        ))
    }

    /// The permissions of a new file: without what the umask takes, and without a set-group-id bit for a group that is not
    /// the process's (`vfs_prepare_mode()`).
    pub(crate) fn mode_of_new(&self, task: Id<Task>, directory: Path, mode: u32, is_directory: bool) -> u32 {
        let inode = self.dentries[directory.dentry].inode;
        let is_for_group = SET_GID | GROUP_EXECUTE;
        let is_stripped = mode & is_for_group == is_for_group
            && !is_directory
            && self.inodes[inode].mode & SET_GID != 0
            && !self.is_in_group_or_capable(task, directory.mount, inode);
        let mode = if is_stripped { mode & !SET_GID } else { mode };
        mode & !self.fs_states[self.tasks[task].fs].umask
    }

    /// Makes an inode as of a process in a directory; in one with the set-group-id bit it gets the directory's group
    /// (`inode_init_owner()`). The mode is that of [`mode_of_new`](Self::mode_of_new).
    pub(crate) fn new_inode_in(
        &mut self,
        task: Id<Task>,
        directory: Path,
        kind: InodeKind,
        mode: u32,
    ) -> Result<Id<crate::filesystem::Inode>, Failure> {
        let (uid, gid) = self.owner_of_new(task, directory.mount)?;
        let parent = &self.inodes[self.dentries[directory.dentry].inode];
        let superblock = parent.superblock;
        self.has_free_inode(superblock)?;
        let (gid, inherited) = match kind {
            _ if parent.mode & SET_GID == 0 => (gid, 0),
            InodeKind::Directory => (parent.gid, SET_GID),
            _ => (parent.gid, 0),
        };
        Ok(self.new_inode(superblock, kind, mode | inherited, (uid, gid)))
    }

    /// Drops an inode for whose content there is no room. It had its number, and its place in the directory
    /// (`shmem_symlink()`).
    fn forget_new_inode(&mut self, directory: Path, inode: Id<crate::filesystem::Inode>) {
        self.new_offset(directory.dentry);
        let superblock = self.inodes[inode].superblock;
        if let Some(inode) = self.inodes.remove(inode) {
            let object = &mut self.superblocks[superblock];
            object.used_inodes = object.used_inodes.saturating_sub(1);
            object.used_pages = object.used_pages.saturating_sub(inode.kind.pages());
        }
    }

    /// Makes a file or directory under a free name; nothing is checked but that it can have an owner (`shmem_mknod()`).
    pub(crate) fn new_entry(
        &mut self,
        task: Id<Task>,
        directory: Path,
        name: &[u8],
        kind: InodeKind,
        mode: u32,
    ) -> Result<Id<Dentry>, Failure> {
        if self.is_overlay(directory.dentry) {
            return self.make_in_overlay(task, directory, name, kind, mode);
        }
        let (is_directory, pages) = (matches!(kind, InodeKind::Directory), kind.pages());
        let superblock = self.dentries[directory.dentry].superblock;
        let has_room = pages <= self.free_pages(superblock);
        let inode = self.new_inode_in(task, directory, kind, mode)?;
        if !has_room {
            self.forget_new_inode(directory, inode);
            return Err(fail!(
                ENOSPC,
                "shmem_symlink()",
                "the filesystem has no room for the target of the symbolic link"
            ));
        }
        if is_directory {
            let parent = self.dentries[directory.dentry].inode;
            self.inodes[parent].links += 1;
        }
        Ok(self.new_dentry(directory.dentry, Name::from(name), inode))
    }
}
