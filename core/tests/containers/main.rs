//! Containers from prepare to clean-up on the simulated kernel; `linux-backend/tests/containers.rs` runs the same on the
//! real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod host_volumes;
mod nested;
mod scenarios;
#[path = "../scenarios/world.rs"]
#[allow(dead_code, unused_macros, reason = "it serves other tests too")]
mod world;

use rstest::rstest;

#[rstest]
fn on_the_simulated_kernel(#[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)] number: usize) {
    let (name, scenario) = scenarios::SCENARIOS[number];
    println!("{name}");
    world::simulated::run(scenario);
}

#[rstest]
fn host_volumes_on_the_simulated_kernel(#[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)] number: usize) {
    let (name, scenario) = host_volumes::SCENARIOS[number];
    println!("{name}");
    world::simulated::run(scenario);
}

#[rstest]
fn nested_on_the_simulated_kernel(#[values(0, 1, 2, 3)] number: usize) {
    let (name, scenario) = nested::SCENARIOS[number];
    println!("{name}");
    world::simulated::run(scenario);
}

#[test]
fn no_scenario_is_left_out() {
    assert_eq!(scenarios::SCENARIOS.len(), 11);
    assert_eq!(host_volumes::SCENARIOS.len(), 16);
    assert_eq!(nested::SCENARIOS.len(), 4);
}
