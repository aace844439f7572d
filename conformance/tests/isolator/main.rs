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

/// How many hostile trees are tried: each is a few hundred calls to be repeated.
const TREES: u64 = 12;
/// A race is tried before one call of so many.
const EVERY: usize = 37;

#[path = "../../../core/tests/containers/groups.rs"]
mod groups;
#[path = "../../../core/tests/containers/host_volumes/mod.rs"]
mod host_volumes;
#[path = "../../../core/tests/containers/nested.rs"]
mod nested;
mod recorded;
#[path = "../../../core/tests/containers/renames.rs"]
mod renames;
#[path = "../../../core/tests/containers/scenarios.rs"]
mod scenarios;
#[path = "../../../core/tests/containers/trees/mod.rs"]
mod trees;
#[path = "../../../core/tests/containers/volumes.rs"]
mod volumes;
#[path = "../../../core/tests/containers/weaknesses/mod.rs"]
mod weaknesses;
#[path = "../../../core/tests/scenarios/world.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod world;

#[path = "../../../core/tests/scenarios"]
mod agents {
    pub mod cleanup;
    pub mod conflicts;
    pub mod create;
    pub mod gids;
    pub mod gone;
    pub mod host_volumes;
    pub mod nested;
    pub mod prepare;
    pub mod recover;
    pub mod remove;
    pub mod swapped;
    pub mod update;
}

use rstest::rstest;

use agents::{cleanup, conflicts, create, gids, gone, prepare, recover, remove, swapped, update};
use host_volumes::{bidirectional, hostile, layers, made};
use world::Scenario;

#[rstest]
#[case::cleanup(cleanup::SCENARIOS)]
#[case::conflicts(conflicts::SCENARIOS)]
#[case::create(create::SCENARIOS)]
#[case::gone(gone::SCENARIOS)]
#[case::host_volumes(agents::host_volumes::SCENARIOS)]
#[case::nested(agents::nested::SCENARIOS)]
#[case::prepare(prepare::SCENARIOS)]
#[case::recover(recover::SCENARIOS)]
#[case::remove(remove::SCENARIOS)]
#[case::swapped(swapped::SCENARIOS)]
#[case::update(update::SCENARIOS)]
#[case::gids_of_containers(gids::containers::SCENARIOS)]
#[case::gids_after_a_crash(gids::crash::SCENARIOS)]
#[case::gids_that_are_freed(gids::free::SCENARIOS)]
#[case::gids_of_members(gids::members::SCENARIOS)]
#[case::gids_that_are_shared(gids::share::SCENARIOS)]
#[case::gids_of_trees(gids::tree::SCENARIOS)]
#[case::containers(scenarios::SCENARIOS)]
#[case::groups_in_containers(groups::SCENARIOS)]
#[case::volumes_in_containers(volumes::SCENARIOS)]
#[case::bidirectional(bidirectional::SCENARIOS)]
#[case::hostile(hostile::SCENARIOS)]
#[case::layers(layers::SCENARIOS)]
#[case::made(made::SCENARIOS)]
#[case::containers_in_containers(nested::SCENARIOS)]
#[case::renames(renames::SCENARIOS)]
#[case::hostile_trees(trees::SCENARIOS)]
#[case::weak_devices(weaknesses::devices::SCENARIOS)]
#[case::weak_leftovers(weaknesses::leftovers::SCENARIOS)]
#[case::weak_processes(weaknesses::processes::SCENARIOS)]
#[case::weak_procfs(weaknesses::procfs::SCENARIOS)]
#[case::weak_races(weaknesses::races::SCENARIOS)]
#[case::weak_sources(weaknesses::sources::SCENARIOS)]
fn the_kernels_do_the_same(#[case] scenarios: &[Scenario]) {
    recorded::the_kernels_do_the_same(scenarios);
}
