//! `create --check`, which changes nothing.

use std::fs;

use serde_json::{Value, json};

use super::agent::Agent;
use crate::support::{Host, Snapshot, scenario};

/// Where nothing may change.
const ALL: [&str; 1] = [""];

/// An agent that was never started.
fn new(host: &Host) -> Agent<'_> {
    Agent { host, rootfs: host.busybox(), runtime_dir: host.path("state/run"), config: None }
}

#[test]
fn a_check_tells_what_create_then_does() {
    scenario("a_check_tells_what_create_then_does", |host| {
        let agent = new(host);
        let before = Snapshot::of(host, &ALL);
        let told = agent.call("create").arg("--check").arg("--json").json();
        before.assert_unchanged(host, &ALL);
        let steps: Vec<_> =
            told["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert!(steps.contains(&"make_directory") && told["ready"] == json!(false), "{told}");
        let text = agent.call("create").arg("--check").outcome().success();
        assert!(text.contains("create will  make the directory "), "{text}");
        before.assert_unchanged(host, &ALL);
        agent.call("create").outcome().success();
        let told = agent.call("create").arg("--check").arg("--json").json();
        assert_eq!((&told["ready"], &told["steps"]), (&json!(true), &json!([])));
        let text = agent.call("create").arg("--check").outcome().success();
        assert!(text.ends_with("create will  change nothing: all is ready\n"), "{text}");
    });
}

#[test]
fn a_check_fails_as_create_does() {
    scenario("a_check_fails_as_create_does", |host| {
        let mut agent = new(host);
        fs::write(host.path("file"), "").unwrap();
        agent.runtime_dir = host.path("file/run");
        let before = Snapshot::of(host, &ALL);
        let checked = agent.call("create").arg("--check").outcome();
        let created = agent.call("create").outcome();
        assert_eq!(checked.failure(125), created.failure(125));
        let report: Value =
            serde_json::from_str(agent.call("create").arg("--check").arg("--json").outcome().failure(125)).unwrap();
        assert_eq!((&report["operation"], &report["errno"]), (&json!("create"), &json!("ENOTDIR")), "{report}");
        before.assert_unchanged(host, &ALL);
    });
}
