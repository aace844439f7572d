//! `cofferdam plan`: what it predicts is what `cofferdam run` then does, on hosts of all kinds.

mod configurations;
mod replica;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use cofferdam::mountinfo::Table;
use cofferdam_view::Look;
use cofferdam_view::difference::{Difference, text};
use rstest::rstest;
use serde_json::Value;

use self::configurations::{Configuration, configurations};
use self::replica::Replica;
use crate::support::scenario;

/// How many configurations are tried on each of the hosts; on one with hundreds of mounts it takes longer.
const EACH: usize = 36;
const ON_LARGE: usize = 20;

/// A program that shows its mounts, and then waits.
const PROGRAM: &str = "cat /proc/self/mountinfo; echo end; read line";

/// What really happens.
struct Reality {
    status: i32,
    error: String,
    container: Option<Vec<u8>>,
    meanwhile: Option<Vec<u8>>,
    after: Vec<u8>,
}

fn mountinfo() -> Vec<u8> {
    fs::read("/proc/thread-self/mountinfo").unwrap()
}

/// Runs a container, and looks at the mounts while it runs.
fn run(configuration: &Configuration) -> Reality {
    let mut child = Command::new(configuration.cofferdam())
        .arg("run")
        .args(&configuration.options)
        .arg("--")
        .args(configuration.command())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut printed, mut buffer) = (Vec::new(), [0; 4096]);
    while !printed.ends_with(b"\nend\n") {
        match output.read(&mut buffer).unwrap() {
            0 => break,
            count => printed.extend_from_slice(&buffer[..count]),
        }
    }
    let container = printed.strip_suffix(b"end\n").map(<[u8]>::to_vec);
    let meanwhile = container.as_ref().map(|_| mountinfo());
    // It may have ended long ago.
    let _ = child.stdin.take().unwrap().write_all(b"\n");
    let result = child.wait_with_output().unwrap();
    let error = String::from_utf8(result.stderr).unwrap();
    let error = error.trim_end().strip_prefix("cofferdam: ").unwrap_or(error.trim_end()).to_owned();
    Reality { status: result.status.code().unwrap(), error, container, meanwhile, after: mountinfo() }
}

/// The prediction, of this host or of a copy of its table.
fn plan(configuration: &Configuration, copy: Option<&str>) -> Value {
    let mut command = Command::new(configuration.cofferdam());
    command.arg("plan").arg("--json").args(&configuration.options);
    if let Some(copy) = copy {
        command.args(["--mountinfo", copy]);
    }
    let output = command.arg("--").args(configuration.command()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let parsed = serde_json::from_slice(&output.stdout);
    parsed.unwrap_or_else(|error| panic!("{error}: {configuration:?}: {output:?} {errors}"))
}

/// Fails if two tables are not the same.
fn compare(what: &str, configuration: &Configuration, predicted: &Value, real: &[u8], is_compared: fn(&str) -> bool) {
    let predicted = predicted["mountinfo"].as_str().unwrap_or_default().to_owned();
    let chosen = |text: &str| -> String { text.split_inclusive('\n').filter(|line| is_compared(line)).collect() };
    let (predicted, real) = (chosen(&predicted), chosen(&String::from_utf8_lossy(real)));
    let (predicted, real) = (Table::parse(predicted.as_bytes()).unwrap(), Table::parse(real.as_bytes()).unwrap());
    let difference = Difference::between(&predicted, &real);
    assert!(
        difference.is_none(),
        "{what}: {configuration:?}: from the prediction to what is:\n{}",
        text(&difference, &predicted, &real, Look { is_ascii: true, has_colors: false })
    );
}

fn all(_: &str) -> bool {
    true
}

/// A copy of a table does not tell what is in the host's proc and sysfs to be masked.
fn not_of_the_kernel(line: &str) -> bool {
    let mountpoint = line.split(' ').nth(4).unwrap_or_default();
    !mountpoint.starts_with("/proc/") && !mountpoint.starts_with("/sys/")
}

fn check(configuration: &Configuration) {
    let before = mountinfo();
    let copy = configuration.path("/copy");
    fs::write(&copy, &before).unwrap();
    let plan_here = plan(configuration, None);
    assert_eq!(String::from_utf8(mountinfo()).unwrap(), String::from_utf8(before).unwrap(), "planning changes nothing");
    let plan_of_copy = plan(configuration, Some(&copy));
    let reality = run(configuration);
    let (status, error) = (reality.status, &reality.error);
    if status != 0 {
        assert_eq!(plan_here["error"].as_str(), Some(&error[..]), "{configuration:?}");
        assert_eq!(plan_here["outcome"], "would_fail", "{configuration:?}: {error}");
    }
    compare("afterwards", configuration, &plan_here["host_afterwards"], &reality.after, all);
    if status == 0 {
        let (container, meanwhile) = (reality.container.unwrap(), reality.meanwhile.unwrap());
        assert_eq!(plan_here["error"], Value::Null, "{configuration:?}");
        compare("meanwhile", configuration, &plan_here["host_while_running"], &meanwhile, all);
        compare("container", configuration, &plan_here["container"], &container, all);
        if !configuration.is_plain() {
            return;
        }
        assert_eq!(plan_of_copy["error"], Value::Null, "{configuration:?}");
        compare("copy, meanwhile", configuration, &plan_of_copy["host_while_running"], &meanwhile, all);
        compare("copy, container", configuration, &plan_of_copy["container"], &container, not_of_the_kernel);
        compare("copy, afterwards", configuration, &plan_of_copy["host_afterwards"], &reality.after, all);
    }
}

#[rstest]
fn a_plan_is_what_the_run_then_does(
    #[values("systemd-desktop", "kubernetes-node", "docker-host", "container", "slaves-and-unbindable")] table: &str,
) {
    scenario(&format!("a_plan_is_what_the_run_then_does on {table}"), |host| {
        let replica = Replica::build(host, table);
        replica.inside(|| {
            let count = if table == "kubernetes-node" { ON_LARGE } else { EACH };
            configurations(table, count, None).iter().for_each(check);
        });
    });
}

#[test]
fn a_plan_for_this_machine_is_what_the_run_then_does() {
    scenario("a_plan_for_this_machine_is_what_the_run_then_does", |host| {
        let directory = host.path("here");
        replica::furnish(host, &directory);
        configurations("this machine", EACH, Some(&directory)).iter().for_each(check);
    });
}
