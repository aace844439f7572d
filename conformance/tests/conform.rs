//! `conform` as people run it: short runs of each kind, which must find no difference between the kernels.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;

/// What a run needs to make namespaces.
const NO_NAMESPACES: &str = "this needs root";

fn conform(arguments: &[&str]) -> Output {
    // What it saves is not to end up among the sources.
    Command::new(env!("CARGO_BIN_EXE_conform")).args(arguments).current_dir(std::env::temp_dir()).output().unwrap()
}

/// Runs it, and expects that the kernels do the same. Where no namespaces can be made, that is said, and in CI an error.
fn expect_no_difference(arguments: &[&str]) -> Option<String> {
    let output = conform(arguments);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if errors.contains(NO_NAMESPACES) {
        assert!(std::env::var_os("CI").is_none(), "{errors}");
        eprintln!("skipped: {errors}");
        return None;
    }
    assert!(output.status.success(), "{arguments:?}: {}\n{text}{errors}", output.status);
    Some(text.into_owned())
}

/// The sequences in a directory.
fn sequences(directory: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let sequences = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut files: Vec<_> = sequences.map(|path| path.to_str().unwrap().to_owned()).collect();
    files.sort();
    files
}

/// Sequences that reach fs.mount-max, with which the mount tables are too long to be compared after every call.
#[test]
fn nor_do_as_many_mounts_as_there_may_be() {
    let files = sequences("scenarios");
    assert!(!files.is_empty());
    let arguments = ["replay"].into_iter().chain(files.iter().map(String::as_str));
    expect_no_difference(&arguments.collect::<Vec<_>>());
}

/// Every sequence on which the kernels ever differed.
#[rstest]
fn the_corpus_shows_no_difference(
    #[values("root", "user-namespace")] privileges: &str,
    #[values(false, true)] after_every_call: bool,
) {
    let files = sequences("corpus");
    assert!(!files.is_empty());
    let mut arguments = vec!["replay", "--privileges", privileges];
    arguments.extend(after_every_call.then_some("--check-every-call"));
    arguments.extend(files.iter().map(String::as_str));
    if let Some(text) = expect_no_difference(&arguments) {
        assert!(text.ends_with(&format!("{} the same, 0 different\n", files.len())), "{text}");
    }
}

#[rstest]
fn random_sequences_show_no_difference(
    #[values("classic", "new-api", "propagation", "unmount", "namespaces", "paths", "limits", "everything")]
    profile: &str,
    #[values("root", "user-namespace")] privileges: &str,
) {
    let arguments = ["random", "--ops", "4000", "--seed", "7", "--profile", profile, "--privileges", privileges];
    let Some(text) = expect_no_difference(&arguments) else { return };
    let share: f64 = text.split(" % succeeded").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(share >= 50.0, "most calls must be sensible ones: {text}");
}

#[test]
fn a_seed_stands_for_the_same_sequences_however_many_workers_there_are() {
    let one = expect_no_difference(&["random", "--ops", "2000", "--seed", "3", "--jobs", "1", "--check-every-call"]);
    let three = expect_no_difference(&["random", "--ops", "2000", "--seed", "3", "--jobs", "3", "--check-every-call"]);
    let calls =
        |text: Option<String>| text.map(|text| text.lines().last().unwrap().split(", ").nth(1).map(str::to_owned));
    assert_eq!(calls(one), calls(three));
}

/// What the real kernel does depends on the sequence alone, else a comparison would be worth nothing.
#[test]
fn the_real_kernel_does_the_same_every_time() {
    expect_no_difference(&["random", "--real-only", "--ops", "8000", "--seed", "11"]);
}

#[rstest]
#[case("classic", "2")]
#[case("propagation", "3")]
#[case("new-api", "2")]
#[case("namespaces", "2")]
fn exhaustive_search_shows_no_difference(#[case] universe: &str, #[case] depth: &str) {
    expect_no_difference(&["exhaustive", "--universe", universe, "--depth", depth]);
}

/// So few calls do not reach everything, which the exit status says.
#[test]
fn the_report_of_outcomes_counts_every_call() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("coverage.json");
    let output = conform(&["coverage", "--ops", "3000", "--markdown", "--json", file.to_str().unwrap()]);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if errors.contains(NO_NAMESPACES) {
        assert!(std::env::var_os("CI").is_none(), "{errors}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{text}{errors}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let outcomes = report["outcomes"].as_object().unwrap();
    let counted: u64 = outcomes
        .values()
        .flat_map(|outcomes| outcomes.as_object().unwrap().values())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(report["calls"], counted);
    assert!(outcomes["mount"]["ok"].as_u64().unwrap() > 0);
    let flaws: Vec<_> = report["flaws"].as_array().unwrap().iter().map(|flaw| flaw.as_str().unwrap()).collect();
    assert!(flaws.iter().all(|flaw| flaw.contains(" never ")), "{flaws:?}");
    assert_eq!(errors.lines().collect::<Vec<_>>(), flaws);
    assert!(text.contains("| `mount` | "), "{text}");
    assert!(!text.contains("The kernels differ"), "{text}");
}

#[test]
fn a_file_that_is_no_sequence_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.json");
    std::fs::write(&file, "{\"steps\": 1}").unwrap();
    let output = conform(&["replay", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("x.json"));
}

/// It needs no privileges: all of it happens on the simulated kernel.
#[test]
fn a_bounded_exploration_finds_no_violation() {
    let output = conform(&["explore", "--bounded", "--scenario", "groups"]);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    let runs: u32 = text.split(" runs").next().unwrap().rsplit(' ').next().unwrap().replace(',', "").parse().unwrap();
    assert!(runs > 1000, "{text}");
    assert!(text.ends_with("no violation\n"), "{text}");
}

#[test]
fn what_the_explorer_has_found_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("variant.json");
    let variant = serde_json::json!({ "operation": 1, "faults": [[60, { "fails": "EIO" }]], "cut": [63, "dies"] });
    let saved = serde_json::json!({ "scenario": "volumes of the host", "variant": variant, "violation": "" });
    std::fs::write(&file, saved.to_string()).unwrap();
    let output = conform(&["replay", file.to_str().unwrap()]);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1. prepare c\n") && text.contains("= -1 EIO"), "{text}");
    let (until, after) = text.split_once("An agent starts again").unwrap();
    assert_eq!(until.lines().filter(|line| line.starts_with("     ")).count(), 63, "{text}");
    assert!(after.contains("\n        0  geteuid() = 0\n"), "{text}");
    assert!(after.ends_with("every invariant holds\n"), "{text}");
}

#[test]
fn a_scenario_that_is_not_there_is_an_error() {
    let output = conform(&["explore", "--scenario", "nothing like it"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("explore --list"));
}
