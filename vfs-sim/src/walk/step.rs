//! One step down: into what is mounted there, and to the symbolic link that is to be followed.

use cofferdam::kernel::{FileType, ResolveFlags};

use super::{LookupFlags, Text, Walk};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::mount::Path;

/// Where in a path a name is, which says whether a symbolic link is followed (`WALK_TRAILING`, `WALK_MORE`,
/// `WALK_NOFOLLOW`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// More names follow it.
    Between,
    /// It is the last name of a symbolic link, behind which the walk goes on.
    LastOfLink,
    /// It is the last one: as the walk says.
    Last,
    /// It is a directory that is no name.
    Never,
}

impl Linux {
    /// Goes to an entry of the directory; gives the target of a symbolic link that is to be followed (`step_into()`).
    pub(super) fn step_into<'a>(
        &mut self,
        walk: &mut Walk<'_>,
        dentry: Id<Dentry>,
        follow: Follow,
    ) -> Result<Option<Text<'a>>, Failure> {
        let place = self.cross_mounts(walk, Path { mount: walk.path.mount, dentry })?;
        let follows = match follow {
            Follow::Between | Follow::LastOfLink => true,
            Follow::Last => walk.flags.contains(LookupFlags::FOLLOW),
            Follow::Never => false,
        };
        if follows && self.inodes[self.dentries[place.dentry].inode].file_type() == FileType::Symlink {
            return self.follow_link(walk, place);
        }
        if walk.path.mount != place.mount && !walk.is_lazy {
            self.touch_mount(walk.path.mount);
        }
        walk.path = place;
        Ok(None)
    }

    /// The root of the topmost mount on a place, or the place itself (`handle_mounts()`).
    fn cross_mounts(&mut self, walk: &mut Walk<'_>, place: Path) -> Result<Path, Failure> {
        if self.dentries[place.dentry].mounts.is_empty() {
            return Ok(place);
        }
        if walk.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV) {
            // Even if the mount on it is in another namespace.
            self.unlazy(walk)?;
            let Some(mount) = self.lookup_mount(place) else { return Ok(place) };
            self.touch_mount(mount);
            return Err(fail!(
                EXDEV,
                "handle_mounts()",
                "something is mounted on a component of the path, and RESOLVE_NO_XDEV is given"
            ));
        }
        let mut top = place;
        while let Some(mount) = self.lookup_mount(top) {
            if top != place && !walk.is_lazy {
                self.touch_mount(top.mount);
            }
            top = self.root_of(mount);
        }
        Ok(top)
    }
}
