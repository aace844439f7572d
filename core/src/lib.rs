//! cofferdam isolates a container's filesystem on Linux: it decides what the container sees, carries that out in a mount
//! namespace of its own, and leaves the host as it was.
//!
//! Everything is generic over a [`Kernel`](kernel::Kernel), one process's view of Linux at the level of system calls, so
//! that the same code acts on the real kernel or on a simulated one. This crate knows no operating system.
//!
//! - [`isolator`] decides: create, prepare, update, cleanup, remove.
//! - [`launch`] carries a decision out, in a process of its own.
//! - [`messages`] is what passes between an agent, the isolator and the launcher; [`agent`] is the configuration.
//! - [`mountinfo`] reads and writes mount tables.
#![forbid(unsafe_code)]

pub mod agent;
pub mod checkpoint;
mod detached;
pub mod error;
mod gid_range;
pub mod isolator;
pub mod kernel;
pub mod launch;
pub mod layout;
pub mod locks;
pub mod messages;
pub mod metrics;
pub mod mountinfo;
mod path;
pub mod record;
mod removal;
pub mod root;
#[cfg(feature = "schema")]
pub mod schema;
mod table;
pub mod user;
pub mod volumes;

pub use typed_path::{UnixPath, UnixPathBuf};
