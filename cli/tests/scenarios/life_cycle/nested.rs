//! Containers in containers.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::agent::Agent;
use crate::support::{Host, Snapshot, scenario};

/// Of a container that sees no root filesystem but that of its parent.
fn debug(agent: &Agent<'_>, id: &str) -> Value {
    json!({"directory": agent.sandbox(id), "container_class": "DEBUG"})
}

/// A parent with a volume, prepared.
fn parent(host: &Host) -> Agent<'_> {
    let agent = Agent::new(host);
    agent.volumes(&["db"]);
    agent.prepared("c1", &["db"]);
    agent
}

/// Where nothing has a pid namespace of its own, a nested container joins nothing of its parent.
#[test]
fn also_without_pid_namespaces_a_parent_must_run() {
    scenario("also_without_pid_namespaces_a_parent_must_run", |host| {
        let agent = Agent::new(host);
        for id in ["c1", "c1.n1"] {
            let mut config = agent.config(id, &[]);
            config["container_info"] = json!({"linux_info": {"share_pid_namespace": true}});
            agent.prepare(id, &config).outcome().success();
        }
        let outcome = agent.launch("c1.n1", "true").outcome();
        assert!(outcome.failure(125).contains("container c1, in which it is nested, does not run"), "{outcome:?}");
        let mut running = agent.running("c1");
        let mut nested = agent.running("c1.n1");
        running.send(Signal::SIGTERM);
        assert_eq!(running.status().code(), Some(143));
        // It goes on, and keeps its parent.
        assert_eq!(agent.state("c1.n1")["status"], "running");
        let outcome = agent.cleanup("c1").outcome();
        assert!(outcome.failure(125).contains("still has the nested container c1.n1"), "{outcome:?}");
        nested.send(Signal::SIGTERM);
        assert_eq!(nested.status().code(), Some(143));
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}

#[test]
fn a_nested_container_has_a_filesystem_and_processes_of_its_own() {
    scenario("a_nested_container_has_a_filesystem_and_processes_of_its_own", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &[]);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let mut running = agent.running("c1");
        let mut config = agent.config("c1.n1", &[]);
        config["container_info"] = json!({"volumes": [{
            "container_path": "shared", "mode": "RW",
            "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "db"}},
        }]});
        agent.prepare("c1.n1", &config).outcome().success();
        // The launcher, the shell and what that starts.
        let processes = agent.launch("c1.n1", "ps; echo /proc/[0-9]*").outcome().success();
        assert!(!processes.contains("while"), "{processes}");
        assert!(processes.ends_with("\n/proc/1 /proc/2\n"), "{processes}");
        let script = "cat shared/file; ls; echo mine >file; grep -c /executors/ /proc/self/mountinfo; exit 3";
        let outcome = agent.launch("c1.n1", script).outcome();
        assert_eq!((outcome.failure(3), outcome.text().as_str()), ("", "kept\nshared\n1\n"));
        assert_eq!(agent.launch("c1.n1", "cat file").outcome().success(), "mine\n");
        assert_eq!(agent.state("c1.n1")["status"], "prepared");
        assert_eq!(agent.ids(), ["c1", "c1.n1"]);
        running.send(Signal::SIGKILL);
        running.status();
        agent.clean_up_all();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
        before.assert_unchanged(host, &[]);
    });
}

#[test]
fn a_debug_container_is_in_the_mount_namespace_of_its_parent() {
    scenario("a_debug_container_is_in_the_mount_namespace_of_its_parent", |host| {
        let agent = parent(host);
        let script = "readlink /proc/self/ns/mnt; cat /proc/self/mountinfo; echo end; while :; do sleep 0.05; done";
        let mut running = agent.launch("c1", script).start();
        running.wait_for("end\n");
        agent.prepare("c1.dbg", &debug(&agent, "c1.dbg")).outcome().success();
        let launch = |script| agent.launch("c1.dbg", script).outcome().success();
        let same = launch("readlink /proc/self/ns/mnt; cat /proc/self/mountinfo; echo end");
        assert_eq!(same, running.text());
        assert!(launch("ps").contains("while :"));
        assert_eq!(launch("pwd; cat db/file; echo new >new; ls"), "/mnt/mesos/sandbox\nkept\ncontainers\ndb\nnew\n");
        assert_eq!(fs::read_to_string(agent.sandbox("c1").join("new")).unwrap(), "new\n");
        // What the parent loses, it loses.
        agent.update("c1", &[]).outcome().success();
        assert_eq!(launch("ls"), "containers\nnew\n");
    });
}

#[test]
fn a_nested_container_ends_with_its_parent() {
    scenario("a_nested_container_ends_with_its_parent", |host| {
        let agent = parent(host);
        let mut running = agent.running("c1");
        agent.prepared("c1.n1", &[]);
        agent.prepare("c1.dbg", &debug(&agent, "c1.dbg")).outcome().success();
        let mut nested = [agent.running("c1.n1"), agent.running("c1.dbg")];
        for id in ["c1", "c1.n1", "c1.dbg"] {
            assert_eq!(agent.state(id)["status"], "running", "{id}");
        }
        running.send(Signal::SIGTERM);
        assert_eq!(running.status().code(), Some(143));
        for nested in &mut nested {
            assert_eq!(nested.status().code(), Some(137));
        }
        agent.clean_up_all();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
    });
}

#[test]
fn a_nested_container_needs_a_parent_that_runs() {
    scenario("a_nested_container_needs_a_parent_that_runs", |host| {
        let agent = parent(host);
        let outcome = agent.prepare("c2.n1", &agent.config("c2.n1", &[])).outcome();
        assert!(outcome.failure(125).contains("c2"), "{outcome:?}");
        agent.cleanup("c2").outcome().success();
        fs::remove_dir_all(agent.sandbox("c2")).unwrap();
        agent.prepared("c1.n1", &[]);
        agent.prepare("c1.dbg", &debug(&agent, "c1.dbg")).outcome().success();
        for id in ["c1.n1", "c1.dbg"] {
            let outcome = agent.launch(id, "true").outcome();
            let expected = format!(
                "cofferdam: container {id} can't be launched: container c1, in which it is nested, does not run\n"
            );
            assert_eq!(outcome.failure(125), expected);
        }
        let outcome = agent.cleanup("c1").outcome();
        assert!(outcome.failure(125).contains("still has the nested container c1."), "{outcome:?}");
        assert_eq!(agent.ids().len(), 3);
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}

/// What is nested in a container is not its own, and no difference from what it should be.
#[test]
fn a_container_with_nested_ones_is_verified() {
    scenario("a_container_with_nested_ones_is_verified", |host| {
        let agent = parent(host);
        let mut running = agent.running("c1");
        agent.prepared("c1.n1", &[]);
        let mut nested = agent.running("c1.n1");
        agent.prepared("c1.n1.n2", &[]);
        let outcome = agent.of("verify", "c1").outcome();
        assert_eq!(outcome.success(), "Container c1 and the host's mounts are as they were made.\n");
        host.umount(agent.sandbox("c1").join("db"));
        let outcome = agent.of("verify", "c1").outcome();
        assert_eq!(outcome.status, 1, "{outcome:?}");
        for started in [&mut nested, &mut running] {
            started.send(Signal::SIGTERM);
            started.status();
        }
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}
