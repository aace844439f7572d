//! Commands that come between the steps of others.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::agent::{Agent, names};
use crate::support::{Outcome, Snapshot, scenario, wait_until};

/// Who looks whether a container runs has its lock for a moment.
#[test]
fn a_look_does_not_keep_a_container_from_being_launched() {
    scenario("a_look_does_not_keep_a_container_from_being_launched", |host| {
        let agent = Agent::new(host);
        agent.prepared("c1", &[]);
        let mut killed = agent.running("c1");
        killed.send(Signal::SIGKILL);
        killed.status();
        let directory = agent.runtime_dir.join("containers/c1");
        let looks = Flock::lock(File::open(directory.join("running.lock")).unwrap(), FlockArg::LockShared).unwrap();
        assert!(directory.join("pid").exists(), "that of the one that was killed");
        let launch = agent.launch("c1", "echo launched").start();
        // Nobody may take the process that is gone for the one that comes.
        wait_until("the removal of the pid file", || !directory.join("pid").exists());
        thread::sleep(Duration::from_millis(50));
        drop(looks);
        assert_eq!(launch.outcome().success(), "launched\n");
    });
}

/// Who may open a file may lock it.
#[test]
fn nobody_else_can_take_a_lock_file() {
    scenario("nobody_else_can_take_a_lock_file", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        agent.launch("c1", "true").outcome().success();
        let [work, run] = [host.work_dir(), agent.runtime_dir.clone()];
        for file in [
            work.join("meta/agent.lock"),
            run.join("agent.lock"),
            run.join("commands.lock"),
            run.join("metrics.lock"),
            run.join("locks/c1"),
            run.join("containers/c1/running.lock"),
        ] {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode(), 0o100_600, "{}", file.display());
        }
        // Others may open directories.
        let lock = |directory: &Path| Flock::lock(File::open(directory).unwrap(), FlockArg::LockExclusive).unwrap();
        let _locked = [&work, &run, &run.join("containers"), &run.join("containers/c1"), &agent.sandbox("c1")]
            .map(|directory| lock(directory));
        agent.update("c1", &[]).outcome().success();
        agent.prepared("c2", &["db"]);
        agent.launch("c2", "true").outcome().success();
        agent.call("create").outcome().success();
        agent.recover();
        assert_eq!(host.run().rootfs(&agent.rootfs).volume("web/db:data").sh("cat data/file").success(), "kept\n");
        agent.clean_up_all();
        agent.assert_no_container_left();
    });
}

#[test]
fn two_directories_that_are_one_are_refused() {
    scenario("two_directories_that_are_one_are_refused", |host| {
        let other_name = host.path("other");
        std::os::unix::fs::symlink(host.work_dir(), &other_name).unwrap();
        for runtime_dir in [host.work_dir(), other_name] {
            let agent = Agent { host, rootfs: host.path("rootfs"), runtime_dir, config: None };
            let outcome = agent.call("create").outcome();
            let message = outcome.failure(125);
            assert!(message.ends_with("; work_dir and runtime_dir must be two directories\n"), "{message}");
            // That one takes no lock of an agent.
            let run = host.run_in(&host.work_dir(), &agent.runtime_dir).sh("true");
            assert!(run.failure(125).contains("must be two directories"), "{run:?}");
        }
    });
}

#[test]
fn commands_for_a_container_that_is_not_there_leave_no_lock() {
    scenario("commands_for_a_container_that_is_not_there_leave_no_lock", |host| {
        let agent = Agent::new(host);
        let config = agent.config("c1.n1", &[]);
        let before = Snapshot::of(host, &["run/containers", "run/locks"]);
        for call in [
            agent.launch("c1", "true"),
            agent.launch("c1.n1", "true"),
            agent.update("c1", &[]),
            agent.prepare("c1.n1", &config),
        ] {
            let outcome = call.outcome();
            assert!(outcome.failure(125).contains("c1"), "{outcome:?}");
            assert_eq!(names(&agent.runtime_dir.join("locks")), [""; 0], "{outcome:?}");
        }
        for id in ["c1", "c1.n1"] {
            agent.of("cleanup", id).outcome().success();
        }
        before.assert_unchanged(host, &["run/containers", "run/locks"]);
    });
}

/// Does one thing again and again while others are done.
fn while_others_do<'s>(body: impl FnOnce(), others: impl IntoIterator<Item = Box<dyn Fn() + Send + 's>>) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for other in others {
            let is_done = &is_done;
            scope.spawn(move || {
                while !is_done.load(Ordering::Relaxed) {
                    other();
                }
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        is_done.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

fn state_in<'v>(states: &'v Value, id: &str) -> Option<&'v Value> {
    states.as_array().unwrap().iter().find(|state| state["id"] == id)
}

/// What is told is true of each container at some moment, whatever becomes of the others.
#[test]
fn what_is_told_of_containers_that_come_and_go() {
    scenario("what_is_told_of_containers_that_come_and_go", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        for id in ["stays", "launched", "runs"] {
            agent.prepared(id, &["db"]);
        }
        let running = agent.running("runs");
        let pid = agent.state("runs")["pid"].clone();
        let configs = ["c1", "c2"].map(|id| (id, agent.config(id, &["db"])));
        let coming_and_going = configs.iter().map(|(id, config)| -> Box<dyn Fn() + Send> {
            let agent = &agent;
            Box::new(move || {
                agent.prepare(id, config).outcome().success();
                agent.of("cleanup", id).outcome().success();
            })
        });
        let launching: Box<dyn Fn() + Send> = Box::new(|| {
            assert_eq!(agent.launch("launched", "cat db/file").outcome().success(), "kept\n");
        });
        let looking = || {
            for _ in 0..40 {
                let states = agent.call("list").arg("--json").json();
                assert_eq!(state_in(&states, "stays").unwrap()["status"], "prepared", "{states}");
                let runs = state_in(&states, "runs").unwrap();
                assert_eq!((&runs["status"], &runs["pid"]), (&json!("running"), &pid), "{states}");
                for state in states.as_array().unwrap() {
                    let is_recorded = state["status"] == "unfinished" || state["sandbox"].is_string();
                    assert!(is_recorded, "{state}");
                }
                let outcome = agent.of("state", "c1").arg("--json").outcome();
                let is_gone = outcome.status == 125 && outcome.stderr.contains("there is no container c1");
                assert!(outcome.status == 0 || is_gone, "{outcome:?}");
                agent.call("metrics").outcome().success();
            }
        };
        while_others_do(looking, coming_and_going.chain([launching]));
        drop(running);
        agent.clean_up_all();
        for id in ["c1", "c2"] {
            fs::remove_dir_all(agent.sandbox(id)).unwrap();
        }
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
    });
}

#[test]
fn recoveries_and_creations_at_the_same_time() {
    scenario("recoveries_and_creations_at_the_same_time", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        agent.prepared("c1", &["db"]);
        let _running = agent.running("c1");
        agent.recover();
        let before = Snapshot::of(host, &["run/containers", "work"]);
        let started: Vec<_> = (0..12)
            .map(|number| match number % 3 {
                0 => agent.call("create").start(),
                1 => agent.call("recover").start(),
                _ => agent.call("list").start(),
            })
            .collect();
        for started in started {
            started.outcome().success();
        }
        before.assert_unchanged(host, &["run/containers", "work"]);
        assert_eq!(agent.state("c1")["status"], "running");
    });
}

/// Either the parent is there, with the child in it, or neither is.
#[test]
fn a_child_is_prepared_while_its_parent_is_cleaned_up() {
    scenario("a_child_is_prepared_while_its_parent_is_cleaned_up", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let before = Snapshot::of(host, &["work/volumes"]);
        let (parent, child) = (agent.config("c1", &["db"]), agent.config("c1.n1", &[]));
        let mut prepared = 0;
        for _ in 0..25 {
            agent.prepare("c1", &parent).outcome().success();
            let (one, other) = (agent.prepare("c1.n1", &child).start(), agent.of("cleanup", "c1").start());
            let (one, other): (Outcome, Outcome) = (one.outcome(), other.outcome());
            if one.status == 0 {
                prepared += 1;
                assert!(other.failure(125).contains("still has the nested container c1.n1"), "{other:?}");
                assert_eq!(agent.ids(), ["c1", "c1.n1"]);
            } else {
                assert!(one.failure(125).contains("is not known; prepare that first"), "{one:?}");
                other.success();
                assert_eq!(agent.ids(), [""; 0]);
                assert_eq!(names(&agent.runtime_dir.join("locks")), [""; 0]);
            }
            for id in ["c1.n1", "c1"] {
                agent.of("cleanup", id).outcome().success();
            }
        }
        println!("the child was first {prepared} times of 25");
        fs::remove_dir_all(agent.sandbox("c1")).unwrap();
        agent.assert_no_container_left();
        before.assert_unchanged(host, &["work/volumes"]);
    });
}

/// Those who look, recover or clean up take nothing away from a `run` that is at work.
#[test]
fn a_run_goes_on_whatever_commands_come() {
    scenario("a_run_goes_on_whatever_commands_come", |host| {
        let agent = Agent::new(host);
        agent.volumes(&["db"]);
        let before = Snapshot::of(host, &["work/volumes"]);
        let cleaning: Box<dyn Fn() + Send> = Box::new(|| {
            let outcome = agent.cleanup("r1").outcome();
            let runs = outcome.status == 125 && outcome.stderr.contains("container r1 runs; stop it first");
            assert!(outcome.status == 0 || runs, "{outcome:?}");
        });
        let looking: Box<dyn Fn() + Send> = Box::new(|| {
            agent.ids();
        });
        let recovering: Box<dyn Fn() + Send> = Box::new(|| {
            agent.recover();
        });
        let running = || {
            for _ in 0..20 {
                let run = host.run().rootfs(&agent.rootfs).id("r1").volume("web/db:data");
                assert_eq!(run.sh("cat data/file; sleep 0.02; cat data/file").success(), "kept\nkept\n");
            }
        };
        while_others_do(running, [cleaning, looking, recovering]);
        agent.assert_no_container_left();
        before.assert_unchanged(host, &["work/volumes"]);
    });
}
