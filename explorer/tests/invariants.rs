//! That each invariant is violated by what it is about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam::kernel::{AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountFlags};
use cofferdam::root::create_directories;
use cofferdam::{UnixPath, checkpoint};
use cofferdam_explorer::inject::Watch;
use cofferdam_explorer::invariants::Baseline;
use cofferdam_explorer::operation::State;
use cofferdam_explorer::scenario::{Operation, Scenario};
use cofferdam_explorer::variant::Fault;
use cofferdam_explorer::{isolation, scenarios};
use rstest::rstest;

fn path(path: &str) -> &UnixPath {
    UnixPath::new(path)
}

/// The states of a scenario before each of its operations, and after the last.
fn states(scenario: &Scenario) -> Vec<State> {
    let mut states = vec![State::first(scenario).unwrap()];
    for operation in &scenario.operations {
        let state = states.last_mut().unwrap();
        state.set_out(operation).unwrap();
        let run = state.perform(operation, &[], Watch::Nothing).unwrap();
        assert_eq!(run.result, Ok(()));
        states.push(run.state);
    }
    states
}

type Damage = fn(&dyn Kernel);

fn mount_on_the_host(kernel: &dyn Kernel) {
    kernel.mount(Some(path("t")), path("/world/shared"), Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
}

fn change_a_volume(kernel: &dyn Kernel) {
    checkpoint::write(kernel, path("/world/work/volumes/roles/role/db/file"), b"else", Mode(0o644)).unwrap();
}

fn lose_a_volume(kernel: &dyn Kernel) {
    kernel.unlinkat(Fd::CWD, path("/world/work/volumes/roles/role/db/inner/file"), AtFlags::empty()).unwrap();
}

fn write_on_the_host(kernel: &dyn Kernel) {
    checkpoint::write(kernel, path("/world/precious/new"), b"", Mode(0o644)).unwrap();
}

fn leave_a_directory(kernel: &dyn Kernel) {
    create_directories(kernel, path("/run/agent/containers/left"), Mode(0o755)).unwrap();
}

#[rstest]
#[case("mounts", mount_on_the_host)]
#[case("data", change_a_volume)]
#[case("data", lose_a_volume)]
#[case("data", write_on_the_host)]
#[case("runtime directory", leave_a_directory)]
fn what_is_left_at_the_end_is_found(#[case] invariant: &str, #[case] damage: Damage) {
    let scenario = &scenarios::all().unwrap()[0];
    let states = states(scenario);
    let baseline = Baseline::of(&states[1]).unwrap();
    let mut end = states.last().unwrap().clone();
    assert_eq!(baseline.check_end(&end), Ok(()));
    end.machine.act(|process| damage(process)).unwrap();
    assert_eq!(baseline.check_end(&end).unwrap_err().invariant, invariant);
}

/// A mount that only a service sees, which has a mount namespace of its own.
#[test]
fn what_is_left_in_another_namespace_is_found() {
    let scenario = &scenarios::all().unwrap()[0];
    let states = states(scenario);
    let baseline = Baseline::of(&states[1]).unwrap();
    let mut end = states.last().unwrap().clone();
    let service = *end.machine.observers().last().unwrap();
    end.machine.act_as(|init, _| mount_on_the_host(&init.other(service))).unwrap();
    assert_eq!(baseline.check_end(&end).unwrap_err().invariant, "mounts");
}

#[test]
fn a_process_that_is_left_is_found() {
    let scenario = &scenarios::all().unwrap()[0];
    let states = states(scenario);
    let baseline = Baseline::of(&states[1]).unwrap();
    let mut end = states.last().unwrap().clone();
    end.machine.act_as(|init, _| init.fork(CloneFlags::empty()).map(drop)).unwrap().unwrap();
    assert_eq!(baseline.check_end(&end).unwrap_err().invariant, "processes");
}

/// The launcher believes a kernel that says that there is no such file, and masks nothing then: that is found.
#[test]
fn a_mask_that_is_missing_is_found() {
    let scenario = &scenarios::all().unwrap()[0];
    let states = states(scenario);
    let launch = scenario.operations.iter().position(|what| matches!(what, Operation::Launch { .. })).unwrap();
    let Operation::Launch { id } = &scenario.operations[launch] else { panic!("it is one") };
    let undisturbed = &states[launch + 1];
    assert_eq!(isolation::check(undisturbed, undisturbed, id), Ok(()));
    let calls = states[launch].perform(&scenario.operations[launch], &[], Watch::Nothing).unwrap().seen.calls;
    let found = (0..calls).find_map(|call| {
        let faults = [(call, Fault::Fails(Errno::ENOENT))];
        let run = states[launch].perform(&scenario.operations[launch], &faults, Watch::Nothing).unwrap();
        isolation::check(&run.state, undisturbed, id).err()
    });
    let violation = found.unwrap();
    assert_eq!(violation.invariant, "isolation");
    assert!(violation.what.starts_with("- 0 \"/proc/"), "{}", violation.what);
}

/// What is the host's, another container's volume, and a volume of the host that only another scenario has.
#[rstest]
#[case("/world/precious")]
#[case("/world/work/volumes/roles/role/log")]
#[case("/world/shared")]
fn what_a_program_must_not_reach_is_found(#[case] source: &str) {
    let scenario = &scenarios::all().unwrap()[0];
    let states = states(scenario);
    let launch = scenario.operations.iter().position(|what| matches!(what, Operation::Launch { .. })).unwrap();
    let Operation::Launch { id } = &scenario.operations[launch] else { panic!("it is one") };
    let mut disturbed = states[launch + 1].clone();
    let sandbox = disturbed.containers[id].config.directory.as_path().to_path_buf();
    // What is mounted in its sandbox arrives in the container.
    disturbed
        .machine
        .act(|process| {
            let target = sandbox.join("precious");
            process.mkdirat(Fd::CWD, &target, Mode(0o755)).unwrap();
            process.mount(Some(path(source)), &target, None, MountFlags::MS_BIND, None).unwrap();
        })
        .unwrap();
    let violation = isolation::check(&disturbed, &disturbed, id).unwrap_err();
    assert_eq!(violation.invariant, "reach");
    let root = source.strip_prefix("/world").unwrap();
    assert!(violation.what.contains(root), "{}", violation.what);
}
