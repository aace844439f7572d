//! Mount namespaces that a file keeps. What is in them no table tells: they are empty but for their root. What matters is that
//! they are such, as a copy of a mount namespace leaves the files of mount namespaces out (`copy_tree()`).

use cofferdam::kernel::DeviceNumber;

use super::Loader;
use super::line::{Line, Root};
use crate::arena::Id;
use crate::filesystem::Dentry;
use crate::linux::Linux;
use crate::namespace::NamespaceRef;

impl Line {
    fn root_name(&self) -> &[u8] {
        if let Root::Name(name) = &self.root { name } else { b"" }
    }

    /// The number of the mount namespace whose file is mounted.
    fn mount_namespace(&self) -> Option<u64> {
        let Root::Name(name) = &self.root else { return None };
        let number = name.strip_prefix(b"mnt:[")?.strip_suffix(b"]")?;
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
        Some(number.into())
    }
}

impl Loader<'_> {
    /// The number of the mount namespace whose file a line mounts, if the line is as Linux writes one: all these files are in
    /// one filesystem, which has no options.
    pub(super) fn mount_namespace_of(&self, line: &Line) -> Option<u64> {
        let is_usual =
            line.super_options == b"rw" && self.superblocks.namespaces_device.is_none_or(|it| it == line.device);
        line.mount_namespace().filter(|number| is_usual && format!("mnt:[{number}]").as_bytes() == line.root_name())
    }

    /// The file of a mount namespace, kept by a reference.
    pub(super) fn namespace_file(&mut self, line: &Line, inode: u64, first_unused: &mut u32) -> Id<Dentry> {
        if let Some(known) = self.superblocks.namespaces.get(&inode) {
            self.linux.dentry_get(*known);
            return *known;
        }
        let namespace = self.new_namespace();
        let sequence = self.linux.last_namespace_sequence + 1;
        self.linux.last_namespace_sequence = sequence;
        let object = &mut self.linux.mount_namespaces[namespace];
        // The file has the only reference.
        (object.inode, object.sequence, object.references) = (inode, sequence, 0);
        self.hidden_root(namespace, *first_unused);
        *first_unused += 1;
        let linux = &mut self.linux;
        linux.next_namespace_inode = linux.next_namespace_inode.max(inode.saturating_add(1));
        let dentry = linux.namespace_path(NamespaceRef::Mount(namespace)).dentry;
        linux.dentry_get(dentry);
        self.superblocks.namespaces.insert(inode, dentry);
        self.superblocks.namespaces_device = Some(line.device);
        dentry
    }
}

impl Linux {
    /// Has the files of namespaces be on this device.
    pub(super) fn set_device_of_namespaces(&mut self, device: DeviceNumber) {
        let superblock = self.mounts[self.internal.nsfs].superblock;
        self.superblocks[superblock].device = device;
    }
}
