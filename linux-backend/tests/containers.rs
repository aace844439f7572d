//! The containers of `core/tests/containers` on the real kernel. They fork, so this is a program without threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Lists the scenarios of a module, functions of a [`World`](world::World).
macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => {
        pub const SCENARIOS: &[crate::world::Scenario] =
            &[$((concat!(module_path!(), "::", stringify!($scenario)), $scenario)),*];
    };
}

/// How many hostile trees are tried.
const TREES: u64 = 200;
/// A race is tried before one call of so many.
const EVERY: usize = 5;

mod common;
#[macro_use]
mod harness;
#[path = "../../core/tests/containers/groups.rs"]
mod groups;
#[path = "../../core/tests/containers/host_volumes/mod.rs"]
mod host_volumes;
#[path = "../../core/tests/containers/nested.rs"]
mod nested;
#[path = "../../core/tests/containers/renames.rs"]
mod renames;
#[path = "../../core/tests/containers/scenarios.rs"]
mod scenarios;
#[path = "../../core/tests/containers/trees/mod.rs"]
mod trees;
#[path = "../../core/tests/containers/volumes.rs"]
mod volumes;
#[path = "../../core/tests/containers/weaknesses/mod.rs"]
mod weaknesses;
#[path = "../../core/tests/scenarios/world.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod world;

use std::panic::RefUnwindSafe;

use cofferdam::kernel::{CloneFlags, Kernel, WaitOptions, WaitStatus};
use cofferdam_linux::LinuxKernel;

fn main() {
    let tests = tests! { containers };
    harness::run(&tests);
}

/// Each scenario in a process of its own, as it changes the mount namespace.
fn containers() {
    if !common::is_root("containers") {
        return;
    }
    let modules = [
        scenarios::SCENARIOS,
        groups::SCENARIOS,
        host_volumes::bidirectional::SCENARIOS,
        host_volumes::hostile::SCENARIOS,
        host_volumes::layers::SCENARIOS,
        host_volumes::made::SCENARIOS,
        nested::SCENARIOS,
        renames::SCENARIOS,
        trees::SCENARIOS,
        volumes::SCENARIOS,
        weaknesses::devices::SCENARIOS,
        weaknesses::leftovers::SCENARIOS,
        weaknesses::processes::SCENARIOS,
        weaknesses::procfs::SCENARIOS,
        weaknesses::races::SCENARIOS,
        weaknesses::sources::SCENARIOS,
    ];
    for (name, scenario) in modules.into_iter().flatten() {
        println!("{name}");
        run(name, || world::linux::in_a_new_namespace(*scenario));
        println!("{name}, as Linux 5.12");
        run(name, || world::linux::in_a_new_namespace_as_5_12(*scenario));
    }
}

fn run(name: &str, scenario: impl Fn() + RefUnwindSafe) {
    let child = LinuxKernel
        .clone3(CloneFlags::empty(), &mut |_| i32::from(std::panic::catch_unwind(&scenario).is_err()))
        .unwrap();
    let ended = LinuxKernel.wait4(child, WaitOptions::empty()).unwrap();
    assert_eq!(ended, Some((child, WaitStatus::Exited(0))), "{name}");
}
