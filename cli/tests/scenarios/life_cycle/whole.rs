//! From `create` to `cleanup`, and what is told of it on the way.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use super::agent::Agent;
use crate::support::{COFFERDAM, Outcome, Snapshot, scenario, wait_until};

/// Where nothing may change.
const VOLUMES: [&str; 1] = ["work/volumes"];

#[test]
fn a_whole_life() {
    scenario("a_whole_life", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db", "log"]);
        let before = Snapshot::of(host, &VOLUMES);
        agent.prepared("c1", &["db"]);
        let outcome = agent.launch("c1", "cat db/file; pwd; ls; echo wrong >&2; exit 7").outcome();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (7, "wrong\n"));
        assert_eq!(outcome.text(), "kept\n/mnt/mesos/sandbox\ndb\n");

        let script = "echo started; until [ -e log/file ]; do sleep 0.01; done; cat log/file
            while [ -e db ]; do sleep 0.01; done; ls; exit 3";
        let mut running = agent.launch("c1", script).start();
        running.wait_for("started");
        agent.update("c1", &["db", "log"]).outcome().success();
        running.wait_for("kept");
        agent.update("c1", &["log"]).outcome().success();
        let outcome = running.outcome();
        assert_eq!((outcome.status, outcome.text().as_str()), (3, "started\nkept\nlog\n"));

        agent.cleanup("c1").outcome().success();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db", "log"]);
        before.assert_unchanged(host, &VOLUMES);
    });
}

#[test]
fn the_sandbox_stays_unless_it_is_to_go() {
    scenario("the_sandbox_stays_unless_it_is_to_go", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        agent.launch("c1", "echo mine >file").outcome().success();
        agent.of("cleanup", "c1").outcome().success();
        assert_eq!(fs::read_to_string(agent.sandbox("c1").join("file")).unwrap(), "mine\n");
        assert_eq!(agent.ids(), [""; 0]);
        // The container may come back to it.
        agent.prepared("c1", &["db"]);
        assert_eq!(agent.launch("c1", "cat file db/file").outcome().success(), "mine\nkept\n");
        agent.clean_up_all();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
    });
}

#[test]
fn the_command_of_the_configuration_is_the_default() {
    scenario("the_command_of_the_configuration_is_the_default", |host| {
        let agent = Agent::new(host);
        let mut config = agent.config("c1", &[]);
        config["command_info"] = json!({"shell": true, "value": "echo default; exit 4"});
        agent.prepare("c1", &config).outcome().success();
        let outcome = agent.of("launch", "c1").outcome();
        assert_eq!((outcome.status, outcome.text().as_str()), (4, "default\n"));
        assert_eq!(agent.launch("c1", "echo other").outcome().success(), "other\n");
    });
}

#[test]
fn list_and_state_tell_what_there_is() {
    scenario("list_and_state_tell_what_there_is", |host| {
        let agent = Agent::new(host);
        assert_eq!(agent.call("list").arg("--json").json(), json!([]));
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let sandbox = agent.sandbox("c1");
        let mut expected = json!({
            "id": "c1",
            "container_id": {"value": "c1"},
            "status": "prepared",
            "sandbox": sandbox,
            "rootfs": agent.rootfs,
            "volumes": [{"name": "db", "source": host.work_dir().join("volumes/roles/web/db"), "mode": "RW"}],
            "mounts": [sandbox, sandbox.join("db")],
        });
        assert_eq!(agent.state("c1"), expected);
        assert_eq!(agent.call("list").arg("--json").json(), json!([expected]));
        let text = agent.of("state", "c1").outcome().success();
        for word in ["id       c1", "status   prepared", "volume", "mount"] {
            assert!(text.contains(word), "{text}");
        }

        let pid_file = host.path("pid");
        let running = agent.of("launch", "c1").arg("--pid-file").arg(&pid_file).arg("--").arg("sleep").arg("1000");
        let mut running = running.start();
        wait_until("the pid file", || fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n')));
        let pid: i32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        expected["status"] = "running".into();
        expected["pid"] = pid.into();
        assert_eq!(agent.state("c1"), expected);
        assert!(agent.call("list").outcome().success().contains(&format!("c1  running     {pid}")));
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains(&format!("NSpid:\t{pid}\t1\n")), "{status}");
        running.send(Signal::SIGTERM);
        assert_eq!(running.status().code(), Some(143));
        assert!(!pid_file.exists());
        assert_eq!(agent.state("c1")["status"], "prepared");
    });
}

/// `NAME{LABELS} VALUE`, after the HELP and the TYPE of NAME.
#[test]
fn metrics_are_in_the_format_of_prometheus() {
    scenario("metrics_are_in_the_format_of_prometheus", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let text = agent.call("metrics").outcome().success();
        let (mut help, mut kind) = ("", "");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ').unwrap().0;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, what) = rest.split_once(' ').unwrap();
                assert_eq!(name, help, "{line}");
                assert!(["gauge", "counter"].contains(&what), "{line}");
                kind = name;
            } else {
                let (metric, value) = line.rsplit_once(' ').unwrap();
                let name = metric.split('{').next().unwrap();
                assert_eq!((name, metric.contains('{')), (kind, metric.ends_with('}')), "{line}");
                assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
                assert!(name.starts_with("cofferdam_"), "{line}");
            }
        }
        for line in ["cofferdam_containers 1\n", "{nested=\"false\"} 1\n", "{nested=\"true\"} 0\n", "\"made\"} 2\n"] {
            assert!(text.contains(line), "{line}{text}");
        }
    });
}

#[test]
fn telling_makes_nothing() {
    scenario("telling_makes_nothing", |host| {
        let before = Snapshot::of(host, &[""]);
        for name in ["list", "metrics"] {
            let mut command = std::process::Command::new(COFFERDAM);
            command.arg(name).arg("--work-dir").arg(host.work_dir()).arg("--runtime-dir").arg(host.runtime_dir());
            Outcome::of(command).success();
        }
        before.assert_unchanged(host, &[""]);
    });
}
