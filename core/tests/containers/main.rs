//! Containers from prepare to clean-up on the simulated kernel; `linux-backend/tests/containers.rs` runs the same on the
//! real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Turns each scenario, a function of a [`World`](world::World), into a test on the simulated kernel.
macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => {
        mod simulated {
            $(
                #[test]
                fn $scenario() {
                    crate::world::simulated::run(super::$scenario);
                }
            )*
        }
    };
}

/// How many hostile trees are tried, on each kind of host.
const TREES: u64 = 300;
/// A race is tried at each of so many calls.
const EVERY: usize = 5;

mod groups;
mod host_volumes;
mod nested;
mod renames;
mod scenarios;
mod trees;
mod volumes;
mod weaknesses;
#[path = "../scenarios/world.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod world;
