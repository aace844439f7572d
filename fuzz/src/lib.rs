//! What the fuzz targets do with an input: a module per target, whose `run` panics on a finding.
//!
//! An input is a plan, one byte per choice (see [`choice`]), so that a small change of the input is a small change of what
//! is done, and every input means something.
#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "a finding is a panic")]

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod agent_config;
pub mod calls;
pub mod checkpoint;
mod choice;
pub mod config;
pub mod foreign_mountinfo;
mod host;
pub mod isolator;
mod json;
pub mod launch_info;
pub mod mountinfo;
pub mod walk;
