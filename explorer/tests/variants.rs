//! Variants of every scenario: a part of those that `conform explore` tries.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam::kernel::Errno;
use cofferdam_explorer::disk::Loss;
use cofferdam_explorer::explore::Exploration;
use cofferdam_explorer::place::Bounds;
use cofferdam_explorer::scenario::Operation;
use cofferdam_explorer::scenarios;
use cofferdam_explorer::variant::{Cut, Fault, Step, Variant};
use cofferdam_sequences::errors::Row;
use rstest::rstest;

/// One call of so many.
const STEP: usize = 61;

#[rstest]
fn every_invariant_holds(#[values(0, 1, 2, 3, 4, 5, 6, 7)] number: usize) {
    let scenario = &scenarios::all().unwrap()[number];
    let exploration = Exploration::new(scenario).unwrap();
    let bounds = Bounds { deaths: 1, failures: 0, recovery: 2 };
    let mut tried = 0;
    for operation in 0..exploration.operations() {
        for call in (operation..=exploration.calls(operation)).step_by(STEP) {
            exploration.explore(operation, call, bounds, &mut |variant, result| {
                tried += 1;
                assert_eq!(result, Ok(()), "{}: {variant}", scenario.name);
                true
            });
        }
    }
    assert!(tried > 150, "{tried} variants");
}

/// What is left of a runtime directory must not look like that of a container which was prepared.
#[test]
fn a_recovery_that_dies_while_it_takes_back_can_be_repeated() {
    let scenario = &scenarios::all().unwrap()[0];
    let exploration = Exploration::new(scenario).unwrap();
    let mut died = 0;
    // About where it begins to record the container.
    for call in 45..49 {
        exploration.explore(1, call, Bounds { deaths: 0, failures: 0, recovery: 200 }, &mut |variant, result| {
            died += usize::from(variant.recovery_dies.is_some());
            assert_eq!(result, Ok(()), "{variant}");
            true
        });
    }
    assert!(died > 50, "{died}");
}

/// Neither is the directory left that the runtime directories of nested containers are in.
#[test]
fn nothing_is_left_of_a_nested_container_whose_directory_cannot_be_made() {
    let scenario = scenarios::all().unwrap().into_iter().find(|scenario| scenario.name.contains("in a container"));
    let scenario = &scenario.unwrap();
    let exploration = Exploration::new(scenario).unwrap();
    let mut tried = 0;
    for (operation, what) in scenario.operations.iter().enumerate() {
        if !matches!(what, Operation::Prepare { id, .. } if id.parent().is_some()) {
            continue;
        }
        for call in 0..exploration.calls(operation) {
            if exploration.name(operation, call) == Some("mkdirat") {
                exploration.explore(
                    operation,
                    call,
                    Bounds { deaths: 0, failures: 0, recovery: 0 },
                    &mut |variant, result| {
                        tried += 1;
                        assert_eq!(result, Ok(()), "{variant}");
                        true
                    },
                );
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn no_scenario_is_left_out() {
    assert_eq!(scenarios::all().unwrap().len(), 8);
}

/// Each is tried with every fault, every step, and every way to be cut short.
#[test]
fn no_kind_of_fault_is_left_out() {
    let scenario = &scenarios::all().unwrap()[0];
    let exploration = Exploration::new(scenario).unwrap();
    // After one that has changed something: a recovery from the same state would be left out.
    let call = 1 + (40..1000).find(|call| exploration.name(1, *call) == Some("mkdirat")).unwrap();
    let mut variants = Vec::new();
    exploration.explore(1, call, Bounds { deaths: 1, failures: 1, recovery: 1 }, &mut |variant, _| {
        variants.push(variant);
        true
    });
    let cuts: Vec<_> = variants.iter().filter(|variant| variant.faults.is_empty()).collect();
    for cut in [Cut::Dies].into_iter().chain(Loss::ALL.map(Cut::Reboots)) {
        assert!(
            cuts.iter().any(|variant| variant.cut == Some((call, cut)) && variant.recovery_dies.is_none()),
            "{cut:?}"
        );
    }
    assert!(cuts.iter().any(|variant| variant.recovery_dies == Some(0)));
    assert!(variants.iter().any(|variant| {
        matches!(variant.faults[..], [(one, Fault::Fails(_)), (other, Fault::Fails(_))] if (one, other) == (call, call + 1))
    }));
    let has = |fault| variants.iter().any(|variant| variant.faults == [(call, fault)]);
    for errno in Row::of(exploration.name(1, call).unwrap()).unwrap().possible() {
        assert!(has(Fault::Fails(errno)), "{errno}");
    }
    assert!(Step::ALL.into_iter().all(|step| has(Fault::Step(step))));
    let second = |variant: &&Variant| !variant.faults.is_empty() && variant.cut == Some((call + 1, Cut::Dies));
    assert!(variants.iter().any(|variant| second(&variant)));
    let all: std::collections::BTreeSet<_> = variants.iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), variants.len(), "each is another one");
}

#[test]
fn a_variant_is_told_call_by_call() {
    let scenario = &scenarios::all().unwrap()[0];
    let exploration = Exploration::new(scenario).unwrap();
    let prepare = scenario.operations.iter().position(|what| matches!(what, Operation::Prepare { .. })).unwrap();
    let plain = exploration.tell(&Variant { operation: prepare, ..Variant::default() }).unwrap();
    let call = plain.lines.iter().position(|line| line.contains("mknodat(")).unwrap();
    let variant = Variant { operation: prepare, faults: vec![(call, Fault::Fails(Errno::EIO))], ..Variant::default() };
    let story = exploration.tell(&variant).unwrap();
    assert_eq!(story.titles, ["create", "prepare c"]);
    assert!(story.lines[call].ends_with("= -1 EIO (Input/output error)"), "{}", story.lines[call]);
    assert!(story.error.unwrap().contains("EIO"));
    assert_eq!(story.result, Ok(()));
}
