//! overlay: one tree of several (`fs/overlayfs/`, `Documentation/filesystems/overlayfs.rst`).
//!
//! The dentries and inodes of an overlay are made as their names are looked up, and stay; behind each inode are entries of
//! the layers. What users do to an overlay, its mounter does to the upper layer.

mod attributes;
mod copy_up;
mod create;
mod fill;
mod inode;
mod layers;
mod list;
mod lookup;
mod marks;
mod open;
mod options;
mod parameters;
mod reader;
mod real;
mod remove;
mod rename;
mod state;
mod work;

pub use list::ListedEntry;
pub(crate) use marks::Marks;
pub use options::Config;
pub use parameters::OverlayParameters;
pub(super) use parameters::split;
pub use reader::OverlayReader;
pub(crate) use reader::ReadFrom;
pub use state::{List, LowerEntry, NameFlags, Overlay, OverlayInode};
