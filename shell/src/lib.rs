//! A POSIX shell on a simulated Linux machine: people's own scripts that mount, without root and without a trace.
//!
//! A [`Machine`] is a simulated kernel with programs on its disk; a [`Session`] is a shell on it. Everything a script does
//! are system calls of simulated processes: a pipe is a pipe of that kernel, a subshell and a background job are processes,
//! `mount` is a program that calls mount(2).
#![forbid(unsafe_code)]

mod assistance;
mod directory;
mod execution;
mod getopt;
mod interpreter;
mod machine;
mod programs;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod testing;

pub use assistance::{Candidate, Completion};
pub use interpreter::{Completeness, Session};
pub use machine::{Console, Input, Machine, MountTable, Namespaces, Stream};
