//! Commands that are killed at any moment.
//!
//! `COFFERDAM_KILLS` says how many, `COFFERDAM_SEED` with which random numbers.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::agent::Agent;
use super::random::{Random, number};
use crate::support::{Snapshot, Started, scenario};

/// How many commands are killed, unless the environment says.
const KILLS: u64 = 150;

/// A parent before what is nested in it.
const IDS: [&str; 4] = ["c0", "c0.n", "c1", "c2"];
const VOLUMES: [&str; 2] = ["db", "log"];

#[derive(Clone, Copy, Debug)]
enum Action {
    Create,
    Prepare,
    Launch,
    UpdateWith,
    UpdateWithout,
    Cleanup,
    CleanupWithSandbox,
    Run,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::Create,
        Self::Prepare,
        Self::Launch,
        Self::UpdateWith,
        Self::UpdateWithout,
        Self::Cleanup,
        Self::CleanupWithSandbox,
        Self::Run,
    ];

    fn start(self, agent: &Agent<'_>, id: &str) -> Started {
        match self {
            Self::Create => agent.call("create").start(),
            Self::Prepare => agent.prepare(id, &agent.config(id, volumes(id, &["db"]))).start(),
            Self::Launch => agent.launch(id, "cat /proc/self/mountinfo >file").start(),
            Self::UpdateWith => agent.update(id, &VOLUMES).start(),
            Self::UpdateWithout => agent.update(id, &[]).start(),
            Self::Cleanup => agent.of("cleanup", id).start(),
            Self::CleanupWithSandbox => agent.cleanup(id).start(),
            Self::Run => {
                let run = agent
                    .host
                    .run()
                    .rootfs(&agent.rootfs)
                    .id(&format!("run-{}", id.replace('.', "-")))
                    .volume("web/db:data");
                run.spawn(["/bin/sh", "-c", "cat data/file >file"])
            }
        }
    }
}

/// Only a top-level container can have persistent volumes.
fn volumes<'v>(id: &str, volumes: &'v [&'v str]) -> &'v [&'v str] {
    if id.contains('.') { &[] } else { volumes }
}

/// How long each takes when it is left alone.
fn usual_durations(agent: &Agent<'_>) -> Vec<Duration> {
    let time = |action: &Action| {
        let start = Instant::now();
        let mut started = action.start(agent, "c0");
        started.status();
        start.elapsed()
    };
    Action::ALL.iter().map(time).collect()
}

/// All is cleaned up, and each id can be had again.
#[track_caller]
fn check(agent: &Agent<'_>, before: &Snapshot, story: &str) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // What has been killed may take a moment to die, with all of its processes.
        agent.recover();
        agent.clean_up_all();
        agent.recover();
        for id in IDS {
            agent.prepared(id, volumes(id, &VOLUMES));
        }
        for id in IDS.iter().rev() {
            agent.cleanup(id).outcome().success();
        }
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&VOLUMES);
        before.assert_unchanged(agent.host, &["work/volumes"]);
    }));
    if let Err(panic) = result {
        eprintln!("after this:\n{story}");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn whatever_is_killed_can_be_recovered() {
    scenario("whatever_is_killed_can_be_recovered", |host| {
        let kills = number("COFFERDAM_KILLS").unwrap_or(KILLS);
        let mut random = Random::new(&format!("{kills} kills"));
        let agent = Agent::new(host);
        agent.volumes(&VOLUMES);
        let before = Snapshot::of(host, &["work/volumes"]);
        let durations = usual_durations(&agent);
        check(&agent, &before, "the usual durations were taken");
        let (mut in_time, mut story) = (0, String::new());
        for kill in 0..kills {
            let (id, which) = (random.of(&IDS), random.below(8));
            let which = usize::try_from(which).unwrap();
            let action = Action::ALL[which];
            // Most commands have something to do with a container that is there.
            let is_there = random.below(3) > 0;
            for one in IDS.iter().filter(|one| is_there && id.starts_with(**one)) {
                let status = Action::Prepare.start(&agent, one).status();
                writeln!(story, "{:?} {one}: {status}", Action::Prepare).unwrap();
            }
            let delay = random.below(1000) * u64::try_from(durations[which].as_nanos()).unwrap() / 1000;
            let mut started = action.start(&agent, id);
            std::thread::sleep(Duration::from_nanos(delay));
            started.send(Signal::SIGKILL);
            let status = started.status();
            in_time += u64::from(status.code().is_none());
            writeln!(story, "{action:?} {id} killed after {delay} ns: {status}").unwrap();
            // Sometimes others come before anybody recovers.
            if random.below(3) == 0 || kill + 1 == kills {
                check(&agent, &before, &story);
                story.clear();
            }
        }
        // Otherwise this proves little.
        assert!(in_time > kills / 4, "{in_time} of {kills} were killed before their end");
    });
}
