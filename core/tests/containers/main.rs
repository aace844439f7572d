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

mod groups;
mod host_volumes;
mod nested;
mod renames;
mod scenarios;
mod volumes;
#[path = "../scenarios/world.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod world;
