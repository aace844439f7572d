//! The system calls, one file for each family.

mod contexts;
mod directories;
mod files;
mod mount;
pub(crate) mod mount_setattr;
mod pivot_root;
mod trees;
mod umount;
mod namespaces;
mod processes;
mod query;
