//! `recover`, after those that have died.

use nix::sys::signal::Signal;
use serde_json::json;

use super::agent::Agent;
use crate::support::{Host, Run, Snapshot, Started, scenario, wait_until};

#[test]
fn prepared_containers_are_known() {
    scenario("prepared_containers_are_known", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        agent.prepared("c1.n1", &[]);
        agent.prepared("c2", &["db"]);
        let before = Snapshot::of(host, &["work/slaves", "work/volumes", "run/containers"]);
        let known = json!([{"value": "c1"}, {"value": "c2"}, {"value": "n1", "parent": {"value": "c1"}}]);
        for _ in 0..2 {
            let told = agent.recover();
            assert_eq!(told, json!({"known": known, "orphans": [], "cleaned": [], "foreign": []}));
            before.assert_unchanged(host, &["work/slaves", "work/volumes", "run/containers"]);
        }
        assert_eq!(agent.launch("c1", "cat db/file").outcome().success(), "kept\n");
    });
}

/// An agent that has kept states of its own, while the runtime directory did not last, as after a reboot.
#[test]
fn states_and_orphans_are_taken_from_standard_input() {
    scenario("states_and_orphans_are_taken_from_standard_input", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &[]);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        agent.prepared("c2", &["db"]);
        for id in ["c1", "c2"] {
            std::fs::remove_dir_all(agent.runtime_dir.join("containers").join(id)).unwrap();
        }
        let states = json!({
            "states": [{"container_id": {"value": "c1"}, "directory": agent.sandbox("c1")}],
            "orphans": [{"value": "c2"}],
        });
        let told = agent.call("recover").input(&states).json();
        let known = json!([{"value": "c1"}, {"value": "c2"}]);
        assert_eq!(told, json!({"known": known, "orphans": [{"value": "c2"}], "cleaned": [], "foreign": []}));
        for id in ["c1", "c2"] {
            assert_eq!(agent.state(id)["mounts"], json!([agent.sandbox(id), agent.sandbox(id).join("db")]));
        }
        for id in ["c1", "c2"] {
            agent.cleanup(id).outcome().success();
        }
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
        before.assert_unchanged(host, &[]);
    });
}

fn run(host: &Host, id: &str) -> Run {
    host.run().rootfs(host.path("rootfs")).id(id).volume("web/db:data")
}

fn running(host: &Host, id: &str) -> Started {
    let mut started =
        run(host, id).spawn(["/bin/sh", "-c", "cat data/file; echo started; while :; do sleep 0.05; done"]);
    started.wait_for("kept\nstarted");
    started
}

#[test]
fn a_run_that_was_killed_is_cleaned_up() {
    scenario("a_run_that_was_killed_is_cleaned_up", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let before = Snapshot::of(host, &["work/volumes"]);
        let mut killed = running(host, "r1");
        killed.send(Signal::SIGKILL);
        killed.status();
        wait_until("the end of its processes", || agent.state("r1")["status"] != "running");
        let told = agent.recover();
        assert_eq!(told, json!({"known": [], "orphans": [], "cleaned": [{"value": "r1"}], "foreign": []}));
        agent.assert_no_container_left();
        before.assert_unchanged(host, &["work/volumes"]);
        assert_eq!(run(host, "r1").sh("cat data/file").success(), "kept\n");
    });
}

#[test]
fn a_run_that_runs_is_left_alone() {
    scenario("a_run_that_runs_is_left_alone", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let mut alive = run(host, "r1").start("echo started; read -r _; cat data/file; ls");
        alive.line();
        let mut killed = running(host, "r2");
        killed.send(Signal::SIGKILL);
        killed.status();
        wait_until("the end of its processes", || agent.state("r2")["status"] != "running");
        assert_eq!(agent.recover()["cleaned"], json!([{"value": "r2"}]));
        assert_eq!(agent.state("r1")["status"], "running");
        assert_eq!(alive.finish().success(), "kept\ndata\n");
        agent.assert_no_container_left();
    });
}

/// Whoever removed what is kept of a container died when its configuration was gone.
#[test]
fn one_recovery_is_enough_for_a_run_that_was_half_cleaned_up() {
    scenario("one_recovery_is_enough_for_a_run_that_was_half_cleaned_up", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let before = Snapshot::of(host, &["work/volumes"]);
        drop(running(host, "r1"));
        wait_until("the end of its processes", || agent.state("r1")["status"] != "running");
        std::fs::remove_file(agent.runtime_dir.join("containers/r1/config")).unwrap();
        let told = agent.recover();
        assert_eq!(told, json!({"known": [], "orphans": [], "cleaned": [{"value": "r1"}], "foreign": []}));
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
        before.assert_unchanged(host, &["work/volumes"]);
    });
}

/// What is mounted for a container whose record is damaged is not forgotten.
#[test]
fn a_damaged_record_is_told_and_its_mounts_are_taken_away() {
    scenario("a_damaged_record_is_told_and_its_mounts_are_taken_away", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c0", &["db"]);
        let before = Snapshot::of(host, &["work/volumes"]);
        for name in ["config", "volumes"] {
            agent.prepared("c1", &["db"]);
            let record = agent.runtime_dir.join("containers/c1").join(name);
            let text = std::fs::read_to_string(&record).unwrap();
            std::fs::write(&record, text.replace("\"db\"", "\"dc\"")).unwrap();
            let outcome = agent.call("recover").outcome();
            let message = outcome.failure(125);
            assert!(message.contains(record.to_str().unwrap()) && message.contains("checksum"), "{message}");
            assert_eq!(agent.state("c1")["status"], "unfinished");
            agent.call("cleanup").arg("--id").arg("c1").outcome().success();
            before.assert_unchanged(host, &["work/volumes"]);
            std::fs::remove_dir(agent.sandbox("c1").join("db")).unwrap();
            std::fs::remove_dir(agent.sandbox("c1")).unwrap();
        }
        agent.clean_up_all();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
    });
}

#[test]
fn a_damaged_launch_info_is_not_launched() {
    scenario("a_damaged_launch_info_is_not_launched", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let record = agent.runtime_dir.join("containers/c1/launch_info");
        let text = std::fs::read_to_string(&record).unwrap();
        for damaged in
            [text.replace("/proc/kcore", "/proc/kcorf"), text[..text.len() / 2].into(), String::new(), "{}".into()]
        {
            std::fs::write(&record, damaged).unwrap();
            let outcome = agent.launch("c1", "echo started").outcome();
            let message = outcome.failure(125);
            assert!(message.contains(record.to_str().unwrap()) && message.contains("checksum"), "{message}");
        }
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}
