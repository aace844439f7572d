//! A simulated Linux, as far as mounts and paths go: deterministic, unprivileged, and faithful call by call.
//!
//! A [`Linux`] is a kernel as a plain value. A [`Process`] of it makes system calls: it is a
//! [`Kernel`](cofferdam::kernel::Kernel), as the real one is, so that code which is written for that trait runs on both.
//! The simulation gives the results, the error numbers, the ids and the texts of Linux 6.18, and has all its side effects;
//! the conformance tests compare both, call by call.
//!
//! # Testing code that mounts
//!
//! No root, no namespace, nothing to clean up:
//!
//! ```
//! use cofferdam::UnixPath;
//! use cofferdam::kernel::{Errno, Fd, Kernel, Mode, MountFlags};
//! use cofferdam_vfs_sim::{Linux, Process};
//!
//! // What is to be tested.
//! fn mount_private_tmp(kernel: &dyn Kernel) -> Result<(), Errno> {
//!     let (root, tmp) = (UnixPath::new("/"), UnixPath::new("/tmp"));
//!     kernel.mount(None, root, None, MountFlags::MS_REC | MountFlags::MS_PRIVATE, None)?;
//!     kernel.mount(Some(tmp), tmp, Some(b"tmpfs"), MountFlags::MS_NOSUID, Some(b"mode=0700"))
//! }
//!
//! let process = Process::init(Linux::new());
//! assert_eq!(mount_private_tmp(&process), Err(Errno::ENOENT));
//! process.mkdirat(Fd::CWD, UnixPath::new("/tmp"), Mode(0o755))?;
//! mount_private_tmp(&process)?;
//!
//! let linux = process.linux();
//! let init = linux.task(process.task()).expect("init runs");
//! let table = String::from_utf8_lossy(&init.mountinfo().expect("it runs")).into_owned();
//! assert!(table.ends_with(" / /tmp rw,nosuid,relatime - tmpfs /tmp rw,mode=700\n"), "{table}");
//! # Ok::<(), Errno>(())
//! ```
//!
//! A machine with more on it is [`sample::host`], or comes from [`Linux::from_mountinfo`]. Processes are made by
//! [`Kernel::clone3`](cofferdam::kernel::Kernel::clone3), or with [`Linux::fork`] and [`Linux::call`] where several are
//! to act in turns.
//!
//! # Snapshots
//!
//! A clone of a [`Linux`] is a snapshot, and cheap: it shares what neither has changed since. It can be saved too, as
//! [`Linux`] is [`Serialize`](serde::Serialize). The same calls on the same kernel give the same results, always: there is
//! no clock and no chance.
//!
//! # Looking at a kernel
//!
//! [`Linux::mounts`], [`Linux::peer_groups`], [`Linux::mount_namespaces`] and [`Linux::tasks`] show what there is; a
//! [`NamespaceView`] is displayed as a tree. [`Linux::check`] tells whether the data hang together, which they do unless
//! the simulation has a bug.
//!
//! # What is simulated
//!
//! - Mounts: mount(2), umount2(2), pivot_root(2), the calls with descriptors of mounts, filesystem contexts, propagation
//!   in all its forms, locked and id-mapped mounts, mount and user namespaces, the limit of mounts; `mountinfo` and its
//!   kin, statmount(2), listmount(2).
//! - Paths: walks with symbolic links, `..`, limits, permissions, and the restrictions of openat2(2); files, directories,
//!   links, devices as nodes, renames, removal while in use.
//! - Filesystems: tmpfs, ramfs, overlay, proc, sysfs, devpts, devtmpfs, mqueue and the kernel's own, with their
//!   parameters.
//!   Of proc, sysfs and devtmpfs there is what has to do with processes and mounts.
//! - Processes: fork, exit, wait, signals that end or stop, credentials, capabilities, namespaces, execve(2) as far as
//!   what it changes.
//!
//! What is not: time, so nothing expires by itself and no file has a date; filesystems on devices; what is done with a
//! device; networks; programs, which do not run.
//!
//! # Calls that would wait
//!
//! Processes act one at a time, and none acts during the call of another. Where the kernel would let a process wait for
//! another one, for a byte in a pipe, a lock, the end of a child, a signal, or somebody to open the other end of a fifo, the
//! wait ends at once, as if a signal had interrupted it. What was done by then is done: so much of the data as a pipe had
//! room for is a short write, and a lock of flock(2) that was to become one of the other kind is given up. Where there is
//! nothing to return, the call fails with [`EDEADLK`](cofferdam::kernel::Errno::EDEADLK), not with `EINTR`, upon which
//! callers try again at once. A process that is stopped gets the same from every call.
#![forbid(unsafe_code)]

mod arena;
mod check;
mod disk;
mod failure;
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
pub mod sample;
mod sharing;
mod syscalls;
mod text;
mod walk;

pub use arena::{Arena, Id};
pub use check::Inconsistency;
pub use disk::{File, FileKind, Location, Place, Question, SupplyError};
pub use failure::{FailedCall, Rule};
pub use handle::{Access, Process};
pub use host::{LineError, LoadError};
pub use inspect::{FileView, MountView, NamespaceView, Propagation, TaskView};
pub use linux::Linux;
pub use mount::Mount;
pub use namespace::MountNamespace;
pub use observe::{DescriptorKind, Number};
pub use process::{PROGRAM, Task, named_program, program_name};
