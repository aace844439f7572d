//! Namespaces.

mod mount;
mod references;
mod user;

pub use mount::MountNamespace;
pub use user::{IdExtent, UserNamespace};
