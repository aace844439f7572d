//! Scenarios of `cofferdam run` as a user would run it, on the real kernel, each in a mount namespace of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod concurrency;
mod hostile;
mod hosts;
mod isolation;
mod life_cycle;
mod mounts;
mod plan;
mod signals;
mod simulated;
mod support;
mod unprivileged;
mod userland;
mod verify;
mod weaknesses;
