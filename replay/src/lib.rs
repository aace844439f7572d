#![forbid(unsafe_code)]
//! wip
mod compare;
pub mod decode;
mod reason;
mod replay;
mod report;
pub mod syntax;
pub mod trace;
mod uses;
mod world;
pub use replay::{ReplayError, replay};
pub use report::{Difference, Failure, Replaced, Report, Skipped};
pub use trace::{Trace, TraceError};
pub use world::Beginning;
