//! `cofferdam sim` as a person has it, at a terminal; by anybody.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod editing;
mod interrupts;
mod progress;
mod support;
