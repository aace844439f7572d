//! Making things (`fs/overlayfs/dir.c`).

use std::sync::Arc;

use cofferdam::kernel::RenameFlags;

use super::inode::Behind;
use super::marks::CANT_HIDE;
use super::real::WHITEOUT;
use super::state::{InodeFlags, NOTHING_BEHIND, NameFlags};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Inode, InodeKind, Name, SuperBlock};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::{Credentials, Task};
use crate::syscalls::Attributes;

/// What is to be made (`struct ovl_cattr`).
#[derive(Clone, Debug)]
enum Wanted {
    /// One more name.
    Link(Id<Inode>),
    /// Something new.
    New(InodeKind, u32),
}

impl Wanted {
    fn is_directory(&self) -> bool {
        matches!(self, Self::New(InodeKind::Directory, _))
    }
}

impl Linux {
    /// Makes something in a directory of an overlay, where the name is free (`ovl_create_object()`).
    pub(crate) fn make_in_overlay(
        &mut self,
        task: Id<Task>,
        directory: Path,
        name: &[u8],
        kind: InodeKind,
        mode: u32,
    ) -> Result<Id<Dentry>, Failure> {
        const SET_GID: u32 = 0o2000;
        if matches!(kind, InodeKind::CharacterDevice(device) if device == WHITEOUT) {
            return Err(fail!(
                EPERM,
                "ovl_mknod()",
                "a character device 0:0 is a whiteout, which can't be made in an overlay"
            ));
        }
        self.copy_up(task, directory.dentry)?;
        let superblock = self.dentries[directory.dentry].superblock;
        self.want_write_upper(superblock)?;
        let is_directory = matches!(kind, InodeKind::Directory);
        let parent = &self.inodes[self.dentries[directory.dentry].inode];
        let mode = if is_directory { mode | parent.mode & SET_GID } else { mode };
        let creator = self.creator_for(task, directory.dentry)?;
        self.as_other(task, creator, |linux| linux.make_name(task, directory.dentry, name, &Wanted::New(kind, mode)))
    }

    /// One more name for a file (`ovl_link()`).
    pub(crate) fn link_in_overlay(
        &mut self,
        task: Id<Task>,
        old: Id<Dentry>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Result<(), Failure> {
        self.copy_up(task, old)?;
        self.copy_up(task, directory)?;
        let superblock = self.dentries[directory].superblock;
        self.want_write_upper(superblock)?;
        let state = self.overlay_entry(old).ok_or(fail!(
            EXDEV,
            "vfs_link()",
            "the file and the directory of its new name are on different filesystems"
        ))?;
        let (has_origin, upper) = (state.has_origin(), state.upper.ok_or(NOTHING_BEHIND)?);
        let real = self.dentries[upper].inode;
        self.as_mounter(task, superblock, |linux| {
            if has_origin {
                linux.set_impure(task, directory)?;
            }
            linux.make_in_upper(task, directory, name, &Wanted::Link(real))
        })?;
        let inode = self.dentries[old].inode;
        if self.inodes[inode].links == 0 {
            self.superblocks[superblock].removed -= 1;
        }
        self.inodes[inode].links += 1;
        // The new name is looked up anew when it is needed.
        self.dentries[directory].missing.remove(name);
        Ok(())
    }

    /// Makes something with its inode and its name.
    fn make_name(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
        wanted: &Wanted,
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[directory].superblock;
        let (upper, mut flags) = self.make_in_upper(task, directory, name, wanted)?;
        flags |= NameFlags::UPPER;
        let inode = self.overlay_inode_of_new(superblock, upper)?;
        self.dentries[directory].missing.remove(name);
        let dentry = self.new_dentry(directory, Name::from(name), inode);
        self.dentries[dentry].name_flags = flags;
        Ok(dentry)
    }

    /// The inode of what was just made in the upper layer (`ovl_instantiate()`).
    pub(super) fn overlay_inode_of_new(
        &mut self,
        superblock: Id<SuperBlock>,
        upper: Id<Dentry>,
    ) -> Result<Id<Inode>, Failure> {
        let real = self.dentries[upper].inode;
        let behind = Behind { upper: Some(upper), lower: Vec::new() };
        let inode = self.new_overlay_inode(superblock, behind, InodeFlags::empty())?;
        self.number_overlay_inode(inode, real, None)?;
        self.key_overlay_inode(inode, real)?;
        Ok(inode)
    }

    /// Makes something in the upper layer; says what is known of the name then (`ovl_create_handle_whiteouts()`).
    fn make_in_upper(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
        wanted: &Wanted,
    ) -> Result<(Id<Dentry>, NameFlags), Failure> {
        let known = self.dentries[directory].missing.get(name).copied().unwrap_or_default();
        if known.contains(NameFlags::OPAQUE) {
            let upper = self.make_over_whiteout(task, directory, name, wanted)?;
            self.directory_was_modified(directory, false);
            return Ok((upper, known));
        }
        let target = self.upper_directory(directory)?;
        if self.find_in_layer(task, target, name)?.is_some() {
            return Err(fail!(
                ESTALE,
                "ovl_create_real()",
                "the upper layer was changed behind the overlay: it has something at the new name"
            ));
        }
        let upper = match wanted {
            Wanted::Link(inode) => self.link_in_layer(task, *inode, target, name)?,
            Wanted::New(kind, mode) => self.make_in_layer(task, target, name, kind.clone(), *mode)?,
        };
        let superblock = self.dentries[directory].superblock;
        let mut flags = known;
        let is_in_merged = self.overlay_entry(directory).is_some_and(|state| state.is_merged(true));
        let hides = is_in_merged && wanted.is_directory();
        if hides && !self.overlay(superblock)?.config.allows_changes_offline() {
            // If it can't be noted, it can't.
            let noted = self.note_if_possible(task, superblock, upper, Err(CANT_HIDE), |noted| noted.opaque = true);
            flags.set(NameFlags::OPAQUE, noted.is_ok());
        }
        self.directory_was_modified(directory, false);
        Ok((upper, flags))
    }

    /// What takes the place of a whiteout is made in the directory for work first (`ovl_create_over_whiteout()`).
    fn make_over_whiteout(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
        wanted: &Wanted,
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[directory].superblock;
        let work = self.work_directory(superblock)?;
        let target = self.upper_directory(directory)?;
        let whiteout = self.find_in_layer(task, target, name)?.filter(|found| self.is_whiteout(*found));
        let whiteout = whiteout.ok_or(fail!(
            ESTALE,
            "ovl_create_over_whiteout()",
            "the upper layer was changed behind the overlay: it has no whiteout at the new name any more"
        ))?;
        let temporary = self.temporary_name();
        let made = match wanted {
            Wanted::Link(inode) => self.link_in_layer(task, *inode, work, temporary.as_bytes())?,
            Wanted::New(kind, mode) => self.make_in_layer(task, work, temporary.as_bytes(), kind.clone(), *mode)?,
        };
        let result = self
            .finish_over_whiteout(task, superblock, Path { mount: work.mount, dentry: made }, wanted)
            .and_then(|()| {
                let flags = if wanted.is_directory() { RenameFlags::RENAME_EXCHANGE } else { RenameFlags::empty() };
                self.rename_from_work(task, (work, made), (target, name, Some(whiteout)), flags)
            });
        if let Err(failure) = result {
            self.clean_up_in_layer(task, work, made);
            return Err(failure);
        }
        if wanted.is_directory() {
            self.clean_up_in_layer(task, work, whiteout);
        }
        Ok(made)
    }

    /// Gives what was made in the directory for work the mode that it gets in the right one, and hides what is below.
    fn finish_over_whiteout(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        place: Path,
        wanted: &Wanted,
    ) -> Result<(), Failure> {
        let Wanted::New(kind, wanted_mode) = wanted else { return Ok(()) };
        let inode = self.dentries[place.dentry].inode;
        let umask = self.fs_states[self.tasks[task].fs].umask;
        let mode = wanted_mode & !umask;
        if !matches!(kind, InodeKind::Symlink(_)) && self.inodes[inode].mode != mode {
            let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
            self.change_attributes(task, place, attributes)?;
        }
        if matches!(kind, InodeKind::Directory) {
            self.note_if_possible(task, superblock, place.dentry, Err(CANT_HIDE), |noted| noted.opaque = true)?;
        }
        Ok(())
    }

    /// A file of an overlay without a name (`ovl_tmpfile()`).
    pub(crate) fn make_unnamed_in_overlay(
        &mut self,
        task: Id<Task>,
        directory: Path,
        mode: u32,
    ) -> Result<Id<Dentry>, Failure> {
        let superblock = self.dentries[directory.dentry].superblock;
        if !self.overlay(superblock)?.makes_unnamed {
            return Err(fail!(
                EOPNOTSUPP,
                "ovl_tmpfile()",
                "the overlay has no upper layer, or one in which no file without a name can be made"
            ));
        }
        self.copy_up(task, directory.dentry)?;
        self.want_write_upper(superblock)?;
        let creator = self.creator_for(task, directory.dentry)?;
        let target = self.upper_directory(directory.dentry)?;
        let upper = self.as_other(task, creator, |linux| linux.make_unnamed_in_layer(task, target, mode))?;
        let inode = self.overlay_inode_of_new(superblock, upper)?;
        self.dentry_put(upper);
        self.drop_link(inode);
        let name = Name::from(format!("#{}", self.inodes[inode].number).as_str());
        let dentry = self.new_unnamed_dentry(directory.dentry, name, inode);
        self.dentries[dentry].name_flags = NameFlags::UPPER;
        Ok(dentry)
    }

    /// Who makes things in the layers, with the owner that they get (`ovl_override_creator_creds()`, `inode_init_owner()`).
    fn creator_for(&self, task: Id<Task>, directory: Id<Dentry>) -> Result<Arc<Credentials>, Failure> {
        const SET_GID: u32 = 0o2000;
        let own = &self.tasks[task].credentials;
        let parent = &self.inodes[self.dentries[directory].inode];
        let gid = if parent.mode & SET_GID == 0 { own.filesystem_gid } else { parent.gid };
        let creator = self.overlay_of(directory)?.creator.clone();
        let uid = own.filesystem_uid;
        Ok(Arc::new(Credentials { filesystem_uid: uid, filesystem_gid: gid, ..(*creator).clone() }))
    }
}
