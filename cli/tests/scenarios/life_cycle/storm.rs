//! Several commands at once, for different containers and the same one, some of which are killed.
//!
//! `COFFERDAM_KILLS` says how many are killed, `COFFERDAM_SEED` with which random numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::agent::{Agent, assert_is_of_group, processes};
use super::random::{Random, number};
use crate::support::{Snapshot, Started, scenario, wait_until};

/// How many commands are killed, unless the environment says.
const KILLS: u64 = 60;
/// After how many rounds all is recovered and cleaned up.
const ROUNDS: u64 = 4;

/// Containers that run until somebody stops them, so that those that are nested in them can be launched.
const PARENTS: [&str; 2] = ["c0", "c1"];
/// A parent before what is nested in it. The last letter says of what kind it is: `n` has a root filesystem of its own, `s` sees
/// the host's, `d` is of class DEBUG.
const IDS: [&str; 9] = ["c0", "c0.n", "c0.n.s", "c0.s", "c0.d", "c1", "c1.n", "c1.d", "c2"];
const RUNS: [&str; 2] = ["r0", "r1"];
const VOLUMES: [&str; 2] = ["db", "log"];
/// Where volumes have groups: those, and who has the sandboxes.
const GIDS: std::ops::RangeInclusive<u32> = 70_000..=70_009;
const OWNER: u32 = 1000;

/// What commands may say when another one was there before them.
const REFUSALS: [&str; 15] = [
    "is nested in another one",
    "is prepared already",
    "exists already: its",
    "is not prepared",
    "is not known",
    "runs already",
    "runs; stop it first",
    "still has the nested container",
    "does not run",
    "there is no container",
    // The sandbox, or that of the parent, was removed with the container.
    "ENOENT",
    // A program has a file of the volume open.
    "a process uses it",
    // The parent was stopped while its child was launched.
    "is the parent container still running",
    "the process that made this one has died",
    "join the parent container's namespace",
];

#[derive(Clone, Copy, Debug)]
enum Action {
    Create,
    Prepare,
    Launch,
    UpdateWith,
    UpdateWithout,
    Cleanup,
    CleanupWithSandbox,
    Recover,
    List,
    State,
    Metrics,
    Run,
}

impl Action {
    /// Those more often that change something.
    const ALL: [Self; 17] = [
        Self::Create,
        Self::Prepare,
        Self::Prepare,
        Self::Prepare,
        Self::Launch,
        Self::Launch,
        Self::Launch,
        Self::UpdateWith,
        Self::UpdateWithout,
        Self::Cleanup,
        Self::CleanupWithSandbox,
        Self::CleanupWithSandbox,
        Self::Recover,
        Self::List,
        Self::State,
        Self::Metrics,
        Self::Run,
    ];

    fn start(self, agent: &Agent<'_>, id: &str) -> Started {
        match self {
            Self::Create => agent.call("create").start(),
            Self::Prepare => prepare(agent, id),
            Self::Launch => agent.launch(id, "cat */file >file 2>/dev/null; sleep 0.03; exit 0").start(),
            Self::UpdateWith => agent.update(id, &VOLUMES).start(),
            Self::UpdateWithout => agent.update(id, &[]).start(),
            Self::Cleanup => agent.of("cleanup", id).start(),
            Self::CleanupWithSandbox => agent.cleanup(id).start(),
            Self::Recover => agent.call("recover").start(),
            Self::List => agent.call("list").arg("--json").start(),
            Self::State => agent.of("state", id).start(),
            Self::Metrics => agent.call("metrics").start(),
            Self::Run => {
                let run = agent.host.run().rootfs(&agent.rootfs).id(id).volume("web/db:data");
                run.spawn(["/bin/sh", "-c", "cat data/file >file; sleep 0.03; exit 0"])
            }
        }
    }
}

fn prepare(agent: &Agent<'_>, id: &str) -> Started {
    let sandbox = agent.sandbox(id);
    if agent.config.is_some() && !id.contains('.') {
        // Somebody may be removing it.
        let _ = chown(&sandbox, Some(OWNER), Some(OWNER));
    }
    let mut config = json!({"directory": sandbox});
    match id.rsplit('.').next() {
        Some("d") => config["container_class"] = json!("DEBUG"),
        Some("s") => {}
        _ => config["rootfs"] = json!(agent.rootfs),
    }
    if id.contains('.') {
        if !id.ends_with('d') {
            config["container_info"] = json!({"volumes": [{
                "container_path": "above", "mode": "RW",
                "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "below"}},
            }]});
        }
    } else {
        config["resources"] = super::agent::resources(&["db"]);
    }
    agent.prepare(id, &config).start()
}

/// A command of a round: when it comes, and how long it lives.
#[derive(Clone, Copy, Debug)]
struct Planned {
    action: Action,
    id: &'static str,
    after: Duration,
    killed_after: Option<Duration>,
}

impl Planned {
    fn new(random: &mut Random, family: Option<&str>) -> Self {
        let action = random.of(&Action::ALL);
        let id = if matches!(action, Action::Run) {
            random.of(&RUNS)
        } else {
            let ids: Vec<_> = IDS.into_iter().filter(|id| family.is_none_or(|family| id.starts_with(family))).collect();
            random.of(&ids)
        };
        let is_killed = random.below(2) == 0;
        // Most commands take a few milliseconds.
        let longest = random.of(&[3_000, 12_000, 60_000]);
        let killed_after = is_killed.then(|| Duration::from_micros(random.below(longest)));
        Self { action, id, after: Duration::from_micros(random.below(20_000)), killed_after }
    }

    /// Gives how it ended, and whether it was killed before its end.
    fn carry_out(&self, agent: &Agent<'_>) -> (String, bool) {
        thread::sleep(self.after);
        let started = self.action.start(agent, self.id);
        if let Some(delay) = self.killed_after {
            thread::sleep(delay);
            started.send(Signal::SIGKILL);
        }
        let (status, errors) = started.end();
        let told = format!("{self:?}: {status} {errors}");
        match status.code() {
            None => assert!(self.killed_after.is_some(), "{told}"),
            // 137 if what it was in was stopped.
            Some(0) => assert_eq!(errors, "", "{told}"),
            Some(137) => assert!(matches!(self.action, Action::Launch | Action::Run), "{told}"),
            Some(_) => {
                assert_eq!(status.code(), Some(125), "{told}");
                assert!(REFUSALS.iter().any(|part| errors.contains(part)), "{told}");
            }
        }
        (told, status.code().is_none())
    }
}

/// All is cleaned up, and each id can be had again.
fn check(agent: &Agent<'_>, before: &Snapshot) {
    agent.recover();
    agent.clean_up_all();
    agent.recover();
    wait_until(&format!("the end of all processes: {:?}", processes(agent.host)), || processes(agent.host).is_empty());
    for id in IDS {
        let (status, errors) = prepare(agent, id).end();
        assert!(status.success(), "{id}: {errors}");
    }
    if agent.config.is_some() {
        let volume = agent.host.work_dir().join("volumes/roles/web/db");
        let gid = fs::metadata(&volume).unwrap().gid();
        assert!(GIDS.contains(&gid), "{gid}");
        assert_is_of_group(&volume, gid);
    }
    for id in IDS.iter().rev() {
        agent.cleanup(id).outcome().success();
    }
    agent.assert_no_container_left();
    agent.assert_volumes_intact(&VOLUMES);
    before.assert_unchanged(agent.host, unchanging(agent));
}

/// What nobody may change on the host. A volume that gets a group is changed, but for its files' content.
fn unchanging(agent: &Agent<'_>) -> &'static [&'static str] {
    if agent.config.is_some() { &[] } else { &["work/volumes"] }
}

/// Starts the parents that do not run: most rounds have some.
fn start_parents(agent: &Agent<'_>, random: &mut Random, running: &mut BTreeMap<&'static str, Started>) {
    for id in PARENTS {
        if running.contains_key(id) || random.below(4) == 0 {
            continue;
        }
        prepare(agent, id).end();
        let launch = agent.launch(id, "mkdir -p below; echo started; while :; do sleep 0.05; done");
        running.insert(id, launch.start());
    }
}

/// Carries out one round. Gives how many were killed, and how many of them before their end.
fn round(agent: &Agent<'_>, random: &mut Random, story: &mut String) -> (u64, u64) {
    let family = random.of(&[None, None, Some("c0"), Some("c1")]);
    let count = 2 + random.below(4);
    let planned: Vec<_> = (0..count).map(|_| Planned::new(random, family)).collect();
    let ended: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = planned.iter().map(|planned| scope.spawn(|| planned.carry_out(agent))).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut killed_in_time = 0;
    for result in ended {
        match result {
            Ok((told, in_time)) => {
                writeln!(story, "{}", told.trim_end()).unwrap();
                killed_in_time += u64::from(in_time);
            }
            Err(panic) => {
                writeln!(story, "{planned:?}").unwrap();
                std::panic::resume_unwind(panic);
            }
        }
    }
    (planned.iter().filter(|planned| planned.killed_after.is_some()).count() as u64, killed_in_time)
}

/// Rounds until so many are killed.
fn storm(agent: &Agent<'_>, kills: u64) {
    let mut random = Random::new(&format!("{kills} kills"));
    let before = Snapshot::of(agent.host, unchanging(agent));
    let (mut killed, mut in_time, mut rounds, mut story) = (0, 0, 0, String::new());
    let mut running = BTreeMap::new();
    while killed < kills {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            start_parents(agent, &mut random, &mut running);
            let (more, of_them) = round(agent, &mut random, &mut story);
            killed += more;
            in_time += of_them;
            rounds += 1;
            // Some parents are stopped in the middle.
            running.retain(|_, _| random.below(3) > 0);
            if rounds % ROUNDS == 0 || killed >= kills {
                running.clear();
                check(agent, &before);
                story.clear();
            }
        }));
        if let Err(panic) = result {
            eprintln!("after this:\n{story}");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{rounds} rounds, {in_time} of {killed} were killed before their end");
    // Otherwise this proves little.
    assert!(in_time > killed / 4, "{in_time} of {killed} were killed before their end");
}

#[test]
fn whatever_is_killed_while_others_go_on_can_be_recovered() {
    scenario("whatever_is_killed_while_others_go_on_can_be_recovered", |host| {
        let agent = Agent::new(host);
        agent.volumes(&VOLUMES);
        storm(&agent, number("COFFERDAM_KILLS").unwrap_or(KILLS));
    });
}

#[test]
fn the_same_where_volumes_have_groups() {
    scenario("the_same_where_volumes_have_groups", |host| {
        let config = host.path("agent.toml");
        fs::write(&config, format!("volume_gid_range = \"{}-{}\"", GIDS.start(), GIDS.end())).unwrap();
        let agent = Agent { config: Some(config), ..Agent::new(host) };
        agent.volumes(&VOLUMES);
        // So many that it takes a while.
        for number in 0..200 {
            let directory = host.work_dir().join(format!("volumes/roles/web/db/{}/{number}", number % 7));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("file"), "").unwrap();
        }
        storm(&agent, number("COFFERDAM_KILLS").unwrap_or(KILLS / 2));
    });
}
