//! What the isolator does to a host, told once, for every kernel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
mod world;

mod cleanup;
mod create;
mod gids;
mod host_volumes;
mod nested;
mod prepare;
mod recover;
mod remove;
mod update;
