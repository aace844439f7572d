//! Hostile root filesystems and sandboxes by the thousand.
//!
//! Each tree is made from a seed, and so is what an agent is to do with it: its tables, the container's volumes, and
//! perhaps somebody who changes the tree before one of the calls. What must become of it is computed: a clear refusal that
//! changes nothing, or a program that sees the mounts that were asked for and nothing else of the host; in no case is
//! anything changed on the host.
//!
//! `COFFERDAM_TREES` says how many trees there are, `COFFERDAM_TREE_SEED` which is the first one, and the only one if it
//! stands alone.

mod inside;
pub mod listing;
mod oracle;
mod plan;
mod random;
pub mod swap;
pub mod told;
pub mod tree;
mod trial;

use trial::{Ending, Trial};

use crate::world::World;

scenarios!(hostile_trees_lead_nothing_out);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn hostile_trees_lead_nothing_out(world: &World<'_>) {
    let first = number("COFFERDAM_TREE_SEED");
    let count = number("COFFERDAM_TREES").unwrap_or(if first.is_some() { 1 } else { crate::TREES });
    let first = first.unwrap_or(0);
    let mut endings = [0; 4];
    for seed in first..first + count {
        let trial = Trial::new(world, seed);
        match trial.run() {
            Ok(ending) => endings[ending as usize] += 1,
            Err(problem) => panic!("tree {seed} (COFFERDAM_TREE_SEED={seed}), {}: {problem}", trial.description()),
        }
        trial.clear();
    }
    let figure = |ending: Ending| endings[ending as usize];
    let refused = figure(Ending::PrepareRefused) + figure(Ending::LaunchRefused);
    println!("{count} trees: {} ran, {refused} were refused; {} were changed meanwhile", figure(Ending::Ran), {
        figure(Ending::Changed)
    });
    if count >= 100 {
        let share = |part: u64| part * 20 > count;
        assert!(endings.into_iter().all(share), "the trees are too much alike: {endings:?}");
    }
}
