//! Filesystems: superblocks, inodes and dentries, and the types that the simulation knows.

mod content;
mod context;
mod dcache;
mod dentry;
mod devtmpfs;
mod entry;
mod inode;
mod instances;
mod internal;
mod kinds;
mod nsfs;
mod operations;
mod overlay;
mod parameters;
mod pipe;
mod proc;
mod rename;
mod show;
mod superblock;
mod sysfs;
mod usage;
mod visibility;

pub use content::Content;
pub use context::{FsContext, Phase, Purpose};
pub use dentry::Dentry;
pub use entry::Entry;
pub(crate) use inode::NO_ID;
pub use inode::{FileLock, Inode, InodeKind};
pub use internal::InternalMounts;
use kinds::ON_BLOCK_DEVICES;
pub(crate) use kinds::filesystem_type;
pub use nsfs::NamespaceKind;
pub(crate) use operations::DirectoryOperations;
pub use overlay::{List as OverlayList, NameFlags, Overlay, OverlayInode, OverlayParameters, OverlayReader};
pub(crate) use overlay::{Marks, ReadFrom};
pub use parameters::{HidePid, Parameters, ProcParameters, TmpfsParameters};
pub(crate) use parameters::{PAGE_SIZE, ParameterValue, TmpfsLimits, unsigned_number};
pub use pipe::Pipe;
pub use proc::{OpenEntry, OpenMountTable, ProcEntry, SeekRule};
pub use superblock::{FilesystemType, SuperBlock};

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use cofferdam::kernel::{Bytes, quoted};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name: bytes that clones share.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&quoted(&self.0), f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::from(self.as_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(|bytes| Self::from(bytes.0.as_slice()))
    }
}
