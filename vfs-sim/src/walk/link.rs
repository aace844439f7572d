//! Symbolic links.

use cofferdam::kernel::ResolveFlags;

use super::{Text, Walk};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Inode, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::{MntFlags, Path};
use crate::process::Task;

/// How many symbolic links a walk follows (`MAXSYMLINKS`).
const MAX_FOLLOWED: u32 = 40;

impl Linux {
    /// Follows a symbolic link; gives its target, unless that is already where the walk is now (`pick_link()`).
    ///
    /// fs.protected_symlinks is 0. The kernel takes references also to change the access time of the link, which is not
    /// simulated: it is as for a link that was followed before.
    pub(super) fn follow_link<'a>(&mut self, walk: &mut Walk<'_>, link: Path) -> Result<Option<Text<'a>>, Failure> {
        if !walk.is_lazy {
            self.touch_mount(link.mount);
        }
        if walk.followed >= MAX_FOLLOWED {
            walk.followed += 1;
            return Err(fail!(ELOOP, "reserve_stack()", "more than 40 symbolic links would be followed"));
        }
        walk.followed += 1;
        walk.links.push(link.mount);
        if walk.resolve.contains(ResolveFlags::RESOLVE_NO_SYMLINKS) {
            return Err(fail!(
                ELOOP,
                "pick_link()",
                "a component of the path is a symbolic link, and RESOLVE_NO_SYMLINKS is given"
            ));
        }
        if self.mounts[link.mount].flags.contains(MntFlags::NOSYMFOLLOW) {
            return Err(fail!(
                ELOOP,
                "pick_link()",
                "a component of the path is a symbolic link on a mount with nosymfollow"
            ));
        }
        let inode = self.dentries[link.dentry].inode;
        if let Some(target) = self.magic_link_target(walk.task, inode) {
            self.unlazy(walk)?;
            self.jump_to_place(walk, target?)?;
            walk.links.pop();
            return Ok(None);
        }
        if self.is_overlay(link.dentry) {
            // It is read from a layer (`ovl_get_link()`).
            self.unlazy(walk)?;
        }
        let target = self.link_text(walk.task, inode)?;
        if target.as_bytes().first() == Some(&b'/') {
            self.jump_to_root(walk)?;
        }
        if target.as_bytes().iter().all(|byte| *byte == b'/') {
            walk.links.pop();
            return Ok(None);
        }
        Ok(Some(Text::Link(target)))
    }

    /// Goes to where a magic link leads (`nd_jump_link()`).
    fn jump_to_place(&mut self, walk: &mut Walk<'_>, target: Path) -> Result<(), Failure> {
        if let Err(failure) = may_jump(walk, target) {
            self.touch_mount(target.mount);
            return Err(failure);
        }
        self.touch_mount(walk.path.mount);
        walk.path = target;
        Ok(())
    }

    /// The text of a symbolic link.
    fn link_text(&mut self, task: Id<Task>, inode: Id<Inode>) -> Result<Name, Failure> {
        if let Some(text) = self.entry_link_text(task, inode) {
            return text.map(|text| Name::from(text.as_slice()));
        }
        match &self.inodes[inode].kind {
            InodeKind::Symlink(target) => Ok(target.clone()),
            _ => Err(fail!(EINVAL, "do_readlinkat()", "the path leads to no symbolic link")),
        }
    }

    /// What readlink(2) tells of a symbolic link; `EINVAL` if it is none (`vfs_readlink()`).
    pub(crate) fn read_link(&mut self, task: Id<Task>, path: Path) -> Result<Vec<u8>, Failure> {
        let inode = self.dentries[path.dentry].inode;
        self.link_text(task, inode).map(|text| text.as_bytes().to_vec())
    }
}

/// Whether a walk may go to where a magic link leads.
fn may_jump(walk: &Walk<'_>, target: Path) -> Result<(), Failure> {
    if walk.resolve.contains(ResolveFlags::RESOLVE_NO_MAGICLINKS) {
        return Err(fail!(
            ELOOP,
            "nd_jump_link()",
            "a component of the path is a magic link, and RESOLVE_NO_MAGICLINKS is given"
        ));
    }
    if walk.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV) && walk.path.mount != target.mount {
        return Err(fail!(
            EXDEV,
            "nd_jump_link()",
            "a magic link leads to another mount, and RESOLVE_NO_XDEV is given"
        ));
    }
    if walk.resolve.intersects(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT) {
        return Err(fail!(
            EXDEV,
            "nd_jump_link()",
            "a component of the path is a magic link, and RESOLVE_BENEATH or RESOLVE_IN_ROOT is given"
        ));
    }
    Ok(())
}
