//! From a path to a place: the walk with its mounts, symbolic links, limits and permissions (`fs/namei.c`).
//!
//! The kernel walks without references as long as it can (`LOOKUP_RCU`). That shows: only a mount that a call had a
//! reference to loses its mark of `MNT_EXPIRE` when the call lets go of it, and `RESOLVE_CACHED` fails where the kernel would
//! need references. So a [`Walk`](state::Walk) says whether it is lazy.

mod component;
mod create;
mod dotdot;
mod intent;
mod last;
mod link;
mod locate;
mod permission;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use component::Last;
pub(crate) use create::NewName;
pub(crate) use intent::OpenIntent;
pub(crate) use last::Found;
pub(crate) use locate::End;
pub(crate) use permission::Access;

use bitflags::bitflags;
use cofferdam::kernel::{Errno, Fd, ResolveFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use component::Text;
use state::Walk;
use step::Follow;

/// The longest path, without the NUL at its end (`PATH_MAX`).
const MAX_PATH: usize = 4095;

bitflags! {
    /// How a path is walked (`LOOKUP_*` in `include/linux/namei.h`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct LookupFlags: u32 {
        /// A symbolic link at the end is followed.
        const FOLLOW = 1;
        /// The end must be a directory.
        const DIRECTORY = 1 << 1;
        /// An empty path means the directory descriptor itself (`AT_EMPTY_PATH`).
        const EMPTY = 1 << 2;
        /// The walk is that of umount2(2): at the end it goes down into what is mounted there (`LOOKUP_MOUNTPOINT`), and a
        /// mark of `MNT_EXPIRE` survives it.
        const KEEP_EXPIRY_MARK = 1 << 3;
        /// The directory descriptor must be our own, or we must be able to read everything where it was opened
        /// (`LOOKUP_LINKAT_EMPTY`: linkat(2) with `AT_EMPTY_PATH`).
        const LINKAT_EMPTY = 1 << 4;
    }
}

/// Where a walk starts and how it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup<'a> {
    /// Where a relative path starts.
    pub(crate) dirfd: Fd,
    /// The path.
    pub(crate) path: &'a [u8],
    /// How it is walked.
    pub(crate) flags: LookupFlags,
    /// The limits of openat2(2).
    pub(crate) resolve: ResolveFlags,
}

/// A path without its last name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent<'a> {
    /// The directory.
    pub(crate) path: Path,
    /// What the path says is in it.
    pub(crate) last: Last<'a>,
}

/// What a path is refused for before anything is looked up (`getname_flags()`).
pub(crate) fn check_path(path: &[u8], flags: LookupFlags) -> Result<(), Failure> {
    if path.is_empty() && !flags.contains(LookupFlags::EMPTY) {
        return Err(fail!(ENOENT, "getname_flags()", "the path is empty"));
    }
    if path.len() > MAX_PATH {
        return Err(fail!(ENAMETOOLONG, "getname_flags()", "the path is longer than 4095 bytes"));
    }
    Ok(())
}

impl Linux {
    /// Walks a path to its end, which must exist (`filename_lookup()`).
    pub(crate) fn lookup(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: LookupFlags,
    ) -> Result<Path, Failure> {
        self.walk(task, &Lookup { dirfd, path, flags, resolve: ResolveFlags::empty() })
    }

    /// Walks a path to its end, which must exist, within limits (`filename_lookup()`).
    pub(crate) fn walk(&mut self, task: Id<Task>, lookup: &Lookup<'_>) -> Result<Path, Failure> {
        check_path(lookup.path, lookup.flags)?;
        let path = self.attempt(task, lookup, Self::walk_to_end)?;
        if !lookup.flags.contains(LookupFlags::KEEP_EXPIRY_MARK) {
            self.touch_mount(path.mount);
        }
        Ok(path)
    }

    /// Walks a path up to its last name, which need not exist (`filename_parentat()`).
    pub(crate) fn walk_parent<'a>(&mut self, task: Id<Task>, lookup: &Lookup<'a>) -> Result<Parent<'a>, Failure> {
        check_path(lookup.path, lookup.flags)?;
        let parent = self.attempt(task, lookup, Self::walk_to_parent)?;
        self.touch_mount(parent.path.mount);
        Ok(parent)
    }

    /// Walks lazily, and again with references if it does not work out so.
    fn attempt<'a, T>(
        &mut self,
        task: Id<Task>,
        lookup: &Lookup<'a>,
        way: impl Fn(&mut Self, &mut Walk<'a>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut walk = Walk::new(task, lookup);
        let mut result = way(self, &mut walk);
        if result.is_err() {
            self.abandon(&walk);
        }
        if matches!(result, Err(failure) if failure.is(Errno::ECHILD)) {
            if lookup.resolve.contains(ResolveFlags::RESOLVE_CACHED) {
                return Err(fail!(
                    EAGAIN,
                    "path_init()",
                    "the path cannot be walked with what is cached alone, and RESOLVE_CACHED is given"
                ));
            }
            walk.restart(lookup);
            result = way(self, &mut walk);
            if result.is_err() {
                self.abandon(&walk);
            }
        }
        result
    }

    /// `path_lookupat()`
    fn walk_to_end(&mut self, walk: &mut Walk<'_>) -> Result<Path, Failure> {
        self.start(walk)?;
        let mut text = Some(Text::Given(walk.text));
        while let Some(rest) = text {
            let tail = self.walk_components(walk, rest)?;
            if tail.has_trailing_slashes() {
                walk.flags |= LookupFlags::FOLLOW | LookupFlags::DIRECTORY;
            }
            text = self.walk_component(walk, tail.last(), Follow::Last)?;
        }
        if walk.flags.contains(LookupFlags::KEEP_EXPIRY_MARK) {
            self.step_into(walk, walk.path.dentry, Follow::Never)?;
        }
        self.complete(walk)?;
        if walk.flags.contains(LookupFlags::DIRECTORY) && !self.is_directory(walk.path.dentry) {
            return Err(fail!(ENOTDIR, "path_lookupat()", "the path leads to something that is no directory"));
        }
        Ok(walk.path)
    }

    /// `path_parentat()`
    fn walk_to_parent<'a>(&mut self, walk: &mut Walk<'a>) -> Result<Parent<'a>, Failure> {
        self.start(walk)?;
        let tail = self.walk_components(walk, Text::Given(walk.text))?;
        self.complete(walk)?;
        Ok(Parent { path: walk.path, last: tail.last_of(walk.text) })
    }
}
