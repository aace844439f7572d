//! Records scenarios and tries what was recorded.

use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam::UnixPath;
use cofferdam::kernel::Intercepted;
use cofferdam_sequences::observation::Observation;
use cofferdam_sequences::print::boot_machine;
use cofferdam_sequences::record::{Recorder, Recording};
use cofferdam_sequences::saved::Saved;
use cofferdam_sequences::script::Line;
use cofferdam_sequences::sequence::{Item, Looks, Universe};
use cofferdam_sequences::simulated::{Machine, Simulation};
use cofferdam_sequences::universe::Privileges;

use crate::world::{Scenario, World};

/// The mount tables are compared after every call of a scenario that makes fewer than so many, else at its end.
const FEW: usize = 1000;

/// What the tool needs to make namespaces.
const NO_NAMESPACES: &str = "this needs root";

/// Records scenarios, and tries what they did on both kernels.
pub fn the_kernels_do_the_same(scenarios: &[Scenario]) {
    assert!(!scenarios.is_empty());
    let directory = tempfile::tempdir().unwrap();
    // With what this machine lacks the program has to go on differently.
    let machine = Machine::new(8 << 30, |name| Path::new("/proc").join(name).exists());
    let simulation = boot_machine(Privileges::Root, &machine).unwrap();
    let mut files = Vec::new();
    for (name, scenario) in scenarios {
        println!("{name}");
        let recording = record(&simulation, *scenario);
        println!("{} calls", recording.sequence.steps.len());
        repeat(&simulation, &recording);
        files.push(save(directory.path(), name, recording));
    }
    replay(&files);
}

/// What a scenario does to the simulated kernel.
fn record(simulation: &Simulation, scenario: fn(&World<'_>)) -> Recording {
    let process = simulation.begin(Universe::Host).process(0).unwrap();
    let recorder = Recorder::default();
    let kernel = Intercepted::new(&process, &recorder);
    scenario(&World::new(&kernel, UnixPath::new("/world").to_path_buf()));
    recorder.finish(Universe::Host).unwrap()
}

/// The sequence alone must do what the scenario did, or what the kernels are compared on is something else.
fn repeat(simulation: &Simulation, recording: &Recording) {
    let plan = recording.sequence.plan(Looks::AtTheEnd);
    let seen = simulation.run(&plan);
    for (item, seen) in plan.items.iter().zip(&seen) {
        if let Item::Step(index, step) = item {
            let line = Line { index: *index, step, result: Some(seen) };
            assert_eq!(*seen, Observation::Returned(recording.results[*index].clone()), "{line}");
        }
    }
}

fn save(directory: &Path, name: &str, recording: Recording) -> PathBuf {
    let path = directory.join(format!("{}.json", name.replace("::", ".")));
    let saved = Saved {
        note: name.into(),
        privileges: Some(Privileges::Root),
        check_every_call: recording.sequence.steps.len() < FEW,
        sequence: recording.sequence,
        found: None,
        signature: None,
    };
    std::fs::write(&path, serde_json::to_string(&saved).unwrap()).unwrap();
    path
}

fn replay(files: &[PathBuf]) {
    let mut conform = Command::new(env!("CARGO_BIN_EXE_conform"));
    let output = conform.args(["replay", "--privileges", "root"]).args(files).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if errors.contains(NO_NAMESPACES) {
        assert!(std::env::var_os("CI").is_none(), "{errors}");
        eprintln!("skipped: {errors}");
        return;
    }
    assert!(output.status.success(), "{}\n{text}{errors}", output.status);
    assert!(text.ends_with(&format!("{} the same, 0 different\n", files.len())), "{text}");
}
