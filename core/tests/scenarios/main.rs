//! What the isolator does to a host, told once, for every kernel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Turns each scenario, a function of a [`World`](world::World), into a test on every kernel, and on what is left of it when
/// it is made as old as we support.
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

        #[cfg(target_os = "linux")]
        mod on_linux {
            $(
                #[test]
                fn $scenario() {
                    crate::world::linux::run(stringify!($scenario), super::$scenario);
                }
            )*

            mod as_5_12 {
                $(
                    #[test]
                    fn $scenario() {
                        crate::world::linux::run_as_5_12(stringify!($scenario), super::super::$scenario);
                    }
                )*
            }
        }
    };
}

mod check;
mod cleanup;
mod conflicts;
mod create;
mod damaged;
mod gids;
mod gone;
mod host_volumes;
/// A panic that is expected must be caught, which can't be done where it ends the program.
#[cfg(panic = "unwind")]
mod leaks;
mod nested;
mod prepare;
mod recover;
mod refused;
mod remove;
mod sandbox;
mod swapped;
mod update;
#[allow(dead_code, reason = "it serves other tests too")]
mod world;
