//! A simulated Linux, as far as mounts and paths go: deterministic, unprivileged, and faithful call by call.
#![forbid(unsafe_code)]

mod arena;
mod filesystem;
mod handle;
mod host;
mod inspect;
mod linux;
mod list;
mod mount;
mod namespace;
mod observe;
mod pairs;
mod process;
mod syscalls;
mod text;
mod walk;

pub use arena::{Arena, Id};
pub use handle::{Access, Process};
pub use host::{LineError, LoadError};
pub use inspect::{FileView, MountView, NamespaceView, Propagation, TaskView};
pub use linux::Linux;
pub use mount::Mount;
pub use namespace::MountNamespace;
pub use observe::{DescriptorKind, Number};
pub use process::{PROGRAM, Task};
