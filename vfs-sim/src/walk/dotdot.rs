//! One step up: `..`.

use cofferdam::kernel::ResolveFlags;

use super::Walk;
use super::step::Follow;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::mount::{Mount, Path};

impl Linux {
    /// Goes to the directory above, and into what is mounted there (`handle_dots()`).
    pub(super) fn walk_up(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let parent = self.directory_above(walk)?;
        self.step_into(walk, parent, Follow::Never).map(|_| ())
    }

    /// The directory above, in the filesystem that the walk then is in (`follow_dotdot()`, `follow_dotdot_rcu()`).
    fn directory_above(&mut self, walk: &mut Walk<'_>) -> Result<Id<Dentry>, Failure> {
        let root = self.root_of_walk(walk);
        if walk.path == root {
            return stay_in_root(walk);
        }
        if self.is_root_of_mount(walk.path) {
            let Some(mountpoint) = self.mountpoint_above(walk.path.mount, root) else { return stay_in_root(walk) };
            let is_bounded = walk.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV);
            if is_bounded && walk.is_lazy {
                return Err(fail!(
                    ECHILD,
                    "follow_dotdot_rcu()",
                    "a .. leads out of a mount, which RESOLVE_NO_XDEV forbids a walk with references"
                ));
            }
            if !walk.is_lazy {
                self.touch_mount(walk.path.mount);
            }
            walk.path = mountpoint;
            if is_bounded {
                return Err(fail!(EXDEV, "follow_dotdot()", "a .. leads out of a mount, and RESOLVE_NO_XDEV is given"));
            }
        }
        let parent = self.dentries[walk.path.dentry].parent;
        if !self.is_connected(walk.path.mount, parent) {
            return Err(if walk.is_lazy {
                fail!(
                    ECHILD,
                    "follow_dotdot_rcu()",
                    "a directory is no longer below what its mount shows, which a walk with references must see"
                )
            } else {
                fail!(
                    ENOENT,
                    "follow_dotdot()",
                    "a .. leads up from a directory that is no longer below what its mount shows"
                )
            });
        }
        Ok(parent)
    }

    /// Where the mount, or the lowest of those below it that are stacked at the same place, is mounted; none if the root is
    /// in between, or it is mounted nowhere (`choose_mountpoint()`).
    fn mountpoint_above(&self, mut mount: Id<Mount>, root: Path) -> Option<Path> {
        while self.has_parent(mount) {
            let object = &self.mounts[mount];
            let place = Path { mount: object.parent, dentry: object.mountpoint };
            if place == root {
                return None;
            }
            if !self.is_root_of_mount(place) {
                return Some(place);
            }
            mount = object.parent;
        }
        None
    }

    /// Whether a directory is still below the root of the mount that it is seen through (`path_connected()`).
    fn is_connected(&self, mount: Id<Mount>, directory: Id<Dentry>) -> bool {
        let object = &self.mounts[mount];
        object.root == self.superblocks[object.superblock].root || self.is_subdirectory(directory, object.root)
    }
}

/// What is above the root: itself.
fn stay_in_root(walk: &Walk<'_>) -> Result<Id<Dentry>, Failure> {
    if walk.resolve.contains(ResolveFlags::RESOLVE_BENEATH) {
        return Err(if walk.is_lazy {
            fail!(
                ECHILD,
                "follow_dotdot_rcu()",
                "a .. leads out of the directory, which RESOLVE_BENEATH forbids a walk with references"
            )
        } else {
            fail!(
                EXDEV,
                "follow_dotdot()",
                "a .. leads out of the directory where the path starts, and RESOLVE_BENEATH is given"
            )
        });
    }
    Ok(walk.path.dentry)
}
