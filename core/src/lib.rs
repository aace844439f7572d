//! cofferdam isolates a container's filesystem on Linux.
#![forbid(unsafe_code)]

pub mod kernel;
pub mod mountinfo;

pub use typed_path::{UnixPath, UnixPathBuf};
