//! From a path to a place: the walk with its mounts, symbolic links, limits and permissions (`fs/namei.c`).

use bitflags::bitflags;
use cofferdam::kernel::{Errno, Fd, ResolveFlags};

use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;

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
        /// The walk is that of umount2(2): a mark of `MNT_EXPIRE` survives it.
        const KEEP_EXPIRY_MARK = 1 << 3;
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

impl Linux {
    /// Walks a path to its end, which must exist (`filename_lookup()`).
    pub(crate) fn lookup(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], flags: LookupFlags) -> Result<Path, Errno> {
        self.walk(task, &Lookup { dirfd, path, flags, resolve: ResolveFlags::empty() })
    }

    pub(crate) fn walk(&mut self, task: Id<Task>, lookup: &Lookup<'_>) -> Result<Path, Errno> {
        let _ = (task, lookup);
        Err(Errno::ENOSYS)
    }
}
