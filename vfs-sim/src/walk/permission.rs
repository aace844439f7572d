//! Who may do what to an inode.

use bitflags::bitflags;
use cofferdam::kernel::{Capabilities, FileType, MountFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::Inode;
use crate::linux::Linux;
use crate::mount::Mount;
use crate::process::{Credentials, Task};

bitflags! {
    /// What is to be done with an inode (`MAY_*`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Access: u32 {
        /// Run it, or look up names in it.
        const EXECUTE = 1;
        /// Change it.
        const WRITE = 2;
        /// Read it.
        const READ = 4;
    }
}

impl Linux {
    /// Whether a process may (`inode_permission()`).
    pub(crate) fn inode_permission(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        inode: Id<Inode>,
        access: Access,
    ) -> Result<(), Failure> {
        self.may_write_at_all(mount, inode, access)?;
        self.entry_permission(task, inode, access.bits(), || self.generic_permission(task, mount, inode, access))?;
        self.overlay_permission(inode, access)
    }

    /// Whether credentials permit it, in a filesystem that has no rules of its own (`inode_permission()`).
    pub(crate) fn credentials_permission(
        &self,
        credentials: &Credentials,
        mount: Id<Mount>,
        inode: Id<Inode>,
        access: Access,
    ) -> Result<(), Failure> {
        self.may_write_at_all(mount, inode, access)?;
        self.permission_of(credentials, mount, inode, access)?;
        self.overlay_permission(inode, access)
    }

    /// What forbids everybody to change an inode (the start of `inode_permission()`).
    fn may_write_at_all(&self, mount: Id<Mount>, inode: Id<Inode>, access: Access) -> Result<(), Failure> {
        if !access.contains(Access::WRITE) {
            return Ok(());
        }
        let object = &self.inodes[inode];
        let is_on_disk = matches!(object.file_type(), FileType::Regular | FileType::Directory | FileType::Symlink);
        if is_on_disk && self.superblocks[object.superblock].flags.contains(MountFlags::MS_RDONLY) {
            return Err(fail!(EROFS, "sb_permission()", "the filesystem is read-only"));
        }
        if self.is_immutable(inode) {
            return Err(fail!(EPERM, "inode_permission()", "the file is immutable"));
        }
        if self.has_unmapped_owner(mount, inode) {
            return Err(fail!(
                EACCES,
                "inode_permission()",
                "the owner or the group of the file has no id through the mount"
            ));
        }
        Ok(())
    }

    /// Whether the owner or the group of an inode has no number through a mount (`HAS_UNMAPPED_ID()`).
    pub(crate) fn has_unmapped_owner(&self, mount: Id<Mount>, inode: Id<Inode>) -> bool {
        let (uid, gid) = self.owner_through(mount, inode);
        uid.is_none() || gid.is_none()
    }

    /// Whether the mode allows it, or a capability does (`generic_permission()`).
    fn generic_permission(
        &self,
        task: Id<Task>,
        mount: Id<Mount>,
        inode: Id<Inode>,
        access: Access,
    ) -> Result<(), Failure> {
        self.permission_of(&self.tasks[task].credentials, mount, inode, access)
    }

    fn permission_of(
        &self,
        credentials: &Credentials,
        mount: Id<Mount>,
        inode: Id<Inode>,
        access: Access,
    ) -> Result<(), Failure> {
        if self.mode_permits(credentials, mount, inode, access) {
            return Ok(());
        }
        let object = &self.inodes[inode];
        let is_capable = |capability| self.credentials_capable_over(credentials, mount, inode, capability);
        let is_overridden = if object.is_directory() {
            !access.contains(Access::WRITE) && is_capable(Capabilities::CAP_DAC_READ_SEARCH)
                || is_capable(Capabilities::CAP_DAC_OVERRIDE)
        } else {
            access == Access::READ && is_capable(Capabilities::CAP_DAC_READ_SEARCH)
                || (!access.contains(Access::EXECUTE) || object.mode & 0o111 != 0)
                    && is_capable(Capabilities::CAP_DAC_OVERRIDE)
        };
        if is_overridden { Ok(()) } else { Err(self.why_not_permitted(credentials, inode, access)) }
    }

    /// What to say of an access that neither the mode allows nor a capability.
    fn why_not_permitted(&self, credentials: &Credentials, inode: Id<Inode>, access: Access) -> Failure {
        let object = &self.inodes[inode];
        if !object.is_directory() && access.contains(Access::EXECUTE) && object.mode & 0o111 == 0 {
            return fail!(EACCES, "generic_permission()", "the file has no execute permission for anybody");
        }
        if credentials.effective.contains(Capabilities::CAP_DAC_OVERRIDE) {
            return fail!(
                EACCES,
                "generic_permission()",
                "neither mode nor CAP_DAC_OVERRIDE allow it: the file's owner or group has no id in the user namespace"
            );
        }
        match (object.is_directory(), access) {
            (true, Access::EXECUTE) => {
                fail!(EACCES, "generic_permission()", "the process has no search permission in a directory of the path")
            }
            (true, _) if access.contains(Access::WRITE) => {
                fail!(EACCES, "generic_permission()", "the process has no write and search permission in the directory")
            }
            (true, _) => fail!(EACCES, "generic_permission()", "the process has no permission to read the directory"),
            (false, _) => {
                fail!(EACCES, "generic_permission()", "the mode of the file does not allow the process this access")
            }
        }
    }

    /// Whether the permission bits allow it (`acl_permission_check()`, without access control lists).
    fn mode_permits(&self, credentials: &Credentials, mount: Id<Mount>, inode: Id<Inode>, access: Access) -> bool {
        let mode = self.inodes[inode].mode;
        let is_missing_in = |mode: u32| access.bits() & !mode != 0;
        if !is_missing_in(mode) && !is_missing_in(mode >> 3) && !is_missing_in(mode >> 6) {
            return true;
        }
        let (uid, gid) = self.owner_through(mount, inode);
        if uid == Some(credentials.filesystem_uid) {
            return !is_missing_in(mode >> 6);
        }
        if gid.is_some_and(|gid| credentials.is_in_group(gid)) {
            return !is_missing_in(mode >> 3);
        }
        !is_missing_in(mode)
    }

    /// Whether a group is one of a process (`in_group_p()`).
    pub(crate) fn is_in_group(&self, task: Id<Task>, group: u32) -> bool {
        self.tasks[task].credentials.is_in_group(group)
    }

    /// Whether an inode belongs to the process, or a capability stands for that (`inode_owner_or_capable()`).
    pub(crate) fn is_owner_or_capable(&self, task: Id<Task>, mount: Id<Mount>, inode: Id<Inode>) -> bool {
        let (uid, _) = self.owner_through(mount, inode);
        let credentials = &self.tasks[task].credentials;
        let Some(uid) = uid else { return false };
        if uid == credentials.filesystem_uid {
            return true;
        }
        let namespace = &self.user_namespaces[credentials.user_namespace];
        namespace.uid_map.iter().any(|extent| extent.inside_of(uid).is_some())
            && self.ns_capable(task, credentials.user_namespace, Capabilities::CAP_FOWNER)
    }

    /// Whether the group of an inode is one of the process, or a capability stands for that (`in_group_or_capable()`).
    pub(crate) fn is_in_group_or_capable(&self, task: Id<Task>, mount: Id<Mount>, inode: Id<Inode>) -> bool {
        let (_, gid) = self.owner_through(mount, inode);
        gid.is_some_and(|gid| self.is_in_group(task, gid))
            || self.capable_over_inode(task, mount, inode, Capabilities::CAP_FSETID)
    }

    /// The set-user-id and set-group-id bits that a regular file loses when its content changes
    /// (`dentry_needs_remove_privs()`).
    pub(crate) fn privileges_lost_by_writing(&self, task: Id<Task>, mount: Id<Mount>, inode: Id<Inode>) -> u32 {
        const SET_UID: u32 = 0o4000;
        const SET_GID: u32 = 0o2000;
        let object = &self.inodes[inode];
        let mut lost = object.mode & SET_UID;
        if object.mode & SET_GID != 0 && (object.mode & 0o010 != 0 || !self.is_in_group_or_capable(task, mount, inode))
        {
            lost |= SET_GID;
        }
        let is_kept = object.file_type() != FileType::Regular || self.capable(task, Capabilities::CAP_FSETID);
        if is_kept { 0 } else { lost }
    }
}
