//! What the kernel tells about itself in text.

mod escape;
mod mountinfo;
mod options;
mod path;
mod propagation;

pub use mountinfo::MountTable;
pub(crate) use options::{IDMAPPED, MOUNT_OPTIONS, SUPER_OPTIONS};
