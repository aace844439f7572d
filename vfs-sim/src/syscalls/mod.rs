//! The system calls, one file for each family.

mod contexts;
mod directories;
mod files;
mod mounts;
mod namespaces;
mod open;
mod processes;
mod query;
mod special;
