//! Sequences of calls, of several processes, as data; and the simulated kernel, carrying them out.
//!
//! `conform` compares that with what the real kernel does. The program of this crate, `simulate`, prints it; like all of
//! this crate it needs no operating system, and runs the same on wasm32.
#![forbid(unsafe_code)]

pub mod census;
pub mod control;
pub mod errors;
pub mod observation;
pub mod print;
pub mod record;
pub mod saved;
pub mod script;
pub mod sequence;
pub mod simulated;
pub mod universe;
