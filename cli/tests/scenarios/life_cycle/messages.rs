//! What is said of commands that can't be carried out.

use serde_json::{Value, json};

use super::agent::{Agent, Call, resources};
use crate::support::{Snapshot, scenario};

/// The message of a command that fails: in one line for people, and as one object for programs.
#[track_caller]
fn refused(call: impl Fn() -> Call) -> Value {
    let outcome = call().outcome();
    let line = outcome.failure(125);
    assert_eq!((outcome.text().as_str(), line.matches('\n').count()), ("", 1), "{line}");
    let message = line.strip_prefix("cofferdam: ").unwrap().trim_end();
    let outcome = call().arg("--json").outcome();
    let report: Value = serde_json::from_str(outcome.failure(125)).unwrap();
    assert_eq!((outcome.text().as_str(), outcome.stderr.matches('\n').count()), ("", 1), "{report}");
    let schema = std::process::Command::new(crate::support::COFFERDAM).args(["schema", "error"]).output().unwrap();
    let schema = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(jsonschema::draft202012::new(&schema).unwrap().is_valid(&report), "{report}");
    let mut fields: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["errno", "hint", "message", "operation", "path"]);
    assert_eq!(report["message"], message);
    report
}

#[track_caller]
fn assert_says(report: &Value, operation: &str, part: &str) {
    assert_eq!(report["operation"], operation, "{report}");
    assert!(report["message"].as_str().unwrap().contains(part), "{report} does not say {part}");
}

#[test]
fn malformed_input_is_named_by_its_place() {
    scenario("malformed_input_is_named_by_its_place", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &["work"]);
        let wrong_name = json!({"directory": "/x", "resources": [{"name": 3}]}).to_string();
        let cases = [
            ("prepare", wrong_name.as_str(), "resources[0].name: invalid type: integer `3`"),
            ("prepare", "", "EOF"),
            ("prepare", "{", "EOF"),
            ("prepare", "{}", "missing field `directory`"),
            ("prepare", "[]]", ""),
            ("update", "[{}]", "[0]: missing field `name`"),
            ("update", "[] []", "trailing characters"),
            ("update", r#"[{"name":"disk","disk":{"persistence":{"id":3}}}]"#, "[0].disk.persistence.id: "),
        ];
        for (operation, input, part) in cases {
            assert_says(&refused(|| agent.of(operation, "c1").text(input)), operation, part);
        }
        let report = refused(|| agent.call("recover").input(&json!({"states": [{"container_id": {"value": 3}}]})));
        assert_says(&report, "recover", "states[0].container_id");
        before.assert_unchanged(host, &["work"]);
        agent.assert_no_container_left();
    });
}

#[test]
fn containers_that_are_not_there() {
    scenario("containers_that_are_not_there", |host| {
        let agent = Agent::new(host);
        assert_says(&refused(|| agent.of("state", "c1")), "state", "there is no container c1");
        assert_says(&refused(|| agent.of("launch", "c1")), "launch", "container c1 is not prepared");
        assert_says(&refused(|| agent.update("c1", &[])), "update", "container c1 is not known");
        // Whoever cleans up need not know how far it has come.
        for id in ["c1", "c1", "c1.n1"] {
            assert_eq!(agent.cleanup(id).outcome().success(), "");
        }
        agent.prepared("c1", &[]);
        for _ in 0..3 {
            assert_eq!(agent.cleanup("c1").outcome().success(), "");
        }
        agent.assert_no_container_left();
    });
}

#[test]
fn paths_that_are_not_there() {
    scenario("paths_that_are_not_there", |host| {
        let agent = Agent::new(host);
        for field in ["directory", "rootfs"] {
            let mut config = agent.config("c1", &[]);
            let missing = host.work_dir().join("missing");
            config[field] = json!(missing);
            let report = refused(|| agent.prepare("c1", &config));
            assert_says(&report, "prepare", "ENOENT");
            assert_eq!((&report["path"], &report["errno"]), (&json!(missing), &json!("ENOENT")));
        }
        agent.prepared("c1", &[]);
        agent.cleanup("c1").outcome().success();
        agent.assert_no_container_left();
    });
}

/// A call that has failed far below is named, whatever it was for.
#[test]
fn calls_that_failed_are_named() {
    scenario("calls_that_failed_are_named", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let mut config = agent.config("c1", &[]);
        std::os::unix::fs::symlink("/", agent.sandbox("c1").join("link")).unwrap();
        config["container_info"] = json!({"volumes": [{
            "container_path": "data", "mode": "RW",
            "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "link/x"}},
        }]});
        let report = refused(|| agent.prepare("c1", &config));
        assert_eq!((&report["path"], &report["errno"]), (&json!(agent.sandbox("c1").join("link/x")), &json!("ELOOP")));

        let with_gids = host.path("agent.toml");
        std::fs::write(&with_gids, "volume_gid_range = \"70000-70009\"").unwrap();
        let manager = host.work_dir().join("meta/volume_gid_manager");
        std::fs::write(&manager, "").unwrap();
        std::os::unix::fs::chown(agent.sandbox("c1"), Some(1000), Some(1000)).unwrap();
        let config = agent.config("c1", &["db"]);
        let report = refused(|| agent.prepare("c1", &config).arg("--agent-config").arg(&with_gids));
        assert_eq!(report["errno"], "ENOTDIR", "{report}");
        assert!(report["path"].as_str().unwrap().starts_with(manager.to_str().unwrap()), "{report}");
        std::fs::remove_file(&manager).unwrap();
        agent.prepare("c1", &config).outcome().success();
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}

#[test]
fn a_container_in_the_wrong_state() {
    scenario("a_container_in_the_wrong_state", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let config = agent.config("c1", &["db"]);
        agent.prepare("c1", &config).outcome().success();
        let prepared = Snapshot::of(host, &["work", "run/containers"]);
        assert_says(&refused(|| agent.prepare("c1", &config)), "prepare", "c1");
        assert_says(&refused(|| agent.of("launch", "c1")), "launch", "container c1 has no command");
        prepared.assert_unchanged(host, &["work", "run/containers"]);

        let _running = agent.running("c1");
        let report = refused(|| agent.of("launch", "c1"));
        assert_says(&report, "launch", "container c1 has no command");
        let outcome = agent.launch("c1", "true").outcome();
        assert_eq!(outcome.failure(125), "cofferdam: container c1 runs already\n");
        assert_says(&refused(|| agent.of("cleanup", "c1")), "cleanup", "container c1 runs; stop it first");
        assert_says(&refused(|| agent.cleanup("c1")), "cleanup", "container c1 runs; stop it first");
        assert_says(&refused(|| agent.prepare("c1", &config)), "prepare", "c1");
        assert_eq!(agent.state("c1")["status"], "running");
        assert_eq!(agent.state("c1")["mounts"], json!([agent.sandbox("c1"), agent.sandbox("c1").join("db")]));
        agent.assert_volumes_intact(&["db"]);
    });
}

#[test]
fn an_update_that_fails_changes_nothing() {
    scenario("an_update_that_fails_changes_nothing", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db", "log"]);
        agent.prepared("c1", &["db"]);
        let state = agent.state("c1");
        let mut twice = resources(&["db", "log"]);
        twice[1]["disk"]["volume"]["container_path"] = "db".into();
        assert_says(&refused(|| agent.of("update", "c1").input(&twice)), "update", "db");
        assert_eq!(agent.state("c1"), state);
        agent.assert_volumes_intact(&["db", "log"]);
    });
}

#[test]
fn two_agents_do_not_share_a_directory() {
    scenario("two_agents_do_not_share_a_directory", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let before = Snapshot::of(host, &["work", "run/containers"]);
        let other = Agent { host, rootfs: agent.rootfs.clone(), runtime_dir: host.path("run2"), config: None };
        let config = agent.config("c2", &[]);
        std::fs::remove_dir(agent.sandbox("c2")).unwrap();
        assert_says(&refused(|| other.call("create")), "create", "belongs to an agent");
        assert_says(&refused(|| other.prepare("c2", &config)), "prepare", "belongs to an agent");
        assert_says(&refused(|| other.call("recover")), "recover", "belongs to an agent");
        before.assert_unchanged(host, &["work", "run/containers"]);
        agent.clean_up_all();
        agent.assert_no_container_left();
        other.call("create").outcome().success();
        other.prepared("c1", &["db"]);
        assert_says(&refused(|| agent.call("create")), "create", "belongs to an agent");
        other.clean_up_all();
        other.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
    });
}
