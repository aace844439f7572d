//! The real kernel: each sequence runs in a session, in mount and pid namespaces of its own.
//!
//! A driver enters a [`Sandbox`] once. For each sequence a child is made in new namespaces, which is its first process
//! and makes the universe. As a child has a copy of the driver's memory, it knows the plan; the processes that it forks
//! as well. Exactly one of them acts at a time: the one that holds the token. What they see they write to a pipe.

mod run;
mod runner;
mod sandbox;
mod session;
mod token;

pub(crate) use run::{Run, Running};
pub(crate) use sandbox::{Sandbox, SandboxError};
