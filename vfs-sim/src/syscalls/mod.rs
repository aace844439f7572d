//! The system calls, one file for each family.

mod attributes;
mod contexts;
mod create;
mod descriptors;
mod directories;
mod flock;
mod mount;
pub(crate) mod mount_setattr;
mod moves;
mod namespaces;
mod open;
mod pipes;
mod pivot_root;
mod processes;
mod query;
mod read_directory;
mod read_write;
mod remove;
mod rename;
mod special;
mod stat;
mod statfs;
#[cfg(test)]
mod tests;
mod trees;
mod umount;

pub(crate) use attributes::Attributes;
pub(crate) use rename::{Place, Rename};
