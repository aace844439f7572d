//! The system calls, one file for each family.

mod contexts;
mod directories;
mod files;
mod mount;
pub(crate) mod mount_setattr;
mod namespaces;
mod pivot_root;
mod processes;
mod query;
mod trees;
mod umount;
