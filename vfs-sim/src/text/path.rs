//! Paths of places as text (`fs/d_path.c`).

use crate::arena::Id;
use crate::filesystem::{Dentry, Name};
use crate::linux::Linux;
use crate::mount::Path;

/// The path of a place, as seen from a root (`prepend_path()`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathText {
    /// The names up to the root; where the root is not above the place, up to the root of its tree of mounts. Always with a
    /// slash in front, and without what `d_path()` or getcwd(2) say of deleted and unreachable places.
    pub(crate) bytes: Vec<u8>,
    /// Whether the root is above the place.
    pub(crate) is_reachable: bool,
    /// Whether the place itself has lost its name (`d_unlinked()`).
    pub(crate) is_deleted: bool,
}

impl Linux {
    /// The path of a place, as seen from a root (`prepend_path()`).
    pub(crate) fn path_text(&self, path: Path, root: Path) -> PathText {
        let mut names = Vec::new();
        let Path { mut mount, mut dentry } = path;
        let is_reachable = loop {
            if dentry == root.dentry && mount == root.mount {
                break true;
            }
            let object = &self.mounts[mount];
            if dentry == object.root {
                if object.parent == mount {
                    break false;
                }
                dentry = object.mountpoint;
                mount = object.parent;
                continue;
            }
            let object = &self.dentries[dentry];
            if object.parent == dentry {
                // Above the root of the mount, where a bind mounted directory was moved to: nothing of it is told.
                names.clear();
                break false;
            }
            names.push(&object.name);
            dentry = object.parent;
        };
        PathText { bytes: join(&names), is_reachable, is_deleted: self.is_deleted(path.dentry) }
    }

    /// The path of a dentry in its filesystem, as the root in mountinfo: with `//deleted` behind it if it has lost its name
    /// (`dentry_path()`).
    pub(crate) fn dentry_text(&self, dentry: Id<Dentry>) -> Vec<u8> {
        if let Some(name) = self.name_without_path(dentry) {
            return name.as_bytes().to_vec();
        }
        let mut names = Vec::new();
        let mut above = dentry;
        loop {
            let object = &self.dentries[above];
            if object.parent == above {
                break;
            }
            names.push(&object.name);
            above = object.parent;
        }
        let mut bytes = join(&names);
        if self.is_deleted(dentry) {
            bytes.extend_from_slice(b"//deleted");
        }
        bytes
    }

    /// What stands for the path of a file of a namespace, which has none (`nsfs_show_path()`).
    pub(super) fn name_without_path(&self, dentry: Id<Dentry>) -> Option<&Name> {
        let object = &self.dentries[dentry];
        let filesystem = &self.superblocks[object.superblock].filesystem;
        (filesystem.name() == b"nsfs").then_some(&object.name)
    }

    /// Whether a dentry has lost its name (`d_unlinked()`). That is for what people read; whether a directory is of use
    /// still is [`is_dead`](Self::is_dead).
    pub(crate) fn is_deleted(&self, dentry: Id<Dentry>) -> bool {
        let object = &self.dentries[dentry];
        !object.is_hashed && object.parent != dentry
    }
}

/// The names, innermost first, with a slash before each; a slash if there is none.
fn join(names: &[&Name]) -> Vec<u8> {
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut bytes = Vec::with_capacity(names.iter().map(|name| name.as_bytes().len() + 1).sum());
    for name in names.iter().rev() {
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{FilesystemType, InodeKind};

    fn directory(linux: &mut Linux, parent: Id<Dentry>, name: &str) -> Id<Dentry> {
        let superblock = linux.dentries[parent].superblock;
        let inode = linux.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
        linux.new_dentry(parent, Name::from(name), inode)
    }

    fn text(linux: &Linux, path: Path, root: Path) -> (String, bool, bool) {
        let PathText { bytes, is_reachable, is_deleted } = linux.path_text(path, root);
        (String::from_utf8(bytes).unwrap(), is_reachable, is_deleted)
    }

    #[test]
    fn names_are_joined_over_mounts_up_to_the_root() {
        let mut linux = Linux::new();
        let root = linux.fs_states[linux.tasks[linux.init].fs].root;
        let a = directory(&mut linux, root.dentry, "a");
        let b = directory(&mut linux, a, "b");
        let superblock = linux.new_superblock(FilesystemType::Tmpfs, linux.initial_user_namespace);
        let mount = linux.new_mount(linux.superblocks[superblock].root, &Name::from("t"));
        linux.attach(mount, Path { mount: root.mount, dentry: b });
        let top = linux.mounts[mount].root;
        let c = directory(&mut linux, top, "c");

        let place = Path { mount, dentry: c };
        assert_eq!(text(&linux, place, root), ("/a/b/c".into(), true, false));
        assert_eq!(text(&linux, root, root), ("/".into(), true, false));
        assert_eq!(text(&linux, place, Path { mount: root.mount, dentry: a }), ("/b/c".into(), true, false));
        // Seen from inside, what is outside has its whole path.
        assert_eq!(text(&linux, Path { mount: root.mount, dentry: a }, place), ("/a".into(), false, false));
        assert_eq!(linux.dentry_text(c), b"/c");

        linux.dentry_get(c);
        linux.unhash(c);
        assert_eq!(text(&linux, place, root), ("/a/b/c".into(), true, true));
        assert_eq!(linux.dentry_text(c), b"/c//deleted");

        linux.detach(mount);
        assert_eq!(text(&linux, place, root), ("/c".into(), false, true));
    }

    #[test]
    fn a_place_above_the_root_of_its_mount_has_no_path() {
        let mut linux = Linux::new();
        let root = linux.fs_states[linux.tasks[linux.init].fs].root;
        let a = directory(&mut linux, root.dentry, "a");
        let b = directory(&mut linux, a, "b");
        let mount = linux.new_mount(b, &Name::from("bind"));
        assert_eq!(text(&linux, Path { mount, dentry: a }, root), ("/".into(), false, false));
    }
}
