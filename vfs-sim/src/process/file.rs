//! Open files and descriptors (`struct file`, `struct files_struct`).

use std::sync::Arc;

use cofferdam::kernel::OpenFlags;
use serde::{Deserialize, Serialize};

use super::Credentials;
use crate::arena::Id;
use crate::filesystem::{FsContext, OpenEntry, OpenMountTable, OverlayReader};
use crate::mount::Path;

/// An open file, which several descriptors can share (`struct file`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenFile {
    /// How many descriptors there are for it.
    pub(crate) references: u32,
    /// What was opened.
    pub(crate) path: Path,
    /// How: access mode and status flags.
    pub(crate) flags: OpenFlags,
    /// Whether it can be read.
    pub(crate) can_read: bool,
    /// Whether it can be written; then it is counted among the writers of its mount and superblock, if it is a file or
    /// directory (`FMODE_WRITER`).
    pub(crate) can_write: bool,
    /// Whether closing it unmounts a detached tree (`FMODE_NEED_UNMOUNT`).
    pub(crate) unmounts: bool,
    /// Where reading and writing go on.
    pub(crate) position: u64,
    /// Who opened it.
    pub(crate) credentials: Arc<Credentials>,
    /// What is particular to its kind.
    pub(crate) kind: OpenFileKind,
}

/// What an open file is, with what only that kind has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OpenFileKind {
    /// Opened with `O_PATH`: a place, nothing to read.
    Path,
    /// A file or a directory.
    Plain,
    /// A text that was written when it was opened.
    Text(Arc<Vec<u8>>),
    /// A file of proc, whose text is written when it is read.
    Entry(OpenEntry),
    /// A table of mounts, of proc.
    MountTable(OpenMountTable),
    /// A directory of an overlay.
    Overlay(Box<OverlayReader>),
    /// A context of fsopen(2) or fspick(2).
    Context(Id<FsContext>),
}

/// A descriptor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OpenFd {
    /// The open file.
    pub(crate) file: Id<OpenFile>,
    /// Whether execve(2) closes it.
    pub(crate) close_on_exec: bool,
}

/// The descriptors of a process (`struct files_struct`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FdTable {
    /// How many processes share it.
    pub(crate) references: u32,
    /// The descriptors by their number.
    pub(crate) descriptors: Vec<Option<OpenFd>>,
    /// None below is free (`next_fd`).
    #[serde(default)]
    pub(crate) next: usize,
}
