//! Where a walk ends, or what it misses, for somebody outside who may see everything.

use std::sync::Arc;

use cofferdam::kernel::{Errno, Fd, ResolveFlags};

use super::{Lookup, LookupFlags, Walk, check_path};
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::process::Task;

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At what the path leads to.
    At(Id<Dentry>),
    /// In a directory that has no such name.
    Missing {
        directory: Id<Dentry>,
        name: Name,
        /// Whether it is the last name of the walk.
        is_last: bool,
    },
    /// At something that should be a directory.
    NotADirectory(Id<Dentry>),
}

impl Linux {
    /// Walks a path from where a process is, with the privileges of init. To be called on a copy: a walk leaves traces.
    pub(crate) fn walk_with_all_privileges(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        flags: LookupFlags,
    ) -> Result<End, Failure> {
        check_path(path, flags)?;
        self.tasks[task].credentials = Arc::clone(&self.tasks[self.init].credentials);
        let lookup = Lookup { dirfd, path, flags, resolve: ResolveFlags::empty() };
        let mut walk = Walk::new(task, &lookup);
        walk.restart(&lookup);
        walk.notes_missing = true;
        let result = self.walk_to_end(&mut walk);
        match (result, walk.missing) {
            (Ok(end), _) => Ok(End::At(end.dentry)),
            (Err(failure), Some((name, is_last))) if failure.is(Errno::ENOENT) => {
                Ok(End::Missing { directory: walk.path.dentry, name, is_last })
            }
            (Err(failure), None) if failure.is(Errno::ENOTDIR) => Ok(End::NotADirectory(walk.path.dentry)),
            (Err(failure), _) => Err(failure),
        }
    }
}
