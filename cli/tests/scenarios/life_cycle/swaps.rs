//! Somebody who exchanges directories of an image and of a sandbox for symbolic links, as fast as possible, while containers
//! are prepared, launched and cleaned up (renameat2(2), `RENAME_EXCHANGE`).
//!
//! `COFFERDAM_RACES` says how many launches there are; by default it is those of some seconds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cofferdam::kernel::{Fd, Kernel as _, RenameFlags};
use cofferdam::mountinfo::Table;
use cofferdam_linux::LinuxKernel;
use serde_json::{Value, json};

use super::agent::Agent;
use super::random::{Random, number};
use crate::hostile::make_canary;
use crate::support::{Host, Outcome, Snapshot, scenario, table, unix};

/// How long it takes, unless the environment says.
const LIMIT: Duration = Duration::from_secs(10);
/// How many launches there are of a container that is prepared.
const LAUNCHES: u64 = 3;

/// What is exchanged in the image.
const IN_IMAGE: [&str; 9] =
    ["dev", "proc", "sys", "tmp", "mnt", "mnt/mesos", "mnt/mesos/sandbox", "inside", "inside/volume"];
/// What is exchanged in the sandbox: where a persistent volume and a directory of the host belong.
const IN_SANDBOX: [&str; 3] = ["db", "log", "shared"];
/// Each has this many links.
const LINKS: usize = 6;
/// What nobody may change.
const WATCHED: [&str; 3] = ["canary", "work/volumes", "given"];

/// Tells its mount table, wherever /proc is by now, then whatever it sees of the host, and writes all over. What it says of
/// what is not there is of no interest, and /dev/null may be anywhere.
const PROGRAM: &str = "
    exec 2>&-
    tries=0
    until
        for path in /proc /proc-link? none; do
            cat $path/self/mountinfo && break
        done
        [ $path != none ]
    do
        tries=$((tries + 1))
        [ $tries -lt 10000 ] || exit 99
    done
    echo probes
    set --
    for name in dev proc sys tmp mnt inside mnt/mesos inside/volume; do
        for path in /$name /$name-link?; do
            set -- \"$@\" $path/CANARY $path/*/CANARY $path/other/file
            echo evil >$path/evil
        done
    done
    for path in shared shared-link? db-link? log-link?; do
        set -- \"$@\" $path/CANARY $path/*/CANARY $path/other/file
    done
    cat \"$@\"
    find / -xdev -name 'CANARY*'
    true";

/// Exchanges names, on a thread of its own.
struct Swapper {
    names: Vec<PathBuf>,
    is_done: AtomicBool,
    /// Whether it is to leave all as it was, and whether it does.
    pause: AtomicBool,
    is_paused: AtomicBool,
    /// The name that is exchanged alone; all in turns if there is none such.
    focus: AtomicUsize,
    swaps: AtomicU64,
}

fn link(name: &Path, number: usize) -> PathBuf {
    PathBuf::from(format!("{}-link{number}", name.display()))
}

impl Swapper {
    /// Makes what is to be exchanged.
    fn new(host: &Host, rootfs: &Path, sandbox: &Path) -> Self {
        let canary = host.path("canary");
        let below_root = canary.strip_prefix("/").unwrap().to_owned();
        let targets: [PathBuf; LINKS] = [
            canary.clone(),
            "/".into(),
            Path::new(&"../".repeat(40)).join(&below_root),
            Path::new("/proc/self/root").join(&below_root),
            host.work_dir().join("volumes/roles/web/other"),
            host.work_dir().join("volumes/roles/web"),
        ];
        let in_image = IN_IMAGE.iter().map(|name| rootfs.join(name));
        let names: Vec<_> = IN_SANDBOX.iter().map(|name| sandbox.join(name)).chain(in_image).collect();
        for name in &names {
            fs::create_dir_all(name).unwrap();
            for (number, target) in targets.iter().enumerate() {
                symlink(target, link(name, number)).unwrap();
            }
        }
        Self {
            names,
            is_done: AtomicBool::new(false),
            pause: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            focus: AtomicUsize::new(usize::MAX),
            swaps: AtomicU64::new(0),
        }
    }

    /// What is mounted on is not renamed, as far as we see the mount.
    fn exchange(&self, name: &Path, link: &Path) -> bool {
        let flags = RenameFlags::RENAME_EXCHANGE;
        let is_done = LinuxKernel.renameat2(Fd::CWD, unix(name), Fd::CWD, unix(link), flags).is_ok();
        self.swaps.fetch_add(u64::from(is_done), Ordering::Relaxed);
        is_done
    }

    fn run(&self, mut random: Random) {
        while !self.is_done.load(Ordering::Relaxed) {
            if self.pause.load(Ordering::Acquire) {
                self.restore();
                self.is_paused.store(true, Ordering::Release);
                thread::sleep(Duration::from_micros(200));
                continue;
            }
            self.is_paused.store(false, Ordering::Release);
            let focus = self.focus.load(Ordering::Relaxed);
            let name = self.names.get(focus).unwrap_or_else(|| &self.names[random.index(self.names.len())]);
            let link = link(name, random.index(LINKS));
            if self.exchange(name, &link) {
                for _ in 0..random.below(2000) {
                    std::hint::spin_loop();
                }
                self.exchange(name, &link);
            } else {
                // An update takes mount points away.
                let _ = fs::create_dir(name);
            }
        }
        self.restore();
    }

    /// Puts every directory back in its place. One that is mounted on stays where it is.
    fn restore(&self) {
        for name in &self.names {
            if fs::symlink_metadata(name).is_ok_and(|metadata| metadata.is_symlink()) {
                let links = (0..LINKS).map(|number| link(name, number));
                let directory =
                    links.into_iter().find(|link| fs::symlink_metadata(link).is_ok_and(|found| found.is_dir()));
                directory.map(|directory| self.exchange(name, &directory));
            }
        }
    }

    /// Does something while nothing is exchanged.
    fn paused<T>(&self, body: impl FnOnce() -> T) -> T {
        self.pause.store(true, Ordering::Release);
        while !self.is_paused.load(Ordering::Acquire) {
            thread::sleep(Duration::from_micros(200));
        }
        let result = body();
        self.is_paused.store(false, Ordering::Release);
        self.pause.store(false, Ordering::Release);
        result
    }
}

/// How often what happened.
#[derive(Debug, Default)]
struct Counts {
    /// Containers, from prepare to clean-up.
    lives: u64,
    launches: u64,
    launched: u64,
    launches_refused: u64,
    prepares_refused: u64,
    updates_refused: u64,
    cleanups_refused: u64,
    /// Programs whose mounts are where a directory was moved to.
    displaced: u64,
}

/// Whether a command did what it was to do; otherwise it must have said why not.
fn is_done(outcome: &Outcome) -> bool {
    if outcome.status == 0 {
        return true;
    }
    assert!((125..=127).contains(&outcome.status), "{outcome:?}");
    assert!(outcome.stderr.starts_with("cofferdam: ") && outcome.text().is_empty(), "{outcome:?}");
    false
}

/// What a program tells of its mounts, without the names that somebody has given to directories, and without the numbers of
/// peer groups.
fn mounts(text: &str, host: &Host) -> Vec<String> {
    let on_host = host.mountinfo();
    let mut lines = table::lines(&Table::parse(text.as_bytes()).unwrap(), &Table::parse(&on_host).unwrap());
    for line in &mut lines {
        for number in 0..LINKS {
            *line = line.replace(&format!("-link{number}"), "");
        }
        let (rest, propagation) = line.rsplit_once(' ').unwrap();
        *line = format!("{rest} {}", propagation.trim_end_matches(|character: char| character.is_ascii_digit()));
    }
    lines
}

/// A host on which somebody exchanges what a container is made of.
struct Race<'h> {
    agent: Agent<'h>,
    config: Value,
    swapper: &'h Swapper,
    before: Snapshot,
    /// The mounts that a program has, with one volume and with two.
    expected: Vec<Vec<String>>,
    counts: Counts,
}

impl<'h> Race<'h> {
    fn new(host: &'h Host, agent: Agent<'h>, swapper: &'h Swapper) -> Self {
        let mut config = agent.config("c1", &["db"]);
        let volume = |container_path: &str| json!({"container_path": container_path, "mode": "RO", "host_path": host.path("given")});
        config["container_info"] = json!({"volumes": [volume("/inside/volume"), volume("shared")]});
        let before = Snapshot::of(host, &WATCHED);
        let mut race = Self { agent, config, swapper, before, expected: Vec::new(), counts: Counts::default() };
        race.prepare().success();
        for volumes in [&["db"][..], &["db", "log"]] {
            race.agent.update("c1", volumes).outcome().success();
            let printed = race.launch().success();
            let (table, seen) = printed.split_once("probes\n").unwrap();
            assert_eq!(seen, "");
            race.expected.push(mounts(table, host));
        }
        race.agent.of("cleanup", "c1").outcome().success();
        race.before.assert_unchanged(host, &WATCHED);
        race
    }

    fn prepare(&self) -> Outcome {
        self.agent.prepare("c1", &self.config).outcome()
    }

    fn launch(&self) -> Outcome {
        self.agent.launch("c1", PROGRAM).outcome()
    }

    /// A container from prepare to clean-up.
    fn life(&mut self, random: &mut Random) {
        // Each name alone, and now and then all.
        let focus = usize::try_from(self.counts.lives).unwrap() % (self.swapper.names.len() + 3);
        self.swapper.focus.store(focus, Ordering::Relaxed);
        self.counts.lives += 1;
        let prepared = is_done(&self.prepare());
        self.counts.prepares_refused += u64::from(!prepared);
        let mut volumes = 1;
        if prepared && random.below(2) == 0 {
            let update = self.agent.update("c1", &["db", "log"]).outcome();
            volumes = if is_done(&update) { 2 } else { 0 };
            self.counts.updates_refused += u64::from(volumes == 0);
        }
        // One that could not be prepared has nothing to launch.
        for _ in 0..if prepared { LAUNCHES } else { 0 } {
            let outcome = self.launch();
            self.counts.launches += 1;
            if is_done(&outcome) {
                self.counts.launched += 1;
                self.check_program(&outcome, volumes);
            } else {
                self.counts.launches_refused += 1;
            }
        }
        if !is_done(&self.agent.of("cleanup", "c1").outcome()) {
            self.counts.cleanups_refused += 1;
            self.swapper.paused(|| self.agent.of("cleanup", "c1").outcome().success());
        }
        self.before.assert_unchanged(self.agent.host, &WATCHED);
        assert_eq!(self.agent.ids(), [""; 0]);
    }

    /// Its mounts are those that it has without anybody, and it has seen nothing of the host.
    fn check_program(&mut self, outcome: &Outcome, volumes: usize) {
        let text = outcome.text();
        let (table, seen) = text.split_once("probes\n").unwrap();
        assert_eq!(seen, "", "{outcome:?}");
        let mounts = mounts(table, self.agent.host);
        // After an update that was refused it may be one or two.
        let expected = if volumes == 0 { &self.expected[..] } else { &self.expected[volumes - 1..volumes] };
        assert!(expected.contains(&mounts), "{}\n\n{}", expected[0].join("\n"), mounts.join("\n"));
        self.counts.displaced += u64::from(table.contains("-link"));
    }
}

#[test]
fn whoever_exchanges_directories_for_links_wins_nothing() {
    scenario("whoever_exchanges_directories_for_links_wins_nothing", |host| {
        let agent = Agent::new(host);
        make_canary(host);
        fs::create_dir(host.path("given")).unwrap();
        agent.volumes(&["db", "log", "other"]);
        let mounts = host.mountinfo();
        let swapper = Swapper::new(host, &agent.rootfs, &agent.sandbox("c1"));
        let mut race = Race::new(host, agent, &swapper);
        let (limit, start) = (number("COFFERDAM_RACES"), Instant::now());
        let mut random = Random::new("exchanging directories for links");
        let of_swapper = Random::new("as does the other one");
        let result = thread::scope(|scope| {
            scope.spawn(|| swapper.run(of_swapper));
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                while limit.map_or(start.elapsed() < LIMIT, |limit| race.counts.launches < limit) {
                    race.life(&mut random);
                    assert_eq!(host.mountinfo().escape_ascii().to_string(), mounts.escape_ascii().to_string());
                }
            }));
            swapper.is_done.store(true, Ordering::Relaxed);
            result
        });
        println!("{:?} and {:?} exchanges in {:?}", race.counts, swapper.swaps, start.elapsed());
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
        // Nothing is in the way of a container when nobody is.
        race.prepare().success();
        race.launch().success();
        race.agent.cleanup("c1").outcome().success();
        race.agent.assert_no_container_left();
        race.before.assert_unchanged(host, &WATCHED);
        // Or else this was no race.
        let Counts { launches, launched, launches_refused, displaced, .. } = race.counts;
        assert!(launched > launches / 100, "hardly any program was launched");
        assert!(launches_refused > 0, "nothing was in the way");
        // A short run may not have seen it.
        assert!(displaced > 0 || launches < 300, "nothing was exchanged while it was in use");
    });
}
