//! Changing permissions and owners.

use cofferdam::kernel::{AtFlags, Capabilities, Fd, Mode};

use super::stat::lookup_flags;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FilesystemType, Inode, InodeKind};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::namespace::IdExtent;
use crate::process::Task;
use crate::walk::LookupFlags;

const ALL: u32 = 0o7777;
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// What belongs to nobody, as seen through the mount, is not changed.
pub(super) const UNMAPPED_OWNER: Failure =
    fail!(EOVERFLOW, "notify_change()", "the owner or the group of the file has no number through this mount");

/// What is to become of a file (`struct iattr`). Ids are those of the initial user namespace, as seen through the mount.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// The set-id bits that it loses if it has them (`ATTR_KILL_SUID`, `ATTR_KILL_SGID`). An overlay leaves it to the file
    /// in its layer which these are.
    pub(crate) killed: u32,
}

impl Linux {
    /// fchmod(2)
    pub(crate) fn fchmod(&mut self, task: Id<Task>, fd: Fd, mode: Mode) -> Result<(), Failure> {
        let path = self.files[self.readable_file(task, fd)?].path;
        self.chmod(task, path, mode)
    }

    /// fchmodat(2)
    pub(crate) fn fchmodat(&mut self, task: Id<Task>, dirfd: Fd, path: &[u8], mode: Mode) -> Result<(), Failure> {
        let path = self.lookup(task, dirfd, path, LookupFlags::FOLLOW)?;
        self.chmod(task, path, mode)
    }

    /// `chmod_common()`
    fn chmod(&mut self, task: Id<Task>, path: Path, mode: Mode) -> Result<(), Failure> {
        self.want_write(path.mount)?;
        let inode = self.dentries[path.dentry].inode;
        if matches!(self.inodes[inode].kind, InodeKind::Symlink(_)) {
            return Err(fail!(EOPNOTSUPP, "notify_change()", "a symbolic link has no mode that can be changed"));
        }
        let attributes = Attributes { mode: Some(mode.0 & ALL), ..Attributes::default() };
        self.change_attributes(task, path, attributes)
    }

    /// fchownat(2)
    pub(crate) fn fchownat(
        &mut self,
        task: Id<Task>,
        dirfd: Fd,
        path: &[u8],
        owner: Option<u32>,
        group: Option<u32>,
        flags: AtFlags,
    ) -> Result<(), Failure> {
        if !(AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH).contains(flags) {
            return Err(fail!(
                EINVAL,
                "do_fchownat()",
                "a flag is not one that the call knows: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH"
            ));
        }
        let path = self.lookup(task, dirfd, path, lookup_flags(flags))?;
        self.want_write(path.mount)?;
        self.chown(task, path, owner, group)
    }

    /// `chown_common()`: it takes the set-id bits of what is no directory, even if the owner stays.
    fn chown(&mut self, task: Id<Task>, path: Path, owner: Option<u32>, group: Option<u32>) -> Result<(), Failure> {
        let namespace = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
        let no_user = fail!(EINVAL, "chown_common()", "there is no such user in the process's user namespace");
        let no_group = fail!(EINVAL, "chown_common()", "there is no such group in the process's user namespace");
        let uid = new_id(owner, &namespace.uid_map, no_user)?;
        let gid = new_id(group, &namespace.gid_map, no_group)?;
        let inode = self.dentries[path.dentry].inode;
        let mode = self.inodes[inode].mode;
        let mut killed = 0;
        if !self.inodes[inode].is_directory() {
            let drops_group = mode & GROUP_EXECUTE != 0 || !self.is_in_group_or_capable(task, path.mount, inode);
            // `setattr_should_drop_sgid()`
            killed = SET_UID | if drops_group { mode & SET_GID } else { 0 };
        }
        self.change_attributes(task, path, Attributes { mode: None, uid, gid, killed })
    }

    /// Changes mode and owner, if the process may (`notify_change()`, `setattr_prepare()`, `setattr_copy()`).
    pub(crate) fn change_attributes(
        &mut self,
        task: Id<Task>,
        path: Path,
        attributes: Attributes,
    ) -> Result<(), Failure> {
        let (mount, inode) = (path.mount, self.dentries[path.dentry].inode);
        let now = self.inodes[inode].mode;
        let kills = now & attributes.killed != 0;
        let attributes =
            Attributes { mode: if kills { Some(now & !attributes.killed) } else { attributes.mode }, ..attributes };
        let (uid, gid) = self.owner_through(mount, inode);
        let no_user = fail!(EOVERFLOW, "notify_change()", "the filesystem has no number for the new owner");
        let no_group = fail!(EOVERFLOW, "notify_change()", "the filesystem has no number for the new group");
        let owner = attributes.uid.map(|uid| self.uid_of_filesystem(mount, uid).ok_or(no_user)).transpose()?;
        let group = attributes.gid.map(|gid| self.gid_of_filesystem(mount, gid).ok_or(no_group)).transpose()?;
        if (owner.is_none() && uid.is_none()) || (group.is_none() && gid.is_none()) {
            return Err(UNMAPPED_OWNER);
        }
        self.may_change_in_filesystem(inode, attributes)?;
        self.may_change_owner(task, mount, inode, attributes)?;
        if attributes.mode.is_some() && !self.is_owner_or_capable(task, mount, inode) {
            return Err(fail!(
                EPERM,
                "setattr_prepare()",
                "the file is another user's, and the process has no CAP_FOWNER over it"
            ));
        }
        let mode = attributes.mode.map(|mode| {
            let is_own_group = attributes.gid.or(gid).is_some_and(|gid| self.is_in_group(task, gid));
            let keeps = is_own_group || self.capable_over_inode(task, mount, inode, Capabilities::CAP_FSETID);
            if keeps { mode } else { mode & !SET_GID }
        });
        if self.is_overlay(path.dentry) {
            return self.change_in_overlay(task, path.dentry, Attributes { mode, ..attributes });
        }
        let object = &mut self.inodes[inode];
        object.uid = owner.unwrap_or(object.uid);
        object.gid = group.unwrap_or(object.gid);
        if let Some(mode) = mode {
            // Once more, now that it may be another group.
            let keeps = self.is_in_group_or_capable(task, mount, inode);
            self.inodes[inode].mode = if keeps { mode } else { mode & !SET_GID };
        }
        Ok(())
    }

    /// What the filesystem has against it (`i_op->setattr`).
    fn may_change_in_filesystem(&self, inode: Id<Inode>, attributes: Attributes) -> Result<(), Failure> {
        if self.superblocks[self.inodes[inode].superblock].filesystem == FilesystemType::AnonInodeFs {
            return Err(fail!(
                EOPNOTSUPP,
                "anon_inode_setattr()",
                "the file is one of the kernel's own, without a filesystem"
            ));
        }
        let changes_owner = attributes.uid.is_some() || attributes.gid.is_some();
        self.may_change_entry(inode, attributes.mode.is_some(), changes_owner)
    }

    /// Whether a process may give a file to this owner and group (`chown_ok()`, `chgrp_ok()`).
    fn may_change_owner(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        inode: Id<Inode>,
        attributes: Attributes,
    ) -> Result<(), Failure> {
        let (uid, gid) = self.owner_through(mount, inode);
        let is_own = uid == Some(self.tasks[task].credentials.filesystem_uid);
        let namespace = self.superblocks[self.inodes[inode].superblock].user_namespace;
        let is_capable = |id: Option<u32>| {
            self.capable_over_inode(task, mount, inode, Capabilities::CAP_CHOWN)
                || (id.is_none() && self.ns_capable(task, namespace, Capabilities::CAP_CHOWN))
        };
        if let Some(new) = attributes.uid
            && !(is_own && uid == Some(new))
            && !is_capable(uid)
        {
            return Err(fail!(
                EPERM,
                "chown_ok()",
                "the owner would change, and the process has no CAP_CHOWN over the file"
            ));
        }
        if let Some(new) = attributes.gid
            && !(is_own && (gid == Some(new) || self.is_in_group(task, new)))
            && !is_capable(gid)
        {
            return Err(fail!(
                EPERM,
                "chgrp_ok()",
                "the file is another user's, or the process is not in the group, and it has no CAP_CHOWN over the file"
            ));
        }
        Ok(())
    }

    /// What a user, as seen through a mount, is in its filesystem (`from_vfsuid()`).
    fn uid_of_filesystem(&self, mount: Id<Mount>, uid: u32) -> Option<u32> {
        let Some(idmap) = self.mounts[mount].idmap else { return Some(uid) };
        let filesystem = self.superblocks[self.mounts[mount].superblock].user_namespace;
        through(uid, &self.user_namespaces[idmap].uid_map, &self.user_namespaces[filesystem].uid_map)
    }

    /// What a group, as seen through a mount, is in its filesystem (`from_vfsgid()`).
    fn gid_of_filesystem(&self, mount: Id<Mount>, gid: u32) -> Option<u32> {
        let Some(idmap) = self.mounts[mount].idmap else { return Some(gid) };
        let filesystem = self.superblocks[self.mounts[mount].superblock].user_namespace;
        through(gid, &self.user_namespaces[idmap].gid_map, &self.user_namespaces[filesystem].gid_map)
    }
}

/// The id of the initial user namespace that a number stands for in another one, if for any; -1 is no id: nothing is changed.
fn new_id(number: Option<u32>, map: &[IdExtent], otherwise: Failure) -> Result<Option<u32>, Failure> {
    let Some(number) = number.filter(|number| *number != u32::MAX) else { return Ok(None) };
    map.iter().find_map(|extent| extent.outside_of(number)).map(Some).ok_or(otherwise)
}

fn through(id: u32, from: &[IdExtent], to: &[IdExtent]) -> Option<u32> {
    let number = from.iter().find_map(|extent| extent.inside_of(id))?;
    to.iter().find_map(|extent| extent.outside_of(number))
}
