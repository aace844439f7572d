//! Mount tables for people: trees, who receives what is mounted where, differences.
#![forbid(unsafe_code)]

pub mod arrivals;
mod cells;
pub mod difference;
pub mod graph;
pub mod host;
pub mod json;
pub mod text;
pub mod tree;

pub use cells::{Look, printable};
