//! The mount table: `/proc/<pid>/mountinfo`, read, queried and written without a copy.
//!
//! A [`Table`] borrows the text of the file and answers the questions a mount table is read for:
//! which mount a path is in ([`Table::containing`]), what is stacked on a mountpoint
//! ([`Table::at`]), what has to be unmounted ([`Table::at_or_below`]), and how events propagate
//! ([`Table::peers`], [`Table::slaves`]). An [`Entry`] is one line; it remembers its own text, so
//! writing it gives back the bytes that were read. [`OwnedEntry`] builds a line from unescaped
//! values, as the kernel prints it.
//!
//! Paths are bytes, as they are in the kernel, and every comparison of paths is by component:
//! `/runs/c1` is not above `/runs/c10`.
//!
//! The format is that of `proc_pid_mountinfo(5)`, printed by `show_mountinfo()` in the kernel's
//! `fs/proc_namespace.c`.
//!
//! ```
//! use cofferdam::UnixPath;
//! use cofferdam::mountinfo::Table;
//!
//! let table = Table::parse(
//!     b"29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n\
//!       36 29 0:31 / /srv/run\\0401 rw,nosuid,nodev master:1 - tmpfs tmpfs rw,size=64k\n",
//! )?;
//!
//! let mount = table.containing(UnixPath::new("/srv/run 1/upper")).expect("/ is in the table");
//! assert_eq!(mount.id(), 36);
//! assert_eq!(mount.mountpoint(), UnixPath::new("/srv/run 1"));
//! assert_eq!(mount.master(), Some(1));
//! assert!(mount.has_mount_option(b"nodev"));
//! assert_eq!(mount.super_option(b"size").as_deref(), Some(&b"64k"[..]));
//! # Ok::<(), cofferdam::mountinfo::ParseError>(())
//! ```

mod entry;
pub mod escape;
mod parse;
mod scan;
mod table;
mod write;

#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table_tests;

pub use entry::{Entry, OptionalField};
pub use parse::{Entries, Field, ParseError, Reason, entries};
pub use table::Table;
pub use write::OwnedEntry;
