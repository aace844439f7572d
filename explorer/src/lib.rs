//! Explores what becomes of the isolator's operations when anything in them goes wrong: a process dies between two calls, the
//! machine loses power, a call fails, somebody else does something in between. It all happens on the simulated kernel, from
//! snapshots of it, so that every variant can be tried and not only some.
//!
//! A [`Scenario`](scenario::Scenario) is a list of operations. [`Exploration`](explore::Exploration) performs them one after the
//! other and, for each, every [`Variant`](variant::Variant). After each variant an agent starts again, recovers and cleans up, and
//! the [`invariants`] must hold.
#![forbid(unsafe_code)]

pub mod disk;
pub mod explore;
pub mod inject;
pub mod invariants;
pub mod isolation;
pub mod machine;
pub mod operation;
pub mod place;
pub mod restart;
pub mod scenario;
pub mod scenarios;
mod sight;
mod steps;
pub mod tables;
pub mod trace;
pub mod tree;
pub mod variant;
