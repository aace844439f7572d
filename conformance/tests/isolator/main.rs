//! What the isolator does in its scenarios, recorded on the simulated kernel and tried on both: the calls must give the same
//! results and the same mount tables.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Lists the scenarios of a module, functions of a [`World`](world::World).
macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => {
        pub const SCENARIOS: &[crate::world::Scenario] =
            &[$((concat!(module_path!(), "::", stringify!($scenario)), $scenario)),*];
    };
}

mod recorded;
#[path = "../../../core/tests/containers/scenarios.rs"]
mod scenarios;
#[path = "../../../core/tests/scenarios/world.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod world;

#[path = "../../../core/tests/scenarios"]
mod agents {
    pub mod cleanup;
    pub mod create;
    pub mod gids;
    pub mod host_volumes;
    pub mod nested;
    pub mod prepare;
    pub mod recover;
    pub mod remove;
    pub mod update;
}

#[path = "../../../core/tests/containers"]
mod containers {
    pub mod host_volumes;
    pub mod nested;
}

use rstest::rstest;

use agents::{cleanup, create, gids, host_volumes, nested, prepare, recover, remove, update};
use world::Scenario;

#[rstest]
#[case::cleanup(cleanup::SCENARIOS)]
#[case::create(create::SCENARIOS)]
#[case::host_volumes(host_volumes::SCENARIOS)]
#[case::nested(nested::SCENARIOS)]
#[case::prepare(prepare::SCENARIOS)]
#[case::recover(recover::SCENARIOS)]
#[case::remove(remove::SCENARIOS)]
#[case::update(update::SCENARIOS)]
#[case::gids_of_containers(gids::containers::SCENARIOS)]
#[case::gids_after_a_crash(gids::crash::SCENARIOS)]
#[case::gids_that_are_freed(gids::free::SCENARIOS)]
#[case::gids_that_are_shared(gids::share::SCENARIOS)]
#[case::gids_of_trees(gids::tree::SCENARIOS)]
#[case::containers(scenarios::SCENARIOS)]
#[case::containers_with_host_volumes(containers::host_volumes::SCENARIOS)]
#[case::containers_in_containers(containers::nested::SCENARIOS)]
fn the_kernels_do_the_same(#[case] scenarios: &[Scenario]) {
    recorded::the_kernels_do_the_same(scenarios);
}
