//! What stands behind an inode of the kernel's own filesystems.

use serde::{Deserialize, Serialize};

use super::{OverlayInode, ProcEntry};
use crate::namespace::NamespaceRef;

/// What an inode is beyond its kind: the kernel's own files are more than what is stored in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Nothing.
    #[default]
    None,
    /// A directory that is there to be mounted on and always empty (`make_empty_dir_inode()`).
    EmptyDirectory,
    /// The file of a namespace.
    Namespace(NamespaceRef),
    /// An entry of proc.
    Proc(ProcEntry),
    /// What an overlay shows.
    Overlay(Box<OverlayInode>),
}
