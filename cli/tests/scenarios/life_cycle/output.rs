//! Standard output that can't be written to.

use std::fs::OpenOptions;
use std::process::Stdio;

use serde_json::Value;

use super::agent::{Agent, Call};
use crate::support::{Host, Outcome, Snapshot, scenario};

/// Where nothing may change.
const DIRECTORIES: [&str; 2] = ["work", "run/containers"];

/// A disk that is full (full(4)).
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A pipe that nobody reads from.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The report of a command whose output can't be written.
#[track_caller]
fn report(call: Call, output: Stdio, errno: &str) -> Value {
    let outcome: Outcome = call.arg("--json").outcome_into(output);
    let report: Value = serde_json::from_str(outcome.failure(125)).unwrap();
    assert_eq!((&report["path"], &report["errno"]), (&"standard output".into(), &errno.into()), "{report}");
    let message = report["message"].as_str().unwrap();
    let hint = report["hint"].as_str().unwrap();
    assert!(message.starts_with(&format!("cannot write to \"standard output\": {errno} (")), "{message}");
    assert!(message.ends_with(hint), "{message}");
    report
}

fn prepared(host: &Host) -> Agent<'_> {
    let agent = Agent::new(host);
    agent.volumes(&["db"]);
    agent.prepared("c1", &["db"]);
    agent
}

#[test]
fn a_prepare_that_nobody_learns_of_leaves_nothing() {
    scenario("a_prepare_that_nobody_learns_of_leaves_nothing", |host| {
        let agent = prepared(host);
        let configs = [("c2", agent.config("c2", &["db"])), ("c1.n1", agent.config("c1.n1", &[]))];
        let before = Snapshot::of(host, &DIRECTORIES);
        for (id, config) in &configs {
            let outcome = agent.prepare(id, config).outcome_into(full());
            assert!(outcome.failure(125).contains("standard output"), "{outcome:?}");
            let told = report(agent.prepare(id, config), full(), "ENOSPC");
            assert_eq!(told["operation"], "prepare");
            report(agent.prepare(id, config), closed(), "EPIPE");
            before.assert_unchanged(host, &DIRECTORIES);
            assert_eq!(agent.ids(), ["c1"]);
            assert_eq!(super::agent::names(&agent.runtime_dir.join("locks")), ["c1"]);
        }
        agent.assert_volumes_intact(&["db"]);
        // The id is free.
        for (id, config) in &configs {
            agent.prepare(id, config).outcome().success();
        }
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}

#[test]
fn what_can_not_be_told_is_an_error() {
    scenario("what_can_not_be_told_is_an_error", |host| {
        let agent = prepared(host);
        agent.recover();
        let before = Snapshot::of(host, &DIRECTORIES);
        for name in ["list", "metrics", "recover"] {
            for (output, errno) in [(full as fn() -> Stdio, "ENOSPC"), (closed, "EPIPE")] {
                assert_eq!(report(agent.call(name), output(), errno)["operation"], name);
            }
        }
        report(agent.of("state", "c1"), full(), "ENOSPC");
        for call in [agent.call("list"), agent.of("state", "c1")] {
            let outcome = call.outcome_into(full());
            assert!(outcome.failure(125).contains("standard output"), "{outcome:?}");
        }
        before.assert_unchanged(host, &DIRECTORIES);
    });
}
