//! How far a walk has come: its start, its end, and what it has references to (`struct nameidata`).

use cofferdam::kernel::{Capabilities, Fd, ResolveFlags};

use super::{Lookup, LookupFlags};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::process::Task;

/// A walk under way (`struct nameidata`).
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(super) task: Id<Task>,
    dirfd: Fd,
    /// The path that was given.
    pub(super) text: &'a [u8],
    pub(super) flags: LookupFlags,
    pub(super) resolve: ResolveFlags,
    /// Where it is.
    pub(super) path: Path,
    /// Whether it has been anywhere yet.
    has_started: bool,
    /// What `..` does not leave, and where absolute links start; found when first needed.
    pub(super) root: Option<Path>,
    /// Whether it has no references (`LOOKUP_RCU`).
    pub(super) is_lazy: bool,
    /// How many symbolic links were followed, those of a first attempt included (`total_link_count`).
    pub(super) followed: u32,
    /// The mounts of the symbolic links that are being followed, outermost first.
    pub(super) links: Vec<Id<Mount>>,
    /// Whether somebody wants to know which name was not found: to note it takes time.
    pub(super) notes_missing: bool,
    /// The name that was not found, and whether it is the last one.
    pub(super) missing: Option<(Name, bool)>,
}

/// The walks that do not leave where they start (`LOOKUP_IS_SCOPED`).
const SCOPED: ResolveFlags = ResolveFlags::RESOLVE_BENEATH.union(ResolveFlags::RESOLVE_IN_ROOT);

impl<'a> Walk<'a> {
    pub(super) fn new(task: Id<Task>, lookup: &Lookup<'a>) -> Self {
        Self {
            task,
            dirfd: lookup.dirfd,
            text: lookup.path,
            flags: lookup.flags,
            resolve: lookup.resolve,
            path: Path { mount: Id::from_number(0), dentry: Id::from_number(0) },
            has_started: false,
            root: None,
            is_lazy: !lookup.path.is_empty(),
            followed: 0,
            links: Vec::new(),
            notes_missing: false,
            missing: None,
        }
    }

    /// Back to the start, with references this time.
    pub(super) fn restart(&mut self, lookup: &Lookup<'_>) {
        self.flags = lookup.flags;
        self.has_started = false;
        self.root = None;
        self.is_lazy = false;
        self.links.clear();
    }
}

impl Linux {
    /// Goes to where the path starts (`path_init()`).
    pub(super) fn start(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        if walk.text.first() == Some(&b'/') && !walk.resolve.contains(ResolveFlags::RESOLVE_IN_ROOT) {
            return self.jump_to_root(walk);
        }
        if walk.dirfd == Fd::CWD {
            walk.path = self.fs_states[self.tasks[walk.task].fs].cwd;
        } else {
            let file = &self.files[self.file(walk.task, walk.dirfd)?];
            if walk.flags.contains(LookupFlags::LINKAT_EMPTY)
                && !std::sync::Arc::ptr_eq(&file.credentials, &self.tasks[walk.task].credentials)
                && !self.ns_capable(walk.task, file.credentials.user_namespace, Capabilities::CAP_DAC_READ_SEARCH)
            {
                return Err(fail!(
                    ENOENT,
                    "path_init()",
                    "the file was opened with other credentials, and the process has no CAP_DAC_READ_SEARCH over them"
                ));
            }
            if !walk.text.is_empty() && !self.is_directory(file.path.dentry) {
                return Err(fail!(
                    ENOTDIR,
                    "path_init()",
                    "the path is relative to a file descriptor of something that is no directory"
                ));
            }
            walk.path = file.path;
        }
        walk.has_started = true;
        if walk.resolve.intersects(SCOPED) {
            walk.root = Some(walk.path);
        }
        Ok(())
    }

    /// The root of the process, or that of a walk that stays in a directory (`set_root()`).
    pub(super) fn root_of_walk(&mut self, walk: &mut Walk<'_>) -> Path {
        if let Some(root) = walk.root {
            return root;
        }
        let root = self.fs_states[self.tasks[walk.task].fs].root;
        walk.root = Some(root);
        if !walk.is_lazy {
            self.touch_mount(root.mount);
        }
        root
    }

    /// Goes to the root (`nd_jump_root()`).
    pub(super) fn jump_to_root(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        if walk.resolve.contains(ResolveFlags::RESOLVE_BENEATH) {
            return Err(fail!(
                EXDEV,
                "nd_jump_root()",
                "the path or a symbolic link in it is absolute, and RESOLVE_BENEATH is given"
            ));
        }
        // A root that the walk has not needed yet is no mount that it is on, even if it is the same.
        if walk.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV)
            && walk.has_started
            && walk.root.is_none_or(|root| root.mount != walk.path.mount)
        {
            return Err(fail!(
                EXDEV,
                "nd_jump_root()",
                "an absolute symbolic link leads to another mount, and RESOLVE_NO_XDEV is given"
            ));
        }
        let root = self.root_of_walk(walk);
        if walk.has_started && !walk.is_lazy {
            self.touch_mount(walk.path.mount);
        }
        walk.path = root;
        walk.has_started = true;
        Ok(())
    }

    /// Takes references from here on (`try_to_unlazy()`).
    pub(super) fn unlazy(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        if !walk.is_lazy {
            return Ok(());
        }
        if walk.resolve.contains(ResolveFlags::RESOLVE_CACHED) {
            return Err(fail!(
                ECHILD,
                "try_to_unlazy()",
                "the walk needs references from here on, which RESOLVE_CACHED forbids"
            ));
        }
        self.take_references(walk);
        Ok(())
    }

    /// What was taken is let go of later: the marks can go at once.
    fn take_references(&mut self, walk: &mut Walk<'_>) {
        walk.is_lazy = false;
        for link in &walk.links {
            self.touch_mount(*link);
        }
        if let Some(root) = walk.root {
            self.touch_mount(root.mount);
        }
    }

    /// Ends a walk where it is (`complete_walk()`).
    pub(super) fn complete(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let is_scoped = walk.resolve.intersects(SCOPED);
        if walk.is_lazy {
            if !is_scoped {
                walk.root = None;
            }
            self.take_references(walk);
        }
        match walk.root {
            Some(root) if is_scoped && !self.is_reachable(walk.path, root) => Err(fail!(
                EXDEV,
                "complete_walk()",
                "the path ends outside of the directory that RESOLVE_BENEATH or RESOLVE_IN_ROOT keeps it in"
            )),
            _ => Ok(()),
        }
    }

    /// Lets go of what a walk that has failed had references to (`terminate_walk()`).
    pub(super) fn abandon(&mut self, walk: &Walk<'_>) {
        if walk.has_started && !walk.is_lazy {
            self.touch_mount(walk.path.mount);
        }
    }

    /// Whether a directory was removed, or another has come in its place (`IS_DEADDIR()`).
    pub(crate) fn is_dead(&self, directory: Id<Dentry>) -> bool {
        self.inodes[self.dentries[directory].inode].is_dead
    }

    /// Whether something is a directory (`d_can_lookup()`).
    pub(crate) fn is_directory(&self, dentry: Id<Dentry>) -> bool {
        self.inodes[self.dentries[dentry].inode].is_directory()
    }
}
