//! A mount.

use std::fmt;

use cofferdam::kernel::{Bytes, DeviceNumber, UniqueMountId};

use super::NamespaceView;
use crate::arena::Id;
use crate::linux::Linux;
use crate::list;
use crate::mount::{Children, MntFlags, Mount, Path, Slaves};

/// A mount of a kernel, to be looked at. Displayed, it reads like `/srv tmpfs[/data] shared:1`.
#[derive(Clone, Copy)]
pub struct MountView<'a> {
    linux: &'a Linux,
    id: Id<Mount>,
}

/// With whom a mount shares events (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Propagation {
    /// The peer group that it shares events with.
    pub peer_group: Option<u32>,
    /// The peer group that it receives events from.
    pub master: Option<u32>,
    /// Whether it can't be bind mounted.
    pub is_unbindable: bool,
}

impl<'a> MountView<'a> {
    pub(super) fn new(linux: &'a Linux, id: Id<Mount>) -> Self {
        Self { linux, id }
    }

    fn object(&self) -> &'a Mount {
        &self.linux.mounts[self.id]
    }

    /// What the mount is called inside the simulation.
    pub fn key(&self) -> Id<Mount> {
        self.id
    }

    /// The id that mountinfo shows. It is reused.
    pub fn id(&self) -> u32 {
        self.object().id
    }

    /// The id that is never reused.
    pub fn unique_id(&self) -> UniqueMountId {
        UniqueMountId(self.object().unique_id)
    }

    /// The namespace; none for a mount that was unmounted and is still in use.
    pub fn namespace(&self) -> Option<NamespaceView<'a>> {
        self.object().namespace.map(|namespace| NamespaceView::new(self.linux, namespace))
    }

    /// The mount that it is on; none for the root of a tree.
    pub fn parent(&self) -> Option<MountView<'a>> {
        let parent = self.object().parent;
        (parent != self.id).then(|| Self::new(self.linux, parent))
    }

    /// The mounts on it, in the order in which they were mounted.
    pub fn children(&self) -> impl Iterator<Item = MountView<'a>> + use<'a> {
        let linux = self.linux;
        list::members::<Children, _>(&linux.mounts, self.object().children).map(|child| Self::new(linux, child))
    }

    /// The mount on its root, which hides it.
    pub fn covered_by(&self) -> Option<MountView<'a>> {
        self.object().overmount.map(|over| Self::new(self.linux, over))
    }

    /// Where it is, as a path from the root of its tree of mounts; `/` for that itself.
    pub fn mountpoint(&self) -> Bytes {
        let mut top = self.id;
        while self.linux.has_parent(top) {
            top = self.linux.mounts[top].parent;
        }
        self.mountpoint_from(self.linux.root_of(top))
    }

    pub(super) fn mountpoint_from(&self, root: Path) -> Bytes {
        Bytes(self.linux.path_text(self.linux.root_of(self.id), root).bytes)
    }

    /// What of its filesystem is mounted, with `//deleted` behind it if that is not there any more.
    pub fn root(&self) -> Bytes {
        Bytes(self.linux.dentry_text(self.object().root))
    }

    /// What its source was called.
    pub fn source(&self) -> &'a [u8] {
        self.object().source.as_bytes()
    }

    /// The type of its filesystem.
    pub fn filesystem_type(&self) -> &'a [u8] {
        self.linux.superblocks[self.object().superblock].filesystem.name()
    }

    /// The device of its filesystem: the same for all mounts of it.
    pub fn device(&self) -> DeviceNumber {
        self.linux.superblocks[self.object().superblock].device
    }

    /// Its options, as in mountinfo.
    pub fn options(&self) -> Bytes {
        let mut text = Linux::read_only_text(self.object().flags.contains(MntFlags::READONLY)).to_vec();
        self.linux.push_mount_options(self.id, &mut text);
        Bytes(text)
    }

    /// The options of its filesystem, as in mountinfo.
    pub fn super_options(&self) -> Bytes {
        Bytes(self.linux.show_options(self.object().superblock))
    }

    /// With whom it shares events.
    pub fn propagation(&self) -> Propagation {
        Propagation {
            peer_group: self.peer_group(),
            master: self.object().master.map(|master| self.linux.mounts[master].group),
            is_unbindable: self.object().is_unbindable,
        }
    }

    /// Its peer group, if it is shared.
    pub fn peer_group(&self) -> Option<u32> {
        self.object().is_shared.then_some(self.object().group)
    }

    /// The mounts that it shares events with, in any namespace; without itself.
    pub fn peers(&self) -> impl Iterator<Item = MountView<'a>> + use<'a> {
        let (linux, id) = (self.linux, self.id);
        let next = move |mount: &Id<Mount>| Some(linux.next_peer(*mount)).filter(|peer| *peer != id);
        std::iter::successors(next(&id), next).map(move |peer| Self::new(linux, peer))
    }

    /// The mounts that receive events from this one of its peers.
    pub fn slaves(&self) -> impl Iterator<Item = MountView<'a>> + use<'a> {
        let linux = self.linux;
        list::members::<Slaves, _>(&linux.mounts, self.object().slaves).map(|slave| Self::new(linux, slave))
    }

    /// Whether it can't be unmounted by itself (`MNT_LOCKED`).
    pub fn is_locked(&self) -> bool {
        self.linux.is_locked(self.id)
    }

    /// Whether something uses it beyond the tree that it is in: processes or open files.
    pub fn is_used(&self) -> bool {
        self.object().count > 1
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.peer_group.map(|group| format!("shared:{group}")));
        words.extend(self.master.map(|group| format!("master:{group}")));
        words.extend(self.is_unbindable.then(|| "unbindable".to_owned()));
        f.write_str(if words.is_empty() { "private" } else { "" })?;
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for MountView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, root) = (self.mountpoint(), self.root());
        write!(f, "{} {}", String::from_utf8_lossy(&place.0), String::from_utf8_lossy(self.filesystem_type()))?;
        if root.0 != b"/" {
            write!(f, "[{}]", String::from_utf8_lossy(&root.0))?;
        }
        write!(f, " {}", self.propagation())
    }
}

impl fmt::Debug for MountView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MountView({} {self})", self.id())
    }
}
