//! Containers from prepare to clean-up on the simulated kernel; `linux-backend/tests/containers.rs` runs the same on the
//! real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Turns each scenario, a function of a [`World`](world::World), into a test on the simulated kernel, and on what is left of
/// it when it is made as old as we support.
macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => {
        mod simulated {
            $(
                #[test]
                fn $scenario() {
                    crate::world::simulated::run(super::$scenario);
                }
            )*

            mod as_5_12 {
                $(
                    #[test]
                    fn $scenario() {
                        crate::world::simulated::run_as_5_12(super::super::$scenario);
                    }
                )*
            }
        }
    };
}

/// On wasm32 there is one thread for all tests.
const IS_SLOW: bool = cfg!(target_family = "wasm");
/// How many hostile trees are tried, on each kind of host.
const TREES: u64 = if IS_SLOW { 50 } else { 300 };
/// A race is tried before one call of so many.
const EVERY: usize = if IS_SLOW { 37 } else { 5 };

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
