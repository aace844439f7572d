//! Copying up: what is to be changed comes into the upper layer first (`fs/overlayfs/copy_up.c`).

use std::sync::Arc;

use cofferdam::kernel::RenameFlags;

use super::state::{InodeFlags, NOTHING_BEHIND, NameFlags};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, InodeKind};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::syscalls::Attributes;

/// How much is copied at once (`OVL_COPY_UP_CHUNK_SIZE`).
const CHUNK: u64 = 1 << 20;

const NO_ROOM: Failure = fail!(
    ENOSPC,
    "shmem_inode_acct_blocks()",
    "the filesystem of the upper layer has not enough free pages for a copy of the file"
);

/// What is to become of the content of what is copied up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopiedContent {
    All,
    /// It is about to be cut off.
    None,
}

impl Linux {
    /// Whether a name is in the upper layer (`ovl_already_copied_up()`).
    pub(super) fn is_copied_up(&self, dentry: Id<Dentry>) -> bool {
        self.upper_of(dentry).is_some() && self.dentries[dentry].name_flags.contains(NameFlags::UPPER)
    }

    /// Copies something up, after the directories that it is in (`ovl_copy_up()`).
    pub(super) fn copy_up(&mut self, task: Id<Task>, dentry: Id<Dentry>) -> Result<(), Failure> {
        self.copy_up_with(task, dentry, CopiedContent::All)
    }

    /// `ovl_copy_up_flags()`
    pub(super) fn copy_up_with(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        content: CopiedContent,
    ) -> Result<(), Failure> {
        while !self.is_copied_up(dentry) {
            let mut next = dentry;
            loop {
                let parent = self.dentries[next].parent;
                if parent == next {
                    // The root is there if there is an upper layer.
                    return Err(fail!(
                        EROFS,
                        "ovl_copy_up_one()",
                        "the overlay has no upper layer to copy up to (upperdir)"
                    ));
                }
                if self.upper_of(parent).is_some() {
                    break;
                }
                next = parent;
            }
            let superblock = self.dentries[dentry].superblock;
            self.as_mounter(task, superblock, |linux| linux.copy_up_one(task, next, content))?;
        }
        Ok(())
    }

    /// Copies one thing up into a directory that is there (`ovl_copy_up_one()`).
    fn copy_up_one(&mut self, task: Id<Task>, dentry: Id<Dentry>, content: CopiedContent) -> Result<(), Failure> {
        let superblock = self.dentries[dentry].superblock;
        self.work_directory(superblock)?;
        let state = self.behind(dentry)?;
        let has_upper = state.upper.is_some();
        if let Some(lower) = state.lower.first().copied() {
            let lower = self.place_below(superblock, lower)?;
            let (_, uid, gid) = self.mode_and_owner(lower);
            let namespace = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
            if !uid.is_some_and(|uid| namespace.uid_map.iter().any(|map| map.inside_of(uid).is_some())) {
                return Err(fail!(
                    EOVERFLOW,
                    "ovl_copy_up_one()",
                    "the owner of the file has no number in the user namespace of who mounted the overlay"
                ));
            }
            if !gid.is_some_and(|gid| namespace.gid_map.iter().any(|map| map.inside_of(gid).is_some())) {
                return Err(fail!(
                    EOVERFLOW,
                    "ovl_copy_up_one()",
                    "the group of the file has no number in the user namespace of who mounted the overlay"
                ));
            }
        }
        self.want_write_upper(superblock)?;
        if !has_upper {
            self.copy_up_content(task, dentry, content)?;
        }
        if !self.dentries[dentry].name_flags.contains(NameFlags::UPPER) {
            self.link_up(task, dentry)?;
        }
        Ok(())
    }

    /// `ovl_do_copy_up()`
    fn copy_up_content(&mut self, task: Id<Task>, dentry: Id<Dentry>, content: CopiedContent) -> Result<(), Failure> {
        let superblock = self.dentries[dentry].superblock;
        let state = self.behind(dentry)?;
        let lower = *state.lower.first().ok_or(NOTHING_BEHIND)?;
        let lower = self.place_below(superblock, lower)?;
        let directory = self.dentries[dentry].parent;
        let target = self.upper_directory(directory)?;
        let real = self.dentries[lower.dentry].inode;
        let is_directory = self.inodes[real].is_directory();
        // Of links below, not each is the same as what is copied up.
        let has_origin = is_directory || self.numbers_behind(lower.dentry).1 == 1;
        self.set_impure(task, directory)?;
        let is_regular = matches!(self.inodes[real].kind, InodeKind::Regular(_));
        let makes_unnamed = self.overlay(superblock)?.makes_unnamed;
        let upper = if is_regular && makes_unnamed {
            self.copy_up_unnamed(task, (dentry, lower, target), has_origin, content)?
        } else {
            self.copy_up_in_work(task, (dentry, lower, target), has_origin, content)?
        };
        self.dentry_get(upper);
        let inode = self.dentries[dentry].inode;
        let key = self.dentries[upper].inode;
        let is_keyed = self.overlay_inode(inode).is_some_and(|state| state.key.is_some());
        if let Some(state) = self.overlay_inode_mut(inode) {
            state.upper = Some(upper);
            state.flags.set(InodeFlags::WHITEOUTS, is_directory || state.flags.contains(InodeFlags::WHITEOUTS));
        }
        if !is_keyed {
            self.key_overlay_inode(inode, key)?;
        }
        self.dentries[dentry].name_flags |= NameFlags::UPPER;
        Ok(())
    }

    /// A regular file without a name gets one when it is complete (`ovl_copy_up_tmpfile()`).
    fn copy_up_unnamed(
        &mut self,
        task: Id<Task>,
        (dentry, lower, target): (Id<Dentry>, Path, Path),
        has_origin: bool,
        content: CopiedContent,
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[dentry].superblock;
        let work = self.work_directory(superblock)?;
        let (mode, _, _) = self.mode_and_owner(lower);
        let unnamed = self.make_unnamed_in_layer(task, work, mode)?;
        let name = self.dentries[dentry].name.clone();
        let result = self.copy_data(task, lower, Path { mount: work.mount, dentry: unnamed }, content).and_then(|()| {
            let place = Path { mount: work.mount, dentry: unnamed };
            self.copy_metadata(task, dentry, lower, place, has_origin)?;
            self.check_upper_is_free(task, target, name.as_bytes())?;
            let inode = self.dentries[unnamed].inode;
            self.link_in_layer(task, inode, target, name.as_bytes())
        });
        self.dentry_put(unnamed);
        result
    }

    /// That the upper layer has nothing that the overlay has not heard of, where a link is to be made.
    fn check_upper_is_free(&mut self, task: Id<Task>, directory: Path, name: &[u8]) -> Result<(), Failure> {
        match self.find_in_layer(task, directory, name)? {
            Some(_) => Err(fail!(
                EEXIST,
                "may_create()",
                "the upper layer was changed behind the overlay: it has something where a file is to be copied up to"
            )),
            None => Ok(()),
        }
    }

    /// Anything else is made in the directory for work, and moved when it is complete (`ovl_copy_up_workdir()`).
    fn copy_up_in_work(
        &mut self,
        task: Id<Task>,
        (dentry, lower, target): (Id<Dentry>, Path, Path),
        has_origin: bool,
        content: CopiedContent,
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[dentry].superblock;
        let work = self.work_directory(superblock)?;
        let kind = match &self.inodes[self.dentries[lower.dentry].inode].kind {
            InodeKind::Regular(_) => InodeKind::Regular(std::sync::Arc::default()),
            kind => kind.clone(),
        };
        let temporary = self.temporary_name();
        let made = self.make_in_layer(task, work, temporary.as_bytes(), kind, 0)?;
        let place = Path { mount: work.mount, dentry: made };
        let name = self.dentries[dentry].name.clone();
        let copied = self.copy_data(task, lower, place, content);
        if copied.is_ok() {
            // If something was moved meanwhile, nobody knows what there would be to clean up.
            self.check_leaves_work((work.dentry, made), target.dentry)?;
        }
        let result = copied.and_then(|()| {
            let existing = self.find_in_layer(task, target, name.as_bytes()).map_err(|_| {
                fail!(EIO, "ovl_copy_up_workdir()", "the name can't be looked up in the directory of the upper layer")
            })?;
            self.copy_metadata(task, dentry, lower, place, has_origin)?;
            self.rename_from_work(task, (work, made), (target, name.as_bytes(), existing), RenameFlags::empty())
        });
        if let Err(failure) = result {
            self.clean_up_in_layer(task, work, made);
            return Err(failure);
        }
        Ok(made)
    }

    /// `ovl_copy_up_data()`
    fn copy_data(&mut self, task: Id<Task>, from: Path, to: Path, content: CopiedContent) -> Result<(), Failure> {
        let source = self.dentries[from.dentry].inode;
        let InodeKind::Regular(data) = &self.inodes[self.content_inode(source)].kind else { return Ok(()) };
        if data.len() == 0 || content == CopiedContent::None {
            return Ok(());
        }
        let data = Arc::new(data.copied_in_chunks(CHUNK).ok_or(NO_ROOM)?);
        self.inode_permission(task, from.mount, source, crate::walk::Access::READ)?;
        let target = self.dentries[to.dentry].inode;
        self.may_become(task, target, data.len())?;
        let pages = data.pages();
        if pages > self.free_pages(self.inodes[target].superblock) {
            return Err(NO_ROOM);
        }
        self.change_content(target, |kind| *kind = InodeKind::Regular(data));
        Ok(())
    }

    /// `ovl_copy_up_metadata()`
    fn copy_metadata(
        &mut self,
        task: Id<Task>,
        dentry: Id<Dentry>,
        from: Path,
        to: Path,
        has_origin: bool,
    ) -> Result<(), Failure> {
        let superblock = self.dentries[dentry].superblock;
        self.copy_marks(task, superblock, from.dentry, to.dentry)?;
        if has_origin {
            let origin = self.origin_of(task, superblock, from.dentry);
            self.set_origin(task, superblock, to.dentry, origin)?;
        }
        self.copy_owner_and_mode(task, from, to)
    }

    /// `ovl_set_attr()`
    pub(super) fn copy_owner_and_mode(&mut self, task: Id<Task>, from: Path, to: Path) -> Result<(), Failure> {
        let (mode, uid, gid) = self.mode_and_owner(from);
        if !matches!(self.inodes[self.dentries[from.dentry].inode].kind, InodeKind::Symlink(_)) {
            let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
            self.change_attributes(task, to, attributes)?;
        }
        self.change_attributes(task, to, Attributes { uid, gid, ..Attributes::default() })
    }

    /// The permissions and the owner of what is copied, as stat(2) tells them: an overlay that is a layer may not have
    /// heard of a change behind it, which stat sees.
    fn mode_and_owner(&self, from: Path) -> (u32, Option<u32>, Option<u32>) {
        let real = self.innermost_path(self.dentries[from.dentry].inode).unwrap_or(from);
        let inode = self.dentries[real.dentry].inode;
        let (uid, gid) = self.owner_through(real.mount, inode);
        (self.inodes[inode].mode, uid, gid)
    }

    /// One more name of a file that was copied up under another one (`ovl_link_up()`).
    fn link_up(&mut self, task: Id<Task>, dentry: Id<Dentry>) -> Result<(), Failure> {
        let directory = self.dentries[dentry].parent;
        let target = self.upper_directory(directory)?;
        self.set_impure(task, directory)?;
        let upper = self.upper_of(dentry).ok_or(NOTHING_BEHIND)?;
        let inode = self.dentries[upper].inode;
        let name = self.dentries[dentry].name.clone();
        self.check_upper_is_free(task, target, name.as_bytes())?;
        self.link_in_layer(task, inode, target, name.as_bytes())?;
        self.dentries[dentry].name_flags |= NameFlags::UPPER;
        Ok(())
    }
}
