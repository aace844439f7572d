#![forbid(unsafe_code)]
//! wip
pub mod decode;
pub mod syntax;
pub mod trace;
