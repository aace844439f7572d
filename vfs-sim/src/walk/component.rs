//! The names of a path, one after the other.

use super::step::Follow;
use super::{Access, Walk};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Entry, FilesystemType, Name};
use crate::linux::Linux;
use crate::process::Task;

/// The longest name (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// What a walk meets that finds a free name.
pub(super) const NO_SUCH_NAME: Failure = fail!(ENOENT, "step_into()", "a component of the path does not exist");

/// The end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'a> {
    /// A name.
    Normal {
        /// The name.
        name: &'a [u8],
        /// Whether slashes follow it.
        trailing_slashes: bool,
    },
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// Nothing: the path is empty or consists of slashes.
    Root,
}

impl<'a> Last<'a> {
    fn new(name: &'a [u8], trailing_slashes: bool) -> Self {
        match name {
            b"" => Self::Root,
            b"." => Self::Dot,
            b".." => Self::DotDot,
            name => Self::Normal { name, trailing_slashes },
        }
    }
}

/// A text that is walked.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    /// The path that was given.
    Given(&'a [u8]),
    /// The target of a symbolic link.
    Link(Name),
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(bytes) => bytes,
            Self::Link(name) => name.as_bytes(),
        }
    }
}

/// The last name of a text, which was walked up to it.
#[derive(Debug)]
pub(super) struct Tail<'a> {
    text: Text<'a>,
    start: usize,
    end: usize,
}

impl Tail<'_> {
    pub(super) fn last(&self) -> Last<'_> {
        self.last_of(self.text.bytes())
    }

    /// The last name, if `text` is what was walked.
    pub(super) fn last_of<'t>(&self, text: &'t [u8]) -> Last<'t> {
        Last::new(text.get(self.start..self.end).unwrap_or_default(), self.end < text.len())
    }

    pub(super) fn has_trailing_slashes(&self) -> bool {
        matches!(self.last(), Last::Normal { trailing_slashes: true, .. })
    }
}

/// The position of the first byte from `position` on that is not a slash.
fn skip_slashes(bytes: &[u8], position: usize) -> usize {
    let rest = bytes.get(position..).unwrap_or_default();
    position + rest.iter().take_while(|byte| **byte == b'/').count()
}

/// The position of the first slash from `position` on.
fn next_slash(bytes: &[u8], position: usize) -> usize {
    let rest = bytes.get(position..).unwrap_or_default();
    position + rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())
}

impl Linux {
    /// Walks a text up to its last name, all symbolic links in between included (`link_path_walk()`).
    pub(super) fn walk_components<'a>(&mut self, walk: &mut Walk<'_>, text: Text<'a>) -> Result<Tail<'a>, Failure> {
        let mut text = text;
        let mut position = skip_slashes(text.bytes(), 0);
        if position == text.bytes().len() {
            return Ok(Tail { text, start: position, end: position });
        }
        // What is left to walk after the link that is being followed, and so on.
        let mut outer = Vec::new();
        loop {
            self.may_search(walk)?;
            let bytes = text.bytes();
            let (start, end) = (position, next_slash(bytes, position));
            position = skip_slashes(bytes, end);
            let last = Last::new(bytes.get(start..end).unwrap_or_default(), false);
            let link = if position < bytes.len() {
                self.walk_component(walk, last, Follow::Between)?
            } else {
                let Some((rest, rest_position)) = outer.pop() else { return Ok(Tail { text, start, end }) };
                let link = self.walk_component(walk, last, Follow::LastOfLink)?;
                (text, position) = (rest, rest_position);
                link
            };
            if let Some(link) = link {
                outer.push((std::mem::replace(&mut text, link), position));
                position = skip_slashes(text.bytes(), 0);
            } else if !self.is_directory(walk.path.dentry) {
                self.unlazy(walk)?;
                return Err(fail!(ENOTDIR, "link_path_walk()", "a component of the path is no directory"));
            }
        }
    }

    /// Whether the process may look up names in the directory (`may_lookup()`).
    fn may_search(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let inode = self.dentries[walk.path.dentry].inode;
        let has_own_rule = matches!(self.inodes[inode].entry, Entry::Proc(_) | Entry::Overlay(_));
        if self.inodes[inode].mode & 0o111 == 0o111 && !has_own_rule {
            return Ok(());
        }
        let result = self.inode_permission(walk.task, walk.path.mount, inode, Access::EXECUTE);
        if result.is_err() {
            self.unlazy(walk)?;
        }
        result
    }

    /// Goes on by one name; gives the target of a symbolic link that is to be followed (`walk_component()`).
    pub(super) fn walk_component<'a>(
        &mut self,
        walk: &mut Walk<'_>,
        last: Last<'_>,
        follow: Follow,
    ) -> Result<Option<Text<'a>>, Failure> {
        let dentry = match last {
            Last::Normal { name, .. } => match self.walk_name(walk, name) {
                Ok(dentry) => Some(dentry),
                Err(failure) => {
                    if walk.notes_missing {
                        walk.missing = Some((Name::from(name), follow == Follow::Last));
                    }
                    return Err(failure);
                }
            },
            Last::DotDot | Last::Dot | Last::Root => None,
        };
        if follow != Follow::Between {
            // The link whose target ends here.
            walk.links.pop();
        }
        match dentry {
            Some(dentry) => self.step_into(walk, dentry, follow),
            None if last == Last::DotDot => self.walk_up(walk).map(|()| None),
            None => Ok(None),
        }
    }

    /// Finds a name in the directory (`lookup_fast()`, `lookup_slow()`).
    fn walk_name(&mut self, walk: &mut Walk<'_>, name: &[u8]) -> Result<Id<Dentry>, Failure> {
        if let Some(dentry) = self.find_lazily(walk, name)? {
            return Ok(dentry);
        }
        if self.is_known_missing(walk.path.dentry, name) {
            return Err(NO_SUCH_NAME);
        }
        // Other filesystems don't remember names that are not there.
        self.unlazy(walk)?;
        self.lookup_entry(walk.task, walk.path.dentry, name)?.ok_or(NO_SUCH_NAME)
    }

    /// Finds a name among those that are known (`lookup_fast()`).
    pub(super) fn find_lazily(&mut self, walk: &mut Walk<'_>, name: &[u8]) -> Result<Option<Id<Dentry>>, Failure> {
        let directory = walk.path.dentry;
        if walk.is_lazy && self.is_checked_again(directory, name) {
            self.unlazy(walk)?;
        }
        Ok(self.known_child(walk.task, directory, name))
    }

    /// A name that is known and, where that changes, still right.
    fn known_child(&mut self, task: Id<Task>, directory: Id<Dentry>, name: &[u8]) -> Option<Id<Dentry>> {
        let known = self.child(directory, name)?;
        match self.find_in_proc(task, directory, name) {
            Some(found) => found.ok(),
            None => Some(known),
        }
    }

    /// Whether the filesystem checks a name each time that it is looked up, for which it needs references
    /// (`d_revalidate()`): not so the processes in a proc.
    fn is_checked_again(&self, directory: Id<Dentry>, name: &[u8]) -> bool {
        let superblock = &self.superblocks[self.dentries[directory].superblock];
        match superblock.filesystem {
            FilesystemType::Sysfs => true,
            FilesystemType::Proc => {
                let is_of_process = name == b"self" || name == b"thread-self" || name.iter().all(u8::is_ascii_digit);
                let is_root = directory == superblock.root;
                !(is_root && is_of_process) && self.needs_references_to_check(directory)
            }
            _ => false,
        }
    }

    /// Finds a name in a directory: none if it is free, and an error if the directory is removed, or there can't be such a
    /// name (`lookup_one_qstr_excl()`).
    pub(crate) fn lookup_entry(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Result<Option<Id<Dentry>>, Failure> {
        if let Some(result) = self.find_in_proc(task, directory, name) {
            return result.map(Some);
        }
        if let Some(result) = self.find_in_overlay(task, directory, name) {
            return result;
        }
        if let Some(dentry) = self.child(directory, name) {
            return Ok(Some(dentry));
        }
        if self.is_dead(directory) {
            return Err(fail!(ENOENT, "lookup_one_qstr_excl()", "the directory has been removed"));
        }
        let superblock = self.dentries[directory].superblock;
        match self.superblocks[superblock].filesystem {
            FilesystemType::Proc => {
                Err(fail!(ENOENT, "proc_lookup_de()", "the name is none of proc, where nobody can make names"))
            }
            FilesystemType::Sysfs => {
                self.ask_for_name(directory, name);
                Ok(None)
            }
            _ if name.len() > MAX_NAME => {
                Err(fail!(ENAMETOOLONG, "simple_lookup()", "a component of the path is longer than 255 bytes"))
            }
            _ => {
                self.ask_for_name(directory, name);
                Ok(None)
            }
        }
    }
}
