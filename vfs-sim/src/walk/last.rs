//! The last name of a path that is opened, which may have to be made (`open_last_lookups()`).

use super::component::{NO_SUCH_NAME, Text};
use super::step::Follow;
use super::{Access, Last, Lookup, LookupFlags, OpenIntent, Walk, check_path};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, InodeKind};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;

/// What a path that is to be opened led to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The place.
    pub(crate) path: Path,
    /// Whether it was made.
    pub(crate) is_created: bool,
    /// Whether it must be a directory.
    pub(crate) wants_directory: bool,
    /// Where the last name of the path was looked up, if it has one.
    pub(crate) parent: Option<Path>,
}

enum Step<'a> {
    /// A symbolic link is to be followed.
    Link(Text<'a>),
    Found,
    Created,
}

impl Linux {
    /// Walks a path to what is to be opened, and makes it if there is none and that is asked for (`path_openat()`, up to
    /// `do_open()`).
    pub(crate) fn walk_to_open(
        &mut self,
        task: Id<Task>,
        lookup: &Lookup<'_>,
        intent: &OpenIntent,
    ) -> Result<Found, Failure> {
        check_path(lookup.path, lookup.flags)?;
        let found = self.attempt(task, lookup, |linux, walk| linux.walk_to_found(walk, intent))?;
        self.touch_mount(found.path.mount);
        Ok(found)
    }

    fn walk_to_found(&mut self, walk: &mut Walk<'_>, intent: &OpenIntent) -> Result<Found, Failure> {
        self.start(walk)?;
        let mut text = Text::Given(walk.text);
        loop {
            let tail = self.walk_components(walk, text)?;
            let last = tail.last();
            let parent = (last != Last::Root).then_some(walk.path);
            match self.open_last(walk, last, intent)? {
                Step::Link(target) => text = target,
                step => {
                    let is_created = matches!(step, Step::Created);
                    if !is_created {
                        self.complete(walk)?;
                    }
                    let wants_directory = walk.flags.contains(LookupFlags::DIRECTORY);
                    return Ok(Found { path: walk.path, is_created, wants_directory, parent });
                }
            }
        }
    }

    /// Finds or makes the last name (`open_last_lookups()`).
    fn open_last<'a>(&mut self, walk: &mut Walk<'_>, last: Last<'_>, intent: &OpenIntent) -> Result<Step<'a>, Failure> {
        let Last::Normal { name, trailing_slashes } = last else {
            self.walk_component(walk, last, Follow::Last)?;
            return Ok(Step::Found);
        };
        if trailing_slashes {
            if intent.creates() {
                return Err(fail!(
                    EISDIR,
                    "open_last_lookups()",
                    "the path ends in a slash, and O_CREAT makes no directories"
                ));
            }
            walk.flags |= LookupFlags::FOLLOW | LookupFlags::DIRECTORY;
        }
        let known = if intent.is_exclusive() { None } else { self.find_lazily(walk, name)? };
        let dentry = if let Some(dentry) = known {
            dentry
        } else {
            self.unlazy(walk)?;
            let (dentry, is_created) = self.lookup_open(walk, name, intent)?;
            if is_created {
                walk.path.dentry = dentry;
                return Ok(Step::Created);
            }
            dentry
        };
        walk.links.pop();
        Ok(self.step_into(walk, dentry, Follow::Last)?.map_or(Step::Found, Step::Link))
    }

    /// Finds a name in a directory, or makes a file with it; says whether it did (`lookup_open()`).
    fn lookup_open(
        &mut self,
        walk: &Walk<'_>,
        name: &[u8],
        intent: &OpenIntent,
    ) -> Result<(Id<Dentry>, bool), Failure> {
        let directory = walk.path;
        if self.is_dead(directory.dentry) {
            return Err(fail!(ENOENT, "lookup_open()", "the directory has been removed"));
        }
        if let Some(dentry) = self.lookup_entry(walk.task, directory.dentry, name)? {
            return Ok((dentry, false));
        }
        if !intent.creates() {
            return Err(NO_SUCH_NAME);
        }
        self.may_open_create(walk.task, directory)?;
        if !self.makes_files(directory.dentry) {
            return Err(fail!(EACCES, "lookup_open()", "files cannot be made in the filesystem"));
        }
        let mode = self.mode_of_new(walk.task, directory, intent.mode, false);
        let kind = InodeKind::Regular(std::sync::Arc::default());
        self.new_entry(walk.task, directory, name, kind, mode).map(|dentry| (dentry, true))
    }

    /// Whether a file may be made in a directory by opening it (`may_o_create()`).
    fn may_open_create(&self, task: Id<Task>, directory: Path) -> Result<(), Failure> {
        self.want_write(directory.mount)?;
        self.owner_of_new(task, directory.mount)?;
        let inode = self.dentries[directory.dentry].inode;
        self.inode_permission(task, directory.mount, inode, Access::WRITE | Access::EXECUTE)
    }

    /// Whether users can make files without a name in a filesystem's directories (`i_op->tmpfile`).
    pub(crate) fn makes_unnamed_files(&self, directory: Id<Dentry>) -> bool {
        let superblock = self.dentries[directory].superblock;
        self.makes_files(directory) && self.superblocks[superblock].filesystem != FilesystemType::Mqueue
    }

    /// Whether users can make files in a filesystem's directories (`i_op->create`).
    pub(crate) fn makes_files(&self, directory: Id<Dentry>) -> bool {
        let superblock = self.dentries[directory].superblock;
        !matches!(
            self.superblocks[superblock].filesystem,
            FilesystemType::Proc
                | FilesystemType::Sysfs
                | FilesystemType::Devpts
                | FilesystemType::Nsfs
                | FilesystemType::Pipefs
                | FilesystemType::AnonInodeFs
        )
    }
}
